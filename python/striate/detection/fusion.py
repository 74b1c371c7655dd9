"""Weighted box fusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate.detection.boxes import Boxes, Detections, area, as_boxes

_OWNER = "weighted_boxes_fusion"


def weighted_boxes_fusion(
    detections: Sequence[Sequence[ArrayLike]],
    weights: Sequence[float] | None = None,
    iou_threshold: float = 0.55,
    score_threshold: float = 0.0,
    max_detections: int | None = None,
    boxes_per_object: int = 1,
) -> Detections:
    """Fuse what several models, or one model on several views, found in one image (Solovyev, Wang and Gabruseva,
    "Weighted boxes fusion: Ensembling boxes from different object detection models", Image and Vision Computing 107,
    2021).

    All boxes are taken in descending order of score times weight. A box joins the fused box of its class that it
    overlaps most, if by more than `iou_threshold`; otherwise it begins one. A fused box is the mean of its boxes,
    weighted by their scores times weights. Its score is the weighted mean of theirs, times the share of the models that
    found it: n boxes of N models count min(n, N) / N; with weights, their sum over the sum of all.

    Non-maximum suppression keeps one of the boxes instead; their mean fits objects better where boxes are uncertain.

    Args:
        detections: for each model or view (boxes (M, 4), labels (M,), scores (M,)), such as `Detections`: x1, y1, x2,
            y2 in pixels of the same image.
        weights: one positive number for each; None: all the same.
        iou_threshold: intersection over union from above which boxes are of one object, 0 .. 1.
        score_threshold: fused boxes that score less are left out, 0 .. 1.
        max_detections: at most so many fused boxes are kept, the best; None: any number.
        boxes_per_object: how many boxes of one object a model gives, K: the N of the share becomes N * K. 1 after
            non-maximum suppression; of the candidates of `decode(iou_threshold=1)`, the places of the maps that answer
            for an object, 9 with the `radius` of `DetectionLoss` of 1.5.

    Returns:
        Boxes float64 (K, 4), labels int64 (K,) and scores float64 (K,), best first.

    Raises:
        ValueError: there are no detections, shapes do not fit, a number is NaN, or an argument is out of its range.
    """
    given = [_checked(one, place) for place, one in enumerate(detections)]
    if not given:
        raise ValueError(f"{_OWNER} expects detections of at least one model or view, got none")
    shares = np.ones(len(given)) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (len(given),) or not (shares > 0).all() or not np.isfinite(shares).all():
        raise ValueError(f"{_OWNER} expects weights of {len(given)} positive numbers, got {weights}")
    for name, value in (("iou_threshold", iou_threshold), ("score_threshold", score_threshold)):
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{_OWNER} expects {name} within 0 .. 1, got {value}")
    if max_detections is not None and max_detections < 0:
        raise ValueError(f"{_OWNER} expects max_detections of 0 or more, got {max_detections}")
    if boxes_per_object < 1:
        raise ValueError(f"{_OWNER} expects boxes_per_object of 1 or more, got {boxes_per_object}")
    boxes, labels, scores = (np.concatenate([one[part] for one in given]) for part in range(3))
    weight = np.repeat(shares, [len(one.scores) for one in given])
    full = float(shares.sum()) * boxes_per_object
    fused = Detections(np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0))
    for label in np.unique(labels):
        own = labels == label
        corners, values = _fuse(boxes[own], scores[own], weight[own], full, iou_threshold)
        parts = (corners, np.full(len(values), label), values)
        fused = Detections(*(np.concatenate(pair) for pair in zip(fused, parts, strict=True)))
    order = np.argsort(-fused.scores, kind="stable")
    kept = order[fused.scores[order] >= score_threshold][:max_detections]
    return Detections(fused.boxes[kept], fused.labels[kept], fused.scores[kept])


def _fuse(
    boxes: Boxes, scores: NDArray[np.float64], weights: NDArray[np.float64], full: float, least: float
) -> tuple[Boxes, NDArray[np.float64]]:
    """Fused boxes of one class and their scores; `full` is the sum of weights at which a score is the mean."""
    order = np.argsort(-scores * weights, kind="stable")
    fused, sums = np.zeros((len(boxes), 4)), np.zeros((len(boxes), 4))
    areas, totals, among = (np.zeros(len(boxes)) for _ in range(3))
    size = area(boxes)
    found = 0
    for row in order.tolist():
        box, worth = boxes[row], scores[row] * weights[row]
        low, high = np.maximum(fused[:found, :2], box[:2]), np.minimum(fused[:found, 2:], box[2:])
        both = np.maximum(high - low, 0.0).prod(axis=1)
        whole = areas[:found] + size[row] - both
        overlap = np.divide(both, whole, out=np.zeros_like(both), where=both > 0)
        place = int(overlap.argmax()) if found else 0
        if not found or overlap[place] <= least:
            place, found = found, found + 1
        sums[place] += worth * box
        totals[place] += worth
        among[place] += weights[row]
        if totals[place] > 0:
            fused[place] = sums[place] / totals[place]
        elif among[place] == weights[row]:  # of boxes that score 0 the first one stays
            fused[place] = box
        areas[place] = float(np.maximum(fused[place, 2:] - fused[place, :2], 0.0).prod())
    return fused[:found], totals[:found] / among[:found] * np.minimum(among[:found] / full, 1.0)


def _checked(given: Any, place: int) -> Detections:
    """The detections of one model as arrays."""
    where = f"{_OWNER}: detections {place}"
    if not isinstance(given, (tuple, list)) or len(given) != 3:
        raise ValueError(f"{where}: expected (boxes (M, 4), labels (M,), scores (M,)), got {type(given).__name__}")
    boxes = as_boxes(given[0], f"{where}: boxes")
    labels, scores = np.atleast_1d(array_of(given[1], where)), np.atleast_1d(array_of(given[2], where))
    for name, array in (("labels", labels), ("scores", scores)):
        if array.shape != (len(boxes),):
            raise ValueError(f"{where}: {name} must be of shape ({len(boxes)},), one for each box, got {array.shape}")
    if not np.isfinite(boxes).all() or not ((scores >= 0) & (scores <= 1)).all():
        raise ValueError(f"{where}: expected finite boxes and scores within 0 .. 1")
    return Detections(boxes, labels.astype(np.int64), scores.astype(np.float64))
