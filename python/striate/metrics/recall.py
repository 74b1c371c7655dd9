"""Recall, which medicine calls sensitivity: of what is a class, the share that was found."""

from __future__ import annotations

from striate._arrays import DoubleArray
from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import Counts


class Recall(ClassRatio):
    """TP / (TP + FN): the share of the items of a class that were predicted to be of it (true positive rate).

    Shapes are those of `ClassRatio`, arguments those of its `__init__`.
    """

    default_name = "recall"

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return counts.tp, counts.tp + counts.fn


class Sensitivity(Recall):
    """`Recall` under its medical name."""

    default_name = "sensitivity"
