"""Masks: pictures whose values are classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data.dicom import decode_dicom, is_dicom
from striate.data.picture import is_lossy, load_frame
from striate.data.resize import Size, resize

Values = Mapping[int, int] | Mapping[tuple[int, int, int], int] | str | None
Mask = NDArray[np.int32]


class MaskError(ValueError):
    """A mask that cannot be used; the message names the file."""


class ValueMap:
    """The classes of a mask's values.

    Args:
        values: as `SegmentationFolder` takes it.
        what: the caller, for messages.

    Attributes:
        colors: whether a mask's colours are looked up, rather than its values.
        decided: whether a mask can be translated by itself; otherwise all masks must be seen first.

    Raises:
        TypeError: `values` is of another kind, or mixes values and colours.
        ValueError: it is empty, or a class or a colour is out of range.
    """

    def __init__(self, values: Values, what: str) -> None:
        form = (
            f'{what} expects values to be None, "nonzero", "threshold", or a dict from values or (r, g, b) to classes'
        )
        self.colors = False
        self.decided = values is not None
        self._least = 128 if values == "threshold" else 1
        self._keys: Mask | None = None
        if isinstance(values, str):
            if values not in ("nonzero", "threshold"):
                raise ValueError(f"{form}, got {values!r}")
        elif values is not None:
            if not isinstance(values, Mapping):
                raise TypeError(f"{form}, got {type(values).__name__}")
            if not values:
                raise ValueError(f"{form}, got an empty one")
            kinds = {isinstance(key, (tuple, list)) for key in values}
            if len(kinds) > 1:
                raise TypeError(f"{form}, got a dict with both kinds of keys")
            self.colors = kinds.pop()
            try:
                keys = np.array([_code(key) if self.colors else _int32(key) for key in values], dtype=np.int32)
                classes = np.array([_int32(value) for value in values.values()], dtype=np.int32)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{form}: {error}") from None
            order = np.argsort(keys)
            self._keys, self._classes = keys[order], classes[order]

    @property
    def key(self) -> tuple[Any, ...]:
        """Differs where the meaning does."""
        pairs = None if self._keys is None else (self._keys.tolist(), self._classes.tolist())
        return self.colors, self.decided, self._least, pairs

    @property
    def classes(self) -> list[int]:
        """The classes that a dict leads to; none without one."""
        return [] if self._keys is None else sorted(set(self._classes.tolist()))

    def translate(self, mask: Mask, path: str | Path) -> Mask:
        """The classes of a mask's values; MaskError for a value that is not in the dict."""
        if self._keys is None:
            marked: Mask = (mask >= self._least if self._least > 1 else mask != 0).astype(np.int32)
            return marked
        place = np.minimum(np.searchsorted(self._keys, mask), len(self._keys) - 1)
        wrong = self._keys[place] != mask
        if wrong.any():
            value = int(mask[wrong][0])
            color = (value >> 16, value >> 8 & 255, value & 255)
            shown = f"the colour {color}" if self.colors else f"the value {value}"
            hint = "; it is a JPEG, whose compression changes values: save masks as PNG" if is_lossy(Path(path)) else ""
            raise MaskError(f"the mask {path} holds {shown}, which is not among values{hint}")
        found: Mask = self._classes[place]
        return found


class RawMask(NamedTuple):
    """Attributes:
    values: (H, W).
    palette: the colour (r, g, b) of each index of a palette picture that occurs.
    """

    values: Mask
    palette: dict[int, tuple[int, int, int]]


def read_mask(path: Path, frame: int, colors: bool) -> RawMask:
    """The values of one frame of a mask.

    A palette's indices, not its colours; grey values as they are stored; of a colour picture the grey value, where the
    three channels are equal everywhere. A GIF is such a colour picture: programs number its colours anew. With
    `colors`, red * 65536 + green * 256 + blue instead.

    Raises:
        OSError: the file cannot be read.
        MaskError: the mask is in colour, has transparent pixels, or holds values that are not whole numbers.
        ValueError: the file has no frame of this number.
    """
    if is_dicom(path):
        image: Any = decode_dicom(path, frame, None, raw=True).image
    else:
        loaded = load_frame(path, frame)
        image = loaded.image.convert("RGB") if loaded.form == "GIF" else loaded.image
        if loaded.reduced:
            raise MaskError(f"the mask {path} has 16 bits in several channels; save it as one channel of classes")
    if colors:
        rgb = np.asarray(image.convert("RGB"), dtype=np.int32)
        coded: Mask = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        return RawMask(coded, {})
    palette = _palette(image) if image.mode == "P" else {}
    return RawMask(_values(image, path), palette)


def _palette(image: Any) -> dict[int, tuple[int, int, int]]:
    flat = image.getpalette("RGB") or []
    used = np.unique(np.asarray(image)).tolist()
    return {index: tuple(flat[3 * index : 3 * index + 3]) for index in used}


def _values(image: Any, path: Path) -> Mask:
    if image.mode in ("LA", "La", "PA", "RGBA", "RGBa") and image.getchannel("A").getextrema() != (255, 255):
        raise MaskError(
            f"the mask {path} has transparent pixels; save it as one channel of classes, without transparency"
        )
    if image.mode in ("LA", "La", "PA"):
        image = image.getchannel(0)
    elif image.mode not in ("1", "L", "P", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise MaskError(
                f"the mask {path} is in colour; name the class of each colour: values={{(r, g, b): class, ...}}"
            )
        values = values[..., 0]
    if values.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            whole = values.astype(np.int32)
        if (wrong := whole != values).any():
            raise MaskError(f"the mask {path} must hold whole numbers, got {values[wrong][0]}")
        return whole
    return values.astype(np.int32)


def resize_mask(mask: Mask, size: Size, crop: bool, pad: bool) -> Mask:
    """A mask at (height, width), each pixel the nearest one's; margins are 0."""
    image = require("PIL.Image", "data", "striate.data").fromarray(mask)
    return np.asarray(resize(image, size, "NEAREST", crop, pad), dtype=np.int32)


def _int32(value: Any) -> int:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{value!r} is not a whole number")
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} is out of range")
    return int(value)


def _code(color: Any) -> int:
    channels = [_int32(channel) for channel in color]
    if len(channels) != 3 or not all(0 <= channel <= 255 for channel in channels):
        raise ValueError(f"{color} is not a colour (r, g, b) of 0 .. 255")
    red, green, blue = channels
    return red << 16 | green << 8 | blue


def turned_mask(mask: Mask, orientation: int) -> Mask:
    """A mask of a picture as it is stored, turned upright as EXIF's orientation 5 .. 8 turns the picture."""
    turns = {5: mask.T, 6: np.rot90(mask, -1), 7: np.rot90(mask.T, 2), 8: np.rot90(mask)}
    return np.ascontiguousarray(turns[orientation])
