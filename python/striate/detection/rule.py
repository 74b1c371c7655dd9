"""The rule for boxes that reach beyond their image or have no extent."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

FIXES = ("clipped", "outside", "degenerate")
Rows = NDArray[np.float64]
"""(M, 4): x1, y1, x2, y2."""


class TargetError(ValueError):
    """Boxes that cannot be used; the message names the file."""


def fix_boxes(boxes: Rows, size: tuple[int, int], path: str) -> tuple[Rows, NDArray[np.bool_], Counter[str]]:
    """Apply the rule for boxes: an extent of zero or below, or none left inside the image, is dropped; what reaches
    beyond the image is cut at its edge.

    Args:
        boxes: (M, 4): x1, y1, x2, y2.
        size: (height, width) of the image.
        path: for the message.

    Returns:
        The boxes cut, which of them are kept (M,), and how many were fixed in each way of `FIXES`.

    Raises:
        TargetError: a coordinate is NaN or infinite.
    """
    if not np.isfinite(boxes).all():
        wrong = boxes[~np.isfinite(boxes).all(axis=1)][0]
        raise TargetError(f"{path} has the box {wrong.tolist()}; its numbers must be finite")
    height, width = size
    cut = np.clip(boxes, 0.0, [width, height, width, height])
    degenerate = (boxes[:, 2:] <= boxes[:, :2]).any(axis=1)
    outside = ~degenerate & (cut[:, 2:] <= cut[:, :2]).any(axis=1)
    kept: NDArray[np.bool_] = np.logical_not(degenerate | outside)
    clipped = kept & (cut != boxes).any(axis=1)
    counts = {"clipped": clipped, "outside": outside, "degenerate": degenerate}
    return cut, kept, Counter({name: int(marks.sum()) for name, marks in counts.items()})
