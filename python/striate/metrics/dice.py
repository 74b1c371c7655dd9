"""The Dice coefficient of segmentations."""

from __future__ import annotations

from striate._arrays import DoubleArray
from striate.metrics._counts import Counts
from striate.metrics._overlap import RegionOverlap


class DiceScore(RegionOverlap):
    """`2 |A ∩ B| / (|A| + |B|)` of the predicted and the true region of every class (Dice 1945).

    With one class against the background it is the value of class 1; with more, the mean over the classes that occur,
    the background (class 0) among them unless `include_background=False`. Shapes and arguments are those of
    `RegionOverlap`.
    """

    default_name = "dice"

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return 2.0 * counts.tp, 2.0 * counts.tp + counts.fp + counts.fn
