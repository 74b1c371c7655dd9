"""Adding and taking away rows and columns at the edges of a map."""

from __future__ import annotations

import numpy as np

from reference.padding import Edges, edges


def zero_padding2d(x: np.ndarray, padding: Edges = 1) -> np.ndarray:
    return np.pad(x, [(0, 0), *edges(padding), (0, 0)])


def cropping2d(x: np.ndarray, cropping: Edges = 0) -> np.ndarray:
    (top, bottom), (left, right) = edges(cropping)
    return x[:, top : x.shape[1] - bottom, left : x.shape[2] - right]
