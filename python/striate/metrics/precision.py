"""Precision: the share of the predictions of a class that are correct."""

from __future__ import annotations

from striate._arrays import DoubleArray
from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import Counts


class Precision(ClassRatio):
    """TP / (TP + FP): the share of the items predicted to be of a class that truly are (positive predictive value).

    Shapes are those of `ClassRatio`, arguments those of its `__init__`.
    """

    default_name = "precision"

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return counts.tp, counts.tp + counts.fp
