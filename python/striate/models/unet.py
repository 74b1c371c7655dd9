"""U-Net."""

from __future__ import annotations

from collections.abc import Sequence

from striate import layers
from striate.layers import Symbol
from striate.model import Model
from striate.models._blocks import EPSILON, MOMENTUM, begin, check_arguments, conv, drop, is_count


def unet(
    input_shape: Sequence[int] = (128, 128, 1),
    classes: int = 2,
    base: int = 16,
    depth: int = 4,
    up: str = "transpose",
    dropout: float = 0.0,
    activation: str | None = None,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """U-Net: twice convolution, batch normalisation and ReLU at every scale, halved `depth` times by max pooling and
    doubled as often, each scale on the way up joined with what the way down had there.

    As in O. Ronneberger, P. Fischer and T. Brox, "U-Net: Convolutional Networks for Biomedical Image Segmentation",
    MICCAI 2015, with the changes in use today: convolutions pad, so that the output has the input's size, and are
    followed by batch normalisation. The published width is `base=64`; 16 suits small data sets on a CPU.

    Args:
        input_shape: (height, width, channels); height and width must be multiples of 2 to the power of `depth`.
        classes: number of outputs a pixel, the background among them; 1 for one class against the background.
        base: filters at full size; doubled at each scale.
        depth: how often height and width are halved.
        up: "transpose" doubles by a learned transposed convolution, as published; "upsample" by repeating pixels,
            followed by a 3x3 convolution, which cannot make a checkerboard pattern.
        dropout: share dropped at the smallest scale.
        activation: of the output: None for logits; "softmax" (or "sigmoid" for one class) for losses that take
            probabilities, such as `Dice` and `Tversky`.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, height, width, classes): compile it with
        `SparseCategoricalCrossentropy(from_logits=True)` and labels (N, height, width).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("unet", input_shape, classes, dropout)
    if not is_count(base) or not is_count(depth):
        raise ValueError(f"models.unet expects base and depth of at least 1, got {base!r} and {depth!r}")
    if up not in ("transpose", "upsample"):
        raise ValueError(f'models.unet expects up "transpose" or "upsample", got {up!r}')
    if any(side % 2**depth for side in shape[:2]):
        fitting = [f"{max(round(side / 2**depth), 1) * 2**depth}" for side in shape[:2]]
        raise ValueError(
            f"models.unet halves the picture {depth} times: height and width must be multiples of {2**depth}, got "
            f"{shape[0]} x {shape[1]}; give it {' x '.join(fitting)}, or a smaller depth"
        )
    start, x = begin(shape, rescale)
    skips = []
    for scale in range(depth):
        x = _twice(x, base * 2**scale, f"down{scale + 1}")
        skips.append(x)
        x = layers.MaxPooling2D(2, name=f"down{scale + 1}_pool")(x)
    x = _twice(x, base * 2**depth, "bottom")
    x = drop(x, dropout, "dropout")
    for scale in reversed(range(depth)):
        x = _double(x, base * 2**scale, up, f"up{scale + 1}")
        x = layers.Concatenate(name=f"up{scale + 1}_join")([skips[scale], x])
        x = _twice(x, base * 2**scale, f"up{scale + 1}")
    x = layers.Conv2D(classes, 1, activation=activation, name="logits" if activation is None else "output")(x)
    return Model(start, x, name="unet", seed=seed)


def _twice(x: Symbol, filters: int, name: str) -> Symbol:
    return conv(conv(x, filters, 3, f"{name}_conv1"), filters, 3, f"{name}_conv2")


def _double(x: Symbol, filters: int, up: str, name: str) -> Symbol:
    """Twice the height and width, at `filters` channels."""
    if up == "upsample":
        return conv(layers.UpSampling2D(2, name=f"{name}_upsample")(x), filters, 3, f"{name}_conv")
    x = layers.Conv2DTranspose(
        filters, 2, strides=2, use_bias=False, kernel_initializer="he_normal", name=f"{name}_transpose"
    )(x)
    x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}_transpose_bn")(x)
    return layers.Activation("relu", name=f"{name}_transpose_relu")(x)
