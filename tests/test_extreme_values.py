"""Values whose squares overflow single precision: results as in double precision, or NaN, never a plausible number."""

from typing import Any

import numpy as np
import pytest

import striate as st
from striate.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    GroupNormalization,
    Input,
    LayerNormalization,
    MaxPooling2D,
    Normalization,
    ReLU,
)

SHAPE = (3, 4, 6, 5)
SCALES = (1e-20, 1.0, 1e18, 1e20, 1e25)


def values(scale: float, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    rng = np.random.default_rng(3)
    return (rng.normal(0.3, 1.0, shape) * scale).astype(np.float32)


def normalised(x: np.ndarray, axes: tuple[int, ...], epsilon: float = 1e-3) -> np.ndarray:
    x = x.astype(np.float64)
    return (x - x.mean(axis=axes, keepdims=True)) / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


def gradient(x: np.ndarray, dy: np.ndarray, axes: tuple[int, ...], epsilon: float = 1e-3) -> np.ndarray:
    """Of sum(dy * normalised(x)), in double precision."""
    x, dy = x.astype(np.float64), dy.astype(np.float64)
    xhat = normalised(x, axes, epsilon)
    inner = dy - dy.mean(axis=axes, keepdims=True) - xhat * (dy * xhat).mean(axis=axes, keepdims=True)
    return inner / np.sqrt(x.var(axis=axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("kind", ["batch", "layer", "layer of maps", "group"])
def test_normalisation(kind: str, scale: float) -> None:
    layer: Any
    x, axes = values(scale), (0, 1, 2)
    if kind == "batch":
        layer = BatchNormalization()
    elif kind == "group":
        layer, axes = GroupNormalization(1), (1, 2, 3)
    else:
        layer, axes = (LayerNormalization(), (3,)) if kind == "layer" else (LayerNormalization((1, 2, 3)), (1, 2, 3))
    given = Input(SHAPE[1:])
    model = st.Model(given, layer(given), seed=0)
    np.testing.assert_allclose(model.forward(x, training=True), normalised(x, axes), rtol=1e-4, atol=1e-5)
    if scale <= 1e20:
        dy = np.random.default_rng(4).normal(size=SHAPE).astype(np.float32)
        expected = gradient(x, dy, axes)
        np.testing.assert_allclose(model.backward(dy), expected, rtol=2e-3, atol=2e-4 * abs(expected).max())


@pytest.mark.parametrize("scale", [1e18, 1e20, 1e25])
@pytest.mark.parametrize("size", [(2, 1, 1, 1), (5, 1, 1, 40), (1, 16, 33, 3), (2, 70, 9, 17)])
def test_batch_normalisation_of_shapes(size: tuple[int, ...], scale: float) -> None:
    x = values(scale, size)
    given = Input(size[1:])
    model = st.Model(given, BatchNormalization()(given), seed=0)
    np.testing.assert_allclose(model.forward(x, training=True), normalised(x, (0, 1, 2)), rtol=1e-4, atol=1e-4)


def test_extremes_beside_ordinary_channels() -> None:
    x = values(1.0)
    x[..., 1] *= np.float32(1e22)
    x[..., 3] = np.float32(3e38)
    given = Input(SHAPE[1:])
    model = st.Model(given, BatchNormalization()(given), seed=0)
    np.testing.assert_allclose(model.forward(x, training=True), normalised(x, (0, 1, 2)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pool", [False, True])
def test_fused_normalisation(pool: bool) -> None:
    x, given = values(1e20, (2, 4, 6, 5)), Input((4, 6, 5))
    symbol = BatchNormalization()(given)
    if pool:
        symbol = MaxPooling2D()(symbol)
    fused = st.Model(given, ReLU()(symbol), seed=0)
    expected = np.maximum(normalised(x, (0, 1, 2)), 0)
    if pool:
        expected = expected.reshape(2, 2, 2, 3, 2, 5).max(axis=(2, 4))
    np.testing.assert_allclose(fused.forward(x, training=True), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("first", [None, "conv", "dense"])
def test_moving_variance_beyond_floats_is_seen(first: str | None) -> None:
    """1e40 is not a float32: what inference gives with it must not look like a result."""
    given = Input((4, 6, 5) if first != "dense" else (5,))
    symbol = {"conv": Conv2D(5, 1), "dense": Dense(5)}[first](given) if first else given
    model = st.Model(given, BatchNormalization(momentum=0.5)(symbol), seed=0)
    x = values(1e21, (8, *given.shape[1:]))
    model.forward(x, training=True)
    variance = model.get_weights()[-1]
    assert np.isinf(variance).all()
    assert np.isnan(model.predict(x, verbose=0)).all()


def test_moving_variance_of_large_values_within_floats() -> None:
    given = Input((4, 6, 5))
    model = st.Model(given, BatchNormalization()(given), seed=0)
    x = values(1e18)
    model.set_weights([*model.get_weights()[:2], x.mean(axis=(0, 1, 2)), x.astype(np.float64).var(axis=(0, 1, 2))])
    np.testing.assert_allclose(model.predict(x, verbose=0), normalised(x, (0, 1, 2)), rtol=1e-4, atol=1e-5)


def test_normalization_layer() -> None:
    x = values(1e20)
    layer = Normalization()
    layer = layer.adapt(x) or layer
    given = Input(SHAPE[1:])
    y = st.Model(given, layer(given), seed=0).predict(x, verbose=0)
    np.testing.assert_allclose(y, normalised(x, (0, 1, 2), 0.0), rtol=1e-4, atol=1e-5)


def trained(optimizer: Any, scale: float, steps: int = 3) -> np.ndarray:
    """The weight's way under gradients of this size."""
    given = Input((1,))
    model = st.Model(given, Dense(1, use_bias=False, kernel_initializer="zeros")(given), seed=0)
    model.compile(optimizer, loss="mae")
    x, y = np.full((1, 1), scale, np.float32), np.full((1, 1), np.float32(3e38))
    return np.array([model.fit(x, y, verbose=0) and model.get_weights()[0].item() for _ in range(steps)])


@pytest.mark.parametrize("name", ["RMSprop", "Adagrad", "Adadelta", "Adam", "AdamW"])
def test_optimizers_that_divide_by_the_root_of_squares(name: str) -> None:
    """A step does not depend on the gradient's size, also beyond the root of the largest float."""
    kind = getattr(st.optimizers, name)
    large, small = trained(kind(0.1), 1e25), trained(kind(0.1), 1e10)
    if name == "Adadelta":  # its step grows with nothing but its own history
        assert np.isfinite(large).all() and large[0] > 0
    else:
        np.testing.assert_allclose(large, small, rtol=1e-5)


def test_an_infinite_gradient_is_not_hidden() -> None:
    for name in ("RMSprop", "Adagrad", "Adam"):
        assert np.isnan(trained(getattr(st.optimizers, name)(0.1), float("inf"), 2)[-1])


@pytest.mark.parametrize("clip", ["clipnorm", "global_clipnorm"])
def test_norms_of_large_gradients(clip: str) -> None:
    optimizer = st.optimizers.SGD(1.0, **{clip: 0.5})
    np.testing.assert_allclose(trained(optimizer, 1e25), [0.5, 1.0, 1.5], rtol=1e-6)
