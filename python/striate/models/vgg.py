"""VGG: stacks of 3×3 convolutions."""

from __future__ import annotations

from collections.abc import Sequence

from striate import layers
from striate.model import Model
from striate.models._blocks import begin, check_arguments, conv, dense, drop, finish, is_count


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
        units: of the fully connected layers before the last; () for none.
        batch_normalization: normalise after every convolution and hidden fully connected layer, in place of their
            biases.
        dropout: share dropped after each hidden fully connected layer, or, without one, before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("vgg", input_shape, classes, dropout)
    stacks = [stack if isinstance(stack, Sequence) else () for stack in filters]
    if not stacks or not all(stack and all(is_count(count) for count in stack) for stack in stacks):
        raise ValueError(
            f"models.vgg expects filters as a sequence a stack, such as ((64, 64), (128, 128)), got {filters}"
        )
    if not all(is_count(count) for count in units):
        raise ValueError(f"models.vgg expects units such as (256,), all at least 1, got {units}")
    if min(shape[:2]) < 2 ** len(stacks):
        raise ValueError(
            f"models.vgg halves the picture {len(stacks)} times: it needs at least {2 ** len(stacks)} pixels a side, "
            f"got {shape[0]} x {shape[1]}; give fewer stacks in filters"
        )
    start, x = begin(shape, rescale)
    for block, stack in enumerate(stacks, start=1):
        for index, count in enumerate(stack, start=1):
            x = conv(x, count, 3, f"block{block}_conv{index}", normalize=batch_normalization)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.Flatten(name="flatten")(x)
    for index, count in enumerate(units, start=1):
        x = dense(x, count, f"dense{index}", normalize=batch_normalization)
        x = drop(x, dropout, f"dropout{index}")
    if not units:
        x = drop(x, dropout, "dropout")
    return finish(start, x, classes, seed, "vgg")
