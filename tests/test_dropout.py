"""Dropout: what is drawn, and that the gradient passes where the value did."""

from __future__ import annotations

import copy
import math
from pathlib import Path

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
    # Adjacent ones along each axis are independent: they agree as often as two draws do.
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


@pytest.mark.parametrize("layer", [layers.Dropout, layers.SpatialDropout2D])
def test_calls_in_training_mode(layer: type[layers.Layer], tmp_path: Path) -> None:
    """Predictions drop values, other ones in each batch; a run of the same model gives the same."""
    x = np.ones(SHAPE, np.float32)

    def model(seed: int = 3) -> striate.Model:
        inputs = layers.Input(SHAPE[1:])
        return striate.Model(inputs, layer(0.5)(inputs, training=True), seed=seed)  # type: ignore[call-arg]

    first, second = model(), model()
    drawn = [first.predict(x) for _ in range(3)]
    for values, again in zip(drawn, [second.predict(x) for _ in range(3)], strict=True):
        np.testing.assert_array_equal(values, again)
        assert 0.3 < kept(values, 0.5).mean() < 0.7
    assert not any(np.array_equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    halves = first.predict(x, batch_size=8)
    assert not np.array_equal(halves[:8], halves[8:])
    first.save(tmp_path / "m.safetensors")
    loaded = striate.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), model().predict(x))
    for other in (loaded, copy.deepcopy(first), striate.models.clone_model(first)):
        assert not np.array_equal(other.predict(x), other.predict(x))
    loaded.compile("sgd", "mse")
    assert len({loaded.evaluate(x, 3 * x, batch_size=16, verbose=0) for _ in range(3)}) == 3
    outer = layers.Input(SHAPE[1:])
    nested = striate.Model(outer, loaded(outer))
    assert not np.array_equal(nested.predict(x), nested.predict(x))
    pytest.importorskip("onnx")
    with pytest.raises(ValueError, match=r"no counterpart of calls with training=True, of .*dropout"):
        loaded.export(tmp_path / "m.onnx")


def test_batch_normalization_has_no_call_in_training_mode() -> None:
    with pytest.raises(ValueError, match=r"\[batch_normalization\] training=True cannot be fixed.*moving averages"):
        layers.BatchNormalization()(layers.Input((4,)), training=True)
