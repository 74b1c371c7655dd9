"""Several arrays of one shape, element by element."""

from __future__ import annotations

import numpy as np


def add(*x: np.ndarray) -> np.ndarray:
    return np.sum(x, axis=0)


def subtract(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    return first - second


def mat_mul(a: np.ndarray, b: np.ndarray, transpose_b: bool = False) -> np.ndarray:
    return a @ (b.swapaxes(-1, -2) if transpose_b else b)


def multiply(*x: np.ndarray) -> np.ndarray:
    return np.prod(x, axis=0)


def average(*x: np.ndarray) -> np.ndarray:
    return np.mean(x, axis=0)


def maximum(*x: np.ndarray) -> np.ndarray:
    return np.max(x, axis=0)


def minimum(*x: np.ndarray) -> np.ndarray:
    return np.min(x, axis=0)
