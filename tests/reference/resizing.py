"""A map of another size: pixels are areas, pixel i of n has its centre at (i + 1/2) / n."""

from __future__ import annotations

import numpy as np


def resizing(x: np.ndarray, height: int, width: int, interpolation: str = "bilinear") -> np.ndarray:
    for axis, size in ((1, height), (2, width)):
        x = _nearest(x, size, axis) if interpolation == "nearest" else _linear(x, size, axis)
    return x


def _nearest(x: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Of the pixel in whose area the centre is."""
    return x.take((2 * np.arange(size) + 1) * x.shape[axis] // (2 * size), axis)


def _linear(x: np.ndarray, size: int, axis: int) -> np.ndarray:
    """Of the two pixels whose centres are next to it; at the edges, of one."""
    last = x.shape[axis] - 1
    place = np.clip((np.arange(size) + 0.5) * x.shape[axis] / size - 0.5, 0, last)
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, last)
    share = (place - before).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return (1 - share) * x.take(before, axis) + share * x.take(after, axis)
