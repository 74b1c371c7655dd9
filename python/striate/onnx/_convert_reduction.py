"""Reductions over whole axes, and what is computed from them: places of extremes, norms, sums of near channels."""

from __future__ import annotations

import math

import numpy as np

from striate import layers
from striate.onnx._call import Call, operator
from striate.onnx._convert_convolution import along
from striate.onnx._convert_elementwise import affine, combine
from striate.onnx._convert_logic import positive
from striate.onnx._convert_pooling import reduced
from striate.onnx._convert_shape import part
from striate.onnx._values import Unsupported, Value, check_size, size_of


def _apply(x: Value, name: str) -> Value:
    return x.like(layers.Activation(name)(x.symbol))


def _extreme(call: Call, x: Value, places: list[int], keep: bool, sign: float = 1.0) -> Value:
    """The largest over axes, or with the sign -1 the least: the largest of the negatives."""
    x = affine(call, x, sign, 0.0) if sign < 0 else x
    y = reduced(call, x, places, keep, layers.GlobalMaxPooling2D)
    return affine(call, y, sign, 0.0) if sign < 0 else y


def _sum(call: Call, x: Value, places: list[int], keep: bool) -> Value:
    y = reduced(call, x, places, keep, layers.GlobalAveragePooling2D)
    return affine(call, y, float(math.prod(size_of(x.axes[place]) for place in places)), 0.0)


def _squares(x: Value) -> Value:
    return x.like(layers.Multiply()([x.symbol, x.symbol]))


def _without(x: Value, places: list[int]) -> Value:
    """x without axes that have one element."""
    return x.with_axes([axis for place, axis in enumerate(x.axes) if place not in places])


def _log_of_sum(call: Call, x: Value, places: list[int], keep: bool) -> Value:
    """log(sum(exp(x))), of numbers that are not above 0, so that no power is infinite."""
    most = _extreme(call, x, places, True)
    below = combine(call, "Sub", x, most)
    total = combine(call, "Add", _apply(_sum(call, _apply(below, "exponential"), places, True), "log"), most)
    return total if keep else _without(total, places)


_MOST_FACTORS = 64


def _product(call: Call, x: Value, places: list[int], keep: bool) -> Value:
    for place in places:
        size = size_of(x.axes[place])
        if size > _MOST_FACTORS:
            raise Unsupported(f"it multiplies {size} numbers; {_MOST_FACTORS} are supported")
        each = [part(call, x, place, i, i + 1) for i in range(size)]
        if size > 1:
            x = each[0].like(layers.Multiply()([one.symbol for one in each]))
    return x if keep else _without(x, places)


_KINDS = (
    *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare"),
    *("ReduceLogSum", "ReduceLogSumExp", "ReduceProd"),
)


@operator(*_KINDS, constants=(1,))
def reduce(call: Call) -> Value:
    x, axes, keep = call.value(), call.numbers(1, "axes"), call.flag("keepdims", True)
    nothing = call.flag("noop_with_empty_axes")
    if not axes:
        if nothing:
            if call.kind in ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSum", "ReduceLogSumExp"):
                raise Unsupported("it has no axes to reduce")
            return x
        axes = list(range(x.rank))
    places = [x.place(axis) for axis in axes]
    match call.kind:
        case "ReduceMax" | "ReduceMin":
            return _extreme(call, x, places, keep, 1.0 if call.kind == "ReduceMax" else -1.0)
        case "ReduceMean":
            return reduced(call, x, places, keep, layers.GlobalAveragePooling2D)
        case "ReduceL1":
            return _sum(call, _apply(x, "abs"), places, keep)
        case "ReduceSumSquare":
            return _sum(call, _squares(x), places, keep)
        case "ReduceL2":
            return _apply(_sum(call, _squares(x), places, keep), "sqrt")
        case "ReduceLogSum":
            return _apply(_sum(call, x, places, keep), "log")
        case "ReduceLogSumExp":
            return _log_of_sum(call, x, places, keep)
        case "ReduceProd":
            return _product(call, x, places, keep)
    return _sum(call, x, places, keep)


@operator("LogSoftmax")
def log_softmax(call: Call) -> Value:
    x = call.value()
    if call.opset >= 13:
        places = [x.place(int(call.get("axis", -1)))]
    else:
        places = list(range(x.place(int(call.get("axis", 1))), len(x.axes)))
    return combine(call, "Sub", x, _log_of_sum(call, x, places, True))


@operator("ArgMax", "ArgMin")
def argument(call: Call) -> Value:
    """The place of the largest as a number: the least, or the largest, of the places where it is."""
    x, keep = call.value(), call.flag("keepdims", True)
    last = call.flag("select_last_index")
    place = x.place(int(call.get("axis", 0)))
    size = size_of(x.axes[place])
    check_size(size, "a list of elements")
    most = _extreme(call, x, [place], True, 1.0 if call.kind == "ArgMax" else -1.0)
    distance = combine(call, "Sub", most, x) if call.kind == "ArgMax" else combine(call, "Sub", x, most)
    other = positive(distance)  # 1 where it is not the largest
    numbers = np.arange(size).reshape(size, *(1,) * (len(x.axes) - place - 1))
    sign = 1.0 if last else -1.0
    # Places that do not count are moved beyond all others.
    ranked = combine(call, "Add", affine(call, other, -float(size), 0.0), sign * numbers)
    found = affine(call, reduced(call, ranked, [place], keep, layers.GlobalMaxPooling2D), sign, 0.0)
    return found.as_whole()


@operator("LpNormalization")
def lp_normalization(call: Call) -> Value:
    x, power = call.value(), int(call.get("p", 2))
    place = x.place(int(call.get("axis", -1)))
    if power not in (1, 2):
        raise Unsupported(f"p is {power}")
    total = _sum(call, _apply(x, "abs") if power == 1 else _squares(x), [place], True)
    norm = total if power == 1 else _apply(total, "sqrt")
    return combine(call, "Mul", x, _apply(norm, "reciprocal_no_nan"))


@operator("GlobalLpPool")
def global_lp_pool(call: Call) -> Value:
    x, power = call.value(), int(call.get("p", 2))
    if x.batch is None or x.rank < 3 or power not in (1, 2):
        raise Unsupported(f"p is {power}, of a tensor of shape {x.shape}; p of 1 or 2 and maps are supported")
    places = list(range(1, len(x.axes)))
    total = _sum(call, _apply(x, "abs") if power == 1 else _squares(x), places, True)
    return total if power == 1 else _apply(total, "sqrt")


@operator("LRN")
def local_response_normalization(call: Call) -> Value:
    """x / (bias + alpha / size * sum of the squares of the channels around it) ** beta."""
    x, size = call.value(), int(call.get("size"))
    alpha, beta, bias = (
        float(call.get(name, usual)) for name, usual in (("alpha", 1e-4), ("beta", 0.75), ("bias", 1.0))
    )
    if x.batch is None or x.rank < 2 or size < 1:
        raise Unsupported(f"size is {size}, of a tensor of shape {x.shape}")
    channels = size_of(x.axes[0])
    check_size(channels**2, "a matrix of channels")
    distance = np.subtract.outer(np.arange(channels), np.arange(channels))  # of the element and the sum
    near = (distance >= -((size - 1) // 2)) & (distance <= math.ceil((size - 1) / 2))
    sums = along(call, _squares(x), 0, near * (alpha / size), np.full(channels, bias))
    factor = _apply(affine(call, _apply(sums, "log"), -beta, 0.0), "exponential")
    return combine(call, "Mul", x, factor)


@operator("RMSNormalization", constants=(1,), ignores=("stash_type",))
def rms_normalization(call: Call) -> Value:
    x = call.value()
    places = list(range(x.place(int(call.get("axis", -1))), len(x.axes)))
    mean = reduced(call, _squares(x), places, True, layers.GlobalAveragePooling2D)
    deviation = _apply(affine(call, mean, 1.0, float(call.get("epsilon", 1e-5))), "sqrt")
    y = combine(call, "Mul", x, _apply(deviation, "reciprocal"))
    scale = np.asarray(call.constant(1), np.float64)
    return affine(call, y, scale if scale.ndim else scale.reshape(1), 0.0)
