"""The loss of a detector without anchors: which location learns which box, and what it costs, one at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from reference.activations import sigmoid


def places(rows: int, columns: int, strides: Sequence[int]) -> list[tuple[int, int, int]]:
    """(row, column, stride) of every pixel of an output (rows, columns, ...), in its order."""
    height = next(h for h in range(1, rows + 1) if sum(h / 4**k for k in range(len(strides))) == rows)
    return [
        (row, column, stride)
        for level, stride in enumerate(strides)
        for row in range(height >> level)
        for column in range(columns >> level)
    ]


def assign(
    targets: np.ndarray, where: Sequence[tuple[int, int, int]], strides: Sequence[int], size_limit: float, radius: float
) -> list[int]:
    """For each place the row of `targets` (boxes, 5) that it answers for; -1 background, -2 within an ignored box."""
    found = [-1] * len(where)

    def inside(place: tuple[int, int, int], box: np.ndarray, most: float) -> bool:
        row, column, stride = place
        x, y = (column + 0.5) * stride, (row + 0.5) * stride
        near = max(abs(x - (box[0] + box[2]) / 2), abs(y - (box[1] + box[3]) / 2)) <= most * stride
        return bool(near and box[0] <= x <= box[2] and box[1] <= y <= box[3])

    for box in targets[targets[:, 4] < -1]:
        found = [-2 if inside(place, box, math.inf) else old for place, old in zip(where, found, strict=True)]
    sizes = (targets[:, 2] - targets[:, 0]) * (targets[:, 3] - targets[:, 1])
    for number in np.flatnonzero(targets[:, 4] >= 0):
        box = targets[number]
        side = max(box[2] - box[0], box[3] - box[1])
        own = next((s for s in strides if side <= size_limit * s), strides[-1])
        rows, columns = (1 + max(place[k] for place in where if place[2] == own) for k in range(2))
        row = min(max(int((box[1] + box[3]) / 2 // own), 0), rows - 1)
        column = min(max(int((box[0] + box[2]) / 2 // own), 0), columns - 1)
        for i, place in enumerate(where):
            if place[2] == own and (inside(place, box, radius) or place[:2] == (row, column)):
                old = found[i]
                if old < 0 or sizes[number] < sizes[old] or (sizes[number] == sizes[old] and number < old):
                    found[i] = int(number)
    return found


def corners(p: np.ndarray, place: tuple[int, int, int]) -> np.ndarray:
    """The box that a location tells of, in pixels."""
    row, column, stride = place
    centre = (np.array([column, row]) + 0.5 + p[:2]) * stride
    half = 0.5 * np.exp(np.minimum(p[2:4], 8.0)) * stride
    return np.concatenate([centre - half, centre + half])


def box_loss(a: np.ndarray, b: np.ndarray, kind: str) -> float:
    """Generalised (Rezatofighi et al., 2019) or complete (Zheng et al., 2020) IoU loss of two boxes."""
    (w, h), (u, v) = a[2:] - a[:2], b[2:] - b[:2]
    shared = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    span = np.maximum(a[2:], b[2:]) - np.minimum(a[:2], b[:2])
    whole = w * h + u * v - shared.prod()
    iou = shared.prod() / whole
    if kind == "giou":
        return float(1 - iou + (span.prod() - whole) / span.prod())
    far = np.sum(((a[:2] + a[2:]) / 2 - (b[:2] + b[2:]) / 2) ** 2) / np.sum(span**2)
    aspect = 4 / math.pi**2 * (math.atan(u / v) - math.atan(w / h)) ** 2
    return float(1 - iou + far + (aspect**2 / (1 - iou + aspect) if aspect else 0))


def detection(
    y: np.ndarray,
    p: np.ndarray,
    strides: Sequence[int] = (8, 16),
    box_loss: str = "giou",
    gamma: float = 2.0,
    alpha: float | None = 0.25,
    box_weight: float = 2.0,
    class_weight: float = 1.0,
    size_limit: float = 4.0,
    radius: float = 1.5,
    max_boxes: int = 100,
) -> np.ndarray:
    """`y` (N, max_boxes, 5), `p` (N, rows, columns, 5 + C). A value for each image, whose mean is the loss."""
    where = places(p.shape[1], p.shape[2], strides)
    rows = p.reshape(len(p), -1, p.shape[-1])
    answers = np.array([assign(targets, where, strides, size_limit, radius) for targets in y])
    score = rows[..., 4]
    right = np.where(answers >= 0, sigmoid(score), sigmoid(-score))
    surprise = np.logaddexp(0, np.where(answers >= 0, -score, score))
    weight = np.where(answers >= 0, 1.0 if alpha is None else alpha, 1.0 if alpha is None else 1 - alpha)
    values = (np.where(answers == -2, 0, weight) * (1 - right) ** gamma * surprise).sum(axis=1)
    for image, location in np.argwhere(answers >= 0):
        target, x = y[image, answers[image, location]], rows[image, location]
        values[image] += box_weight * _box(x, target, where[location], box_loss)
        logits = x[5:]
        values[image] += class_weight * (np.logaddexp.reduce(logits) - logits[int(target[4])])
    return values * len(p) / max(np.count_nonzero(answers >= 0), 1)


def _box(x: np.ndarray, target: np.ndarray, place: tuple[int, int, int], kind: str) -> float:
    return box_loss(corners(x, place), target[:4], kind)


def nearest_kink(y: np.ndarray, p: np.ndarray, strides: Sequence[int] = (8, 16), **args: float) -> float:
    """How far the predictions are from where the loss has no derivative: edges of two boxes in one place."""
    where = places(p.shape[1], p.shape[2], strides)
    rows = p.reshape(len(p), -1, p.shape[-1])
    least = math.inf
    rule = {"size_limit": args.get("size_limit", 4.0), "radius": args.get("radius", 1.5)}
    for image, targets in enumerate(y):
        for location, answer in enumerate(assign(targets, where, strides, **rule)):
            if answer >= 0:
                a, b = corners(rows[image, location], where[location]), targets[answer, :4]
                ends = np.abs(a - b)
                across = np.abs(np.concatenate([a[:2] - b[2:], a[2:] - b[:2]]))
                least = min(least, float(min(ends.min(), across.min()) / where[location][2]))
                least = min(least, float(np.abs(rows[image, location, 2:4] - 8.0).min()))
    return least
