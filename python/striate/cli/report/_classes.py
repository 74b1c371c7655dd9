"""The part of the page for a classifier."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.cli.report._images import jpeg
from striate.cli.report._intervals import bootstrap, wilson
from striate.metrics import AUC

if TYPE_CHECKING:
    from striate.cli._assess import Assessment

_THUMB, _MOST_THUMBS, _IN_CELL, _MISTAKES = 96, 320, 12, 12
_CURVES, _POINTS, _BINS = 30, 101, 10


def classes(result: Assessment) -> dict[str, Any]:
    """The figures of a classifier, for the page."""
    count, right = len(result.labels), int(np.trace(result.matrix))
    metrics = result.metrics
    labels, probabilities = result.labels, result.probabilities

    def area(rows: NDArray[np.int64]) -> float:
        metric = AUC()
        metric.update_state(labels[rows], probabilities[rows])
        return float(np.asarray(metric.result()))

    samples, cells, mistakes = _samples(result)
    correct = probabilities.argmax(axis=1) == labels
    headline = [
        {"name": "accuracy", "value": right / count, "interval": wilson(right, count), "kind": "share"},
        {"name": "F1, mean of the classes", "value": metrics["macro"]["f1"], "interval": None, "kind": "share"},
        {"name": "AUC", "value": metrics["auc"], "interval": _quick(area, count), "kind": "number"},
        {"name": "cross-entropy (nats)", "value": metrics["loss"], "interval": None, "kind": "number"},
    ]
    return {
        "headline": headline,
        "table": _table(result),
        "matrix": result.matrix.tolist(),
        "cells": cells,
        "mistakes": mistakes,
        "samples": samples,
        "curves": _curves(result),
        "calibration": calibration(probabilities.max(axis=1), correct),
    }


def _quick(value: Any, count: int) -> Any:
    """Large parts need fewer samples: each takes longer and differs less."""
    return bootstrap(value, count, draws=200 if count <= 2000 else 40)


def _table(result: Assessment) -> dict[str, Any]:
    """Each class's figures, with intervals of those that are shares of pictures."""
    rows = []
    for number, (name, figures) in enumerate(result.metrics["classes"].items()):
        right, true = int(result.matrix[number, number]), int(result.matrix[number].sum())
        called = int(result.matrix[:, number].sum())
        rows.append(
            [
                name,
                {"value": figures["precision"], "interval": wilson(right, called)},
                {"value": figures["sensitivity"], "interval": wilson(right, true)},
                {"value": figures["specificity"], "interval": None},
                {"value": figures["f1"], "interval": None},
                int(figures["support"]),
            ]
        )
    return {"head": ["class", "precision", "sensitivity", "specificity", "F1", "images"], "rows": rows}


def _samples(result: Assessment) -> tuple[list[dict[str, Any]], dict[str, list[int]], dict[str, list[int]]]:
    """Pictures, the numbers of those in each cell of the confusion matrix, and the surest mistakes of each class."""
    labels, predicted = result.labels, result.predicted
    sure = result.probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    wrong = order[predicted[order] != labels[order]]
    chosen: dict[int, int] = {}
    samples: list[dict[str, Any]] = []

    def place(row: int) -> int | None:
        if row not in chosen:
            if len(samples) >= _MOST_THUMBS:
                return None
            chosen[row] = len(samples)
            samples.append(
                {
                    "file": result.part.name(row),
                    "image": jpeg(result.images[row], _THUMB),
                    "truth": int(labels[row]),
                    "predicted": int(predicted[row]),
                    "probability": round(float(sure[row]), 4),
                    "of_truth": round(float(result.probabilities[row, labels[row]]), 4),
                }
            )
        return chosen[row]

    def places(rows: NDArray[np.int64]) -> list[int]:
        return [found for row in rows.tolist() if (found := place(row)) is not None]

    mistakes = {}
    for number in range(len(result.class_names)):
        mistakes[str(number)] = places(wrong[labels[wrong] == number][:_MISTAKES])
    cells = {}
    pairs = np.argwhere(result.matrix > 0).tolist()
    for true, called in sorted(pairs, key=lambda pair: pair[0] == pair[1]):  # the mistakes first
        rows = order[(labels[order] == true) & (predicted[order] == called)]
        cells[f"{true},{called}"] = places(rows[: _IN_CELL if true != called else 6])
    return samples, cells, mistakes


def _curves(result: Assessment) -> list[dict[str, Any]]:
    """Of each class: right and wrong pictures from each threshold of its probability on."""
    curves = []
    for number, name in enumerate(result.class_names[:_CURVES]):
        positive = result.labels == number
        if positive.all() or not positive.any():
            continue
        curves.append({"name": name, **threshold_counts(result.probabilities[:, number], positive)})
    return curves


def threshold_counts(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> dict[str, Any]:
    """How many positives and negatives score a threshold or more.

    The thresholds are quantiles of the scores, with 0 and 1, so that a curve through them has no gaps.
    """
    quantiles = np.quantile(np.concatenate([scores[positive], scores]), np.linspace(0, 1, _POINTS))
    thresholds = np.unique(np.round(np.concatenate([[0.0, 0.5, 1.0], quantiles]), 5))
    right, wrong = np.sort(scores[positive]), np.sort(scores[~positive])
    return {
        "thresholds": thresholds.tolist(),
        "tp": (len(right) - np.searchsorted(right, thresholds, "left")).tolist(),
        "fp": (len(wrong) - np.searchsorted(wrong, thresholds, "left")).tolist(),
        "positives": len(right),
        "negatives": len(wrong),
    }


def calibration(sure: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, Any]:
    """How often predictions of about the same probability are right; and the expected calibration error: the mean
    difference between the two (M. P. Naeini et al., AAAI 2015)."""
    bins = np.minimum((sure * _BINS).astype(int), _BINS - 1)
    rows, error = [], 0.0
    for number in range(_BINS):
        inside = bins == number
        count = int(inside.sum())
        if not count:
            continue
        mean, share = float(sure[inside].mean()), float(right[inside].mean())
        error += abs(mean - share) * count / len(sure)
        interval = wilson(int(right[inside].sum()), count)
        rows.append({"low": number / _BINS, "mean": mean, "share": share, "count": count, "interval": interval})
    return {"bins": rows, "error": error}
