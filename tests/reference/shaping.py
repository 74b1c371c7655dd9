"""Layers that move no number: only the shape changes, or several arrays become one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def flatten(x: np.ndarray) -> np.ndarray:
    return x.reshape(x.shape[0], -1)


def reshape(x: np.ndarray, target_shape: Sequence[int]) -> np.ndarray:
    """`target_shape` is without the batch; one size may be -1."""
    return x.reshape(x.shape[0], *target_shape)


def take(x: np.ndarray, indices: Sequence[int], axis: int = -1) -> np.ndarray:
    return np.take(x, indices, axis=axis)


def permute(x: np.ndarray, dims: Sequence[int]) -> np.ndarray:
    """`dims` counts from 1, as the batch is 0 and stays."""
    return x.transpose(0, *dims)


def concatenate(*x: np.ndarray, axis: int = -1) -> np.ndarray:
    return np.concatenate(x, axis=axis)
