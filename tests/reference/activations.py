"""Functions of one number, and softmax, which is one of a row of numbers; arguments and defaults are Keras's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

_erf = np.vectorize(math.erf, otypes=[np.float64])


def linear(x: np.ndarray) -> np.ndarray:
    return x


def relu(
    x: np.ndarray, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0
) -> np.ndarray:
    """x from `threshold` up to `max_value`; below, `negative_slope` times what is missing. NaN stays."""
    below = negative_slope * (x - threshold) if negative_slope else np.where(np.isnan(x), x, 0.0)
    y = np.where(x >= threshold, x, below)
    return y if max_value is None else np.minimum(y, max_value)


def relu6(x: np.ndarray) -> np.ndarray:
    return np.clip(x, 0.0, 6.0)


def leaky_relu(x: np.ndarray, negative_slope: float = 0.2) -> np.ndarray:
    return np.where(x < 0, negative_slope * x, x)


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def sigmoid(x: np.ndarray) -> np.ndarray:
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def tanh(x: np.ndarray) -> np.ndarray:
    return np.tanh(x)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(x, 0.0)


def silu(x: np.ndarray) -> np.ndarray:
    return x * sigmoid(x)


def gelu(x: np.ndarray) -> np.ndarray:
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def hard_sigmoid(x: np.ndarray) -> np.ndarray:
    return np.clip(x / 6.0 + 0.5, 0.0, 1.0)


def hard_swish(x: np.ndarray) -> np.ndarray:
    return x * hard_sigmoid(x)


def exponential(x: np.ndarray) -> np.ndarray:
    return np.exp(x)


def log(x: np.ndarray) -> np.ndarray:
    return np.log(x)


def sqrt(x: np.ndarray) -> np.ndarray:
    return np.sqrt(x)


def abs(x: np.ndarray) -> np.ndarray:
    return np.abs(x)


def reciprocal(x: np.ndarray) -> np.ndarray:
    return 1.0 / x


def reciprocal_no_nan(x: np.ndarray) -> np.ndarray:
    return np.divide(1.0, x, out=np.zeros_like(x), where=x != 0)


def erf(x: np.ndarray) -> np.ndarray:
    return _erf(x)


def softmax(x: np.ndarray, axis: int | Sequence[int] = -1) -> np.ndarray:
    axes = axis if isinstance(axis, int) else tuple(axis)
    e = np.exp(x - x.max(axis=axes, keepdims=True))
    return e / e.sum(axis=axes, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    f.__name__: f
    for f in (
        linear,
        relu,
        relu6,
        leaky_relu,
        elu,
        sigmoid,
        tanh,
        softplus,
        silu,
        gelu,
        hard_sigmoid,
        hard_swish,
        exponential,
        log,
        sqrt,
        abs,
        reciprocal,
        reciprocal_no_nan,
        erf,
        softmax,
    )
}

# Where a function has a corner: a gradient check must stay away from there.
CORNERS: dict[str, tuple[float, ...]] = {
    "relu": (0.0,),
    "relu6": (0.0, 6.0),
    "leaky_relu": (0.0,),
    "hard_sigmoid": (-3.0, 3.0),
    "hard_swish": (-3.0, 3.0),
    "abs": (0.0,),
}

# Functions of positive numbers.
POSITIVE = ("log", "sqrt", "reciprocal", "reciprocal_no_nan")


def activate(name: str | None, x: np.ndarray) -> np.ndarray:
    """The activation of this name; None is `linear`."""
    return ACTIVATIONS[name or "linear"](x)


def to_corner(name: str | None, x: np.ndarray) -> float:
    """How far the nearest element of `x` is from a corner of the activation."""
    return min(
        (float(np.abs(x - corner).min(initial=np.inf)) for corner in CORNERS.get(name or "linear", ())), default=np.inf
    )
