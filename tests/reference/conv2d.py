"""Convolution as networks have it: a correlation, the kernel not flipped."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.activations import activate
from reference.padding import Edges, pair, windows

Pair = int | Sequence[int]


def conv2d(
    x: np.ndarray,
    *,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    strides: Pair = 1,
    padding: str | Edges = "valid",
    dilation_rate: Pair = 1,
    groups: int = 1,
    activation: str | None = None,
) -> np.ndarray:
    """x (N, H, W, in), kernel (h, w, in / groups, out); group g maps the g-th part of `in` to that of `out`."""
    seen = windows(x, kernel.shape[:2], pair(strides), pair(dilation_rate), padding)
    parts = zip(np.split(seen, groups, axis=-1), np.split(kernel, groups, axis=-1), strict=True)
    y = np.concatenate([np.einsum("ijnhwc,ijco->nhwo", s, k, optimize=True) for s, k in parts], axis=-1)
    return activate(activation, y if bias is None else y + bias)
