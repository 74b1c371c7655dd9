"""Boxes: overlap and suppression, one pair at a time."""

from __future__ import annotations

import numpy as np


def box_iou(a: np.ndarray, b: np.ndarray, crowd: bool = False) -> float:
    """Of two boxes (x1, y1, x2, y2): what they share, over what they cover together; over `a` alone for a crowd."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    area_a, area_b = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    return width * height / (area_a if crowd else area_a + area_b - width * height)


def iou(a: np.ndarray, b: np.ndarray, crowd: np.ndarray | None = None) -> np.ndarray:
    marks = np.zeros(len(b), bool) if crowd is None else crowd
    return np.array([[box_iou(one, two, mark) for two, mark in zip(b, marks, strict=True)] for one in a]).reshape(
        len(a), len(b)
    )


def nms(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou_threshold: float) -> list[int]:
    """Greedy, class by class: the numbers of the kept boxes, best first."""
    kept: list[int] = []
    for index in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        rivals = [other for other in kept if labels[other] == labels[index]]
        if all(box_iou(boxes[other], boxes[index]) <= iou_threshold for other in rivals):
            kept.append(index)
    return kept
