"""JPEGs by simplejpeg, where it is installed: several times as fast as Pillow, with the same libjpeg-turbo in it."""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data._files import open_file
from striate.data.resize import Size

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif")
_MAX_PIXELS_A_BYTE = 2**15  # as for pictures that Pillow decodes
_SCAN, _APP1, _FILL = 0xDA, 0xE1, 0xFF


def read_jpeg(path: Path, size: Size | None) -> NDArray[np.uint8] | None:
    """The pixels of a JPEG, upright, as Pillow gives them: (H, W, 1) or (H, W, 3).

    Args:
        path: the file.
        size: (height, width) that will be made of it.

    Returns:
        None where Pillow is to read the file: it is no JPEG by its ending or its content, is turned by its EXIF
        orientation, has other colours than grey or YCbCr, is damaged, is so large that it is decoded at a fraction of
        its size, or simplejpeg is missing.

    Raises:
        FileNotFoundError, OSError: it cannot be opened.
    """
    if path.suffix.lower() not in ENDINGS or not _is_installed():
        return None
    with open_file(path, "read_image") as file:
        content = file.read()
    if not _is_upright(content):
        return None
    simplejpeg = require("simplejpeg", "jpeg", "striate.data.read_image")
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    try:
        height, width, space, _ = simplejpeg.decode_jpeg_header(content)
        if space not in ("Gray", "YCbCr") or _is_too_large(height * width, len(content), pillow.MAX_IMAGE_PIXELS):
            return None
        if size is not None and min(height, width) // (2 * max(size)) > 1:
            return None
        pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(content, "GRAY" if space == "Gray" else "RGB")
    except ValueError:  # damaged: Pillow says how
        return None
    return pixels


@functools.cache
def _is_installed() -> bool:
    return importlib.util.find_spec("simplejpeg") is not None


def _is_too_large(pixels: int, length: int, limit: int | None) -> bool:
    return pixels > _MAX_PIXELS_A_BYTE * length or (limit is not None and pixels > limit)


def _is_upright(content: bytes) -> bool:
    """Whether it is a JPEG (and not a DICOM file too), and neither EXIF nor XMP turns it."""
    if content[:3] != b"\xff\xd8\xff" or content[128:132] == b"DICM":
        return False
    place = 2
    while place + 4 <= len(content) and content[place] == _FILL:
        marker = content[place + 1]
        if marker == _SCAN:
            return True
        if marker == _FILL:  # fill bytes before a marker
            place += 1
            continue
        length = int.from_bytes(content[place + 2 : place + 4], "big")
        if marker == _APP1 and _turns(content[place + 4 : place + 2 + length]):
            return False
        place += 2 + length
    return False


def _turns(segment: bytes) -> bool:
    """Whether the data of an APP1 segment may turn the picture."""
    if not segment.startswith(b"Exif\0\0"):
        return b"Orientation" in segment
    exif: Any = require("PIL.Image", "data", "striate.data.read_image").Exif()
    try:
        exif.load(segment)
        return bool(exif.get(274, 1) != 1)
    except Exception:  # damaged: Pillow reads the picture, and decides
        return True
