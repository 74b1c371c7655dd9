"""Activations, and arithmetic element by element."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.onnx._call import Call, operator
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
    laid,
    others,
    reshaped,
    size_of,
    spread,
    stored_as,
    unified,
)


def _activation(name: str) -> Callable[[Call], Value]:
    return lambda call: call.value().like(call.apply(call.value().symbol, layers.Activation, name))


_PLAIN = {
    **{"Sigmoid": "sigmoid", "Tanh": "tanh", "Softplus": "softplus", "HardSwish": "hard_swish", "Abs": "abs"},
    **{"Exp": "exponential", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Erf": "erf"},
}
for _operator, _name in _PLAIN.items():
    operator(_operator)(_activation(_name))


@operator("Relu")
def relu(call: Call) -> Value:
    return call.value().like(call.apply(call.value().symbol, layers.ReLU))


@operator("LeakyRelu")
def leaky_relu(call: Call) -> Value:
    return _sloped(call, call.value(), float(call.get("alpha", 0.01)))


def _sloped(call: Call, x: Value, slope: float) -> Value:
    if slope >= 0:
        return x.like(call.apply(x.symbol, layers.LeakyReLU, slope))
    return prelu_of(call, x, np.full((1,) * max(x.rank, 1), slope, np.float32))


@operator("PRelu", constants=(1,))
def prelu(call: Call) -> Value:
    x, slope = call.value(), call.constant(1)
    if call.opset < 7 and slope.ndim == 1:  # one for each channel
        slope = slope.reshape(-1, *(1,) * (x.rank - 2))
    return prelu_of(call, x, slope)


def prelu_of(call: Call, x: Value, slope: Array) -> Value:
    x, varying, flat = _varying(x, slope)
    rest = others(x, varying)
    groups = [[atom] for atom in x.order] or [[]]
    shared = [i + 1 for i, group in enumerate(groups) if not set(group) & set(varying)]
    if x.order == (*rest, *varying) and rest and varying:
        groups, shared = [list(rest), list(varying)], [1]
    shape = [1 if i + 1 in shared else size_of(group) for i, group in enumerate(groups)]
    symbol = reshaped(x.symbol, [size_of(group) for group in groups])
    return x.like(call.apply(symbol, layers.PReLU, shared_axes=shared or None, weights=[flat.reshape(shape)]))


@operator("Elu")
def elu(call: Call) -> Value:
    return call.value().like(call.apply(call.value().symbol, layers.ELU, float(call.get("alpha", 1.0))))


@operator("Selu")
def selu(call: Call) -> Value:
    alpha, gamma = (
        float(call.get("alpha", 1.67326319217681884765625)),
        float(call.get("gamma", 1.05070102214813232421875)),
    )
    symbol = call.apply(call.value().symbol, layers.ELU, alpha)
    return call.value().like(layers.Rescaling(gamma)(symbol))


@operator("Celu")
def celu(call: Call) -> Value:
    alpha = float(call.get("alpha", 1.0))
    if not 0 < alpha <= 1e6:
        raise Unsupported(f"alpha is {alpha:g}")
    symbol = layers.Rescaling(1 / alpha)(call.value().symbol)
    return call.value().like(layers.Rescaling(alpha)(call.apply(symbol, layers.ELU)))


@operator("ThresholdedRelu")
def thresholded_relu(call: Call) -> Value:
    threshold = float(call.get("alpha", 1.0))
    if threshold < 0:
        raise Unsupported(f"alpha is {threshold:g}")
    # What equals alpha becomes 0 here, and stays in ReLU: its threshold is the next number.
    above = float(np.nextafter(np.float32(threshold), np.float32(np.inf)))
    return call.value().like(call.apply(call.value().symbol, layers.ReLU, threshold=above))


@operator("HardSigmoid")
def hard_sigmoid(call: Call) -> Value:
    alpha, beta = float(call.get("alpha", 0.2)), float(call.get("beta", 0.5))
    x = call.value()
    if math.isclose(alpha, 1 / 6, rel_tol=1e-6) and beta == 0.5:
        return x.like(call.apply(x.symbol, layers.Activation, "hard_sigmoid"))
    return x.like(call.apply(layers.Rescaling(alpha, beta)(x.symbol), layers.ReLU, max_value=1.0))


@operator("Gelu")
def gelu(call: Call) -> Value:
    x, approximate = call.value(), call.get("approximate", "none")
    if approximate not in ("none", "tanh"):
        raise Unsupported(f"approximate is {approximate!r}")
    if approximate == "none":
        return x.like(call.apply(x.symbol, layers.Activation, "gelu"))
    # x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2
    square = layers.Multiply()([x.symbol, x.symbol])
    inner = layers.Multiply()([layers.Rescaling(0.044715, 1.0)(square), x.symbol])
    turned = call.apply(layers.Rescaling(math.sqrt(2 / math.pi))(inner), layers.Activation, "tanh")
    return x.like(layers.Multiply()([x.symbol, layers.Rescaling(0.5, 0.5)(turned)]))


@operator("Swish")
def swish(call: Call) -> Value:
    x, alpha = call.value(), float(call.get("alpha", 1.0))
    if alpha == 1.0:
        return x.like(call.apply(x.symbol, layers.Activation, "silu"))
    gate = call.apply(layers.Rescaling(alpha)(x.symbol), layers.Activation, "sigmoid")
    return x.like(layers.Multiply()([x.symbol, gate]))


@operator("Mish")
def mish(call: Call) -> Value:
    x = call.value()
    gate = layers.Activation("tanh")(call.apply(x.symbol, layers.Activation, "softplus"))
    return x.like(layers.Multiply()([x.symbol, gate]))


@operator("Softsign")
def softsign(call: Call) -> Value:
    x = call.value()
    size = layers.Rescaling(1.0, 1.0)(call.apply(x.symbol, layers.Activation, "abs"))
    return x.like(layers.Multiply()([x.symbol, layers.Activation("reciprocal")(size)]))


@operator("Softmax")
def softmax(call: Call) -> Value:
    x = call.value()
    if call.opset >= 13:
        chosen = x.axes[x.place(int(call.get("axis", -1)))]
    else:  # all axes from that one on are one
        chosen = joined(x.axes[x.place(int(call.get("axis", 1))) :])
    chosen = in_order(x, chosen)
    order = (*others(x, chosen), *chosen)
    x = stored_as(x, order)
    fitting = x.symbol.shape[-1] == size_of(chosen)  # as it is: such as (H, W, C)
    groups = [others(x, chosen), chosen] if len(order) > len(chosen) else [chosen]
    symbol = x.symbol if fitting else as_samples(x, groups)
    return x.like(call.apply(symbol, layers.Softmax))


@operator("Clip", constants=(1, 2))
def clip(call: Call) -> Value:
    bounds = [call.constant(1, call.get("min")), call.constant(2, call.get("max"))]
    low, high = (None if bound is None else float(np.asarray(bound).reshape(-1)[0]) for bound in bounds)
    return clipped(call, call.value(), low, high)


def clipped(call: Call, x: Value, low: float | None, high: float | None) -> Value:
    """min(max(x, low), high), as exact as x itself: a shift by a bound that is far from x would round x off."""
    largest = float(np.finfo(np.float32).max)
    low = None if low is None or low <= -largest else low
    high = None if high is None or high >= largest else high
    if low is not None and high is not None and low > high:
        low = high  # ONNX takes the upper one
    if low == high and low is not None:
        return affine(call, x, 0.0, low)
    if low == high is None:
        return x.like(call.apply(x.symbol, layers.Activation, "linear"))
    if high is not None and (high < 0 or low is None):  # the mirror image
        mirrored = x.like(layers.Rescaling(-1.0)(x.symbol))
        return x.like(layers.Rescaling(-1.0)(clipped(call, mirrored, -high, None if low is None else -low).symbol))
    assert low is not None
    if low >= 0:  # no x that stays is smaller than the shift
        width = None if high is None else high - low
        return x.like(_scaled(call.apply(_scaled(x.symbol, 1.0, -low), layers.ReLU, max_value=width), 1.0, low))
    above = call.apply(x.symbol, layers.ReLU, max_value=high)
    below = layers.ReLU(max_value=-low)(layers.Rescaling(-1.0)(x.symbol))
    return x.like(layers.Subtract()([above, below]))


def _scaled(symbol: Symbol, scale: float, offset: float) -> Symbol:
    return symbol if (scale, offset) == (1.0, 0.0) else layers.Rescaling(scale, offset)(symbol)


@operator("Neg")
def negative(call: Call) -> Value:
    return call.value().like(call.apply(call.value().symbol, layers.Rescaling, -1.0))


_MOST_FACTORS = 16
_MOST_DIFFERENT = 8


@operator("Pow", constants=(1,))
def power(call: Call) -> Value:
    base, exponents = call.operands(2, 2)
    if isinstance(base, Value) and not isinstance(exponents, Value):
        numbers = np.asarray(exponents, np.float64)
        if not np.isfinite(numbers).all():
            raise Unsupported("its exponent is not finite")
        if numbers.size == 1 and numbers.ndim <= base.rank:
            return _power_of(call, base, float(numbers.reshape(-1)[0]))
        different = np.unique(numbers)
        if len(different) <= _MOST_DIFFERENT and (different == different.astype(np.int64)).all():
            # Each power where it is the one.
            parts = [combine(call, "Mul", _power_of(call, base, float(n)), (numbers == n) * 1.0) for n in different]
            return parts[0] if len(parts) == 1 else _merged(call, "Add", *parts)
    if not isinstance(base, Value):
        array = np.asarray(base, np.float64)
        if not (array > 0).all():
            raise Unsupported("its base holds numbers that are not above 0")
        base = np.log(array)
    else:
        base = base.like(call.apply(base.symbol, layers.Activation, "log"))  # NaN where the base is negative
    found = combine(call, "Mul", base, exponents)
    return found.like(layers.Activation("exponential")(found.symbol))


def _power_of(call: Call, x: Value, exponent: float) -> Value:
    symbol, times = x.symbol, abs(exponent)
    if exponent == 0.0:
        return affine(call, x, 0.0, 1.0)
    if times == int(times) and times <= _MOST_FACTORS:
        symbol = call.apply([symbol] * int(times), layers.Multiply) if times > 1 else symbol
    elif times == 0.5:
        symbol = call.apply(symbol, layers.Activation, "sqrt")
    elif exponent == int(exponent):
        raise Unsupported(f"its exponent is {exponent:g}; whole ones are supported up to {_MOST_FACTORS}")
    else:  # the power of a negative number is NaN, as its logarithm is
        symbol = layers.Rescaling(times)(call.apply(symbol, layers.Activation, "log"))
        symbol = layers.Activation("exponential")(symbol)
    return x.like(symbol if exponent > 0 else layers.Activation("reciprocal")(symbol))


# Arithmetic


def _varying(x: Value, array: Array) -> tuple[Value, Axis, Array]:
    """Which atoms a constant varies along, in memory order, and its numbers along them.

    x comes back repeated along the axes that the constant alone has.
    """
    array = np.asarray(array)
    if array.ndim > x.rank:
        if x.batch is not None and any(size != 1 for size in array.shape[: array.ndim - x.rank + 1]):
            raise Unsupported("a constant that differs from sample to sample")
        if x.batch is not None:
            raise Unsupported("a constant with more axes than the tensor")
        x = x.with_axes(((),) * (array.ndim - x.rank) + x.axes)
    sizes = [1] * (x.rank - array.ndim) + list(array.shape)
    if x.batch is not None:
        if sizes[0] != 1:
            raise Unsupported("a constant that differs from sample to sample")
        sizes = sizes[1:]
    array = array.reshape(sizes)
    grown = []
    for axis, size in zip(x.axes, sizes, strict=True):
        if size not in (1, size_of(axis)) and axis:
            raise Unsupported(f"a constant of shape {tuple(sizes)} beside a tensor of shape {x.shape}")
        grown.append(axis_of(size) if not axis and size > 1 else axis)
    if tuple(grown) != x.axes:
        missing = joined(new for new, old in zip(grown, x.axes, strict=True) if new != old)
        x = spread(x.with_axes(grown), missing, (*x.order, *missing))
    used = [axis if size > 1 else () for axis, size in zip(x.axes, sizes, strict=True)]
    varying = in_order(x, joined(used))
    flat = laid(array, used, varying) if varying else array.reshape(-1)
    return x, varying, flat


def _trained_scale(call: Call, x: Value, scale: Array) -> Value:
    """x times a parameter of a module, which training changes: a convolution of one pixel, channel by channel."""
    x, varying, flat = _varying(x, scale)
    rest = others(x, varying)
    symbol = as_samples(x, [rest, (), varying])
    kernel = flat.reshape(1, 1, -1, 1)
    symbol = call.apply(symbol, layers.DepthwiseConv2D, 1, use_bias=False, weights=[kernel])
    return Value(symbol, x.axes, (*rest, *varying), x.batch)


def affine(call: Call, x: Value, scale: Array | float, offset: Array | float) -> Value:
    """x times a constant plus a constant; one of them may be an array."""
    array = np.asarray(scale if np.ndim(scale) else offset, np.float64)
    x, varying, flat = _varying(x, array)
    if not varying:
        numbers: Any = float(flat[0])
        symbol = x.symbol
    else:
        # The shortest end of the memory that the constant varies within.
        start = min(x.order.index(atom) for atom in varying)
        end = x.order[start:]
        check_size(4 * size_of(end), "a constant")  # they become Python's numbers
        if end != varying:
            full = flat.reshape([atom.size if atom in set(varying) else 1 for atom in end])
            flat = np.broadcast_to(full, [atom.size for atom in end]).reshape(-1)
        numbers = flat.tolist()
        fitting = x.symbol.shape[-1] == len(numbers)
        symbol = x.symbol if fitting else reshaped(x.symbol, [size_of(x.order[:start]), len(numbers)])
        if not start and not fitting:
            symbol = reshaped(x.symbol, [len(numbers)])
    if np.ndim(scale):
        return x.like(call.apply(symbol, layers.Rescaling, numbers, float(offset)))
    return x.like(call.apply(symbol, layers.Rescaling, float(scale), numbers))


def combine(call: Call, kind: str, a: Value | Array, b: Value | Array) -> Value:
    """Add, Sub, Mul or Div of two tensors, of which at least one is computed."""
    if isinstance(a, Value) and isinstance(b, Value):
        return _merged(call, kind, a, b)
    if isinstance(b, Value):
        assert not isinstance(a, Value)
        if kind == "Div":
            return combine(call, "Mul", _inverse(call, b), a)
        return affine(call, b, -1.0, a) if kind == "Sub" else combine(call, kind, b, a)
    assert isinstance(a, Value)
    constant = np.asarray(b, np.float64)
    if kind == "Div":
        with np.errstate(all="ignore"):
            constant = 1.0 / constant
    if not np.isfinite(constant.astype(np.float32)).all():
        raise Unsupported("a constant that is not finite")
    if constant.ndim == 0:
        constant = constant.reshape(1)
    return (
        affine(call, a, constant, 0.0)
        if kind in ("Mul", "Div")
        else affine(call, a, 1.0, constant if kind == "Add" else -constant)
    )


_MERGING: dict[str, type[layers.Layer]] = {
    "Add": layers.Add,
    "Sub": layers.Subtract,
    "Mul": layers.Multiply,
    "Mean": layers.Average,
    "Max": layers.Maximum,
    "Min": layers.Minimum,
}


def _merged(call: Call, kind: str, *values: Value) -> Value:
    """One layer of all the values, which are at least two."""
    if kind == "Div":
        first, divisor = values
        kind, values = "Mul", (first, _inverse(call, divisor))
    whole = values[0]
    for value in values[1:]:
        whole = matched(whole, value)[0]
    fitting = [matched(whole, value)[1] for value in values]
    shape = max((value.symbol.shape[1:] for value in fitting), key=len)
    symbols = [reshaped(value.symbol, [int(size or 1) for size in shape]) for value in fitting]
    return whole.like(call.apply(symbols, _MERGING[kind]))


def _inverse(call: Call, x: Value, function: str = "reciprocal") -> Value:
    return x.like(call.apply(x.symbol, layers.Activation, function))


def safe_quotient(call: Call) -> Value:
    """a / b, or 1 / b, and 0 where b is 0."""
    *numerator, divisor = call.operands(1, 2)
    if not isinstance(divisor, Value):
        raise Unsupported("it divides by a constant")
    inverse = _inverse(call, divisor, "reciprocal_no_nan")
    return combine(call, "Mul", numerator[0], inverse) if numerator else inverse


def matched(a: Value, b: Value) -> tuple[Value, Value]:
    """Two values of the same axes in the same order, repeated along those that only the other has."""
    if a.rank != b.rank:
        if a.batch is not None or b.batch is not None:
            raise Unsupported(f"it pairs the batch with another axis: shapes {a.shape} and {b.shape}")
        a, b = (v.with_axes(((),) * (max(a.rank, b.rank) - v.rank) + v.axes) for v in (a, b))
    if any(size_of(p) != size_of(q) and p and q for p, q in zip(a.axes, b.axes, strict=True)):
        raise Unsupported(f"shapes {a.shape} and {b.shape}")
    a, b = unified(a, b)
    axes = tuple(p or q for p, q in zip(a.axes, b.axes, strict=True))
    # In the order of the one that has more; what it has not goes to the end.
    first, second = (a, b) if len(a.order) >= len(b.order) else (b, a)
    order = (*first.order, *(atom for atom in second.order if atom not in set(first.order)))
    done = []
    for v in (a, b):
        missing = tuple(atom for atom in order if atom not in set(v.order))
        v = spread(v, missing, order) if missing else stored_as(v, order)
        done.append(replace(v, axes=axes))
    return done[0], done[1]


def _arithmetic(kind: str) -> Callable[[Call], Value]:
    def convert(call: Call) -> Value:
        a, b = call.operands(2, 2)
        if kind == "Div" and any(isinstance(item, Value) and item.whole for item in (a, b)):
            raise Unsupported("it divides whole numbers")
        axis = call.get("axis")
        if call.opset < 7 and axis is not None and isinstance(a, Value) and not isinstance(b, Value):
            b = b.reshape((*b.shape, *(1,) * (a.rank - int(axis) - b.ndim)))  # where the second's axes begin
        if kind == "Mul" and isinstance(a, Value) and not isinstance(b, Value) and call.parameter(1):
            return _trained_scale(call, a, b)
        if kind == "Mul" and isinstance(b, Value) and not isinstance(a, Value) and call.parameter(0):
            return _trained_scale(call, b, a)
        return combine(call, kind, a, b)

    return convert


for _operator in ("Add", "Sub", "Mul", "Div"):
    operator(_operator, ignores=("axis", "broadcast"))(_arithmetic(_operator))


def _folded(call: Call, kind: str) -> Value:
    total, *others_ = call.operands(1)
    for other in others_:
        total = (
            combine(call, kind, total, other)
            if isinstance(total, Value) or isinstance(other, Value)
            else (total + other)
        )
    if not isinstance(total, Value):
        raise Unsupported("its inputs are constants")
    return total


@operator("Sum")
def total(call: Call) -> Value:
    return _folded(call, "Add")


@operator("Mean")
def mean(call: Call) -> Value:
    operands = call.operands(1)
    values = [item for item in operands if isinstance(item, Value)]
    if 1 < len(values) == len(operands):
        return _merged(call, "Mean", *values)
    return affine(call, _folded(call, "Add"), 1.0 / len(operands), 0.0)


@operator("Min", "Max")
def bound(call: Call) -> Value:
    operands = call.operands(1)
    values = [item for item in operands if isinstance(item, Value)]
    constants = [np.asarray(item) for item in operands if not isinstance(item, Value)]
    if not constants:
        return _merged(call, call.kind, *values) if len(values) > 1 else values[0]
    if len(values) != 1 or any(constant.size != 1 for constant in constants):
        raise Unsupported("a constant that is not a single number")
    numbers = [float(constant.reshape(-1)[0]) for constant in constants]
    if call.kind == "Max":
        return clipped(call, values[0], max(numbers), None)
    return clipped(call, values[0], None, min(numbers))


@operator("Identity", moves=True)
def identity(call: Call) -> Value:
    return call.value()


@operator("Dropout", constants=(1, 2), ignores=("ratio", "seed", 1))
def dropout(call: Call) -> Value:
    if call.given(2) and bool(np.asarray(call.constant(2)).reshape(-1)[0]):
        rate = float(np.asarray(call.constant(1, 0.5)).reshape(-1)[0])
        if rate != 0.0:
            raise Unsupported("it is in training mode")
    call.single_output()
    if call.opset < 7 and not call.flag("is_test"):
        raise Unsupported("it is in training mode (is_test=0)")
    return call.value()


_FLOATS = (1, 10, 11, 16)  # of TensorProto.DataType: float, and those that are computed in float
_WHOLES = (2, 3, 4, 5, 6, 7, 12, 13)


@operator("Cast", moves=True, ignores=("saturate", "round_mode"))
def cast(call: Call) -> Value:
    x, kind = call.value(), int(call.get("to", 0))
    if kind in _WHOLES and x.whole:
        return x
    if kind not in _FLOATS:
        raise Unsupported("it casts to another type than float, double, float16 or bfloat16")
    return replace(x, exact=False, whole=False)
