"""A small modern network for small pictures."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


def cnn(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    filters: Sequence[int] = (32, 64),
    units: int = 128,
    dropout: float = 0.25,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """Blocks of two convolutions, each with normalisation and ReLU, then pooling and dropout; one hidden layer at the
    end.

    A good first choice for pictures of 8 to 64 pixels. Batch normalisation is that of S. Ioffe and C. Szegedy, "Batch
    Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", ICML 2015, with the
    convolution's bias left out, which it would cancel; dropout that of N. Srivastava et al., "Dropout: A Simple Way to
    Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Args:
        input_shape: (height, width, channels); each block halves height and width, which must leave at least one pixel.
        classes: number of outputs.
        filters: number of filters of the two convolutions of each block, one number for each block.
        units: number of units of the hidden layer.
        dropout: share dropped after each block; twice as much (at most 0.5) before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    return build(locals(), "cnn")
