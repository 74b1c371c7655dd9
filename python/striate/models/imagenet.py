"""Networks of ImageNet's pictures, which take torchvision's weights, and how their pictures are prepared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.interop import load_torch_state_dict
from striate.model import Model
from striate.models._building import build

IMAGENET_MEANS = (0.485, 0.456, 0.406)
"""Means of red, green and blue of ImageNet's pixels in [0, 1]."""
IMAGENET_DEVIATIONS = (0.229, 0.224, 0.225)
"""Standard deviations of red, green and blue of ImageNet's pixels in [0, 1]."""


def _network(arguments: dict[str, Any], who: str) -> Model:
    weights = arguments.pop("weights")
    rescale = arguments["rescale"]
    if isinstance(rescale, str) and rescale != "imagenet":
        raise ValueError(f"models.{who} expects rescale to be a number or 'imagenet', got {rescale!r}")
    arguments["imagenet_pixels"] = isinstance(rescale, str)
    arguments["rescale"] = None if isinstance(rescale, str) else rescale
    model = build(arguments, who)
    if isinstance(weights, Mapping) and any("/" in str(name) for name in weights):
        model.load_state_dict(dict(weights))
    elif weights is not None:
        load_torch_state_dict(model, weights)
    return model


def resnet50(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """ResNet-50: sixteen residual blocks of 1×1, 3×3 and 1×1 convolutions. 25,557,032 parameters for 1,000 classes.

    As in K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, with the stride
    in the 3×3 convolution. Layers have the names of torchvision's modules, and padding, epsilon and momentum are
    PyTorch's, so that torchvision's weights give torchvision's outputs:
    `resnet50(weights=module.state_dict(), rescale="imagenet")` takes pixels from 0 to 255.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; "imagenet" brings pixels from 0 to 255 to the
            range of torchvision: / 255, minus `IMAGENET_MEANS`, divided by `IMAGENET_DEVIATIONS`; None leaves the input
            as it is.
        seed: seed of the initial weights and the dropout.
        weights: initial weights: a state dict or module of torchvision's network, or the dict that `model.state_dict()`
            of such a model returned; None draws random weights. Names such as "imagenet" are not accepted: striate has
            no pretrained weights. Its number of classes must be the same; to keep a new last layer,
            use `striate.interop.load_torch_state_dict` with `skip_mismatch=True`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "resnet50")


def mobilenet_v2(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """MobileNetV2: inverted residual blocks with depthwise convolutions. 3,504,872 parameters for 1,000 classes.

    As in M. Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018, and in torchvision,
    whose weights fit.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, "imagenet" or None, as for `resnet50`.
        seed: seed of the initial weights and the dropout.
        weights: initial weights, as for `resnet50`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "mobilenet_v2")


def mobilenet_v3_small(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """MobileNetV3-Small: inverted residual blocks, some with squeeze and excitation. 2,542,856 parameters for 1,000
    classes.

    As in A. Howard et al., "Searching for MobileNetV3", ICCV 2019, and in torchvision, whose weights fit.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, "imagenet" or None, as for `resnet50`.
        seed: seed of the initial weights and the dropout.
        weights: initial weights, as for `resnet50`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "mobilenet_v3_small")


def efficientnet_b0(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.2,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """EfficientNet-B0: inverted residual blocks with squeeze and excitation and SiLU. 5,288,548 parameters for 1,000
    classes.

    As in M. Tan and Q. Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, and
    in torchvision, whose weights fit. Stochastic depth, which torchvision has in training, is left out.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, "imagenet" or None, as for `resnet50`.
        seed: seed of the initial weights and the dropout.
        weights: initial weights, as for `resnet50`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "efficientnet_b0")


def densenet121(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """DenseNet-121: four blocks in which each layer reads the maps of all layers before it. 7,978,856 parameters for
    1,000 classes.

    As in G. Huang, Z. Liu, L. van der Maaten and K. Weinberger, "Densely Connected Convolutional Networks", CVPR 2017,
    and in torchvision, whose weights fit.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, "imagenet" or None, as for `resnet50`.
        seed: seed of the initial weights and the dropout.
        weights: initial weights, as for `resnet50`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "densenet121")


def convnext_tiny(
    input_shape: Sequence[int] = (224, 224, 3),
    classes: int = 1000,
    dropout: float = 0.0,
    rescale: float | str | None = None,
    seed: int | None = None,
    weights: Any = None,
) -> Model:
    """ConvNeXt-Tiny: residual blocks of a 7×7 depthwise convolution, layer normalisation and two dense layers.
    28,589,128 parameters for 1,000 classes.

    As in Z. Liu et al., "A ConvNet for the 2020s", CVPR 2022, and in torchvision, whose weights fit. Stochastic depth,
    which torchvision has in training, is left out.

    Args:
        input_shape: (height, width, channels), at least 32 × 32 pixels.
        classes: number of outputs.
        dropout: share dropped before the last layer.
        rescale: factor for the input, "imagenet" or None, as for `resnet50`.
        seed: seed of the initial weights and the dropout.
        weights: initial weights, as for `resnet50`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    return _network(locals(), "convnext_tiny")


def imagenet_pixels(
    image: Any, size: int = 224, shorter: int | None = None, bicubic: bool = False
) -> NDArray[np.uint8]:
    """A picture as torchvision prepares it for its weights: its shorter side is resized, its centre is cut out.

    `torchvision.models` documents the sizes of each set of weights. The result is for a network with
    `rescale="imagenet"`, which normalises the pixels: `model.predict(imagenet_pixels("cat.jpg")[None])`.

    Args:
        image: a file, a Pillow image, or an array (H, W, 3) of bytes.
        size: sides of the square that is cut out.
        shorter: what the shorter side is resized to; default: size × 256 / 224.
        bicubic: whether to resize bicubically, as for EfficientNet's weights; otherwise bilinearly. Both average where
            a picture shrinks.

    Returns:
        Bytes (size, size, 3).

    Raises:
        ImportError: Pillow is missing.
        ValueError: a size is not positive, or the array is not a picture.
        OSError: the file cannot be read as a picture.
    """
    pillow = require("PIL.Image", "data", "striate.models.imagenet_pixels")
    least = size * 256 // 224 if shorter is None else shorter
    if size < 1 or least < size:
        raise ValueError(f"imagenet_pixels expects 1 <= size <= shorter, got size={size} and shorter={least}")
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[-1] != 3:
            raise ValueError(
                f"imagenet_pixels expects an array (H, W, 3) of uint8, got {image.shape} of {image.dtype}; "
                "give it a file for other pictures"
            )
        image = pillow.fromarray(image)
    elif not isinstance(image, pillow.Image):
        image = pillow.open(image)
    image = image.convert("RGB")
    width, height = image.size
    if width <= height:
        sides = least, max(int(least * height / width), 1)
    else:
        sides = max(int(least * width / height), 1), least
    image = image.resize(sides, pillow.Resampling.BICUBIC if bicubic else pillow.Resampling.BILINEAR)
    left, top = (round((side - size) / 2.0) for side in sides)
    pixels: NDArray[np.uint8] = np.asarray(image.crop((left, top, left + size, top + size)))
    return pixels
