"""The part of the page for a segmentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.cli._overlays import color_of
from striate.cli.report._images import colored, jpeg, within_budget
from striate.cli.report._intervals import Interval, bootstrap

if TYPE_CHECKING:
    from striate.cli._assess_masks import MaskAssessment

_SHOWN, _SIDE = 24, 512
_OPAQUE = 255
_MISSED, _INVENTED, _OTHER = (213, 94, 0, _OPAQUE), (0, 114, 178, _OPAQUE), (204, 121, 167, _OPAQUE)


def masks(result: MaskAssessment) -> dict[str, Any]:
    """The figures of a segmentation, for the page."""
    counts = _counts(result)
    metrics = result.metrics
    headline: list[dict[str, Any]] = [
        {"name": "Dice, mean of the classes", "value": metrics["macro"]["dice"], "kind": "share"},
        {"name": "IoU, mean of the classes", "value": metrics["macro"]["iou"], "kind": "share"},
        {"name": "pixels right", "value": metrics["accuracy"], "kind": "share"},
    ]
    for entry, value in zip(headline, (_dice, _iou, _right), strict=True):
        entry["interval"] = _interval(value, counts, 400)
    return {
        "headline": headline,
        "table": _table(result, counts),
        "matrix": result.matrix.tolist(),
        "cells": {},
        "samples": [],
        "masks": within_budget(_pictures(result, counts)),
        "colors": [list(color_of(max(number - 1, 0))) for number in range(len(result.class_names))],
    }


def _counts(result: MaskAssessment) -> NDArray[np.int64]:
    """(N, classes, 3): of each picture and class the pixels that are right, true, and predicted."""
    classes = len(result.class_names)
    out = np.zeros((len(result.labels), classes, 3), np.int64)
    for row, (truth, found) in enumerate(zip(result.labels, result.predicted, strict=True)):
        kept = np.ones(truth.shape, bool) if result.ignore_class is None else truth != result.ignore_class
        a, b = truth[kept].astype(np.int64), found[kept]
        out[row, :, 0] = np.bincount(a[a == b], minlength=classes)
        out[row, :, 1] = np.bincount(a, minlength=classes)
        out[row, :, 2] = np.bincount(b, minlength=classes)
    return out


def _interval(value: Callable[[NDArray[np.int64]], float], counts: NDArray[np.int64], draws: int) -> Interval:
    return bootstrap(lambda rows: value(counts[rows].sum(axis=0)), len(counts), draws)


def _mean(upper: NDArray[Any], lower: NDArray[Any]) -> float:
    there = lower > 0
    return float((upper[there] / lower[there]).mean()) if there.any() else float("nan")


def _dice(counts: NDArray[np.int64]) -> float:
    return _mean(2 * counts[:, 0], counts[:, 1] + counts[:, 2])


def _iou(counts: NDArray[np.int64]) -> float:
    return _mean(counts[:, 0], counts[:, 1] + counts[:, 2] - counts[:, 0])


def _right(counts: NDArray[np.int64]) -> float:
    return float(counts[:, 0].sum() / max(counts[:, 1].sum(), 1))


def _table(result: MaskAssessment, counts: NDArray[np.int64]) -> dict[str, Any]:
    rows = []
    for number, (name, figures) in enumerate(result.metrics["classes"].items()):
        own = counts[:, number : number + 1]
        row: list[Any] = [name]
        for key, value in (("dice", _dice), ("iou", _iou)):
            row.append({"value": figures[key], "interval": _interval(value, own, 200)})
        row += [{"value": figures[key], "interval": None} for key in ("precision", "sensitivity", "specificity")]
        rows.append([*row, int(figures["pixels"])])
    return {"head": ["class", "Dice", "IoU", "precision", "sensitivity", "specificity", "pixels"], "rows": rows}


def _pictures(result: MaskAssessment, counts: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
    """Pictures from the worst to the best: each with truth, prediction and difference as layers to lay over it."""
    marked = counts[:, 1:] if counts.shape[1] > 1 else counts
    dice = np.array([_dice(one) for one in marked])
    iou = np.array([_iou(one) for one in marked])
    order = np.argsort(np.nan_to_num(dice, nan=2.0), kind="stable")
    places = np.unique(np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(int))
    colors = {number: (*color_of(number - 1), _OPAQUE) for number in range(1, len(result.class_names))}
    for row in order[places].tolist():
        truth, found = result.labels[row].astype(np.int64), result.predicted[row]
        counted = np.ones(truth.shape, bool) if result.ignore_class is None else truth != result.ignore_class
        truth = np.where(counted, truth, 0)
        difference = np.zeros(truth.shape, np.int64)
        wrong = (truth != found) & counted
        difference[wrong & (found == 0)] = 1
        difference[wrong & (truth == 0)] = 2
        difference[wrong & (truth != 0) & (found != 0)] = 3
        yield {
            "file": result.part.name(row),
            "image": jpeg(result.images[row], _SIDE),
            "truth": colored(truth, colors),
            "predicted": colored(found, colors),
            "difference": colored(difference, {1: _MISSED, 2: _INVENTED, 3: _OTHER}),
            "dice": None if np.isnan(dice[row]) else round(float(dice[row]), 4),
            "iou": None if np.isnan(iou[row]) else round(float(iou[row]), 4),
            "size": list(truth.shape),
        }
