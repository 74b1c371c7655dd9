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
from striate.cli._overlays import originals
from striate.cli._table import table
from striate.data.intensity import Window
from striate.detection import Detections, detect, iou
from striate.metrics import MeanAveragePrecision

SCORE = 0.3  # from here on a detection is shown and counted, where the run does not tell better
_OVERLAP = 0.5
_SCORES = np.round(np.arange(0.05, 0.96, 0.05), 2)
_LOWEST = 0.05
_LEAST = 0.01  # of detections for the average precision
_FIGURES = ("ap", "ap50", "precision", "sensitivity", "f1")
_SHOWN = 9


@dataclass
class BoxAssessment:
    """What was found beside the truth.

    Attributes:
        part: the pictures and their boxes.
        found: one `Detections` a picture, of a score of 0.01 or more.
        metrics: average precision (COCO's AP, AP50, AP75, and by size); of each class AP and AP50, and, of detections
            of a score of `score_threshold` or more, precision, sensitivity and F1. Detections are right where they
            overlap an object of their class by a half.
        curves: recall, and precision of each class at an overlap of a half.
    """

    part: BoxPart
    class_names: list[str]
    found: list[Detections]
    metrics: dict[str, Any]
    curves: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def images(self) -> NDArray[Any]:
        """(N, H, W, C)."""
        images: NDArray[Any] = self.part.images
        return images

    @property
    def labels(self) -> list[Any]:
        """(boxes, labels, ignored) of each picture."""
        return list(self.part.labels)

    def table(self) -> str:
        """The figures for the terminal: one row for each class (up to 30 classes), and their mean."""
        shown = list(self.metrics["classes"].items()) if len(self.class_names) <= 30 else []
        rows = [
            [name, *(percent(figures[key]) for key in _FIGURES), f"{figures['objects']:,}"]
            for name, figures in [*shown, ("mean", self.metrics["macro"])]
        ]
        return table(rows, ["class", "AP", "AP50", "precision", "sensitivity", "F1", "objects"])

    @property
    def score(self) -> float:
        """From here on a detection is shown and counted."""
        return float(self.metrics["score_threshold"])

    def line(self) -> str:
        """Average precision, and precision and sensitivity at the score that is shown, in one line."""
        macro = self.metrics["macro"]
        return (
            f"AP {percent(self.metrics['AP'])}, AP50 {percent(self.metrics['AP50'])}; at a score of {self.score:g}: "
            f"precision {percent(macro['precision'])}, sensitivity {percent(macro['sensitivity'])}"
        )

    def title(self) -> str:
        """The heading of the first picture's feature maps."""
        return "Feature maps of the first picture"

    def draw(self, folder: Path, window: Window = None) -> None:
        """Write precision_recall.png and predictions.png; `window` is that of deep grey files."""
        recall, precision = self.curves
        viz.plot_precision_recall(recall, precision, self.class_names, path=folder / "precision_recall.png")
        places = np.linspace(0, len(self.images) - 1, min(_SHOWN, len(self.images))).round().astype(np.int64).tolist()
        small = [self.images[place] for place in places]
        pictures = originals(self.part, places, window) or small
        scales = [np.tile(np.array(a.shape[1::-1]) / b.shape[1::-1], 2) for a, b in zip(pictures, small, strict=True)]
        moved = list(zip(places, scales, strict=True))
        viz.plot_detections(
            pictures,
            [self.found[place]._replace(boxes=self.found[place].boxes * scale) for place, scale in moved],
            [(self.labels[place][0] * scale, self.labels[place][1]) for place, scale in moved],
            self.class_names,
            self.score,
            max_images=_SHOWN,
            path=folder / "predictions.png",
            title=f"AP50 {percent(self.metrics['AP50'])}",
        )


def assess_boxes(
    model: Any, part: BoxPart, class_names: list[str], batch_size: int, score: float = SCORE
) -> BoxAssessment:
    """Detect and compare; detections of `score` or more are counted."""
    classes = len(class_names)
    found = detect(model, part.images, batch_size, fuse=True, score_threshold=_LEAST)
    truth = [target[:2] for target in part.labels]
    area = MeanAveragePrecision(num_classes=classes)
    marks = {key: [mark[key] for mark in part.marks] for key in ("crowds", "ignored", "areas")}
    area.update_state(truth, found, **marks)
    right, wrong, objects = _count(found, part.labels, classes, score)
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
        "score_threshold": score,
        "macro": {**macro, "objects": int(objects.sum())},
        "classes": {
            name: {**{key: float(values[number]) for key, values in each.items()}, "objects": int(objects[number])}
            for number, name in enumerate(class_names)
        },
    }
    return BoxAssessment(part, class_names, found, metrics, area.curves(0.5))


def best_score(model: Any, part: BoxPart, class_names: list[str], batch_size: int) -> float:
    """The score of the highest F1 of all detections of a part, in steps of 0.05; 0.3 where nothing is right."""
    found = detect(model, part.images, batch_size, fuse=True, score_threshold=_LOWEST)
    objects = sum(int((~ignored).sum()) for _, _, ignored in part.labels)
    values = []
    for score in _SCORES:
        right, wrong, _ = _count(found, part.labels, len(class_names), score)
        values.append(2 * right.sum() / max(right.sum() + wrong.sum() + objects, 1))
    best = np.flatnonzero(np.isclose(values, max(values)))
    return float(_SCORES[best[len(best) // 2]]) if max(values) > 0 else SCORE  # of equal ones the middle one


def _mean(values: NDArray[np.float64]) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _count(
    found: Sequence[Detections], targets: Sequence[Any], classes: int, score: float
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Right and wrong detections and objects of each class; each detection, the surest first, takes the object of its
    class that it overlaps most, if by a half or more. What is ignored counts neither as found nor as missed."""
    right, wrong, objects = (np.zeros(classes, np.int64) for _ in range(3))
    for one, (boxes, labels, ignored) in zip(found, targets, strict=True):
        objects += np.bincount(labels[~ignored], minlength=classes)
        sure = np.flatnonzero(np.asarray(one.scores) >= score)
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
