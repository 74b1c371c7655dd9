"""A small modern network for small pictures."""

from __future__ import annotations

from collections.abc import Sequence

from striate import layers
from striate.model import Model
from striate.models._blocks import begin, check_arguments, conv, dense, drop, finish, is_count


def cnn(
    input_shape: Sequence[int] = (28, 28, 1),
    classes: int = 10,
    filters: Sequence[int] = (32, 64),
    units: int = 128,
    dropout: float = 0.25,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """Two or more blocks of twice convolution, normalisation and ReLU, then pooling and dropout; one hidden layer at
    the end.

    A good first choice for pictures of 8 to 64 pixels. Batch normalisation is that of S. Ioffe and C. Szegedy, "Batch
    Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift", ICML 2015, with the
    convolution's bias left out, which it would cancel; dropout that of N. Srivastava et al., "Dropout: A Simple Way to
    Prevent Neural Networks from Overfitting", JMLR 15, 2014.

    Args:
        input_shape: (height, width, channels); each block halves height and width, which must leave at least one pixel.
        classes: number of outputs.
        filters: of the two convolutions of each block, a number a block.
        units: of the hidden layer.
        dropout: share dropped after each block; twice as much (at most 0.5) before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("cnn", input_shape, classes, dropout)
    if not filters or not all(is_count(count) for count in filters) or not is_count(units):
        raise ValueError(
            f"models.cnn expects filters such as (32, 64) and units of at least 1, got {filters} and {units!r}"
        )
    if min(shape[:2]) < 2 ** len(filters):
        raise ValueError(
            f"models.cnn halves the picture {len(filters)} times: it needs at least {2 ** len(filters)} pixels a side, "
            f"got {shape[0]} x {shape[1]}; give fewer filters"
        )
    start, x = begin(shape, rescale)
    for block, count in enumerate(filters, start=1):
        x = conv(x, count, 3, f"block{block}_conv1")
        x = conv(x, count, 3, f"block{block}_conv2")
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
        x = drop(x, dropout, f"block{block}_dropout")
    x = layers.Flatten(name="flatten")(x)
    x = dense(x, units, "dense")
    x = drop(x, min(2 * dropout, 0.5), "dropout")
    return finish(start, x, classes, seed, "cnn")
