"""Each layer as ONNX operators."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from striate.onnx._values import Array
from striate.onnx._writer import CONVERTERS, Node, Tensor, layer

__all__ = ["CONVERTERS"]

FIRST, LAST = "channels_first", "channels_last"


def _pair(value: Any) -> list[int]:
    return [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)] * 2


def _pads(node: Node, sides: Sequence[tuple[int, int]]) -> list[int] | None:
    pads = [sides[0][0], sides[1][0], sides[0][1], sides[1][1]]
    return pads if any(pads) else None


def _around(node: Node, extents: Sequence[int], strides: Sequence[int]) -> list[tuple[int, int]]:
    """Rows before and after, from the layer's padding."""
    padding = node.config["padding"]
    if padding == "valid":
        return [(0, 0), (0, 0)]
    if padding != "same":
        top, bottom, left, right = padding
        return [(top, bottom), (left, right)]
    result = []
    for size, extent, stride in zip(node.inputs[0].shape, extents, strides, strict=False):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        result.append((total // 2, total - total // 2))
    return result


# Activations: name -> the operators, on a tensor of either layout.


def _silu(node: Node, x: str, axis: int) -> str:
    return node.op("Mul", [x, node.op("Sigmoid", [x])])


def _gelu(node: Node, x: str, axis: int) -> str:
    """x (1 + erf(x / √2)) / 2: before version 20 there is no operator for it."""
    inner = node.op("Erf", [node.op("Mul", [x, node.constant(math.sqrt(0.5), "sqrt_half")])])
    half = node.op("Mul", [x, node.constant(0.5, "half")])
    return node.op("Mul", [half, node.op("Add", [inner, node.constant(1.0, "one")])])


def _clip(node: Node, x: str, high: float | None) -> str:
    """From 0 to a bound, or without one."""
    if high is None:
        return node.op("Relu", [x])
    return node.op("Clip", [x, node.constant(0.0, "zero"), node.constant(high, "high")])


def _reciprocal_no_nan(node: Node, x: str, axis: int) -> str:
    zero = node.constant(np.float32(0), "zero")
    return node.op("Where", [node.op("Equal", [x, zero]), zero, node.op("Reciprocal", [x])])


_ACTIVATIONS: dict[str, Callable[[Node, str, int], str]] = {
    "linear": lambda node, x, axis: x,
    "relu": lambda node, x, axis: node.op("Relu", [x]),
    "relu6": lambda node, x, axis: _clip(node, x, 6.0),
    "leaky_relu": lambda node, x, axis: node.op("LeakyRelu", [x], alpha=0.2),
    "elu": lambda node, x, axis: node.op("Elu", [x], alpha=1.0),
    "sigmoid": lambda node, x, axis: node.op("Sigmoid", [x]),
    "tanh": lambda node, x, axis: node.op("Tanh", [x]),
    "softplus": lambda node, x, axis: node.op("Softplus", [x]),
    "silu": _silu,
    "swish": _silu,
    "gelu": _gelu,
    "hard_sigmoid": lambda node, x, axis: node.op("HardSigmoid", [x], alpha=1 / 6, beta=0.5),
    "hard_swish": lambda node, x, axis: node.op("HardSwish", [x]),
    "hard_silu": lambda node, x, axis: node.op("HardSwish", [x]),
    "exponential": lambda node, x, axis: node.op("Exp", [x]),
    "log": lambda node, x, axis: node.op("Log", [x]),
    "sqrt": lambda node, x, axis: node.op("Sqrt", [x]),
    "abs": lambda node, x, axis: node.op("Abs", [x]),
    "reciprocal": lambda node, x, axis: node.op("Reciprocal", [x]),
    "reciprocal_no_nan": _reciprocal_no_nan,
    "erf": lambda node, x, axis: node.op("Erf", [x]),
    "softmax": lambda node, x, axis: node.op("Softmax", [x], axis=axis),
}


def _activated(node: Node, x: str, layout: str) -> Tensor:
    """The output, with the layer's own activation."""
    name = node.config.get("activation") or "linear"
    if name not in _ACTIVATIONS:
        raise ValueError(f"export: there is no ONNX operator for the activation {name!r} of {node.layer}")
    axis = 1 if layout == FIRST and len(node.shape) == 3 else -1
    return node.given(_ACTIVATIONS[name](node, x, axis), layout)


@layer("Activation")
def activation(node: Node) -> Tensor:
    return _activated(node, node.here(), node.layout())


@layer("Softmax")
def softmax(node: Node) -> Tensor:
    axis = 1 if node.layout() == FIRST and len(node.shape) == 3 else -1
    return node.given(node.op("Softmax", [node.here()], axis=axis))


@layer("ReLU")
def relu(node: Node) -> Tensor:
    high, slope, threshold = (node.config[key] for key in ("max_value", "negative_slope", "threshold"))
    x = node.here()
    if threshold == 0.0 and slope == 0.0:
        return node.given(_clip(node, x, high))
    # The operator leaves out what equals its bound, the layer does not.
    below = float(np.nextafter(np.float32(threshold), np.float32(-np.inf)))
    upper = node.op("ThresholdedRelu", [x], alpha=below) if threshold else node.op("Relu", [x])
    if high is not None:
        upper = node.op("Clip", [upper, "", node.constant(high, "high")])
    if slope == 0.0:
        return node.given(upper)
    distance = node.op("Sub", [x, node.constant(threshold, "threshold")]) if threshold else x
    lower = node.op("Clip", [distance, "", node.constant(0.0, "zero")])
    return node.given(node.op("Add", [upper, node.op("Mul", [lower, node.constant(slope, "slope")])]))


@layer("LeakyReLU")
def leaky_relu(node: Node) -> Tensor:
    return node.given(node.op("LeakyRelu", [node.here()], alpha=float(node.config["negative_slope"])))


@layer("ELU")
def elu(node: Node) -> Tensor:
    return node.given(node.op("Elu", [node.here()], alpha=float(node.config["alpha"])))


@layer("PReLU")
def prelu(node: Node) -> Tensor:
    alpha, layout = node.weights["alpha"], node.layout()
    if layout == FIRST and len(node.shape) == 3:
        alpha = alpha.transpose(2, 0, 1)
    return node.given(node.op("PRelu", [node.here(), node.constant(alpha, f"alpha/{layout}")]))


# Convolutions


def _bias(node: Node) -> list[str]:
    return [node.constant(node.weights["bias"], "bias")] if "bias" in node.weights else []


def _convolved(node: Node, x: str, kernel: Array, name: str, group: int, bias: list[str], pointwise: bool) -> str:
    """A convolution with a kernel (out, in / group, height, width)."""
    strides, dilations = _pair(node.config["strides"]), _pair(node.config["dilation_rate"])
    pads = None
    if pointwise:
        strides = dilations = [1, 1]
    else:
        extents = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
        pads = _pads(node, _around(node, extents, strides))
    return node.op(
        "Conv",
        [x, node.constant(kernel, name), *bias],
        kernel_shape=list(kernel.shape[2:]),
        strides=strides,
        dilations=dilations,
        pads=pads,
        group=group,
    )


@layer("Conv2D")
def conv2d(node: Node) -> Tensor:
    kernel = node.weights["kernel"].transpose(3, 2, 0, 1)
    y = _convolved(node, node.first(), kernel, "kernel", int(node.config["groups"]), _bias(node), False)
    return _activated(node, y, FIRST)


def _by_channel(kernel: Array) -> Array:
    """(height, width, channels, multiplier) as (channels * multiplier, 1, height, width)."""
    turned: Array = kernel.transpose(2, 3, 0, 1)
    return turned.reshape(-1, 1, *kernel.shape[:2])


@layer("DepthwiseConv2D")
def depthwise_conv2d(node: Node) -> Tensor:
    kernel = node.weights["kernel"]
    y = _convolved(node, node.first(), _by_channel(kernel), "kernel", kernel.shape[2], _bias(node), False)
    return _activated(node, y, FIRST)


@layer("SeparableConv2D")
def separable_conv2d(node: Node) -> Tensor:
    depthwise, pointwise = node.weights["depthwise_kernel"], node.weights["pointwise_kernel"]
    y = _convolved(node, node.first(), _by_channel(depthwise), "depthwise_kernel", depthwise.shape[2], [], False)
    y = _convolved(node, y, pointwise.transpose(3, 2, 0, 1), "pointwise_kernel", 1, _bias(node), True)
    return _activated(node, y, FIRST)


@layer("Conv2DTranspose")
def conv2d_transpose(node: Node) -> Tensor:
    kernel, config = node.weights["kernel"], node.config
    strides, dilations = _pair(config["strides"]), _pair(config["dilation_rate"])
    sides, more = [], []
    for size, out, k, stride, dilation in zip(
        node.inputs[0].shape, node.shape, kernel.shape, strides, dilations, strict=False
    ):
        reached = (size - 1) * stride + (k - 1) * dilation + 1
        before = max(reached - out, 0) // 2 if config["padding"] == "same" else 0
        after = reached - before - out
        sides.append((before, max(after, 0)))
        more.append(max(-after, 0))
    y = node.op(
        "ConvTranspose",
        [node.first(), node.constant(kernel.transpose(3, 2, 0, 1), "kernel"), *_bias(node)],
        kernel_shape=list(kernel.shape[:2]),
        strides=strides,
        dilations=dilations,
        pads=_pads(node, sides),
        output_padding=more if any(more) else None,
    )
    return _activated(node, y, FIRST)


@layer("Dense")
def dense(node: Node) -> Tensor:
    kernel = node.weights["kernel"]
    if len(node.shape) == 1:
        y = node.op("Gemm", [node.last(), node.constant(kernel, "kernel"), *_bias(node)])
        return _activated(node, y, LAST)
    if len(node.shape) == 3 and node.layout() == FIRST:
        pointwise = kernel.T[:, :, None, None]
        y = node.op("Conv", [node.first(), node.constant(pointwise, "kernel/pointwise"), *_bias(node)])
        return _activated(node, y, FIRST)
    y = node.op("MatMul", [node.last(), node.constant(kernel, "kernel")])
    for bias in _bias(node):
        y = node.op("Add", [y, bias])
    return _activated(node, y, LAST)


# Normalisation


def _affine(node: Node, x: str, scale: Any, shift: Any, layout: str) -> str:
    """x * scale + shift, each a number or one for each channel; None for neither."""
    if scale is not None and np.any(np.asarray(scale) != 1.0):
        x = node.op("Mul", [x, node.channel_constant(scale, "scale", layout)])
    if shift is not None and np.any(np.asarray(shift) != 0.0):
        x = node.op("Add", [x, node.channel_constant(shift, "shift", layout)])
    return x


def _plain_layout(node: Node) -> str:
    return node.layout() if len(node.shape) == 3 else LAST


@layer("BatchNormalization")
def batch_normalization(node: Node) -> Tensor:
    w, epsilon = node.weights, float(node.config["epsilon"])
    mean, variance = w["moving_mean"], w["moving_variance"]
    gamma, beta = w.get("gamma", np.ones_like(mean)), w.get("beta", np.zeros_like(mean))
    if len(node.shape) not in (1, 3):
        scale = gamma / np.sqrt(variance.astype(np.float64) + epsilon)
        return node.given(_affine(node, node.last(), scale, beta - mean * scale, LAST), LAST)
    named = {"gamma": gamma, "beta": beta, "moving_mean": mean, "moving_variance": variance}
    inputs = [node.constant(array, name) for name, array in named.items()]
    x = node.first() if len(node.shape) == 3 else node.last()
    return node.given(node.op("BatchNormalization", [x, *inputs], epsilon=epsilon), FIRST)


@layer("LayerNormalization")
def layer_normalization(node: Node) -> Tensor:
    axis = node.config["axis"]
    count = 1 if isinstance(axis, int) else len(axis)
    shape = node.shape[-count:]
    gamma = node.weights.get("gamma", np.ones(shape, np.float32))
    inputs = [node.last(), node.constant(gamma, "gamma")]
    if "beta" in node.weights:
        inputs.append(node.constant(node.weights["beta"], "beta"))
    epsilon = float(node.config["epsilon"])
    return node.given(node.op("LayerNormalization", inputs, axis=-count, epsilon=epsilon), LAST)


@layer("GroupNormalization")
def group_normalization(node: Node) -> Tensor:
    channels, rank = node.shape[-1], len(node.shape)
    groups = int(node.config["groups"])
    groups = channels if groups == -1 else groups
    x = node.first() if rank == 3 else node.last()
    if rank == 2:
        x = node.op("Transpose", [x], perm=[0, 2, 1])
    whole = [channels, *node.shape[:-1]]
    x = node.op("Reshape", [x, node.constant(np.asarray([0, groups, -1], np.int64), "groups")])
    ones = node.constant(np.ones(groups, np.float32), "ones")
    zeros = node.constant(np.zeros(groups, np.float32), "zeros")
    x = node.op("InstanceNormalization", [x, ones, zeros], epsilon=float(node.config["epsilon"]))
    x = node.op("Reshape", [x, node.constant(np.asarray([0, *whole], np.int64), "shape")])
    if rank == 2:
        x = node.op("Transpose", [x], perm=[0, 2, 1])
    layout = FIRST if rank == 3 else LAST
    return node.given(_affine(node, x, node.weights.get("gamma"), node.weights.get("beta"), layout), layout)


@layer("Rescaling")
def rescaling(node: Node) -> Tensor:
    layout = _plain_layout(node)
    return node.given(_affine(node, node.here(), node.config["scale"], node.config["offset"], layout), layout)


@layer("Normalization")
def normalization(node: Node) -> Tensor:
    mean, variance = (np.atleast_1d(np.asarray(node.config[key], np.float64)) for key in ("mean", "variance"))
    deviation = np.maximum(np.sqrt(variance), 1e-7)
    layout = _plain_layout(node)
    if node.config["invert"]:
        return node.given(_affine(node, node.here(), deviation, mean, layout), layout)
    x = node.op("Sub", [node.here(), node.channel_constant(mean, "mean", layout)])
    return node.given(_affine(node, x, 1.0 / deviation, None, layout), layout)


@layer("Dropout", "SpatialDropout2D", "RandomFlip", "RandomRotation", "RandomTranslation")
@layer("RandomZoom", "RandomBrightness", "RandomContrast")
def dropout(node: Node) -> Tensor:
    return node.inputs[0]


# Pooling and resizing


@layer("MaxPooling2D", "AveragePooling2D")
def pooling(node: Node) -> Tensor:
    size = _pair(node.config["pool_size"])
    strides = size if node.config["strides"] is None else _pair(node.config["strides"])
    pads = _pads(node, _around(node, size, strides))
    kind = node.kind.replace("ing2D", "")
    return node.given(node.op(kind, [node.first()], kernel_shape=size, strides=strides, pads=pads), FIRST)


@layer("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def global_pooling(node: Node) -> Tensor:
    y = node.op(node.kind.replace("ing2D", ""), [node.first()])
    if node.config["keepdims"]:
        return node.given(y, FIRST)
    return node.given(node.op("Flatten", [y], axis=1), LAST)


@layer("UpSampling2D")
def upsampling2d(node: Node) -> Tensor:
    scales = node.constant(np.asarray([1, 1, *_pair(node.config["size"])], np.float32), "scales")
    if node.config["interpolation"] == "nearest":
        how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    else:
        how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    return node.given(node.op("Resize", [node.first(), "", scales], **how), FIRST)


@layer("Resizing")
def resizing(node: Node) -> Tensor:
    sizes = [node.config["height"], node.config["width"]]
    ends = [node.constant(np.asarray([place], np.int64), f"axis_{place}") for place in (0, 2)]
    kept = node.op("Slice", [node.op("Shape", [node.first()]), *ends])  # samples and channels
    whole = node.op("Concat", [kept, node.constant(np.asarray(sizes, np.int64), "sizes")], axis=0)
    how = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    if node.config["interpolation"] == "nearest":
        how = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}
    return node.given(node.op("Resize", [node.first(), "", "", whole], **how), FIRST)


def _on_axes(node: Node, height: int, width: int, channels: int = 0) -> list[int]:
    """Numbers for the axes of a whole map, in the layout that it has."""
    if node.layout() == FIRST:
        return [0, channels, height, width]
    return [0, height, width, channels]


@layer("ZeroPadding2D")
def zero_padding2d(node: Node) -> Tensor:
    top, bottom, left, right = node.config["padding"]
    pads = np.asarray([*_on_axes(node, top, left), *_on_axes(node, bottom, right)], np.int64)
    return node.given(node.op("Pad", [node.here(), node.constant(pads, f"pads/{node.layout()}")]))


@layer("Cropping2D")
def cropping2d(node: Node) -> Tensor:
    top, _, left, _ = node.config["cropping"]
    axes = [2, 3] if node.layout() == FIRST else [1, 2]
    ends = [top + node.shape[0], left + node.shape[1]]
    numbers = {"starts": [top, left], "ends": ends, f"axes/{node.layout()}": axes}
    inputs = [node.constant(np.asarray(value, np.int64), key) for key, value in numbers.items()]
    return node.given(node.op("Slice", [node.here(), *inputs]))


# Shapes


@layer("Flatten", "Reshape")
def reshape(node: Node) -> Tensor:
    if node.shape == node.inputs[0].shape:
        return node.inputs[0]
    shape = node.constant(np.asarray([0, *node.shape], np.int64), "shape")
    return node.given(node.op("Reshape", [node.last(), shape]), LAST)


@layer("Permute")
def permute(node: Node) -> Tensor:
    return node.given(node.op("Transpose", [node.last()], perm=[0, *node.config["dims"]]), LAST)


@layer("Take")
def take(node: Node) -> Tensor:
    axis, rank = int(node.config["axis"]), len(node.shape) + 1
    axis = axis + rank if axis < 0 else axis
    if len(node.shape) == 3 and node.layout() == FIRST:
        axis = (0, 2, 3, 1)[axis]
    indices = node.constant(np.asarray(node.config["indices"], np.int64), "indices")
    return node.given(node.op("Gather", [node.here(), indices], axis=axis))


# Several inputs


@layer("MatMul")
def mat_mul(node: Node) -> Tensor:
    second = node.last(1)
    if node.config["transpose_b"]:
        rank = len(node.shape) + 1
        second = node.op("Transpose", [second], perm=[*range(rank - 2), rank - 1, rank - 2])
    return node.given(node.op("MatMul", [node.last(0), second]), LAST)


@layer("Add", "Subtract", "Multiply")
def merging(node: Node) -> Tensor:
    kind = {"Add": "Add", "Subtract": "Sub", "Multiply": "Mul"}[node.kind]
    x = node.here(0)
    for index in range(1, len(node.inputs)):
        x = node.op(kind, [x, node.here(index)])
    return node.given(x)


@layer("Average", "Maximum", "Minimum")
def chosen(node: Node) -> Tensor:
    kind = {"Average": "Mean", "Maximum": "Max", "Minimum": "Min"}[node.kind]
    return node.given(node.op(kind, [node.here(index) for index in range(len(node.inputs))]))


@layer("Concatenate")
def concatenate(node: Node) -> Tensor:
    axis, rank = int(node.config["axis"]), len(node.shape) + 1
    axis = axis + rank if axis < 0 else axis
    if len(node.shape) == 3 and node.layout() == FIRST:
        axis = (0, 2, 3, 1)[axis]
    return node.given(node.op("Concat", [node.here(i) for i in range(len(node.inputs))], axis=axis))
