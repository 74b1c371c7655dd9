"""Layer normalization (Ba et al., 2016)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def layer_normalization(
    x: np.ndarray,
    *,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    axis: int | Sequence[int] = -1,
    epsilon: float = 1e-3,
) -> np.ndarray:
    """Each sample by its own mean and variance over `axis`; gamma and beta have the sizes of these axes."""
    axes = sorted(a % x.ndim for a in ([axis] if isinstance(axis, int) else axis))
    mean = x.mean(axis=tuple(axes), keepdims=True)
    variance = ((x - mean) ** 2).mean(axis=tuple(axes), keepdims=True)
    y = (x - mean) / np.sqrt(variance + epsilon)
    shape = [x.shape[a] if a in axes else 1 for a in range(x.ndim)]
    if gamma is not None:
        y = y * gamma.reshape(shape)
    return y if beta is None else y + beta.reshape(shape)
