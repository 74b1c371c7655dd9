"""Resize and Upsample."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from striate import layers
from striate.onnx._call import Call, operator
from striate.onnx._convert_convolution import along, map_of, spatial
from striate.onnx._values import Array, Unsupported, Value, as_samples, check_size


@operator("Upsample", constants=(1,))
def upsample(call: Call) -> Value:
    return _as_upsample(call)


def _as_upsample(call: Call) -> Value:
    """As Resize was before version 11: the corners of the maps lie on each other."""
    x = call.value()
    given = call.constant(1) if call.given(1) else call.get("scales")
    if given is None:
        raise Unsupported("it has no scales")
    return _resized(call, x, [float(scale) for scale in np.asarray(given).reshape(-1)], None, "asymmetric", "floor")


@operator("Resize", constants=(1, 2, 3))
def resize(call: Call) -> Value:
    x = call.value()
    if call.opset < 11:
        return _as_upsample(call)
    scales = None if not call.given(2) else np.asarray(call.constant(2)).reshape(-1).tolist()
    sizes = None if not call.given(3) else np.asarray(call.constant(3)).reshape(-1).tolist()
    mode = call.get("coordinate_transformation_mode", "half_pixel")
    return _resized(call, x, scales or None, sizes or None, mode, call.get("nearest_mode", "round_prefer_floor"))


def _resized(
    call: Call,
    x: Value,
    scales: list[float] | None,
    sizes: list[int] | None,
    mode: str,
    nearest: str,
) -> Value:
    axes = [int(axis) % x.rank for axis in call.get("axes") or range(x.rank)]
    kind = call.get("mode", "nearest")
    shape = [x.shape[axis] for axis in axes]
    if sizes is not None:
        scales = [new / old for new, old in zip(sizes, shape, strict=True)]
        policy = call.get("keep_aspect_ratio_policy", "stretch")
        if policy != "stretch":
            scale = (min if policy == "not_larger" else max)(scales)
            scales = [scale] * len(axes)
            sizes = [math.floor(scale * old + 0.5) for old in shape]
    elif scales is not None:
        sizes = [math.floor(old * scale) for old, scale in zip(shape, scales, strict=True)]
    else:
        raise Unsupported("it has neither scales nor sizes")
    changes = {}
    boxes = np.asarray(call.constant(1, []), np.float64).reshape(-1) if call.opset >= 11 else np.zeros(0)
    for i, axis in enumerate(axes):
        box = (float(boxes[i]), float(boxes[i + len(axes)])) if mode == "tf_crop_and_resize" else (0.0, 1.0)
        if sizes[i] != shape[i] or box != (0.0, 1.0) or scales[i] != 1.0:
            changes[x.place(axis)] = (shape[i], int(sizes[i]), float(scales[i]), box)
    enlarged = _enlarged(call, x, changes, kind, mode, nearest)
    if enlarged is not None:
        return enlarged
    for place, (old, new, scale, box) in changes.items():
        if new < 1:
            raise Unsupported(f"it makes {new} elements of {old}")
        if call.opset < 11 and kind == "nearest" and scale < 1 and not (1 / scale).is_integer():
            raise Unsupported(f"a scale of {scale:g} before version 11, which leaves open what is taken")
        check_size(old * new, "a matrix that resamples")
        centres = _centres(old, new, scale, mode, box)
        matrix = _weights(call, kind, nearest, old, scale, centres)
        bias = None
        if mode == "tf_crop_and_resize":
            outside = (centres < 0) | (centres > old - 1)
            matrix[:, outside] = 0.0
            bias = np.where(outside, float(call.get("extrapolation_value", 0.0)), 0.0)
        x = along(call, x, place, matrix, bias if bias is not None and bias.any() else None)
    return x


def _enlarged(
    call: Call,
    x: Value,
    changes: dict[int, tuple[int, int, float, tuple[float, float]]],
    kind: str,
    mode: str,
    nearest: str,
) -> Value | None:
    """By UpSampling2D, if that is what is asked for: whole factors, height and width alone."""
    if x.batch is None or x.rank not in (3, 4) or 0 in changes or not changes or call.get("antialias", 0):
        return None
    factors = [1] * (x.rank - 2)
    for place, (old, new, scale, _) in changes.items():
        if new % old or scale != new / old:
            return None
        factors[place - 1] = new // old
    repeats = kind == "nearest" and (mode, nearest) in (
        ("asymmetric", "floor"),
        ("half_pixel", "round_prefer_floor"),
        ("half_pixel", "round_prefer_ceil"),
        ("half_pixel_symmetric", "round_prefer_floor"),
    )
    interpolates = kind == "linear" and mode in ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel")
    if not (repeats or interpolates):
        return None
    symbol = as_samples(x, [*spatial(x, "resizing"), x.axes[0]])
    size = [1] * (2 - len(factors)) + factors
    how = "nearest" if repeats else "bilinear"
    return map_of(x, call.apply(symbol, layers.UpSampling2D, size, interpolation=how))


def _centres(old: int, new: int, scale: float, mode: str, box: tuple[float, float]) -> Array:
    """Where the new elements lie among the old ones."""
    x = np.arange(new, dtype=np.float64)
    if mode == "asymmetric":
        return x / scale
    if mode == "align_corners":
        # The exact length, which need not be whole.
        length = scale * old
        return x * (old - 1) / (length - 1) if length != 1 else np.zeros(new)
    if mode == "tf_crop_and_resize":
        start, end = box
        if new > 1:
            return start * (old - 1) + x * (end - start) * (old - 1) / (new - 1)
        return np.full(new, 0.5 * (start + end) * (old - 1))
    if mode == "pytorch_half_pixel" and new == 1:
        return np.full(1, -0.5)
    if mode == "half_pixel_symmetric":
        adjusted = new / (scale * old)
        return old / 2 * (1 - adjusted) + (x + 0.5) / scale - 0.5
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (x + 0.5) / scale - 0.5
    raise Unsupported(f"coordinate_transformation_mode {mode!r}")


def _weights(call: Call, kind: str, nearest: str, old: int, scale: float, centres: Array) -> Array:
    """(old elements, new elements): how much of each old one is in each new one."""
    matrix = np.zeros((old, len(centres)))
    columns = np.arange(len(centres))
    if kind == "nearest":
        rounded: dict[str, Callable[[Array], Array]] = {
            "floor": np.floor,
            "ceil": np.ceil,
            "round_prefer_floor": lambda c: np.ceil(c - 0.5),
            "round_prefer_ceil": lambda c: np.floor(c + 0.5),
        }
        if nearest not in rounded:
            raise Unsupported(f"nearest_mode {nearest!r}")
        # A coordinate that rounding has moved off a whole number is put back.
        clean = np.where(np.abs(centres - np.round(centres)) < 1e-9 * old, np.round(centres), centres)
        matrix[np.clip(rounded[nearest](clean).astype(np.int64), 0, old - 1), columns] = 1.0
        return matrix
    if kind not in ("linear", "cubic"):
        raise Unsupported(f"mode {kind!r}")
    narrow = scale if call.get("antialias", 0) and scale < 1 else 1.0
    reach = math.ceil((1 if kind == "linear" else 2) / narrow)
    first = np.floor(centres).astype(np.int64) - reach + 1
    sample = first[:, None] + np.arange(2 * reach)[None, :]
    distance = np.abs(sample - centres[:, None]) * narrow
    taps = (
        np.maximum(1 - distance, 0.0) if kind == "linear" else _cubic(distance, float(call.get("cubic_coeff_a", -0.75)))
    )
    outside = (sample < 0) | (sample >= old)
    if call.get("exclude_outside", 0) or narrow < 1:
        taps = np.where(outside & bool(call.get("exclude_outside", 0)), 0.0, taps)
        taps /= taps.sum(axis=1, keepdims=True)
    for tap in range(taps.shape[1]):
        np.add.at(matrix, (np.clip(sample[:, tap], 0, old - 1), columns), taps[:, tap])
    return matrix


def _cubic(distance: Array, a: float) -> Array:
    """Keys's kernel ("Cubic Convolution Interpolation for Digital Image Processing", 1981)."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))
