"""The boxes that files give for an image, and how they follow the picture."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate.data.resize import Size, framed
from striate.detection.rule import Rows


class Target(NamedTuple):
    """The boxes of one image; M of them."""

    boxes: NDArray[np.float32]  # (M, 4)
    labels: NDArray[np.int64]  # (M,)
    crowd: NDArray[np.bool_]  # (M,)
    ignored: NDArray[np.bool_]  # (M,)
    areas: NDArray[np.float64]  # (M,)


def fit(boxes: Rows, size: Size, wanted: Size, crop: bool, pad: bool) -> Rows:
    """Boxes of an image of `size` in pixels of the image resized to `wanted`; after a crop they may be outside."""
    left, top, width, height = 0, 0, size[1], size[0]
    if (crop or pad) and size != wanted:
        left, top, width, height = framed(size, wanted, crop)
    scale = np.array([wanted[1] / width, wanted[0] / height] * 2)
    moved: Rows = (boxes - [left, top, left, top]) * scale
    return moved


def turned(boxes: Rows, size: Size, orientation: int) -> Rows:
    """Boxes that were drawn on the picture as it is stored, on the picture turned upright.

    Args:
        boxes: (M, 4): x1, y1, x2, y2.
        size: (height, width) as it is stored.
        orientation: EXIF's, 5 .. 8: those that swap height and width.
    """
    height, width = size
    x, y = boxes[:, [0, 2]], boxes[:, [1, 3]]
    if orientation in (6, 7):
        y = height - y[:, ::-1]
    if orientation in (7, 8):
        x = width - x[:, ::-1]
    return np.stack([y[:, 0], x[:, 0], y[:, 1], x[:, 1]], axis=1)
