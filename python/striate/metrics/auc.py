"""Areas under the ROC and the precision-recall curve, exact."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._counts import BoolArray
from striate.metrics._inputs import AnyArray, as_array, blank, flatten, flatten_multi_label
from striate.metrics.base import Metric

AVERAGES = ("auto", "macro", "micro", "weighted", None)


class AUC(Metric):
    """Area under the ROC curve, or under the precision-recall curve as average precision.

    The area is exact, without thresholds: the scores of the whole epoch are kept (about 8 bytes a score), and `result`
    sorts them.

    - ROC: the probability that a positive has a higher score than a negative, ties counting half (the Mann-Whitney
      statistic; Hanley & McNeil 1982).
    - PR: average precision, the sum of precision times the step in recall over the distinct scores.

    With one score for each item, `(N,)` or `(N, 1)`, or with two, `(N, 2)`, it is the area for class 1. With C scores
    each class is taken against the rest and the areas are averaged. Logits of C classes are turned into log-odds of the
    softmax first, since a class's logit alone does not order items by probability; one logit, or with `multi_label`
    each, orders them as it is.

    Args:
        num_thresholds: accepted as in Keras and ignored: the area is exact.
        curve: "ROC" or "PR".
        name: key in the logs.
        multi_label: whether an item may have several labels: `y_true` is `(N, C)` of 0 and 1. True also follows from
            a loss that treats each column as a separate label (binary cross-entropy).
        average: over the classes of `(N, C)`: "macro" (plain mean), "weighted" (by positives), "micro" (all scores
            in one curve), or None for an array `(C,)`. "auto" is "macro", and "micro" where `multi_label` follows from
            the loss, as in Keras.
        class_id: compute the area of only this class, 0 .. C - 1.
        from_logits: see `Metric`.

    A class without a positive or without a negative has no ROC curve: its area is NaN, and averages leave it
    out. Under PR, a class without a positive has the area 0, as in scikit-learn, and averages leave it out too. If a
    score is NaN, the result is NaN.
    """

    default_name = "auc"

    def __init__(
        self,
        num_thresholds: int | None = None,
        curve: str = "ROC",
        name: str | None = None,
        *,
        multi_label: bool = False,
        average: str | None = "auto",
        class_id: int | None = None,
        from_logits: bool | None = None,
    ) -> None:
        super().__init__(name, from_logits=from_logits)
        if curve not in ("ROC", "PR"):
            raise ValueError(f"AUC: curve must be 'ROC' or 'PR', got {curve!r}")
        if average not in AVERAGES:
            raise ValueError(f"AUC: average must be one of {', '.join(map(repr, AVERAGES))}, got {average!r}")
        if class_id is not None and class_id < 0:
            raise ValueError(f"AUC: class_id must be at least 0, got {class_id}")
        self.curve, self.average, self.multi_label, self.class_id = curve, average, multi_label, class_id
        self.reset_state()

    def bind(self, from_logits: bool, output_shape: Sequence[int | None]) -> None:
        super().bind(from_logits, output_shape)
        scores = output_shape[-1]
        if self.class_id is not None and scores is not None and self.class_id >= max(scores, 2):
            raise ValueError(
                f"AUC '{self.name}': class_id {self.class_id} is not one of the classes of output {tuple(output_shape)}"
            )

    def reset_state(self) -> None:
        self._true: list[AnyArray] = []  # (M,) classes, or (M, C) marks
        self._scores: list[AnyArray] = []  # (M,) or (M, C)
        self._weights: list[DoubleArray] = []

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            self._true += other._true
            self._scores += other._scores
            self._weights += other._weights

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        owner = self._owner
        true, scores, weight = self._split(y_true, y_pred, sample_weight)
        if self._scores and self._scores[0].shape[1:] != scores.shape[1:]:
            raise ValueError(f"{owner} has scores of shape {self._scores[0].shape}, now got y_pred {np.shape(y_pred)}")
        self._true.append(true)
        self._scores.append(scores.copy())  # the caller may reuse its buffer
        self._weights.append(np.ones(len(true)) if weight is None else weight)

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        self._split(y_true, blank(y_true, output_shape), sample_weight)

    @property
    def _owner(self) -> str:
        return f"AUC '{self.name}'"

    @property
    def _has_columns(self) -> bool:
        """Whether an item may have several labels."""
        return self.multi_label or self._columns_apart

    def _split(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None
    ) -> tuple[AnyArray, AnyArray, DoubleArray | None]:
        """Classes or marks, scores and weights of all items."""
        owner, ignored = self._owner, self.ignored_labels
        if self._has_columns:
            return flatten_multi_label(owner, y_true, y_pred, sample_weight, ignored)
        y_pred = as_array(owner, "y_pred", y_pred)
        if y_pred.dtype.kind in "biu":
            y_pred = y_pred.astype(np.float64)
        items = flatten(owner, y_true, y_pred, sample_weight, ignored=ignored)
        return items.true.astype(np.int32), items.pred, items.weight

    def result(self) -> float | DoubleArray:
        """The area; NaN before any data."""
        if not self._scores:
            return math.nan
        chosen = 1 if self.class_id is None else self.class_id
        classes = 2 if self._scores[0].ndim == 1 else self._scores[0].shape[1]
        if self.class_id is not None and chosen >= classes:
            raise ValueError(f"AUC '{self.name}': class_id {chosen} is not one of {classes} classes")
        true, scores = np.concatenate(self._true), np.concatenate(self._scores)
        weight = np.concatenate(self._weights)
        if scores.ndim == 1:
            scores = np.stack((-scores, scores), axis=1)
            return self._area(true == chosen, scores[:, chosen], weight)
        columns, average = self._has_columns, self.average
        if average == "auto":
            average = "micro" if self._columns_apart and not self.multi_label else "macro"
        marks: BoolArray = true if columns else true[:, None] == np.arange(classes)
        if self.from_logits and not columns:
            scores = softmax_log_odds(scores)
        if self.class_id is not None or (classes == 2 and not columns and average is not None):
            return self._area(marks[:, chosen], scores[:, chosen], weight)
        if average == "micro":
            return self._area(marks.reshape(-1), scores.reshape(-1), np.repeat(weight, classes))
        each = np.array([self._area(marks[:, c], scores[:, c], weight) for c in range(classes)])
        if average is None:
            return each
        positive = weight @ marks
        defined = (positive > 0) & ((self.curve == "PR") | (weight @ ~marks > 0))
        shares = np.where(defined, positive if average == "weighted" else 1.0, 0.0)
        if not defined.any():
            return math.nan if self.curve == "ROC" else 0.0
        return float(each[defined] @ shares[defined] / shares.sum())

    def _area(self, positive: BoolArray, scores: AnyArray, weight: DoubleArray) -> float:
        return (roc_area if self.curve == "ROC" else average_precision)(positive, scores, weight)


def roc_area(positive: BoolArray, scores: AnyArray, weight: DoubleArray) -> float:
    """Weighted share of (positive, negative) pairs in the right order, ties counting half; NaN without pairs."""
    if np.isnan(scores).any():
        return math.nan
    true, false = _weight_by_score(positive, scores, weight)
    below = np.concatenate(([0.0], np.cumsum(false)[:-1]))
    pairs = true.sum() * false.sum()
    return float(true @ (below + 0.5 * false) / pairs) if pairs else math.nan


def average_precision(positive: BoolArray, scores: AnyArray, weight: DoubleArray) -> float:
    """The sum over distinct scores, from the highest, of the step in recall times precision; 0 without positives."""
    if np.isnan(scores).any():
        return math.nan
    true, false = (sums[::-1] for sums in _weight_by_score(positive, scores, weight))
    found, called = np.cumsum(true), np.cumsum(true) + np.cumsum(false)
    if not found.size or not found[-1]:
        return 0.0
    return float(true @ np.divide(found, called, out=np.zeros_like(found), where=called > 0) / found[-1])


def softmax_log_odds(logits: AnyArray) -> DoubleArray:
    """log(p / (1 - p)) of every softmax probability p, `(M, C)`: it orders as p does, without p's rounding to 1."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    powers = np.exp(shifted)
    rest = powers.sum(axis=1, keepdims=True) - powers
    # The highest of each row: subtracting it would lose the small ones, so they are summed without it.
    rows, best = np.arange(len(logits)), shifted.argmax(axis=1)
    powers[rows, best] = 0.0
    rest[rows, best] = powers.sum(axis=1)
    with np.errstate(divide="ignore"):
        return np.asarray(shifted - np.log(rest))


def _weight_by_score(positive: BoolArray, scores: AnyArray, weight: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """Weight of positives and of negatives at each distinct score, from the lowest."""
    distinct, index = np.unique(scores, return_inverse=True)
    index = index.reshape(-1)
    true = np.bincount(index, weight * positive, minlength=distinct.size)
    false = np.bincount(index, weight * ~positive, minlength=distinct.size)
    return true.astype(np.float64, copy=False), false.astype(np.float64, copy=False)
