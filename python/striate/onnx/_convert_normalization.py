"""Normalisations."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.onnx._call import Call, operator
from striate.onnx._convert_elementwise import affine, combine
from striate.onnx._convert_pooling import reduced
from striate.onnx._values import (
    Array,
    Axis,
    Unsupported,
    Value,
    as_samples,
    check_size,
    in_order,
    joined,
    laid,
    others,
    size_of,
    stored_as,
)


def _channels_last(x: Value) -> tuple[Value, Symbol, Axis]:
    """x with its channels (axis 1) last in memory, its symbol of shape (..., C), and the channels' atoms."""
    if x.batch is None or x.rank < 2:
        raise Unsupported(f"it normalises a tensor of shape {x.shape}")
    channels = in_order(x, x.axes[0])
    rest = others(x, channels)
    x = stored_as(x, (*rest, *channels))
    if x.symbol.shape[-1] == size_of(channels):
        return x, x.symbol, channels
    return x, as_samples(x, [rest, channels] if rest else [channels]), channels


def _weight(array: Array, axes: tuple[Axis, ...], order: Axis) -> Array:
    """A weight of one number for each channel, or for each element of several axes, in memory order."""
    array = np.asarray(array, np.float32)
    return laid(array.reshape([size_of(axis) for axis in axes]), list(axes), order) if order else array.reshape(-1)


@operator("BatchNormalization", constants=(1, 2, 3, 4))
def batch_normalization(call: Call) -> Value:
    if call.flag("training_mode"):
        raise Unsupported("it is in training mode")
    call.single_output()
    if call.opset < 7 and not call.flag("is_test"):
        raise Unsupported("it is in training mode (is_test=0)")
    if not call.flag("spatial", True):
        raise Unsupported("it normalises each position separately (spatial=0)")
    x, symbol, channels = _channels_last(call.value())
    statistics = [_weight(call.constant(i), (x.axes[0],), channels) for i in (1, 2, 3, 4)]
    epsilon, momentum = float(call.get("epsilon", 1e-5)), float(call.get("momentum", 0.9))
    options: dict[str, Any] = {"epsilon": epsilon, "momentum": momentum}
    if call.unbiased_variance:
        options["unbiased_variance"] = True
    # Exporters compute a scale of 1 and an offset of 0 for a module that has none.
    for index, argument, neutral in ((1, "scale", 1.0), (2, "center", 0.0)):
        if not call.stored(index) and bool((statistics[index - 1] == neutral).all()):
            options[argument] = False
    weights = [
        array
        for array, argument in zip(statistics, ("scale", "center", "", ""), strict=True)
        if options.get(argument, True)
    ]
    options["weights"] = weights
    return x.like(call.apply(symbol, layers.BatchNormalization, **options))


def _by_groups(call: Call, groups: int) -> Value:
    x = call.value()
    if x.batch is None or x.rank < 3:
        raise Unsupported(f"it normalises a tensor of shape {x.shape}")
    space = others(x, x.axes[0])
    gamma, beta = (np.asarray(call.constant(i), np.float32) for i in (1, 2))
    channels = size_of(x.axes[0])
    if channels % groups:
        raise Unsupported(f"{groups} groups of {channels} channels")
    each = channels // gamma.size if gamma.size else 0
    weights = [np.repeat(weight, each) for weight in (gamma, beta)]
    epsilon = float(call.get("epsilon", 1e-5))
    # A group has adjacent channels, which must be in their own order.
    x = stored_as(x, (*space, *x.axes[0]))
    fitting = x.symbol.shape[-1] == channels and len(x.symbol.shape) == 4
    symbol = x.symbol if fitting else as_samples(x, [space, (), x.axes[0]])
    return x.like(call.apply(symbol, layers.GroupNormalization, groups, epsilon=epsilon, weights=weights))


@operator("InstanceNormalization", constants=(1, 2))
def instance_normalization(call: Call) -> Value:
    return _by_groups(call, size_of(call.value().axes[0]))


@operator("GroupNormalization", constants=(1, 2), ignores=("stash_type",))
def group_normalization(call: Call) -> Value:
    return _by_groups(call, int(call.get("num_groups", 1)))


@operator("LayerNormalization", constants=(1, 2), ignores=("stash_type",))
def layer_normalization(call: Call) -> list[Value]:
    x = given = call.value()
    first = x.place(int(call.get("axis", -1)))
    inside = in_order(x, joined(x.axes[first:]))
    rest = others(x, inside)
    x = stored_as(x, (*rest, *inside))
    sizes = [size_of(axis) for axis in x.axes[first:]]
    check_size(size_of(inside), "a weight")
    weights = []
    for i in (1, 2):
        if call.given(i):
            array = np.broadcast_to(np.asarray(call.constant(i), np.float32), sizes)
            weights.append(_weight(array, x.axes[first:], inside))
    fitting = bool(inside) and x.symbol.shape[-1] == size_of(inside)
    symbol = x.symbol if fitting else as_samples(x, [rest, inside] if rest else [inside])
    epsilon = float(call.get("epsilon", 1e-5))
    options = {"center": call.given(2), "epsilon": epsilon, "weights": weights}
    y = x.like(call.apply(symbol, layers.LayerNormalization, **options))
    return [y, *_statistics(call, given, first, epsilon)] if call.outputs > 1 else [y]


def _statistics(call: Call, x: Value, first: int, epsilon: float) -> list[Value]:
    """The mean over the axes from `first` on, and what the distance from it is multiplied by."""
    places = list(range(first, len(x.axes)))
    mean = reduced(call, x, places, True, layers.GlobalAveragePooling2D)
    distance = combine(call, "Sub", x, mean)
    square = distance.like(layers.Multiply()([distance.symbol, distance.symbol]))
    variance = affine(call, reduced(call, square, places, True, layers.GlobalAveragePooling2D), 1.0, epsilon)
    deviation = layers.Activation("sqrt")(variance.symbol)
    return [mean, variance.like(layers.Activation("reciprocal")(deviation))]
