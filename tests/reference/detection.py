"""Boxes: overlap, suppression and what a detector's output tells, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.losses.detection import corners, places


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


def decode(
    output: np.ndarray, strides: Sequence[int], score_threshold: float, iou_threshold: float
) -> list[list[tuple[np.ndarray, int, float]]]:
    """(box, label, score) of every kept location of each image, best first."""
    where = places(output.shape[1], output.shape[2], strides)
    height = (1 + max(row for row, _, stride in where if stride == strides[0])) * strides[0]
    edge = [output.shape[2] * strides[0], height] * 2
    found = []
    for image in output.astype(np.float64).reshape(len(output), len(where), output.shape[-1]):
        all_of_it = []
        for x, place in zip(image, where, strict=True):
            odds = np.exp(x[5:] - np.logaddexp.reduce(x[5:]))
            score = float(odds.max() / (1 + np.exp(-x[4])))
            box = np.clip(corners(x, place), 0, edge)
            if score >= score_threshold and (box[2:] > box[:2]).all():
                all_of_it.append((box, int(odds.argmax()), score))
        boxes, labels, scores = ([one[k] for one in all_of_it] for k in range(3))
        kept = nms(np.array(boxes), np.array(scores), np.array(labels), iou_threshold)
        found.append([all_of_it[k] for k in kept])
    return found


def weighted_boxes_fusion(
    found: list[tuple[np.ndarray, np.ndarray, np.ndarray]], weights: Sequence[float], iou_threshold: float, each: int
) -> list[tuple[np.ndarray, int, float]]:
    """(box, label, score) of every fused box, best first: the clusters of the paper, one box at a time."""
    rows = [
        (float(score) * weight, weight, box, int(label))
        for (boxes, labels, scores), weight in zip(found, weights, strict=True)
        for box, label, score in zip(boxes, labels, scores, strict=True)
    ]
    clusters: list[list[tuple[float, float, np.ndarray, int]]] = []
    for row in sorted(rows, key=lambda one: -one[0]):
        overlaps = [box_iou(fused_box(cluster), row[2]) if cluster[0][3] == row[3] else -1.0 for cluster in clusters]
        if overlaps and max(overlaps) > iou_threshold:
            clusters[int(np.argmax(overlaps))].append(row)
        else:
            clusters.append([row])
    out = []
    for cluster in clusters:
        among = sum(weight for _, weight, _, _ in cluster)
        score = (
            sum(worth for worth, _, _, _ in cluster) / among * min(among, each * sum(weights)) / (each * sum(weights))
        )
        out.append((fused_box(cluster), cluster[0][3], score))
    return sorted(out, key=lambda one: -one[2])


def fused_box(cluster: list[tuple[float, float, np.ndarray, int]]) -> np.ndarray:
    worth = np.array([row[0] for row in cluster])
    return np.average([row[2] for row in cluster], axis=0, weights=worth) if worth.sum() > 0 else cluster[0][2]
