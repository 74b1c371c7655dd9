"""Pictures with what was found drawn over them, at the resolution of their files."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate._files import write_file
from striate.cli._dataset import Part
from striate.data import read_image
from striate.data.intensity import Window
from striate.viz._figure import CLASS_COLORS

_SHADE = 0.45
_LARGEST = 1024
_MANY, _COVERED = 12, 1 / 6  # objects; share of a box that its label may have


def color_of(label: int) -> tuple[int, int, int]:
    """The colour of a class, 0 .. 255."""
    color = CLASS_COLORS[label % len(CLASS_COLORS)]
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def read_picture(path: str, window: Window) -> NDArray[np.uint8]:
    """The first frame of a file as (H, W, 3) bytes, at its own resolution."""
    return np.asarray(read_image(path, frame=0, color_mode="rgb", default_window=window or "minmax"), np.uint8)


def originals(part: Part, places: Sequence[int], window: Window) -> list[NDArray[np.uint8]] | None:
    """The files of some pictures at their own resolution, at most 1,024 pixels wide and high; None where they have no
    files of their own, as the pages of one, or one cannot be read."""
    if not part.files or len(set(part.files)) < len(part.files):
        return None
    try:
        return [_at_most(read_picture(part.files[place], window), _LARGEST) for place in places]
    except (OSError, ValueError):
        return None


def _at_most(picture: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    if max(picture.shape[:2]) <= side:
        return picture
    image = require("PIL.Image", "data", "striate").fromarray(picture)
    image.thumbnail((side, side))
    return np.asarray(image, np.uint8)


def paint_mask(picture: NDArray[np.uint8], mask: NDArray[Any]) -> NDArray[np.uint8]:
    """The picture with the classes of a mask (H, W) in colours; class 0, the background, is left clear, and the edges
    of regions are solid."""
    out = picture.astype(np.float32)
    edge = np.zeros(mask.shape, bool)
    for axis in (0, 1):
        differs = np.diff(mask, axis=axis) != 0
        first = [slice(None), slice(None)]
        second = [slice(None), slice(None)]
        first[axis], second[axis] = slice(None, -1), slice(1, None)
        edge[tuple(first)] |= differs
        edge[tuple(second)] |= differs
    for label in np.unique(mask).tolist():
        if label == 0:
            continue
        inside, color = mask == label, np.array(color_of(label - 1), np.float32)
        out[inside] = (1 - _SHADE) * out[inside] + _SHADE * color
        out[inside & edge] = color
    return np.rint(out).astype(np.uint8)


def draw_boxes(picture: NDArray[np.uint8], objects: Sequence[Any], class_names: Sequence[str]) -> NDArray[np.uint8]:
    """The picture with a frame for each {"class", "score", "box"}, and the class and score of each where there is room:
    labels do not cover one another, and of many objects only large ones have any."""
    pillow = require("PIL.Image", "data", "striate predict --overlays")
    drawing = require("PIL.ImageDraw", "data", "striate predict --overlays")
    fonts = require("PIL.ImageFont", "data", "striate predict --overlays")
    image = pillow.fromarray(picture)
    pen = drawing.Draw(image)
    height, width = picture.shape[:2]
    line = max(1, round(max(height, width) / 400))
    font = fonts.load_default(size=max(9, round(max(height, width) / 60)))
    taken: list[tuple[float, float, float, float]] = []
    for one in sorted(objects, key=lambda thing: thing["score"]):
        pen.rectangle(one["box"], outline=color_of(class_names.index(one["class"])), width=line)
    for one in sorted(objects, key=lambda thing: -thing["score"]):
        color = color_of(class_names.index(one["class"]))
        text = f"{one['class']} {one['score']:.2f}" if len(class_names) > 1 else f"{one['score']:.2f}"
        left, top, right, bottom = pen.textbbox((0, 0), text, font=font)
        across, down = right - left + 4, bottom - top + 4
        x1, y1, x2, y2 = one["box"]
        if len(objects) > _MANY and across * down > _COVERED * (x2 - x1) * (y2 - y1):
            continue
        x = min(max(one["box"][0], 0), max(width - across, 0))
        y = one["box"][1] - down if one["box"][1] >= down else one["box"][1]
        place = (x, y, x + across, y + down)
        if any(place[0] < b[2] and b[0] < place[2] and place[1] < b[3] and b[1] < place[3] for b in taken):
            continue
        taken.append(place)
        pen.rectangle(place, fill=color)
        light = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] > 140
        pen.text((x + 2 - left, y + 2 - top), text, font=font, fill="black" if light else "white")
    return np.asarray(image)


def write_png(file: Path, values: NDArray[Any]) -> None:
    """Write (H, W) or (H, W, 3) as a PNG file."""
    pillow = require("PIL.Image", "data", "striate predict")
    content = BytesIO()
    pillow.fromarray(values).save(content, format="png")
    file.parent.mkdir(parents=True, exist_ok=True)
    write_file(file, content.getvalue(), flush=False)  # flushing thousands of files would take minutes
