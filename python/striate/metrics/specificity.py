"""Specificity: of what is not a class, the share that was not called one."""

from __future__ import annotations

from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import Counts
from striate.metrics.base import FloatArray


class Specificity(ClassRatio):
    """TN / (TN + FP): the share of the items outside a class that were not predicted to be of it.

    Of several classes each is taken against the rest. Shapes are those of `ClassRatio`, arguments those of its
    `__init__`; "weighted" weighs by the items inside each class, as for the other ratios.
    """

    default_name = "specificity"

    @staticmethod
    def _ratio(counts: Counts) -> tuple[FloatArray, FloatArray]:
        return counts.tn, counts.tn + counts.fp
