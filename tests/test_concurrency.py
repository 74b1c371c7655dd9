"""Several threads and one model: each public call from eight threads at once, first uses, calls beside a training."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers as L
from striate.callbacks import LambdaCallback

THREADS = 8

rng = np.random.default_rng(11)
X = rng.normal(size=(48, 12, 12, 3)).astype(np.float32)
Y = np.arange(48) % 4


def layers() -> list[Any]:
    return [
        L.Conv2D(8, 3, padding="same"),
        L.BatchNormalization(),
        L.ReLU(),
        L.MaxPooling2D(2),
        L.Conv2D(16, 3),
        L.Flatten(),
        L.Dense(300),
        L.Dense(4),
    ]


def compiled(model: st.Model) -> st.Model:
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return model


def fresh(seed: int = 3) -> st.Model:
    return compiled(st.Sequential([st.Input((12, 12, 3)), *layers()], seed=seed))


def unbuilt() -> st.Model:
    """Its input's shape follows from the first data."""
    return compiled(st.Sequential(layers(), seed=3))


def at_once(call: Callable[[int], Any], threads: int = THREADS) -> list[Any]:
    """The results of `call(number)` in threads that begin together; an exception is raised."""
    barrier = threading.Barrier(threads)
    results: list[Any] = [None] * threads
    errors: list[BaseException] = []

    def work(number: int) -> None:
        try:
            barrier.wait()
            results[number] = call(number)
        except BaseException as error:
            errors.append(error)

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if errors:
        raise errors[0]
    return results


def same(a: Any, b: Any) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(same(*pair) for pair in zip(a, b, strict=True))
    if isinstance(a, (np.ndarray, float)):
        return np.array_equal(a, b, equal_nan=True)
    return bool(a == b)


def saved(model: st.Model, path: Path) -> bytes:
    model.save(path)
    return path.read_bytes()


def summary(model: st.Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append, batch_size=4)
    return lines


# Calls that change nothing: each thread gets what one thread alone gets.
READING: dict[str, Callable[[st.Model, Path], Any]] = {
    "predict": lambda model, _: model.predict(X, batch_size=7),
    "predict_on_batch": lambda model, _: model.predict_on_batch(X[:5]),
    "call": lambda model, _: model(X[:9]),
    "feature_maps": lambda model, _: model.feature_maps(X),
    "grad_cam": lambda model, _: model.grad_cam(X),
    "get_weights": lambda model, _: model.get_weights(),
    "layer_weights": lambda model, _: [layer.get_weights() for layer in model.layers],
    "state_dict": lambda model, _: model.state_dict(),
    "summary": lambda model, _: summary(model),
    "profile": lambda model, _: len(model.profile(X, batch_size=8, steps=2).rows),
    "save": saved,
    "pickled": lambda model, _: model.__reduce__()[1][0]["weights"],
    "another_model": lambda model, _: st.Model(model.inputs, model.outputs).count_params(),
    "count_params": lambda model, _: model.count_params(),
    "receptive_field": lambda model, _: model.receptive_field(model.layers[0]),
    "forward": lambda model, _: model.forward(X[:6]),
    "another_trainer": lambda model, _: st.Trainer(model, "sgd", model.loss).evaluate(X, Y, verbose=0),
}


@pytest.mark.parametrize("name", READING)
@pytest.mark.parametrize("made", [fresh, unbuilt])
def test_each_call_from_eight_threads_at_once(name: str, made: Callable[[], st.Model], tmp_path: Path) -> None:
    """Also as the first that the model is used for."""
    alone = made()
    if made is unbuilt and name not in ("predict", "predict_on_batch", "call", "feature_maps", "grad_cam", "forward"):
        alone.predict(X[:1])
    want = READING[name](alone, tmp_path / "alone")
    for _ in range(3):
        model = made()
        if made is unbuilt and name not in (
            "predict",
            "predict_on_batch",
            "call",
            "feature_maps",
            "grad_cam",
            "forward",
        ):
            model.predict(X[:1])
        for got in at_once(lambda number: READING[name](model, tmp_path / str(number))):  # noqa: B023
            assert same(got, want)


def test_all_calls_at_once(tmp_path: Path) -> None:
    model = fresh()
    names = [name for name in READING if name != "save"]
    want = {name: READING[name](model, tmp_path / name) for name in names}

    def work(number: int) -> None:
        for name in names[number:] + names[:number]:
            assert same(READING[name](model, tmp_path / str(number)), want[name]), name

    at_once(work)


def test_first_gradients_from_several_threads() -> None:
    """The memory of gradients, which a model gets when they are first wanted, was made several times over."""
    for seed in range(20):
        model = fresh(seed)
        at_once(lambda _: model.grad_cam(X[:2]), 4)  # noqa: B023
        model = fresh(seed)
        at_once(lambda _: model.backward(np.ones_like(model.forward(X[:2]))) if _ == 0 else model.grad_cam(X[:2]), 4)  # noqa: B023


@contextmanager
def beside(call: Callable[[], Any]) -> Iterator[None]:
    """While another thread repeats a call; it must have been made, and an exception of it is raised."""
    end, made, errors = threading.Event(), [0], []

    def work() -> None:
        try:
            while not end.is_set():
                call()
                made[0] += 1
        except BaseException as error:
            errors.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
        while worker.is_alive() and made[0] == 0:
            time.sleep(0.001)
    finally:
        end.set()
        worker.join()
    if errors:
        raise errors[0]
    assert made[0] > 0


def bits(model: st.Model) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


@pytest.fixture(scope="module")
def trained() -> list[bytes]:
    model = fresh()
    model.fit(X, Y, batch_size=8, epochs=4, verbose=0)
    return bits(model)


@pytest.mark.parametrize("name", READING)
def test_reading_beside_a_fit_changes_no_bit_of_it(name: str, trained: list[bytes], tmp_path: Path) -> None:
    model = fresh()
    with beside(lambda: READING[name](model, tmp_path / "file")):
        model.fit(X, Y, batch_size=8, epochs=4, verbose=0)
    assert bits(model) == trained


def test_what_is_read_beside_a_fit_is_of_one_step(tmp_path: Path) -> None:
    """Copies and files hold the weights after a whole step, never some of one step and some of the next."""
    model = fresh()
    steps = {tuple(bits(model))}
    seen: list[tuple[bytes, ...]] = []

    def look() -> None:
        seen.append(tuple(bits(model)))
        model.save(tmp_path / "model")
        seen.append(tuple(bits(st.load_model(tmp_path / "model"))))
        seen.append(tuple(value.tobytes() for value in model.state_dict().values()))

    note = LambdaCallback(on_train_batch_end=lambda batch, logs: steps.add(tuple(bits(model))))
    with beside(look):
        model.fit(X, Y, batch_size=8, epochs=6, verbose=0, callbacks=[note])
    assert set(seen) <= steps


def test_weights_set_beside_a_fit_are_set_between_two_steps() -> None:
    model, constant = fresh(), [np.full_like(weight, 0.01) for weight in fresh().get_weights()]
    with beside(lambda: model.set_weights(constant)):
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_raw_passes_beside_a_fit() -> None:
    """Their gradients share memory with training, and are made between its steps."""
    model = fresh()
    want = fresh()
    want.fit(X, Y, batch_size=8, epochs=4, verbose=0)

    def passes() -> None:
        outputs = model.forward(X[:4])
        try:
            model.backward(np.ones_like(outputs))
        except ValueError as error:
            assert "have been changed" in str(error)
        model.gradients()

    with beside(passes):
        model.fit(X, Y, batch_size=8, epochs=4, verbose=0)
    assert bits(model) == bits(want)


def test_layers_frozen_beside_a_fit() -> None:
    model = fresh()
    layer = model.layers[0]

    want = fresh()
    want.fit(X, Y, batch_size=8, epochs=3, verbose=0)

    def freeze() -> None:
        layer.trainable = not layer.trainable

    with beside(freeze), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*trainable of a layer was set after compile")
        model.fit(X, Y, batch_size=8, epochs=3, verbose=0)
    assert bits(model) == bits(want)  # training keeps to what was trainable at compile


def test_backward_of_another_threads_forward_is_refused() -> None:
    model = fresh()
    outputs = model.forward(X[:4])
    at_once(lambda _: model.forward(X[4:8]), 1)
    with pytest.raises(ValueError, match="the thread that called forward"):
        model.backward(np.ones_like(outputs))
    outputs = model.forward(X[:4])
    model.set_weights(model.get_weights())
    with pytest.raises(ValueError, match="have been changed"):
        model.backward(np.ones_like(outputs))


def test_one_thread_trains_a_model(tmp_path: Path) -> None:
    """What would share a training's memory is refused in other threads, and works in callbacks and afterwards."""
    model = fresh()
    other = st.Trainer(model, "sgd", model.loss)
    file = tmp_path / "training"
    refused: dict[str, tuple[Callable[[], Any], str]] = {
        "fit": (lambda: model.fit(X, Y, verbose=0), "using this trainer"),
        "train_on_batch": (lambda: model.train_on_batch(X, Y), "using this trainer"),
        "evaluate": (lambda: model.evaluate(X, Y, verbose=0), "using this trainer"),
        "test_on_batch": (lambda: model.test_on_batch(X, Y), "using this trainer"),
        "profile": (lambda: model.profile(X, Y, steps=1), "using this trainer"),
        "save_training": (lambda: st.save_training(model, file), "using this trainer"),
        "load_training": (lambda: st.load_training(model, file), "using this trainer"),
        "compile": (lambda: compiled(model), "training this model"),
        "add": (lambda: model.add(L.ReLU()), "training this model"),
        "pop": (lambda: model.pop(), "training this model"),
        "fit of another trainer": (lambda: other.fit(X, Y, verbose=0), "training this model"),
    }
    messages: dict[str, str] = {}

    def attempt(_: int) -> None:
        for name, (call, _message) in refused.items():
            with pytest.raises(RuntimeError) as error:
                call()
            messages[name] = str(error.value)

    epochs: list[float] = []

    def own(epoch: int, logs: Any) -> None:
        at_once(attempt, 2)
        epochs.append(model.evaluate(X, Y, verbose=0)[0])  # the thread that trains
        st.save_training(model, file)

    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, callbacks=[LambdaCallback(on_epoch_end=own)])
    assert len(epochs) == 2
    for name, (_, message) in refused.items():
        assert message in messages[name]
    want = fresh()
    want.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert bits(model) == bits(want)
    at_once(lambda _: model.evaluate(X, Y, verbose=0), 1)
    other.fit(X, Y, verbose=0)
    st.load_training(model, file)
    assert bits(model) == bits(want)


def test_a_turn_ends_with_its_call() -> None:
    model = fresh()
    with pytest.raises(ValueError, match="epochs"):
        model.fit(X, Y, epochs=0)
    at_once(lambda _: model.fit(X, Y, verbose=0), 1)
