"""Dropout: what is drawn, and that the gradient passes where the value did."""

from __future__ import annotations

import math

import numpy as np
import pytest

import striate
from striate import layers

SHAPE = (16, 9, 11, 13)


def model_of(*stack: layers.Layer, seed: int = 0) -> striate.Sequential:
    return striate.Sequential([layers.Input(SHAPE[1:]), *stack], seed=seed)


def kept(y: np.ndarray, rate: float) -> np.ndarray:
    """Where the value passed, of an output for ones."""
    scale = np.float32(1 / (1 - rate))
    mask = y != 0
    np.testing.assert_allclose(y[mask], scale, rtol=1e-6)
    return mask


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.9])
def test_share_and_scale(rate: float) -> None:
    mask = kept(model_of(layers.Dropout(rate)).forward(np.ones(SHAPE, np.float32), training=True), rate)
    assert abs(mask.mean() - (1 - rate)) < 5 * math.sqrt(rate * (1 - rate) / mask.size)
    # Neighbours along each axis are independent: they agree as often as two draws do.
    for axis in range(4):
        agree = (np.take(mask, range(1, SHAPE[axis]), axis) == np.take(mask, range(SHAPE[axis] - 1), axis)).mean()
        share = rate**2 + (1 - rate) ** 2
        assert abs(agree - share) < 6 * math.sqrt(share * (1 - share) / mask.size) + 1e-9, axis


def test_spatial_dropout_drops_whole_channels() -> None:
    shape = (64, 3, 5, 33)
    model = striate.Sequential([layers.Input(shape[1:]), layers.SpatialDropout2D(0.3)], seed=0)
    mask = kept(model.forward(np.ones(shape, np.float32), training=True), 0.3)
    assert (mask == mask[:, :1, :1]).all()
    each = mask[:, 0, 0]
    assert abs(each.mean() - 0.7) < 5 * math.sqrt(0.21 / each.size)
    assert 0 < each.mean(axis=0).std() and 0 < each.mean(axis=1).std()


@pytest.mark.parametrize("layer", [layers.Dropout, layers.SpatialDropout2D])
def test_gradient_passes_where_the_value_did(layer: type[layers.Layer]) -> None:
    rng = np.random.default_rng(0)
    x, g = rng.standard_normal((2, *SHAPE)).astype(np.float32)
    model = model_of(layer(0.4))  # type: ignore[call-arg]
    for _ in range(2):
        y = model.forward(x, training=True)
        scale = np.where(y != 0, np.float32(1 / 0.6), 0)
        np.testing.assert_allclose(y, x * scale, rtol=1e-6)
        np.testing.assert_allclose(model.backward(g), g * scale, rtol=1e-6)


@pytest.mark.parametrize("layer", [layers.Dropout, layers.SpatialDropout2D])
def test_inference_changes_nothing(layer: type[layers.Layer]) -> None:
    x = np.random.default_rng(0).standard_normal(SHAPE).astype(np.float32)
    model = model_of(layer(0.4))  # type: ignore[call-arg]
    assert np.array_equal(model.predict(x), x)
    assert np.array_equal(model.forward(x), x)
    assert np.array_equal(model.backward(x), x)
    assert np.array_equal(model_of(layer(0.0)).forward(x, training=True), x)  # type: ignore[call-arg]


@pytest.mark.parametrize("layer", [layers.Dropout, layers.SpatialDropout2D])
def test_seeds_passes_and_layers(layer: type[layers.Layer]) -> None:
    x = np.ones(SHAPE, np.float32)

    def masks(seed: int) -> list[np.ndarray]:
        model = model_of(layer(0.5), seed=seed)  # type: ignore[call-arg]
        return [kept(model.forward(x, training=True), 0.5) for _ in range(3)]

    first = masks(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, masks(1), strict=True))
    different = [*first, *masks(2)]
    for i, a in enumerate(different):
        for b in different[:i]:
            assert 0.3 < (a == b).mean() < 0.7
    inputs = layers.Input(SHAPE[1:])
    both = striate.Model(inputs, [layer(0.5)(inputs), layer(0.5)(inputs)], seed=1)  # type: ignore[call-arg]
    a, b = both.forward(x, training=True)
    assert 0.3 < (a == b).mean() < 0.7
