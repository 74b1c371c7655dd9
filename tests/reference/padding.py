"""How a window slides over a map: sizes and zero padding as Keras has them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pair(value: int | Sequence[int]) -> tuple[int, int]:
    """One number represents the height and the width."""
    if isinstance(value, int | np.integer):
        return int(value), int(value)
    height, width = value
    return int(height), int(width)


Edges = int | Sequence[int] | Sequence[Sequence[int]]


def edges(value: Edges) -> tuple[tuple[int, int], tuple[int, int]]:
    """((top, bottom), (left, right)) of one number, (height, width) or the whole."""
    if isinstance(value, int):
        return (value, value), (value, value)
    first, second = ((v, v) if isinstance(v, int) else tuple(v) for v in value)
    return (first[0], first[1]), (second[0], second[1])


def extent(kernel: int, dilation: int) -> int:
    """The positions from the first tap of a dilated kernel to its last, both included."""
    return (kernel - 1) * dilation + 1


def output_size(size: int, kernel: int, stride: int, dilation: int, padding: str | tuple[int, int]) -> int:
    """The number of positions of the window: all that start on the map (`same`), or that are within it (`valid`), or
    within it and so many rows before and after."""
    if padding == "same":
        return -(-size // stride)
    return (size + sum(amounts(size, kernel, stride, dilation, padding)) - extent(kernel, dilation)) // stride + 1


def amounts(size: int, kernel: int, stride: int, dilation: int, padding: str | tuple[int, int]) -> tuple[int, int]:
    """Zeros before and after an axis. `same` needs so many that the last window fits; the odd one comes after."""
    if not isinstance(padding, str):
        return padding
    if padding == "valid":
        return 0, 0
    last = (output_size(size, kernel, stride, dilation, padding) - 1) * stride + extent(kernel, dilation)
    total = max(last - size, 0)
    return total // 2, total - total // 2


def windows(
    x: np.ndarray,
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilation: tuple[int, int],
    padding: str | Edges,
    fill: float = 0.0,
) -> np.ndarray:
    """For each tap of the kernel what it sees: (kernel height, kernel width, N, output height, output width, C).

    `padding` is a name, or margins as `edges` takes them.
    """
    by_axis = (padding, padding) if isinstance(padding, str) else edges(padding)
    height, width = (output_size(x.shape[1 + a], kernel[a], strides[a], dilation[a], by_axis[a]) for a in (0, 1))
    around = [amounts(x.shape[1 + a], kernel[a], strides[a], dilation[a], by_axis[a]) for a in (0, 1)]
    padded = np.pad(x, [(0, 0), *around, (0, 0)], constant_values=fill)
    seen = np.empty((*kernel, x.shape[0], height, width, x.shape[3]), x.dtype)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            top, left = i * dilation[0], j * dilation[1]
            bottom, right = top + (height - 1) * strides[0] + 1, left + (width - 1) * strides[1] + 1
            seen[i, j] = padded[:, top : bottom : strides[0], left : right : strides[1]]
    return seen
