"""How good a classifier is on some pictures: the figures, and the pictures that show them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import viz
from striate.cli._dataset import Part
from striate.cli._overlays import originals
from striate.cli._table import table
from striate.data.intensity import Window
from striate.metrics import AUC, ConfusionMatrix, classification_report

_FIGURES = ("precision", "sensitivity", "specificity", "f1")


@dataclass
class Assessment:
    """Predictions for some pictures beside the truth.

    Attributes:
        metrics: accuracy, loss (cross-entropy, nats), AUC, and precision, sensitivity, specificity, F1 of each class
            and averaged.
        matrix: (classes, classes) counts, rows true, columns predicted.
        probabilities: (N, classes).
    """

    part: Part
    class_names: list[str]
    probabilities: NDArray[np.float64]
    matrix: NDArray[np.int64]
    metrics: dict[str, Any]

    @property
    def images(self) -> NDArray[Any]:
        """(N, H, W, C)."""
        images: NDArray[Any] = self.part.images
        return images

    @property
    def labels(self) -> NDArray[np.int64]:
        """(N,) the true classes."""
        return np.asarray(self.part.labels, dtype=np.int64)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """(N,) the class of the highest probability."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def table(self) -> str:
        """The figures for the terminal: one row for each class (up to 30 classes), and the averages."""
        shown = list(self.metrics["classes"].items()) if len(self.class_names) <= 30 else []
        shown += [("average", self.metrics["macro"]), ("weighted average", self.metrics["weighted"])]
        rows = [
            [name, *(percent(figures[key]) for key in _FIGURES), f"{figures['support']:g}"] for name, figures in shown
        ]
        head = ["class", "precision", "sensitivity", "specificity", "F1", "images"]
        return table(rows, head)

    def line(self) -> str:
        """Accuracy, F1, AUC and loss in one line."""
        auc = self.metrics["auc"]  # not a number where only one class is present
        return (
            f"accuracy {percent(self.metrics['accuracy'])}, F1 {percent(self.metrics['macro']['f1'])}, "
            f"AUC {auc:.4f}, loss {self.metrics['loss']:.4f}"
        )

    def title(self) -> str:
        """The heading of the first picture's feature maps."""
        return f"Feature maps of a picture taken for “{self.class_names[self.predicted[0]]}”"

    def draw(self, folder: Path, window: Window = None) -> None:
        """Write confusion_matrix.png and predictions.png; `window` is that of deep grey files."""
        viz.plot_confusion_matrix(self.matrix, self.class_names, path=folder / "confusion_matrix.png")
        shown = self._worth_seeing(24)
        viz.plot_predictions(
            originals(self.part, shown.tolist(), window) or self.images[shown],
            self.labels[shown],
            self.predicted[shown],
            class_names=self.class_names,
            scores=self.probabilities[shown],
            path=folder / "predictions.png",
            title=f"Samples, the surest mistakes first ({percent(self.metrics['accuracy'])} of all are right)",
        )

    def _worth_seeing(self, count: int) -> NDArray[np.int64]:
        """Rows to show: at most half of them mistakes, the surest first; then right ones, evenly from all."""
        sure = self.probabilities.max(axis=1)
        wrong = np.flatnonzero(self.predicted != self.labels)
        wrong = wrong[np.argsort(-sure[wrong], kind="stable")][: count // 2]
        right = np.flatnonzero(self.predicted == self.labels)
        places = np.linspace(0, len(right) - 1, min(count - len(wrong), len(right))).round().astype(np.int64)
        return np.concatenate([wrong, right[places]])


def assess(model: Any, part: Part, class_names: list[str], batch_size: int) -> Assessment:
    """Predict and compare. The model's outputs are logits."""
    images, labels = part.images, part.labels
    logits = np.asarray(model.predict(images, batch_size=batch_size), dtype=np.float64)
    probabilities = softmax(logits)
    picked = np.take_along_axis(log_softmax(logits), labels[:, np.newaxis], axis=1)
    matrix = ConfusionMatrix(num_classes=len(class_names))
    matrix.update_state(labels, probabilities)
    area = AUC()
    area.update_state(labels, probabilities)
    report = classification_report(labels, probabilities, class_names)
    metrics = {
        "examples": len(labels),
        "accuracy": report["accuracy"],
        "loss": float(-picked.mean()),
        "auc": float(np.asarray(area.result())),
        "macro": report["macro"],
        "weighted": report["weighted"],
        "classes": report["classes"],
        "confusion_matrix": np.asarray(matrix.result()).astype(np.int64).tolist(),
    }
    counts = np.asarray(matrix.result()).astype(np.int64)
    return Assessment(part, class_names, probabilities, counts, metrics)


def log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithms of the probabilities, row by row."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    result: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return result


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Probabilities, row by row."""
    return np.exp(log_softmax(logits))


def percent(share: float) -> str:
    """A share for the terminal."""
    return f"{100 * share:.2f} %"
