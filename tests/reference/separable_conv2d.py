"""A depthwise convolution and a 1×1 convolution over what it gives; bias and activation come last."""

from __future__ import annotations

import numpy as np

from reference.conv2d import Pair, conv2d
from reference.depthwise_conv2d import depthwise_conv2d
from reference.padding import Edges


def separable_conv2d(
    x: np.ndarray,
    *,
    depthwise_kernel: np.ndarray,
    pointwise_kernel: np.ndarray,
    bias: np.ndarray | None = None,
    strides: Pair = 1,
    padding: str | Edges = "valid",
    dilation_rate: Pair = 1,
    activation: str | None = None,
) -> np.ndarray:
    """depthwise_kernel (h, w, in, m), pointwise_kernel (1, 1, in * m, out)."""
    each = depthwise_conv2d(x, kernel=depthwise_kernel, strides=strides, padding=padding, dilation_rate=dilation_rate)
    return conv2d(each, kernel=pointwise_kernel, bias=bias, activation=activation)
