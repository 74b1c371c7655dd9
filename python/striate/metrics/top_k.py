"""Top-k accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy.typing as npt

from striate.metrics._inputs import AnyArray, Items, Layout, blank, first_k, flatten
from striate.metrics.accuracy import _Share


class TopKAccuracy(_Share):
    """The share of labels whose class is among the k highest scores of its item.

    Labels are integers `(N,)` or one-hot `(N, C)`, scores `(N, C)`. Of equal scores the lower class comes first, so
    that k=1 is accuracy.

    Args:
        k: how many scores count, at least 1 and at most C.
        name: key in the logs.
        ignore_class: label of items that do not count.
    """

    default_name = "top_k_accuracy"

    def __init__(self, k: int = 5, name: str | None = None, *, ignore_class: int | None = None) -> None:
        super().__init__(name)
        if isinstance(k, bool) or not isinstance(k, int):
            raise TypeError(f"TopKAccuracy: k must be an integer, got {type(k).__name__}")
        if k < 1:
            raise ValueError(f"TopKAccuracy: k must be at least 1, got {k}")
        self.k, self.ignore_class = k, ignore_class

    def bind(self, from_logits: bool, output_shape: Sequence[int | None]) -> None:
        super().bind(from_logits, output_shape)
        if output_shape[-1] is not None:
            self._check(output_shape[-1], tuple(output_shape))

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        items = self._items(y_true, y_pred, sample_weight)
        self._add((first_k(items.pred, self.k) == items.true[:, None]).any(axis=1), items.weight)

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        self._items(y_true, blank(y_true, output_shape), sample_weight)

    def _items(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Items:
        items = flatten(self._owner, y_true, y_pred, sample_weight, ignored=self.ignored_labels)
        if items.layout not in (Layout.SPARSE, Layout.CATEGORICAL):
            raise ValueError(f"{self._owner} needs C scores for each item, got y_pred with {items.layout.value}")
        self._check(items.pred.shape[1], items.pred.shape)
        return items

    @property
    def _owner(self) -> str:
        return f"TopKAccuracy '{self.name}'"

    def _check(self, classes: int, shape: tuple[int | None, ...]) -> None:
        if self.k > classes:
            raise ValueError(f"{self._owner}: k={self.k} needs at least {self.k} classes, got scores of shape {shape}")


class TopKCategoricalAccuracy(TopKAccuracy):
    """`TopKAccuracy` under the name that Keras gives it for one-hot labels."""

    default_name = "top_k_categorical_accuracy"


class SparseTopKCategoricalAccuracy(TopKAccuracy):
    """`TopKAccuracy` under the name that Keras gives it for integer labels."""

    default_name = "sparse_top_k_categorical_accuracy"
