"""Numbers as annotation files hold them: JSON's own, or text."""

from __future__ import annotations

import math
import re
from typing import Any

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"-?(0|[1-9]\d{0,17})", re.ASCII)
_MAX_LENGTH = 100  # of a number as text
_FALSE = ("", "0", "false", "no", "none", "null", "unspecified")  # VoTT writes Unspecified
_TRUE = ("1", "true", "yes")


def number(value: Any, name: str) -> float:
    """A finite number, also where it is given as text; ValueError that names it otherwise."""
    found = math.nan
    if isinstance(value, str):
        text = value.strip()
        if len(text) <= _MAX_LENGTH and _NUMBER.fullmatch(text):
            found = float(text)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            found = float(value)
        except OverflowError:
            raise ValueError(f"{name} must be a finite number, got an integer beyond the range of float64") from None
    if not math.isfinite(found):
        raise ValueError(f"{name} must be a finite number, got {_short(value)}")
    return found


def side(value: Any, name: str) -> int | None:
    """A height or width in whole pixels; None where the file leaves it empty, null or 0.

    Raises:
        ValueError: it is negative, fractional, or no number.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    found = number(value, name)
    if found < 0 or found != int(found):
        raise ValueError(f"{name} must be a whole number of pixels, got {_short(value)}")
    return int(found) or None


def flag(value: Any, name: str) -> bool:
    """Yes or no; an empty or null value is no. ValueError for anything but a number or the usual words."""
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _FALSE or word in _TRUE:
            return word in _TRUE
    return number(value, name) > 0


def identity(value: Any, name: str) -> int | str:
    """A number by which entries of a file refer to each other. Text of digits counts as the number.

    Raises:
        ValueError: it is neither a whole number nor text.
    """
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"{name} must be a whole number or text, got {_short(value)}")


def label(value: Any, name: str) -> str:
    """The name of a class. ValueError where it is empty, is not text or number, or cannot be written as UTF-8."""
    text = str(value) if isinstance(value, (str, int, float)) and not isinstance(value, bool) else ""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = ""
    if not text.strip():
        raise ValueError(f"{name} must be a name, got {_short(value)}")
    return text


def _short(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or abs(value) < 10**60 else "an integer of many digits"
    return text if len(text) <= 80 else f"{text[:77]}..."
