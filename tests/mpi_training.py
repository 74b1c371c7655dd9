"""A training for `tests/test_distributed.py`: `python mpi_training.py KIND SHARDS [FOLDER]`.

Each process prints its rank, and a checksum of all numbers that the training has made.
"""

from __future__ import annotations

import os
import sys
import zlib
from typing import Any

import numpy as np

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, GlobalAveragePooling2D, Input, Rescaling

KIND, SHARDS = sys.argv[1], int(sys.argv[2]) or None
FOLDER = sys.argv[3] if len(sys.argv) > 3 else ""
(X, Y), (X_TEST, Y_TEST) = st.data.load_digits()
X, Y, X_TEST, Y_TEST = X[:150], Y[:150], X_TEST[:45], Y_TEST[:45]
FIT: dict[str, Any] = {"batch_size": 32, "epochs": 3, "verbose": 0, "shards": SHARDS}


def images() -> Any:
    inputs = Input((8, 8, 1))
    x = Conv2D(6, 3, padding="same")(Rescaling(1 / 16)(inputs))
    return inputs, BatchNormalization()(x)


def classify() -> tuple[Any, Any, Any]:
    inputs, x = images()
    model = st.Model(inputs, Dense(10)(Dropout(0.2)(Flatten()(x))), seed=None)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=7)
    model.compile(st.optimizers.Adam(clipnorm=1.0), loss, metrics=["accuracy", st.metrics.AUC(), st.metrics.F1Score()])
    callbacks = [st.callbacks.ReduceLROnPlateau("loss", patience=0, min_delta=0.5)] if st.distributed.is_main() else []
    callbacks = [st.callbacks.EarlyStopping("loss", patience=5, restore_best_weights=True), *callbacks]
    if FOLDER:
        callbacks.append(st.callbacks.BackupAndRestore(FOLDER))
    more = {"augment": st.data.Augment(rotation=10, shift=1), "callbacks": callbacks}
    return model, (X, Y), {**more, "validation_data": (X_TEST, Y_TEST)}


def segment() -> tuple[Any, Any, Any]:
    inputs, x = images()
    model = st.Model(inputs, Conv2D(2, 1)(x), seed=1)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    masks = (X[..., 0] > 8).astype(np.uint8)
    masks[:60, 2:5] = 255
    model.compile("sgd", loss, metrics=[st.metrics.MeanIoU(2)])
    return model, (X, masks), {"augment": st.data.Augment(flip_horizontal=True), "validation_split": 0.2}


def two() -> tuple[Any, Any, Any]:
    inputs, x = images()
    features = GlobalAveragePooling2D()(x)
    model = st.Model(inputs, [Dense(10, name="digit")(features), Dense(1, name="ink")(features)], seed=2)
    losses = {"digit": st.losses.SparseCategoricalCrossentropy(from_logits=True), "ink": "mse"}
    model.compile("rmsprop", losses, metrics={"digit": "accuracy", "ink": "mae"}, loss_weights={"digit": 1, "ink": 0.1})
    ink = X.mean(axis=(1, 2, 3), dtype=np.float32)[:, None] / 16

    class Seen(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 3 and self.model.optimizer.learning_rate > 1e-4:
                self.model.optimizer.learning_rate = 1e-4
            if batch == 2 and self.model.optimizer.learning_rate < 5e-4:
                self.model.stop_training = True

    return model, (X, [Y, ink]), {"sample_weight": np.linspace(0, 2, len(X), dtype=np.float32), "callbacks": [Seen()]}


def rows() -> tuple[Any, Any, Any]:
    """`classify` with rows that are read when they are due: the same bits."""
    model, (x, y), more = classify()
    more["validation_data"] = (st.data.rows(list(zip(*more["validation_data"], strict=True)), workers=2),)
    return model, (st.data.rows(list(zip(x, y, strict=True))),), more


def checksum(model: Any, history: Any) -> int:
    core = model._compiled("a test")._settle()
    check = zlib.crc32(str((core.iteration, core.epochs, core.seed, history.epoch)).encode())
    arrays = [*model.get_weights(), *(core.slot(index) for index in range(core.slot_count))]
    for name in sorted(history.history):
        arrays.append(np.asarray(history.history[name], np.float64))
    for array in arrays:
        check = zlib.crc32(np.ascontiguousarray(array).tobytes(), check)
    return check


if __name__ == "__main__":
    st.distributed.init(timeout=float(os.environ.get("TIMEOUT", "60")))
    st.set_seed(5 + st.distributed.rank())  # process 0's counts
    if KIND == "killed":
        model, data, more = classify()
        step = int(os.environ.get("STEP", "0"))

        class Kill(st.callbacks.Callback):
            def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
                if self.model.optimizer.iterations == step:
                    os.kill(os.getpid(), 9)

        if step:
            more["callbacks"].append(Kill())
    else:
        model, data, more = {"classify": classify, "segment": segment, "two": two, "rows": rows}[KIND]()
    history = model.fit(*data, **FIT, **more)
    if "validation_data" in more and not KIND.startswith("killed"):
        together = model.evaluate(
            *more["validation_data"], batch_size=32, verbose=0, distributed=True, return_dict=True
        )
        history.history["together"] = [*together.values()]
    sys.stdout.write(f"{st.distributed.rank()} {checksum(model, history)}\n")
