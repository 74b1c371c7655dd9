"""Networks for pixels and boxes on the maps of any network."""

from __future__ import annotations

import itertools
import operator
from collections.abc import Sequence
from typing import Any

from striate import layers
from striate._backbones import body_of, maps_of, of_stride, set_prior
from striate.layers import Symbol
from striate.model import Model

_MOMENTUM, _EPSILON = 0.9, 1e-5


def _conv(x: Symbol, filters: int, size: int, name: str, rate: int = 1, relu: bool = True) -> Symbol:
    options: dict[str, Any] = {"padding": "same", "use_bias": False, "kernel_initializer": "he_normal"}
    x = layers.Conv2D(filters, size, dilation_rate=rate, name=f"{name}_conv", **options)(x)
    x = layers.BatchNormalization(momentum=_MOMENTUM, epsilon=_EPSILON, name=f"{name}_bn")(x)
    return layers.ReLU(name=f"{name}_relu")(x) if relu else x


def _checked(backbone: Model, who: str, **counts: int) -> None:
    for name, value in counts.items():
        if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < 1:
            raise ValueError(f"{who} expects {name} to be a whole number of at least 1, got {value!r}")
    if not isinstance(backbone, Model):
        raise TypeError(f"{who} expects a model such as models.resnet50(), got {type(backbone).__name__}")
    if len(backbone.inputs) != 1 or len(backbone.outputs) != 1 or len(backbone.input_shape) != 4:
        raise ValueError(f"{who} expects a backbone with one input, pictures, and one output")


def deeplabv3(
    backbone: Model,
    classes: int = 2,
    stride: int = 16,
    filters: int = 256,
    rates: Sequence[int] = (6, 12, 18),
    dropout: float = 0.1,
    seed: int | None = None,
) -> Model:
    """DeepLabv3 on the maps of a network: convolutions with several dilation rates and a mean over the picture, side by
    side, then the logits of each pixel, enlarged to the input's size.

    As in L.-C. Chen, G. Papandreou, F. Schroff and H. Adam, "Rethinking Atrous Convolution for Semantic Image
    Segmentation", 2017. The backbone keeps its strides; its layers, with their weights, become part of the result.

    Args:
        backbone: a network with one input, pictures, such as `models.resnet50((256, 256, 3))`; what follows its
            last map of that stride is left out.
        classes: number of outputs a pixel, the background among them; 1 for one class against the background.
        stride: pixels of the picture between two of the map that is read.
        filters: of each convolution of the head.
        rates: dilation rates of the 3×3 convolutions.
        dropout: share dropped before the last convolutions.
        seed: seed of the head's weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, height, width, classes): compile it with
        `SparseCategoricalCrossentropy(from_logits=True)` and labels (N, height, width).

    Raises:
        TypeError: the backbone is not a model.
        ValueError: an argument does not fit, or the backbone has no map of that stride.
    """
    who = "models.deeplabv3"
    _checked(backbone, who, classes=classes, stride=stride, filters=filters)
    x = of_stride(maps_of(body_of(backbone, who), who), backbone.input_shape, stride, who)
    rows, columns = (int(size or 1) for size in x.shape[1:3])
    parts = [_conv(x, filters, 1, "aspp0")]
    parts += [_conv(x, filters, 3, f"aspp{i + 1}", operator.index(rate)) for i, rate in enumerate(rates)]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name="aspp_mean")(x)
    mean = _conv(mean, filters, 1, "aspp_mean")
    parts.append(layers.UpSampling2D((rows, columns), name="aspp_spread")(mean))
    x = _conv(layers.Concatenate(name="aspp")(parts), filters, 1, "aspp_join")
    if dropout:
        x = layers.Dropout(dropout, name="aspp_dropout")(x)
    x = _conv(x, filters, 3, "decoder")
    x = layers.Conv2D(classes, 1, name="logits")(x)
    height, width = (int(size or 1) for size in backbone.input_shape[1:3])
    return Model(backbone.inputs, layers.Resizing(height, width, name="enlarged")(x), seed=seed, name="deeplabv3")


def pyramid_detector(
    backbone: Model,
    classes: int = 1,
    strides: Sequence[int] = (8, 16, 32),
    filters: int = 128,
    depth: int = 1,
    seed: int | None = None,
) -> Model:
    """A one-stage detector on a feature pyramid: the coarse maps of a network are enlarged and added to the finer ones,
    and each map of the pyramid tells, for every pixel, of a box, of an object being there, and of its class.

    After T.-Y. Lin et al., "Feature Pyramid Networks for Object Detection", CVPR 2017, with the head, without anchors,
    of `models.detector`. The backbone's layers, with their weights, become part of the result.

    Args:
        backbone: a network with one input, pictures, such as `models.mobilenet_v2((256, 256, 3))`; what follows its
            last map is left out.
        classes: number of classes, C; there is none for the background.
        strides: pixels of the picture between two of each map, each twice the one before. The width must be a multiple
            of the last one, the height of the first one times 4 for each that follows: 8, 16 and 32 take multiples of
            128 × 32.
        filters: of each map of the pyramid.
        depth: 3×3 convolutions of each head.
        seed: seed of the new weights.

    Returns:
        A model from (N, height, width, channels) to (N, rows, width / strides[0], 5 + C), as `models.detector` has it:
        compile it with `DetectionLoss(strides)`; `detection.decode` makes boxes of the output.

    Raises:
        TypeError: the backbone is not a model.
        ValueError: an argument does not fit, or the backbone has no map of a stride.
    """
    who = "models.pyramid_detector"
    _checked(backbone, who, classes=classes, filters=filters, depth=depth)
    steps = [operator.index(stride) for stride in strides]
    if not steps or any(b != 2 * a for a, b in itertools.pairwise(steps)):
        raise ValueError(f"{who} expects strides that double from each to the next, got {tuple(strides)}")
    height, width = (int(size or 1) for size in backbone.input_shape[1:3])
    rows = steps[0] << (2 * (len(steps) - 1))
    if height % rows or width % steps[-1]:
        raise ValueError(
            f"{who} with strides {tuple(steps)} expects a height in multiples of {rows} and a width in multiples of "
            f"{steps[-1]}, got {height} x {width}"
        )
    found = maps_of(body_of(backbone, who), who)
    maps = [of_stride(found, backbone.input_shape, stride, who) for stride in steps]
    above: Symbol | None = None
    ends: list[Symbol] = []
    for stride, x in zip(reversed(steps), reversed(maps), strict=True):
        name = f"stride{stride}"
        x = _conv(x, filters, 1, f"{name}_side", relu=False)
        if above is not None:
            larger = layers.UpSampling2D(2, name=f"{name}_up")(above)
            x = layers.Add(name=f"{name}_sum")([x, larger])
        above = x
        for i in range(depth):
            x = _conv(x, filters, 3, f"{name}_{i}")
        x = layers.Conv2D(5 + classes, 1, name=f"{name}_boxes")(x)
        ends.insert(0, layers.Reshape((-1, width // steps[0], 5 + classes), name=f"{name}_rows")(x))
    end = layers.Concatenate(axis=1, name="maps")(ends) if len(ends) > 1 else ends[0]
    model = Model(backbone.inputs, end, seed=seed, name="pyramid_detector")
    set_prior(model, "stride")
    return model
