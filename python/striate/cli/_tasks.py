"""What the commands do differently for each task: which networks, which data, which loss, which figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from striate import losses, metrics, models
from striate.cli._dataset import Dataset, Part, Reading, load_dataset
from striate.data.intensity import Window

_WITH_BASE = ("unet", "detector")


class Assessment(Protocol):
    """How good a network is on some pictures.

    Attributes:
        metrics: what metrics.json holds of it.
    """

    metrics: dict[str, Any]

    @property
    def images(self) -> Any:
        """The pictures."""

    def line(self) -> str:
        """The figures in one line."""

    def table(self) -> str:
        """The figures of each class, for the terminal."""

    def draw(self, folder: Path, window: Window = None) -> None:
        """Write the pictures that show them; `window` is that of deep grey files."""

    def title(self) -> str:
        """The heading of the first picture's feature maps."""


@dataclass(frozen=True)
class Choices:
    """The options of the network and its loss; None where the user gave none.

    Attributes:
        dropout: the dropout rate.
        base: filters at full size.
        strides: of a detector's maps.
        box_loss: "giou" or "ciou".
        ignore_class: the class of unmarked pixels in masks.
    """

    dropout: float | None = None
    base: int | None = None
    strides: Sequence[int] | None = None
    box_loss: str | None = None
    ignore_class: int | None = None

    def given(self, *names: str) -> dict[str, Any]:
        """Those of the options that the user gave."""
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Task(Protocol):
    """One task.

    Attributes:
        name: as `--task` has it.
        models: the ready networks for it, the usual one first.
        options: those of `Choices` that it has, without `ignore_class`.
        balances: whether `--class-weight` is for it.
        monitor: the metric by which the best epoch is known, in the logs of training; more is better.
    """

    name: ClassVar[str]
    models: ClassVar[tuple[str, ...]]
    options: ClassVar[tuple[str, ...]]
    balances: ClassVar[bool] = True
    monitor: ClassVar[str]

    def load(self, data: str | None, reading: Reading) -> Dataset:
        """The data, by the task's own layout of folders."""

    def check(self, model: str, choices: Choices) -> None:
        """Refuse options that the network does not have.

        Raises:
            ValueError: one was given.
        """
        for name in ("dropout", "base", "strides", "box_loss"):
            there = name in self.options and (name != "base" or model in _WITH_BASE)
            if getattr(choices, name) is not None and not there:
                raise ValueError(f"--{name.replace('_', '-')} is not for the network {model}, which has none")

    def build(self, model: str, training: Part, classes: int, choices: Choices, seed: int) -> Any:
        """The network for these pictures, scaling included."""
        return _network(model, training, classes, seed, choices.given("dropout", "base"))

    def loss(self, choices: Choices) -> Any:
        """What the training lowers."""

    def watched(self, ignore_class: int | None) -> list[Any]:
        """The metrics of the training."""

    def fits(self, output: tuple[int, ...], image_size: tuple[int, int], class_names: Sequence[str]) -> bool:
        """Whether a network's output, without the batch, is one for such pictures and classes."""

    def assess(
        self,
        model: Any,
        part: Part,
        class_names: list[str],
        batch_size: int,
        ignore_class: int | None = None,
        score: float | None = None,
    ) -> Assessment:
        """Predict a part and compare; `score` is of detections, from which on they count."""

    def best_score(self, model: Any, part: Part, class_names: list[str], batch_size: int) -> float | None:
        """Of detections, the score from which on they are best counted, judged by a part; None for other tasks."""
        return None


class Classify(Task):
    """A class for each picture."""

    name = "classify"
    models = ("cnn", "lenet", "vgg", "resnet18")
    options = ("dropout",)
    monitor = "accuracy"

    def load(self, data: str | None, reading: Reading) -> Dataset:
        return load_dataset(data, reading)

    def loss(self, choices: Choices) -> Any:
        return losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=choices.ignore_class)

    def watched(self, ignore_class: int | None) -> list[Any]:
        return ["accuracy"]

    def fits(self, output: tuple[int, ...], image_size: tuple[int, int], class_names: Sequence[str]) -> bool:
        return output == (len(class_names),)

    def assess(
        self,
        model: Any,
        part: Part,
        class_names: list[str],
        batch_size: int,
        ignore_class: int | None = None,
        score: float | None = None,
    ) -> Assessment:
        from striate.cli._assess import assess

        return assess(model, part, class_names, batch_size)


class Segment(Task):
    """A class for each pixel."""

    name = "segment"
    models = ("unet",)
    options = ("dropout", "base")
    monitor = "dice"

    def load(self, data: str | None, reading: Reading) -> Dataset:
        from striate.cli._masks import load_masks

        return load_masks(data, reading)

    def build(self, model: str, training: Part, classes: int, choices: Choices, seed: int) -> Any:
        height, width = training.images.shape[1:3]
        more = {**choices.given("dropout", "base"), "depth": _depth(height, width)}
        return _network(model, training, classes, seed, more)

    def loss(self, choices: Choices) -> Any:
        ignore_class = choices.ignore_class
        of_pixels = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignore_class)
        return of_pixels + losses.Dice(from_logits=True, ignore_class=ignore_class, axis=(0, 1, 2))

    def watched(self, ignore_class: int | None) -> list[Any]:
        return [metrics.MeanIoU(ignore_class=ignore_class), metrics.DiceScore(ignore_class=ignore_class)]

    def fits(self, output: tuple[int, ...], image_size: tuple[int, int], class_names: Sequence[str]) -> bool:
        return output == (*image_size, len(class_names))

    def assess(
        self,
        model: Any,
        part: Part,
        class_names: list[str],
        batch_size: int,
        ignore_class: int | None = None,
        score: float | None = None,
    ) -> Assessment:
        from striate.cli._assess_masks import assess_masks

        return assess_masks(model, part, class_names, batch_size, ignore_class)


class Detect(Task):
    """Boxes with classes."""

    name = "detect"
    models = ("detector",)
    options = ("base", "strides", "box_loss")
    balances = False
    monitor = "mean_average_precision"

    def load(self, data: str | None, reading: Reading) -> Dataset:
        from striate.cli._boxes import load_boxes

        return load_boxes(data, reading)

    def build(self, model: str, training: Part, classes: int, choices: Choices, seed: int) -> Any:
        return _network(model, training, classes, seed, choices.given("base", "strides"))

    def loss(self, choices: Choices) -> Any:
        return losses.DetectionLoss(**choices.given("strides", "box_loss"))

    def watched(self, ignore_class: int | None) -> list[Any]:
        return ["mean_average_precision"]

    def fits(self, output: tuple[int, ...], image_size: tuple[int, int], class_names: Sequence[str]) -> bool:
        return len(output) == 3 and output[2] == 5 + len(class_names)

    def assess(
        self,
        model: Any,
        part: Part,
        class_names: list[str],
        batch_size: int,
        ignore_class: int | None = None,
        score: float | None = None,
    ) -> Assessment:
        from striate.cli._assess_boxes import SCORE, assess_boxes
        from striate.cli._boxes import BoxPart

        assert isinstance(part, BoxPart)
        return assess_boxes(model, part, class_names, batch_size, SCORE if score is None else score)

    def best_score(self, model: Any, part: Part, class_names: list[str], batch_size: int) -> float | None:
        from striate.cli._assess_boxes import best_score
        from striate.cli._boxes import BoxPart

        assert isinstance(part, BoxPart)
        return best_score(model, part, class_names, batch_size)


TASKS: dict[str, Task] = {task.name: task for task in (Classify(), Segment(), Detect())}


def _network(model: str, training: Part, classes: int, seed: int, more: dict[str, Any]) -> Any:
    """A ready network that scales bytes itself."""
    return getattr(models, model)(training.images.shape[1:], classes, rescale=1 / 255, seed=seed, **more)


FINETUNED = "finetuned"
"""The name of a network that a file gave."""


def task_and_model(task: str, model: str | None, finetuned: bool = False) -> tuple[Task, str]:
    """The task, and the network that was asked for or that is usual, or FINETUNED.

    Raises:
        ValueError: the network is for another task.
    """
    chosen = TASKS[task]
    if finetuned:
        return chosen, FINETUNED
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
