"""To PyTorch: a module that computes what a model does. Imported where torch is there."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from striate import _core

# Between layers, samples of three axes are (N, C, H, W); all others are as striate has them.
Tensor = Any
Shape = tuple[int, ...]


def last(x: Tensor) -> Tensor:
    """A map with the channels last."""
    return x.permute(0, 2, 3, 1) if x.ndim == 4 else x


def first(x: Tensor) -> Tensor:
    """A map with the channels first."""
    return x.permute(0, 3, 1, 2) if x.ndim == 4 else x


class Network(nn.Module):
    """The layers of a model as modules, in the order in which they are computed."""

    def __init__(self, core: _core.Model, frozen: Container[int] = ()) -> None:
        super().__init__()
        self._steps: list[tuple[int, str, list[int]]] = []
        self._inputs, self._outputs = list(core.input_nodes), list(core.output_nodes)
        nodes, layers = core.nodes, core.layers
        for number, (place, sources, shape) in enumerate(nodes):
            layer, name, _ = layers[place]
            if number in self._inputs:
                continue
            if name not in {key for _, key, _ in self._steps}:
                build = _MODULES.get(layer.type)
                if build is None:
                    known = ", ".join(sorted(_MODULES))
                    raise ValueError(f"to_torch: there is no module for [{name}] ({layer.type}); there are: {known}")
                part = build(layer.config(), [nodes[source][2] for source in sources], shape)
                self._put(name, part.requires_grad_(place not in frozen))
            self._steps.append((number, name, list(sources)))

    def _put(self, name: str, part: nn.Module) -> None:
        """Make a module one of this one, or of the one that the dots in its name lead to."""
        *path, own = name.split(".")
        owner: nn.Module = self
        for step in path:
            if step not in owner._modules:
                owner.add_module(step, nn.Module())
            owner = owner.get_submodule(step)
        before = owner._modules.get(own)
        for inner, child in before.named_children() if before is not None else ():
            part.add_module(inner, child)
        try:
            owner.add_module(own, part)
        except KeyError:
            raise ValueError(f"to_torch: {own!r} cannot be the name of a module; rename the layer [{name}]") from None

    def forward(self, *inputs: Tensor) -> Tensor:
        values = dict(zip(self._inputs, inputs, strict=True))
        for number, key, sources in self._steps:
            values[number] = self.get_submodule(key)(*(values[source] for source in sources))
        found = [values[number] for number in self._outputs]
        return found if len(found) > 1 else found[0]


class Function(nn.Module):
    """A function without weights."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def _hard_sigmoid(x: Tensor) -> Tensor:
    return torch.clamp(x / 6 + 0.5, 0, 1)


def _no_nan(x: Tensor) -> Tensor:
    return torch.where(x == 0, torch.zeros_like(x), 1 / torch.where(x == 0, torch.ones_like(x), x))


def _softmax(x: Tensor) -> Tensor:
    return torch.softmax(x, dim=1 if x.ndim == 4 else -1)


def _same(x: Tensor) -> Tensor:
    return x


_ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": _same,
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": partial(F.leaky_relu, negative_slope=0.2),
    "elu": F.elu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "softplus": F.softplus,
    "silu": F.silu,
    "swish": F.silu,
    "gelu": F.gelu,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": F.hardswish,
    "hard_silu": F.hardswish,
    "softmax": _softmax,
    "exponential": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "reciprocal": torch.reciprocal,
    "reciprocal_no_nan": _no_nan,
    "erf": torch.erf,
}

Build = Callable[[dict[str, Any], Sequence[Shape], Shape], nn.Module]
_MODULES: dict[str, Build] = {}


def _module(*kinds: str) -> Callable[[Build], Build]:
    def put(build: Build) -> Build:
        _MODULES.update(dict.fromkeys(kinds, build))
        return build

    return put


def _pair(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if isinstance(value, (list, tuple)) else (int(value), int(value))


def _activated(core: nn.Module, config: dict[str, Any]) -> nn.Module:
    """The module, then the layer's own activation; the weights stay those of the module."""
    name = config.get("activation") or "linear"
    if name != "linear":
        core.register_forward_hook(_Activate(_ACTIVATIONS[name]))
    return core


class _Activate:
    """A hook, as a class so that modules can be pickled."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        self.function = function

    def __call__(self, module: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return self.function(output)


class _Pad:
    """A hook that pads the input: (left, right, top, bottom)."""

    def __init__(self, around: Sequence[int], value: float = 0.0) -> None:
        self.around, self.value = list(around), value

    def __call__(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return (F.pad(inputs[0], self.around, value=self.value),)


def _around(config: dict[str, Any], shape: Shape, extents: Sequence[int], strides: Sequence[int]) -> list[int]:
    """(left, right, top, bottom)."""
    padding = config["padding"]
    if padding == "valid":
        return [0, 0, 0, 0]
    if padding != "same":
        top, bottom, left, right = padding
        return [left, right, top, bottom]
    sides = []
    for size, extent, stride in zip(shape, extents, strides, strict=False):
        total = max((-(-size // stride) - 1) * stride + extent - size, 0)
        sides.append((total // 2, total - total // 2))
    return [*sides[1], *sides[0]]


def _padded(core: nn.Module, around: Sequence[int], value: float = 0.0) -> nn.Module:
    if any(around):
        core.register_forward_pre_hook(_Pad(around, value))
    return core


@_module("Conv2D", "DepthwiseConv2D")
def _conv(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    kernel, strides, dilation = (_pair(config[key]) for key in ("kernel_size", "strides", "dilation_rate"))
    extents = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    channels = inputs[0][2]
    core = nn.Conv2d(
        channels,
        shape[2],
        kernel,
        strides,
        dilation=dilation,
        groups=int(config.get("groups", channels)),
        bias=bool(config["use_bias"]),
    )
    return _activated(_padded(core, _around(config, inputs[0], extents, strides)), config)


class _Separable(nn.Module):
    """A convolution of each channel, then one of each pixel."""

    def __init__(self, depthwise: nn.Module, pointwise: nn.Module) -> None:
        super().__init__()
        self.depthwise, self.pointwise = depthwise, pointwise

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


@_module("SeparableConv2D")
def _separable(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    between = inputs[0][2] * int(config["depth_multiplier"])
    depthwise = _conv({**config, "activation": None, "use_bias": False}, inputs, (*shape[:2], between))
    pointwise = nn.Conv2d(between, shape[2], 1, bias=bool(config["use_bias"]))
    return _activated(_Separable(depthwise, pointwise), config)


class _Transposed(nn.ConvTranspose2d):
    """A transposed convolution whose output is cut or widened to a size."""

    def __init__(self, before: Sequence[int], size: Sequence[int], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.before, self.size = list(before), list(size)

    def forward(self, x: Tensor, output_size: list[int] | None = None) -> Tensor:
        y = F.conv_transpose2d(x, self.weight, None, self.stride, dilation=self.dilation)
        missing = [b + s - n for b, s, n in zip(self.before, self.size, y.shape[2:], strict=True)]
        y = F.pad(y, [0, max(missing[1], 0), 0, max(missing[0], 0)])
        top, left = self.before
        y = y[:, :, top : top + self.size[0], left : left + self.size[1]]
        return y if self.bias is None else y + self.bias[:, None, None]


@_module("Conv2DTranspose")
def _conv_transpose(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    kernel, strides, dilation = (_pair(config[key]) for key in ("kernel_size", "strides", "dilation_rate"))
    before = []
    for size, out, k, stride, d in zip(inputs[0], shape, kernel, strides, dilation, strict=False):
        reached = (size - 1) * stride + (k - 1) * d + 1
        before.append(max(reached - out, 0) // 2 if config["padding"] == "same" else 0)
    core = _Transposed(
        before, shape[:2], inputs[0][2], shape[2], kernel, strides, dilation=dilation, bias=bool(config["use_bias"])
    )
    return _activated(core, config)


class _Dense(nn.Linear):
    """A product with the last axis of striate's order."""

    def forward(self, x: Tensor) -> Tensor:
        return first(super().forward(last(x)))


@_module("Dense")
def _dense(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    return _activated(_Dense(inputs[0][-1], shape[-1], bias=bool(config["use_bias"])), config)


class _BatchNorm(nn.BatchNorm2d):
    """Batch normalisation over the channels of samples of any rank."""

    def _check_input_dim(self, input: Tensor) -> None:
        pass

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.movedim(-1, 1)).movedim(1, -1) if x.ndim == 3 else super().forward(x)


@_module("BatchNormalization")
def _batch_norm(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    if config["scale"] != config["center"]:
        raise ValueError("to_torch: PyTorch's batch normalisation has both scale and center or neither")
    return _BatchNorm(shape[-1], config["epsilon"], 1.0 - config["momentum"], affine=bool(config["scale"]))


class _LayerNorm(nn.LayerNorm):
    """Layer normalisation over the last axes of striate's order."""

    def forward(self, x: Tensor) -> Tensor:
        return first(super().forward(last(x)))


@_module("LayerNormalization")
def _layer_norm(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    count = 1 if isinstance(config["axis"], int) else len(config["axis"])
    return _LayerNorm(shape[-count:], config["epsilon"], bool(config["scale"]), bool(config["center"]))


@_module("GroupNormalization")
def _group_norm(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    groups = shape[-1] if config["groups"] == -1 else int(config["groups"])
    return nn.GroupNorm(groups, shape[-1], config["epsilon"], affine=bool(config["scale"]))


class _PReLU(nn.Module):
    """Slopes of any shape that is repeated along a sample; `weight` is in PyTorch's order."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(shape))

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(x < 0, x * self.weight, x)


@_module("PReLU")
def _prelu(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    shared = set(config["shared_axes"] or ())
    sizes = [1 if axis + 1 in shared else size for axis, size in enumerate(shape)]
    return _PReLU((sizes[2], sizes[0], sizes[1]) if len(sizes) == 3 else tuple(sizes))


@_module("Activation", "Softmax")
def _activation(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    return Function(_ACTIVATIONS[config.get("activation") or "softmax"])


def _rectified(x: Tensor, high: float | None, slope: float, threshold: float) -> Tensor:
    y = torch.where(x < threshold, slope * (x - threshold), x)
    return y if high is None else torch.clamp(y, max=high)


@_module("ReLU", "LeakyReLU", "ELU")
def _rectifier(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    if "alpha" in config:
        return Function(partial(F.elu, alpha=float(config["alpha"])))
    slope = float(config["negative_slope"])
    if "max_value" not in config:
        return Function(partial(F.leaky_relu, negative_slope=slope))
    return Function(partial(_rectified, high=config["max_value"], slope=slope, threshold=float(config["threshold"])))


def _max_pool(x: Tensor, around: Sequence[int], size: Any, strides: Any) -> Tensor:
    return F.max_pool2d(F.pad(x, list(around), value=-torch.inf), size, strides)


def _average_pool(x: Tensor, around: Sequence[int], size: Any, strides: Any) -> Tensor:
    total = F.avg_pool2d(F.pad(x, list(around)), size, strides)
    if not any(around):
        return total
    return total / F.avg_pool2d(F.pad(torch.ones_like(x[:1, :1]), list(around)), size, strides)


def _pooling(
    config: dict[str, Any], inputs: Sequence[Shape], shape: Shape, pool: Callable[..., Tensor] = _average_pool
) -> nn.Module:
    size = _pair(config["pool_size"])
    strides = size if config["strides"] is None else _pair(config["strides"])
    return Function(partial(pool, around=_around(config, inputs[0], size, strides), size=size, strides=strides))


_MODULES["AveragePooling2D"] = _pooling
_MODULES["MaxPooling2D"] = partial(_pooling, pool=_max_pool)


def _global_pool(x: Tensor, largest: bool, keep: bool) -> Tensor:
    return x.amax((2, 3), keepdim=keep) if largest else x.mean((2, 3), keepdim=keep)


_MODULES["GlobalMaxPooling2D"] = lambda c, i, s: Function(partial(_global_pool, largest=True, keep=c["keepdims"]))
_MODULES["GlobalAveragePooling2D"] = lambda c, i, s: Function(partial(_global_pool, largest=False, keep=c["keepdims"]))


def _reshaped(x: Tensor, shape: Shape) -> Tensor:
    return first(last(x).reshape(x.shape[0], *shape))


@_module("Flatten", "Reshape")
def _reshape(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    return Function(partial(_reshaped, shape=shape))


def _permuted(x: Tensor, dims: Sequence[int]) -> Tensor:
    return first(last(x).permute(0, *dims))


_MODULES["Permute"] = lambda config, i, s: Function(partial(_permuted, dims=config["dims"]))


def _take(x: Tensor, indices: Sequence[int], axis: int) -> Tensor:
    return first(last(x).index_select(axis, torch.tensor(indices, device=x.device)))


@_module("Take")
def _taken(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    axis = int(config["axis"])
    return Function(partial(_take, indices=config["indices"], axis=axis if axis > 0 else axis + len(shape) + 1))


@_module("ZeroPadding2D", "Cropping2D")
def _border(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    top, bottom, left, right = config.get("padding") or [-n for n in config["cropping"]]
    return Function(partial(F.pad, pad=[left, right, top, bottom]))


@_module("UpSampling2D", "Resizing")
def _resize(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    linear = config["interpolation"] == "bilinear"
    mode = "bilinear" if linear else "nearest-exact"
    return Function(partial(F.interpolate, size=shape[:2], mode=mode, align_corners=False if linear else None))


_MODULES["Dropout"] = lambda config, i, s: nn.Dropout(config["rate"])
_MODULES["SpatialDropout2D"] = lambda config, i, s: nn.Dropout2d(config["rate"])


class _Affine(nn.Module):
    """x times a scale plus an offset, constants for all elements or for each channel."""

    def __init__(self, scale: Any, offset: Any) -> None:
        super().__init__()
        for name, value in (("scale", scale), ("offset", offset)):
            self.register_buffer(name, torch.as_tensor(value, dtype=torch.float32), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return first(last(x) * self.scale + self.offset)


_MODULES["Rescaling"] = lambda config, i, s: _Affine(config["scale"], config["offset"])


@_module("Normalization")
def _normalization(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    mean, variance = (torch.as_tensor(config[key], dtype=torch.float64) for key in ("mean", "variance"))
    deviation = torch.clamp(variance.sqrt(), min=1e-7)
    return _Affine(deviation, mean) if config["invert"] else _Affine(1 / deviation, -mean / deviation)


def _merged(*inputs: Tensor, function: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    result = inputs[0]
    for other in inputs[1:]:
        result = function(result, other)
    return result


def _averaged(*inputs: Tensor) -> Tensor:
    return _merged(*inputs, function=torch.add) / len(inputs)


_MODULES["Average"] = lambda config, i, s: Function(_averaged)
_PAIRWISE = {"Add": torch.add, "Subtract": torch.sub, "Multiply": torch.mul}
_PAIRWISE |= {"Maximum": torch.maximum, "Minimum": torch.minimum}
for _kind, _function in _PAIRWISE.items():
    _MODULES[_kind] = lambda c, i, s, f=_function: Function(partial(_merged, function=f))  # type: ignore[misc]


def _concatenated(*inputs: Tensor, axis: int) -> Tensor:
    return first(torch.cat([last(x) for x in inputs], axis))


@_module("Concatenate")
def _concatenate(config: dict[str, Any], inputs: Sequence[Shape], shape: Shape) -> nn.Module:
    axis = int(config["axis"])
    return Function(partial(_concatenated, axis=axis if axis > 0 else axis + len(shape) + 1))


def _product(a: Tensor, b: Tensor, turned: bool) -> Tensor:
    a, b = last(a), last(b)
    return first(a @ (b.transpose(-1, -2) if turned else b))


_MODULES["MatMul"] = lambda config, i, s: Function(partial(_product, turned=config["transpose_b"]))
