"""Batches cut in shards, in one process: bits, metrics, states, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    RandomFlip,
    ReLU,
    Rescaling,
    SpatialDropout2D,
)

(X, Y), (X_TEST, Y_TEST) = st.data.load_digits()
X, Y, X_TEST, Y_TEST = X[:150], Y[:150], X_TEST[:70], Y_TEST[:70]
IGNORED = 7


def network(*, normalized: bool = True, seed: int = 3, **compiled: Any) -> st.Sequential:
    layers: list[Any] = [Input((8, 8, 1)), Rescaling(1 / 16), RandomFlip("horizontal"), Conv2D(6, 3)]
    layers += [BatchNormalization()] if normalized else []
    layers += [ReLU(), SpatialDropout2D(0.1), Flatten(), Dropout(0.3), Dense(10)]
    model = st.Sequential(layers, seed=seed)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=IGNORED)
    given = {"optimizer": st.optimizers.Adam(global_clipnorm=0.5), "loss": loss, "metrics": ["accuracy"], **compiled}
    model.compile(**given)
    return model


def numbers(model: st.Model, history: Any = None) -> list[np.ndarray]:
    """All that a training has made."""
    core = model._compiled("a test")._settle()
    values = [*model.get_weights(), *(core.slot(index) for index in range(core.slot_count))]
    if history is not None:
        values += [np.asarray(values, np.float64) for values in history.history.values()]
    return values


def same(one: list[np.ndarray], other: list[np.ndarray]) -> bool:
    return len(one) == len(other) and all(a.tobytes() == b.tobytes() for a, b in zip(one, other, strict=True))


def test_threads_do_not_change_the_bits() -> None:
    found = []
    before = st.get_num_threads()
    try:
        for threads in (1, 2):
            st.set_num_threads(threads)
            model = network()
            history = model.fit(
                X, Y, batch_size=32, epochs=2, shards=4, verbose=0, validation_data=(X_TEST, Y_TEST),
                augment=st.data.Augment(rotation=10, shift=1),
            )  # fmt: skip
            found.append(numbers(model, history))
    finally:
        st.set_num_threads(before)
    assert same(*found)
    assert history.params["shards"] == 4


@pytest.mark.parametrize("shards", (2, 3, 7))
def test_shards_give_the_gradient_of_the_whole_batch(shards: int) -> None:
    """Dropout and random layers draw by the row of the batch, ignored classes count in the whole batch."""
    weights = []
    for cut in (1, shards):
        model = network(normalized=False, optimizer=st.optimizers.SGD(1.0))
        model.fit(X[:50], Y[:50], batch_size=50, epochs=1, shards=cut, verbose=0)
        weights.append(model.get_weights())
    start = network(normalized=False).get_weights()
    for one, other, before in zip(*weights, start, strict=True):
        np.testing.assert_allclose(other - before, one - before, rtol=1e-4, atol=2e-6)


def test_the_gradient_is_the_sum_of_the_shards() -> None:
    """Beside each shard's own step: batch normalisation takes the shard's statistics, moving averages are the mean."""
    rows, shards = 22, 4
    targets = np.random.default_rng(0).normal(size=(rows, 10)).astype(np.float32)
    plain = st.Sequential([Input((8, 8, 1)), Conv2D(6, 3), BatchNormalization(), ReLU(), Flatten(), Dense(10)], seed=3)
    x = X[:rows].astype(np.float32) / 16
    start = plain.get_weights()
    moved = []
    for shard in range(shards):
        first, last = rows * shard // shards, rows * (shard + 1) // shards
        plain.set_weights(start)
        plain.compile(st.optimizers.SGD(1.0), "mse")
        plain.fit(x[first:last], targets[first:last], batch_size=rows, shuffle=False, verbose=0)
        moved.append([(last - first, w.astype(np.float64)) for w in plain.get_weights()])
    plain.set_weights(start)
    plain.compile(st.optimizers.SGD(1.0), "mse")
    plain.fit(x, targets, batch_size=rows, shuffle=False, verbose=0, shards=shards)
    names = list(plain.state_dict())
    for place, (name, before, got) in enumerate(zip(names, start, plain.get_weights(), strict=True)):
        shares = [(m[place][0], m[place][1]) for m in moved]
        if "moving" in name:
            wanted = sum(values for _, values in shares) / shards
            assert np.array_equal(got, wanted.astype(np.float32)), name
        else:
            wanted = before + sum(count / rows * (values - before) for count, values in shares)
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-6, err_msg=name)


@pytest.mark.parametrize("workers", (1, 3))
def test_rows_that_are_read_when_they_are_due_give_the_bits_of_arrays(workers: int) -> None:
    found, values = [], []
    for read in (False, True):
        data = [(X, Y), (X_TEST, Y_TEST)]
        if read:
            data = [(st.data.rows(list(zip(*pair, strict=True)), workers=workers),) for pair in data]
        for augment in (None, st.data.Augment(rotation=10, shift=1)):
            model = network()
            history = model.fit(
                *data[0], batch_size=32, epochs=2, shards=4, verbose=0, validation_data=data[1], augment=augment
            )
            found.append(numbers(model, history))
            values.append(model.evaluate(*data[1], verbose=0, distributed=True, return_dict=True))
            # The shards are those of the training.
            assert values[-1] == {name: history.history[f"val_{name}"][-1] for name in values[-1]}
    assert same(found[0], found[2]) and same(found[1], found[3])
    assert values[:2] == values[2:]


def test_one_shard_is_the_training_without() -> None:
    found = []
    for given in ({}, {"shards": 1}):
        model = network()
        found.append(numbers(model, model.fit(X, Y, epochs=2, verbose=0, **given)))
    assert same(*found)


class Bias(st.metrics.Metric):
    def __init__(self) -> None:
        super().__init__("bias")
        self.reset_state()

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total += float(y_pred.sum(dtype=np.float64))
        self.count += y_true.size

    def result(self) -> float:
        return self.total / max(self.count, 1)


class MergedBias(Bias):
    def merge_state(self, metrics: Any) -> None:
        for other in metrics:
            self.total += other.total
            self.count += other.count


def test_metrics_of_shards_are_merged() -> None:
    given = [
        "accuracy", st.metrics.AUC(), st.metrics.F1Score(), st.metrics.ConfusionMatrix(), st.metrics.Precision(),
        st.metrics.TopKAccuracy(3), st.metrics.FunctionMetric(lambda t, p: p.max(axis=1), "highest"),
        st.metrics.FunctionMetric(lambda t, p: float(p.mean()), "mean"), MergedBias(),
    ]  # fmt: skip
    model = network(metrics=given, loss=st.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(X, Y, epochs=1, shards=3, batch_size=32, verbose=0, validation_data=(X_TEST, Y_TEST))
    whole = model.evaluate(X_TEST, Y_TEST, return_dict=True, verbose=0)
    for name, value in whole.items():
        np.testing.assert_allclose(history.history[f"val_{name}"][0], value, rtol=1e-6, err_msg=name)


def test_a_metric_without_merging_is_refused() -> None:
    model = network(metrics=[Bias()])
    with pytest.raises(ValueError, match=r"Bias 'bias' must define merge_state\(metrics\)"):
        model.fit(X, Y, shards=2, verbose=0)
    with pytest.raises(NotImplementedError, match="Bias must define merge_state"):
        Bias().merge_state([])
    model.fit(X, Y, verbose=0)


def test_what_cannot_be_cut_is_refused() -> None:
    model = network()
    with pytest.raises(ValueError, match="shards must be at least 1, got 0"):
        model.fit(X, Y, shards=0)
    with pytest.raises(ValueError, match="shards must be at most batch_size, 32, got 33"):
        model.fit(X, Y, shards=33)
    batches = [(X[:32], Y[:32]), (X[32:64], Y[32:64])]
    with pytest.raises(
        ValueError, match=r"are for arrays, memory maps and rows, got a list, which .*striate\.data\.cache"
    ):
        model.fit(batches, shards=2)
    with pytest.raises(ValueError, match="validation_data: shards"):
        model.fit(X, Y, shards=2, validation_data=iter(batches), validation_steps=1)
    own = st.Sequential([Input((8, 8, 1)), Flatten(), Dense(10)])
    own.compile("sgd", lambda t, p: ((t - p) ** 2).mean(axis=-1))
    with pytest.raises(ValueError, match="computed in Python"):
        own.fit(X, np.eye(10, dtype=np.float32)[Y], shards=2)


def test_more_shards_than_rows_of_the_last_batch() -> None:
    model = network()
    history = model.fit(X[:9], Y[:9], batch_size=4, shards=4, epochs=2, verbose=0)
    assert np.isfinite(history.history["loss"]).all()


def test_callbacks_see_batches_and_may_stop() -> None:
    seen: list[float] = []

    class Watch(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(logs["loss"])
            self.model.stop_training = batch == 2

    model = network()
    history = model.fit(X, Y, batch_size=32, epochs=4, shards=2, verbose=0, callbacks=[Watch()])
    assert len(seen) == 3 and history.history["loss"] == [seen[-1]]


def test_a_failing_step_leaves_the_model(tmp_path: Path) -> None:
    model = network()

    def augment(images: Any, rows: Any, epoch: int) -> Any:
        if 31 in rows:
            raise OSError("a damaged picture")
        return images

    model.fit(X[:31], Y[:31], batch_size=8, shards=2, shuffle=False, verbose=0, augment=augment)
    before = numbers(model)
    with pytest.raises(OSError, match="a damaged picture"):
        model.fit(X[24:], Y[24:], batch_size=8, shards=2, shuffle=False, verbose=0, augment=augment)
    assert not same(before, numbers(model))  # the steps before it
    assert model.fit(X, Y, verbose=0).history["loss"]


def test_the_state_of_training_keeps_shards(tmp_path: Path) -> None:
    whole = network()
    history = whole.fit(X, Y, epochs=4, shards=3, verbose=0)
    first = network()
    first.fit(X, Y, epochs=2, shards=3, verbose=0)
    st.save_training(first, tmp_path / "training.safetensors")
    second = network(seed=9)
    st.load_training(second, tmp_path / "training.safetensors")
    later = second.fit(X, Y, epochs=2, verbose=0)
    assert later.params["shards"] == 3
    assert same(numbers(whole), numbers(second)) and history.history["loss"][2:] == later.history["loss"]
    assert second.fit(X, Y, verbose=0).params.get("shards", 1) == 1


class Interrupt(st.callbacks.Callback):
    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("shards", (None, 3))
def test_a_backup_goes_on_with_the_same_bits(tmp_path: Path, shards: int | None) -> None:
    def fit(model: st.Sequential, *callbacks: st.callbacks.Callback, given: int | None = shards) -> Any:
        backup = st.callbacks.BackupAndRestore(tmp_path / "backup")
        stopping = st.callbacks.EarlyStopping("loss", patience=3)
        return model.fit(X, Y, epochs=4, shards=given, verbose=0, callbacks=[backup, stopping, *callbacks])

    whole = network()
    history = fit(whole)
    assert not list((tmp_path / "backup").iterdir())  # removed after the end
    ended = network()
    with pytest.raises(KeyboardInterrupt):
        fit(ended, Interrupt())
    resumed = network(seed=11)
    later = fit(resumed, given=None)
    assert same(numbers(whole, history), numbers(resumed, later))
    assert later.epoch == [0, 1, 2, 3]


def test_backups_are_of_epochs(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="save_freq must be 'epoch', got 100"):
        st.callbacks.BackupAndRestore(tmp_path, save_freq=100)
    kept = st.callbacks.BackupAndRestore(tmp_path, delete_checkpoint=False)
    network().fit(X, Y, epochs=1, verbose=0, callbacks=kept)
    assert kept.exists
    model = network()
    history = model.fit(X, Y, epochs=1, verbose=0, callbacks=kept)  # nothing is left to do
    assert len(history.history["loss"]) == 1 and model.optimizer.iterations == 5
