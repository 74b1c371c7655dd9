"""How weights are drawn: distributions against their definitions, orthogonality, seeds."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import striate
from striate import initializers, layers

SHAPE = (3, 5, 40, 60)  # of a convolution's kernel: fan-in 600, fan-out 900
FAN_IN, FAN_OUT = 600, 900
# What cutting a normal distribution at two deviations leaves of the deviation.
CUT = 0.87962566103423978


def draw(name: Any, shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    """The kernel of a layer that is initialised so."""
    if len(shape) == 4:
        layer: layers.Layer = layers.Conv2D(shape[3], shape[:2], kernel_initializer=name)
        start = (*shape[:2], shape[2])
    else:
        layer, start = layers.Dense(shape[1], kernel_initializer=name), shape[:1]
    model = striate.Sequential([layers.Input(start), layer], seed=seed)
    return layer.get_weights()[0] if model else np.empty(0)


def check_moments(values: np.ndarray, mean: float, deviation: float, kurtosis: float) -> None:
    """Mean and variance within five standard errors."""
    n = values.size
    assert abs(values.mean() - mean) < 5 * deviation / math.sqrt(n)
    assert abs(values.var() / deviation**2 - 1) < 5 * math.sqrt((kurtosis - 1) / n)


def check_quantiles(values: np.ndarray, quantile: Any) -> None:
    """The share below each of nineteen quantiles within five standard errors."""
    for p in np.linspace(0.05, 0.95, 19):
        share = float((values < quantile(p)).mean())
        assert abs(share - p) < 5 * math.sqrt(p * (1 - p) / values.size), p


@pytest.mark.parametrize(
    "name, limit",
    [
        ("glorot_uniform", math.sqrt(6 / (FAN_IN + FAN_OUT))),
        ("he_uniform", math.sqrt(6 / FAN_IN)),
        ("lecun_uniform", math.sqrt(3 / FAN_IN)),
        ("random_uniform", 0.05),
        ("random_uniform(-0.2,0.2)", 0.2),
    ],
)
def test_uniform(name: str, limit: float) -> None:
    values = draw(name).astype(np.float64)
    assert values.shape == SHAPE
    assert np.abs(values).max() <= limit * (1 + 1e-6)
    assert np.abs(values).max() > limit * 0.999
    check_moments(values, 0.0, limit / math.sqrt(3), 1.8)
    check_quantiles(values, lambda p: (2 * p - 1) * limit)


@pytest.mark.parametrize(
    "name, deviation",
    [
        ("glorot_normal", math.sqrt(2 / (FAN_IN + FAN_OUT))),
        ("he_normal", math.sqrt(2 / FAN_IN)),
        ("lecun_normal", math.sqrt(1 / FAN_IN)),
        ("truncated_normal", 0.05 * CUT),
        ("truncated_normal(0,0.3)", 0.3 * CUT),
    ],
)
def test_truncated_normal(name: str, deviation: float) -> None:
    values = draw(name).astype(np.float64)
    whole = deviation / CUT  # of the distribution that is cut
    assert 1.99 * whole < np.abs(values).max() <= 2 * whole * (1 + 1e-6)
    check_moments(values, 0.0, deviation, 2.37)
    low = NormalDist().cdf(-2)
    check_quantiles(values, lambda p: whole * NormalDist().inv_cdf(low + p * (1 - 2 * low)))


@pytest.mark.parametrize("name, mean, deviation", [("random_normal", 0.0, 0.05), ("random_normal(1,0.5)", 1.0, 0.5)])
def test_normal(name: str, mean: float, deviation: float) -> None:
    values = draw(name).astype(np.float64)
    check_moments(values, mean, deviation, 3.0)
    check_quantiles(values, NormalDist(mean, deviation).inv_cdf)
    assert np.abs(values - mean).max() > 3.5 * deviation


def test_fans_of_dense_layers() -> None:
    values = draw("he_uniform", (300, 70))
    assert 0.999 * math.sqrt(6 / 300) < np.abs(values).max() <= math.sqrt(6 / 300) * (1 + 1e-6)
    values = draw("glorot_uniform", (300, 70))
    assert 0.999 * math.sqrt(6 / 370) < np.abs(values).max() <= math.sqrt(6 / 370) * (1 + 1e-6)


@pytest.mark.parametrize("name, value", [("zeros", 0), ("ones", 1), ("constant(0.25)", 0.25), ("constant", 0)])
def test_constants(name: str, value: float) -> None:
    assert (draw(name) == np.float32(value)).all()


@pytest.mark.parametrize("shape", [(40, 40), (60, 25), (25, 60), (3, 3, 4, 20), (3, 3, 2, 40)])
@pytest.mark.parametrize("name, gain", [("orthogonal", 1.0), ("orthogonal(1.5)", 1.5)])
def test_orthogonal(name: str, gain: float, shape: tuple[int, ...]) -> None:
    matrix = draw(name, shape).astype(np.float64).reshape(-1, shape[-1])
    if matrix.shape[0] < matrix.shape[1]:
        matrix = matrix.T
    np.testing.assert_allclose(matrix.T @ matrix, gain**2 * np.eye(matrix.shape[1]), atol=1e-5)
    assert np.linalg.norm(matrix - gain * np.eye(*matrix.shape)) > 1


@pytest.mark.parametrize("name, gain", [("identity", 1.0), ("identity(0.5)", 0.5)])
def test_identity(name: str, gain: float) -> None:
    assert np.array_equal(draw(name, (5, 5)), gain * np.eye(5, dtype=np.float32))


RANDOM = ["glorot_uniform", "he_normal", "lecun_uniform", "random_normal", "truncated_normal", "orthogonal"]


@pytest.mark.parametrize("name", RANDOM)
def test_seeds(name: str) -> None:
    first = draw(name, (30, 20), seed=5)
    assert first.tobytes() == draw(name, (30, 20), seed=5).tobytes()
    other = draw(name, (30, 20), seed=6)
    assert (first != other).mean() > 0.99
    assert abs(np.corrcoef(first.ravel(), other.ravel())[0, 1]) < 0.2


def test_layers_of_one_model_differ() -> None:
    model = striate.Sequential([layers.Input((20,)), layers.Dense(20), layers.Dense(20)], seed=0)
    first, _, second, _ = model.get_weights()
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.2


def test_threads_draw_the_same_bits() -> None:
    before = striate.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 4, 8):
            striate.set_num_threads(threads)
            results.append([draw(name, (250, 170)).tobytes() for name in RANDOM])
    finally:
        striate.set_num_threads(before)
    assert all(result == results[0] for result in results)


@pytest.mark.parametrize(
    "by_object, by_name",
    [
        (initializers.GlorotUniform, "glorot_uniform"),
        (initializers.HeNormal(), "he_normal"),
        (initializers.Constant(0.5), "constant(0.5)"),
        (initializers.RandomUniform(-0.1, 0.2), "random_uniform(-0.1,0.2)"),
        (initializers.Orthogonal(2.0), "orthogonal(2)"),
    ],
)
def test_objects_and_names(by_object: Any, by_name: str) -> None:
    assert draw(by_object, (10, 10)).tobytes() == draw(by_name, (10, 10)).tobytes()


def test_defaults_of_layers() -> None:
    model = striate.Sequential(
        [
            layers.Input((9, 9, 4)),
            layers.Conv2D(8, 3, name="conv"),
            layers.DepthwiseConv2D(3, name="depthwise"),
            layers.BatchNormalization(name="norm"),
            layers.PReLU(name="prelu"),
            layers.Flatten(),
            layers.Dense(6, name="dense"),
        ],
        seed=0,
    )
    state = model.state_dict()
    for name in ("conv/bias", "depthwise/bias", "norm/beta", "norm/moving_mean", "prelu/alpha", "dense/bias"):
        assert not state[name].any(), name
    for name in ("norm/gamma", "norm/moving_variance"):
        assert (state[name] == 1).all(), name
    # Glorot's limit by Keras's fans: a depthwise kernel (h, w, C, 1) has h * w * C inputs and h * w outputs.
    for name, limit in (
        ("conv/kernel", math.sqrt(6 / (36 + 72))),
        ("depthwise/kernel", math.sqrt(6 / (72 + 9))),
        ("dense/kernel", math.sqrt(6 / (200 + 6))),
    ):
        assert 0.9 * limit < np.abs(state[name]).max() <= limit * (1 + 1e-6), name
