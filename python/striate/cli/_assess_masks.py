"""How good a segmentation is: the figures of each class over all pixels, and the pictures that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import viz
from striate.cli._assess import log_softmax, percent
from striate.cli._dataset import Part
from striate.cli._overlays import originals
from striate.cli._table import table
from striate.data.intensity import Window
from striate.data.mask import resize_mask
from striate.metrics import ConfusionMatrix, DiceScore, MeanIoU, Precision, Sensitivity, Specificity

_FIGURES = ("iou", "dice", "precision", "sensitivity", "specificity")
_SHOWN = 8


@dataclass
class MaskAssessment:
    """Predicted classes of pixels beside the truth.

    Attributes:
        part: the pictures and their masks.
        predicted: (N, H, W) classes.
        matrix: (classes, classes) counts of pixels, rows true, columns predicted.
        metrics: accuracy and cross-entropy (nats) of the pixels; intersection over union, Dice coefficient, precision,
            sensitivity and specificity of each class and their means over the classes that occur.
    """

    part: Part
    predicted: NDArray[np.int64]
    class_names: list[str]
    ignore_class: int | None
    matrix: NDArray[np.int64]
    metrics: dict[str, Any]

    @property
    def images(self) -> NDArray[Any]:
        """(N, H, W, C)."""
        images: NDArray[Any] = self.part.images
        return images

    @property
    def labels(self) -> NDArray[Any]:
        """(N, H, W) the true classes."""
        return np.asarray(self.part.labels)

    def table(self) -> str:
        """The figures for the terminal: one row for each class (up to 30 classes), and their mean."""
        shown = list(self.metrics["classes"].items()) if len(self.class_names) <= 30 else []
        rows = [
            [name, *(percent(figures[key]) for key in _FIGURES), f"{figures['pixels']:,}"]
            for name, figures in [*shown, ("mean", self.metrics["macro"])]
        ]
        return table(rows, ["class", "IoU", "Dice", "precision", "sensitivity", "specificity", "pixels"])

    def line(self) -> str:
        """Mean IoU, Dice, accuracy and cross-entropy in one line."""
        macro = self.metrics["macro"]
        return (
            f"mean IoU {percent(macro['iou'])}, Dice {percent(macro['dice'])}, "
            f"pixels right {percent(self.metrics['accuracy'])}, cross-entropy {self.metrics['cross_entropy']:.4f}"
        )

    def title(self) -> str:
        """The heading of the first picture's feature maps."""
        return "Feature maps of the first picture"

    def draw(self, folder: Path, window: Window = None) -> None:
        """Write confusion_matrix.png (of pixels) and predictions.png; `window` is that of deep grey files."""
        viz.plot_confusion_matrix(self.matrix, self.class_names, path=folder / "confusion_matrix.png")
        counted = np.ones(self.labels.shape, bool) if self.ignore_class is None else self.labels != self.ignore_class
        wrong = ((self.predicted != self.labels) & counted).mean(axis=(1, 2))
        order = np.argsort(-wrong, kind="stable")
        places = np.linspace(0, len(order) - 1, min(_SHOWN, len(order))).round().astype(np.int64)
        shown = order[places]
        pictures, masks = self.images[shown], [self.labels[shown], self.predicted[shown]]
        files = originals(self.part, shown.tolist(), window)
        if files and len({one.shape for one in files}) == 1:
            pictures, size = np.stack(files), files[0].shape[:2]
            masks = [
                np.stack([resize_mask(one.astype(np.int32), size, False, False) for one in some]) for some in masks
            ]
        viz.plot_segmentation(
            pictures,
            masks[0],
            masks[1],
            self.class_names,
            self.ignore_class,
            max_images=_SHOWN,
            path=folder / "predictions.png",
            title=f"From the worst to the best picture ({percent(self.metrics['accuracy'])} of all pixels are right)",
        )


def assess_masks(
    model: Any, part: Part, class_names: list[str], batch_size: int, ignore_class: int | None
) -> MaskAssessment:
    """Predict the part batch by batch and compare with its masks. The model must return logits (N, H, W, classes)."""
    images, labels = part.images, np.asarray(part.labels)
    classes = len(class_names)
    kinds = {
        "iou": MeanIoU,
        "dice": DiceScore,
        "precision": Precision,
        "sensitivity": Sensitivity,
        "specificity": Specificity,
    }
    each: dict[str, Any] = {}
    for average in (None, "macro"):
        for key, kind in kinds.items():
            each[f"{key}-{average}"] = kind(num_classes=classes, ignore_class=ignore_class, average=average)
    matrix = ConfusionMatrix(num_classes=classes, ignore_class=ignore_class)
    predicted = np.empty(labels.shape, np.int64)
    lost, counted = 0.0, 0
    for first in range(0, len(images), batch_size):
        rows = slice(first, first + batch_size)
        logits = np.asarray(model.predict(images[rows], batch_size=batch_size))
        predicted[rows] = logits.argmax(axis=-1)
        truth = labels[rows].astype(np.int64)
        matrix.update_state(truth, predicted[rows])
        for metric in each.values():
            metric.update_state(truth, predicted[rows])
        kept = np.ones(truth.shape, bool) if ignore_class is None else truth != ignore_class
        of_pixels = log_softmax(logits[kept].astype(np.float64))
        lost -= float(np.take_along_axis(of_pixels, truth[kept][:, np.newaxis], axis=1).sum())
        counted += int(kept.sum())
    counts = np.asarray(matrix.result()).astype(np.int64)
    found = {key: np.asarray(metric.result()) for key, metric in each.items()}
    pixels = counts.sum(axis=1)
    metrics = {
        "examples": len(images),
        "pixels": counted,
        "accuracy": float(np.trace(counts) / max(counted, 1)),
        "cross_entropy": lost / max(counted, 1),
        "macro": {**{key: float(found[f"{key}-macro"]) for key in _FIGURES}, "pixels": counted},
        "classes": {
            name: {**{key: float(found[f"{key}-None"][number]) for key in _FIGURES}, "pixels": int(pixels[number])}
            for number, name in enumerate(class_names)
        },
        "confusion_matrix": counts.tolist(),
    }
    return MaskAssessment(part, predicted, class_names, ignore_class, counts, metrics)
