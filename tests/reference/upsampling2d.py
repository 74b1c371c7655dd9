"""Upsampling by whole factors."""

from __future__ import annotations

import numpy as np

from reference.conv2d import Pair
from reference.padding import pair


def upsampling2d(x: np.ndarray, size: Pair = 2, interpolation: str = "nearest") -> np.ndarray:
    """`nearest` repeats pixels. `bilinear` takes pixels as areas: pixel i has its centre at (i + 1/2) / factor."""
    for axis, factor in enumerate(pair(size), 1):
        x = np.repeat(x, factor, axis) if interpolation == "nearest" else _linear(x, factor, axis)
    return x


def _linear(x: np.ndarray, factor: int, axis: int) -> np.ndarray:
    size = x.shape[axis]
    place = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    before = np.floor(place).astype(int)
    after = np.minimum(before + 1, size - 1)
    share = (place - before).reshape([-1 if a == axis else 1 for a in range(x.ndim)])
    return (1 - share) * x.take(before, axis) + share * x.take(after, axis)
