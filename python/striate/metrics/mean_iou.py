"""Intersection over union of segmentations (the Jaccard index)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._counts import Counts
from striate.metrics._inputs import AnyArray, as_array, as_labels
from striate.metrics._overlap import RegionOverlap


class MeanIoU(RegionOverlap):
    """TP / (TP + FP + FN), intersection over union, of every class; then their mean (Jaccard 1901).

    The mean is over the classes that occur among labels or predictions. Shapes are those of `RegionOverlap`.
    """

    default_name = "mean_iou"

    def __init__(
        self,
        num_classes: int | None = None,
        name: str | None = None,
        ignore_class: int | None = None,
        sparse_y_true: bool | None = None,
        sparse_y_pred: bool | None = None,
        *,
        average: str | None = "macro",
        **kwargs: Any,
    ) -> None:
        """Set up the metric.

        Args:
            num_classes, name, ignore_class, average: as in `RegionOverlap`, but for the default: "macro".
            sparse_y_true, sparse_y_pred: whether labels and predictions are label maps (True) or have a last axis of
                classes (False). None decides by the shapes; float predictions are then scores.
            kwargs: `include_background`, `threshold`, `class_id`, `from_logits` of `RegionOverlap`.
        """
        super().__init__(num_classes, name, ignore_class, average=average, **kwargs)
        self.sparse_y_true, self.sparse_y_pred = sparse_y_true, sparse_y_pred

    def _arrays(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[AnyArray, AnyArray]:
        owner = self._owner
        if self.sparse_y_true is False:
            y_true = as_array(owner, "y_true", y_true).argmax(axis=-1)
        if self.sparse_y_pred is False and np.shape(y_pred)[-1:] != (1,):
            y_pred = as_array(owner, "y_pred", y_pred).argmax(axis=-1)
        elif self.sparse_y_pred:
            y_pred = as_labels(owner, "y_pred", as_array(owner, "y_pred", y_pred), self.num_classes)
        return super()._arrays(y_true, y_pred)

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return counts.tp, counts.tp + counts.fp + counts.fn
