"""What the ready networks share: the core builds them and checks the values of their arguments; the kinds are checked
here.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate import _core
from striate._checks import next_seed
from striate.model import Model

# How deep the sequences are; the other whole numbers are single ones.
_DEPTHS = {
    "input_shape": (1, "(height, width, channels), all at least 1"),
    "cnn.filters": (1, "such as (32, 64)"),
    "vgg.filters": (2, "as a sequence a stack, such as ((64, 64), (128, 128))"),
    "vgg.units": (1, "such as (256,), all at least 1"),
    "detector.strides": (1, "of 2, 4, 8 and so on"),
}


def build(arguments: Mapping[str, Any], who: str) -> Model:
    """The core's network of that name, from the function's arguments."""
    given = {name: _checked(who, name, value) for name, value in arguments.items() if name != "seed"}
    core = getattr(_core, f"build_{who}")(**given, seed=next_seed(arguments["seed"], f"models.{who}"))
    return Model._of_core(core, who)


def _checked(who: str, name: str, value: Any) -> Any:
    optional = name == "rescale" or (who, name) == ("unet", "activation")
    if value is None and optional:
        return None
    if name in ("dropout", "rescale"):
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"models.{who} expects {name} to be a number, got {value!r}")
        return float(value)
    if name in ("activation", "padding", "pooling", "stem", "up"):
        if not isinstance(value, str):
            raise TypeError(f"models.{who} expects {name} to be a string, got {value!r}")
        return value
    if name in ("batch_normalization", "imagenet_pixels"):
        return bool(value)
    depth, form = _DEPTHS.get(name) or _DEPTHS.get(f"{who}.{name}") or (0, "to be a whole number of at least 1")
    try:
        return _wholes(value, depth)
    except TypeError:
        raise ValueError(f"models.{who} expects {name} {form}, got {value!r}") from None


def _wholes(value: Any, depth: int) -> Any:
    """Whole numbers in sequences of that depth; a TypeError for anything else."""
    if depth:
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise TypeError
        return [_wholes(item, depth - 1) for item in value]
    number = operator.index(value)
    if isinstance(value, bool) or abs(number) >= 2**63:
        raise TypeError
    return number
