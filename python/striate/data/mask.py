"""Masks: pictures whose values are classes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data.dicom import decode_dicom, is_dicom
from striate.data.picture import load_frame
from striate.data.resize import Size, resize

Values = Mapping[int, int] | Mapping[tuple[int, int, int], int] | str | None
Mask = NDArray[np.int32]


class MaskError(ValueError):
    """A mask that holds what it must not; the message names the file."""


class ValueMap:
    """What the values of a mask mean.

    Args:
        values: as `SegmentationFolder` takes it.
        what: who asks, for messages.

    Attributes:
        colors: whether a mask's colours are looked up, rather than its values.
        decided: whether a mask can be translated by itself; otherwise all masks must be seen first.

    Raises:
        TypeError: `values` is of another kind, or mixes values and colours.
        ValueError: it is empty, or a class or a colour is out of range.
    """

    def __init__(self, values: Values, what: str) -> None:
        form = f'{what} expects values to be None, "nonzero", or a dict from values or (r, g, b) to classes'
        self.colors = False
        self.decided = values is not None
        self._keys: Mask | None = None
        if isinstance(values, str):
            if values != "nonzero":
                raise ValueError(f"{form}, got {values!r}")
        elif values is not None:
            if not isinstance(values, Mapping):
                raise TypeError(f"{form}, got {type(values).__name__}")
            if not values:
                raise ValueError(f"{form}, got an empty one")
            kinds = {isinstance(key, (tuple, list)) for key in values}
            if len(kinds) > 1:
                raise TypeError(f"{form}, not a mix of both")
            self.colors = kinds.pop()
            try:
                keys = np.array([_code(key) if self.colors else _int32(key) for key in values], dtype=np.int32)
                classes = np.array([_int32(value) for value in values.values()], dtype=np.int32)
            except (TypeError, ValueError, OverflowError) as error:
                raise ValueError(f"{form}: {error}") from None
            order = np.argsort(keys)
            self._keys, self._classes = keys[order], classes[order]

    @property
    def classes(self) -> list[int]:
        """The classes that a dict leads to; none without one."""
        return [] if self._keys is None else sorted(set(self._classes.tolist()))

    def translate(self, mask: Mask, path: str | Path) -> Mask:
        """The classes of a mask's values; MaskError for a value that is not in the dict."""
        if self._keys is None:
            marked: Mask = (mask != 0).astype(np.int32)
            return marked
        place = np.minimum(np.searchsorted(self._keys, mask), len(self._keys) - 1)
        wrong = self._keys[place] != mask
        if wrong.any():
            value = int(mask[wrong][0])
            color = (value >> 16, value >> 8 & 255, value & 255)
            shown = f"the colour {color}" if self.colors else f"the value {value}"
            raise MaskError(f"the mask {path} holds {shown}, which is not among values")
        found: Mask = self._classes[place]
        return found


def read_mask(path: Path, frame: int, colors: bool) -> Mask:
    """The values of one frame of a mask, (H, W).

    A palette's indices, not its colours; grey values as they are stored; of a colour picture the grey value, where the
    three channels are equal everywhere. With `colors`, red * 65536 + green * 256 + blue instead.

    Raises:
        OSError: the file cannot be read.
        MaskError: the mask is in colour, or holds values that are no whole numbers.
        ValueError: there is no such frame.
    """
    if not path.is_file():
        raise FileNotFoundError(f"there is no mask {path}")
    image: Any = decode_dicom(path, frame, None, raw=True) if is_dicom(path) else load_frame(path, frame)[0]
    if colors:
        rgb = np.asarray(image.convert("RGB"), dtype=np.int32)
        coded: Mask = (rgb[..., 0] << 16) | (rgb[..., 1] << 8) | rgb[..., 2]
        return coded
    if image.mode in ("LA", "La", "PA"):
        image = image.getchannel(0)
    elif image.mode not in ("1", "L", "P", "F") and not image.mode.startswith("I"):
        image = image.convert("RGB")
    values = np.asarray(image)
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise MaskError(f"the mask {path} is in colour; say what that means: values={{(r, g, b): class, ...}}")
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
        raise TypeError(f"{value!r} is no whole number")
    if not -(2**31) <= value < 2**31:
        raise ValueError(f"{value} is out of range")
    return int(value)


def _code(color: Any) -> int:
    channels = [_int32(channel) for channel in color]
    if len(channels) != 3 or not all(0 <= channel <= 255 for channel in channels):
        raise ValueError(f"{color} is no colour (r, g, b) of 0 .. 255")
    red, green, blue = channels
    return red << 16 | green << 8 | blue
