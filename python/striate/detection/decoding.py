"""From a detector's output to boxes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate import _core
from striate._arrays import array_of
from striate.detection.boxes import Detections
from striate.detection.fusion import weighted_boxes_fusion
from striate.detection.nms import nms

_SCORE, _OVERLAP, _MOST = 0.3, 0.5, 100
_UNSURE = 0.01  # the score from which on a candidate has a say
ANSWERS = 9  # places of a map that answer for an object, with the radius of `DetectionLoss` of 1.5 strides


class Predicting(Protocol):
    """What is needed of a model."""

    @property
    def input_shape(self) -> Any: ...

    @property
    def output_shape(self) -> Any: ...

    def predict(self, x: Any, batch_size: int | None = 32) -> Any: ...


def decode(
    output: ArrayLike,
    strides: Sequence[int] = (8, 16),
    score_threshold: float = _SCORE,
    iou_threshold: float = _OVERLAP,
    max_detections: int = _MOST,
) -> list[Detections]:
    """Convert the output of `models.detector` to boxes, labels and scores of each image.

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
        A list with one `Detections` (boxes float32 (K, 4), labels int64 (K,), scores float32 (K,)) for each image, best
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


def detect(
    model: Predicting,
    x: Any,
    batch_size: int = 32,
    *,
    fuse: bool = False,
    flip_horizontal: bool = False,
    flip_vertical: bool = False,
    transpose: bool = False,
    **rules: Any,
) -> list[Detections]:
    """Predict with a model of `models.detector` and decode its output; the strides follow from its shapes.

    Several places of the maps predict the same object. Non-maximum suppression keeps the box of the highest score.
    With `fuse`, `weighted_boxes_fusion` first replaces these boxes by their weighted mean, which fits the object
    better, and suppression follows. The fused score is the mean of the scores and therefore lower than the highest:
    choose a lower `score_threshold`.

    With flips, the images are predicted mirrored too (test-time augmentation), and the boxes of all views are fused, at
    two to eight times the work. It suits objects that may appear mirrored, as `data.Augment` with the same names does
    in training.

    Args:
        model: the detector.
        x: images (N, H, W, C).
        batch_size: images that are computed together.
        fuse: fuse the boxes of one view; those of several views always are.
        flip_horizontal: predict also with left and right exchanged.
        flip_vertical: predict also with top and bottom exchanged; with both, all four views.
        transpose: predict each view also with rows and columns exchanged, of square images; with both flips, all eight
            orientations.
        **rules: `score_threshold`, `iou_threshold` and `max_detections` of `decode`.

    Returns:
        A list with one `Detections` for each image.

    Raises:
        ValueError: the model is not a detector, `x` does not fit it, or `transpose` is given for a model whose images
            are not square.
    """
    strides = model_strides(model)
    if not (fuse or flip_horizontal or flip_vertical or transpose):
        return decode(model.predict(x, batch_size), strides, **rules)
    least, overlap = float(rules.get("score_threshold", _SCORE)), float(rules.get("iou_threshold", _OVERLAP))
    most = int(rules.get("max_detections", _MOST))
    decode(np.zeros((0, *model.output_shape[1:]), np.float32), strides, **rules)  # checks the rules
    flips = {"flip_horizontal": flip_horizontal, "flip_vertical": flip_vertical, "transpose": transpose}
    seen = candidates(model, x, batch_size, **flips, score_threshold=min(least, _UNSURE), max_detections=10 * most)
    found: list[Detections] = []
    for views in seen:
        boxes, labels, scores = weighted_boxes_fusion(views, score_threshold=least, boxes_per_object=ANSWERS)
        kept = nms(boxes, scores, labels, overlap, max_detections=most)
        found.append(Detections(boxes[kept].astype(np.float32), labels[kept], scores[kept].astype(np.float32)))
    return found


def candidates(
    model: Predicting,
    x: Any,
    batch_size: int = 32,
    *,
    flip_horizontal: bool = False,
    flip_vertical: bool = False,
    transpose: bool = False,
    score_threshold: float = _UNSURE,
    max_detections: int = 1000,
) -> list[list[Detections]]:
    """The boxes of all places of a detector's maps, without suppression: what `detect` fuses.

    `weighted_boxes_fusion(a + b, boxes_per_object=9)` fuses the lists `a` and `b` of one image that two models gave, or
    one at two sizes, scaled back.

    Args:
        model: the detector.
        x: images (N, H, W, C).
        batch_size: images that are computed together.
        flip_horizontal, flip_vertical, transpose: further views, as in `detect`.
        score_threshold: boxes that score less are left out, 0 .. 1.
        max_detections: the most boxes of an image and view.

    Returns:
        For each image a list with one `Detections` for each view, in pixels of the image as it was given.

    Raises:
        ValueError: as for `detect`.
    """
    strides = model_strides(model)
    across, down, over = ((False, True) if one else (False,) for one in (flip_horizontal, flip_vertical, transpose))
    views = [_View(*kind) for kind in itertools.product(over, down, across)]
    height, width = model.input_shape[1:3]
    if transpose and height != width:
        raise ValueError(f"detect: transpose is for square images, and the model takes {height} x {width}")
    images = x if hasattr(x, "shape") else array_of(x, "detect: x")
    found: list[list[Detections]] = []
    for first in range(0, len(images), batch_size):
        part = array_of(images[first : first + batch_size], "detect: x")
        seen = [
            decode(model.predict(view.of(part), batch_size), strides, score_threshold, 1.0, max_detections)
            for view in views
        ]
        for each in zip(*seen, strict=True):
            found.append([view.back(one, height, width) for view, one in zip(views, each, strict=True)])
    return found


class _View(NamedTuple):
    """Images with axes exchanged or mirrored."""

    transposed: bool
    down: bool
    across: bool

    def of(self, images: NDArray[Any]) -> NDArray[Any]:
        """Images (N, H, W, C), mirrored, then transposed."""
        turned = images[:, :: -1 if self.down else 1, :: -1 if self.across else 1]
        return np.ascontiguousarray(turned.swapaxes(1, 2) if self.transposed else turned)

    def back(self, found: Detections, height: int, width: int) -> Detections:
        """What was found in the view, where it is in images of this size."""
        boxes = found.boxes.astype(np.float64)
        if self.transposed:
            boxes = boxes[:, [1, 0, 3, 2]]
        for mirrored, axis, side in ((self.across, 0, width), (self.down, 1, height)):
            if mirrored:
                boxes[:, [axis, axis + 2]] = side - boxes[:, [axis + 2, axis]]
        return found._replace(boxes=boxes)


def model_strides(model: Predicting) -> tuple[int, ...]:
    """The strides of a model of `models.detector`, from its input's and output's shapes.

    Raises:
        ValueError: the model is not a detector.
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
    raise ValueError(
        f"the model is not a detector: its output for images of {size} is {output}; build it with models.detector"
    )


def image_size(output: Sequence[int], strides: Sequence[int]) -> tuple[int, int]:
    """Height and width of the images that an output (rows, columns, 5 + C) of these strides belongs to."""
    levels = len(strides)
    whole = sum(4**level for level in range(levels))
    return output[0] // whole * 4 ** (levels - 1) * strides[0], output[1] * strides[0]
