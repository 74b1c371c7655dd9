"""True and false positives and negatives of every class, and their averages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._sums import add_to_bins
from striate.metrics.base import IntArray

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """Weighted counts of C classes, each seen as "this class against the rest"; every array is `(C,)`."""

    tp: DoubleArray
    fp: DoubleArray
    fn: DoubleArray
    tn: DoubleArray
    seen: BoolArray  # classes that occur among labels or predictions

    @property
    def support(self) -> DoubleArray:
        return self.tp + self.fn


# The numerator and the denominator of a ratio of counts.
Ratio = Callable[[Counts], tuple[DoubleArray, DoubleArray]]


def divide(numerator: DoubleArray, denominator: DoubleArray, empty: float = 0.0) -> DoubleArray:
    """The quotient, and `empty` where the denominator is 0 (scikit-learn's `zero_division`)."""
    none = denominator == 0.0
    quotient: DoubleArray = np.where(none, empty, numerator / np.where(none, 1.0, denominator))
    return quotient


def average_ratio(
    counts: Counts, ratio: Ratio, average: str | None, left_out: Sequence[int] = (), empty: float = 0.0
) -> DoubleArray:
    """A ratio of counts, of each class `(C,)` or averaged `()` as scikit-learn does.

    Args:
        average: None, "micro", "macro" (over the classes that occur) or "weighted" (by support).
        left_out: classes that no average takes in.
        empty: the value of a ratio whose denominator is 0; averages leave out classes whose value is NaN.
    """
    numerator, denominator = ratio(counts)
    each = divide(numerator, denominator, empty)
    if average is None:
        return each
    among = ~np.isin(np.arange(each.size), left_out)
    if average == "micro":
        return divide(numerator[among].sum(), denominator[among].sum(), empty)
    defined = ~np.isnan(each)
    shares = np.where(among & counts.seen & defined, 1.0 if average == "macro" else counts.support, 0.0)
    return divide((np.where(defined, each, 0.0) * shares).sum(), shares.sum(), empty)


class ConfusionTally:
    """A growing confusion matrix: rows are true classes, columns predicted ones."""

    def __init__(self, num_classes: int = 0) -> None:
        self.matrix: DoubleArray = np.zeros((num_classes, num_classes))
        self.seen: BoolArray = np.zeros(num_classes, np.bool_)

    def add(self, true: IntArray, pred: IntArray, weight: DoubleArray | None, num_classes: int | None) -> None:
        """Add M items. Without `num_classes` the matrix grows to the highest label, and to two classes at least."""
        if num_classes is None:
            num_classes = 1 + max((int(labels.max()) for labels in (true, pred) if labels.size), default=1)
        self._grow(max(num_classes, 2))
        size = self.seen.size
        add_to_bins(self.matrix.reshape(-1), true * size + pred, weight)
        self.seen[true] = True
        self.seen[pred] = True

    def merge(self, other: ConfusionTally) -> None:
        """Add what another one has counted."""
        self._grow(other.seen.size)
        size = other.seen.size
        self.matrix[:size, :size] += other.matrix
        self.seen[:size] |= other.seen

    def counts(self) -> Counts:
        tp = self.matrix.diagonal().copy()
        # Nothing is subtracted below: with weights, rounding would leave a trace of weight where there is none.
        wrong = self.matrix.copy()
        np.fill_diagonal(wrong, 0.0)
        return Counts(tp, wrong.sum(axis=0), wrong.sum(axis=1), _sums_without_cross(self.matrix), self.seen)

    def _grow(self, num_classes: int) -> None:
        if (more := num_classes - self.seen.size) > 0:
            self.matrix = np.pad(self.matrix, (0, more))
            self.seen = np.pad(self.seen, (0, more))


class LabelTally:
    """Counts of C labels that an item may have independently, at one threshold."""

    def __init__(self) -> None:
        self.bins: DoubleArray = np.zeros(0)

    def add(self, true: BoolArray, pred: BoolArray, weight: DoubleArray | None) -> None:
        """Add M items, `true` and `pred` being `(M, C)`."""
        items, classes = true.shape
        if not self.bins.size:
            self.bins = np.zeros(4 * classes)
        bins = 4 * np.arange(classes) + 2 * true.astype(np.int64) + pred
        weights = None if weight is None else np.repeat(weight, classes)
        add_to_bins(self.bins, bins.reshape(items * classes), weights)

    def merge(self, other: LabelTally) -> None:
        """Add what another one has counted."""
        if other.bins.size:
            self.bins = other.bins + (self.bins if self.bins.size else 0.0)

    def counts(self) -> Counts:
        tn, fp, fn, tp = self.bins.reshape(-1, 4).T
        return Counts(tp, fp, fn, tn, np.ones(tp.size, np.bool_))


def _sums_without_cross(matrix: DoubleArray) -> DoubleArray:
    """For each i the sum of `matrix` without row i and column i, as four blocks of running sums."""
    size = len(matrix)
    blocks = np.zeros((2, 2, size + 2, size + 2))  # from the top or bottom, from the left or right
    for up in (0, 1):
        for left in (0, 1):
            turned = matrix[:: 1 - 2 * up, :: 1 - 2 * left].cumsum(axis=0).cumsum(axis=1)
            blocks[up, left, 1:-1, 1:-1] = turned[:: 1 - 2 * up, :: 1 - 2 * left]
    i = np.arange(size)
    total: DoubleArray = sum(blocks[up, left, i + 2 * up, i + 2 * left] for up in (0, 1) for left in (0, 1))
    return total
