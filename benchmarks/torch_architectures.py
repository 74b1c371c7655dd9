"""The bodies of architectures.py in PyTorch, and weights from striate's networks.

A convolution with a stride has `size // 2` rows of padding on both sides here, and `same` padding in striate. On maps
of an even size `same` pads one row less at the near side; PyTorch does not use the last row at the far side. One is the
mirror image of the other: with mirrored pictures and mirrored kernels both compute the same numbers. A 1x1 convolution
with stride 2 takes the first of two pixels in both, so that in mirrored pictures it has to take the second one.
`copy_weights` does both: it mirrors the kernels and shifts such convolutions. The comparison of values needs it; the
measurements run the modules as they are built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from architectures import CONVNEXT_TINY, DENSENET40, EFFICIENTNET_B0, MOBILENET_V2, RESNET50, RESNEXT29

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": lambda: nn.ReLU(inplace=True),
    "relu6": lambda: nn.ReLU6(inplace=True),
    "silu": lambda: nn.SiLU(inplace=True),
}


def unit(channels: int, filters: int, size: int = 1, strides: int = 1, activation: str | None = "relu",
         epsilon: float = 1e-5, groups: int = 1) -> list[nn.Module]:  # fmt: skip
    modules: list[nn.Module] = [
        nn.Conv2d(channels, filters, size, strides, size // 2, groups=groups, bias=False),
        nn.BatchNorm2d(filters, epsilon),
    ]
    return modules if activation is None else [*modules, ACTIVATIONS[activation]()]


def averaged(features: int, *modules: nn.Module) -> nn.Sequential:
    body = nn.Sequential(*modules, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    body.features = features
    return body


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int, squeezed: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, squeezed, 1), nn.SiLU(inplace=True),
            nn.Conv2d(squeezed, channels, 1), nn.Sigmoid())  # fmt: skip

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


class Inverted(nn.Module):
    def __init__(self, channels: int, expansion: int, filters: int, size: int, strides: int, activation: str,
                 squeezed: int = 0) -> None:  # fmt: skip
        super().__init__()
        wide = expansion * channels
        modules = unit(channels, wide, 1, 1, activation, 1e-3) if expansion != 1 else []
        modules += unit(wide, wide, size, strides, activation, 1e-3, groups=wide)
        if squeezed:
            modules.append(SqueezeExcite(wide, squeezed))
        self.body = nn.Sequential(*modules, *unit(wide, filters, 1, 1, None, 1e-3))
        self.sums = strides == 1 and channels == filters

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.body(x)
        return x + y if self.sums else y


def mobilenet_v2(channels: int) -> nn.Module:
    modules = unit(channels, 32, 3, 2, "relu6", 1e-3)
    channels = 32
    for expansion, filters, blocks, strides in MOBILENET_V2:
        for block in range(blocks):
            modules.append(Inverted(channels, expansion, filters, 3, 1 if block else strides, "relu6"))
            channels = filters
    return averaged(1280, *modules, *unit(channels, 1280, 1, 1, "relu6", 1e-3))


def efficientnet_b0(channels: int) -> nn.Module:
    modules = unit(channels, 32, 3, 2, "silu", 1e-3)
    channels = 32
    for expansion, filters, blocks, strides, size in EFFICIENTNET_B0:
        for block in range(blocks):
            modules.append(
                Inverted(channels, expansion, filters, size, 1 if block else strides, "silu", squeezed=channels // 4)
            )
            channels = filters
    return averaged(1280, *modules, *unit(channels, 1280, 1, 1, "silu", 1e-3))


class Bottleneck(nn.Module):
    def __init__(self, channels: int, width: int, filters: int, strides: int, groups: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            *unit(channels, width),
            *unit(width, width, 3, strides, groups=groups),
            *unit(width, filters, activation=None),
        )
        plain = strides == 1 and channels == filters
        self.side = nn.Identity() if plain else nn.Sequential(*unit(channels, filters, 1, strides, None))
        self.strides, self.mirrored = strides, False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        side = x
        if self.mirrored and self.strides == 2:
            side = x[:, :, 1 - x.shape[2] % 2 :, 1 - x.shape[3] % 2 :]
        return torch.relu_(self.main(x) + self.side(side))


def resnet50(channels: int) -> nn.Module:
    modules = [*unit(channels, 64, 7, 2), nn.MaxPool2d(3, 2, 1)]
    channels = 64
    for stage, (width, blocks) in enumerate(RESNET50):
        for block in range(blocks):
            modules.append(Bottleneck(channels, width, 4 * width, 2 if stage and not block else 1, 1))
            channels = 4 * width
    return averaged(channels, *modules)


def resnext(channels: int) -> nn.Module:
    modules = unit(channels, 64, 3)
    channels = 64
    for stage, (width, blocks) in enumerate(RESNEXT29):
        for block in range(blocks):
            modules.append(Bottleneck(channels, width, 2 * width, 2 if stage and not block else 1, 32))
            channels = 2 * width
    return averaged(channels, *modules)


class ChannelsLast(nn.Module):
    """Runs a module on (N, H, W, C)."""

    def __init__(self, *modules: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*modules)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Scale(nn.Module):
    """A trainable factor for each channel of (N, H, W, C)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.full((width,), 1e-6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.factor * x


class ConvNeXtBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.pointwise = ChannelsLast(
            nn.LayerNorm(width, 1e-6), nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width), Scale(width)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.pointwise(self.depthwise(x))


def convnext_tiny(channels: int) -> nn.Module:
    modules: list[nn.Module] = []
    for stage, (width, blocks) in enumerate(CONVNEXT_TINY):
        if stage == 0:
            modules += [nn.Conv2d(channels, width, 4, 4), ChannelsLast(nn.LayerNorm(width, 1e-6))]
        else:
            modules += [ChannelsLast(nn.LayerNorm(channels, 1e-6)), nn.Conv2d(channels, width, 2, 2)]
        modules += [ConvNeXtBlock(width) for _ in range(blocks)]
        channels = width
    body = averaged(channels, *modules)
    body.append(nn.LayerNorm(channels, 1e-6))
    return body


class DenseLayer(nn.Module):
    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, growth, 3, padding=1, bias=False)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.body(x)], dim=1)


def densenet40(channels: int) -> nn.Module:
    growth, layers, blocks = DENSENET40
    modules: list[nn.Module] = [nn.Conv2d(channels, 16, 3, padding=1, bias=False)]
    channels = 16
    for block in range(blocks):
        if block:
            modules += [nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, channels, 1, bias=False),
                        nn.AvgPool2d(2)]  # fmt: skip
        for _ in range(layers):
            modules.append(DenseLayer(channels, growth))
            channels += growth
    return averaged(channels, *modules, nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


BODIES: dict[str, Callable[[int], nn.Module]] = {
    body.__name__: body for body in (mobilenet_v2, efficientnet_b0, resnet50, resnext, convnext_tiny, densenet40)
}


def pairs(model: Any, module: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """The names of the trainable weights of a striate model, each with the parameter of the same network here.

    Both list them in the order of the computation.

    Raises:
        ValueError: the networks have different numbers or sizes of weights.
    """
    infos = [info for info in model._network.parameters if info.trainable]
    parameters = list(module.parameters())
    if len(infos) != len(parameters):
        raise ValueError(f"the model has {len(infos)} trainable weights, the module has {len(parameters)}")
    for info, parameter in zip(infos, parameters, strict=True):
        if math.prod(info.shape) != parameter.numel():
            raise ValueError(f"{info.name} has shape {info.shape}, the module's weight has {tuple(parameter.shape)}")
    return [(info.name, parameter) for info, parameter in zip(infos, parameters, strict=True)]


def in_torch_layout(name: str, value: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A weight of striate or its gradient in PyTorch's order of axes, kernels mirrored, in the given shape."""
    if value.ndim == 4:
        axes = (2, 3, 0, 1) if name.rpartition("/")[2] == "depthwise_kernel" else (3, 2, 0, 1)
        value = value[::-1, ::-1].transpose(axes)
    elif value.ndim == 2:
        value = value.T
    return np.ascontiguousarray(value).reshape(tuple(shape))


def copy_weights(model: Any, module: nn.Module) -> None:
    """Gives the module the trainable weights of the striate model, for mirrored pictures; see the top of this file."""
    weights = model.state_dict()
    with torch.no_grad():
        for name, parameter in pairs(model, module):
            parameter.copy_(torch.from_numpy(in_torch_layout(name, weights[name], parameter.shape)))
    for part in module.modules():
        if isinstance(part, Bottleneck):
            part.mirrored = True


def mirrored(x: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W, C) as (N, C, H, W), mirrored in both directions."""
    return np.ascontiguousarray(x[:, ::-1, ::-1].transpose(0, 3, 1, 2))
