"""Detection: boxes, how they overlap, and which of many are kept.

A box is (x1, y1, x2, y2) in pixels: from the left edge of its first pixel to the right edge of its last, so that a box
around the single pixel in the top left corner is (0, 0, 1, 1). A target is a list with one `(boxes (M, 4), labels
(M,))` for each image; what a detector found is a list with one `Detections` for each image.

The rule for boxes, wherever targets come in: one of zero or negative extent, or wholly outside the image, is dropped;
one that reaches beyond the image is cut at its edge; each kind is counted (`fixed` of what reads files, a warning of
`fit` and `evaluate`, the second result of `fix_targets`). An image without boxes is an image like any other.
"""

from striate.detection.boxes import Detections, clip, iou
from striate.detection.decoding import candidates, decode, detect
from striate.detection.fusion import weighted_boxes_fusion
from striate.detection.nms import nms
from striate.detection.targets import fix_targets

__all__ = [
    "Detections",
    "candidates",
    "clip",
    "decode",
    "detect",
    "fix_targets",
    "iou",
    "nms",
    "weighted_boxes_fusion",
]
