"""Transposed convolution: each input pixel adds its multiple of the kernel to the output."""

from __future__ import annotations

import numpy as np

from reference.activations import activate
from reference.conv2d import Pair
from reference.padding import extent, pair


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: str, output_padding: int | None) -> int:
    """Keras's rule. Without `output_padding`: stride times the size, and in `valid` the rest of a longer kernel."""
    reach = extent(kernel, dilation)
    if output_padding is None:
        return size * stride + (max(reach - stride, 0) if padding == "valid" else 0)
    whole = (size - 1) * stride + reach + output_padding
    return whole if padding == "valid" else whole - 2 * (reach // 2)


def conv2d_transpose(
    x: np.ndarray,
    *,
    kernel: np.ndarray,
    bias: np.ndarray | None = None,
    strides: Pair = 1,
    padding: str = "valid",
    output_padding: Pair | None = None,
    dilation_rate: Pair = 1,
    activation: str | None = None,
) -> np.ndarray:
    """x (N, H, W, in), kernel (h, w, out, in).

    What all pixels reach is laid out, and the output is a part of it: from the start in `valid`; in `same` without
    what the convolution that this transposes would have padded, of which half, rounded down, is before the map.
    """
    steps, dilation = pair(strides), pair(dilation_rate)
    extra = (None, None) if output_padding is None else pair(output_padding)
    sizes, cut, canvas = [], [], []
    for axis in (0, 1):
        size, taps, step = x.shape[1 + axis], kernel.shape[axis], steps[axis]
        size_out = output_size(size, taps, step, dilation[axis], padding, extra[axis])
        reached = (size - 1) * step + extent(taps, dilation[axis])
        sizes.append(size_out)
        cut.append(max(reached - size_out, 0) // 2 if padding == "same" else 0)
        canvas.append(max(reached, cut[-1] + size_out))
    whole = np.zeros((x.shape[0], *canvas, kernel.shape[2]))
    for i in range(kernel.shape[0]):
        for j in range(kernel.shape[1]):
            rows = slice(i * dilation[0], i * dilation[0] + (x.shape[1] - 1) * steps[0] + 1, steps[0])
            columns = slice(j * dilation[1], j * dilation[1] + (x.shape[2] - 1) * steps[1] + 1, steps[1])
            whole[:, rows, columns] += x @ kernel[i, j].T
    y = whole[:, cut[0] : cut[0] + sizes[0], cut[1] : cut[1] + sizes[1]]
    return activate(activation, y if bias is None else y + bias)
