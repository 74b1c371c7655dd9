"""What the numeric tests share: arrays to feed, derivatives by differences, relative errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from layer_setups import Arrays, LayerCase, Setup

# The step of central differences, and how far from a corner it must happen: steps are up to six times as long.
STEP = 1e-6
AWAY = 2e-5


def normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    return (scale * rng.standard_normal(shape)).astype(np.float32)


def weight(name: str, shape: tuple[int, ...], rng: np.random.Generator) -> np.ndarray:
    """A weight as a trained network might have it: outputs of a size near 1, variances that are positive."""
    if name in ("gamma", "moving_variance"):
        return rng.uniform(0.5, 2.0, shape).astype(np.float32)
    if name == "alpha":
        return rng.uniform(-0.5, 0.5, shape).astype(np.float32)
    if name.endswith("kernel"):
        fan_in = shape[0] * shape[1] if "depthwise" in name else int(np.prod(shape[:-1]))
        return normal(rng, shape, fan_in**-0.5)
    return normal(rng, shape, 0.5)


def feed(case: LayerCase, setup: Setup, seed: int) -> tuple[list[np.ndarray], Arrays]:
    """Inputs and weights for a layer, none of them near a corner."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        inputs = [case.domain(normal(rng, (setup.batch, *shape)), setup.args) for shape in setup.shapes]
        weights = {name: weight(name, shape, rng) for name, shape in case.weights(setup).items()}
        if case.corner(inputs, {n: w.astype(np.float64) for n, w in weights.items()}, setup.args) > AWAY:
            return inputs, weights
    raise AssertionError(f"{case.layer} {setup}: no inputs away from corners; draw smaller ones")


def integers(case: LayerCase, setup: Setup, seed: int) -> tuple[list[np.ndarray], Arrays]:
    """Small whole numbers, of which float32 holds all sums of products."""
    rng = np.random.default_rng(seed)

    def draw(shape: tuple[int, ...]) -> np.ndarray:
        return rng.integers(-8, 9, shape).astype(np.float32)

    shapes = case.weights(setup)
    return [draw((setup.batch, *s)) for s in setup.shapes], {name: draw(shape) for name, shape in shapes.items()}


def relative_error(got: np.ndarray, want: np.ndarray, floor: float = 0.0) -> float:
    """The larger of the error's norm beside the norm, and a tenth of its largest element beside the largest."""
    assert got.shape == want.shape, (got.shape, want.shape)
    if want.size == 0:
        return 0.0
    error = got.astype(np.float64) - want
    if not np.isfinite(error).all():
        return np.inf
    tiny = np.finfo(np.float64).tiny
    whole = np.linalg.norm(error) / max(np.linalg.norm(want), floor * want.size**0.5, tiny)
    single = np.abs(error).max() / max(np.abs(want).max(), floor, tiny)
    return float(max(whole, single / 10))


def slopes(f: Callable[[np.ndarray], float], at: np.ndarray, directions: list[np.ndarray]) -> np.ndarray:
    """The derivative of f at a point in each direction, by central differences."""
    return np.array([(f(at + STEP * d) - f(at - STEP * d)) / (2 * STEP) for d in directions])


def gradient_error(
    gradient: np.ndarray, f: Callable[[np.ndarray], float], at: np.ndarray, rng: np.random.Generator, floor: float = 0.0
) -> float:
    """How far `gradient` is from that of f, relative to its norm.

    For a direction of independent normal numbers, the error of the slope is a normal number as large as the norm of the
    gradient's error: a few directions see it, wherever it sits. Small arrays are checked element by element too.
    """
    assert gradient.shape == at.shape, (gradient.shape, at.shape)
    if not np.isfinite(gradient).all():
        return np.inf
    at, g = at.astype(np.float64), gradient.astype(np.float64)
    size = max(float(np.linalg.norm(g)), floor, np.finfo(np.float64).tiny)
    directions = [rng.standard_normal(at.shape) for _ in range(4)]
    errors = slopes(f, at, directions) - [float(np.sum(g * d)) for d in directions]
    worst = float(np.abs(errors).max()) / size
    if at.size <= 12:
        units = [u.reshape(at.shape) for u in np.eye(at.size)]
        worst = max(worst, float(np.linalg.norm(slopes(f, at, units) - g.reshape(-1))) / size)
    return worst


def numeric_gradient(f: Callable[[np.ndarray], float], at: np.ndarray) -> np.ndarray:
    """Element by element: for looking at a failure."""
    return slopes(f, at.astype(np.float64), [u.reshape(at.shape) for u in np.eye(at.size)]).reshape(at.shape)
