"""What belongs to each output of a model: targets and sample weights; as one value, a list, or a dict by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate._arrays import FloatArray, array_of, several, weights_for
from striate._names import suggestion


def targets_for(given: Any, names: Sequence[str], needed: Sequence[bool], what: str) -> list[Any]:
    """The targets of each output; None for an output that has neither a loss nor a metric.

    Raises:
        ValueError: a name is unknown, or the targets of an output that needs them are missing.
        TypeError: it is not a list or dict, and several outputs need targets.
    """
    if all(needed):
        return several(given, names, what)
    if isinstance(given, Mapping):
        check_names(given, names, what)
        items = [given.get(name) for name in names]
    elif isinstance(given, (list, tuple)) and len(given) == len(names):
        items = list(given)
    elif sum(needed) == 1:
        items = [given if need else None for need in needed]
    else:
        items = several(given, names, what)
    for name, need, item in zip(names, needed, items, strict=True):
        if need and item is None:
            raise ValueError(f"{what}: the output {name!r} has a loss or a metric and needs targets, got None")
    return [item if need else None for need, item in zip(needed, items, strict=True)]


def sample_weights_for(given: Any, names: Sequence[str], rows: int) -> list[FloatArray | None]:
    """No array, one for all outputs, or one (or None) for each output.

    Raises:
        ValueError: a name is unknown, or a number of rows does not fit.
        TypeError: an array holds no numbers.
    """
    if given is None:
        return []
    if isinstance(given, Mapping):
        check_names(given, names, "sample_weight")
        items = [given.get(name) for name in names]
    elif isinstance(given, (list, tuple)) and len(given) == len(names) and any(map(_is_some, given)):
        items = list(given)
    else:
        items = [given]
    return [None if item is None else weights_for(item, rows) for item in items]


def _is_some(value: Any) -> bool:
    """Whether an entry of a list is an array; None means that there is none."""
    return value is None or np.ndim(array_of(value, "sample_weight")) > 0


def check_names(given: Mapping[str, Any], names: Sequence[str], what: str) -> None:
    """Check that all keys are names of outputs.

    Raises:
        ValueError: one is not.
    """
    for name in given:
        if name not in names:
            raise ValueError(f"{what}: the model has no output {name!r}; {suggestion(str(name), names)}")
