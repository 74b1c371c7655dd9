"""Bring a picture to a wanted size."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from striate._extras import require

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
_MAX_SIDE, _MAX_PIXELS = 2**20, 2**30

# Keras's name, Pillow's filter. Pillow's filters average over what they drop when a picture shrinks.
_FILTERS = {
    "nearest": "NEAREST",
    "bilinear": "BILINEAR",
    "bicubic": "BICUBIC",
    "area": "BOX",
    "lanczos3": "LANCZOS",
}


def check_size(size: Any, what: str) -> Size | None:
    """`size` as (height, width): None, a pair, or one number for both; TypeError/ValueError that names `what`."""
    if size is None:
        return None
    try:
        height, width = (size, size) if hasattr(size, "__index__") else size
        height, width = operator.index(height), operator.index(width)
    except (TypeError, ValueError):
        raise TypeError(f"{what} expects a size of (height, width) in whole pixels, got {size!r}") from None
    if height < 1 or width < 1:
        raise ValueError(f"{what} expects a size of at least 1 pixel each way, got {size!r}")
    if max(height, width) > _MAX_SIDE:
        raise ValueError(f"{what} expects a size of at most {_MAX_SIDE} pixels each way, got {size!r}")
    return height, width


def check_interpolation(name: str, what: str) -> str:
    """Pillow's name for Keras's; ValueError that lists the known ones."""
    try:
        return _FILTERS[name]
    except (KeyError, TypeError):
        raise ValueError(f"{what} expects interpolation to be one of {', '.join(_FILTERS)}, got {name!r}") from None


def resize(image: Image, size: Size, resample: str, crop: bool, pad: bool) -> Image:
    """`image` at (height, width).

    Args:
        image: of mode L, RGB, RGBA or F.
        size: (height, width).
        resample: name of Pillow's filter.
        crop: first cut the largest centred part that has the wanted proportions.
        pad: first put it on the smallest black ground that has the wanted proportions.
    """
    height, width = size
    if image.size == (width, height):
        return image
    if crop or pad:
        left, top, inner_w, inner_h = framed((image.height, image.width), size, crop)
        if inner_w * inner_h > _MAX_PIXELS:
            raise ValueError(
                f"a picture of {image.height}x{image.width} padded to the proportions of {height}x{width} would have "
                f"{inner_h}x{inner_w} pixels; choose other proportions, or crop"
            )
        if crop:
            # Not resize's own box: its filters would see the pixels around.
            image = image.crop((left, top, left + inner_w, top + inner_h))
        else:
            ground = require("PIL.Image", "data", "striate.data").new(image.mode, (inner_w, inner_h))
            ground.paste(image, (-left, -top))
            image = ground
    filters = require("PIL.Image", "data", "striate.data").Resampling
    return image.resize((width, height), filters[resample])


def framed(size: Size, wanted: Size, crop: bool) -> tuple[int, int, int, int]:
    """Left, top, width and height of the centred frame with the proportions of `wanted`: the largest within a picture
    of `size`, to be cut, or the smallest around it, to be padded.
    """
    height, width = size
    choose = min if crop else max
    inner_w = choose(width, max(1, height * wanted[1] // wanted[0]))
    inner_h = choose(height, max(1, width * wanted[0] // wanted[1]))
    return (width - inner_w) // 2, (height - inner_h) // 2, inner_w, inner_h
