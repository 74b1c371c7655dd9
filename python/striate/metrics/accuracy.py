"""Accuracy: the share of labels that were predicted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._inputs import (
    AnyArray,
    Items,
    Layout,
    above,
    as_labels,
    blank,
    check_threshold,
    flatten,
    flatten_pairs,
    predicted_labels,
)
from striate.metrics._sums import add_to
from striate.metrics.base import Metric


class _Share(Metric):
    """The weighted share of items for which something holds; 0 before any data."""

    def __init__(self, name: str | None = None, *, from_logits: bool | None = None) -> None:
        super().__init__(name, from_logits=from_logits)
        self.reset_state()

    def reset_state(self) -> None:
        self._hits = 0.0
        self._total = 0.0

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            self._hits += other._hits
            self._total += other._total

    def result(self) -> float:
        return self._hits / self._total if self._total else 0.0

    def _add(self, hit: npt.NDArray[np.bool_], weight: DoubleArray | None) -> None:
        if weight is None:
            self._hits += int(np.count_nonzero(hit))
            self._total += hit.size
        else:
            self._hits = add_to(self._hits, weight * hit)
            self._total = add_to(self._total, weight)


class Accuracy(_Share):
    """The share of correctly predicted labels: binary, categorical or sparse, depending on the shapes.

    - 0/1 labels and one score for each item, `(N,)` or `(N, 1)`: class 1 is predicted where the score is over 0.5 (a
      logit over 0).
    - Integer labels `(N,)` or `(N, 1)`, or one-hot labels `(N, C)`, and C scores for each item: the class with the
      highest score is predicted, the first of equal ones.
    - Integer labels and integer predictions of one shape are compared as they are.

    Axes between N and C count as more items: the accuracy of a segmentation is that of its pixels. Where the loss takes
    each of C columns for a label of its own (binary cross-entropy), it is the accuracy of all columns together, as in
    `BinaryAccuracy`.

    Args:
        name: key in the logs.
        ignore_class: label of items that do not count.
        from_logits: see `Metric`; it moves the threshold of a single score and nothing else.

    Raises:
        ValueError: shapes that do not fit (never broadcast), or a label out of range.
    """

    default_name = "accuracy"
    _wanted: ClassVar[Layout | None] = None
    _fix: ClassVar[str] = ""

    def __init__(
        self, name: str | None = None, *, ignore_class: int | None = None, from_logits: bool | None = None
    ) -> None:
        super().__init__(name, from_logits=from_logits)
        self.ignore_class = ignore_class

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        if self._has_columns(y_true, y_pred):
            true, pred, weight = _binary(self._owner, y_true, y_pred, sample_weight)
            self._add(true == above(pred, 0.5, self.from_logits), weight)
            return
        items = self._items(y_true, y_pred, sample_weight)
        self._add(items.true == predicted_labels(items, 0.5, self.from_logits), items.weight)

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        pred = blank(y_true, output_shape)
        if self._has_columns(y_true, pred):
            _binary(self._owner, y_true, pred, sample_weight)
        else:
            self._items(y_true, pred, sample_weight)

    @property
    def _owner(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def _has_columns(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> bool:
        """Whether each of several columns is a separate label."""
        shape = np.shape(y_pred)
        return self._columns_apart and self._wanted is None and shape[-1] > 1 and np.shape(y_true) == shape

    def _items(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Items:
        ignored, wanted = self.ignored_labels, self._wanted
        return flatten(self._owner, y_true, y_pred, sample_weight, ignored=ignored, wanted=wanted, fix=self._fix)


class SparseCategoricalAccuracy(Accuracy):
    """The share of integer labels `(N,)` whose class has the highest of C scores `(N, C)`; see `Accuracy`."""

    default_name = "sparse_categorical_accuracy"
    _wanted = Layout.SPARSE
    _fix = "use CategoricalAccuracy for one-hot labels, BinaryAccuracy for one score"


class CategoricalAccuracy(Accuracy):
    """The share of one-hot labels `(N, C)` whose class has the highest of C scores `(N, C)`; see `Accuracy`."""

    default_name = "categorical_accuracy"
    _wanted = Layout.CATEGORICAL
    _fix = "use SparseCategoricalAccuracy for integer labels, BinaryAccuracy for one score"


class BinaryAccuracy(_Share):
    """The share of 0/1 labels predicted by a threshold, element by element.

    Labels and scores have one shape, `(N,)`, `(N, 1)` or `(N, C)` with C independent labels for each item.

    Args:
        name: key in the logs.
        threshold: probability over which a score means 1. On logits the score is compared with logit(threshold).
        from_logits: see `Metric`.
    """

    default_name = "binary_accuracy"

    def __init__(self, name: str | None = None, *, threshold: float = 0.5, from_logits: bool | None = None) -> None:
        super().__init__(name, from_logits=from_logits)
        self.threshold = check_threshold("BinaryAccuracy", threshold)

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        true, pred, weight = _binary(self._owner, y_true, y_pred, sample_weight)
        self._add(true == above(pred, self.threshold, self.from_logits), weight)

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        _binary(self._owner, y_true, blank(y_true, output_shape), sample_weight)

    @property
    def _owner(self) -> str:
        return f"BinaryAccuracy '{self.name}'"


def _binary(
    owner: str, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None
) -> tuple[npt.NDArray[np.bool_], AnyArray, DoubleArray | None]:
    """Which elements are 1, their scores and weights, each `(M,)`."""
    true, pred, weight = flatten_pairs(owner, y_true, y_pred, sample_weight)
    return as_labels(owner, "y_true", true, 2).astype(np.bool_), pred, weight
