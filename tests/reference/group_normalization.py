"""Group normalization (Wu and He, 2018)."""

from __future__ import annotations

import numpy as np


def group_normalization(
    x: np.ndarray,
    *,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    groups: int = 32,
    epsilon: float = 1e-3,
) -> np.ndarray:
    """Each sample's channels in `groups` equal parts, each by its own mean and variance; -1: one for each channel."""
    channels = x.shape[-1]
    parts = channels if groups == -1 else groups
    z = x.reshape(x.shape[0], -1, parts, channels // parts)
    mean = z.mean(axis=(1, 3), keepdims=True)
    variance = ((z - mean) ** 2).mean(axis=(1, 3), keepdims=True)
    y = ((z - mean) / np.sqrt(variance + epsilon)).reshape(x.shape)
    if gamma is not None:
        y = y * gamma
    return y if beta is None else y + beta
