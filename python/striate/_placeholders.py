"""The inputs of networks whose shapes come from data, or from a shape that `build` is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate._arrays import numbers
from striate.layers._base import Symbol
from striate.layers.core import Input


def of_data(x: Any, what: str) -> Any:
    """Symbols in the structure of arrays: one, a list of several, or a dict."""
    if isinstance(x, Mapping):
        return {name: Input(numbers(item, what).shape[1:], name=str(name)) for name, item in x.items()}
    if isinstance(x, (list, tuple)) and x and all(isinstance(item, np.ndarray) for item in x):
        symbols = [Input(numbers(item, what).shape[1:]) for item in x]
        return symbols[0] if len(symbols) == 1 else symbols
    return Input(numbers(x, what).shape[1:])


def of_shape(input_shape: Any) -> Any:
    """Symbols for a shape with the batch, or for a list or a dict of shapes."""
    if isinstance(input_shape, Mapping):
        return {name: Input(without_batch(shape), name=str(name)) for name, shape in input_shape.items()}
    if isinstance(input_shape, (list, tuple)) and input_shape and all(_is_shape(item) for item in input_shape):
        return [Input(without_batch(shape)) for shape in input_shape]
    return Input(without_batch(input_shape))


def like(symbols: Sequence[Symbol]) -> Any:
    """Inputs of the shapes of symbols."""
    made = [Input(symbol._core.shape) for symbol in symbols]
    return made[0] if len(made) == 1 else made


def listed(structure: Any) -> list[Symbol]:
    """The symbols of one of these."""
    if isinstance(structure, Mapping):
        return list(structure.values())
    return list(structure) if isinstance(structure, list) else [structure]


def without_batch(value: Sequence[int | None]) -> tuple[int, ...]:
    """The shape without the batch.

    Raises:
        TypeError: it is not a shape.
        ValueError: a size is not fixed.
    """
    if isinstance(value, (str, int)) or not hasattr(value, "__iter__") or not tuple(value):
        raise TypeError(f"build: input_shape must be a tuple such as (None, 28, 28, 1), got {value!r}")
    sizes = tuple(value)[1:]
    shape = tuple(size for size in sizes if size is not None)
    if len(shape) != len(sizes):
        raise ValueError(f"build: input_shape must have fixed sizes except for the batch, got {tuple(value)}")
    return shape


def _is_shape(value: Any) -> bool:
    return isinstance(value, (list, tuple))
