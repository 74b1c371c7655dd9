"""Comparisons and choices. What is true is 1, and false 0: the graph's bools are numbers here."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate import layers
from striate.onnx._call import Call, operator
from striate.onnx._convert_elementwise import affine, combine
from striate.onnx._values import Array, Unsupported, Value

_HUGE = 3e38
"""Twice this number of times, the smallest float above 0 is above 1."""


def positive(x: Value) -> Value:
    """1 where x is above 0, else 0; NaN where it is NaN."""
    symbol = layers.ReLU()(x.symbol)
    for _ in range(2):
        symbol = layers.ReLU(max_value=1.0)(layers.Rescaling(_HUGE)(symbol))
    return x.like(symbol).as_whole()


def opposite(call: Call, x: Value) -> Value:
    """What is true where x is false."""
    return affine(call, x, -1.0, 1.0).as_whole()


def _difference(call: Call, a: Value | Array, b: Value | Array) -> Value:
    found = combine(call, "Sub", _numbers(a), _numbers(b))
    assert isinstance(found, Value)
    return found


def _numbers(item: Any) -> Any:
    return item if isinstance(item, Value) else np.asarray(item, np.float64)


@operator("Greater", "Less", "GreaterOrEqual", "LessOrEqual", ignores=("axis", "broadcast"))
def compare(call: Call) -> Value:
    a, b = call.operands(2, 2)
    turned = call.kind in ("Less", "GreaterOrEqual")  # a < b is b > a, and a >= b is not b > a
    above = positive(_difference(call, b, a) if turned else _difference(call, a, b))
    return opposite(call, above) if call.kind.endswith("Equal") else above


@operator("Equal", ignores=("axis", "broadcast"))
def equal(call: Call) -> Value:
    difference = _difference(call, *call.operands(2, 2))
    return opposite(call, _nonzero(difference))


def _nonzero(x: Value) -> Value:
    below = positive(x.like(layers.Rescaling(-1.0)(x.symbol)))
    return x.like(layers.Add()([positive(x).symbol, below.symbol]))


@operator("Sign")
def sign(call: Call) -> Value:
    x = call.value()
    below = positive(x.like(layers.Rescaling(-1.0)(x.symbol)))
    return x.like(layers.Subtract()([positive(x).symbol, below.symbol]))


@operator("Shrink")
def shrink(call: Call) -> Value:
    x, bound, bias = call.value(), float(call.get("lambd", 0.5)), float(call.get("bias", 0.0))
    if bound < 0:
        raise Unsupported(f"lambd is {bound:g}")
    parts = []
    for sign in (1.0, -1.0):
        beyond = positive(affine(call, x, sign, -bound))
        parts.append(layers.Multiply()([beyond.symbol, layers.Rescaling(1.0, -sign * bias)(x.symbol)]))
    return x.like(layers.Add()(parts))


@operator("Not")
def negation(call: Call) -> Value:
    return opposite(call, call.value())


@operator("And", "Or", ignores=("axis", "broadcast"))
def both(call: Call) -> Value:
    a, b = (_numbers(item) for item in call.operands(2, 2))
    found = combine(call, "Mul" if call.kind == "And" else "Add", a, b)
    return found if call.kind == "And" else found.like(layers.ReLU(max_value=1.0)(found.symbol))


@operator("Where")
def where(call: Call) -> Value:
    """The choice is a sum of products: what is not chosen must be finite."""
    chosen, a, b = (_numbers(item) for item in call.operands(3, 3))
    if isinstance(chosen, Value):
        other: Any = opposite(call, chosen)
    else:
        chosen = (chosen != 0).astype(np.float64)
        other = 1.0 - chosen
    parts = [_part(call, *pair) for pair in ((chosen, a), (other, b))]
    if not any(isinstance(part, Value) for part in parts):
        raise Unsupported("its inputs are constants")
    return combine(call, "Add", *parts)


def _part(call: Call, chosen: Any, item: Any) -> Any:
    if isinstance(chosen, Value) or isinstance(item, Value):
        return combine(call, "Mul", chosen, item)
    if not np.isfinite(item).all():
        raise Unsupported("it chooses from a constant that is not finite")
    return chosen * item
