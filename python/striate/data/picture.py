"""Ordinary pictures, decoded by Pillow."""

from __future__ import annotations

import functools
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data._files import open_file
from striate.data.intensity import Deep, Window, deep_range, stretch, stretch_window
from striate.data.resize import Size

if TYPE_CHECKING:
    from PIL.Image import Image

_COLOR = {"PA": "RGBA", "La": "LA", "RGBa": "RGBA"}
_PHOTOMETRIC, _BITS = 262, 258  # TIFF's tags
_ORIENTATION = 274  # of TIFF and EXIF
_KIND = 254  # of a TIFF's page; its lowest bit: a smaller version of another page
_MOVING = ("GIF", "WEBP", "PNG", "AVIF")
MAX_PAGES = 10_000
_DARK = 64  # a picture of 16-bit colour whose upper bytes are all below uses less than a quarter of its range
# Of formats and TIFF's compressions that need bits for each row of pixels. A blank WebP of any size takes 30 bytes.
_MAX_PIXELS_A_BYTE = 2**15
_BOUNDED = "PNG GIF BMP DIB JPEG MPO PPM TGA raw tiff_lzw tiff_adobe_deflate packbits".split()
# Formats that need another program (EPS starts Ghostscript) or have no decoder of their own.
_LEFT_OUT = ("EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG")


class Frame(NamedTuple):
    """One frame of a picture as it is stored, upright.

    Attributes:
        image: Pillow's.
        limit: the largest value that a deep grey picture can hold; None where the file does not tell.
        inverted: whether its values are still to be inverted.
        orientation: EXIF's, 1 .. 8, that was applied.
        several: whether the file is a TIFF of several pages, or animated.
        form: Pillow's name of the format.
        reduced: whether the file has 16 bits in several channels; Pillow keeps the upper 8.
    """

    image: Any
    limit: int | None
    inverted: bool
    orientation: int
    several: bool
    form: str
    reduced: bool


class Decoded(NamedTuple):
    """A picture as Pillow's image of mode L, LA, RGB or RGBA (0 .. 255), or F (one channel).

    Attributes:
        image: the picture.
        orientation: EXIF's, 1 .. 8, that was applied.
        several: whether the file has more pages or frames.
        deep: the values' range, where they are deeper than 8 bits and the file has no window.
    """

    image: Image
    orientation: int = 1
    several: bool = False
    deep: Deep | None = None


def decode_picture(
    path: Path, frame: int, window: Window, raw: bool, size: Size | None, default_window: Window = None
) -> Decoded:
    """Decode one frame of a picture.

    Args:
        path: the file.
        frame: number of the frame, from 0.
        window: see `read_image`.
        raw: keep the values of a deep grey picture as they are.
        size: (height, width) that will be made of it; a JPEG four times as large or more is decoded at a fraction.
        default_window: for deep grey where `window` is None.

    Returns:
        The picture, upright by its EXIF orientation. Mode F holds 0 .. 255, or the file's own values if `raw`.

    Raises:
        OSError: the file is not a picture or is damaged.
        ValueError: the file has no frame of this number; a window is given for a colour picture; or the range of the
            values is unknown and no window is given.
    """
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    loaded = load_frame(path, frame, size)
    image, deep = _normalise(pillow, loaded, path, window, raw, default_window)
    if loaded.reduced and np.asarray(loaded.image)[..., : 1 if loaded.image.mode == "LA" else 3].max() < _DARK:
        warnings.warn(
            f"{path} is nearly black: it has 16 bits in several channels and uses less than a quarter of their range, "
            "and the upper 8 bits are read; convert it to 8 bits or to grey first",
            stacklevel=2,
        )
    return Decoded(image, loaded.orientation, loaded.several, deep)


def load_frame(path: Path, frame: int, size: Size | None = None) -> Frame:
    """One frame of a picture as it is stored, upright by its EXIF orientation.

    Args:
        path, frame, size: as for `decode_picture`.

    Raises:
        OSError: the file is not a picture or is damaged.
        ValueError: the file has no frame of this number.
    """
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    ops = require("PIL.ImageOps", "data", "striate.data.read_image")
    with _reading(pillow, path) as file, pillow.open(file, formats=_formats()) as image:
        _check_pixels(file, image)
        several = _pages(image, 2) > 1 or _is_animated(image)
        _seek(image, frame, path)
        if size is not None:
            # Twice the size is left for the filter; either side may become the height (EXIF).
            image.draft(None, (2 * max(size), 2 * max(size)))
        form = str(image.format)
        tiff, reduced = form == "TIFF", _is_reduced(file, image)
        orientation = (getattr(image, "tag_v2", {}) if tiff else image.getexif()).get(_ORIENTATION, 1)
        image.load()
        limit, inverted = _white(image), _is_inverted(image)
        if not tiff:  # Pillow turns a TIFF while it loads it
            image = ops.exif_transpose(image)
    orientation = orientation if orientation in range(1, 9) else 1
    return Frame(image, limit, inverted, orientation, several, form, reduced)


def picture_frames(path: Path) -> int:
    """The number of pages of a TIFF, without smaller versions of the first; 1 for other formats.

    Raises:
        OSError: the file is not a picture, is damaged, or has more than 10,000 pages.
    """
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    with _reading(pillow, path) as file, pillow.open(file, formats=_formats()) as image:
        count = _pages(image, MAX_PAGES + 1)
        if count > MAX_PAGES:
            raise ValueError(f"it has more than {MAX_PAGES} pages")
        return count


def is_lossy(path: Path) -> bool:
    """Whether a picture is a JPEG, whose compression changes values."""
    with open_file(path, "read_image") as file:
        return file.read(3) == b"\xff\xd8\xff"


@functools.cache
def _formats() -> list[str]:
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    pillow.init()
    return [name for name in pillow.OPEN if name not in _LEFT_OUT]


@contextmanager
def _reading(pillow: Any, path: Path) -> Iterator[BinaryIO]:
    """The open file; an exception of Pillow becomes an OSError that names it."""
    with open_file(path, "read_image") as file:
        try:
            yield file
        except (MemoryError, _NoSuchFrame):
            raise
        except Exception as error:  # what a damaged file raises in Pillow depends on the format and the damage
            kind: object = error
            if isinstance(error, pillow.UnidentifiedImageError):
                kind = "it is not a picture that Pillow knows"
            elif isinstance(error, (pillow.DecompressionBombError, pillow.DecompressionBombWarning)):
                kind = f"{error} Raise PIL.Image.MAX_IMAGE_PIXELS if you trust the file"
            raise OSError(f"cannot read the image {path}: {kind}") from error


class _NoSuchFrame(ValueError):
    """Told apart from the ValueErrors that damaged files raise."""


def _seek(image: Any, frame: int, path: Path) -> None:
    # An image is opened at its first frame. One by one: a seek beyond the end leaves Pillow's own count wrong.
    frames = 1
    try:
        while frames <= frame:
            image.seek(frames)
            frames += 1
    except EOFError:
        raise _NoSuchFrame(f"read_image: {path} has {frames} frame{'s' * (frames > 1)}, so no frame {frame}") from None


def _normalise(
    pillow: Any, loaded: Frame, path: Path, window: Window, raw: bool, default_window: Window
) -> tuple[Image, Deep | None]:
    image, limit, deepest = loaded.image, loaded.limit, None
    deep = image.mode == "F" or image.mode.startswith("I")
    if not deep:
        image = _plain_mode(image)
        if window is None:
            return image, None
        if image.mode == "LA":
            image = image.convert("L")
        if image.mode != "L":
            raise ValueError(f"read_image: a window is for grey images, but {path} is {image.mode}")
    values: NDArray[Any] = np.asarray(image).astype(np.float64 if image.mode == "I" else np.float32)
    if loaded.inverted and limit is not None:
        values = limit - values
    if window is not None:
        values = stretch_window(values, window)
    elif not raw:
        if limit is None and default_window is None:
            raise ValueError(
                f"read_image: {path} holds {'32-bit float' if image.mode == 'F' else 'signed or 32-bit'} values, and "
                "which of them are black and white is unknown; pass window=(center, width), window='minmax' for the "
                "range of this image, or dtype='float32' for the values themselves"
            )
        deepest = deep_range(values, limit)
        if default_window is not None:
            values = stretch_window(values, default_window)
        elif limit is not None:
            values = stretch(values, 0, limit)
    return pillow.fromarray(values.astype(np.float32)), deepest


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


def _pages(image: Any, most: int) -> int:
    """The number of pages of a TIFF, counted up to `most` or to the first that is a smaller version of another."""
    count = 1
    if image.format == "TIFF" and getattr(image, "is_animated", False):
        try:
            while count < most:
                image.seek(count)
                if image.tag_v2.get(_KIND, 0) & 1:
                    break
                count += 1
        except EOFError:
            pass
        image.seek(0)
    return count


def _is_animated(image: Any) -> bool:
    """Whether it is a moving picture. A JPEG that holds a small copy of itself (MPO) is none."""
    return image.format in _MOVING and bool(getattr(image, "is_animated", False))


def _check_pixels(file: BinaryIO, image: Any) -> None:
    """ValueError for a header that the file does not hold the pixels of, before memory is taken for them."""
    width, height = image.size
    if width < 1 or height < 1:
        raise ValueError("it has no pixels")
    kind = image.info.get("compression", "raw") if image.format == "TIFF" else image.format
    size = os.fstat(file.fileno()).st_size
    if kind in _BOUNDED and width * height > _MAX_PIXELS_A_BYTE * size:
        raise ValueError(f"its {size} bytes cannot hold the {width}x{height} pixels of its header")
    if image.format == "TIFF":
        covered = sum((right - left) * (bottom - top) for _, (left, top, right, bottom), *_ in image.tile)
        if covered < width * height:
            raise ValueError("its strips or tiles cover only a part of the picture")


def _is_reduced(file: BinaryIO, image: Any) -> bool:
    """Whether a PNG or TIFF has more bits in its several channels than Pillow keeps."""
    if image.mode not in ("LA", "RGB", "RGBA", "La", "RGBa", "RGBX"):
        return False
    if image.format == "TIFF":
        return bool(max(image.tag_v2.get(_BITS, (8,))) > 8)
    if image.format != "PNG":
        return False
    place = file.tell()
    file.seek(24)  # of the header: the bits of a channel
    bits = file.read(1)
    file.seek(place)
    return bits == b"\x10"
