"""ResNet-18."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


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
    return build(locals(), "resnet18")
