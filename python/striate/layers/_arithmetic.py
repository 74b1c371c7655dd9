"""What `x / 255.0`, `1 - x` or `x * gate` of symbols mean: arguments of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from striate._arrays import array_of

Shape = Sequence[int]
Constant = float | list[float]


def constant(value: Any, shape: Shape) -> Constant:
    """A number, or one for each channel of a symbol of this shape (without the batch).

    Raises:
        TypeError: it is neither.
        ValueError: there is not one for each channel, or one is not finite.
    """
    whole = ", ".join(map(str, shape))
    wrong = f"a Symbol (N, {whole}) combines with Symbols, numbers, and one number for each channel"
    if isinstance(value, (str, bytes)) or value is None:
        raise TypeError(f"{wrong}, got {type(value).__name__}")
    array = array_of(value, "the constant")
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{wrong}, got {type(value).__name__}")
    if array.size != 1 and (array.shape[-1] != shape[-1] or array.size != shape[-1] or array.ndim > len(shape) + 1):
        raise ValueError(f"{wrong}, got an array of shape {array.shape}")
    numbers = array.astype(np.float64).reshape(-1)
    if not np.isfinite(numbers).all():
        raise ValueError(f"{wrong}, got {value!r}; the numbers must be finite")
    return float(numbers[0]) if array.size == 1 else [float(number) for number in numbers]


def negative(value: Constant) -> Constant:
    """Its opposite."""
    return [-number for number in value] if isinstance(value, list) else -value


def inverse(value: Constant) -> Constant:
    """One divided by it.

    Raises:
        ZeroDivisionError: it is 0, or a number in it is.
    """
    return [1.0 / number for number in value] if isinstance(value, list) else 1.0 / value
