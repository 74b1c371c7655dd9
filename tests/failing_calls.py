"""Calls of the package in which the n-th `operator new` fails. A program of tests/test_failed_allocations.py:

    LD_PRELOAD=failing_new.so python failing_calls.py CASE COUNT n n n ...

runs the case once for each n and prints a line each: n, "error" or "success", and the blocks that were not released.
`calls` in place of the numbers prints how many allocations the case makes. A problem is printed and ends the program.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import striate as st
from striate.data import Augment
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D, ReLU

FOLDER = Path(tempfile.gettempdir())
RANDOM = np.random.default_rng(0)
X = RANDOM.random((10, 12, 12, 2), np.float32)
Y = RANDOM.integers(0, 3, 10)
MASKS = RANDOM.integers(0, 3, (10, 12, 12))


def network(seed: int = 3) -> st.Model:
    """A small network with branches, normalisation, pooling and dropout."""
    inputs = Input((12, 12, 2))
    x = Conv2D(16, 3, padding="same", name="first")(inputs)
    x = ReLU(name="relu")(BatchNormalization(name="norm")(x))
    x = MaxPooling2D(name="pool")(x)
    y = Conv2D(16, 3, padding="same", activation="relu", name="second")(x)
    x = st.layers.Add(name="add")([x, y])
    x = Dropout(0.25, name="drop")(Flatten(name="flat")(x))
    return st.Model(inputs, Dense(3, activation="softmax", name="classes")(x), name="net", seed=seed)


def compiled(loss: str = "sparse_categorical_crossentropy") -> st.Model:
    model = network()
    model.compile(st.optimizers.Adam(0.01), loss=loss, metrics=["accuracy"])
    return model


def trained() -> st.Model:
    model = compiled()
    model.train_on_batch(X, Y)
    return model


def pixels() -> st.Model:
    model = st.Sequential([Input((12, 12, 2)), Conv2D(8, 3, padding="same"), Conv2D(3, 1)], seed=1)
    model.compile("sgd", loss=st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def bits(model: st.Model) -> list[bytes]:
    return [w.tobytes() for w in model.get_weights()]


class Case:
    """A call, the state it works on, and its result as something that can be compared."""

    whole = True
    """Whether the weights of the state are those before or after the call when it fails."""

    def begin(self) -> Any:
        return None

    def call(self, state: Any) -> Any:
        raise NotImplementedError

    def result(self, state: Any, value: Any) -> Any:
        return value

    def weights(self, state: Any) -> list[bytes] | None:
        return bits(state) if isinstance(state, st.Model) else None

    def repair(self, state: Any) -> Any:
        """The state for the call that follows a failed one: as the failed one left it."""
        return state


class Build(Case):
    def call(self, state: Any) -> Any:
        return network()

    def result(self, state: Any, value: Any) -> Any:
        return bits(value)


class BuildSequential(Case):
    def call(self, state: Any) -> Any:
        return st.Sequential([Input((12, 12, 2)), Conv2D(8, 3), Flatten(), Dense(3, activation="softmax")], seed=1)

    def result(self, state: Any, value: Any) -> Any:
        return bits(value)


class Ready(Case):
    def call(self, state: Any) -> Any:
        return [
            st.models.lenet((12, 12, 1), 4, dropout=0.3, seed=1),
            st.models.unet((8, 8, 1), 2, base=8, depth=1, seed=1),
        ]

    def result(self, state: Any, value: Any) -> Any:
        return [bits(model) for model in value]


class Compile(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        rate = st.optimizers.schedules.CosineDecay(0.1, 100)
        state.compile(
            st.optimizers.SGD(rate, momentum=0.9), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
        )

    def result(self, state: Any, value: Any) -> Any:
        return [state.train_on_batch(X, Y), bits(state)]


class Step(Case):
    def begin(self) -> Any:
        return compiled()

    def call(self, state: Any) -> Any:
        return state.train_on_batch(X, Y, class_weight={0: 2.0})

    def result(self, state: Any, value: Any) -> Any:
        return [value, bits(state)]


class Evaluate(Case):
    def begin(self) -> Any:
        return compiled()

    def call(self, state: Any) -> Any:
        return state.evaluate(X, Y, batch_size=4, verbose=0, sample_weight=np.ones(10, np.float32))


class Predict(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        return [state.predict(X, batch_size=4).tobytes(), *(v.tobytes() for v in state.feature_maps(X[:2]).values())]


class Explain(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        return state.grad_cam(X[:2]).tobytes()


class ForwardBackward(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        return [
            state.forward(X[:2]).tobytes(),
            state.backward(np.ones((2, 3), np.float32)).tobytes(),
            *(value.tobytes() for value in state.gradients().values()),
        ]


class Profile(Case):
    def begin(self) -> Any:
        return trained()

    def call(self, state: Any) -> Any:
        from striate.profiling import measure

        return [measure(state, X, Y), measure(state, X)] and None


class Save(Case):
    def begin(self) -> Any:
        (FOLDER / "save").write_bytes(b"before")
        return trained()

    def call(self, state: Any) -> Any:
        state.save(FOLDER / "save")
        return (FOLDER / "save").read_bytes()

    def repair(self, state: Any) -> Any:
        whole = (FOLDER / "save").read_bytes()
        if whole != b"before":
            st.load_model(FOLDER / "save")
        return state


class SaveTraining(Save):
    def call(self, state: Any) -> Any:
        st.save_training(state, FOLDER / "save")
        return (FOLDER / "save").read_bytes()

    def repair(self, state: Any) -> Any:
        if (FOLDER / "save").read_bytes() != b"before":
            st.load_training(trained(), FOLDER / "save")
        return state


class Load(Case):
    def __init__(self) -> None:
        trained().save(FOLDER / "load")

    def call(self, state: Any) -> Any:
        return st.load_model(FOLDER / "load")

    def result(self, state: Any, value: Any) -> Any:
        return [value.train_on_batch(X, Y), bits(value)]


class LoadWeights(Load):
    def begin(self) -> Any:
        return network(seed=4)

    def call(self, state: Any) -> Any:
        state.load_weights(FOLDER / "load")

    def result(self, state: Any, value: Any) -> Any:
        return bits(state)


class LoadTraining(Case):
    def __init__(self) -> None:
        model = trained()
        model.train_on_batch(X, Y)
        st.save_training(model, FOLDER / "training")

    def begin(self) -> Any:
        return compiled()

    def call(self, state: Any) -> Any:
        st.load_training(state, FOLDER / "training")

    def result(self, state: Any, value: Any) -> Any:
        return [state.train_on_batch(X, Y), bits(state)]


class Fit(Case):
    whole = False  # a step or an epoch may be done

    def begin(self) -> Any:
        return compiled()

    def call(self, state: Any) -> Any:
        history = state.fit(X, Y, batch_size=4, epochs=2, verbose=0, validation_data=(X, Y), **self.more()).history
        return [history["loss"], history["val_accuracy"]]

    def more(self) -> dict[str, Any]:
        return {}

    def result(self, state: Any, value: Any) -> Any:
        return [value, bits(state)]

    def repair(self, state: Any) -> Any:
        for weight in state.get_weights():
            if not np.isfinite(weight).all():
                raise AssertionError("a failed fit leaves weights that are not finite")
        state.fit(X, Y, batch_size=4, verbose=0, **self.more())  # it can still be trained
        return self.begin()


class FitAugmented(Fit):
    def more(self) -> dict[str, Any]:
        return {"augment": Augment(rotation=20, zoom=(0.8, 1.2), noise=0.1, flip_horizontal=True, seed=1)}


class FitMasks(FitAugmented):
    def begin(self) -> Any:
        return pixels()

    def call(self, state: Any) -> Any:
        return state.fit(X, MASKS, batch_size=4, epochs=2, verbose=0, **self.more()).history["loss"]

    def repair(self, state: Any) -> Any:
        state.fit(X, MASKS, batch_size=4, verbose=0, **self.more())
        return self.begin()


class Detection(Case):
    whole = False

    def begin(self) -> Any:
        model = st.models.detector((32, 32, 3), 2, seed=1)
        model.compile("adam", loss=st.losses.DetectionLoss())
        return model

    def call(self, state: Any) -> Any:
        images = np.zeros((2, 32, 32, 3), np.uint8)
        boxes = [(np.array([[2, 2, 20, 20]], np.float32), np.array([1])), (np.zeros((0, 4)), np.zeros(0, np.int64))]
        return state.fit(images, boxes, batch_size=2, verbose=0, **FitAugmented().more()).history["loss"]

    def repair(self, state: Any) -> Any:
        self.call(state)
        return self.begin()


class SetWeights(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        state.set_weights([weight + 1 for weight in state.get_weights()])

    def result(self, state: Any, value: Any) -> Any:
        return bits(state)


class Copy(Case):
    def begin(self) -> Any:
        return trained()

    def call(self, state: Any) -> Any:
        import copy

        return copy.deepcopy(state)

    def result(self, state: Any, value: Any) -> Any:
        return [value.train_on_batch(X, Y), bits(value)]


class Export(Case):
    def begin(self) -> Any:
        return network()

    def call(self, state: Any) -> Any:
        state.summary(print_fn=lambda line: None, batch_size=2)
        state.trainable = False
        state.trainable = True


CASES: dict[str, Callable[[], Case]] = {
    "build": Build,
    "build_sequential": BuildSequential,
    "ready_networks": Ready,
    "compile": Compile,
    "step": Step,
    "evaluate": Evaluate,
    "predict": Predict,
    "grad_cam": Explain,
    "forward_backward": ForwardBackward,
    "save": Save,
    "save_training": SaveTraining,
    "load": Load,
    "load_weights": LoadWeights,
    "load_training": LoadTraining,
    "fit": Fit,
    "fit_augmented": FitAugmented,
    "fit_masks": FitMasks,
    "detection": Detection,
    "set_weights": SetWeights,
    "copy": Copy,
    "summary": Export,
}


class Shim:
    """tests/cpp/failing_new.cpp, which is preloaded."""

    def __init__(self) -> None:
        library = ctypes.CDLL(None)
        self.arm = library.failing_new_arm
        self.arm.argtypes, self.arm.restype = [ctypes.c_int64], None
        self.calls, self.blocks = library.failing_new_calls, library.failing_new_blocks
        self.calls.restype = self.blocks.restype = ctypes.c_int64


def once(shim: Shim, case: Case, n: int, wanted: Any, after: Any) -> tuple[bool, int]:
    """Whether the call ended in an error, and the allocations that it made.

    The weights are those before the call then, or `after` it: what fails last is the report of what was done.
    """
    state = case.begin()
    before = case.weights(state)
    value = None
    shim.arm(n)
    try:
        value = case.call(state)
        failed = False
    except MemoryError:
        failed = True
    finally:
        calls = shim.calls()
        shim.arm(0)
    if failed:
        if case.whole and case.weights(state) != before:
            if case.weights(state) != after:
                raise AssertionError(f"allocation {n}: weights are half changed")
            return failed, calls
        state = case.repair(state)
        value = case.call(state)
    if case.result(state, value) != wanted:
        raise AssertionError(f"allocation {n}: the {'retry' if failed else 'call'} gives another result")
    return failed, calls


def main() -> None:
    global FOLDER
    shim = Shim()
    st.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        FOLDER = Path(folder)
        case = CASES[sys.argv[1]]()
        for _ in range(2):  # what is made once is made
            state = case.begin()
            wanted = case.result(state, case.call(state))
            after = case.weights(state)
            del state
        calls = once(shim, case, 1 << 40, wanted, after)[1]
        once(shim, case, 1, wanted, after)
        if sys.argv[2] == "calls":
            print(calls)
            return
        for n in map(int, sys.argv[2:]):
            gc.collect()
            blocks = shim.blocks()
            print(n, end=" ", flush=True)
            failed, _ = once(shim, case, n, wanted, after)
            gc.collect()
            print("error" if failed else "success", shim.blocks() - blocks, flush=True)


if __name__ == "__main__":
    main()
