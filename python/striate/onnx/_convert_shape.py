"""Operators that move elements without changing them."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from striate import layers
from striate.onnx._call import Call, operator
from striate.onnx._convert_elementwise import affine
from striate.onnx._values import (
    Array,
    Axis,
    Unsupported,
    Value,
    axis_of,
    check_size,
    cut,
    joined,
    others,
    reshaped,
    size_of,
    spread,
    stored_as,
    unified,
)


def _cut(x: Value, shape: list[int]) -> Value:
    """x along axes of these sizes, the batch among them."""
    if x.batch is None:
        return cut(x, shape)
    if not shape or shape[0] != x.batch or math.prod(shape[1:]) != size_of(x.order):
        raise Unsupported(f"it reshapes {x.shape} to {tuple(shape)}, which mixes samples")
    return cut(x, shape[1:])


@operator("Reshape", constants=(1,), moves=True)
def reshape(call: Call) -> Value:
    x = call.value()
    wanted = call.numbers(1, "shape") or []
    if not call.flag("allowzero"):
        wanted = [x.shape[i] if size == 0 and i < x.rank else size for i, size in enumerate(wanted)]
    if any(size < -1 or size == 0 for size in wanted) or wanted.count(-1) > 1:
        raise Unsupported(f"its shape is {tuple(wanted)}")
    if -1 in wanted:
        rest = -math.prod(wanted)
        wanted[wanted.index(-1)] = math.prod(x.shape) // rest
    if math.prod(wanted) != math.prod(x.shape):
        raise Unsupported(f"it reshapes {x.shape} to {tuple(wanted)}")
    return _cut(x, wanted)


@operator("Flatten", moves=True)
def flatten(call: Call) -> Value:
    x, axis = call.value(), int(call.get("axis", 1))
    if not -x.rank <= axis <= x.rank:
        raise Unsupported(f"axis {axis} of a tensor of shape {x.shape}")
    axis = axis + x.rank if axis < 0 else axis
    if axis == 0 and call.free:
        raise Unsupported("it joins all samples of a batch")
    return _cut(x, [math.prod(x.shape[:axis]), math.prod(x.shape[axis:])])


@operator("Transpose", moves=True)
def transpose(call: Call) -> Value:
    x = call.value()
    order = [int(axis) for axis in call.get("perm", range(x.rank - 1, -1, -1))]
    if sorted(order) != list(range(x.rank)):
        raise Unsupported(f"perm {order} of a tensor of shape {x.shape}")
    if x.batch is None:
        return x.with_axes([x.axes[axis] for axis in order])
    axes = [x.axes[x.place(axis)] for axis in order if axis != x.at]
    return replace(x, axes=tuple(axes), at=order.index(x.at))


@operator("Squeeze", constants=(1,), moves=True)
def squeeze(call: Call) -> Value:
    x, axes = call.value(), call.numbers(1, "axes")
    if not axes:
        if x.batch == 1:
            raise Unsupported("it removes every axis of size 1, including the batch")
        gone = {place for place, axis in enumerate(x.axes) if not axis}
    else:
        gone = {x.place(axis) for axis in axes}
    if any(x.axes[place] for place in gone):
        raise Unsupported(f"it removes axes with more than one element: {axes} of {x.shape}")
    left = tuple(axis for place, axis in enumerate(x.axes) if place not in gone)
    return replace(x, axes=left, at=x.at - sum(place < x.at for place in gone))


@operator("Unsqueeze", constants=(1,), moves=True)
def unsqueeze(call: Call) -> Value:
    x, axes = call.value(), call.numbers(1, "axes") or []
    rank = x.rank + len(axes)
    new = sorted(axis % rank for axis in axes)
    if len(set(new)) < len(new):
        raise Unsupported(f"axes {axes} for a tensor of shape {x.shape}")
    there = iter(range(x.rank))
    sources = [None if axis in new else next(there) for axis in range(rank)]  # axes of x
    batch = None if x.batch is None else x.at
    grown: list[Axis] = []
    for source in sources:
        if source is None:
            grown.append(())
        elif source != batch:
            grown.append(x.axes[x.place(source)])
    return replace(x, axes=tuple(grown), at=0 if batch is None else sources.index(batch))


@operator("Expand", constants=(1,), moves=True)
def expand(call: Call) -> Value:
    x, wanted = call.value(), call.numbers(1, "shape") or []
    if any(size < 1 for size in wanted):
        raise Unsupported(f"it expands to {tuple(wanted)}")
    rank = max(x.rank, len(wanted))
    wanted = [1] * (rank - len(wanted)) + wanted
    if x.batch is not None and (rank > x.rank or wanted[0] not in (1, x.batch)):
        raise Unsupported("it repeats the batch")
    x = x.with_axes(((),) * (rank - x.rank) + x.axes)
    sizes = wanted[1:] if x.batch is not None else wanted
    grown = [axis_of(size) if not axis else axis for axis, size in zip(x.axes, sizes, strict=True)]
    missing = joined(new for new, old in zip(grown, x.axes, strict=True) if not old)
    x = x.with_axes(grown)
    return spread(x, missing, (*x.order, *missing)) if missing else x


@operator("Concat", moves=True)
def concat(call: Call) -> Value:
    values = [call.value(i) for i in range(len(call.inputs))]
    place = values[0].place(int(call.get("axis", 1)))
    if len(values) == 1:
        return values[0]
    # All in the order of the first; the axis that grows is one block.
    base = values[0]
    aligned = [base]
    for value in values[1:]:
        if value.rank != base.rank:
            raise Unsupported(f"shapes {base.shape} and {value.shape}")
        mine, theirs = (_without(v, place) for v in (base, value))
        if mine.shape != theirs.shape:
            raise Unsupported(f"shapes {base.shape} and {value.shape}")
        fitted = unified(mine, theirs)
        if fitted[0].axes != mine.axes:  # cut anew: begin again with the finer atoms
            return _concat_plain(call, values, place)
        axes = tuple(v if i == place else a for i, (a, v) in enumerate(zip(fitted[1].axes, value.axes, strict=True)))
        names = dict(zip(joined(theirs.axes), joined(fitted[1].axes), strict=True))
        order = tuple(names.get(atom, atom) for atom in value.order)
        aligned.append(replace(value, axes=axes, order=order))
    return _side_by_side(call, aligned, place)


def _without(value: Value, place: int) -> Value:
    """The axes of a value but for one: a description only, for `unified`."""
    gone = set(value.axes[place])
    axes = tuple(() if i == place else axis for i, axis in enumerate(value.axes))
    return replace(value, axes=axes, order=tuple(atom for atom in value.order if atom not in gone))


def _concat_plain(call: Call, values: list[Value], place: int) -> Value:
    """Side by side in ONNX's own order."""
    common = [axis_of(size_of(axis)) for axis in values[0].axes]
    result = []
    for value in values:
        value = stored_as(value, joined(value.axes))
        axes = tuple(
            axis_of(size_of(v)) if i == place else c for i, (v, c) in enumerate(zip(value.axes, common, strict=True))
        )
        result.append(replace(value, axes=axes, order=joined(axes)))
    return _side_by_side(call, result, place)


def _side_by_side(call: Call, values: list[Value], place: int) -> Value:
    base = values[0]
    inside = set(base.axes[place])
    at = [i for i, atom in enumerate(base.order) if atom in inside]
    rest = others(base, inside)
    before = rest[: at[0]] if at else rest  # an axis of one element may be anywhere: last
    after = rest[len(before) :]
    symbols = [stored_as(v, (*before, *v.axes[place], *after)).symbol for v in values]
    sizes = [size_of(v.axes[place]) for v in values]
    new = axis_of(sum(sizes))
    heads = {tuple(symbol.shape[1:-1]) for symbol in symbols}
    fitting = not after and len(heads) == 1 and [symbol.shape[-1] for symbol in symbols] == sizes
    if fitting and len(symbols[0].shape) <= 4:
        symbol = call.apply(symbols, layers.Concatenate)
    elif not after:
        parts = [reshaped(s, [size_of(before), size]) for s, size in zip(symbols, sizes, strict=True)]
        symbol = call.apply(parts, layers.Concatenate)
    else:
        parts = [reshaped(s, [size_of(before), size, size_of(after)]) for s, size in zip(symbols, sizes, strict=True)]
        symbol = call.apply(parts, layers.Concatenate, axis=2)
    axes = tuple(new if i == place else axis for i, axis in enumerate(base.axes))
    exact = all(v.exact for v in values)
    return Value(symbol, axes, (*before, *new, *after), base.batch, exact)


# Parts


def part(call: Call, x: Value, place: int, start: int, stop: int, step: int = 1) -> Value:
    """Some of the elements along an axis."""
    size = size_of(x.axes[place])
    if (start, stop, step) == (0, size, 1):
        return x
    if not 0 <= start < stop <= size:
        raise Unsupported(f"nothing is left of an axis of {size} elements")
    x, before, after = _block(x, place)
    symbol = reshaped(x.symbol, [size_of(before), size, size_of(after)])
    if start > 0 or stop < size:
        symbol = call.apply(symbol, layers.Cropping2D, ((0, 0), (start, size - stop)))
    if step > 1:
        symbol = call.apply(symbol, layers.MaxPooling2D, 1, strides=(1, step))
    new = axis_of(-(-(stop - start) // step))
    axes = tuple(new if i == place else axis for i, axis in enumerate(x.axes))
    return replace(x, symbol=symbol, axes=axes, order=(*before, *new, *after))


def _block(x: Value, place: int) -> tuple[Value, Axis, Axis]:
    """x with an axis in one piece and in its own order; what is before and after it."""
    axis = x.axes[place]
    first = min((x.order.index(atom) for atom in axis), default=0)
    before = tuple(atom for atom in x.order[:first] if atom not in set(axis))
    after = tuple(atom for atom in x.order[first:] if atom not in set(axis))
    return stored_as(x, (*before, *axis, *after)), before, after


_ALL = (1 << 31) - 1  # an end that means all elements


@operator("Slice", constants=(1, 2, 3, 4), moves=True)
def slices(call: Call) -> Value:
    x = call.value()
    starts, ends = call.numbers(1, "starts"), call.numbers(2, "ends")
    if starts is None or ends is None:
        raise Unsupported("it has no starts and ends")
    axes = call.numbers(3, "axes") or list(range(len(starts)))
    if len({axis % x.rank for axis in axes}) < len(axes):
        raise Unsupported(f"its axes {axes} name one twice")
    steps = call.numbers(4, "steps") or [1] * len(starts)
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        along_batch = x.batch is not None and axis % x.rank == x.at
        if along_batch and call.free and end < _ALL:
            raise Unsupported(f"it takes {end} samples of a batch whose size is open")
        if along_batch and start == 0 and step == 1 and end >= (x.batch or 0):
            continue
        place = x.place(axis)
        size = size_of(x.axes[place])
        if step < 0:
            check_size(size, "a list of elements")
            chosen = list(range(size))[start if start >= -size else 0 : end if end >= -size else None : step]
            if not chosen:
                raise Unsupported(f"nothing is left of an axis of {size} elements")
            x = _gathered(call, x, place, np.asarray(chosen))
            continue
        first, last, _ = slice(start, end, step).indices(size)
        x = part(call, x, place, first, last, step)
    return x


def _gathered(call: Call, x: Value, place: int, chosen: Array) -> Value:
    """Elements along an axis by their numbers."""
    check_size(chosen.size, "a list of elements")
    x, before, after = _block(x, place)
    symbol = reshaped(x.symbol, [size_of(before), size_of(x.axes[place]), size_of(after)])
    symbol = call.apply(symbol, layers.Take, chosen.tolist(), axis=2)
    new = axis_of(chosen.size)
    axes = tuple(new if i == place else axis for i, axis in enumerate(x.axes))
    return replace(x, symbol=symbol, axes=axes, order=(*before, *new, *after))


@operator("Gather", constants=(1,), moves=True)
def gather(call: Call) -> Value:
    x, indices = call.value(), np.asarray(call.constant(1))
    place = x.place(int(call.get("axis", 0)))
    size = size_of(x.axes[place])
    chosen = np.where(indices < 0, indices + size, indices).reshape(-1)
    if not chosen.size or chosen.min() < 0 or chosen.max() >= size:
        raise Unsupported(f"indices beyond an axis of {size} elements")
    start, stop = int(chosen[0]), int(chosen[-1]) + 1
    if chosen.tolist() == list(range(start, stop)):
        y = part(call, x, place, start, stop)
    else:
        y = _gathered(call, x, place, chosen)
    if indices.ndim == 1:
        return y
    before, after = ([size_of(axis) for axis in axes] for axes in (y.axes[:place], y.axes[place + 1 :]))
    return replace(cut(y, [*before, *indices.shape, *after]), at=y.at + (indices.ndim - 1) * (place < y.at))


@operator("Tile", constants=(1,), moves=True)
def tile(call: Call) -> Value:
    x, repeats = call.value(), call.numbers(1, "repeats") or []
    if len(repeats) != x.rank or min(repeats, default=1) < 1:
        raise Unsupported(f"it repeats a tensor of shape {x.shape} {repeats} times")
    for axis, count in enumerate(repeats):
        if count > 1:
            place = x.place(axis)
            check_size(size_of(x.axes[place]) * count, "a list of elements")
            x = _gathered(call, x, place, np.tile(np.arange(size_of(x.axes[place])), count))
    return x


@operator("Split", constants=(1,), moves=True)
def splits(call: Call) -> list[Value]:
    x, sizes = call.value(), call.numbers(1, "split")
    place = x.place(int(call.get("axis", 0)))
    whole = size_of(x.axes[place])
    if sizes is None:
        count = int(call.get("num_outputs", call.outputs))
        if not max(call.outputs, 1) <= count <= whole:
            raise Unsupported(f"num_outputs is {count}, for {call.outputs} outputs of an axis of {whole} elements")
        each = -(-whole // count)
        sizes = [each] * (count - 1) + [whole - each * (count - 1)]
    if sum(sizes) != whole or min(sizes) < 1:
        raise Unsupported(f"parts of {sizes} of an axis of {whole} elements")
    starts = np.cumsum([0, *sizes])
    return [part(call, x, place, int(a), int(b)) for a, b in itertools.pairwise(starts)]


@operator("SplitToSequence", constants=(1,), moves=True)
def splits_to_sequence(call: Call) -> list[list[Value]]:
    x, sizes = call.value(), np.asarray(call.constant(1, 1))
    place = x.place(int(call.get("axis", 0)))
    whole = size_of(x.axes[place])
    if not call.given(1) and not call.flag("keepdims", True):
        raise Unsupported("it removes the axis that it splits (keepdims=0)")
    if sizes.ndim == 0 and sizes > 0:
        sizes = np.diff([*range(0, whole, int(sizes)), whole])
    if sizes.ndim != 1 or sizes.sum() != whole or sizes.min(initial=1) < 1:
        raise Unsupported(f"parts of {sizes.tolist()} of an axis of {whole} elements")
    starts = np.cumsum([0, *sizes])
    return [[part(call, x, place, int(a), int(b)) for a, b in itertools.pairwise(starts)]]


@operator("SequenceAt", constants=(1,), moves=True)
def sequence_at(call: Call) -> Value:
    items, place = call.inputs[0], int(np.asarray(call.constant(1)).reshape(-1)[0])
    if not isinstance(items, list) or not -len(items) <= place < len(items):
        raise Unsupported("its input is not a known sequence, or its position is out of range")
    return items[place]


@operator("Pad", constants=(1, 2, 3))
def pad(call: Call) -> Value:
    x, numbers = call.value(), call.numbers(1, "pads")
    if numbers is None:
        raise Unsupported("it has no pads")
    axes = call.numbers(3, "axes") or list(range(x.rank))
    fill = float(np.asarray(call.constant(2, call.get("value", 0.0))).reshape(-1)[0])
    mode = call.get("mode", "constant")
    if mode not in ("constant", "edge", "reflect", "wrap") or len(numbers) != 2 * len(axes):
        raise Unsupported(f"mode {mode!r} with {len(numbers)} pads for {len(axes)} axes")
    if len({axis % x.rank for axis in axes}) < len(axes):
        raise Unsupported(f"its axes {axes} name one twice")
    if not math.isfinite(fill):
        raise Unsupported(f"it pads with {fill}")
    around: dict[int, tuple[int, int]] = {}
    for i, axis in enumerate(axes):
        sides = numbers[i], numbers[i + len(axes)]
        if any(sides):
            around[x.place(axis)] = sides
    for place, (before, after) in sorted(around.items()):
        size = size_of(x.axes[place])
        x = part(call, x, place, max(-before, 0), size - max(-after, 0))
        size, before, after = size_of(x.axes[place]), max(before, 0), max(after, 0)
        if mode != "constant":
            check_size(before + size + after, "a list of elements")
            numbered = np.pad(np.arange(size), (before, after), mode=mode)
            x = _gathered(call, x, place, numbered)
        elif before or after:
            x = _filled(call, x, place, (before, after), fill) if fill else _zeros(call, x, place, before, after)
    return x


def _filled(call: Call, x: Value, place: int, sides: tuple[int, int], fill: float) -> Value:
    """x between blocks of a number. (Zeros and a shift of x would round x off.)"""
    parts = [x]
    for number, count in enumerate(sides):
        if count:
            block = affine(call, part(call, x, place, 0, 1), 0.0, fill)
            axis = axis_of(count)
            block = block.with_axes([axis if i == place else a for i, a in enumerate(block.axes)])
            parts.insert(len(parts) * number, spread(block, axis, (*block.order, *axis)) if axis else block)
    return _side_by_side(call, parts, place)


def _zeros(call: Call, x: Value, place: int, before: int, after: int) -> Value:
    axis = x.axes[place]
    x, outer, inner = _block(x, place)
    new = axis_of(size_of(axis) + before + after)
    shape = x.symbol.shape[1:]
    first, second = ((before, after), (0, 0)), ((0, 0), (before, after))
    options: Any
    if len(shape) == 3 and shape[0] == size_of(axis) and not outer:
        symbol, options = x.symbol, first
    elif len(shape) == 3 and shape[1] == size_of(axis) and shape[0] == size_of(outer):
        symbol, options = x.symbol, second
    else:
        symbol, options = reshaped(x.symbol, [size_of(outer), size_of(axis), size_of(inner)]), second
    symbol = call.apply(symbol, layers.ZeroPadding2D, options)
    axes = tuple(new if i == place else a for i, a in enumerate(x.axes))
    return replace(x, symbol=symbol, axes=axes, order=(*outer, *new, *inner), exact=False)


def _blocks_first(call: Call) -> bool:
    """Whether the place in a block counts before the depth, among the channels."""
    mode = call.get("mode", "DCR")
    if mode not in ("DCR", "CRD"):
        raise Unsupported(f"mode is {mode!r}")
    return bool(mode == "DCR")


@operator("DepthToSpace", moves=True)
def depth_to_space(call: Call) -> Value:
    x, block = call.value(), int(call.get("blocksize"))
    if x.batch is None or x.rank != 4:
        raise Unsupported(f"it works on a tensor of shape {x.shape}")
    _, channels, height, width = x.shape
    if block < 1 or channels % block**2:
        raise Unsupported(f"blocks of {block} of {channels} channels")
    depth = channels // block**2
    if _blocks_first(call):
        x = cut(x, [block, block, depth, height, width])
        down, across, deep, high, wide = x.axes
    else:
        x = cut(x, [depth, block, block, height, width])
        deep, down, across, high, wide = x.axes
    return x.with_axes([deep, high + down, wide + across])


@operator("SpaceToDepth", moves=True)
def space_to_depth(call: Call) -> Value:
    x, block = call.value(), int(call.get("blocksize"))
    if x.batch is None or x.rank != 4:
        raise Unsupported(f"it works on a tensor of shape {x.shape}")
    _, channels, height, width = x.shape
    if block < 1 or height % block or width % block:
        raise Unsupported(f"blocks of {block} of a map of {height} x {width}")
    x = cut(x, [channels, height // block, block, width // block, block])
    deep, high, down, wide, across = x.axes
    return x.with_axes([down + across + deep if _blocks_first(call) else deep + down + across, high, wide])
