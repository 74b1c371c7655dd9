"""Boxes and their overlaps."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate import _core
from striate._arrays import array_of

Boxes = NDArray[np.float64]


class Detections(NamedTuple):
    """The objects found in one image: M boxes, in descending order of score if a detector made them."""

    boxes: NDArray[Any]
    """(M, 4): x1, y1, x2, y2 in pixels."""
    labels: NDArray[Any]
    """(M,): class numbers."""
    scores: NDArray[Any]
    """(M,): the higher, the surer."""


def iou(a: ArrayLike, b: ArrayLike, crowd: ArrayLike | None = None) -> Boxes:
    """Intersection over union (Jaccard 1901) of every box of `a` with every box of `b`.

    Args:
        a: (N, 4): x1, y1, x2, y2.
        b: (M, 4).
        crowd: (M,): which boxes of `b` represent a crowd. A crowd is divided by the area of the box of `a` instead of
            the union, as in COCO's evaluation: being part of it is all that can be asked. None: none.

    Returns:
        float64 (N, M), 0 .. 1. A box without extent overlaps nothing.

    Raises:
        ValueError: the boxes are not (N, 4), or `crowd` is not (M,).
    """
    first, second = as_boxes(a, "iou: a"), as_boxes(b, "iou: b")
    marks = None
    if crowd is not None:
        marks = np.ascontiguousarray(array_of(crowd, "iou: crowd"), dtype=np.bool_)
        if marks.shape != (len(second),):
            raise ValueError(f"iou expects crowd of shape ({len(second)},), got {marks.shape}")
    return _core.iou(first, second, marks)


def clip(boxes: ArrayLike, height: float, width: float) -> Boxes:
    """Boxes (M, 4), clipped to the picture 0 .. width, 0 .. height; boxes outside it get an area of 0."""
    return np.clip(as_boxes(boxes, "clip: boxes"), 0.0, [width, height, width, height])


def area(boxes: Boxes) -> Boxes:
    """The area of each box; 0 for those without extent."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0.0)
    product: Boxes = sides[:, 0] * sides[:, 1]
    return product


def as_boxes(boxes: ArrayLike, what: str) -> Boxes:
    """Boxes as float64 (M, 4); an empty list is no boxes."""
    array = np.ascontiguousarray(array_of(boxes, what), dtype=np.float64)
    if array.size == 0 and array.ndim < 2:
        return np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f"{what} must be boxes (M, 4): x1, y1, x2, y2; got shape {array.shape}")
    return array
