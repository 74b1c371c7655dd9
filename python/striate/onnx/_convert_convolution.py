"""Convolutions, and what multiplies by matrices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.onnx._call import Call, operator
from striate.onnx._convert_elementwise import affine, combine
from striate.onnx._values import (
    Array,
    Axis,
    Unsupported,
    Value,
    as_samples,
    axis_of,
    check_size,
    in_order,
    joined,
    others,
    size_of,
    spread,
    unified,
)

Sides = tuple[int, int]


def spatial(x: Value, what: str) -> list[Axis]:
    """Height and width; a series is a map of one row."""
    if x.batch is None or x.rank not in (3, 4):
        raise Unsupported(f"{what} of a tensor of shape {x.shape}; maps are (N, C, H, W), series (N, C, L)")
    axes = list(x.axes[1:])
    return axes if len(axes) == 2 else [(), *axes]


def two(numbers: Sequence[int] | None, default: int, rank: int) -> list[int]:
    """One number for the height and one for the width."""
    given = [default] * rank if numbers is None else [int(number) for number in numbers]
    if len(given) != rank or min(given, default=1) < min(default, 1):
        raise Unsupported(f"it has the numbers {given} for {rank} axes")
    return given if rank == 2 else [default, *given]


def same_padding(size: int, extent: int, stride: int) -> Sides:
    """Rows before and after, as `padding="same"` has them."""
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def paddings(call: Call, sizes: Sequence[int], extents: Sequence[int], strides: Sequence[int]) -> list[Sides]:
    """Rows before and after each axis, from `pads` or `auto_pad`."""
    mode = call.get("auto_pad", "NOTSET")
    if mode == "VALID":
        return [(0, 0)] * len(sizes)
    if mode in ("SAME_UPPER", "SAME_LOWER"):
        around = [same_padding(*numbers) for numbers in zip(sizes, extents, strides, strict=True)]
        return around if mode == "SAME_UPPER" else [(after, before) for before, after in around]
    if mode != "NOTSET":
        raise Unsupported(f"auto_pad is {mode!r}")
    pads = call.get("pads")
    if pads is None:
        return [(0, 0)] * len(sizes)
    rank = len(pads) // 2
    around = [(int(pads[i]), int(pads[rank + i])) for i in range(rank)]
    return [(0, 0)] * (len(sizes) - rank) + around


def padded(symbol: Symbol, around: Sequence[Sides]) -> Symbol:
    """The map with rows and columns of zeros around it; cut where a number is negative."""
    more = [tuple(max(n, 0) for n in sides) for sides in around]
    less = [tuple(max(-n, 0) for n in sides) for sides in around]
    if any(map(any, less)):
        symbol = layers.Cropping2D(less)(symbol)  # type: ignore[arg-type]
    return layers.ZeroPadding2D(more)(symbol) if any(map(any, more)) else symbol  # type: ignore[arg-type]


def _kernel(call: Call, x: Value, channels_at: int) -> tuple[Array, int]:
    """The weight of a convolution, which has its height and width last, and its number of groups."""
    weight, group = np.asarray(call.constant(1)), int(call.get("group", 1))
    shape = call.get("kernel_shape")
    if weight.ndim != x.rank or not weight.size:
        raise Unsupported(f"a weight of shape {weight.shape} for a tensor of shape {x.shape}")
    if shape is not None and tuple(shape) != weight.shape[2:]:
        raise Unsupported(f"its kernel_shape is {tuple(shape)}, its weight has shape {weight.shape}")
    channels = weight.shape[channels_at] * (group if channels_at == 1 else 1)
    if group < 1 or weight.shape[0] % group or channels != size_of(x.axes[0]):
        raise Unsupported(f"a weight of shape {weight.shape} in {group} groups for a tensor of shape {x.shape}")
    return weight.reshape(*weight.shape[:2], *two(weight.shape[2:], 1, x.rank - 2)), group


def map_of(x: Value, symbol: Symbol) -> Value:
    """The value for a symbol (N, H, W, C) that a layer made of x."""
    height, width, channels = (axis_of(int(size or 1)) for size in symbol.shape[1:])
    space = [height, width][-(x.rank - 2) :]
    return Value(symbol, (channels, *space), joined((height, width, channels)), x.batch)


@operator("Conv", constants=(1, 2), ignores=("pads",))
def conv(call: Call) -> Value:
    x, bias = call.value(), call.constant(2)
    if (
        bias is not None and not call.stored(2) and not np.any(bias)
    ):  # PyTorch's exporter computes one for a module without
        bias = None
    height, width = spatial(x, "a convolution")
    weight, group = _kernel(call, x, channels_at=1)
    kernel = weight.shape[2:]
    strides, dilations = (two(call.get(name), 1, x.rank - 2) for name in ("strides", "dilations"))
    sizes = [size_of(height), size_of(width)]
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    around = paddings(call, sizes, extents, strides)
    symbol = as_samples(x, [height, width, x.axes[0]])
    padding: Any = "valid"
    if any(map(any, around)):
        fits = [
            sides == same_padding(size, extent, stride)
            and size + sum(sides) - extent >= (-(-size // stride) - 1) * stride
            for sides, size, extent, stride in zip(around, sizes, extents, strides, strict=True)
        ]
        if all(fits):
            padding = "same"
        elif min(map(min, around)) < 0:
            symbol = padded(symbol, around)
        else:
            padding = around
    options = {
        "strides": strides,
        "padding": padding,
        "dilation_rate": dilations,
        "use_bias": bias is not None,
    }
    biases = [] if bias is None else [bias]
    channels, filters = size_of(x.axes[0]), weight.shape[0]
    if group == channels > 1 and weight.shape[1] == 1 and filters % channels == 0:
        each = weight.transpose(2, 3, 0, 1).reshape(*kernel, channels, filters // channels)
        return map_of(
            x,
            call.apply(
                symbol,
                layers.DepthwiseConv2D,
                kernel,
                depth_multiplier=filters // channels,
                weights=[each, *biases],
                **options,
            ),
        )
    turned = weight.transpose(2, 3, 1, 0)
    return map_of(
        x, call.apply(symbol, layers.Conv2D, filters, kernel, groups=group, weights=[turned, *biases], **options)
    )


@operator("ConvTranspose", constants=(1, 2), ignores=("pads",))
def conv_transpose(call: Call) -> Value:
    x, bias = call.value(), call.constant(2)
    axes = spatial(x, "a transposed convolution")
    weight, group = _kernel(call, x, channels_at=0)
    rank = x.rank - 2
    kernel, filters = weight.shape[2:], weight.shape[1] * group
    strides, dilations = (two(call.get(name), 1, rank) for name in ("strides", "dilations"))
    extra = two(call.get("output_padding"), 0, rank)
    sizes = [size_of(axis) for axis in axes]
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    reached = [(size - 1) * s + extent for size, s, extent in zip(sizes, strides, extents, strict=True)]
    wanted = call.get("output_shape")
    mode = call.get("auto_pad", "NOTSET")
    upper = mode == "SAME_UPPER"
    if wanted is None and mode.startswith("SAME"):
        outputs = [size * s for size, s in zip(sizes, strides, strict=True)]
    elif wanted is not None:
        outputs = two(list(wanted)[-rank:], 1, rank)
    else:
        around = paddings(call, sizes, extents, strides)
        outputs = [r + e - sum(sides) for r, e, sides in zip(reached, extra, around, strict=True)]
    if wanted is not None or mode.startswith("SAME"):
        total = [max(r + e - out, 0) for r, e, out in zip(reached, extra, outputs, strict=True)]
        around = [(t // 2, t - t // 2) if upper else (t - t // 2, t // 2) for t in total]
    if mode.startswith("SAME") and any(r < out for r, out in zip(reached, outputs, strict=True)):
        raise Unsupported(f"auto_pad {mode} with a stride above the kernel, which ONNX Runtime computes differently")
    if min(outputs) < 1:
        raise Unsupported(f"it would have an output of {tuple(outputs)}")

    # Groups are blocks of a kernel that is zero elsewhere.
    check_size(math.prod(kernel) * filters * weight.shape[0], "the kernel of its groups")
    whole = np.zeros((*kernel, filters, weight.shape[0]), np.float32)
    inputs, each = weight.shape[0] // group, weight.shape[1]
    for g in range(group):
        block = weight[g * inputs : (g + 1) * inputs].transpose(2, 3, 1, 0)
        whole[:, :, g * each : (g + 1) * each, g * inputs : (g + 1) * inputs] = block

    made = [max(r, size * s) for r, size, s in zip(reached, sizes, strides, strict=True)]
    options = {"strides": strides, "dilation_rate": dilations, "padding": "valid"}
    same = all(
        out == size * s and sides[0] == max(r - out, 0) // 2
        for out, size, s, sides, r in zip(outputs, sizes, strides, around, reached, strict=True)
    )
    if same:
        options["padding"], made, around = "same", outputs, [(0, 0)] * 2
    missing = [max(before + out - m, 0) for (before, _), out, m in zip(around, outputs, made, strict=True)]
    beyond = bias is not None and any(missing)  # rows that hold nothing but the bias
    use_bias = bias is not None and not beyond
    symbol = call.apply(
        as_samples(x, [*axes, x.axes[0]]),
        layers.Conv2DTranspose,
        filters,
        kernel,
        use_bias=use_bias,
        weights=[whole, bias] if use_bias else [whole],
        **options,
    )
    edges = [
        (-before, more - max(m - before - out, 0))
        for (before, _), out, m, more in zip(around, outputs, made, missing, strict=True)
    ]
    symbol = padded(symbol, edges)
    if beyond:
        symbol = layers.Rescaling(1.0, [float(b) for b in bias])(symbol)
    return map_of(x, symbol)


def dense(call: Call, x: Value, place: int, matrix: Array, bias: Array | None, trainable: bool = True) -> Value:
    """One axis of x, multiplied by a matrix: (elements of the axis, outputs). The outputs are the last in memory."""
    axis = x.axes[place]
    if size_of(axis) != matrix.shape[0]:
        raise Unsupported(f"a matrix of {matrix.shape[0]} rows for an axis of {size_of(axis)}")
    inside = in_order(x, axis)
    sizes = [atom.size for atom in axis]
    order = [axis.index(atom) for atom in inside]
    rows = matrix.reshape(*sizes, -1).transpose(*order, len(order)).reshape(matrix.shape)
    rest = others(x, axis)
    symbol = as_samples(x, [rest, inside] if rest else [inside])
    weights = [rows] if bias is None else [rows, bias]
    symbol = call.apply(
        symbol, layers.Dense, matrix.shape[1], use_bias=bias is not None, weights=weights, trainable=trainable
    )
    new = axis_of(matrix.shape[1])
    axes = tuple(new if i == place else a for i, a in enumerate(x.axes))
    return Value(symbol, axes, (*rest, *new), x.batch)


@operator("Gemm", constants=(1, 2), ignores=("broadcast",))
def gemm(call: Call) -> Value:
    x, matrix, beta = call.value(), call.constant(1), float(call.get("beta", 1.0))
    added = call.inputs[2] if call.given(2) else None
    if x.rank < 2:  # a product with a bias may have more axes: it is read as this operator
        raise Unsupported(f"it multiplies a tensor of shape {x.shape}")
    if call.flag("transA"):
        if x.batch is not None:
            raise Unsupported("it transposes the batch")
        x = x.with_axes(x.axes[::-1])
    if matrix.ndim != 2:
        raise Unsupported(f"it multiplies by a tensor of shape {matrix.shape}")
    matrix = (matrix.T if call.flag("transB") else matrix).astype(np.float64) * call.get("alpha", 1.0)
    bias = None
    if added is not None and not isinstance(added, Value):
        numbers = np.asarray(added, np.float64) * beta
        if numbers.size in (1, matrix.shape[1]) and numbers.shape[-1:] in ((), (numbers.size,)):
            added, bias = None, np.broadcast_to(numbers.reshape(-1), matrix.shape[1:])
        else:
            added = numbers
    y = dense(call, x, len(x.axes) - 1, matrix, bias)
    if isinstance(added, Value) and beta != 1.0:
        added = affine(call, added, beta, 0.0)
    return y if added is None else combine(call, "Add", y, added)


@operator("MatMul")
def matmul(call: Call) -> Value:
    call.operands(2, 2)
    if all(isinstance(item, Value) for item in call.inputs):
        return _product(call, call.value(0), call.value(1))
    if isinstance(call.inputs[0], Value):
        x, matrix = call.value(0), call.constant(1)
        if x.rank == 1 or matrix.ndim < 1 or any(size != 1 for size in matrix.shape[:-2]):
            raise Unsupported("it does not multiply by one matrix")
        vector = matrix.ndim == 1
        y = dense(call, x, x.place(-1), matrix.reshape(-1, 1) if vector else matrix.reshape(matrix.shape[-2:]), None)
        extra = max(0, matrix.ndim - x.rank)
        if extra and x.batch is not None:
            raise Unsupported("it adds axes before the batch")
        axes = ((),) * extra + y.axes
        return y.with_axes(axes[:-1] if vector else axes)
    matrix, x = call.constant(0), call.value(1)
    if matrix.ndim != 2 or x.rank < 2:
        raise Unsupported("it does not multiply by one matrix")
    return dense(call, x, x.place(-2), matrix.T, None)


def _product(call: Call, a: Value, b: Value) -> Value:
    """Two computed tensors as matrices over their last two axes; one of one axis is a row or a column."""
    if a.batch is None and b.batch is None and min(a.rank, b.rank) == 1:
        row, column = a.rank == 1, b.rank == 1
        a = a.with_axes(((), *a.axes)) if row else a
        b = b.with_axes((*b.axes, ())) if column else b
        rank = max(a.rank, b.rank)
        a, b = (v.with_axes(((),) * (rank - v.rank) + v.axes) for v in (a, b))
        y = _product(call, a, b)
        kept = [axis for i, axis in enumerate(y.axes) if not (row and i == rank - 2) and not (column and i == rank - 1)]
        return y.with_axes(kept)
    if a.batch is None and b.batch is None and a.rank != b.rank:
        rank = max(a.rank, b.rank)
        a, b = (v.with_axes(((),) * (rank - v.rank) + v.axes) for v in (a, b))
    if a.rank != b.rank or (a.batch is None) != (b.batch is None) or min(len(a.axes), len(b.axes)) < 2:
        raise Unsupported(f"it multiplies tensors of shapes {a.shape} and {b.shape}")
    *lead_a, rows, depth = a.axes
    *lead_b, other, columns = b.axes
    fits = all(1 in (size_of(p), size_of(q)) or size_of(p) == size_of(q) for p, q in zip(lead_a, lead_b, strict=True))
    if size_of(depth) != size_of(other) or not fits:
        raise Unsupported(f"it multiplies tensors of shapes {a.shape} and {b.shape}")
    # The axes that both have are made the same atoms.
    a, b = unified(a.with_axes((*lead_a, rows, depth, ())), b.with_axes((*lead_b, (), other, columns)))
    grown = [p or q for p, q in zip(a.axes[:-3], b.axes[:-3], strict=True)]
    a, b = (_repeated(v, grown) for v in (a, b))
    lead = in_order(a, joined(grown))
    rows, depth, columns = a.axes[-3], in_order(a, a.axes[-2]), in_order(b, b.axes[-1])
    rows = in_order(a, rows)
    turned = b.order == (*lead, *columns, *depth)
    groups = [lead] if lead else []
    second = [columns, depth] if turned else [depth, columns]
    symbols = [as_samples(a, [*groups, rows, depth]), as_samples(b, [*groups, *second])]
    symbol = call.apply(symbols, layers.MatMul, turned)
    return Value(symbol, (*grown, a.axes[-3], b.axes[-1]), (*lead, *rows, *columns), a.batch)


def _repeated(x: Value, axes: Sequence[Axis]) -> Value:
    """x repeated along those of its first axes that have one element here and more in `axes`."""
    missing = joined(new for new, old in zip(axes, x.axes, strict=False) if not old)
    x = x.with_axes((*axes, *x.axes[len(axes) :]))
    return spread(x, missing, (*missing, *x.order)) if missing else x


def along(call: Call, x: Value, place: int, matrix: Array, bias: Array | None = None) -> Value:
    """One axis of x resampled: each new element is a sum of the old ones, weighed by a column of the matrix."""
    return dense(call, x, place, matrix, bias, trainable=False)
