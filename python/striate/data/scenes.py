"""Made scenes of real digits: pictures to try detection and segmentation on, with exact boxes and masks."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate.data.digits import load_digits
from striate.data.resize import check_size

Boxes = NDArray[np.float32]
Labels = NDArray[np.int64]
_OWNER = "digit_scenes"
_INK = 0.25  # of full ink: from here on a pixel belongs to the digit
_TRIES = 50  # places for a digit, before it is left out


class Scenes(NamedTuple):
    """The result of `digit_scenes`; it unpacks into these three."""

    images: NDArray[np.uint8]
    """(N, H, W, 1)."""
    targets: list[tuple[Boxes, Labels]]
    """One `(boxes (M, 4), labels (M,))` for each image: x1, y1, x2, y2 in pixels, and the digits."""
    masks: NDArray[np.uint8]
    """(N, H, W): 0 the background, else the digit plus one."""


def digit_scenes(
    count: int,
    size: int | tuple[int, int] = (64, 64),
    digits: tuple[int, int] = (1, 4),
    seed: int = 0,
    *,
    sides: tuple[int, int] = (12, 28),
    part: str = "train",
) -> Scenes:
    """Generate scenes: the bundled handwritten digits, placed on a canvas.

    Each digit is enlarged, made fainter or stronger, and laid on a ground of shade and noise where it touches no other.
    Its box is the extent of its ink, its mask the ink itself. How well a network does here tells nothing of
    photographs.

    Args:
        count: number of scenes, N.
        size: (height, width) in pixels, or one number for both; at least 16.
        digits: the fewest and the most digits a scene, each number as likely as another; a scene has fewer where no
            room is found for them. From 0 on: a scene may be empty.
        seed: seed of everything that is random.
        sides: the smallest and the largest side in pixels to which the 8x8 digits are enlarged; cut to `size`.
        part: "train" or "test" for the digits of `load_digits()`'s parts, so that no digit of one is in the other;
            "all" for both.

    Returns:
        Images uint8 (N, H, W, 1); a list with one (boxes float32 (M, 4), labels int64 (M,)) for each image; masks uint8
        (N, H, W), 0 for the background and the digit plus one for its ink.

    Raises:
        TypeError: a number is not whole.
        ValueError: an argument is out of its range.
    """
    count = operator.index(count)
    wanted = check_size(size, _OWNER)
    if count < 0:
        raise ValueError(f"{_OWNER} expects a count of 0 or more, got {count}")
    if wanted is None or min(wanted) < 16:
        raise ValueError(f"{_OWNER} expects a size of at least 16 pixels each way, got {size!r}")
    fewest, most = _pair(digits, "digits", 0)
    room = wanted[0] * wanted[1] // 64
    if most > room:
        raise ValueError(f"{_OWNER} expects at most {room} digits, one for each 8 x 8 pixels, got {digits!r}")
    small, large = (min(side, *wanted) for side in _pair(sides, "sides", 8))
    (x_train, y_train), (x_test, y_test) = load_digits()
    parts = {"train": (x_train, y_train), "test": (x_test, y_test)}
    parts["all"] = (np.concatenate([x_train, x_test]), np.concatenate([y_train, y_test]))
    if part not in parts:
        raise ValueError(f"{_OWNER} expects part to be one of {', '.join(parts)}, got {part!r}")
    glyphs, names = parts[part]
    random = np.random.default_rng(seed)
    images = np.empty((count, *wanted, 1), np.uint8)
    masks = np.zeros((count, *wanted), np.uint8)
    targets: list[tuple[Boxes, Labels]] = []
    for place in range(count):
        canvas = _ground(random, wanted)
        boxes: list[tuple[int, int, int, int]] = []
        labels: list[int] = []
        for _ in range(int(random.integers(fewest, most + 1))):
            which = int(random.integers(len(glyphs)))
            ink = _enlarged(glyphs[which, ..., 0], int(random.integers(small, large + 1)))
            box = _room(random, wanted, ink, boxes)
            if box is None:
                continue
            x1, y1, x2, y2 = box
            drawn = ink >= _INK
            masks[place, y1:y2, x1:x2][drawn] = names[which] + 1
            strength = random.uniform(0.6, 1.0)
            view = canvas[y1:y2, x1:x2]
            np.maximum(view, ink * strength, out=view)
            boxes.append(box)
            labels.append(int(names[which]))
        canvas += random.normal(0.0, 0.04, wanted)
        images[place, ..., 0] = np.rint(np.clip(canvas, 0.0, 1.0) * 255.0)
        targets.append((np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)))
    return Scenes(images, targets, masks)


def _pair(value: Any, name: str, least: int) -> tuple[int, int]:
    try:
        low, high = (operator.index(number) for number in value)
    except (TypeError, ValueError):
        raise TypeError(f"{_OWNER} expects {name} as a pair of whole numbers, got {value!r}") from None
    if not least <= low <= high:
        raise ValueError(f"{_OWNER} expects {name} as (min, max), from {least} on, got {value!r}")
    return low, high


def _ground(random: np.random.Generator, size: tuple[int, int]) -> NDArray[np.float64]:
    """A smooth shade from corner to corner, up to a third of full ink."""
    corners = random.uniform(0.0, 0.35, (2, 2))
    down, across = (np.linspace(0.0, 1.0, side) for side in size)
    ends = np.stack([1.0 - down, down], axis=1) @ corners
    shade: NDArray[np.float64] = ends @ np.stack([1.0 - across, across])
    return shade


def _enlarged(glyph: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """A digit at side x side by bilinear interpolation, cut to its ink; 0 .. 1."""
    weights = _between(len(glyph), side)
    ink = weights @ (glyph / 255.0) @ weights.T
    drawn = ink >= _INK
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    cut: NDArray[np.float64] = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return cut


def _between(old: int, new: int) -> NDArray[np.float64]:
    """(new, old): the share of each old pixel in each new one, by the positions of their centres."""
    places = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0.0, old - 1.0)
    weights: NDArray[np.float64] = np.maximum(0.0, 1.0 - np.abs(places[:, None] - np.arange(old)))
    return weights


def _room(
    random: np.random.Generator,
    size: tuple[int, int],
    ink: NDArray[np.float64],
    taken: list[tuple[int, int, int, int]],
) -> tuple[int, int, int, int] | None:
    """A box for the digit that keeps a pixel from all others; None where none was found."""
    height, width = ink.shape
    for _ in range(_TRIES):
        x = int(random.integers(size[1] - width + 1))
        y = int(random.integers(size[0] - height + 1))
        if all(x > x2 or x + width < x1 or y > y2 or y + height < y1 for x1, y1, x2, y2 in taken):
            return x, y, x + width, y + height
    return None
