"""Resize and Upsample.

Sizes, coordinates and weights are computed in float32, in ONNX Runtime's order of operations: which pixel is taken
depends on it. Where the specification's reference differs, ONNX Runtime and PyTorch are followed:

- `align_corners` maps the last output pixel to the last input pixel; the reference uses scale × size as the output's
  length, which need not be whole.
- `pytorch_half_pixel` maps a single output pixel to 0, as the specification says; the reference uses −0.5.
- `tf_crop_and_resize` does not multiply the output's size by the size of its box, and `linear` and `cubic` ignore the
  box along an axis of scale 1.
- A tensor that keeps its size stays as it is, for any scales and boxes.
- Before version 11, `nearest` rounds down where the scale is 1 or above, and up below 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from striate import layers
from striate.onnx._call import Call, operator
from striate.onnx._convert_convolution import along, map_of, spatial
from striate.onnx._values import Array, Unsupported, Value, as_samples, check_size

_F = np.float32


class _Axis(NamedTuple):
    """How one axis is resized.

    Attributes:
        old: its size before.
        new: its size afterwards.
        scale: as ONNX Runtime computes it; a float32.
        box: the part that is taken, of an axis from 0 to 1.
    """

    old: int
    new: int
    scale: np.float32
    box: tuple[float, float]


@operator("Upsample", constants=(1,))
def upsample(call: Call) -> Value:
    given = call.constant(1) if call.given(1) else call.get("scales")
    return _resized(call, given, None, "asymmetric", "simple")


# The converter reads them where they matter: cubic_coeff_a for "cubic" alone, the roi for one mode.
_SOMETIMES = ("antialias", "cubic_coeff_a", "exclude_outside", "extrapolation_value", "nearest_mode", 1)


@operator("Resize", constants=(1, 2, 3), ignores=_SOMETIMES)
def resize(call: Call) -> Value:
    if call.opset < 11:
        return _resized(call, call.constant(1), None, "asymmetric", "simple")
    mode = call.get("coordinate_transformation_mode", "half_pixel")
    nearest = call.get("nearest_mode", "round_prefer_floor")
    return _resized(call, call.constant(2), call.constant(3), mode, nearest)


def _resized(call: Call, scales: Array | None, sizes: Array | None, mode: str, nearest: str) -> Value:
    x, kind = call.value(), call.get("mode", "nearest")
    if mode not in _CENTRES:
        raise Unsupported(f"coordinate_transformation_mode is {mode!r}")
    if kind not in ("nearest", "linear", "cubic"):
        raise Unsupported(f"mode is {kind!r}")
    if kind == "nearest" and nearest not in _ROUNDED:
        raise Unsupported(f"nearest_mode is {nearest!r}")
    axes = _axes(call, x, scales, sizes, mode)
    if all(how.old == how.new for how in axes.values()):  # ONNX Runtime then ignores the scales
        return x
    changes = {x.place(axis): how for axis, how in axes.items() if _changes(call, how)}
    enlarged = _enlarged(call, x, changes, kind, mode, nearest)
    if enlarged is not None:
        return enlarged
    for place, how in changes.items():
        check_size(how.old * how.new, "a matrix that resamples")
        centres = _CENTRES[mode](np.arange(how.new, dtype=_F), how)
        matrix = _matrix(call, kind, nearest, how, centres)
        bias = None
        if mode == "tf_crop_and_resize":
            outside = (centres < 0) | (centres > how.old - 1)
            matrix[:, outside] = 0.0
            bias = np.where(outside, float(call.get("extrapolation_value", 0.0)), 0.0)
        x = along(call, x, place, matrix, bias if bias is not None and bias.any() else None)
    return x


def _axes(call: Call, x: Value, scales: Array | None, sizes: Array | None, mode: str) -> dict[int, _Axis]:
    """How each of the axes that the node names is resized."""
    axes = [int(axis) % x.rank for axis in call.get("axes") or range(x.rank)]
    shape = [x.shape[axis] for axis in axes]
    old = np.asarray(shape, _F)
    policy = call.get("keep_aspect_ratio_policy", "stretch")
    if sizes is not None and np.size(sizes):
        new = [int(size) for size in np.reshape(sizes, -1)]
        _same_length(new, axes, "sizes")
        factors = np.asarray(new, _F) / old
        if policy != "stretch":
            chosen = {"not_larger": np.min, "not_smaller": np.max}.get(policy)
            if chosen is None:
                raise Unsupported(f"keep_aspect_ratio_policy is {policy!r}")
            factors = np.full(len(axes), chosen(factors), _F)
            new = [math.floor(float(length) + 0.5) for length in factors * old]
    elif scales is not None and np.size(scales):
        factors = np.reshape(np.asarray(scales, _F), -1)
        _same_length(factors, axes, "scales")
        if not (np.isfinite(factors) & (factors > 0)).all():
            raise Unsupported(f"its scales are {factors.tolist()}")
        new = [int(length) for length in factors * old]
    else:
        raise Unsupported("it has neither scales nor sizes")
    if min(new) < 1:
        raise Unsupported(f"it resizes an axis to {min(new)} elements from {shape[new.index(min(new))]}")
    boxes = np.zeros(0) if mode != "tf_crop_and_resize" else np.asarray(call.constant(1, []), _F).reshape(-1)
    if mode == "tf_crop_and_resize" and boxes.size != 2 * len(axes):
        raise Unsupported(f"its roi has {boxes.size} numbers, it must have {2 * len(axes)}")
    found = {}
    for i, axis in enumerate(axes):
        box = (float(boxes[i]), float(boxes[i + len(axes)])) if boxes.size else (0.0, 1.0)
        if axis in found:
            raise Unsupported(f"its axes {axes} name one twice")
        found[axis] = _Axis(shape[i], new[i], _F(factors[i]), box)
    return found


def _same_length(numbers: object, axes: list[int], what: str) -> None:
    if np.size(numbers) != len(axes):  # type: ignore[arg-type]
        raise Unsupported(f"it has {np.size(numbers)} {what} for {len(axes)} axes")  # type: ignore[arg-type]


def _changes(call: Call, how: _Axis) -> bool:
    """Whether the axis changes at all."""
    return how.old != how.new or (how.scale != 1 and not call.flag("antialias"))


def _enlarged(call: Call, x: Value, changes: dict[int, _Axis], kind: str, mode: str, nearest: str) -> Value | None:
    """The map by UpSampling2D, if that gives the same: whole factors of height and width."""
    if x.batch is None or x.rank not in (3, 4) or 0 in changes or not changes or call.flag("antialias"):
        return None
    factors = [1] * (x.rank - 2)
    for place, how in changes.items():
        if how.new % how.old or how.scale != how.new / how.old:
            return None
        factor = factors[place - 1] = how.new // how.old
        if kind == "nearest" and mode != "tf_crop_and_resize":
            check_size(how.new, "the elements of an axis")
            taken = _nearest(nearest, how, _CENTRES[mode](np.arange(how.new, dtype=_F), how))
            if (taken != np.arange(how.new) // factor).any():
                return None
        elif kind != "linear" or mode not in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel"):
            return None
        elif mode == "pytorch_half_pixel" and how.new == 1:
            return None
    symbol = as_samples(x, [*spatial(x, "resizing"), x.axes[0]])
    size = [1] * (2 - len(factors)) + factors
    how_ = "nearest" if kind == "nearest" else "bilinear"
    return map_of(x, call.apply(symbol, layers.UpSampling2D, size, interpolation=how_))


# Where new elements are among the old ones


def _half_pixel(x: Array, how: _Axis) -> Array:
    centres: Array = (x + _F(0.5)) / how.scale - _F(0.5)
    return centres


def _pytorch_half_pixel(x: Array, how: _Axis) -> Array:
    return _half_pixel(x, how) if how.new > 1 else np.zeros_like(x)


def _half_pixel_symmetric(x: Array, how: _Axis) -> Array:
    offset = _F(how.old) / _F(2) * (_F(1) - _F(how.new) / (how.scale * _F(how.old)))
    return (float(offset) + (x.astype(np.float64) + 0.5) / float(how.scale) - 0.5).astype(_F)


def _tf_half_pixel_for_nn(x: Array, how: _Axis) -> Array:
    centres: Array = (x + _F(0.5)) / how.scale
    return centres


def _asymmetric(x: Array, how: _Axis) -> Array:
    centres: Array = x / how.scale
    return centres


def _align_corners(x: Array, how: _Axis) -> Array:
    return x * _F(how.old - 1) / _F(how.new - 1) if how.new > 1 else np.zeros_like(x)


def _crop(x: Array, how: _Axis) -> Array:
    start, end, last = _F(how.box[0]), _F(how.box[1]), _F(how.old - 1)
    if how.new > 1:
        centres: Array = start * last + (x * (end - start) * last) / _F(how.new - 1)
        return centres
    return np.full_like(x, _F(0.5) * (start + end) * last)


_CENTRES: dict[str, Callable[[Array, _Axis], Array]] = {
    "half_pixel": _half_pixel,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "asymmetric": _asymmetric,
    "align_corners": _align_corners,
    "tf_half_pixel_for_nn": _tf_half_pixel_for_nn,
    "tf_crop_and_resize": _crop,
}


_TIE = 1e-6
"""How far from the middle between two elements a coordinate still counts as the middle."""


def _floor_or_ceil(x: Array, up: bool) -> Array:
    """To the nearest whole number; the middle goes up or down."""
    low = np.floor(x)
    above = (x - low).astype(np.float64) - 0.5
    return np.where((above >= -_TIE) if up else (above > _TIE), low + 1, low)


_ROUNDED: dict[str, Callable[[Array, _Axis], Array]] = {
    "floor": lambda x, how: np.floor(x),
    "ceil": lambda x, how: np.ceil(x),
    "round_prefer_floor": lambda x, how: _floor_or_ceil(x, False),
    "round_prefer_ceil": lambda x, how: _floor_or_ceil(x, True),
    "simple": lambda x, how: np.ceil(x) if how.scale < 1 else np.trunc(x),
}


def _nearest(nearest: str, how: _Axis, centres: Array) -> Array:
    """The old element for each new one."""
    return np.clip(_ROUNDED[nearest](centres, how), 0, how.old - 1).astype(np.int64)


def _matrix(call: Call, kind: str, nearest: str, how: _Axis, centres: Array) -> Array:
    """(old elements, new elements): how much of each old one is in each new one."""
    old = how.old
    matrix = np.zeros((old, len(centres)), _F)
    columns = np.arange(len(centres))
    if kind == "nearest":
        matrix[_nearest(nearest, how, centres), columns] = 1.0
        return matrix
    antialias = call.flag("antialias")
    exclude = call.flag("exclude_outside") and (antialias or kind == "cubic")
    narrow = how.scale if antialias and how.scale < 1 else _F(1)
    if kind == "linear" and not antialias:
        centres = np.clip(centres, 0, old - 1)
    reach = math.ceil((1 if kind == "linear" else 2) / float(narrow))
    check_size(len(centres) * 2 * reach, "weights of a window")
    first = np.floor(centres).astype(np.int64) - reach + 1
    sample = first[:, None] + np.arange(2 * reach)[None, :]
    if antialias:  # from pixel centre to pixel centre, which rounds otherwise
        distance = np.abs((sample.astype(_F) - (centres[:, None] + _F(0.5)) + _F(0.5)) * narrow)
    else:
        distance = np.abs(sample.astype(_F) - centres[:, None])
    if kind == "linear":
        taps = np.maximum(_F(1) - distance, _F(0))
    else:
        taps = _cubic(distance, _F(call.get("cubic_coeff_a", -0.75)))
    if exclude:
        taps = np.where((sample < 0) | (sample >= old), _F(0), taps)
    if exclude or antialias:
        total = taps.sum(axis=1, keepdims=True)
        taps = taps / np.where(total == 0, _F(1), total)
    for tap in range(taps.shape[1]):
        np.add.at(matrix, (np.clip(sample[:, tap], 0, old - 1), columns), taps[:, tap])
    return matrix


def _cubic(distance: Array, a: np.float32) -> Array:
    """Keys's kernel ("Cubic Convolution Interpolation for Digital Image Processing", 1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    weights: Array = np.where(distance <= 1, near, np.where(distance < 2, far, _F(0)))
    return weights
