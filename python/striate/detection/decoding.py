"""From a detector's output to boxes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._arrays import array_of
from striate.detection.boxes import Detections

if TYPE_CHECKING:
    from striate.model import Model


def decode(
    output: ArrayLike,
    strides: Sequence[int] = (8, 16),
    score_threshold: float = 0.3,
    iou_threshold: float = 0.5,
    max_detections: int = 100,
) -> list[Detections]:
    """What the output of `models.detector` tells of each image.

    The score of a pixel's box is the probability of an object there times that of its likeliest class. Of each image
    the best (a thousand, or ten times `max_detections` if that is more) go through non-maximum suppression, class by
    class. Boxes are cut at the edges of the image.

    Args:
        output: float32 (N, rows, columns, 5 + C), as `model.predict` gives it.
        strides: those of the detector.
        score_threshold: boxes that score less are left out, 0 .. 1.
        iou_threshold: overlap with a better box of its class from above which a box goes, 0 .. 1.
        max_detections: the most boxes of an image.

    Returns:
        A list with one `Detections` (boxes float32 (K, 4), labels int64 (K,), scores float32 (K,)) an image, best
        first.

    Raises:
        ValueError: the output is not of these strides, or a threshold is out of its range.
    """
    if not 0.0 <= score_threshold <= 1.0 or not 0.0 <= iou_threshold <= 1.0:
        raise ValueError(
            f"decode expects score_threshold and iou_threshold within 0 .. 1, got {score_threshold} and {iou_threshold}"
        )
    if max_detections < 0:
        raise ValueError(f"decode expects max_detections of 0 or more, got {max_detections}")
    array = np.ascontiguousarray(array_of(output, "decode: output"), dtype=np.float32)
    if array.ndim != 4:
        raise ValueError(f"decode expects an output (N, rows, columns, 5 + classes), got shape {array.shape}")
    found = _core.decode(array, [int(stride) for stride in strides], score_threshold, iou_threshold, max_detections)
    return [Detections(*image) for image in found]


def detect(model: Model, x: Any, batch_size: int = 32, **rules: Any) -> list[Detections]:
    """`decode` what a model of `models.detector` predicts; its strides follow from its shapes.

    Args:
        model: the detector.
        x: images (N, H, W, C).
        batch_size: images that are computed together.
        **rules: `score_threshold`, `iou_threshold` and `max_detections` of `decode`.

    Returns:
        A list with one `Detections` an image.

    Raises:
        ValueError: the model is no detector, or `x` does not fit it.
    """
    return decode(model.predict(x, batch_size), model_strides(model), **rules)


def model_strides(model: Model) -> tuple[int, ...]:
    """The strides of a model of `models.detector`, from its input's and output's shapes.

    Raises:
        ValueError: the model is no detector.
    """
    size, output = model.input_shape, model.output_shape
    if isinstance(size, tuple) and isinstance(output, tuple) and len(size) == len(output) == 4:
        _, height, width, _ = size
        _, rows, columns, numbers = output
        stride = width // columns
        if numbers >= 6 and stride > 1 and stride * columns == width and height % stride == 0:
            left, part, levels = rows, height // stride, 0
            while left > 0 and part > 0:
                left, levels = left - part, levels + 1
                if left == 0:
                    return tuple(stride << level for level in range(levels))
                part = part // 4 if part % 4 == 0 else 0
    raise ValueError(f"the model is no detector: it makes {output} of {size}; see models.detector")


def image_size(output: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Height and width of the images that an output (rows, columns, 5 + C) of these strides tells of."""
    levels = len(strides)
    whole = sum(4**level for level in range(levels))
    return output[0] // whole * 4 ** (levels - 1) * strides[0], output[1] * strides[0]
