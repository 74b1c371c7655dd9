"""Affine maps of image batches: what moves the pixels, and what boxes and masks follow.

A batch of maps is an array (B, 2, 3). Row 0 gives the source column and row 1 the source row of an output pixel:
`source = matrix[:, :2] @ (column, row) + matrix[:, 2]`, where a pixel's coordinates are those of its centre, (0, 0) at
the top left.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrices = NDArray[np.float64]

FILL_MODES = ("reflect", "wrap", "constant", "nearest")
_PIXELS_AT_ONCE = 1 << 16  # keeps the work arrays of a pass in cache


def affine(
    height: int,
    width: int,
    *,
    flip_x: NDArray[np.bool_],
    flip_y: NDArray[np.bool_],
    angle: NDArray[np.float64],
    zoom: NDArray[np.float64],
    shift_x: NDArray[np.float64],
    shift_y: NDArray[np.float64],
) -> Matrices:
    """Maps that flip, then turn and zoom about the centre, then shift; each argument (B,).

    Args:
        height: of the images.
        width: of the images.
        flip_x: whether left and right change places.
        flip_y: whether top and bottom change places.
        angle: in degrees, counter-clockwise as seen.
        zoom: above 1 enlarges.
        shift_x: pixels to the right.
        shift_y: pixels downwards.
    """
    radians = np.deg2rad(angle)
    cos, sin = np.cos(radians) / zoom, np.sin(radians) / zoom
    sign_x, sign_y = np.where(flip_x, -1.0, 1.0), np.where(flip_y, -1.0, 1.0)
    center_x, center_y = (width - 1) / 2, (height - 1) / 2
    matrices = np.empty((len(angle), 2, 3))
    matrices[:, 0, 0], matrices[:, 0, 1] = sign_x * cos, -sign_x * sin
    matrices[:, 1, 0], matrices[:, 1, 1] = sign_y * sin, sign_y * cos
    moved_x, moved_y = center_x + shift_x, center_y + shift_y
    matrices[:, 0, 2] = center_x - (matrices[:, 0, 0] * moved_x + matrices[:, 0, 1] * moved_y)
    matrices[:, 1, 2] = center_y - (matrices[:, 1, 0] * moved_x + matrices[:, 1, 1] * moved_y)
    return matrices


def warp(
    images: NDArray[Any],
    matrices: Matrices,
    fill_mode: str,
    fill_value: float,
    offsets: NDArray[np.float32] | None = None,
    nearest: bool = False,
) -> NDArray[Any]:
    """Sample a batch through its maps, bilinearly or at the nearest pixel.

    Args:
        images: (B, H, W, C), uint8 or float32.
        matrices: (B, 2, 3), see the head of this file.
        fill_mode: what lies outside the image: its mirror image (d c b a | a b c d | d c b a), its copies,
            `fill_value`, or its nearest pixel.
        fill_value: for "constant".
        offsets: (B, 2, H, W), added to the source column and row of every output pixel.
        nearest: take the nearest pixel's value, as masks need.

    Returns:
        (B, H, W, C): float32, or of the type of `images` where every map moves whole pixels, which is exact, or with
        `nearest`.
    """
    whole = (np.abs(matrices[:, 0, 0]) == 1) & (matrices[:, 0, 1] == 0)
    whole &= (np.abs(matrices[:, 1, 1]) == 1) & (matrices[:, 1, 0] == 0)
    whole &= (matrices[:, :, 2] == np.floor(matrices[:, :, 2])).all(axis=1)
    if offsets is not None:
        whole &= ~offsets.any(axis=(1, 2, 3))
    if whole.all():
        return _move(images, matrices, fill_mode, fill_value)
    sample = _nearest if nearest else _interpolate
    out = np.empty(images.shape, dtype=images.dtype if nearest else np.float32)
    exact = np.flatnonzero(whole)
    if len(exact):
        out[exact] = _move(images[exact], matrices[exact], fill_mode, fill_value)
    rest = np.flatnonzero(~whole)
    step = max(1, _PIXELS_AT_ONCE // max(1, images.shape[1] * images.shape[2]))
    for start in range(0, len(rest), step):
        some = rest[start : start + step]
        moved = None if offsets is None else offsets[some]
        out[some] = sample(images[some], matrices[some], fill_mode, fill_value, moved)
    return out


def _source(index: NDArray[Any], n: int, fill_mode: str) -> NDArray[np.intp]:
    """The pixel of 0 .. n - 1 that stands at any whole coordinate; "constant": n for all that lies outside."""
    index = index.astype(np.intp)
    if fill_mode == "nearest":
        np.clip(index, 0, n - 1, out=index)
    elif fill_mode == "wrap":
        index %= n
    elif fill_mode == "reflect":
        index %= 2 * n
        np.minimum(index, 2 * n - 1 - index, out=index)
    else:
        index[(index < 0) | (index >= n)] = n
    return index


def _move(images: NDArray[Any], matrices: Matrices, fill_mode: str, fill_value: float) -> NDArray[Any]:
    count, height, width, _ = images.shape
    columns = matrices[:, 0, 0, None] * np.arange(width) + matrices[:, 0, 2, None]
    rows = matrices[:, 1, 1, None] * np.arange(height) + matrices[:, 1, 2, None]
    x, y = _source(columns, width, fill_mode), _source(rows, height, fill_mode)
    outside = (y == height)[:, :, None] | (x == width)[:, None, :]
    inner_y, inner_x = np.minimum(y, height - 1), np.minimum(x, width - 1)
    out: NDArray[Any] = images[np.arange(count)[:, None, None], inner_y[:, :, None], inner_x[:, None, :]]
    out[outside] = fill_value
    return out


def _nearest(
    images: NDArray[Any],
    matrices: Matrices,
    fill_mode: str,
    fill_value: float,
    offsets: NDArray[np.float32] | None,
) -> NDArray[Any]:
    count, height, width, _ = images.shape
    columns, rows = np.arange(width), np.arange(height)
    x_low, x_part = _split(matrices[:, 0], columns, rows, None if offsets is None else offsets[:, 0])
    y_low, y_part = _split(matrices[:, 1], columns, rows, None if offsets is None else offsets[:, 1])
    x, y = _source(x_low + (x_part >= 0.5), width, fill_mode), _source(y_low + (y_part >= 0.5), height, fill_mode)
    outside = (x == width) | (y == height)  # by "constant" alone
    inner_y, inner_x = np.minimum(y, height - 1), np.minimum(x, width - 1)
    out: NDArray[Any] = images[np.arange(count)[:, None, None], inner_y, inner_x]
    out[outside] = fill_value
    return out


def _interpolate(
    images: NDArray[Any],
    matrices: Matrices,
    fill_mode: str,
    fill_value: float,
    offsets: NDArray[np.float32] | None = None,
) -> NDArray[np.float32]:
    count, height, width, channels = images.shape
    # Every coordinate is a term of the column plus a term of the row: one addition a pixel.
    columns, rows = np.arange(width), np.arange(height)
    x_low, x_part = _split(matrices[:, 0], columns, rows, None if offsets is None else offsets[:, 0])
    y_low, y_part = _split(matrices[:, 1], columns, rows, None if offsets is None else offsets[:, 1])
    if fill_mode == "constant":  # one more column and row, which hold the fill
        padded = np.full((count, height + 1, width + 1, channels), fill_value, dtype=images.dtype)
        padded[:, :height, :width] = images
        images = padded
    stride = images.shape[2]
    x0, x1 = _tables(x_low, width, fill_mode)
    y0, y1 = _tables(y_low, height, fill_mode)
    first = (np.arange(count, dtype=np.intp) * (images.shape[1] * stride))[:, None, None]
    y0, y1 = first + y0 * stride, first + y1 * stride
    corners = [(y0 + x0) * channels, (y0 + x1) * channels, (y1 + x0) * channels, (y1 + x1) * channels]
    flat = np.ascontiguousarray(images).reshape(-1)
    out = np.empty((count, height, width, channels), dtype=np.float32)
    for channel in range(channels):
        plane = flat[channel:]
        # a + part * (b - a) keeps a flat region flat to the last bit.
        a, b, c, d = (plane.take(corner, mode="clip").astype(np.float32) for corner in corners)
        b -= a
        b *= x_part
        a += b
        d -= c
        d *= x_part
        c += d
        c -= a
        c *= y_part
        a += c
        out[..., channel] = a
    return out


def _split(
    row: Matrices, columns: NDArray[Any], rows: NDArray[Any], offsets: NDArray[np.float32] | None
) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """Whole part and remainder of one source coordinate at every output pixel, (B, H, W) each."""
    along = (row[:, 0, None] * columns).astype(np.float32)
    down = (row[:, 1, None] * rows + row[:, 2, None]).astype(np.float32)
    place = down[:, :, None] + along[:, None, :]
    if offsets is not None:
        place += offsets
    low = np.floor(place)
    place -= low
    return low.astype(np.intp), place


def _tables(low: NDArray[np.intp], n: int, fill_mode: str) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The pixels that stand at `low` and at `low + 1`."""
    start = int(low.min())
    table = _source(np.arange(start, int(low.max()) + 2), n, fill_mode)
    low = low - start
    return table.take(low), table[1:].take(low)


def bend(points: NDArray[np.float64], height: int, width: int) -> NDArray[np.float32]:
    """Smooth displacements of every pixel from those of a coarse grid, by uniform cubic B-splines, as in free-form
    deformation (Rueckert et al., IEEE Transactions on Medical Imaging 18(8), 1999).

    Args:
        points: (B, 2, n + 3, n + 3), the displacements of columns and rows at the control points of n x n cells, which
            reach one cell beyond the picture on each side; nowhere is the result larger than the largest of them.
        height: of the images.
        width: of the images.

    Returns:
        (B, 2, height, width).
    """
    down, across = _spline(height, points.shape[2] - 3), _spline(width, points.shape[3] - 3)
    out = np.empty((*points.shape[:2], height, width), dtype=np.float32)
    for place in np.ndindex(points.shape[:2]):  # one by one: what becomes of an image must not depend on the others
        out[place] = down @ points[place] @ across.T
    return out


def _spline(size: int, cells: int) -> NDArray[np.float64]:
    """(size, cells + 3): the share of every control point in the pixels along one axis."""
    place = (np.arange(size) + 0.5) * (cells / size)
    cell = np.minimum(place.astype(np.intp), cells - 1)
    t = place - cell
    shares = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=1) / 6
    out = np.zeros((size, cells + 3))
    np.put_along_axis(out, cell[:, None] + np.arange(4), shares, axis=1)
    return out


def move_boxes(boxes: NDArray[np.float64], matrix: Matrices) -> NDArray[np.float64]:
    """The smallest upright boxes (M, 4) around the moved corners of boxes, under one map (2, 3)."""
    inverse = np.linalg.inv(matrix[:, :2])
    corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    # Boxes count from the pixels' edges, maps from their centres.
    moved = (corners - 0.5 - matrix[:, 2]) @ inverse.T + 0.5
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1)
