"""Adding and taking away rows and columns at the edges of a map."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Edges = int | Sequence[int] | Sequence[Sequence[int]]


def edges(value: Edges) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) of one number, (height, width) or the whole."""
    if isinstance(value, int):
        return (value, value), (value, value)
    first, second = ((v, v) if isinstance(v, int) else tuple(v) for v in value)
    return (first[0], first[1]), (second[0], second[1])


def zero_padding2d(x: np.ndarray, padding: Edges = 1) -> np.ndarray:
    return np.pad(x, [(0, 0), *edges(padding), (0, 0)])


def cropping2d(x: np.ndarray, cropping: Edges = 0) -> np.ndarray:
    (top, bottom), (left, right) = edges(cropping)
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]
