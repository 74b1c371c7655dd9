"""A detector without anchors."""

from __future__ import annotations

from collections.abc import Sequence

from striate.model import Model
from striate.models._building import build


def detector(
    input_shape: Sequence[int] = (128, 128, 3),
    classes: int = 1,
    base: int = 16,
    strides: Sequence[int] = (8, 16),
    depth: int = 1,
    rescale: float | None = None,
    seed: int | None = None,
) -> Model:
    """A one-stage detector: convolution, batch normalisation, ReLU and max pooling, `base` filters doubled at each
    halving up to eight-fold, and at each of `strides` a 3x3 convolution and a 1x1 one that tells, for every pixel of
    that map, of a box, of an object being there, and of its class.

    After Z. Tian, C. Shen, H. Chen and T. He, "FCOS: Fully Convolutional One-Stage Object Detection", ICCV 2019, with
    boxes as centre and size (Z. Ge et al., "YOLOX", 2021), no pyramid from coarse to fine, and weights of its own for
    each map.

    Args:
        input_shape: (height, width, channels); the width a multiple of the last stride, the height of the first one
            times 4 for each that follows: 8 and 16 take multiples of 32 x 16.
        classes: number of classes, C; there is none for the background.
        base: filters at full size.
        strides: pixels of the image between two of each map, powers of 2 from 2 on, each twice the one before. A map
            is for objects of up to four strides (see `losses.DetectionLoss`): (8,) does where all are about as large.
        depth: convolutions at each scale.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights.

    Returns:
        A model from (N, height, width, channels) to (N, rows, width / strides[0], 5 + C): the maps one below the other,
        coarser ones in rows of the finest one's width. The channels are the centre's offset from the pixel's (x, y)
        and the logarithms of width and height, in strides; the logit of an object; and a logit for each class. Compile
        it with `DetectionLoss(strides)`; `detection.decode` makes boxes of the output.

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    return build(locals(), "detector")
