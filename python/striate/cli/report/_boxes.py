"""The part of the page for a detector."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate.cli._overlays import color_of
from striate.cli.report._images import jpeg, within_budget
from striate.cli.report._intervals import bootstrap
from striate.detection import iou

if TYPE_CHECKING:
    from striate.cli._assess_boxes import BoxAssessment

_SHOWN, _SIDE, _LEAST, _MOST_BOXES = 24, 640, 0.05, 300
_OVERLAP = 0.5


def boxes(result: BoxAssessment) -> dict[str, Any]:
    """The figures of a detector, for the page."""
    matched = [_matched(one, labels) for one, labels in zip(result.found, result.labels, strict=True)]
    metrics, score = result.metrics, float(result.metrics["score_threshold"])
    classes = len(result.class_names)

    def average(rows: NDArray[np.int64]) -> float:
        return _average_precision([matched[row] for row in rows.tolist()], classes)

    def share(rows: NDArray[np.int64], which: str) -> float:
        right = wrong = objects = 0
        for row in rows.tolist():
            scores, correct, _, total = matched[row]
            kept = scores >= score
            right, wrong = right + int(correct[kept].sum()), wrong + int((~correct[kept]).sum())
            objects += int(total.sum())
        below = right + wrong if which == "precision" else objects
        return right / below if below else float("nan")

    count = len(matched)
    everything = np.arange(count)
    headline = [
        {"name": "AP50", "value": metrics["AP50"], "interval": bootstrap(average, count, 100), "kind": "share"},
        {"name": "AP (COCO)", "value": metrics["AP"], "interval": None, "kind": "share"},
    ]
    for which in ("precision", "sensitivity"):
        interval = bootstrap(partial(share, which=which), count, 200)
        name = f"{which} at a score of {score:g}"
        headline.append({"name": name, "value": share(everything, which), "interval": interval, "kind": "share"})
    return {
        "headline": headline,
        "table": _table(result),
        "curves": _curves(matched, result.class_names),
        "detections": within_budget(_pictures(result)),
        "colors": [list(color_of(number)) for number in range(classes)],
        "score": score,
    }


_Matched = tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.int64], NDArray[np.int64]]


def _matched(found: Any, target: Any) -> _Matched:
    """Scores of the detections, which of them are right, their classes, and the objects of each class. Detections of
    ignored objects are left out."""
    truth, labels, ignored = (np.asarray(part) for part in target)
    scores, kinds = np.asarray(found.scores, np.float64), np.asarray(found.labels, np.int64)
    order = np.argsort(-scores, kind="stable")
    overlap = iou(np.asarray(found.boxes), truth, ignored) if len(truth) else np.zeros((len(scores), 0))
    free, right, kept = ~ignored.astype(bool), np.zeros(len(scores), bool), np.ones(len(scores), bool)
    for row in order.tolist():
        same = labels == kinds[row]
        fits = np.where(free & same, overlap[row], 0.0)
        if fits.size and fits.max() >= _OVERLAP:
            free[int(fits.argmax())] = False
            right[row] = True
        elif (ignored & same & (overlap[row] >= _OVERLAP)).any():
            kept[row] = False
    highest = int(max(kinds.max(initial=-1), labels.max(initial=-1))) + 1
    objects = np.bincount(labels[~ignored.astype(bool)].astype(np.int64), minlength=highest)
    return scores[kept], right[kept], kinds[kept], objects


def _average_precision(matched: list[_Matched], classes: int) -> float:
    """The mean over classes of the area below the precision-recall curve, at an overlap of a half."""
    scores, right, kinds = (np.concatenate([one[part] for one in matched]) for part in range(3))
    objects = np.zeros(classes, np.int64)
    for one in matched:
        objects[: len(one[3])] += one[3]
    values = []
    for kind in np.flatnonzero(objects).tolist():
        own = kinds == kind
        order = np.argsort(-scores[own], kind="stable")
        correct = right[own][order]
        if not len(correct):
            values.append(0.0)
            continue
        found = np.cumsum(correct)
        precision = np.maximum.accumulate((found / np.arange(1, len(found) + 1))[::-1])[::-1]
        places = np.searchsorted(found / objects[kind], np.linspace(0, 1, 101), "left")
        values.append(float(np.append(precision, 0.0)[places].mean()))
    return float(np.mean(values)) if values else float("nan")


def _table(result: BoxAssessment) -> dict[str, Any]:
    keys = ("ap50", "ap", "precision", "sensitivity", "f1")
    rows = [
        [name, *({"value": figures[key], "interval": None} for key in keys), int(figures["objects"])]
        for name, figures in result.metrics["classes"].items()
    ]
    return {"head": ["class", "AP50", "AP", "precision", "sensitivity", "F1", "objects"], "rows": rows}


def _curves(matched: list[_Matched], class_names: list[str]) -> list[dict[str, Any]]:
    """Of all classes together and of each: right and wrong detections from each score on."""
    scores, right, kinds = (np.concatenate([one[part] for one in matched]) for part in range(3))
    objects = np.zeros(len(class_names), np.int64)
    for one in matched:
        objects[: len(one[3])] += one[3]
    curves = []
    groups = [("all classes", np.ones(len(kinds), bool), int(objects.sum()))] if len(class_names) > 1 else []
    groups += [(name, kinds == number, int(objects[number])) for number, name in enumerate(class_names[:30])]
    for name, own, total in groups:
        if total:
            thresholds = np.unique(np.round(np.append(np.linspace(0, 1, 101), scores[own & right]), 3))
            thresholds = thresholds if len(thresholds) <= 200 else np.linspace(0, 1, 101)
            good, bad = np.sort(scores[own & right]), np.sort(scores[own & ~right])
            curves.append(
                {
                    "name": name,
                    "thresholds": thresholds.tolist(),
                    "tp": (len(good) - np.searchsorted(good, thresholds, "left")).tolist(),
                    "fp": (len(bad) - np.searchsorted(bad, thresholds, "left")).tolist(),
                    "positives": total,
                }
            )
    return curves


def _pictures(result: BoxAssessment) -> Iterator[dict[str, Any]]:
    places = np.unique(np.linspace(0, len(result.images) - 1, min(_SHOWN, len(result.images))).round().astype(int))
    for row in places.tolist():
        found, (truth, labels, ignored) = result.found[row], result.labels[row]
        kept = [index for index in np.argsort(-np.asarray(found.scores)).tolist() if found.scores[index] >= _LEAST]
        yield {
            "file": result.part.name(row),
            "image": jpeg(result.images[row], _SIDE),
            "size": list(result.images[row].shape[:2]),
            "found": [
                [*_rounded(found.boxes[i]), int(found.labels[i]), round(float(found.scores[i]), 3)]
                for i in kept[:_MOST_BOXES]
            ],
            "truth": [
                [*_rounded(box), int(label), bool(skip)]
                for box, label, skip in zip(truth, labels, ignored, strict=True)
            ],
        }


def _rounded(box: Any) -> list[float]:
    return [round(float(side), 1) for side in box]
