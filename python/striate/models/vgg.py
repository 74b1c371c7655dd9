"""VGG: stacks of 3×3 convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


def vgg(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    filters: Sequence[Sequence[int]] = ((64, 64), (128, 128), (256, 256)),
    units: Sequence[int] = (256,),
    batch_normalization: bool = True,
    dropout: float = 0.0,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """Stacks of 3×3 convolutions, each followed by 2×2 max pooling, then fully connected layers.

    The design of K. Simonyan and A. Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition",
    ICLR 2015, cut to small pictures by default. VGG-16 as published is `vgg((224, 224, 3), 1000, filters=((64, 64),
    (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512)), units=(4096, 4096), batch_normalization=False,
    dropout=0.5)`.

    Args:
        input_shape: (height, width, channels); each stack halves height and width, which must leave at least one pixel.
        classes: number of outputs.
        filters: a sequence a stack, a number a convolution.
        units: number of units of the fully connected layers before the last; () for none.
        batch_normalization: normalise after every convolution and hidden fully connected layer, in place of their
            biases.
        dropout: share dropped after each hidden fully connected layer, or, without one, before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    return build(locals(), "vgg")
