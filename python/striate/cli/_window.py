"""How deep grey pictures become bytes: the range of values that is black to white, chosen over the training part."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from striate.data.image import Reading, decode
from striate.data.intensity import Deep, Window, common_window
from striate.data.listing import find_images

AUTO, MINMAX, FULL = "auto", "minmax", "full"
_FIRST, _LOOKED_AT = 24, 200
_OUTLIERS = 0.05  # share of the pictures at either end whose values do not widen the range
_DARK = 1 / 16  # a picture that is within this lowest part of the common range keeps fewer than 16 grey levels
_MANY_DARK = 0.25  # share of such pictures from which on each picture has a range of its own
_WIDER = 1.5  # outliers that widen the range by less are included


def window_option(text: str) -> str:
    """The type of `--window`: the text itself, checked."""
    parse_window(text)
    return text


def parse_window(text: str) -> Window:
    """`LOW,HIGH` as (center, width); None for auto and full, which depend on the data; "minmax" as it is.

    Raises:
        click.BadParameter: the value is not one of these.
    """
    word = text.strip().lower()
    if word in (AUTO, FULL):
        return None
    if word == MINMAX:
        return MINMAX
    try:
        low, high = (float(part) for part in word.split(","))
    except ValueError:
        low = high = float("nan")
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise click.BadParameter(
            f"{text!r} is not a range of grey values: give auto, minmax, full, or LOW,HIGH such as 0,4095"
        )
    return (low + high) / 2, high - low


def find_window(choice: str, folder: Path, files: Sequence[str] | None = None) -> Window:
    """The window for all grey pictures of more than 8 bits that have none of their own; None where there are none.

    Args:
        choice: what `--window` says.
        folder: of the training part.
        files: its pictures; by default all in the folder.

    Raises:
        ValueError: there are none, and the choice is not "auto"; or it is "full", and the type of a picture tells no
            range.
    """
    if files is None:
        files = find_images(folder, False).files
    deep = _ranges(files, _FIRST)
    if deep:
        deep = _ranges(files, _LOOKED_AT)
    if not deep:
        if choice != AUTO:
            raise ValueError(
                f"--window is for grey pictures of more than 8 bits without a window in the file; {folder} has none"
            )
        return None
    if choice not in (AUTO, FULL):
        return parse_window(choice)
    if choice == FULL:
        limits = {one.full for one in deep}
        if None in limits:
            raise ValueError(
                f"--window full: files of {folder}, such as DICOM or float TIFF, do not tell the largest value of "
                "their type; give --window auto, or LOW,HIGH"
            )
        top = max(limit for limit in limits if limit is not None)
        return top / 2, top
    return choose_window(deep)


def choose_window(deep: Sequence[Deep]) -> Window:
    """The range that all pictures share, without the values of a few outliers; "minmax" where they share none."""
    every = common_window(deep)
    lows, highs = np.array([one.low for one in deep]), np.array([one.high for one in deep])
    low, high = float(np.quantile(lows, _OUTLIERS)), float(np.quantile(highs, 1 - _OUTLIERS))
    if highs.max() - lows.min() > _WIDER * (high - low) and high > low:
        kept = [one._replace(low=max(one.low, low), high=min(one.high, high)) for one in deep]
    else:
        kept = list(deep)
    found = common_window(kept)
    width = (every if found.window is None else found).window
    if width is None:
        return None
    black = width[0] - width[1] / 2
    dark = np.mean([one.high - black < _DARK * width[1] for one in kept])
    return MINMAX if dark > _MANY_DARK else width


def tell_window(window: Window) -> str | None:
    """The window in words, for the terminal; None without one."""
    if window is None:
        return None
    if isinstance(window, str):
        return "deep pictures: of each, its smallest value is black and its largest white (--window minmax)"
    low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    return f"deep pictures: {low:g} is black and {high:g} white (--window {low:g},{high:g})"


def _ranges(files: Sequence[str], count: int) -> list[Deep]:
    """The ranges of the deep pictures among `count` files, evenly spread over all."""
    places = np.linspace(0, len(files) - 1, min(len(files), count)).round().astype(int).tolist()
    return [found for place in places if (found := _range(files[place])) is not None]


def _range(path: str) -> Deep | None:
    try:
        # A window of any kind lets files be read whose type tells no range; what is found does not depend on it.
        return decode(Path(path), 0, Reading(default_window=MINMAX)).deep
    except (OSError, ValueError):
        return None
