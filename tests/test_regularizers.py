"""Penalties on weights: values, gradients in every optimizer, what clipping sees, and what losses report."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from numeric import normal
from optimizer_cases import OPTIMIZER_CASES, OptimizerCase
from striate import Input, Model, Sequential, layers, optimizers, regularizers
from striate.layers import Dense

FACTORS = st.floats(1e-4, 0.1)
PENALTIES = ("l1(0.02)", "l2(0.03)", "l1_l2(0.01,0.05)")


def network(seed: int = 0, penalised: bool = True) -> Sequential:
    first: dict[str, Any] = {"kernel_regularizer": "l1_l2(0.01,0.05)", "bias_regularizer": "l1(0.02)"}
    second: dict[str, Any] = {"kernel_regularizer": regularizers.L2(0.03)}
    if not penalised:
        first = second = {}
    draw: dict[str, Any] = {"bias_initializer": "random_normal(0,0.5)"}
    stack = [Input((3,)), Dense(7, "tanh", name="a", **draw, **first), Dense(2, name="b", **draw, **second)]
    return Sequential(stack, seed=seed)


def factors(name: str) -> tuple[float, float]:
    """l1 and l2 of a weight of `network`."""
    return {"a/kernel": (0.01, 0.05), "a/bias": (0.02, 0.0), "b/kernel": (0.0, 0.03)}.get(name, (0.0, 0.0))


def penalty(weights: dict[str, np.ndarray]) -> float:
    total = 0.0
    for name, w in weights.items():
        l1, l2 = factors(name)
        total += l1 * np.abs(w.astype(np.float64)).sum() + l2 * np.square(w.astype(np.float64)).sum()
    return float(total)


def penalty_gradient(name: str, w: np.ndarray) -> np.ndarray:
    l1, l2 = factors(name)
    w = w.astype(np.float64)
    return np.asarray(l1 * np.sign(w) + 2 * l2 * w)


def loss_gradients(model: Sequential, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    error = model.forward(x, training=True) - y
    model.backward(2 * error / error.size)
    return {name: g.astype(np.float64) for name, g in model.gradients().items()}


def batch(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return normal(rng, (5, 3)), normal(rng, (5, 2), 3.0)


@pytest.mark.parametrize("clip", [{}, {"clipnorm": 0.3}, {"global_clipnorm": 0.3}, {"clipvalue": 0.1}], ids=str)
@pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.optimizer)
def test_every_optimizer_adds_the_gradient(case: OptimizerCase, clip: dict[str, float]) -> None:
    args = {"learning_rate": 0.01, **clip}
    model = network(3)
    model.compile(getattr(optimizers, case.optimizer)(**args), "mse")
    theirs = case.reference(**args)
    for step in range(4):
        x, y = batch(step)
        before = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
        gradients = {n: g + penalty_gradient(n, before[n]) for n, g in loss_gradients(model, x, y).items()}
        want = theirs.apply(before, gradients)
        model.train_on_batch(x, y)
        for name, got in model.state_dict().items():
            right = theirs.decided(name, got)
            moved = np.linalg.norm(want[name] - before[name])
            error = np.linalg.norm((got - want[name])[right])
            assert error <= 1e-3 * moved + 3e-7 * (np.linalg.norm(before[name]) + 1e-3), (name, step)
            assert moved > 0


@settings(max_examples=20)
@given(rows=st.integers(1, 7), size=st.integers(1, 5), seed=st.integers(0, 99))
def test_reported_losses_have_the_penalty(rows: int, size: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = normal(rng, (rows, 3)), normal(rng, (rows, 2))
    model, bare = network(seed), network(seed, penalised=False)
    for one in (model, bare):
        one.compile(optimizers.SGD(0.0), "mse")
    extra = penalty(model.state_dict())
    assert extra > 0
    plain = bare.evaluate(x, y, batch_size=size, verbose=0)
    assert model.evaluate(x, y, batch_size=size, verbose=0) == pytest.approx(plain + extra, rel=1e-5)
    assert model.train_on_batch(x, y) == pytest.approx(plain + extra, rel=1e-5)
    assert model.test_on_batch(x, y) == pytest.approx(plain + extra, rel=1e-5)
    history = model.fit(x, y, epochs=1, batch_size=size, validation_data=(x, y), verbose=0).history
    assert history["loss"][0] == pytest.approx(plain + extra, rel=1e-5)
    assert history["val_loss"][0] == pytest.approx(plain + extra, rel=1e-5)


def test_epochs_report_the_mean_over_the_steps_as_keras_does() -> None:
    x, y = batch(0)
    model = network(1)
    model.compile(optimizers.SGD(0.2), "mse")
    want, rows = 0.0, 0
    for first in range(0, 5, 2):
        part = slice(first, min(first + 2, 5))
        count = part.stop - part.start
        error = model.predict(x[part]) - y[part]
        want += count * (float(np.square(error).mean()) + penalty(model.state_dict()))
        rows += count
        model.train_on_batch(x[part], y[part])
    again = network(1)
    again.compile(optimizers.SGD(0.2), "mse")
    got = again.fit(x, y, batch_size=2, epochs=1, shuffle=False, verbose=0).history["loss"][0]
    assert got == pytest.approx(want / rows, rel=1e-5)


def test_losses_of_outputs_are_without_it() -> None:
    given = Input((3,))
    heads = [Dense(2, kernel_regularizer="l2", name=name)(given) for name in ("left", "right")]
    model = Model(given, heads, seed=0)
    model.compile("sgd", ["mse", "mse"])
    x, y = batch(0)
    extra = sum(0.01 * float(np.square(w).sum()) for name, w in model.state_dict().items() if "kernel" in name)
    logs = model.evaluate(x, [y, y], return_dict=True, verbose=0)
    assert logs["loss"] == pytest.approx(logs["left_loss"] + logs["right_loss"] + extra, rel=1e-5)


def test_frozen_layers_have_no_penalty() -> None:
    model, bare = network(), network(penalised=False)
    x, y = batch(0)
    for one in (model, bare):
        one.get_layer("a").trainable = one.get_layer("b").trainable = False
        one.compile("sgd", "mse")
    assert model.evaluate(x, y, verbose=0) == bare.evaluate(x, y, verbose=0)


def test_layers_that_models_have_in_common() -> None:
    shared = Dense(3, kernel_regularizer="l2(0.05)", name="shared")
    given = Input((3,))
    trunk = Model(given, shared(given), seed=0)
    model = Model(given, Dense(2, kernel_regularizer="l1(0.02)", name="head")(trunk(given)), seed=1)
    rate = 0.1
    model.compile(optimizers.SGD(rate, global_clipnorm=0.5), "mse")
    x, y = batch(2)
    before = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
    gradients = loss_gradients(model, x, y)
    for name, (l1, l2) in {"head/kernel": (0.02, 0.0), "shared/kernel": (0.0, 0.05)}.items():
        gradients[name] += l1 * np.sign(before[name]) + 2 * l2 * before[name]
    norm = np.sqrt(sum(float(np.square(g).sum()) for g in gradients.values()))
    assert norm > 0.5
    expected = 0.02 * np.abs(before["head/kernel"]).sum() + 0.05 * np.square(before["shared/kernel"]).sum()
    error = float(np.square(model.predict(x) - y).mean())
    assert model.train_on_batch(x, y) == pytest.approx(error + expected, rel=1e-5)
    for name, got in model.state_dict().items():
        np.testing.assert_allclose(got, before[name] - rate * gradients[name] * 0.5 / norm, rtol=1e-5, atol=1e-6)


LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (lambda **k: layers.Conv2D(3, 3, **k), (6, 5, 2)),
    (lambda **k: layers.Conv2DTranspose(3, 3, **k), (6, 5, 2)),
    (lambda **k: layers.DepthwiseConv2D(3, **k), (6, 5, 2)),
    (lambda **k: layers.SeparableConv2D(3, 3, **k), (6, 5, 2)),
    (lambda **k: Dense(3, **k), (6,)),
    (lambda **k: layers.BatchNormalization(**k), (6, 5, 2)),
    (lambda **k: layers.LayerNormalization(**k), (6, 5, 2)),
    (lambda **k: layers.GroupNormalization(2, **k), (6, 5, 2)),
    (lambda **k: layers.PReLU(alpha_initializer="ones", **k), (6, 5, 2)),
]


@pytest.mark.parametrize("regularizer", PENALTIES)
@pytest.mark.parametrize(("make", "shape"), LAYERS, ids=[type(make()).__name__ for make, _ in LAYERS])
def test_every_layer_with_weights_takes_one(make: Any, shape: tuple[int, ...], regularizer: str) -> None:
    keys = [key for key in make().get_config() if key.endswith("_regularizer")]
    assert keys
    for key in keys:
        layer = make(**{key: regularizer})
        assert layer.get_config()[key] == regularizer
        model = Sequential([Input(shape), layer], seed=0)
        model.compile("sgd", "mse")
        x = np.zeros((2, *shape), np.float32)
        y = np.zeros((2, *model.output_shape[1:]), np.float32)
        bare = Sequential([Input(shape), make()], seed=0)
        bare.set_weights(model.get_weights())
        bare.compile("sgd", "mse")
        part = key.removesuffix("_regularizer")
        names = [weight.name for weight in layer.weights]
        weight = layer.weights[next((i for i, name in enumerate(names) if name.startswith(part)), 0)]
        extra = regularizers.get(regularizer)
        assert extra is not None
        want = bare.evaluate(x, y, verbose=0) + extra(weight.numpy())
        assert model.evaluate(x, y, verbose=0) == pytest.approx(want, rel=1e-5), key


class Scale(layers.Layer):
    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.factor = self.add_weight(input_shape[-1:], "ones", name="factor", regularizer=regularizers.L2(0.5))

    def call(self, x: np.ndarray) -> Any:
        return x * self.factor

    def backward(self, dy: np.ndarray, x: np.ndarray) -> Any:
        return dy * self.factor, {"factor": (dy * x).sum(axis=0)}


def test_layers_of_ones_own() -> None:
    model = Sequential([Input((3,)), Scale()], seed=0)
    model.compile(optimizers.SGD(0.1), "mse")
    x = np.zeros((2, 3), np.float32)
    assert model.train_on_batch(x, x) == pytest.approx(1.5)
    np.testing.assert_allclose(model.get_weights()[0], 0.9)


def test_files_and_copies_keep_it(tmp_path: Path) -> None:
    model = network()
    x, y = batch(0)
    model.compile("sgd", "mse")
    model.save(tmp_path / "model.safetensors")
    loaded = striate.load_model(tmp_path / "model.safetensors")
    loss = model.evaluate(x, y, verbose=0)
    for one in (loaded, copy.deepcopy(model), striate.models.clone_model(model)):
        one.set_weights(model.get_weights())
        one.compile("sgd", "mse")
        assert one.evaluate(x, y, verbose=0) == loss
    assert loaded.get_layer("a").kernel_regularizer == "l1_l2(0.01,0.05)"


def test_files_of_layers_without_one_do_not_mention_them(tmp_path: Path) -> None:
    network(penalised=False).save(tmp_path / "model.safetensors")
    assert b"_regularizer" not in (tmp_path / "model.safetensors").read_bytes()


@given(l1=FACTORS, l2=FACTORS, seed=st.integers(0, 99))
def test_objects_names_and_values(l1: float, l2: float, seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=(3, 4))
    for made in (regularizers.L1(l1), regularizers.L2(l2), regularizers.L1L2(l1, l2)):
        assert made(w) == pytest.approx(made.l1 * np.abs(w).sum() + made.l2 * (w**2).sum())
        assert regularizers.get(str(made)) == made == type(made).from_config(made.get_config())
        keras = {"module": "keras.regularizers", "class_name": type(made).__name__, "config": made.get_config()}
        assert Dense(2, kernel_regularizer=keras).kernel_regularizer == str(made)


def test_names() -> None:
    assert regularizers.get(None) is None
    assert (
        regularizers.get("l2") == regularizers.get("L2") == regularizers.get(regularizers.L2) == regularizers.L2(0.01)
    )
    assert regularizers.get("l1_l2") == regularizers.L1L2(0.01, 0.01)
    assert repr(regularizers.L1L2(0.5, 1)) == "L1L2(l1=0.5, l2=1.0)"


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Dense(2, kernel_regularizer="l3"), ValueError, r"\[dense\] there is no regularizer 'l3'"),
        (lambda: Dense(2, kernel_regularizer="l2(-1)"), ValueError, "negative"),
        (lambda: Dense(2, kernel_regularizer="l2(1,2)"), ValueError, "takes 1 argument"),
        (lambda: Dense(2, kernel_regularizer="l2(nan)"), ValueError, "number"),
        (lambda: Dense(2, kernel_regularizer=lambda w: w), TypeError, "would never be called"),  # type: ignore[arg-type]
        (lambda: Dense(2, activity_regularizer="l2"), TypeError, "kernel_regularizer"),  # type: ignore[call-arg]
        (lambda: regularizers.L2(-1.0), ValueError, "negative"),
        (lambda: regularizers.get("ridge"), ValueError, "ridge"),
    ],
)
def test_errors(make: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        make()
