"""Ordinary pictures, decoded by Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data.intensity import Window, stretch, stretch_window
from striate.data.resize import Size

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOR = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
_PHOTOMETRIC, _BITS = 262, 258  # TIFF's tags


def decode_picture(path: Path, frame: int, window: Window, raw: bool, size: Size | None) -> Image:
    """Decode one frame of a picture.

    Args:
        path: the file.
        frame: number of the frame, from 0.
        window: see `read_image`.
        raw: keep the values of a deep grey picture as they are.
        size: (height, width) that will be made of it; a JPEG four times as large or more is decoded at a fraction.

    Returns:
        A Pillow image, upright by its EXIF orientation, of mode L, LA, RGB or RGBA (0 .. 255), or F (float32, one
        channel): 0 .. 255, or the file's own values if `raw`.

    Raises:
        OSError: the file is no picture or is damaged.
        ValueError: there is no such frame; a window for a colour picture; or a range of values that only the caller
            knows.
    """
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    image, limit, inverted = load_frame(path, frame, size)
    return _normalise(pillow, image, limit, inverted, path, window, raw)


def load_frame(path: Path, frame: int, size: Size | None = None) -> tuple[Any, int | None, bool]:
    """One frame of a picture as it is stored, upright by its EXIF orientation.

    Args:
        path, frame, size: as for `decode_picture`.

    Returns:
        The Pillow image, the largest value that a deep grey one can hold (None where the file does not tell), and
        whether its values are still to be inverted.

    Raises:
        OSError: the file is no picture or is damaged.
        ValueError: there is no such frame.
    """
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    ops = require("PIL.ImageOps", "data", "striate.data.read_image")
    with _reading(pillow, path) as file, pillow.open(file) as image:
        _seek(pillow, image, frame, path)
        if size is not None:
            # Twice the size is left for the filter; either side may become the height (EXIF).
            image.draft(None, (2 * max(size), 2 * max(size)))
        image.load()
        limit, inverted = _white(image), _is_inverted(image)
        if image.format != "TIFF":  # Pillow turns a TIFF while it loads it
            image = ops.exif_transpose(image)
    return image, limit, inverted


def picture_frames(path: Path) -> int:
    """The number of frames; OSError where the file is no picture or is damaged."""
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    with _reading(pillow, path) as file, pillow.open(file) as image:
        return int(getattr(image, "n_frames", 1))


@contextmanager
def _reading(pillow: Any, path: Path) -> Iterator[BinaryIO]:
    """The open file; whatever Pillow raises becomes an OSError that names it."""
    with path.open("rb") as file:
        try:
            yield file
        except (MemoryError, _NoSuchFrame):
            raise
        except Exception as error:  # what a damaged file raises in Pillow depends on the format and the damage
            kind = "it is no picture that Pillow knows" if isinstance(error, pillow.UnidentifiedImageError) else error
            raise OSError(f"cannot read the image {path}: {kind}") from error


class _NoSuchFrame(ValueError):
    """Told apart from the ValueErrors that damaged files raise."""


def _seek(pillow: Any, image: Any, frame: int, path: Path) -> None:
    if frame == 0:
        return  # where an image stands when it is opened
    try:
        image.seek(frame)
    except EOFError:
        # Counted anew: a seek beyond the end leaves Pillow's own count wrong.
        with pillow.open(path) as again:
            frames = getattr(again, "n_frames", 1)
        raise _NoSuchFrame(f"read_image: {path} has {frames} frame{'s' * (frames > 1)}, so no frame {frame}") from None


def _normalise(
    pillow: Any, image: Any, limit: int | None, inverted: bool, path: Path, window: Window, raw: bool
) -> Image:
    deep = image.mode == "F" or image.mode.startswith("I")
    if not deep:
        image = _plain_mode(image)
        if window is None:
            return image  # type: ignore[no-any-return]
        if image.mode == "LA":
            image = image.convert("L")
        if image.mode != "L":
            raise ValueError(f"read_image: a window is for grey images, but {path} is {image.mode}")
    values: NDArray[Any] = np.asarray(image).astype(np.float64 if image.mode == "I" else np.float32)
    if inverted and limit is not None:
        values = limit - values
    if window is not None:
        values = stretch_window(values, window)
    elif not raw:
        if limit is None:
            raise ValueError(
                f"read_image: {path} holds {'32-bit float' if image.mode == 'F' else 'signed or 32-bit'} values, "
                "whose black and white only you know; pass window=(center, width), window='minmax' for the image's "
                "own extremes, or dtype='float32' for the values themselves"
            )
        values = stretch(values, 0, limit)
    return pillow.fromarray(values.astype(np.float32))  # type: ignore[no-any-return]


def _plain_mode(image: Any) -> Any:
    """`image` in L, LA, RGB or RGBA."""
    if image.mode in ("L", "LA", "RGB", "RGBA"):
        return image
    if image.mode == "1":
        return image.convert("L")
    if image.mode == "P":
        if "transparency" in image.info:
            return image.convert("RGBA")
        palette = image.getpalette("RGB")
        return image.convert("L" if palette[0::3] == palette[1::3] == palette[2::3] else "RGB")
    return image.convert(_COLOR.get(image.mode, "RGB"))


def _white(image: Any) -> int | None:
    """The largest value that a deep grey picture can hold, None where the file does not tell."""
    if image.mode.startswith("I;16"):
        tags = getattr(image, "tag_v2", {})
        bits = tags.get(_BITS, (16,))[0]
        return int(2**bits - 1) if bits <= 16 else 65535
    # Older Pillows open a 16-bit PNG as 32-bit integers.
    return 65535 if image.mode == "I" and image.format == "PNG" else None


def _is_inverted(image: Any) -> bool:
    """Pillow inverts a TIFF whose 0 is white up to 8 bits, not above."""
    return image.mode.startswith("I;16") and getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
