"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._counts import ConfusionTally, divide
from striate.metrics._inputs import AnyArray, Items, blank, check_threshold, flatten, predicted_labels
from striate.metrics.base import Metric


class ConfusionMatrix(Metric):
    """How often each true class (row) was predicted as each class (column), `(C, C)`.

    Labels and predictions come as for `Accuracy`.

    Args:
        num_classes: C; default: what the model or the scores say, or the highest integer seen + 1 (two at least).
        normalize: None for counts (sums of weights), "true" to make each row sum to 1, "pred" each column, "all" the
            whole matrix. What cannot be normalized because it is empty stays 0.
        name: key in the logs.
        threshold: probability over which a single score means class 1.
        ignore_class: label of items that do not count.
        from_logits: see `Metric`.
    """

    default_name = "confusion_matrix"

    def __init__(
        self,
        num_classes: int | None = None,
        normalize: str | None = None,
        name: str | None = None,
        *,
        threshold: float = 0.5,
        ignore_class: int | None = None,
        from_logits: bool | None = None,
    ) -> None:
        super().__init__(name, from_logits=from_logits)
        if normalize not in (None, "true", "pred", "all"):
            raise ValueError(f"ConfusionMatrix: normalize must be None, 'true', 'pred' or 'all', got {normalize!r}")
        if num_classes is not None and num_classes < 2:
            raise ValueError(f"ConfusionMatrix: num_classes must be at least 2, got {num_classes}")
        self.num_classes, self.normalize, self.ignore_class = num_classes, normalize, ignore_class
        self.threshold = check_threshold("ConfusionMatrix", threshold)
        self._output_classes: int | None = None
        self.reset_state()

    def bind(self, from_logits: bool, output_shape: Sequence[int | None]) -> None:
        super().bind(from_logits, output_shape)
        if output_shape[-1] is None:
            return
        self._output_classes = max(output_shape[-1], 2)
        if self.num_classes not in (None, self._output_classes):
            raise ValueError(
                f"ConfusionMatrix '{self.name}' was made for {self.num_classes} classes, "
                f"got a model with output {tuple(output_shape)}"
            )
        self.reset_state()

    def reset_state(self) -> None:
        self._tally = ConfusionTally(self.num_classes or self._output_classes or 0)
        self._score_classes: int | None = None

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            self._tally.merge(other._tally)
            self._score_classes = other._score_classes or self._score_classes

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        items = self._items(y_true, y_pred, sample_weight)
        pred = predicted_labels(items, self.threshold, self.from_logits)
        self._tally.add(items.true, pred, items.weight, items.num_classes)
        self._score_classes = items.num_classes

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        self._items(y_true, blank(y_true, output_shape), sample_weight)

    def _items(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None) -> Items:
        return flatten(
            f"ConfusionMatrix '{self.name}'",
            y_true,
            y_pred,
            sample_weight,
            num_classes=self.num_classes or self._output_classes or self._score_classes,
            ignored=self.ignored_labels,
        )

    def result(self) -> DoubleArray:
        """The matrix as float64, whole numbers where there were neither weights nor `normalize`."""
        matrix: DoubleArray = self._tally.matrix.copy()
        if self.normalize is None:
            return matrix
        axis = {"true": 1, "pred": 0, "all": None}[self.normalize]
        return divide(matrix, np.asarray(matrix.sum(axis=axis, keepdims=True)))
