"""How good a detector is: average precision, what is found at the score that pictures show, and the pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import viz
from striate.cli._assess import percent
from striate.cli._boxes import BoxPart
from striate.cli._table import table
from striate.detection import Detections, detect, iou
from striate.metrics import MeanAveragePrecision

SCORE = 0.3  # from here on a detection is shown and counted
_OVERLAP = 0.5
_LEAST = 0.01  # of detections for the average precision
_FIGURES = ("ap", "ap50", "precision", "sensitivity", "f1")
_SHOWN = 9


@dataclass
class BoxAssessment:
    """What was found beside the truth.

    Attributes:
        images: (N, H, W, C).
        found: one `Detections` a picture, of a score of 0.01 or more.
        metrics: average precision (COCO's AP, AP50, AP75, and by size); of each class AP and AP50, and, of detections
            of a score of 0.3 or more, which are right where they overlap an object of their class by a half, precision,
            sensitivity and F1.
        curves: recall, and precision of each class at an overlap of a half.
    """

    images: NDArray[Any]
    labels: list[Any]
    class_names: list[str]
    found: list[Detections]
    metrics: dict[str, Any]
    curves: tuple[NDArray[np.float64], NDArray[np.float64]]

    def table(self) -> str:
        """The figures for the terminal: a row a class (up to 30 classes), and their mean."""
        shown = list(self.metrics["classes"].items()) if len(self.class_names) <= 30 else []
        rows = [
            [name, *(percent(figures[key]) for key in _FIGURES), f"{figures['objects']:,}"]
            for name, figures in [*shown, ("mean", self.metrics["macro"])]
        ]
        return table(rows, ["class", "AP", "AP50", "precision", "sensitivity", "F1", "objects"])

    def line(self) -> str:
        """Average precision, and precision and sensitivity at the score that is shown, in one line."""
        macro = self.metrics["macro"]
        return (
            f"AP {percent(self.metrics['AP'])}, AP50 {percent(self.metrics['AP50'])}; at a score of {SCORE}: precision "
            f"{percent(macro['precision'])}, sensitivity {percent(macro['sensitivity'])}"
        )

    def title(self) -> str:
        """The heading of the first picture's feature maps."""
        return "Feature maps of the first picture"

    def draw(self, folder: Path) -> None:
        """Write precision_recall.png and predictions.png."""
        recall, precision = self.curves
        viz.plot_precision_recall(recall, precision, self.class_names, path=folder / "precision_recall.png")
        places = np.linspace(0, len(self.images) - 1, min(_SHOWN, len(self.images))).round().astype(np.int64).tolist()
        viz.plot_detections(
            [self.images[place] for place in places],
            [self.found[place] for place in places],
            [self.labels[place] for place in places],
            self.class_names,
            SCORE,
            max_images=_SHOWN,
            path=folder / "predictions.png",
            title=f"AP50 {percent(self.metrics['AP50'])}",
        )


def assess_boxes(model: Any, part: BoxPart, class_names: list[str], batch_size: int) -> BoxAssessment:
    """Detect and compare."""
    classes = len(class_names)
    found = detect(model, part.images, batch_size, score_threshold=_LEAST)
    truth = [target[:2] for target in part.labels]
    area = MeanAveragePrecision(num_classes=classes)
    marks = {key: [mark[key] for mark in part.marks] for key in ("crowds", "ignored", "areas")}
    area.update_state(truth, found, **marks)
    right, wrong, objects = _count(found, part.labels, classes)
    total = right + wrong
    precision = np.divide(right, total, out=np.zeros(classes), where=total > 0)
    sensitivity = np.divide(right, objects, out=np.zeros(classes), where=objects > 0)
    f1 = np.divide(2 * right, total + objects, out=np.zeros(classes), where=total + objects > 0)
    each = {"ap": area.per_class(), "ap50": area.per_class(0.5), "precision": precision, "sensitivity": sensitivity,
            "f1": f1}  # fmt: skip
    there = (objects > 0) | (total > 0)
    macro = {key: _mean(values[there]) for key, values in each.items()}
    metrics = {
        "examples": len(part.images),
        "objects": int(objects.sum()),
        **area.summary(),
        "score_threshold": SCORE,
        "macro": {**macro, "objects": int(objects.sum())},
        "classes": {
            name: {**{key: float(values[number]) for key, values in each.items()}, "objects": int(objects[number])}
            for number, name in enumerate(class_names)
        },
    }
    return BoxAssessment(part.images, part.labels, class_names, found, metrics, area.curves(0.5))


def _mean(values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _count(
    found: Sequence[Detections], targets: Sequence[Any], classes: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Right and wrong detections and objects of each class; each detection, the surest first, takes the object of its
    class that it overlaps most, if by a half or more. What is ignored counts neither as found nor as missed."""
    right, wrong, objects = (np.zeros(classes, np.int64) for _ in range(3))
    for one, (boxes, labels, ignored) in zip(found, targets, strict=True):
        objects += np.bincount(labels[~ignored], minlength=classes)
        sure = np.flatnonzero(np.asarray(one.scores) >= SCORE)
        overlap = iou(np.asarray(one.boxes)[sure], boxes, ignored)
        free = np.ones(len(labels), np.bool_)
        for row in np.argsort(-np.asarray(one.scores)[sure], kind="stable").tolist():
            label = int(one.labels[sure[row]])
            fits = np.where(free & (labels == label) & ~ignored, overlap[row], 0.0)
            if fits.size and fits.max() >= _OVERLAP:
                free[fits.argmax()] = False
                right[label] += 1
            elif not (ignored & (labels == label) & (overlap[row] >= _OVERLAP)).any():
                wrong[label] += 1
    return right, wrong, objects
