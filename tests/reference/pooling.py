"""Pooling over windows and over whole maps."""

from __future__ import annotations

import numpy as np

from reference.conv2d import Pair
from reference.padding import Edges, pair, windows


def _windows(x: np.ndarray, pool_size: Pair, strides: Pair | None, padding: str | Edges, fill: float) -> np.ndarray:
    size = pair(pool_size)
    seen = windows(x, size, size if strides is None else pair(strides), (1, 1), padding, fill)
    return seen.reshape(-1, *seen.shape[2:])


def max_pooling2d(
    x: np.ndarray, pool_size: Pair = 2, strides: Pair | None = None, padding: str | Edges = "valid"
) -> np.ndarray:
    """The largest of each window; padding never wins, NaN always."""
    return _windows(x, pool_size, strides, padding, -np.inf).max(axis=0)


def average_pooling2d(
    x: np.ndarray, pool_size: Pair = 2, strides: Pair | None = None, padding: str | Edges = "valid"
) -> np.ndarray:
    """The mean of what is on the map in each window: padding is not counted."""
    total = _windows(x, pool_size, strides, padding, 0.0).sum(axis=0)
    count = _windows(np.ones_like(x), pool_size, strides, padding, 0.0).sum(axis=0)
    return total / count


def global_max_pooling2d(x: np.ndarray, keepdims: bool = False) -> np.ndarray:
    return x.max(axis=(1, 2), keepdims=keepdims)


def global_average_pooling2d(x: np.ndarray, keepdims: bool = False) -> np.ndarray:
    return x.mean(axis=(1, 2), keepdims=keepdims)


def to_tie(x: np.ndarray, pool_size: Pair = 2, strides: Pair | None = None, padding: str | Edges = "valid") -> float:
    """The smallest distance between the largest and the second largest of any window."""
    seen = np.sort(_windows(x, pool_size, strides, padding, -np.inf), axis=0)
    return float((seen[-1] - seen[-2]).min()) if len(seen) > 1 else np.inf
