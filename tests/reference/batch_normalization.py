"""Batch normalization (Ioffe and Szegedy, 2015), over all axes but the last."""

from __future__ import annotations

import numpy as np


def moments(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and variance of each channel; the variance is divided by the count, not by one less."""
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes)
    return mean, ((x - mean) ** 2).mean(axis=axes)


def batch_normalization(
    x: np.ndarray,
    *,
    moving_mean: np.ndarray,
    moving_variance: np.ndarray,
    gamma: np.ndarray | None = None,
    beta: np.ndarray | None = None,
    epsilon: float = 1e-3,
    training: bool = False,
) -> np.ndarray:
    """By the batch's own moments in training, by the moving ones in inference."""
    mean, variance = moments(x) if training else (moving_mean, moving_variance)
    y = (x - mean) / np.sqrt(variance + epsilon)
    if gamma is not None:
        y = y * gamma
    return y if beta is None else y + beta


def moving_statistics(
    x: np.ndarray, moving_mean: np.ndarray, moving_variance: np.ndarray, momentum: float = 0.99, unbiased: bool = False
) -> dict[str, np.ndarray]:
    """The moving mean and variance after a training pass over x."""
    mean, variance = moments(x)
    count = x.size // x.shape[-1]
    if unbiased and count > 1:
        variance = variance * count / (count - 1)
    return {
        "moving_mean": momentum * moving_mean + (1 - momentum) * mean,
        "moving_variance": momentum * moving_variance + (1 - momentum) * variance,
    }
