"""Pictures as data within the page."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require

_HEAT = 128  # pixels of a heat map, which is smooth
_BUDGET = 3_000_000  # characters of the pictures of one section, so that a page is at most 5 MB


def within_budget(entries: Iterator[dict[str, Any]], budget: int = _BUDGET) -> list[dict[str, Any]]:
    """The first entries of a section whose texts, pictures among them, have at most `budget` characters together; one
    at least."""
    kept: list[dict[str, Any]] = []
    for entry in entries:
        budget -= sum(len(value) for value in entry.values() if isinstance(value, str))
        if budget < 0 and kept:
            break
        kept.append(entry)
    return kept


def jpeg(image: NDArray[Any], side: int) -> str:
    """A picture (H, W, 1 or 3), bytes, as a data URI, at most `side` pixels wide and high. Small ones stay sharp: they
    are PNG files."""
    pillow = require("PIL.Image", "cli", "the report")
    values = np.asarray(image)
    values = values[..., 0] if values.shape[-1] == 1 else values[..., :3]
    if values.dtype != np.uint8:
        low, high = float(values.min()), float(values.max())
        values = np.rint((values - low) * (255 / (high - low or 1))).astype(np.uint8)
    picture = pillow.fromarray(np.ascontiguousarray(values))
    picture.thumbnail((side, side))
    small = max(picture.size) <= 48
    return _uri(picture, "png" if small else "jpeg", {} if small else {"quality": 82})


def colored(mask: NDArray[Any], colors: dict[int, tuple[int, int, int, int]]) -> str:
    """A mask (H, W) as a PNG data URI: the colour (r, g, b, opacity) of each value; others are clear."""
    pillow = require("PIL.Image", "cli", "the report")
    out = np.zeros((*mask.shape, 4), np.uint8)
    for value, color in colors.items():
        out[mask == value] = color
    return _uri(pillow.fromarray(out).quantize(256), "png", {"optimize": True})


def heat(values: NDArray[Any]) -> str:
    """A map (H, W) of 0 .. 1 as a PNG data URI: orange, the more opaque the larger."""
    pillow = require("PIL.Image", "cli", "the report")
    step = -(-max(values.shape) // _HEAT)
    strength = np.clip(np.nan_to_num(values[::step, ::step]), 0, 1)
    out = np.empty((*strength.shape, 4), np.uint8)
    out[..., 0], out[..., 1], out[..., 2] = 255, np.rint(200 * strength), 0
    out[..., 3] = np.rint(210 * strength)
    return _uri(pillow.fromarray(out), "png", {"optimize": True})


def mosaic(maps: NDArray[Any], columns: int, side: int) -> str:
    """Maps (H, W, C) side by side as a grey PNG data URI, on one scale, each at most `side` pixels wide and high."""
    pillow = require("PIL.Image", "cli", "the report")
    low, high = float(np.nanmin(maps)), float(np.nanmax(maps))
    grey = np.rint((np.nan_to_num(maps, nan=low) - low) * (255 / (high - low or 1))).astype(np.uint8)
    height, width, channels = grey.shape
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    columns = min(columns, channels)
    rows = -(-channels // columns)
    sheet = pillow.new("LA", (columns * (size[0] + 2) - 2, rows * (size[1] + 2) - 2))
    for index in range(channels):
        tile = pillow.fromarray(np.ascontiguousarray(grey[..., index]))
        tile = tile.resize(size, pillow.NEAREST if factor > 1 else pillow.BOX).convert("LA")
        sheet.paste(tile, (index % columns * (size[0] + 2), index // columns * (size[1] + 2)))
    return _uri(sheet, "png", {"optimize": True})


def _uri(picture: Any, form: str, options: dict[str, Any]) -> str:
    content = BytesIO()
    picture.save(content, format=form, **options)
    return f"data:image/{form};base64,{base64.b64encode(content.getvalue()).decode()}"
