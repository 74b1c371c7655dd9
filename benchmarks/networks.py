"""The networks of the benchmarks, described once and built in each framework.

A network is a list of rows; strings and numbers only, so that no framework's defaults can slip in between. All
convolutions are 3x3 with `same` padding and stride 1 unless a row says otherwise. The row `body` names a network of
architectures.py up to its features.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from architectures import BODIES

Row = tuple[Any, ...]


@dataclass(frozen=True)
class Network:
    name: str
    input_shape: tuple[int, int, int]
    batch: int
    classes: int
    rows: tuple[Row, ...]
    what: str
    maps: bool = False  # a class for each pixel


def _course() -> tuple[Row, ...]:
    rows: list[Row] = []
    for filters in (16, 32, 64):
        rows += [("conv", filters), ("bn",), ("relu",), ("pool",)]
    return (*rows, ("flatten",), ("dense", 64), ("relu",), ("dense", 10))


def _vgg() -> tuple[Row, ...]:
    rows: list[Row] = []
    for filters in (64, 128, 256):
        rows += [("conv", filters), ("relu",), ("conv", filters), ("relu",), ("pool",)]
    return (*rows, ("flatten",), ("dense", 256), ("relu",), ("dense", 10))


def _resnet18() -> tuple[Row, ...]:
    rows: list[Row] = [("conv-nobias", 64, 1), ("bn",), ("relu",)]
    for stage, filters in enumerate((64, 128, 256, 512)):
        for block in range(2):
            rows.append(("residual", filters, 2 if stage > 0 and block == 0 else 1))
    return (*rows, ("global-average",), ("dense", 10))


NETWORKS = {
    n.name: n
    for n in (
        Network("tiny", (8, 8, 1), 32, 10,
                (("conv", 8), ("relu",), ("pool",), ("conv", 16), ("relu",), ("pool",), ("flatten",), ("dense", 10)),
                "two small convolutions on 8x8 digits"),
        Network("lenet", (28, 28, 1), 64, 10,
                (("conv-valid", 32), ("relu",), ("pool",), ("conv-valid", 64), ("relu",), ("pool",), ("flatten",),
                 ("dense", 128), ("relu",), ("dense", 10)),
                "LeNet's plan with 32 and 64 3x3 filters on 28x28"),
        Network("course", (64, 64, 1), 32, 10, _course(), "three times convolution, BN, ReLU, pool on 64x64"),
        Network("vgg", (32, 32, 3), 64, 10, _vgg(), "VGG 64-64-128-128-256-256 on 32x32"),
        Network("resnet18", (32, 32, 3), 32, 10, _resnet18(), "ResNet-18 with a 3x3 stem on 32x32"),
        Network("unet", (128, 128, 1), 4, 2, (("unet", 16, 4), ("conv-1x1", 2)),
                "U-Net with 16 to 256 filters on 128x128", maps=True),
        Network("detector", (128, 128, 3), 16, 10, (("detector", (8, 16)),),
                "detector 16-32-64-128 with strides 8 and 16 on 128x128, with its loss"),
        Network("mobilenet_v2", (96, 96, 3), 32, 1000, (("body", "mobilenet_v2"), ("dense", 1000)),
                "MobileNetV2 on 96x96"),
        Network("mobilenet_v2_224", (224, 224, 3), 8, 1000, (("body", "mobilenet_v2"), ("dense", 1000)),
                "MobileNetV2 on 224x224"),
        Network("efficientnet_b0", (96, 96, 3), 16, 1000, (("body", "efficientnet_b0"), ("dense", 1000)),
                "EfficientNet-B0 (squeeze-and-excite, SiLU) on 96x96"),
        Network("resnet50", (224, 224, 3), 4, 1000, (("body", "resnet50"), ("dense", 1000)), "ResNet-50 on 224x224"),
        Network("resnext", (32, 32, 3), 32, 10, (("body", "resnext"), ("dense", 10)),
                "ResNeXt-29 with 32 groups of 4, 8 and 16 channels on 32x32"),
        Network("convnext_tiny", (64, 64, 3), 16, 1000, (("body", "convnext_tiny"), ("dense", 1000)),
                "ConvNeXt-T (7x7 depthwise, LayerNorm, GELU) on 64x64"),
        Network("densenet40", (32, 32, 3), 64, 10, (("body", "densenet40"), ("dense", 10)),
                "DenseNet with 40 layers and 12 new channels a layer on 32x32"),
    )
}  # fmt: skip


def _unet(x: Any, base: int, depth: int, L: Any, conv: Callable[..., Any]) -> Any:
    """The body of a U-Net in Keras's vocabulary, up to the last map of `base` channels."""

    def done(x: Any) -> Any:
        return L.ReLU()(L.BatchNormalization()(x))

    def twice(x: Any, filters: int) -> Any:
        return done(conv(done(conv(x, filters, bias=False)), filters, bias=False))

    skips = []
    for scale in range(depth):
        x = twice(x, base * 2**scale)
        skips.append(x)
        x = L.MaxPooling2D(2)(x)
    x = twice(x, base * 2**depth)
    for scale in reversed(range(depth)):
        x = done(L.Conv2DTranspose(base * 2**scale, 2, strides=2, use_bias=False)(x))
        x = twice(L.Concatenate()([skips[scale], x]), base * 2**scale)
    return x


def strides_of(network: Network) -> tuple[int, ...]:
    """The strides of a detector, else none."""
    return tuple(network.rows[0][1]) if network.rows[0][0] == "detector" else ()


def striate_loss(network: Network) -> Any:
    """What the network is trained with."""
    from striate import losses

    strides = strides_of(network)
    return losses.DetectionLoss(strides) if strides else losses.SparseCategoricalCrossentropy(from_logits=True)


def build_striate(network: Network, seed: int = 0) -> Any:
    import striate as st
    from striate import layers as L

    if strides_of(network):
        return st.models.detector(network.input_shape, network.classes, strides=strides_of(network), seed=seed)
    x = inputs = L.Input(network.input_shape)

    def conv(x: Any, filters: int, size: int = 3, strides: int = 1, padding: str = "same", bias: bool = True) -> Any:
        return L.Conv2D(filters, size, strides=strides, padding=padding, use_bias=bias)(x)

    def residual(x: Any, filters: int, strides: int) -> Any:
        y = L.ReLU()(L.BatchNormalization()(conv(x, filters, 3, strides, bias=False)))
        y = L.BatchNormalization()(conv(y, filters, bias=False))
        if strides != 1 or x.shape[-1] != filters:
            x = L.BatchNormalization()(conv(x, filters, 1, strides, bias=False))
        return L.ReLU()(L.Add()([y, x]))

    for kind, *args in network.rows:
        if kind == "body":
            x = BODIES[args[0]](x, st)
        elif kind == "unet":
            x = _unet(x, *args, L, conv)
        elif kind == "conv-1x1":
            x = conv(x, args[0], 1)
        elif kind == "conv":
            x = conv(x, *args)
        elif kind == "conv-valid":
            x = conv(x, *args, padding="valid")
        elif kind == "conv-nobias":
            x = conv(x, args[0], 3, args[1], bias=False)
        elif kind == "residual":
            x = residual(x, *args)
        elif kind == "dense":
            x = L.Dense(*args)(x)
        else:
            layer = {"bn": L.BatchNormalization, "relu": L.ReLU, "flatten": L.Flatten,
                     "global-average": L.GlobalAveragePooling2D}.get(kind)  # fmt: skip
            x = layer()(x) if layer else L.MaxPooling2D(2)(x)
    return st.Model(inputs, x, seed=seed)


def build_torch(network: Network) -> Any:
    import torch
    from torch import nn

    if strides_of(network):
        import torch_detector

        return torch_detector.Detector(network.input_shape, network.classes, strides_of(network))

    class Residual(nn.Module):
        def __init__(self, channels: int, filters: int, strides: int) -> None:
            super().__init__()
            self.main = nn.Sequential(
                nn.Conv2d(channels, filters, 3, strides, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(inplace=True),
                nn.Conv2d(filters, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters))  # fmt: skip
            plain = strides == 1 and channels == filters
            self.side = nn.Identity() if plain else nn.Sequential(
                nn.Conv2d(channels, filters, 1, strides, bias=False), nn.BatchNorm2d(filters))  # fmt: skip

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu_(self.main(x) + self.side(x))

    def twice(channels: int, filters: int) -> list[nn.Module]:
        modules: list[nn.Module] = []
        for before in (channels, filters):
            modules += [nn.Conv2d(before, filters, 3, 1, 1, bias=False), nn.BatchNorm2d(filters), nn.ReLU(inplace=True)]
        return modules

    class UNet(nn.Module):
        def __init__(self, channels: int, base: int, depth: int) -> None:
            super().__init__()
            widths = [base * 2**scale for scale in range(depth + 1)]
            self.down = nn.ModuleList(
                nn.Sequential(*twice(before, width)) for before, width in zip((channels, *widths), widths, strict=False)
            )
            self.larger = nn.ModuleList(
                nn.Sequential(nn.ConvTranspose2d(2 * width, width, 2, 2, bias=False), nn.BatchNorm2d(width),
                              nn.ReLU(inplace=True))
                for width in widths[:-1]
            )  # fmt: skip
            self.up = nn.ModuleList(nn.Sequential(*twice(2 * width, width)) for width in widths[:-1])
            self.pool = nn.MaxPool2d(2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            skips = []
            for scale, block in enumerate(self.down):
                x = block(self.pool(x) if scale else x)
                skips.append(x)
            for scale in reversed(range(len(self.up))):
                x = self.up[scale](torch.cat([skips[scale], self.larger[scale](x)], dim=1))
            return x

    height, width, channels = network.input_shape
    modules: list[Any] = []
    features = 0
    for kind, *args in network.rows:
        if kind in ("conv", "conv-valid", "conv-nobias"):
            padding = 0 if kind == "conv-valid" else 1
            modules.append(nn.Conv2d(channels, args[0], 3, padding=padding, bias=kind != "conv-nobias"))
            channels, height, width = args[0], height - 2 + 2 * padding, width - 2 + 2 * padding
        elif kind == "conv-1x1":
            modules.append(nn.Conv2d(channels, args[0], 1))
        elif kind == "unet":
            modules.append(UNet(channels, *args))
            channels = args[0]
        elif kind == "body":
            import torch_architectures

            modules.append(torch_architectures.BODIES[args[0]](channels))
            features = modules[-1].features
        elif kind == "residual":
            modules.append(Residual(channels, *args))
            channels, height, width = args[0], -(-height // args[1]), -(-width // args[1])
        elif kind == "pool":
            modules.append(nn.MaxPool2d(2))
            height, width = height // 2, width // 2
        elif kind == "flatten":
            modules.append(nn.Flatten())
            features = channels * height * width
        elif kind == "global-average":
            modules += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
            features = channels
        elif kind == "dense":
            modules.append(nn.Linear(features, args[0]))
            features = args[0]
        else:
            modules.append(nn.BatchNorm2d(channels) if kind == "bn" else nn.ReLU(inplace=True))
    return nn.Sequential(*modules)


def build_keras(network: Network) -> Any:
    import keras
    from keras import Input, Model
    from keras import layers as L

    if strides_of(network):
        raise SystemExit("no detector is written for Keras")
    x = inputs = Input(network.input_shape)

    def conv(x: Any, filters: int, size: int = 3, strides: int = 1, padding: str = "same", bias: bool = True) -> Any:
        return L.Conv2D(filters, size, strides=strides, padding=padding, use_bias=bias)(x)

    def residual(x: Any, filters: int, strides: int) -> Any:
        y = L.ReLU()(L.BatchNormalization()(conv(x, filters, 3, strides, bias=False)))
        y = L.BatchNormalization()(conv(y, filters, bias=False))
        if strides != 1 or x.shape[-1] != filters:
            x = L.BatchNormalization()(conv(x, filters, 1, strides, bias=False))
        return L.ReLU()(L.Add()([y, x]))

    for kind, *args in network.rows:
        if kind == "body":
            x = BODIES[args[0]](x, keras)
        elif kind == "residual":
            x = residual(x, *args)
        elif kind == "unet":
            x = _unet(x, *args, L, conv)
        elif kind == "conv-1x1":
            x = conv(x, args[0], 1)
        elif kind.startswith("conv"):
            strides = args[1] if kind == "conv-nobias" else 1
            padding = "valid" if kind == "conv-valid" else "same"
            x = conv(x, args[0], 3, strides, padding, bias=kind != "conv-nobias")
        elif kind == "dense":
            x = L.Dense(*args)(x)
        elif kind == "pool":
            x = L.MaxPooling2D(2)(x)
        else:
            layer = {"bn": L.BatchNormalization, "relu": L.ReLU, "flatten": L.Flatten,
                     "global-average": L.GlobalAveragePooling2D}[kind]  # fmt: skip
            x = layer()(x)
    return Model(inputs, x)
