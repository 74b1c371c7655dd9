"""Fixed scales: by arguments, or by statistics of the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def rescaling(x: np.ndarray, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0) -> np.ndarray:
    return x * np.asarray(scale) + np.asarray(offset)


def normalization(
    x: np.ndarray, mean: float | Sequence[float], variance: float | Sequence[float], invert: bool = False
) -> np.ndarray:
    """To mean 0 and variance 1 along the last axis, or back; a deviation of less than 1e-7 counts as that."""
    deviation = np.maximum(np.sqrt(np.asarray(variance, np.float64)), 1e-7)
    return np.asarray(mean) + x * deviation if invert else (x - np.asarray(mean)) / deviation
