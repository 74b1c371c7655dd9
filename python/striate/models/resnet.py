"""ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence

from striate import layers
from striate.layers import Symbol
from striate.model import Model
from striate.models._blocks import begin, check_arguments, conv, drop, finish, is_count

# From this side on, the four-fold reduction of the published stem leaves enough of the picture.
_IMAGENET_SIDE = 96


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    stem: str = "auto",
    width: int = 64,
    dropout: float = 0.0,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """ResNet-18: eight residual blocks of two 3×3 convolutions, 64 to 512 filters. About 11.2 million parameters.

    As in K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, with projection
    shortcuts where the shape changes (their option B). Strided convolutions pad as Keras's `same` does.

    Args:
        input_shape: (height, width, channels).
        classes: number of outputs.
        stem: "imagenet" is the published start, a 7×7 convolution and a 3×3 max pooling, both with stride 2; "small" is
            one 3×3 convolution with stride 1, as the paper's networks for CIFAR have it; "auto" takes the first from 96
            pixels on.
        width: filters of the first stage; doubled at each of the three further ones.
        dropout: share dropped before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("resnet18", input_shape, classes, dropout)
    if stem not in ("auto", "imagenet", "small"):
        raise ValueError(f'models.resnet18 expects stem "auto", "imagenet" or "small", got {stem!r}')
    if not is_count(width):
        raise ValueError(f"models.resnet18 expects width to be a whole number of at least 1, got {width!r}")
    start, x = begin(shape, rescale)
    if stem == "imagenet" or (stem == "auto" and min(shape[:2]) >= _IMAGENET_SIDE):
        x = conv(x, width, 7, "stem", strides=2)
        x = layers.MaxPooling2D(3, strides=2, padding="same", name="stem_pool")(x)
    else:
        x = conv(x, width, 3, "stem")
    filters = width
    for stage in range(1, 5):
        for block in range(1, 3):
            halve = stage > 1 and block == 1
            x = _residual(x, filters, 2 if halve else 1, halve, f"stage{stage}_block{block}")
        filters *= 2
    x = layers.GlobalAveragePooling2D(name="average")(x)
    x = drop(x, dropout, "dropout")
    return finish(start, x, classes, seed, "resnet18")


def _residual(x: Symbol, filters: int, strides: int, project: bool, name: str) -> Symbol:
    shortcut = conv(x, filters, 1, f"{name}_shortcut", strides=strides, activation=None) if project else x
    x = conv(x, filters, 3, f"{name}_conv1", strides=strides)
    x = conv(x, filters, 3, f"{name}_conv2", activation=None)
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_relu")(x)
