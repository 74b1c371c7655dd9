"""The rule by which the values of a data set's masks are classes, where the caller does not say so."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import numpy as np

from striate.data.mask import Mask, RawMask

_MAX_UNNAMED = 64  # classes without class_names
_SHOWN = 12


class MaskFacts(NamedTuple):
    """Attributes:
    path: the mask.
    values: those that occur, sorted.
    palette: the colour of each, of a palette picture.
    lossy: whether it is a JPEG.
    """

    path: str
    values: tuple[int, ...]
    palette: dict[int, tuple[int, int, int]]
    lossy: bool


def facts_of(path: str, mask: RawMask, lossy: bool) -> MaskFacts:
    """The facts of one mask."""
    return MaskFacts(path, tuple(np.unique(mask.values).tolist()), mask.palette, lossy)


def check_lossy(facts: MaskFacts) -> str | None:
    """A JPEG's values are classes only if it holds 0 and one other: its compression changes values at edges."""
    if facts.lossy and not set(facts.values) <= {0, 255} and not set(facts.values) <= {0, 1}:
        return (
            f"the mask {facts.path} is a JPEG, whose compression changes values ({_some(facts.values)}): for masks of "
            'yes and no pass values="threshold" (class 1 from 128 on); save other masks as PNG'
        )
    return None


def check_palettes(masks: list[MaskFacts]) -> str | None:
    """One index must have one colour in all palette pictures: programs number the colours of each file anew."""
    seen: dict[int, tuple[tuple[int, int, int], str]] = {}
    for mask in masks:
        for index, color in mask.palette.items():
            first, path = seen.setdefault(index, (color, mask.path))
            if first != color:
                return (
                    f"the palettes of the masks differ: {index} is the colour {first} in {path} and {color} in "
                    f"{mask.path}; name the class of each colour, values={{(r, g, b): class, ...}}, or of each index "
                    "where the colours do not count, values={index: class, ...}"
                )
    return None


def is_yes_and_no(masks: list[MaskFacts], ignore_class: int | None) -> bool:
    """Whether the masks hold 0 and 255 alone, and 255 is a class."""
    values = {value for mask in masks for value in mask.values}
    return ignore_class != 255 and 255 in values and values <= {0, 255}


def check_values(masks: list[MaskFacts], named: bool, ignore_class: int | None, what: str) -> str | None:
    """The problem of values that are probably no classes, None where they are.

    Args:
        masks: all that are used, not `is_yes_and_no`.
        named: whether there are class_names, so that the number of classes is known.
        ignore_class: not a class.
        what: the caller, for warnings.
    """
    if named:
        return None
    values = sorted({value for mask in masks for value in mask.values} - {ignore_class})
    if not values or values[0] < 0:
        return None
    if 255 in values:
        path = next(mask.path for mask in masks if 255 in mask.values)
        other = next(mask for mask in masks if set(mask.values) - {0, 255, ignore_class})
        return (
            f"the masks hold {_some(values)}: 255 in {path}, {_some(other.values)} in {other.path}. If 255 is "
            "unmarked, pass ignore_class=255; if it is the class 1, values={0: 0, 1: 1, 255: 1}; if all but 0 is "
            'one class, values="nonzero"; for grey edges, values="threshold"; for 256 classes, class_names'
        )
    if values[-1] >= _MAX_UNNAMED:
        return (
            f"the masks hold {_some(values)}, which would be {values[-1] + 1} classes. If the values number objects, "
            'pass values="nonzero"; if each is a class, values={value: class, ...}, or class_names for that many'
        )
    missing = values[-1] + 1 - len(values)
    if values[0] > 0:
        mapping = ", ".join(f"{value}: {place}" for place, value in enumerate(values[:4]))
        warnings.warn(
            f"{what}: no mask holds 0; the values {_some(values)} are the classes, and 0 is one that never occurs. If "
            f"they count from {values[0]}, pass values={{{mapping}{', ...' if len(values) > 4 else ''}}}",
            stacklevel=3,
        )
    elif missing >= max(2, len(values)):
        warnings.warn(
            f"{what}: the masks hold {_some(values)}; the values are the classes, and so there are {values[-1] + 1}, "
            f"of which {missing} never occur. Pass class_names if they are classes, or values={{value: class, ...}}",
            stacklevel=3,
        )
    return None


def with_one(mask: Mask) -> Mask:
    """0 and 255 as the classes 0 and 1."""
    ones: Mask = np.minimum(mask, 1)
    return ones


def _some(values: tuple[int, ...] | list[int]) -> str:
    shown = ", ".join(map(str, values[:_SHOWN]))
    return f"{shown}, ... {values[-1]}" if len(values) > _SHOWN else shown
