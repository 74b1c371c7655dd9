"""An exception at any point of a call, such as an interrupt or the end of memory, leaves a model that can be trained
and used as before.

A trace function raises it at the n-th line, or at the n-th bytecode, of the package's Python code. By default a few
points are tried, chosen by STRIATE_SEED; FULL=1 tries all of them.
"""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest

import striate as st
from striate._sharing import building
from striate.callbacks import Callback
from striate.data import Augment
from striate.layers import Conv2D, Dense, Flatten, Input

PACKAGE = str(Path(st.__file__).parent)
SEED = int(os.environ.get("STRIATE_SEED", "0") or "0", 16)
FULL = os.environ.get("FULL") == "1"
POINTS = 40

X = np.random.default_rng(0).random((6, 6, 6, 1), np.float32)
Y = np.arange(6) % 3


class Interruption:
    """Raises `error` at the n-th event of the package's code, and once more `again` events later."""

    def __init__(self, n: int, kind: str, error: type[BaseException], again: int = 0) -> None:
        self.count = 0
        self._points = {n, n + again} if again else {n}
        self._kind = kind
        self._error = error

    def __call__(self, frame: FrameType, event: str, _: Any) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        frame.f_trace_opcodes = self._kind == "opcode"
        if event == self._kind:
            self.count += 1
            if self.count in self._points:
                raise self._error(f"interrupted at {self._kind} {self.count} of {frame.f_code.co_name}")
        return self

    @contextmanager
    def traced(self) -> Iterator[None]:
        before = sys.gettrace()
        sys.settrace(self)
        try:
            yield
        finally:
            sys.settrace(before)
            # A trace function can raise between the end of a `with` block and the release of its lock. Nothing else
            # can: CPython looks for signals and for exceptions of other threads when a call has returned. A lock that
            # is left would stop the threads of later tests.
            while building._is_owned():
                building.release()


def network() -> st.Model:
    model = st.Sequential([Input((6, 6, 1)), Conv2D(4, 3, activation="relu"), Flatten(), Dense(3)], seed=1)
    model.compile(
        st.optimizers.Adam(0.01), st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    return model


def fit(model: st.Model, **arguments: Any) -> Any:
    return model.fit(X, Y, batch_size=4, epochs=2, verbose=0, **arguments).history


def fit_augmented(model: st.Model) -> Any:
    return fit(model, augment=Augment(rotation=10, seed=3))


def fit_python_augmented(model: st.Model) -> Any:
    return fit(model, augment=lambda images, rows, epoch: images)


def fit_watched(model: st.Model) -> Any:
    return fit(model, validation_data=(X, Y), callbacks=[Callback()], sample_weight=np.ones(6))


CALLS: dict[str, Callable[[st.Model], Any]] = {
    "fit": fit,
    "fit_watched": fit_watched,
    "fit_augmented": fit_augmented,
    "fit_python_augmented": fit_python_augmented,
    "evaluate": lambda model: model.evaluate(X, Y, batch_size=4, verbose=0),
    "train_on_batch": lambda model: model.train_on_batch(X, Y),
    "test_on_batch": lambda model: model.test_on_batch(X, Y),
    "predict": lambda model: model.predict(X, batch_size=4),
    "compile": lambda model: model.compile("sgd", "mse"),
    "set_weights": lambda model: model.set_weights([weight + 1 for weight in model.get_weights()]),
}


def state(model: st.Model) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


def usable(model: st.Model) -> None:
    """Training from here on gives the bits of a model that was never interrupted."""
    weights = model.get_weights()
    assert all(np.isfinite(weight).all() for weight in weights)
    other = network()
    for one in (model, other):
        one.compile(
            st.optimizers.SGD(0.1), st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
        )
    other.set_weights(weights)
    assert fit(model) == fit(other)
    assert state(model) == state(other)
    assert model.evaluate(X, Y, verbose=0) == other.evaluate(X, Y, verbose=0)
    assert model.predict(X).tobytes() == other.predict(X).tobytes()


def trainable(model: st.Model) -> None:
    """The trainer that was interrupted is free, has let go of the arrays, and goes on."""
    trainer = model._trainer
    assert trainer is not None
    with trainer._alone():
        pass
    fit(model)
    model.evaluate(X, Y, verbose=0)


def points(count: int, name: str) -> list[int]:
    if FULL or count <= POINTS:
        return list(range(1, count + 1))
    return sorted(random.Random(f"{SEED} {name}").sample(range(1, count + 1), POINTS))


@pytest.mark.parametrize("kind", ["line", "opcode"])
@pytest.mark.parametrize("name", sorted(CALLS))
def test_exceptions_at_any_point(name: str, kind: str) -> None:
    call = CALLS[name]
    whole = Interruption(0, kind, KeyboardInterrupt)
    with whole.traced():
        call(network())
    assert whole.count > 10
    draw = random.Random(f"{SEED} {name} {kind} errors")
    for n in points(whole.count, name + kind):
        model = network()
        before = state(model)
        error = draw.choice([KeyboardInterrupt, MemoryError])
        interruption = Interruption(n, kind, error, again=draw.choice([0, 0, 1, 5, 20]))
        try:
            with interruption.traced():
                call(model)
        except (KeyboardInterrupt, MemoryError):
            pass
        assert model.layers[0].get_weights()[0].shape == (3, 3, 1, 4), n
        if name in ("evaluate", "test_on_batch", "predict", "compile"):
            assert state(model) == before, n
        if name != "compile":
            trainable(model)
        usable(model)


def test_interrupt_while_arrays_are_released() -> None:
    model = network()
    fit(model)
    meters = model._trainer._meters  # type: ignore[union-attr]
    forget = meters.forget

    def interrupted() -> None:
        raise KeyboardInterrupt

    meters.forget = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        fit(model)
    meters.forget = forget  # type: ignore[method-assign]
    trainable(model)


def test_every_callback_ends() -> None:
    ended: list[str] = []

    class Ending(Callback):
        def __init__(self, name: str, error: type[BaseException] | None = None) -> None:
            super().__init__()
            self.name, self.error = name, error

        def on_train_end(self, logs: Any = None) -> None:
            ended.append(self.name)
            if self.error is not None:
                raise self.error

    with pytest.raises(KeyboardInterrupt):
        fit(network(), callbacks=[Ending("first", KeyboardInterrupt), Ending("second"), Ending("third")])
    assert ended == ["first", "second", "third"]


def test_arrays_are_let_go_after_an_interrupt() -> None:
    model = network()
    x = X.copy()

    class Stop(Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        model.fit(x, Y, verbose=0, callbacks=[Stop()])
    gc.collect()
    assert sys.getrefcount(x) == 2
