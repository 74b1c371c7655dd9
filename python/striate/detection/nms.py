"""Non-maximum suppression."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate import _core
from striate._arrays import array_of
from striate.detection.boxes import as_boxes


def nms(
    boxes: ArrayLike,
    scores: ArrayLike,
    labels: ArrayLike | None = None,
    iou_threshold: float = 0.5,
    score_threshold: float | None = None,
    max_detections: int | None = None,
) -> NDArray[np.int64]:
    """Non-maximum suppression: the boxes that overlap no box of their class with a higher score by more than the
    threshold.

    Args:
        boxes: (M, 4): x1, y1, x2, y2.
        scores: (M,).
        labels: (M,): boxes of different classes leave each other alone. None: all are of one class.
        iou_threshold: intersection over union from above which the worse box goes, 0 .. 1.
        score_threshold: boxes that score less are left out beforehand; None: none.
        max_detections: at most so many are kept, the best; None: any number.

    Returns:
        int64 (K,): the numbers of the boxes that are kept, best first; of equal scores the lower number is better.

    Raises:
        ValueError: the shapes do not fit, a box or a score is NaN, or a threshold is out of its range.
    """
    rows = as_boxes(boxes, "nms: boxes")
    values = np.asarray(array_of(scores, "nms: scores"), dtype=np.float64)
    if values.size == 0 and values.ndim < 2:
        values = values.reshape(-1)
    classes = np.zeros(len(rows), np.int64) if labels is None else np.atleast_1d(array_of(labels, "nms: labels"))
    for name, array in (("scores", values), ("labels", classes)):
        if array.shape != (len(rows),):
            raise ValueError(f"nms expects {name} of shape ({len(rows)},), one for each box, got {array.shape}")
    if np.isnan(rows).any() or np.isnan(values).any():
        raise ValueError("nms expects boxes and scores without NaN")
    if not 0.0 <= iou_threshold <= 1.0:
        raise ValueError(f"nms expects iou_threshold within 0 .. 1, got {iou_threshold}")
    if max_detections is not None and max_detections < 0:
        raise ValueError(f"nms expects max_detections of 0 or more, got {max_detections}")
    if classes.dtype.kind not in "iub":
        classes = np.unique(classes, return_inverse=True)[1]
    whole = np.ascontiguousarray(classes, np.int64)
    return _core.nms(rows, np.ascontiguousarray(values), whole, iou_threshold, score_threshold, max_detections)
