"""Read one image file into an array."""

from __future__ import annotations

import operator
import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data._files import check_path
from striate.data.dicom import decode_dicom, dicom_frames, is_dicom
from striate.data.intensity import Deep, Window, check_window, to_uint8
from striate.data.jpeg import read_jpeg
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
    frame: int | None = None,
    default_window: Window = None,
    dtype: Literal["uint8", "float32"] = "uint8",
) -> NDArray[Any]:
    """Read an image: PNG, JPEG, TIFF, BMP, GIF and the other formats of Pillow, or DICOM.

    What the values are:

    ====================== ============================================== ===========================================
    file                   dtype="uint8"                                  dtype="float32"
    ====================== ============================================== ===========================================
    8-bit grey, colour     as stored, 0 .. 255                            as stored, 0 .. 255
    16-bit grey            0 .. 65535, or `default_window`, stretched to  as stored, 0 .. 65535
                           0 .. 255
    32-bit or signed grey  needs a window or `default_window`             as stored
    DICOM, grey            windowed to 0 .. 255 (below)                   after rescale slope and intercept: Hounsfield
                                                                          units in CT; MONOCHROME1 not inverted
    DICOM, colour          RGB, 0 .. 255                                  RGB, 0 .. 255
    16-bit colour          the upper 8 bits, with a warning where they    the same
                           are all below 64
    any grey, with window  the window stretched to 0 .. 255               the same, not rounded
    ====================== ============================================== ===========================================

    Grey DICOM goes through rescale slope and intercept (or the modality table), then the file's own first VOI table or
    window; a file that has none keeps 8-bit values and stretches deeper ones by `default_window`, or without one from
    the frame's smallest to its largest, padding left out. MONOCHROME1 is inverted, so that larger is brighter. A file
    without transfer syntax is read by the encoding of its elements.

    There is a warning for a 16-bit picture that uses less than a quarter of 0 .. 65535 without a window, and for a file
    of several pages or frames (TIFF, DICOM, animated GIF, WebP and PNG) without a `frame`.

    JPEGs are read by simplejpeg where it is installed (`pip install 'striate[jpeg]'`), otherwise by Pillow. Both decode
    with libjpeg-turbo, and give the same pixels; another build of Pillow may differ by one level.

    A picture's EXIF orientation is applied. When it shrinks, the filters average over the pixels that go
    (antialiasing), other than Keras's.

    Args:
        path: the file. DICOM is recognised by `.dcm`, `.dicom` or by its content.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4); None: 1 for grey, 3 for colour, 4 with
            transparency. Transparency is dropped, not blended, when it is not asked for.
        size: (height, width) or one number for both; None: as it is.
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size` first, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size` first, instead of distorting.
        window: (center, width): center - width / 2 becomes 0 and center + width / 2 becomes 255; "minmax": the
            image's own extremes; None: as in the table. For grey images only.
        frame: number of the frame in a file of several (GIF, TIFF, DICOM), from 0; None: the first.
        default_window: (center, width) for grey of more than 8 bits without a window in the file, such as a data set's
            `default_window`; `window` is for all grey.
        dtype: "uint8" or "float32".

    Returns:
        Array of shape (H, W, C).

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError: the file does not exist.
        OSError: the file is damaged, or not an image, or not a regular file (a pipe, a device); the message names it.
        ValueError: an argument does not fit, alone or with the file.
    """
    what = "read_image"
    number = 0 if frame is None else operator.index(frame)
    if number < 0:
        raise ValueError(f"{what} expects a frame of 0 or more, got {frame}")
    reading = Reading.checked(
        what,
        color_mode=color_mode,
        any_color=True,
        size=size,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        window=window,
        default_window=default_window,
        dtype=dtype,
    )
    picture = decode(check_path(path, what), number, reading)
    if picture.several and frame is None:
        warnings.warn(
            f"{what}: {path} has several pages or frames, and the first is read; pass frame=0, 1, ...", stacklevel=2
        )
    deep = picture.deep
    if deep is not None and deep.full and deep.dim and reading.default_window is None:
        warnings.warn(
            f"{what}: the values of {path} are within {deep.low:g} .. {deep.high:g} of 0 .. {deep.full:g}, so the "
            "picture is nearly of one grey; pass window='minmax', or one default_window=(center, width) for all",
            stacklevel=2,
        )
    return picture.values


@dataclass(frozen=True)
class Reading:
    """How pictures are read: the arguments that `read_image` and the readers of data sets share, checked.

    Attributes:
        color_mode: "grayscale", "rgb" or "rgba"; None: as in `read_image`.
        size: (height, width), or None.
        resample: Pillow's name of the filter.
        crop, pad: `crop_to_aspect_ratio` and `pad_to_aspect_ratio`.
        window: (center, width), "minmax" or None.
        raw: whether values are float32 as they are stored, rather than uint8.
        default_window: (center, width) or None.
    """

    color_mode: str | None = None
    size: Size | None = None
    resample: str = "BILINEAR"
    crop: bool = False
    pad: bool = False
    window: Window = None
    raw: bool = False
    default_window: Window = None

    @classmethod
    def checked(
        cls,
        what: str,
        *,
        color_mode: str | None,
        size: Any,
        interpolation: str,
        crop_to_aspect_ratio: bool,
        pad_to_aspect_ratio: bool,
        window: Any,
        default_window: Any,
        dtype: Any,
        any_color: bool = False,
    ) -> Reading:
        """Check the arguments of the function or class `what`; with `any_color`, `color_mode` may be None.

        Raises:
            TypeError, ValueError: one does not fit; the message names it and `what`.
        """
        wanted, resample = check_size(size, what), check_interpolation(interpolation, what)
        if color_mode not in _MODES and not (any_color and color_mode is None):
            none = ", or None" if any_color else ""
            raise ValueError(f"{what} expects color_mode to be one of {', '.join(_MODES)}{none}, got {color_mode!r}")
        if dtype not in ("uint8", "float32", np.uint8, np.float32):
            raise ValueError(f"{what} expects dtype to be one of uint8, float32, got {dtype!r}")
        if crop_to_aspect_ratio and pad_to_aspect_ratio:
            raise ValueError(f"{what} can crop to the aspect ratio or pad to it, not both")
        return cls(
            color_mode,
            wanted,
            resample,
            bool(crop_to_aspect_ratio),
            bool(pad_to_aspect_ratio),
            check_window(window, what),
            np.dtype(dtype) == np.float32,
            check_window(default_window, what, "default_window"),
        )


class Picture(NamedTuple):
    """Attributes:
    values: what `read_image` returns.
    size: (height, width) before it was resized, upright.
    orientation: EXIF's, 1 .. 8, that was applied; 5 .. 8 swap height and width.
    several: whether the file has more pages or frames.
    deep: the range of its values, where they are deeper than 8 bits and the file has no window.
    """

    values: NDArray[Any]
    size: Size
    orientation: int
    several: bool
    deep: Deep | None


def decode(path: Path, frame: int, options: Reading, whole: bool = False) -> Picture:
    """Read a picture.

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
    plain = read_jpeg(path, None if whole else wanted) if frame == 0 and options.window is None else None
    if plain is not None:
        return _of_pixels(plain, options)
    if is_dicom(path):
        decoded = decode_dicom(path, frame, options.window, raw, options.default_window)
    else:
        size = None if whole else wanted
        decoded = decode_picture(path, frame, options.window, raw, size, options.default_window)
    image = decoded.image
    measured = image.height, image.width

    deep = image.mode == "F"
    if not deep:
        image = _in_mode(image, color_mode)
    if wanted is not None:
        image = resize(image, wanted, options.resample, options.crop, options.pad)
    values = np.asarray(image)
    if values.ndim == 2:
        values = values[..., np.newaxis]
    if deep:
        values = _spread(values if raw else to_uint8(values), color_mode)
    values = values.astype(np.float32 if raw else np.uint8)
    return Picture(values, measured, decoded.orientation, decoded.several, decoded.deep)


def _in_mode(image: Any, color_mode: str | None) -> Any:
    mode = _MODES[color_mode] if color_mode else ("RGBA" if image.mode == "LA" else image.mode)
    return image if image.mode == mode else image.convert(mode)


def _of_pixels(pixels: NDArray[np.uint8], options: Reading) -> Picture:
    """The picture of a JPEG's pixels."""
    height, width, channels = pixels.shape
    same_channels = options.color_mode in (None, {1: "grayscale", 3: "rgb"}[channels])
    if not same_channels or options.size not in (None, (height, width)):
        pillow = require("PIL.Image", "data", "striate.data.read_image")
        image = _in_mode(pillow.fromarray(pixels[..., 0] if channels == 1 else pixels), options.color_mode)
        if options.size is not None:
            image = resize(image, options.size, options.resample, options.crop, options.pad)
        pixels = np.asarray(image)
        pixels = pixels[..., np.newaxis] if pixels.ndim == 2 else pixels
    return Picture(pixels.astype(np.float32 if options.raw else np.uint8), (height, width), 1, False, None)


def count_frames(path: Path) -> int:
    """How many frames `read_image` finds in a TIFF or DICOM file; 1 for any other kind.

    Raises:
        OSError: the file is damaged or no picture.
    """
    if is_dicom(path):
        return dicom_frames(path)
    return picture_frames(path)


def _spread(values: NDArray[Any], color_mode: str | None) -> NDArray[Any]:
    """One channel of grey as the channels of `color_mode`."""
    if color_mode in (None, "grayscale"):
        return values
    channels = np.repeat(values, 3, axis=2)
    if color_mode == "rgb":
        return channels
    return np.concatenate([channels, np.full_like(values, 255)], axis=2)
