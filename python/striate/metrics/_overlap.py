"""What MeanIoU and DiceScore share."""

from __future__ import annotations

import math

from striate._arrays import DoubleArray
from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import average_ratio


class RegionOverlap(ClassRatio):
    """Base of the overlaps of predicted and true regions, pooled over all pixels of the epoch, not image by image.

    A class that neither occurs nor is predicted has no overlap: its value is NaN, and averages leave it out. Where that
    is so of all classes, or before any data, the result is NaN.

    Takes label maps, or scores for each pixel: `(N, H, W, C)`, or `(N, H, W, 1)` for one class against the background,
    with integer labels `(N, H, W)` or `(N, H, W, 1)`, or one-hot labels `(N, H, W, C)`.
    """

    _empty = math.nan

    def __init__(
        self,
        num_classes: int | None = None,
        name: str | None = None,
        ignore_class: int | None = None,
        *,
        average: str | None = "auto",
        include_background: bool = True,
        threshold: float | None = None,
        class_id: int | None = None,
        from_logits: bool | None = None,
    ) -> None:
        """Set up the metric.

        Args:
            num_classes: number of classes, the background among them; default: what model or scores say.
            name: key in the logs.
            ignore_class: label of pixels that do not count (such as 255 for unmarked ones). To count the pixels of the
                background and only leave it out of the mean, see `include_background`.
            average: as in `ClassRatio`: "auto", "binary", "macro", "micro", "weighted", or None for an array `(C,)`.
            include_background: whether class 0 is part of the average.
            threshold: probability over which a single score means class 1 (default 0.5). Given for C scores, each is
                a region of its own, and regions may overlap.
            class_id: give the value of this class alone.
            from_logits: see `Metric`.
        """
        super().__init__(
            threshold,
            class_id=class_id,
            name=name,
            average=average,
            num_classes=num_classes,
            ignore_class=ignore_class,
            from_logits=from_logits,
        )
        if not include_background:
            self._left_out.append(0)

    def per_class(self) -> DoubleArray:
        """The value of every class, `(C,)`, independent of `average`; NaN where it neither occurs nor is predicted."""
        return average_ratio(self._counts(), self._ratio, None, empty=self._empty)
