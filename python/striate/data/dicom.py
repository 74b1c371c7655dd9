"""DICOM images, decoded by pydicom.

The order is that of the standard's greyscale pipeline (DICOM PS3.4 N.2): modality transformation (rescale slope and
intercept, or a table), values of interest (a window or a table), then the photometric interpretation.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data._files import open_file
from striate.data.intensity import Deep, Values, Window, deep_range, stretch, stretch_window
from striate.data.picture import MAX_PAGES, Decoded

_GREY = ("MONOCHROME1", "MONOCHROME2")
# pydicom turns the YBR kinds among these into RGB while it decodes.
_COLOR = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT")
_FIRST = (0x00, 0x01, 0x05, 0x06, 0x08, 0x10, 0x12, 0x13, 0x14, 0x16, 0x18)  # elements that may begin group 0008
_TYPES = (b"CS", b"UI", b"UL", b"SH", b"DA", b"TM", b"OB")


def is_dicom(path: Path) -> bool:
    """Whether the name ends in .dcm or .dicom, or the file has DICOM's mark after its preamble."""
    if path.suffix.lower() in (".dcm", ".dicom"):
        return True
    return has_dicom_content(path)


def has_dicom_content(path: Path) -> bool:
    """Whether a file has DICOM's mark after its preamble, or begins with one of DICOM's first elements.

    Raises:
        OSError: the file cannot be read.
    """
    with open_file(path, "read_image") as file:
        head = file.read(132)
    if head[128:] == b"DICM":
        return True
    # Without preamble: group 0002 or 0008, an even length, or the two letters of a value's type.
    if len(head) < 8 or head[:2] not in (b"\x02\x00", b"\x08\x00") or head[3] != 0:
        return False
    length = int.from_bytes(head[4:8], "little")
    return head[4:6] in _TYPES or (head[2] in _FIRST and length <= 256 and length % 2 == 0)


def decode_dicom(path: Path, frame: int, window: Window, raw: bool, default_window: Window = None) -> Decoded:
    """Decode one frame of a DICOM file.

    Args:
        path: the file.
        frame: number of the frame, from 0.
        window: see `read_image`.
        raw: stop after the modality transformation.
        default_window: for grey of more than 8 bits, where `window` is None and the file has none.

    Returns:
        The picture; mode F holds 0 .. 255, or the measured values if `raw`.

    Raises:
        OSError: the file is damaged, holds no image, or is compressed in a way for which no decoder is installed.
        ValueError: the file has no frame of this number, or a window for a colour image.
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
    values: NDArray[Any]
    try:
        stored = pixels.pixel_array(dataset, index=frame)
        if photometric in _GREY:
            values, deep = _grey(pixels, dataset, stored, frame, window, raw, default_window)
        else:
            values, deep = _color(pixels, dataset, stored, photometric), None
        if not values.size:
            raise ValueError("it has no pixels")
        return Decoded(pillow.fromarray(values), several=frames > 1, deep=deep)
    except MemoryError:
        raise
    except Exception as error:
        raise OSError(f"cannot decode the DICOM file {path}: {error}") from error


def dicom_frames(path: Path) -> int:
    """The number of frames; OSError where the file is damaged."""
    dataset = _open(path, stop_before_pixels=True)
    try:
        return _frames(dataset)
    except MemoryError:
        raise
    except Exception as error:  # pydicom parses a value when it is asked for
        raise OSError(f"cannot read the DICOM file {path}: {error}") from error


def _open(path: Path, **options: Any) -> Any:
    pydicom = require("pydicom", "data", "striate.data.read_image")
    with open_file(path, "read_image") as file:
        try:
            # Old files lack the preamble that pydicom would insist on.
            dataset = pydicom.dcmread(file, force=True, **options)
            _set_syntax(pydicom, dataset)
            return dataset
        except MemoryError:
            raise
        except Exception as error:  # what a damaged file raises in pydicom depends on where it is damaged
            raise OSError(f"cannot read the DICOM file {path}: {error}") from error


def _set_syntax(pydicom: Any, dataset: Any) -> None:
    """Where the transfer syntax is missing: the uncompressed one in which the elements are encoded."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None:
        meta = dataset.file_meta = pydicom.dataset.FileMetaDataset()
    if not meta.get("TransferSyntaxUID"):
        implicit, little = dataset.original_encoding
        explicit = pydicom.uid.ExplicitVRLittleEndian if little is not False else pydicom.uid.ExplicitVRBigEndian
        meta.TransferSyntaxUID = pydicom.uid.ImplicitVRLittleEndian if implicit is not False else explicit


def _frames(dataset: Any) -> int:
    count = int(dataset.get("NumberOfFrames") or 1)
    if not 1 <= count <= MAX_PAGES:
        raise ValueError(f"it has {count} frames; 1 to {MAX_PAGES} are read")
    return count


def _grey(
    pixels: Any,
    dataset: Any,
    stored: NDArray[Any],
    frame: int,
    window: Window,
    raw: bool,
    default_window: Window,
) -> tuple[Values, Deep | None]:
    modality = _macro(dataset, "PixelValueTransformationSequence", frame)
    values: NDArray[Any] = pixels.apply_modality_lut(stored, modality)
    if raw and window is None:
        return values.astype(np.float32), None
    deep = None
    shown = stretch_window(values, window) if window is not None else _of_interest(dataset, stored, values, frame)
    if shown is None:  # no window anywhere
        padding = dataset.get("PixelPaddingValue")
        inside = values if padding is None else values[stored != padding]
        deep = deep_range(inside, None)
        if default_window is not None:
            shown = stretch_window(values, default_window)
        elif inside.size:
            shown = stretch(values, float(inside.min()), float(inside.max()))
        else:
            shown = stretch(values, 0.0, 0.0)
    return (255.0 - shown if dataset.PhotometricInterpretation == "MONOCHROME1" else shown), deep


def _of_interest(dataset: Any, stored: NDArray[Any], values: NDArray[Any], frame: int) -> Values | None:
    """By the file's own first table or window; without one, 8 bits as they are, and None for deeper values."""
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
    return None


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
