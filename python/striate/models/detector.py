"""A detector without anchors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.model import Model
from striate.models._blocks import begin, check_arguments, conv, is_count

# How likely an object is anywhere before anything is learned, so that the many pixels without one do not drown the
# first steps (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017).
_PRIOR = 0.01


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
        seed: of the initial weights.

    Returns:
        A model from (N, height, width, channels) to (N, rows, width / strides[0], 5 + C): the maps one below the other,
        coarser ones in rows of the finest one's width. The channels are the centre's offset from the pixel's (x, y)
        and the logarithms of width and height, in strides; the logit of an object; and a logit for each class. Compile
        it with `DetectionLoss(strides)`; `detection.decode` makes boxes of the output.

    Raises:
        ValueError: an argument does not fit; the message names it.
    """
    shape = check_arguments("detector", input_shape, classes, 0.0)
    if not is_count(base) or not is_count(depth):
        raise ValueError(f"models.detector expects base and depth of at least 1, got {base!r} and {depth!r}")
    steps = list(strides)
    if not steps or not all(is_count(s) and s > 1 and s & (s - 1) == 0 for s in steps):
        raise ValueError(f"models.detector expects strides of 2, 4, 8 and so on, got {strides!r}")
    if any(after != 2 * before for before, after in pairwise(steps)):
        raise ValueError(f"models.detector expects strides that double from each to the next, got {strides!r}")
    # A coarser map, cut into rows of the finest one's width, must fill whole rows.
    units = (steps[0] * 4 ** (len(steps) - 1), steps[-1])
    if any(side % unit for side, unit in zip(shape[:2], units, strict=True)):
        fitting = [max(round(side / unit), 1) * unit for side, unit in zip(shape[:2], units, strict=True)]
        raise ValueError(
            f"models.detector with strides {tuple(steps)} expects a height in multiples of {units[0]} and a width in "
            f"multiples of {units[1]}, got {shape[0]} x {shape[1]}; give it {fitting[0]} x {fitting[1]}"
        )
    start, x = begin(shape, rescale)
    maps: list[Symbol] = []
    for scale in range(int(math.log2(steps[-1])) + 1):
        if scale:
            x = layers.MaxPooling2D(2, name=f"scale{scale}_pool")(x)
        filters = base * min(2**scale, 8)
        for number in range(1, depth + 1):
            x = conv(x, filters, 3, f"scale{scale}_conv{number}")
        if 2**scale in steps:
            maps.append(_head(x, filters, classes, shape[1] // steps[0], f"stride{2**scale}"))
    out = layers.Concatenate(axis=1, name="maps")(maps) if len(maps) > 1 else maps[0]
    model = Model(start, out, name="detector", seed=seed)
    bias = np.zeros(5 + classes, np.float32)
    bias[4] = math.log(_PRIOR / (1.0 - _PRIOR))
    state = model.state_dict()
    model.load_state_dict({key: bias if key.endswith("_boxes/bias") else value for key, value in state.items()})
    return model


def _head(x: Symbol, filters: int, classes: int, width: int, name: str) -> Symbol:
    x = conv(x, filters, 3, f"{name}_conv")
    x = layers.Conv2D(5 + classes, 1, name=f"{name}_boxes")(x)
    return layers.Reshape((-1, width, 5 + classes), name=f"{name}_rows")(x)
