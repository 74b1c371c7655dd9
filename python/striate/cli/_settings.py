"""The options of a training."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from striate.cli._dataset import DIGITS
from striate.cli._options import make_optimizer
from striate.cli._tasks import Choices
from striate.cli._window import AUTO

_BATCH, _LARGEST_BATCH = 8, 32
_EPOCHS, _MOST_EPOCHS, _STEPS = 15, 60, 300


@dataclass(frozen=True)
class Settings:
    """The options of `striate train`; its help says what they mean."""

    data: str | None
    task: str
    model: str | None
    epochs: int | None
    batch_size: int | None
    optimizer: str
    learning_rate: float | None
    momentum: float
    weight_decay: float
    schedule: str
    warmup: float
    dropout: float | None
    augment: str | None
    class_weight: str
    image_size: tuple[int, int] | None
    color_mode: str
    class_names: list[str] | None
    mask_values: str
    ignore_class: int | None
    skip_bad: bool
    validation_split: float
    patience: int | None
    seed: int
    threads: int | None
    out: str | None
    overwrite: bool
    pictures: bool
    verbose: str
    window: str = AUTO
    mask_suffix: str = ""
    mask_colors: str | None = None
    init: str | None = None
    base: int | None = None
    strides: tuple[int, ...] | None = None
    box_loss: str | None = None
    report: bool = True
    serve: int | None = None
    command: str = "striate train"
    in_memory: str = "auto"
    source: str | None = None
    thaw: float = 0.3
    pixels: str = "auto"

    def choices(self, ignore_class: int | None) -> Choices:
        """The options of the network and its loss."""
        return Choices(self.dropout, self.base, self.strides, self.box_loss, ignore_class)


def completed(settings: Settings, task: str, pictures: int, source: str) -> Settings:
    """The settings with usual values where none were given: small batches, and of few pictures more epochs, so that
    there are steps enough to learn."""
    batch_size = settings.batch_size
    if batch_size is None:
        batch_size = min(_LARGEST_BATCH, max(_BATCH, pictures // 16)) if task == "classify" else _BATCH
    epochs = settings.epochs
    if epochs is None:
        epochs = min(_MOST_EPOCHS, max(_EPOCHS, -(-_STEPS // -(-pictures // batch_size))))
    augment = settings.augment
    if augment is None:
        augment = "flip" if task == "detect" and source != DIGITS else "none"
    return replace(settings, batch_size=batch_size, epochs=epochs, augment=augment)


def plan_optimizer(settings: Settings, examples: int) -> Any:
    """The optimizer, its schedule laid over the whole training."""
    assert settings.epochs is not None and settings.batch_size is not None
    steps_per_epoch = -(-examples // settings.batch_size)
    return make_optimizer(
        settings.optimizer,
        settings.learning_rate,
        settings.schedule,
        steps=settings.epochs * steps_per_epoch,
        warmup=round(settings.warmup * steps_per_epoch),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
