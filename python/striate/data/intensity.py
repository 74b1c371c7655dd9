"""From measured values to the 256 grey levels of a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float] | str | None
Values = NDArray[np.float32]

_TRIMMED = 1e-4  # share of a picture's pixels at either end, such as hot ones, that its range leaves out
_DIM = 0.25  # below this share of the full range, the range that is used is mapped to 0 .. 255


class Deep(NamedTuple):
    """The grey values of a picture of more than 8 bits that says nothing of its black and white.

    Attributes:
        low, high: the range that they use.
        full: the largest value of its type, such as 65535; None where only the data can tell (DICOM).
    """

    low: float
    high: float
    full: float | None

    @property
    def dim(self) -> bool:
        """Whether the full range would leave few grey levels."""
        return self.full is None or self.high - self.low < _DIM * self.full


def deep_range(values: NDArray[Any], full: float | None) -> Deep:
    """The range of a picture's values, without one in 10,000 pixels at either end."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Deep(0.0, 0.0, full)
    low, high = np.quantile(finite, [_TRIMMED, 1.0 - _TRIMMED], method="inverted_cdf")
    return Deep(float(low), float(high), full)


class CommonWindow(NamedTuple):
    """Attributes:
    window: (center, width) for the deep pictures of a data set; None where each keeps the full range of its type.
    full: whether the window is the full range of their type.
    """

    window: tuple[float, float] | None
    full: bool


def common_window(pictures: Sequence[Deep]) -> CommonWindow:
    """One window for the deep pictures of a data set."""
    low, high = min(picture.low for picture in pictures), max(picture.high for picture in pictures)
    known = [picture.full for picture in pictures if picture.full is not None]
    full = max(known) if len(known) == len(pictures) else None
    if Deep(low, high, full).dim and high > low and math.isfinite(high - low):
        return CommonWindow(((low + high) / 2, high - low), False)
    return CommonWindow((full / 2, full) if full is not None and min(known) == full else None, True)


def check_window(window: Any, what: str, name: str = "window") -> Window:
    """`window` as (center, width), "minmax" or None; TypeError/ValueError that names `what` otherwise."""
    if window is None or window == "minmax":
        return None if window is None else "minmax"
    form = f"{what} expects {name}=(center, width), 'minmax' or None, got {window!r}"
    if isinstance(window, str):
        raise ValueError(form)
    try:
        center, width = (float(value) for value in window)
    except TypeError:
        raise TypeError(form) from None
    except ValueError:
        raise ValueError(form) from None
    if not (np.isfinite(center) and np.isfinite(width) and width > 0):
        raise ValueError(f"{form}; the width must be above 0")
    return center, width


def stretch(values: NDArray[Any], low: float, high: float) -> Values:
    """Map low .. high to 0 .. 255 in a straight line and clip values outside; all 0 where low equals high."""
    if high <= low:
        return np.zeros(values.shape, dtype=np.float32)
    scaled = (values.astype(np.float64) - low) * (255.0 / (high - low))
    return np.clip(scaled, 0.0, 255.0).astype(np.float32)


def stretch_window(values: NDArray[Any], window: tuple[float, float] | str) -> Values:
    """Map a window to 0 .. 255: center - width/2 to 0, center + width/2 to 255; "minmax": the finite extremes."""
    if isinstance(window, str):
        finite = values[np.isfinite(values)]
        return stretch(values, float(finite.min()), float(finite.max())) if finite.size else stretch(values, 0.0, 0.0)
    center, width = window
    return stretch(values, center - width / 2, center + width / 2)


def to_uint8(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Round to the nearest of 0 .. 255; NaN becomes 0."""
    finite = np.nan_to_num(values, nan=0.0, posinf=255.0, neginf=0.0)
    grey: NDArray[np.uint8] = np.rint(np.clip(finite, 0.0, 255.0)).astype(np.uint8)
    return grey
