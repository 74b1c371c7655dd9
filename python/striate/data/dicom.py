"""DICOM images, decoded by pydicom.

The order is that of the standard's greyscale pipeline (DICOM PS3.4 N.2): modality transformation (rescale slope and
intercept, or a table), values of interest (a window or a table), then the photometric interpretation.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data.intensity import Values, Window, stretch, stretch_window

if TYPE_CHECKING:
    from PIL.Image import Image

_GREY = ("MONOCHROME1", "MONOCHROME2")
# pydicom turns the YBR kinds among these into RGB while it decodes.
_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")


def is_dicom(path: Path) -> bool:
    """Whether the name ends in .dcm or .dicom, or the file has DICOM's mark after its preamble."""
    if path.suffix.lower() in (".dcm", ".dicom"):
        return True
    with path.open("rb") as file:
        return file.read(132)[128:] == b"DICM"


def decode_dicom(path: Path, frame: int, window: Window, raw: bool) -> Image:
    """Decode one frame of a DICOM file.

    Args:
        path: the file.
        frame: number of the frame, from 0.
        window: see `read_image`.
        raw: stop after the modality transformation.

    Returns:
        A Pillow image of mode RGB or RGBA (0 .. 255), or F (float32, one channel): 0 .. 255, or the measured values if
        `raw`.

    Raises:
        OSError: the file is damaged, holds no image, or is compressed in a way for which no decoder is installed.
        ValueError: there is no such frame, or a window for a colour image.
    """
    pixels = require("pydicom.pixels", "data", "striate.data.read_image")
    pillow = require("PIL.Image", "data", "striate.data.read_image")
    dataset = _open(path)
    if "Rows" not in dataset or not any(f"{kind}PixelData" in dataset for kind in ("", "Float", "DoubleFloat")):
        raise OSError(f"cannot read the DICOM file {path}: it holds no image")
    try:
        frames = _frames(dataset)
        photometric = str(dataset.PhotometricInterpretation)
    except Exception as error:
        raise OSError(f"cannot read the DICOM file {path}: {error}") from error
    if frame >= frames:
        raise ValueError(f"read_image: {path} has {frames} frame{'s' * (frames > 1)}, so no frame {frame}")
    if window is not None and photometric not in _GREY:
        raise ValueError(f"read_image: a window is for grey images, but {path} is {photometric}")
    try:
        stored = pixels.pixel_array(dataset, index=frame)
        if photometric in _GREY:
            return pillow.fromarray(_grey(pixels, dataset, stored, frame, window, raw))  # type: ignore[no-any-return]
        return pillow.fromarray(_color(pixels, dataset, stored, photometric))  # type: ignore[no-any-return]
    except MemoryError:
        raise
    except Exception as error:
        raise OSError(f"cannot decode the DICOM file {path}: {error}") from error


def dicom_frames(path: Path) -> int:
    """The number of frames; OSError where the file is damaged."""
    try:
        return _frames(_open(path, stop_before_pixels=True))
    except ValueError as error:
        raise OSError(f"cannot read the DICOM file {path}: {error}") from error


def _open(path: Path, **options: Any) -> Any:
    pydicom = require("pydicom", "data", "striate.data.read_image")
    with path.open("rb") as file:
        try:
            # Old files lack the preamble that pydicom would insist on.
            return pydicom.dcmread(file, force=True, **options)
        except MemoryError:
            raise
        except Exception as error:  # what a damaged file raises in pydicom depends on where it is damaged
            raise OSError(f"cannot read the DICOM file {path}: {error}") from error


def _frames(dataset: Any) -> int:
    return int(dataset.get("NumberOfFrames") or 1)


def _grey(pixels: Any, dataset: Any, stored: NDArray[Any], frame: int, window: Window, raw: bool) -> Values:
    modality = _macro(dataset, "PixelValueTransformationSequence", frame)
    values: NDArray[Any] = pixels.apply_modality_lut(stored, modality)
    if raw and window is None:
        return values.astype(np.float32)
    if window is not None:
        shown = stretch_window(values, window)
    else:
        shown = _values_of_interest(dataset, stored, values, frame)
    return 255.0 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown


def _values_of_interest(dataset: Any, stored: NDArray[Any], values: NDArray[Any], frame: int) -> Values:
    """The file's own first table or window; without one, 8 bits as they are and deeper values between the extremes."""
    view = _macro(dataset, "FrameVOILUTSequence", frame)
    if view.get("VOILUTSequence"):
        return _look_up(view.VOILUTSequence[0], values, dataset)
    center, width = (_first(view.get(name)) for name in ("WindowCenter", "WindowWidth"))
    function = str(view.get("VOILUTFunction") or "LINEAR").upper()
    if center is not None and width is not None and width > 0:
        if function == "SIGMOID":  # PS3.3 C.11.2.1.3.1
            return (255.0 / (1.0 + np.exp(-4.0 * (values - center) / width))).astype(np.float32)
        if function == "LINEAR_EXACT":  # C.11.2.1.3.2
            return stretch_window(values, (center, width))
        if width > 1:  # C.11.2.1.2.1: the window's first and last value, half a value inside it
            return stretch_window(values, (center - 0.5, width - 1.0))
        if width == 1:
            return np.where(values > center - 0.5, 255.0, 0.0).astype(np.float32)
    if values is stored and values.dtype.kind == "u" and int(dataset.BitsStored) <= 8:
        return stretch(values, 0, 2 ** int(dataset.BitsStored) - 1)
    padding = dataset.get("PixelPaddingValue")
    inside = values if padding is None else values[stored != padding]
    return stretch(values, float(inside.min()), float(inside.max())) if inside.size else stretch(values, 0.0, 0.0)


def _look_up(item: Any, values: NDArray[Any], dataset: Any) -> Values:
    """A VOI table (PS3.3 C.11.2.1.1). Not pydicom's: its index wraps at 256 where the entries have 8 bits."""
    entries, first, bits = (int(number) for number in item.LUTDescriptor)
    data = item.LUTData
    if isinstance(data, bytes):
        order = ">" if dataset.original_encoding[1] is False else "<"
        data = struct.unpack(f"{order}{len(data) // 2}H", data)
    table = np.asarray(data, dtype=np.uint16)[: entries or 2**16]
    index = np.clip(np.rint(values) - first, 0, len(table) - 1).astype(np.int64)
    return stretch(table[index], 0, 2**bits - 1)


def _color(pixels: Any, dataset: Any, stored: NDArray[Any], photometric: str) -> NDArray[np.uint8]:
    bits = int(dataset.BitsStored)
    if photometric == "PALETTE COLOR":
        stored = pixels.apply_color_lut(stored, dataset)
        bits = 16 if stored.dtype.itemsize == 2 and int(dataset.RedPaletteColorLookupTableDescriptor[2]) > 8 else 8
    elif photometric not in _COLOR:
        raise ValueError(f"the photometric interpretation {photometric} is not supported")
    if bits == 8:
        return stored.astype(np.uint8)
    return np.rint(stretch(stored, 0, 2**bits - 1)).astype(np.uint8)


def _macro(dataset: Any, name: str, frame: int) -> Any:
    """Where a frame's attributes are: in its own functional group, in the shared one, or in the data set itself."""
    groups = dataset.get("PerFrameFunctionalGroupsSequence")
    own = [groups[frame]] if groups and frame < len(groups) else []
    for group in own + list(dataset.get("SharedFunctionalGroupsSequence") or []):
        if group.get(name):
            return group.get(name)[0]
    return dataset


def _first(value: Any) -> float | None:
    """The first of an attribute's values; files list one window for each view."""
    if value is None or value == "":
        return None
    numbers = np.ravel(np.asarray(value, dtype=np.float64))
    return float(numbers[0]) if numbers.size else None
