"""Errors of numbers, averaged over the last axis."""

from __future__ import annotations

import numpy as np


def mean_squared_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return ((p - y) ** 2).mean(axis=-1)


def mean_absolute_error(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    return np.abs(p - y).mean(axis=-1)


def huber(y: np.ndarray, p: np.ndarray, delta: float = 1.0) -> np.ndarray:
    """A parabola up to `delta`, its tangent beyond (Huber, 1964)."""
    error = np.abs(p - y)
    return np.where(error <= delta, error**2 / 2, delta * error - delta**2 / 2).mean(axis=-1)


def kl_divergence(y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """The sum over the last axis (Kullback and Leibler, 1951), of shares within 1e-7 to 1."""
    y, p = np.clip(y, 1e-7, 1), np.clip(p, 1e-7, 1)
    return (y * np.log(y / p)).sum(axis=-1)
