"""Detection: boxes, how they overlap, and which of many are kept.

A box is (x1, y1, x2, y2) in pixels: from the left edge of its first pixel to the right edge of its last, so that a box
around the single pixel in the top left corner is (0, 0, 1, 1). A target is a list with one `(boxes (M, 4), labels
(M,))` an image; what a detector found is a list with one `Detections` an image.
"""

from striate.detection.boxes import Detections, clip, iou
from striate.detection.nms import nms

__all__ = ["Detections", "clip", "iou", "nms"]
