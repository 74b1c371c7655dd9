"""Pooling over windows, over whole maps, and means over axes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.onnx._call import Call, operator
from striate.onnx._convert_convolution import along, padded, paddings, same_padding
from striate.onnx._values import (
    Array,
    Axis,
    Unsupported,
    Value,
    as_samples,
    axis_of,
    check_size,
    in_order,
    others,
    reshaped,
    size_of,
)

Sides = tuple[int, int]


class _Window:
    """The positions of windows along one axis."""

    def __init__(self, call: Call, index: int, size: int, around: Sides) -> None:
        self.size = size
        self.length = int(call.get("kernel_shape")[index])
        self.step = int((call.get("strides") or [1] * (index + 1))[index])
        self.dilation = int((call.get("dilations") or [1] * (index + 1))[index])
        self.extent = (self.length - 1) * self.dilation + 1
        self.around = around
        free = size + sum(around) - self.extent
        if call.get("auto_pad", "NOTSET").startswith("SAME"):
            self.count = -(-size // self.step)
        else:
            self.count = (-(-free // self.step) if call.flag("ceil_mode") else free // self.step) + 1
            if (self.count - 1) * self.step >= size + around[0]:  # would begin behind the map
                self.count -= 1
        if self.count < 1:
            raise Unsupported(f"a window of {self.extent} on {size} elements")

    def margins(self, counted: Sides = (0, 0)) -> Sides:
        """The padding before and after, of which a part counts as map already, so that all windows fit."""
        before = self.around[0] - counted[0]
        there = self.size + sum(counted)
        return before, max((self.count - 1) * self.step + self.extent - before - there, 0)


def _windows(call: Call, x: Value) -> list[_Window]:
    if x.batch is None or x.rank < 3:
        raise Unsupported(f"it pools a tensor of shape {x.shape}; maps are (N, C, H, W)")
    sizes = [size_of(axis) for axis in x.axes[1:]]
    rank = len(sizes)
    lengths = call.get("kernel_shape") or []
    if len(lengths) != rank:
        raise Unsupported(f"its kernel_shape has {len(lengths)} numbers for {rank} axes")
    strides, dilations = call.get("strides") or [1] * rank, call.get("dilations") or [1] * rank
    if any(len(numbers) != rank or min(numbers) < 1 for numbers in (lengths, strides, dilations)):
        raise Unsupported(f"its windows are {list(lengths)} by {list(strides)}, dilated by {list(dilations)}")
    mode = call.get("auto_pad", "NOTSET")
    if mode.startswith("SAME") and max(dilations) > 1:
        raise Unsupported(f"auto_pad {mode} with dilations, which ONNX Runtime does not compute as ONNX defines it")
    gaps = [(-(-n // s) - 1) * s + k - n for n, k, s in zip(sizes, lengths, strides, strict=True)]
    if mode.startswith("SAME") and min(gaps) < 0:
        raise Unsupported(f"auto_pad {mode} with windows that leave elements out, where ONNX Runtime cuts the map")
    extents = [(k - 1) * d + 1 for k, d in zip(lengths, dilations, strict=True)]
    around = paddings(call, sizes, extents, strides)
    return [_Window(call, i, size, around[i]) for i, size in enumerate(sizes)]


def _pooled(call: Call, x: Value, kind: type[layers.Layer]) -> Value:
    """Windows are boxes, so that the axes may be pooled one pair after the other."""
    call.single_output()
    windows = _windows(call, x)
    include = kind is layers.AveragePooling2D and call.flag("count_include_pad")
    places = list(range(len(windows)))
    if kind is layers.MaxPooling2D and any(window.dilation > 1 for window in windows):
        for place, window in enumerate(windows):
            x = _dilated_maximum(call, x, place, window)
        return x
    while places:
        pair = places[-2:]
        places = places[:-2]
        x = _pooled_pair(call, x, kind, pair, [windows[place] for place in pair], include)
    return x


def _pooled_pair(
    call: Call, x: Value, kind: type[layers.Layer], pair: list[int], windows: list[_Window], include: bool
) -> Value:
    axes = [x.axes[1 + place] for place in pair]
    rest = others(x, [atom for axis in axes for atom in axis])
    if len(pair) == 1:
        axes.insert(0, ())
    symbol = as_samples(x, [*axes, rest])
    counted = [window.around if include else (0, 0) for window in windows]
    if include:
        symbol = padded(symbol, [(0, 0)] * (2 - len(pair)) + counted)
    margins = [window.margins(sides) for window, sides in zip(windows, counted, strict=True)]
    lengths, steps = [window.length for window in windows], [window.step for window in windows]
    if any(window.dilation > 1 for window in windows):
        symbol = _dilated_mean(call, symbol, windows, margins)
    else:
        options: dict[str, Any] = {"pool_size": [1] * (2 - len(pair)) + lengths}
        options["strides"] = [1] * (2 - len(pair)) + steps
        same = all(
            sides == same_padding(w.size + sum(c), w.extent, w.step) and w.count == -(-(w.size + sum(c)) // w.step)
            for sides, c, w in zip(margins, counted, windows, strict=True)
        )
        if any(map(any, margins)):
            options["padding"] = "same" if same else [(0, 0)] * (2 - len(pair)) + margins
        symbol = call.apply(symbol, kind, **options)
    # What "valid" leaves over is not a window; a window more than are wanted cannot be.
    new = [axis_of(window.count) for window in windows]
    changed = {1 + place: axis for place, axis in zip(pair, new, strict=True)}
    order: Axis = (*[atom for axis in new for atom in axis], *rest)
    return Value(symbol, tuple(changed.get(i, axis) for i, axis in enumerate(x.axes)), order, x.batch)


def _dilated_mean(call: Call, symbol: Symbol, windows: list[_Window], margins: list[Sides]) -> Symbol:
    """A mean over taps with gaps between them, as a convolution of each channel with equal weights."""
    one = [1] * (2 - len(windows))
    none: list[Sides] = [(0, 0)] * (2 - len(windows))
    channels = int(symbol.shape[-1] or 1)
    lengths = [*one, *(w.length for w in windows)]
    symbol = padded(symbol, [*none, *margins])
    check_size(math.prod(w.count * w.length for w in windows), "how often each tap is counted")
    check_size(math.prod(lengths) * channels, "a window")
    counts: Array = np.ones(1)
    for w, (before, _) in zip(windows, margins, strict=True):
        there = np.add.outer(np.arange(w.count) * w.step - before, np.arange(w.length) * w.dilation)
        # Padding with zeros that count is part of the map already.
        size = int(symbol.shape[1 + len(one) + windows.index(w)] or 1) - sum(margins[windows.index(w)])
        counts = np.multiply.outer(counts, ((there >= 0) & (there < size)).sum(axis=1))
    wanted = [*one, *(w.count for w in windows)]
    counts = counts.reshape(wanted)
    strides = [*one, *(w.step for w in windows)]
    dilations = [*one, *(w.dilation for w in windows)]
    kernel = np.ones((*lengths, channels, 1))
    uniform = bool((counts == counts.flat[0]).all())
    if uniform:
        kernel /= counts.flat[0]
    symbol = call.apply(
        symbol,
        layers.DepthwiseConv2D,
        lengths,
        strides=strides,
        dilation_rate=dilations,
        use_bias=False,
        trainable=False,
        weights=[kernel],
    )
    extra = [(0, c - int(size or 1)) for c, size in zip(wanted, symbol.shape[1:3], strict=True)]
    symbol = padded(symbol, extra)
    if uniform:
        return symbol
    shape = tuple(int(size or 1) for size in symbol.shape[1:])
    shares = np.broadcast_to((1.0 / counts)[..., None], shape).reshape(-1)
    flat = layers.Reshape((shares.size,))(symbol)
    return layers.Reshape(shape)(layers.Rescaling(shares.tolist())(flat))


def _dilated_maximum(call: Call, x: Value, place: int, window: _Window) -> Value:
    """The largest of taps with gaps between them: the taps of all windows beside each other, then a maximum."""
    check_size(window.size * window.length * window.count, "a matrix that resamples")
    taps = np.add.outer(np.arange(window.length) * window.dilation, np.arange(window.count) * window.step)
    taps -= window.around[0]
    there = (taps >= 0) & (taps < window.size)
    # A tap that is outside is replaced by one of the same window: the largest stays the same.
    taps = np.where(there, taps, np.take_along_axis(taps, there.argmax(axis=0)[None], axis=0))
    matrix = (np.arange(window.size)[:, None] == taps.reshape(1, -1)).astype(np.float32)
    rest = others(x, x.axes[1 + place])
    symbol = along(call, x, 1 + place, matrix).symbol
    symbol = reshaped(symbol, [size_of(rest), window.length, window.count])
    symbol = call.apply(symbol, layers.MaxPooling2D, (1, window.length))
    new = axis_of(window.count)
    axes = tuple(new if i == 1 + place else axis for i, axis in enumerate(x.axes))
    return Value(symbol, axes, (*rest, *new), x.batch)


@operator("MaxPool", ignores=("pads", "ceil_mode", "storage_order"))
def max_pool(call: Call) -> Value:
    x = call.value()
    pooled = _pooled(call, x, layers.MaxPooling2D)
    return Value(pooled.symbol, pooled.axes, pooled.order, pooled.batch, x.exact)


@operator("AveragePool", ignores=("pads", "ceil_mode"))
def average_pool(call: Call) -> Value:
    return _pooled(call, call.value(), layers.AveragePooling2D)


# Whole axes


def reduced(call: Call, x: Value, axes: list[int], keep: bool, kind: type[layers.Layer]) -> Value:
    """The mean or the largest over axes of x, given as places among `Value.axes`."""
    gone = in_order(x, [atom for place in axes for atom in x.axes[place]])
    rest = others(x, gone)
    symbol = x.symbol
    if gone:
        symbol = call.apply(as_samples(x, [gone, (), rest]), kind)
    left = [() if place in axes else axis for place, axis in enumerate(x.axes)]
    if not keep:
        left = [axis for place, axis in enumerate(left) if place not in axes]
    return Value(symbol, tuple(left), rest, x.batch)


def _global(call: Call, kind: type[layers.Layer]) -> Value:
    x = call.value()
    if x.batch is None or x.rank < 3:
        raise Unsupported(f"it pools a tensor of shape {x.shape}; maps are (N, C, H, W)")
    return reduced(call, x, list(range(1, len(x.axes))), True, kind)


@operator("GlobalAveragePool")
def global_average_pool(call: Call) -> Value:
    return _global(call, layers.GlobalAveragePooling2D)


@operator("GlobalMaxPool")
def global_max_pool(call: Call) -> Value:
    return _global(call, layers.GlobalMaxPooling2D)
