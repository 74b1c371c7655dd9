"""Specificity: of what is not a class, the share that was not called one."""

from __future__ import annotations

from striate._arrays import DoubleArray
from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import Counts


class Specificity(ClassRatio):
    """TN / (TN + FP): the share of the items outside a class that were predicted to be outside it.

    With several classes, each is compared with the rest. Shapes and arguments are those of `ClassRatio`; "weighted"
    weights each class by its number of items, as for the other ratios.
    """

    default_name = "specificity"

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return counts.tn, counts.tn + counts.fp
