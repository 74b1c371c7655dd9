"""The fully connected layer."""

from __future__ import annotations

import numpy as np

from reference.activations import activate


def dense(
    x: np.ndarray, *, kernel: np.ndarray, bias: np.ndarray | None = None, activation: str | None = None
) -> np.ndarray:
    """x (..., in), kernel (in, out)."""
    y = x @ kernel
    return activate(activation, y if bias is None else y + bias)
