"""What the command line's words mean: sizes, augmentation, optimizers, schedules."""

from __future__ import annotations

from typing import Any

import click

from striate import optimizers
from striate.data import Augment

# Step sizes that suit networks of this package's size, where the user names none.
LEARNING_RATES = {
    "adam": 2e-3,
    "adamw": 2e-3,
    "sgd": 0.05,
    "rmsprop": 1e-3,
    "adagrad": 0.02,
    "adadelta": 1.0,
    "lion": 2e-4,
}
SCHEDULES = ("cosine", "exponential", "constant")

_SHORT = {"flip": "flip_horizontal", "flip_x": "flip_horizontal", "flip_y": "flip_vertical", "rotate": "rotation"}
_WHOLE = {"crop"}
_CHANGES = ("flip_horizontal", "flip_vertical", "rotation", "shift", "zoom", "crop", "brightness", "contrast", "noise")


def image_size(text: str) -> tuple[int, int]:
    """`64` or `64x48` as (height, width) in pixels: an option's type."""
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise click.BadParameter(f"{text!r} is no image size: give pixels as 64, or height x width as 64x48")
    return int(sides[0]), int(sides[-1])


def parse_augment(text: str, seed: int) -> Augment | None:
    """`flip,shift=0.1,rotation=10` as an `Augment`; `none` or nothing as None.

    Raises:
        ValueError: a change is not known, or its value is no number or out of its range.
    """
    changes: dict[str, Any] = {}
    for item in (part.strip() for part in text.split(",")):
        if item in ("", "none"):
            continue
        name, given, value = item.partition("=")
        name = _SHORT.get(name.strip(), name.strip())
        if name not in _CHANGES:
            raise ValueError(f"--augment knows no {name!r}; it knows {', '.join((*_CHANGES, 'flip'))}, or none")
        if not given:
            if not name.startswith("flip"):
                raise ValueError(f"--augment needs a value for {name}, such as {name}={4 if name in _WHOLE else 0.1}")
            changes[name] = True
            continue
        try:
            changes[name] = int(value) if name in _WHOLE else float(value)
        except ValueError:
            raise ValueError(f"--augment expects a number for {name}, got {value!r}") from None
    return Augment(**changes, seed=seed) if changes else None


def make_optimizer(
    name: str,
    learning_rate: float | None,
    schedule: str,
    steps: int,
    warmup: int = 0,
    momentum: float = 0.9,
    weight_decay: float = 0.0,
) -> Any:
    """The optimizer for a training of that many steps, of which the first `warmup` rise from zero to the learning rate.

    "cosine" falls to zero along half a cosine (I. Loshchilov and F. Hutter, "SGDR", ICLR 2017); "exponential" falls to
    a hundredth.
    """
    rate = LEARNING_RATES[name] if learning_rate is None else learning_rate
    if not rate > 0:
        raise ValueError(f"--learning-rate must be above 0, got {rate}")
    if warmup and schedule != "cosine":
        raise ValueError(f"--warmup goes with --schedule cosine, not {schedule}")
    planned: Any = rate
    if schedule == "cosine" and warmup:
        planned = optimizers.CosineDecay(0.0, max(1, steps - warmup), warmup_target=rate, warmup_steps=warmup)
    elif schedule == "cosine":
        planned = optimizers.CosineDecay(rate, steps)
    elif schedule == "exponential":
        planned = optimizers.ExponentialDecay(rate, decay_steps=steps, decay_rate=0.01)
    kinds = {
        "adam": optimizers.Adam,
        "adamw": optimizers.AdamW,
        "sgd": optimizers.SGD,
        "rmsprop": optimizers.RMSprop,
        "adagrad": optimizers.Adagrad,
        "adadelta": optimizers.Adadelta,
        "lion": optimizers.Lion,
    }
    more: dict[str, Any] = {"momentum": momentum, "nesterov": momentum > 0} if name == "sgd" else {}
    if weight_decay > 0:
        more["weight_decay"] = weight_decay
    return kinds[name](planned, **more)
