"""What the command line's words mean: sizes, augmentation, optimizers, schedules."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

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
IGNORE, IGNORED = "ignore", 255  # of colours of unmarked pixels: their name in a table, and their class
SCHEDULES = ("cosine", "exponential", "constant")

_SHORT = {"flip": "flip_horizontal", "flip_x": "flip_horizontal", "flip_y": "flip_vertical", "rotate": "rotation"}
_WHOLE = {"crop"}
_CHANGES = ("flip_horizontal", "flip_vertical", "rotation", "shift", "zoom", "crop", "brightness", "contrast", "noise")


def image_size(text: str) -> tuple[int, int]:
    """Parse an option's value `64` or `64x48` into (height, width) in pixels; `64` gives (64, 64)."""
    sides = text.lower().split("x")
    if len(sides) not in (1, 2) or not all(side.isdecimal() and int(side) > 0 for side in sides):
        raise click.BadParameter(f"{text!r} is not an image size: give pixels as 64, or height x width as 64x48")
    return int(sides[0]), int(sides[-1])


def stride_list(text: str) -> tuple[int, ...]:
    """Parse an option's value `8,16` into (8, 16)."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise click.BadParameter(f"{text!r} is not a list of strides: give pixels as 8,16")
    return tuple(map(int, parts))


class ColorTable(NamedTuple):
    """The classes of masks in colour.

    Attributes:
        class_names: in the order of the table.
        values: the class of each colour (r, g, b); that of `IGNORE` is `IGNORED`.
        ignores: whether a colour has the name `IGNORE`.
    """

    class_names: list[str]
    values: dict[tuple[int, int, int], int]
    ignores: bool


def read_colors(path: str) -> ColorTable:
    """The table of `--mask-colors`: lines of a name and three numbers 0 .. 255, red, green and blue, in either order,
    between commas, semicolons, tabs or spaces; a first line of titles and lines that begin with # are skipped.

    Raises:
        OSError: the file cannot be read.
        ValueError: a line is none, or a colour is there twice.
    """
    names: list[str] = []
    values: dict[tuple[int, int, int], int] = {}
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"--mask-colors: {path} is not UTF-8: {error}") from None
    for number, line in enumerate(lines, 1):
        words = [word for word in re.split(r"[,;\t ]+", line.strip()) if word]
        if not words or words[0].startswith("#"):
            continue
        digits = [word for word in words if word.isdecimal()]
        if not digits and not values:
            continue  # titles
        first = words[:3] == digits[:3] and len(digits) >= 3
        color, name = (digits[:3], " ".join(words[3:])) if first else (words[-3:], " ".join(words[:-3]))
        if not name or not all(part.isdecimal() and int(part) <= 255 for part in color) or len(color) != 3:
            raise ValueError(
                f"--mask-colors: line {number} of {path} is not a class: {line.strip()!r}; expected a name and three "
                "numbers 0 .. 255, such as road,128,64,128"
            )
        key = (int(color[0]), int(color[1]), int(color[2]))
        if key in values:
            raise ValueError(f"--mask-colors: line {number} of {path} has the colour {key} of a line before")
        if name.lower() == IGNORE:
            values[key] = IGNORED
            continue
        if name not in names:
            names.append(name)
        values[key] = names.index(name)
    if not 2 <= len(names) <= IGNORED:
        raise ValueError(f"--mask-colors: {path} has {len(names)} classes; expected 2 to {IGNORED}")
    return ColorTable(names, values, IGNORED in values.values())


def parse_augment(text: str, seed: int) -> Augment | None:
    """`flip,shift=0.1,rotation=10` as an `Augment`; `none` or nothing as None.

    Raises:
        ValueError: a change is not known, or its value is not a number or out of its range.
    """
    changes: dict[str, Any] = {}
    for item in (part.strip() for part in text.split(",")):
        if item in ("", "none"):
            continue
        name, given, value = item.partition("=")
        name = _SHORT.get(name.strip(), name.strip())
        if name not in _CHANGES:
            raise ValueError(f"--augment has no change {name!r}; it knows {', '.join((*_CHANGES, 'flip'))}, or none")
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
