"""ReLU with a learned slope below zero (He et al., 2015)."""

from __future__ import annotations

import numpy as np


def prelu(x: np.ndarray, *, alpha: np.ndarray) -> np.ndarray:
    """`alpha` has the input's shape without the batch, with 1 along the axes that share a slope."""
    return np.where(x < 0, alpha * x, x)


def alpha_shape(shape: tuple[int, ...], shared_axes: tuple[int, ...] | None) -> tuple[int, ...]:
    """`shape` is without the batch; axes count from the batch, which is 0."""
    return tuple(1 if axis in (shared_axes or ()) else size for axis, size in enumerate(shape, 1))
