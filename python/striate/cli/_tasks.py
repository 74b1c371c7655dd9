"""What the commands do differently for each task: which networks, which data, which loss, which figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from striate import losses, metrics, models
from striate.cli._dataset import Dataset, Part, Reading, load_dataset


class Assessment(Protocol):
    """How good a network is on some pictures.

    Attributes:
        images: the pictures.
        metrics: what metrics.json holds of it.
    """

    images: Any
    metrics: dict[str, Any]

    def line(self) -> str:
        """The figures in one line."""

    def table(self) -> str:
        """The figures of each class, for the terminal."""

    def draw(self, folder: Path) -> None:
        """Write the pictures that show them."""

    def title(self) -> str:
        """The heading of the first picture's feature maps."""


@dataclass(frozen=True)
class Task:
    """One task.

    Attributes:
        name: as `--task` has it.
        models: the ready networks for it, the usual one first.
    """

    name: str
    models: tuple[str, ...]

    def load(self, data: str | None, reading: Reading) -> Dataset:
        """The data, by the task's own layout of folders."""
        if self.name == "segment":
            from striate.cli._masks import load_masks

            return load_masks(data, reading)
        if self.name == "detect":
            from striate.cli._boxes import load_boxes

            return load_boxes(data, reading)
        return load_dataset(data, reading)

    def build(self, model: str, training: Part, classes: int, dropout: float | None, seed: int) -> Any:
        """The network for these pictures, scaling included."""
        shape = training.images.shape[1:]
        more: dict[str, Any] = {} if dropout is None else {"dropout": dropout}
        if model == "unet":
            more["depth"] = _depth(shape[0], shape[1])
        if model == "detector" and more:
            raise ValueError("--dropout is not for the network detector, which has none")
        return getattr(models, model)(shape, classes, rescale=1 / 255, seed=seed, **more)

    def loss(self, ignore_class: int | None) -> Any:
        """What the training lowers."""
        if self.name == "detect":
            return losses.DetectionLoss()
        of_pixels = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore_class)
        if self.name != "segment":
            return of_pixels
        return of_pixels + losses.Dice(from_logits=True, ignore_class=ignore_class, axis=(0, 1, 2))

    def watched(self, ignore_class: int | None) -> list[Any]:
        """The metrics of the training."""
        if self.name != "segment":
            return ["accuracy"] if self.name == "classify" else ["mean_average_precision"]
        return [metrics.MeanIoU(ignore_class=ignore_class), metrics.DiceScore(ignore_class=ignore_class)]

    def fits(self, output: tuple[int, ...], image_size: tuple[int, int], class_names: Sequence[str]) -> bool:
        """Whether a network's output, without the batch, is one for such pictures and classes."""
        classes = len(class_names)
        if self.name == "detect":
            return len(output) == 3 and output[2] == 5 + classes
        return output == ((*image_size, classes) if self.name == "segment" else (classes,))

    def assess(
        self, model: Any, part: Part, class_names: list[str], batch_size: int, ignore_class: int | None = None
    ) -> Assessment:
        """Predict a part and compare."""
        if self.name == "segment":
            from striate.cli._assess_masks import assess_masks

            return assess_masks(model, part.images, part.labels, class_names, batch_size, ignore_class)
        if self.name == "detect":
            from striate.cli._assess_boxes import assess_boxes
            from striate.cli._boxes import BoxPart

            assert isinstance(part, BoxPart)
            return assess_boxes(model, part, class_names, batch_size)
        from striate.cli._assess import assess

        return assess(model, part.images, part.labels, class_names, batch_size)


TASKS = {
    task.name: task
    for task in (
        Task("classify", ("cnn", "lenet", "vgg", "resnet18")),
        Task("segment", ("unet",)),
        Task("detect", ("detector",)),
    )
}


def task_and_model(task: str, model: str | None) -> tuple[Task, str]:
    """The task, and the network that was asked for or that is usual.

    Raises:
        ValueError: the network is for another task.
    """
    chosen = TASKS[task]
    if model is None:
        return chosen, chosen.models[0]
    if model not in chosen.models:
        fitting = next(other.name for other in TASKS.values() if model in other.models)
        raise ValueError(f"--model {model} is for --task {fitting}; --task {task} takes {' or '.join(chosen.models)}")
    return chosen, model


def _depth(height: int, width: int) -> int:
    """How often a U-Net halves pictures: up to four times, down to four pixels."""
    depth = 1
    while depth < 4 and not any(side % 2 ** (depth + 1) or side < 4 * 2 ** (depth + 1) for side in (height, width)):
        depth += 1
    return depth


def class_weights(labels: Any, ignore_class: int | None) -> dict[int, float]:
    """Weights by which every class that occurs counts alike, 1 on average over the pictures or pixels."""
    numbers, counts = np.unique(labels, return_counts=True)
    if ignore_class is not None:
        numbers, counts = numbers[numbers != ignore_class], counts[numbers != ignore_class]
    weights = counts.sum() / (len(numbers) * counts)
    return {int(number): float(weight) for number, weight in zip(numbers, weights, strict=True)}
