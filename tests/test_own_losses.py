"""Losses of the user's in Python: values, gradients, weights, files, and what happens when they fail."""

from __future__ import annotations

import copy
import os
import pickle
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import losses, optimizers, testing
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Squares(losses.Loss):
    """The mean squared error again."""

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return ((y_pred - y_true) ** 2).mean(axis=-1)

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return 2 * (y_pred - y_true) / y_pred.shape[-1]


class Quartic(losses.Loss):
    """With an argument, and as in Keras's guides: with a call of super().__init__."""

    def __init__(self, scale: float = 1.0, name: str = "quartic") -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.scale = scale

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.scale * ((y_pred - y_true) ** 4).mean(axis=-1)

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return self.scale * 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]


class CrossEntropy(losses.Loss):
    """Of logits and integer labels, for each pixel."""

    from_logits = True

    def call(self, y_true: Any, y_pred: Any) -> Any:
        assert y_true.dtype == np.int64 and y_true.shape == y_pred.shape[:-1]
        return -np.take_along_axis(self._log(y_pred), y_true[..., None], -1)[..., 0]

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        return np.exp(self._log(y_pred)) - np.eye(y_pred.shape[-1])[y_true]

    @staticmethod
    def _log(scores: Any) -> Any:
        shifted = scores.astype(np.float64) - scores.max(-1, keepdims=True)
        return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def absolute(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """A loss as a function."""
    return np.abs(y_pred - y_true), np.sign(y_pred - y_true)


def network(loss: Any, optimizer: Any = None, seed: int = 0, **more: Any) -> st.Sequential:
    layers = [Input((6, 6, 2)), Conv2D(4, 3), BatchNormalization(), Dropout(0.25), Flatten(), Dense(3)]
    model = st.Sequential(layers, seed=seed)
    model.compile(optimizer or optimizers.SGD(0.05), loss, **more)
    return model


def segmenter(loss: Any) -> st.Sequential:
    model = st.Sequential([Input((6, 6, 2)), Conv2D(3, 3, padding="same")], seed=0)
    model.compile(optimizers.SGD(0.1), loss)
    return model


X, Y = data(12, 6, 6, 2), data(12, 3, seed=1)


def check_alike(one: st.Model, other: st.Model, rtol: float = 1e-4) -> None:
    for a, b in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)


@pytest.mark.parametrize(
    ("own", "core"),
    [
        (Squares, "mse"),
        (absolute, "mae"),
        (losses.FunctionLoss(absolute, "mine"), losses.MeanAbsoluteError()),
    ],
)
@pytest.mark.parametrize("weights", [None, np.linspace(0, 2, 12).astype(np.float32)])
def test_they_train_as_the_losses_of_the_core(own: Any, core: Any, weights: Any) -> None:
    ours, theirs = network(own), network(core)
    given: dict[str, Any] = {"batch_size": 5, "epochs": 3, "verbose": 0, "sample_weight": weights}
    found = ours.fit(X, Y, validation_split=0.25, **given).history
    want = theirs.fit(X, Y, validation_split=0.25, **given).history
    assert list(found) == list(want) == ["loss", "val_loss"]
    np.testing.assert_allclose(list(found.values()), list(want.values()), rtol=1e-5)
    check_alike(ours, theirs)
    assert ours.evaluate(X, Y, batch_size=5, verbose=0) == pytest.approx(theirs.evaluate(X, Y, verbose=0), rel=1e-5)


def test_values_beside_float64() -> None:
    true, pred, weights = data(7, 3), data(7, 3, seed=1), np.linspace(0, 3, 7)
    each = Quartic(2.0).call(true.astype(np.float64), pred.astype(np.float64))
    assert Quartic(2.0)(true, pred) == pytest.approx(each.mean(), rel=1e-6)
    assert Quartic(2.0)(true, pred, weights) == pytest.approx((each * weights).mean(), rel=1e-6)
    assert testing.check_gradient(Quartic(2.0), true, pred) < 1e-8
    assert testing.check_gradient(absolute, true, pred) < 1e-8
    labels = np.arange(7) % 3
    assert testing.check_gradient(CrossEntropy(), labels, pred) < 1e-8


def test_labels_and_weights_of_pixels() -> None:
    labels, weights = np.arange(12 * 36).reshape(12, 6, 6) % 3, np.abs(data(12, 6, 6, seed=2))
    core = losses.SparseCategoricalCrossentropy(from_logits=True)
    for given in (
        {},
        {"sample_weight": weights},
        {"class_weight": {0: 2.0, 2: 0.5}},
        {"sample_weight": weights[:, 0, 0]},
    ):
        ours, theirs = segmenter(CrossEntropy()), segmenter(core)
        found = ours.fit(X, labels, batch_size=5, epochs=2, verbose=0, **given).history["loss"]
        want = theirs.fit(X, labels, batch_size=5, epochs=2, verbose=0, **given).history["loss"]
        np.testing.assert_allclose(found, want, rtol=1e-5)
        check_alike(ours, theirs)
    assert CrossEntropy().from_logits
    ours.compile("sgd", CrossEntropy(), metrics=["accuracy"])
    theirs.set_weights(ours.get_weights())
    theirs.compile("sgd", core, metrics=["accuracy"])
    assert ours.evaluate(X, labels, verbose=0) == pytest.approx(theirs.evaluate(X, labels, verbose=0), rel=1e-5)


def test_one_of_several_outputs_with_weights_and_augmentation() -> None:
    def model(loss: Any) -> st.Model:
        x = Input((6, 6, 2))
        hidden = Conv2D(3, 3, activation="tanh")(x)
        made = st.Model(x, [Dense(3, name="a")(Flatten()(hidden)), Dense(1, name="b")(Flatten()(hidden))], seed=0)
        made.compile(optimizers.Adam(0.01), {"a": loss, "b": "mae"}, loss_weights={"a": 0.3, "b": 2.0})
        return made

    targets = {"a": Y, "b": data(12, 1, seed=3)}
    ours, theirs = model(Squares()), model("mse")
    augment = st.data.Augment(flip_horizontal=True, seed=1)
    found = ours.fit(X, targets, batch_size=5, epochs=2, verbose=0, augment=augment).history
    want = theirs.fit(X, targets, batch_size=5, epochs=2, verbose=0, augment=augment).history
    assert list(found) == ["loss", "a_loss", "b_loss"]
    np.testing.assert_allclose(list(found.values()), list(want.values()), rtol=1e-5)
    check_alike(ours, theirs, 1e-3)


def test_the_same_bits_on_any_number_of_threads() -> None:
    results = []
    for threads in (1, 2, 4):
        st.set_num_threads(threads)
        model = network(Quartic(0.5), optimizers.Adam(0.01))
        model.fit(X, Y, batch_size=5, epochs=2, verbose=0)
        results.append(model.get_weights())
    st.set_num_threads(os.cpu_count() or 1)
    for other in results[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(results[0], other, strict=True))


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, MemoryError])
@pytest.mark.parametrize("where", ["call", "gradient"])
def test_an_error_leaves_everything_as_it_was(error: type[BaseException], where: str) -> None:
    class Failing(Quartic):
        calls = 0

        def call(self, y_true: Any, y_pred: Any) -> Any:
            Failing.calls += 1
            if where == "call" and Failing.calls == 4:
                raise error("out")
            return super().call(y_true, y_pred)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            if where == "gradient" and Failing.calls == 4:
                raise error("out")
            return super().gradient(y_true, y_pred)

    model, whole = network(Failing(), optimizers.Adam(0.01)), network(Quartic(), optimizers.Adam(0.01))
    whole.fit(X, Y, batch_size=4, verbose=0, shuffle=False)
    with pytest.raises(error, match="out"):
        model.fit(X, Y, batch_size=4, epochs=2, verbose=0, shuffle=False)  # in the first step of the second epoch
    assert model.optimizer.iterations == 3
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    # It goes on as if nothing had been, moments of Adam included.
    model.train_on_batch(X[:4], Y[:4])
    whole.train_on_batch(X[:4], Y[:4])
    for a, b in zip(model.get_weights(), whole.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("loss", "kind", "message"),
    [
        (lambda t, p: (p - t) ** 2, TypeError, r"must return \(values, gradient\), got ndarray: .*no automatic"),
        (lambda t, p: (1.0, p), ValueError, r"a value for each of the 4 samples, .* got shape \(\)"),
        (lambda t, p: (np.ones(3), p), ValueError, r"a value for each of the 4 samples, .* got shape \(3,\)"),
        (
            lambda t, p: (np.ones(4), p[:, :1]),
            ValueError,
            r"gradient must have the output's shape \(4, 3\), got \(4, 1\)",
        ),
        (lambda t, p: ("ab", p), TypeError, "must hold real numbers, got str"),
        (lambda t, p: (np.ones(4), None), TypeError, "gradient must hold real numbers, got NoneType"),
    ],
)
def test_what_losses_must_return(loss: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        network(loss).train_on_batch(X[:4], Y[:4])


def test_classes_that_would_do_nothing() -> None:
    for methods in ({}, {"call": lambda self, t, p: p}, {"gradient": lambda self, t, p: p}):
        with pytest.raises(TypeError, match="must define call"):
            type("Own", (losses.Loss,), {**methods, "__module__": "user"})
    with pytest.raises(TypeError, match="would never be called; define call and gradient"):
        type("Own", (Squares,), {"__call__": lambda self: 0, "__module__": "user"})
    with pytest.raises(TypeError, match=r"would never be called: the C\+\+ core computes what a Loss does"):
        type("Own", (losses.Huber,), {"gradient": lambda self: 0, "__module__": "user"})
    with pytest.raises(TypeError, match="cannot be part of a sum"):
        Squares() + losses.Huber()
    with pytest.raises(ValueError, match="reduction must be"):
        Quartic.__base__.__init__(Quartic(), reduction="sum")  # type: ignore[misc, union-attr]
    with pytest.raises(TypeError, match="the core computes Huber"):
        testing.check_gradient(losses.Huber(), Y, Y)
    with pytest.raises(AttributeError, match="from_logits is fixed"):
        losses.BinaryCrossentropy().from_logits = True
    assert Squares().name == "squares" and Quartic(name="q").name == "q"


def test_a_wrong_gradient_is_found() -> None:
    class Wrong(Squares):
        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            right = super().gradient(y_true, y_pred)
            right[2, 1] *= 1.01
            return right

    with pytest.raises(AssertionError, match=r"Wrong: y_pred\[2, 1\]: the gradient is .*, the difference .*; relative"):
        testing.check_gradient(Wrong(), data(4, 3), data(4, 3, seed=1))
    assert testing.check_gradient(Squares(), data(40, 30), data(40, 30, seed=1)) < 1e-6  # a part of the elements


def test_files_and_pickles(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = network(Quartic(scale=0.01))
    model.fit(X, Y, batch_size=5, verbose=0)
    model.save(path)
    with pytest.raises(ValueError, match=r"the loss 'Quartic' is not one of striate's.*custom_objects=\{'Quartic'"):
        st.load_model(path)
    loaded = st.load_model(path, {"Quartic": Quartic})
    assert isinstance(loaded.loss, Quartic) and loaded.loss.scale == 0.01 and loaded.loss.name == "quartic"
    for other in (loaded, copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
        other.train_on_batch(X, Y)
    by_function = network(absolute)
    by_function.save(path)
    with pytest.raises(ValueError, match="the loss 'absolute'"):
        st.load_model(path)
    assert st.load_model(path, {"absolute": absolute}).evaluate(X, Y, verbose=0) == by_function.evaluate(
        X, Y, verbose=0
    )
    assert isinstance(pickle.loads(pickle.dumps(by_function)).loss, losses.FunctionLoss)


def test_a_network_within_a_loss() -> None:
    """Such as a perceptual loss: the values of another network, predicted within the step."""
    judge = st.Sequential([Input((3,)), Dense(5, activation="tanh")], seed=9)
    core = st.Sequential([Input((3,)), Dense(5, activation="tanh")], seed=9)

    class Perceptual(losses.Loss):
        def call(self, y_true: Any, y_pred: Any) -> Any:
            return ((judge.predict(y_pred) - judge.predict(y_true)) ** 2).mean(axis=-1)

        def gradient(self, y_true: Any, y_pred: Any) -> Any:
            wanted = judge.predict(y_true)
            return judge.backward(2 * (judge.forward(y_pred) - wanted) / wanted.shape[-1])

    ours = network(Perceptual())
    found = ours.fit(X, Y, batch_size=6, epochs=2, verbose=0).history["loss"]
    x = Input((6, 6, 2))
    hidden = Flatten()(Dropout(0.25)(BatchNormalization()(Conv2D(4, 3)(x))))
    frozen = Dense(5, activation="tanh", trainable=False)
    theirs = st.Model(x, frozen(Dense(3)(hidden)), seed=0)
    theirs.set_weights([*network("mse").get_weights(), *core.get_weights()])
    theirs.compile(optimizers.SGD(0.05), "mse")
    np.testing.assert_allclose(
        found, theirs.fit(X, core.predict(Y), batch_size=6, epochs=2, verbose=0).history["loss"], rtol=1e-4
    )


def test_predictions_beside_a_training() -> None:
    model, failures = network(Quartic(0.001)), []
    want = model.predict(X).shape
    stop = threading.Event()

    def predict() -> None:
        try:
            while not stop.is_set():
                assert model.predict(X).shape == want
                model.get_weights()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=predict) for _ in range(3)]
    for thread in threads:
        thread.start()
    model.fit(X, Y, batch_size=2, epochs=20, verbose=0)
    stop.set()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_forks_beside_a_training() -> None:
    """The forking thread has the interpreter's lock, which the loss within a step needs: neither waits for ever."""
    model = network(Quartic(0.001))
    done = threading.Event()

    def fit() -> None:
        model.fit(X, Y, batch_size=2, epochs=60, verbose=0)
        done.set()

    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    forks, end = 0, time.monotonic() + 60
    while not done.is_set() and time.monotonic() < end and forks < 40:
        child = os.fork()
        if child == 0:
            found = Quartic()(Y, Y + 1.0)  # the child's own
            os._exit(0 if abs(found - 1.0) < 1e-5 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        forks += 1
    thread.join(60)
    assert done.is_set() and forks > 0
