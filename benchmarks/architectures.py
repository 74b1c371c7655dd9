"""Bodies of well-known networks in Keras's vocabulary, for striate and for Keras; torch_architectures.py has the same.

A body maps a picture to a vector of features: the last layer is the average over the map. Dropout and stochastic depth
are left out, so that one training step has one result in every framework. Downsampling convolutions have `same`
padding; see torch_architectures.py for PyTorch's padding.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

# Expansion, channels, blocks and stride of the first block: table 2 of the MobileNetV2 paper.
MOBILENET_V2 = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
# The same and the size of the window: table 1 of the EfficientNet paper.
EFFICIENTNET_B0 = ((1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5),
                   (6, 192, 4, 2, 5), (6, 320, 1, 1, 3))  # fmt: skip
RESNET50 = ((64, 3), (128, 4), (256, 6), (512, 3))  # width and blocks of a stage
RESNEXT29 = ((128, 3), (256, 3), (512, 3))
CONVNEXT_TINY = ((96, 3), (192, 3), (384, 9), (768, 3))
DENSENET40 = (12, 12, 3)  # channels that a layer adds, layers of a block, blocks


def _unit(x: Any, L: Any, filters: int, size: int = 1, strides: int = 1, activation: str | None = "relu",
          epsilon: float = 1e-5, groups: int = 1) -> Any:  # fmt: skip
    """Convolution without bias, batch normalisation, activation; depthwise where `groups` is 0."""
    if groups == 0:
        x = L.DepthwiseConv2D(size, strides=strides, padding="same", use_bias=False)(x)
    else:
        x = L.Conv2D(filters, size, strides=strides, padding="same", groups=groups, use_bias=False)(x)
    x = L.BatchNormalization(epsilon=epsilon)(x)
    return x if activation is None else L.Activation(activation)(x)


def _inverted(x: Any, L: Any, expansion: int, filters: int, size: int, strides: int, activation: str,
              squeezed: int = 0) -> Any:  # fmt: skip
    """1x1 to a wide map, depthwise, squeeze-and-excite with `squeezed` channels, 1x1 to a narrow map."""
    before, channels = x, x.shape[-1]
    if expansion != 1:
        x = _unit(x, L, expansion * channels, 1, 1, activation, 1e-3)
    x = _unit(x, L, 0, size, strides, activation, 1e-3, groups=0)
    if squeezed:
        wide = x.shape[-1]
        gate = L.GlobalAveragePooling2D(keepdims=True)(x)
        gate = L.Activation(activation)(L.Conv2D(squeezed, 1)(gate))
        gate = L.Activation("sigmoid")(L.Conv2D(wide, 1)(gate))
        x = L.Multiply()([x, gate])
    x = _unit(x, L, filters, 1, 1, None, 1e-3)
    return L.Add()([before, x]) if strides == 1 and channels == filters else x


def mobilenet_v2(x: Any, framework: ModuleType) -> Any:
    """Sandler et al.: MobileNetV2: Inverted Residuals and Linear Bottlenecks. CVPR 2018."""
    L = framework.layers
    x = _unit(x, L, 32, 3, 2, "relu6", 1e-3)
    for expansion, filters, blocks, strides in MOBILENET_V2:
        for block in range(blocks):
            x = _inverted(x, L, expansion, filters, 3, 1 if block else strides, "relu6")
    return L.GlobalAveragePooling2D()(_unit(x, L, 1280, 1, 1, "relu6", 1e-3))


def efficientnet_b0(x: Any, framework: ModuleType) -> Any:
    """Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks. ICML 2019."""
    L = framework.layers
    x = _unit(x, L, 32, 3, 2, "silu", 1e-3)
    for expansion, filters, blocks, strides, size in EFFICIENTNET_B0:
        for block in range(blocks):
            x = _inverted(x, L, expansion, filters, size, 1 if block else strides, "silu", x.shape[-1] // 4)
    return L.GlobalAveragePooling2D()(_unit(x, L, 1280, 1, 1, "silu", 1e-3))


def _bottleneck(x: Any, L: Any, width: int, filters: int, strides: int, groups: int) -> Any:
    """1x1, 3x3 (which has the stride), 1x1 and a sum with the input or, where the shape changes, a 1x1 of it."""
    y = _unit(x, L, width)
    y = _unit(y, L, width, 3, strides, groups=groups)
    y = _unit(y, L, filters, activation=None)
    if strides != 1 or x.shape[-1] != filters:
        x = _unit(x, L, filters, 1, strides, None)
    return L.Activation("relu")(L.Add()([y, x]))


def resnet50(x: Any, framework: ModuleType) -> Any:
    """He et al.: Deep Residual Learning for Image Recognition. CVPR 2016.

    The 3x3 convolution of a block has the stride, as in most implementations; in the paper the first 1x1 has it.
    """
    L = framework.layers
    x = _unit(x, L, 64, 7, 2)
    x = L.MaxPooling2D(3, strides=2, padding="same")(x)
    for stage, (width, blocks) in enumerate(RESNET50):
        for block in range(blocks):
            x = _bottleneck(x, L, width, 4 * width, 2 if stage and not block else 1, 1)
    return L.GlobalAveragePooling2D()(x)


def resnext(x: Any, framework: ModuleType) -> Any:
    """Xie et al.: Aggregated Residual Transformations for Deep Neural Networks. CVPR 2017.

    ResNeXt-29 for pictures of 32x32, with 32 groups of 4, 8 and 16 channels in its three stages.
    """
    L = framework.layers
    x = _unit(x, L, 64, 3)
    for stage, (width, blocks) in enumerate(RESNEXT29):
        for block in range(blocks):
            x = _bottleneck(x, L, width, 2 * width, 2 if stage and not block else 1, 32)
    return L.GlobalAveragePooling2D()(x)


def convnext_tiny(x: Any, framework: ModuleType) -> Any:
    """Liu et al.: A ConvNet for the 2020s. CVPR 2022.

    The scale of a block's channels is a depthwise 1x1 convolution without bias: one trainable factor a channel.
    """
    L, start = framework.layers, framework.initializers.Constant(1e-6)
    for stage, (width, blocks) in enumerate(CONVNEXT_TINY):
        if stage == 0:
            x = L.LayerNormalization(epsilon=1e-6)(L.Conv2D(width, 4, strides=4)(x))
        else:
            x = L.Conv2D(width, 2, strides=2)(L.LayerNormalization(epsilon=1e-6)(x))
        for _ in range(blocks):
            y = L.LayerNormalization(epsilon=1e-6)(L.DepthwiseConv2D(7, padding="same")(x))
            y = L.Conv2D(width, 1)(L.Activation("gelu")(L.Conv2D(4 * width, 1)(y)))
            y = L.DepthwiseConv2D(1, use_bias=False, depthwise_initializer=start)(y)
            x = L.Add()([x, y])
    return L.LayerNormalization(epsilon=1e-6)(L.GlobalAveragePooling2D()(x))


def densenet40(x: Any, framework: ModuleType) -> Any:
    """Huang et al.: Densely Connected Convolutional Networks. CVPR 2017. L = 40, k = 12, without bottlenecks."""
    L = framework.layers

    def ready(x: Any) -> Any:
        return L.Activation("relu")(L.BatchNormalization(epsilon=1e-5)(x))

    growth, layers, blocks = DENSENET40
    x = L.Conv2D(16, 3, padding="same", use_bias=False)(x)
    for block in range(blocks):
        if block:
            x = L.AveragePooling2D(2)(L.Conv2D(x.shape[-1], 1, use_bias=False)(ready(x)))
        for _ in range(layers):
            x = L.Concatenate()([x, L.Conv2D(growth, 3, padding="same", use_bias=False)(ready(x))])
    return L.GlobalAveragePooling2D()(ready(x))


BODIES: dict[str, Callable[[Any, ModuleType], Any]] = {
    body.__name__: body for body in (mobilenet_v2, efficientnet_b0, resnet50, resnext, convnext_tiny, densenet40)
}
