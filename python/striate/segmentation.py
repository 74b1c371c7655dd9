"""Segmentation of pictures larger or smaller than what a network was built for."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import AnyArray, FloatArray, as_float32, numbers
from striate._checks import positive

if TYPE_CHECKING:
    from striate.model import Model

__all__ = ["predict_tiles", "with_input_size"]

Pair = int | tuple[int, int]


def with_input_size(model: Model, height: int, width: int) -> Model:
    """The same network for pictures of another size, with a copy of the weights.

    Args:
        model: with one input (height, width, channels), and layers that take maps of any size: convolutions, pooling,
            normalisation; no `Flatten` before a `Dense`.
        height: height of the new input.
        width: width of the new input.

    Returns:
        A new model from (N, height, width, channels).

    Raises:
        ValueError: the model has several inputs or none of maps, or a layer of it cannot take the new size.
    """
    from striate.layers import Input
    from striate.model import Model as Network

    channels = _input_shape(model, "with_input_size")[2]
    start = Input((positive(height, "with_input_size: height"), positive(width, "with_input_size: width"), channels))
    return Network(start, model(start), name=model.name, seed=model.seed)


def predict_tiles(
    model: Model, image: ArrayLike, tile: Pair | None = None, overlap: Pair | None = None, batch_size: int = 8
) -> FloatArray:
    """Predict pictures of any size with overlapping tiles, which are blended.

    A tile's share in a pixel falls from 1 to 0 across the overlap as half a period of a cosine (the slope of a Hann
    window), so that the shares of adjacent tiles add up to 1. At the borders the picture is continued by its mirror
    image, by half the overlap, so that no pixel is predicted from the edge of a tile alone. The model's output is
    blended: logits of a model that ends in logits.

    Args:
        model: from (N, h, w, C) to (N, h, w, K), such as `models.unet`.
        image: (H, W, C), (H, W) for one channel, or a batch (N, H, W, C); uint8 or float32, as the model takes them.
        tile: (height, width) of the tiles, or one number for both; another size than the model's input lays the network
            out anew (`with_input_size`). None: the model's input size.
        overlap: (height, width) in pixels by which neighbouring tiles overlap, or one number; 0 to half of a tile.
            None: a quarter of a tile. About the network's receptive field at best.
        batch_size: tiles in a batch.

    Returns:
        float32 (H, W, K), or (N, H, W, K) for a batch.

    Raises:
        TypeError: the picture holds no numbers.
        ValueError: shapes or arguments do not fit, or the model's output is not a map of its input's size.
    """
    who = "predict_tiles"
    shape = _input_shape(model, who)
    height, width = shape[:2] if tile is None else _pair(tile, f"{who}: tile", 1)
    lap_y, lap_x = (height // 4, width // 4) if overlap is None else _pair(overlap, f"{who}: overlap", 0)
    if lap_y > height // 2 or lap_x > width // 2:
        raise ValueError(
            f"{who} expects an overlap of at most half of a tile, got {(lap_y, lap_x)} for tiles of {(height, width)}"
        )
    batch_size = positive(batch_size, f"{who}: batch_size")
    pictures, single = _pictures(image, shape[2], who)
    if (height, width) != shape[:2]:
        model = with_input_size(model, height, width)
    output = model.output_shape
    if isinstance(output, list) or len(output) != 4 or output[1:3] != (height, width):
        raise ValueError(
            f"{who} needs a model whose output is a map of its input's size, (N, {height}, {width}, K), got {output}"
        )
    out = np.empty((*pictures.shape[:3], output[3]), np.float32)
    for picture, result in zip(pictures, out, strict=True):
        _predict(model, picture, result, (height, width), (lap_y, lap_x), batch_size)
    return out[0] if single else out


def _predict(
    model: Model,
    picture: AnyArray,
    out: FloatArray,
    tile: tuple[int, int],
    overlap: tuple[int, int],
    batch_size: int,
) -> None:
    rows, columns = (_Axis(n, t, o) for n, t, o in zip(picture.shape[:2], tile, overlap, strict=True))
    padded = picture[rows.source][:, columns.source]
    blended = np.zeros((*padded.shape[:2], out.shape[2]), np.float32)
    places = [(top, left) for top in rows.starts for left in columns.starts]
    for first in range(0, len(places), batch_size):
        some = places[first : first + batch_size]
        cut = np.stack([padded[top : top + tile[0], left : left + tile[1]] for top, left in some])
        for (top, left), values in zip(some, model.predict(cut, batch_size=batch_size), strict=True):
            share = rows.share(top)[:, None, None] * columns.share(left)[None, :, None]
            blended[top : top + tile[0], left : left + tile[1]] += values * share
    out[:] = blended[rows.inner, columns.inner]


class _Axis:
    """The positions of tiles along one axis of a picture.

    Args:
        size: size of the picture.
        tile: size of a tile.
        overlap: of two adjacent tiles, at most half of a tile.

    Attributes:
        starts: where the tiles begin on the continued picture.
        source: the pixel at each place of the continued picture.
        inner: the part of the continued picture that is the picture.
    """

    def __init__(self, size: int, tile: int, overlap: int) -> None:
        margin, step = overlap // 2, tile - overlap
        if size <= tile:  # one tile sees all of it
            margin = (tile - size) // 2
        count = 1 if size <= tile else 1 + -(-(size + 2 * margin - tile) // step)
        self.starts = [number * step for number in range(count)]
        length = self.starts[-1] + tile
        places = (np.arange(length) - margin) % (2 * size)
        self.source: NDArray[np.intp] = np.minimum(places, 2 * size - 1 - places)
        self.inner = slice(margin, margin + size)
        # Both slopes of two adjacent tiles are cut from one cosine: they add up to 1.
        slope = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / max(overlap, 1))
        self._slope = slope.astype(np.float32)
        self._tile = tile

    def share(self, start: int) -> FloatArray:
        """The share of the tile that begins at `start` in each of its pixels."""
        share = np.ones(self._tile, np.float32)
        if start != self.starts[0]:
            share[: len(self._slope)] = self._slope
        if start != self.starts[-1]:
            share[self._tile - len(self._slope) :] = 1.0 - self._slope
        return share


def _input_shape(model: Model, who: str) -> tuple[int, int, int]:
    shape = model.input_shape
    if isinstance(shape, list) or len(shape) != 4:
        raise ValueError(f"{who} needs a model with one input (N, height, width, channels), got {shape}")
    return shape[1], shape[2], shape[3]


def _pictures(image: ArrayLike, channels: int, who: str) -> tuple[AnyArray, bool]:
    """A batch (N, H, W, C), and whether it was made of one picture."""
    array: Any = numbers(image, f"{who}: image")
    single = array.ndim < 4
    if array.ndim == 2:
        array = array[..., np.newaxis]
    if array.ndim == 3:
        array = array[np.newaxis]
    if array.ndim != 4 or array.shape[3] != channels or 0 in array.shape[1:]:
        raise ValueError(
            f"{who} expects a picture (H, W, {channels}) or a batch (N, H, W, {channels}), got shape {np.shape(image)}"
        )
    return (array if array.dtype == np.uint8 else as_float32(array)), single


def _pair(value: Any, what: str, least: int) -> tuple[int, int]:
    try:
        first, second = (value, value) if hasattr(value, "__index__") else value
        first, second = operator.index(first), operator.index(second)
    except (TypeError, ValueError):
        raise TypeError(f"{what} must be a whole number or a pair (height, width), got {value!r}") from None
    if min(first, second) < least:
        raise ValueError(f"{what} must be at least {least}, got {value!r}")
    return first, second
