"""From measured values to the 256 grey levels of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Window = tuple[float, float] | str | None
Values = NDArray[np.float32]


def check_window(window: Any, what: str) -> Window:
    """`window` as (center, width), "minmax" or None; TypeError/ValueError that names `what` otherwise."""
    if window is None or window == "minmax":
        return None if window is None else "minmax"
    form = f"{what} expects window=(center, width), 'minmax' or None, got {window!r}"
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
    """Map low .. high to 0 .. 255 in a straight line and cut what lies outside; all 0 where low equals high."""
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
