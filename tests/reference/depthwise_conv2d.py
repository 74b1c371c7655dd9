"""One kernel for each input channel, `depth_multiplier` of them."""

from __future__ import annotations

import numpy as np

from reference.activations import activate
from reference.conv2d import Pair
from reference.padding import Edges, pair, windows


def depthwise_conv2d(
    x: np.ndarray,
    *,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    strides: Pair = 1,
    padding: str | Edges = "valid",
    dilation_rate: Pair = 1,
    activation: str | None = None,
) -> np.ndarray:
    """x (N, H, W, C), kernel (h, w, C, m); output channel c * m + k is input channel c under kernel k."""
    seen = windows(x, kernel.shape[:2], pair(strides), pair(dilation_rate), padding)
    y = np.einsum("ijnhwc,ijcm->nhwcm", seen, kernel)
    y = y.reshape(*y.shape[:3], -1)
    return activate(activation, y if bias is None else y + bias)
