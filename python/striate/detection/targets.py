"""Lists of boxes: checked, fixed by the rule, and packed into one array for the core."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._arrays import array_of
from striate.detection.boxes import as_boxes
from striate.detection.rule import fix_boxes

Packed = NDArray[np.float32]
"""(N, most, 5): x1, y1, x2, y2 and the class; -1 where there is no box, -2 - class for one that is ignored."""


class _Flat:
    """The boxes of all images, one after the other; M in all."""

    def __init__(self, targets: Any, what: str) -> None:
        if not isinstance(targets, Sequence) or isinstance(targets, (str, bytes)):
            raise TypeError(
                f"{what} must be a list with one (boxes (M, 4), labels (M,)) for each image, "
                f"got {type(targets).__name__}"
            )
        parts = [_checked(target, f"{what}: image {number}") for number, target in enumerate(targets)]
        self.count = len(parts)
        self.image = np.repeat(np.arange(self.count), [len(labels) for _, labels, _ in parts])
        self.boxes = np.concatenate([boxes for boxes, _, _ in parts]) if parts else np.zeros((0, 4))
        self.labels = np.concatenate([labels for _, labels, _ in parts]) if parts else np.zeros(0, np.int64)
        self.ignored = np.concatenate([ignored for _, _, ignored in parts]) if parts else np.zeros(0, np.bool_)
        wrong = ~np.isfinite(self.boxes).all(axis=1)
        if wrong.any():
            where = f"{what}: image {self.image[wrong][0]}"
            raise ValueError(f"{where} has the box {self.boxes[wrong][0].tolist()}; its numbers must be finite")

    def fix(self, size: tuple[int, int]) -> dict[str, int]:
        """Apply the rule; returns how many boxes it met."""
        # As the core will see them: a box may lose its extent in rounding.
        cut, kept, counts = fix_boxes(self.boxes.astype(np.float32).astype(np.float64), size, "")
        self.boxes, self.labels, self.ignored = cut[kept], self.labels[kept], self.ignored[kept]
        self.image = self.image[kept]
        return dict(counts)


def fix_targets(targets: Any, size: tuple[int, int]) -> tuple[list[tuple[Any, ...]], dict[str, int]]:
    """Apply the rule for boxes, as `fit` and `evaluate` do: one of zero or negative extent, or wholly outside the
    image, is dropped; one that reaches beyond the image is cut at its edge. Images without boxes stay, with none.

    Args:
        targets: a list with one `(boxes (M, 4), labels (M,))` or `(boxes, labels, ignored (M,))` for each image.
        size: (height, width) of the images.

    Returns:
        Such a list, and how many boxes were "clipped", "outside" and "degenerate".

    Raises:
        TypeError: the targets are not a list.
        ValueError: shapes do not fit, a coordinate is NaN or infinite, or a label is not a whole number of 0 or more.
    """
    flat = _Flat(targets, "fix_targets: targets")
    counts = flat.fix(size)
    bounds = np.searchsorted(flat.image, np.arange(1, flat.count))
    columns = (flat.boxes.astype(np.float32), flat.labels, flat.ignored)
    each = zip(*(np.split(column, bounds) for column in columns), strict=True) if flat.count else iter(())
    out = [one[: len(target)] for one, target in zip(each, targets, strict=True)]
    return out, counts


def pack(targets: Any, size: tuple[int, int], classes: int, most: int, what: str) -> tuple[Packed, dict[str, int]]:
    """One array of the boxes of all images, fixed by the rule.

    Args:
        targets: as for `fix_targets`; an array (N, most, 5) is passed on as it is.
        size: (height, width) of the images.
        classes: labels are 0 .. classes - 1.
        most: boxes that an image may have.
        what: whose, for messages.

    Returns:
        (N, most, 5), and how many boxes were fixed in each way.
    """
    if isinstance(targets, np.ndarray) and targets.dtype.kind in "fiu" and targets.shape[1:] == (most, 5):
        return np.ascontiguousarray(targets, np.float32), {}
    flat = _Flat(targets, what)
    above = flat.labels >= classes
    if above.any():
        raise ValueError(
            f"{what}: image {flat.image[above][0]} has the label {flat.labels[above][0]}, but the model has "
            f"{classes} class{'es' if classes > 1 else ''}: labels run from 0 to {classes - 1}"
        )
    counts = flat.fix(size)
    each = np.bincount(flat.image, minlength=flat.count)
    if each.size and each.max() > most:
        raise ValueError(
            f"{what}: image {int(each.argmax())} has {int(each.max())} boxes, the loss takes {most}; give it more: "
            f"DetectionLoss(max_boxes={int(each.max())})"
        )
    packed = np.zeros((flat.count, most, 5), np.float32)
    packed[..., 4] = -1.0
    place = np.arange(len(flat.image)) - (np.cumsum(each) - each)[flat.image]
    packed[flat.image, place, :4] = flat.boxes
    packed[flat.image, place, 4] = np.where(flat.ignored, -2 - flat.labels, flat.labels)
    return packed, counts


def unpack(packed: Packed) -> list[tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.bool_]]]:
    """One (boxes, labels, ignored) for each image, from what `pack` made."""
    label = packed[..., 4].astype(np.int64)
    there = label != -1
    image = np.repeat(np.arange(len(packed)), there.sum(axis=1))
    bounds = np.searchsorted(image, np.arange(1, len(packed)))
    label = label[there]
    columns = (packed[there][:, :4], np.where(label < 0, -2 - label, label), label < 0)
    return list(zip(*(np.split(column, bounds) for column in columns), strict=True)) if len(packed) else []


def _checked(target: Any, where: str) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]:
    if not isinstance(target, (tuple, list)) or len(target) not in (2, 3):
        raise ValueError(f"{where}: expected (boxes, labels) or (boxes, labels, ignored), got {_told(target)}")
    boxes = as_boxes(target[0], f"{where}: boxes")
    given = array_of(target[1], f"{where}: labels")
    if given.size == 0:
        given = np.zeros(0, np.int64)
    ignored = np.zeros(len(boxes), np.bool_)
    if len(target) == 3:
        ignored = array_of(target[2], f"{where}: ignored").reshape(-1).astype(np.bool_)
    for name, array in (("labels", given), ("ignored", ignored)):
        if array.shape != (len(boxes),):
            raise ValueError(f"{where}: {name} must be of shape ({len(boxes)},), one for each box, got {array.shape}")
    labels = given.astype(np.int64) if given.dtype.kind in "biuf" else None
    if labels is None or (labels != given).any() or (labels < 0).any():
        raise ValueError(f"{where}: labels must be whole numbers from 0 on, got {given.tolist()}")
    return boxes, labels, ignored


def _told(value: Any) -> str:
    return f"{len(value)} arrays" if isinstance(value, (tuple, list)) else type(value).__name__
