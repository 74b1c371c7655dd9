"""U-Net."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


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
    """U-Net: two convolutions with batch normalisation and ReLU at every scale, halved `depth` times by max pooling and
    doubled as often, each scale of the decoder joined with the same scale of the encoder.

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
        activation: activation of the output: None for logits; "softmax" (or "sigmoid" for one class) for losses that
            take probabilities, such as `Dice` and `Tversky`.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights and the dropout.

    Returns:
        A model from (N, height, width, channels) to logits (N, height, width, classes): compile it with
        `SparseCategoricalCrossentropy(from_logits=True)` and labels (N, height, width).

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    return build(locals(), "unet")
