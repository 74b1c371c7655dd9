"""Read one image file into an array."""

from __future__ import annotations

import operator
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data.dicom import decode_dicom, dicom_frames, is_dicom
from striate.data.intensity import Window, check_window, to_uint8
from striate.data.picture import decode_picture, picture_frames
from striate.data.resize import Size, check_interpolation, check_size, resize

ColorMode = Literal["grayscale", "rgb", "rgba"]
_MODES = {"grayscale": "L", "rgb": "RGB", "rgba": "RGBA"}


def read_image(
    path: str | os.PathLike[str],
    color_mode: ColorMode | None = None,
    size: int | tuple[int, int] | None = None,
    interpolation: str = "bilinear",
    *,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    window: Window = None,
    frame: int = 0,
    dtype: Literal["uint8", "float32"] = "uint8",
) -> NDArray[Any]:
    """Read an image: PNG, JPEG, TIFF, BMP, GIF and whatever else Pillow opens, or DICOM.

    What the values are:

    ====================== ============================================== ===========================================
    file                   dtype="uint8"                                  dtype="float32"
    ====================== ============================================== ===========================================
    8-bit grey, colour     as stored, 0 .. 255                            as stored, 0 .. 255
    16-bit grey            0 .. 65535 stretched to 0 .. 255               as stored, 0 .. 65535
    32-bit or signed grey  needs a window                                 as stored
    DICOM, grey            windowed to 0 .. 255 (below)                   after rescale slope and intercept: Hounsfield
                                                                          units in CT; MONOCHROME1 not inverted
    DICOM, colour          RGB, 0 .. 255                                  RGB, 0 .. 255
    any grey, with window  the window stretched to 0 .. 255               the same, not rounded
    ====================== ============================================== ===========================================

    Grey DICOM goes through rescale slope and intercept (or the modality table), then the file's own first VOI table or
    window; a file that has none keeps 8-bit values and stretches deeper ones from the frame's smallest to its largest,
    padding left out. MONOCHROME1 is inverted, so that larger is brighter.

    A picture's EXIF orientation is applied. When it shrinks, the filters average over the pixels that go
    (antialiasing), other than Keras's.

    Args:
        path: the file. DICOM is told by `.dcm`, `.dicom` or by its content.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4); None: 1 for grey, 3 for colour, 4 with
            transparency. Transparency is dropped, not blended, when it is not asked for.
        size: (height, width) or one number for both; None: as it is.
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size` first, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size` first, instead of distorting.
        window: (center, width): center - width / 2 becomes 0 and center + width / 2 becomes 255; "minmax": the
            image's own extremes; None: as in the table. For grey images only.
        frame: number of the frame in a file of several (GIF, TIFF, DICOM), from 0.
        dtype: "uint8" or "float32".

    Returns:
        Array of shape (H, W, C).

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError: there is no such file.
        OSError: the file is no image or is damaged; the message names it.
        ValueError: an argument does not fit, alone or with the file.
    """
    what = "read_image"
    wanted, resample = check_size(size, what), check_interpolation(interpolation, what)
    window = check_window(window, what)
    if color_mode is not None and color_mode not in _MODES:
        raise ValueError(f"{what} expects color_mode to be one of {', '.join(_MODES)}, or None, got {color_mode!r}")
    if dtype not in ("uint8", "float32", np.uint8, np.float32):
        raise ValueError(f"{what} expects dtype 'uint8' or 'float32', got {dtype!r}")
    raw = np.dtype(dtype) == np.float32
    if operator.index(frame) < 0:
        raise ValueError(f"{what} expects a frame of 0 or more, got {frame}")
    if crop_to_aspect_ratio and pad_to_aspect_ratio:
        raise ValueError(f"{what} can crop to the aspect ratio or pad to it, not both")

    options = Reading(color_mode, wanted, resample, crop_to_aspect_ratio, pad_to_aspect_ratio, window, raw)
    return decode(Path(path), operator.index(frame), options)[0]


class Reading(NamedTuple):
    """`read_image`'s arguments, checked."""

    color_mode: str | None
    size: Size | None
    resample: str  # Pillow's name of the filter
    crop: bool
    pad: bool
    window: Window
    raw: bool


def decode(path: Path, frame: int, options: Reading, whole: bool = False) -> tuple[NDArray[Any], Size]:
    """What `read_image` returns, and the (height, width) that the picture had before it was resized.

    Args:
        path: the file.
        frame: number of the frame, from 0.
        options: how to read it.
        whole: decode all pixels, so that the size is the file's own; a JPEG may be decoded at a fraction of it.

    Raises:
        FileNotFoundError, OSError, ValueError: as `read_image`.
    """
    require("PIL.Image", "data", "striate.data.read_image")
    wanted, raw, color_mode = options.size, options.raw, options.color_mode
    if not path.exists():
        raise FileNotFoundError(f"read_image: there is no file {path}")
    if path.is_dir():
        raise IsADirectoryError(f"read_image expects a file, got the folder {path}")
    if is_dicom(path):
        image = decode_dicom(path, frame, options.window, raw)
    else:
        image = decode_picture(path, frame, options.window, raw, None if whole else wanted)
    measured = image.height, image.width

    deep = image.mode == "F"
    if not deep:
        mode = _MODES[color_mode] if color_mode else ("RGBA" if image.mode == "LA" else image.mode)
        image = image if image.mode == mode else image.convert(mode)
    if wanted is not None:
        image = resize(image, wanted, options.resample, options.crop, options.pad)
    values = np.asarray(image)
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if deep:
        values = _spread(values if raw else to_uint8(values), color_mode)
    return values.astype(np.float32 if raw else np.uint8), measured


def count_frames(path: Path) -> int:
    """How many frames `read_image` finds in a TIFF or DICOM file; 1 for any other kind.

    Raises:
        OSError: the file is damaged or no picture.
    """
    if is_dicom(path):
        return dicom_frames(path)
    return picture_frames(path) if path.suffix.lower() in (".tif", ".tiff") else 1


def _spread(values: NDArray[Any], color_mode: str | None) -> NDArray[Any]:
    """One channel of grey as the channels of `color_mode`."""
    if color_mode in (None, "grayscale"):
        return values
    channels = np.repeat(values, 3, axis=2)
    if color_mode == "rgb":
        return channels
    return np.concatenate([channels, np.full_like(values, 255)], axis=2)
