"""What precision, recall, specificity, F1, IoU and Dice share: a ratio of counts a class, and an average."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._counts import BoolArray, ConfusionTally, Counts, LabelTally, average_ratio
from striate.metrics._inputs import (
    AnyArray,
    Items,
    above,
    as_array,
    blank,
    check_threshold,
    first_k,
    flatten,
    flatten_multi_label,
    predicted_labels,
)
from striate.metrics.base import Metric

AVERAGES = ("auto", "binary", "micro", "macro", "weighted", None)


class ClassRatio(Metric):
    """Base of the metrics that are a ratio of true and false positives and negatives.

    Labels and predictions may come as

    - 0/1 labels `(N,)` or `(N, 1)` and one score for each item: class 1 is predicted where the score is over the
      threshold;
    - integer labels `(N,)` or one-hot labels `(N, C)` and C scores for each item: the class with the highest score (the
      first of equal ones) is predicted;
    - integer labels and integer predictions of the same shape.

    Axes between N and C, such as H and W of a segmentation, count as more items. With `thresholds` or `top_k`
    explicitly given, the C scores of an item are independent (several labels for each item, one-hot or multi-hot). The
    same applies where the loss treats each column as a separate label (binary cross-entropy): the threshold is then
    0.5, and "auto" is "micro", as in Keras.

    A ratio whose denominator is 0 is 0, as with scikit-learn's `zero_division=0`; so is the result before any data.
    Without `num_classes` and with integer predictions, the classes are 0 to the highest integer seen.
    """

    def __init__(
        self,
        thresholds: float | Sequence[float] | None = None,
        top_k: int | None = None,
        class_id: int | None = None,
        name: str | None = None,
        *,
        average: str | None = "auto",
        num_classes: int | None = None,
        ignore_class: int | None = None,
        from_logits: bool | None = None,
    ) -> None:
        """Set up the metric.

        Args:
            thresholds: probability over which a score counts as positive; a list gives one result for each. With
                several scores for each item and `from_logits`, each score is the logit of its own sigmoid. Default: 0.5
                for one score, the highest score for several.
            top_k: take the k highest scores of an item as positive instead (and over the threshold, if one is given).
            class_id: give the value of this class alone.
            name: key in the logs.
            average: how the classes' values become one.

                - "binary": the value of class 1, for two classes.
                - "macro": plain mean over the classes that occur among labels or predictions.
                - "weighted": mean weighted by the number (weight) of items that truly are of the class.
                - "micro": the ratio of the classes' summed counts.
                - None: an array `(C,)`.
                - "auto" (default): "binary" for two classes, "micro" with `thresholds` or `top_k` over several scores
                  (as Keras), otherwise "macro".
            num_classes: number of classes; default: what model or scores say, or the highest integer seen + 1.
            ignore_class: label of items that do not count (such as 255 for unmarked pixels); a class with that number
                is left out of the averages too.
            from_logits: see `Metric`.

        Raises:
            ValueError: shapes that do not fit, a label out of range, or an average that does not suit the classes.
        """
        super().__init__(name, from_logits=from_logits)
        owner = self._owner
        if average not in AVERAGES:
            raise ValueError(f"{owner}: average must be one of {', '.join(map(repr, AVERAGES))}, got {average!r}")
        for what, value, least in (("top_k", top_k, 1), ("class_id", class_id, 0), ("num_classes", num_classes, 2)):
            if value is not None and value < least:
                raise ValueError(f"{owner}: {what} must be at least {least}, got {value}")
        if class_id is not None and num_classes is not None and class_id >= num_classes:
            raise ValueError(f"{owner}: class_id {class_id} is not one of {num_classes} classes")
        several = isinstance(thresholds, Sequence)
        given = [] if thresholds is None else list(thresholds) if isinstance(thresholds, Sequence) else [thresholds]
        if several and not given:
            raise ValueError(f"{owner}: thresholds is empty")
        self.thresholds = [check_threshold(owner, threshold) for threshold in given]
        self.top_k, self.class_id, self.average = top_k, class_id, average
        self.num_classes, self.ignore_class = num_classes, ignore_class
        self._thresholds_are_list = several
        self._left_out: list[int] = []
        self._output_classes: int | None = None
        self.reset_state()

    _empty: ClassVar[float] = 0.0
    """A ratio whose denominator is 0."""

    @staticmethod
    @abstractmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        """The metric's definition: numerator and denominator of each class."""

    @property
    def _owner(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    def bind(self, from_logits: bool, output_shape: Sequence[int | None]) -> None:
        super().bind(from_logits, output_shape)
        scores = output_shape[-1]
        if scores is None:
            return
        classes = max(scores, 2)
        shape = tuple(output_shape)
        if self.num_classes not in (None, classes):
            raise ValueError(f"{self._owner} was made for {self.num_classes} classes, got a model with output {shape}")
        if self.class_id is not None and self.class_id >= classes:
            raise ValueError(f"{self._owner}: class_id {self.class_id} is not one of the classes of output {shape}")
        if self.average == "binary" and classes > 2:
            raise ValueError(
                f"{self._owner}: average='binary' needs two classes, the model's output is {shape}; "
                f"use 'macro', 'micro', 'weighted', None or class_id"
            )
        self._output_classes = classes
        self.reset_state()

    def reset_state(self) -> None:
        count = max(len(self.thresholds), 1)
        self._single = [ConfusionTally(self.num_classes or self._output_classes or 0) for _ in range(count)]
        self._multi = [LabelTally() for _ in range(count)]
        self._score_classes: int | None = None

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            for own, more in zip(self._single, other._single, strict=True):
                own.merge(more)
            for several, others in zip(self._multi, other._multi, strict=True):
                several.merge(others)
            self._score_classes = other._score_classes or self._score_classes

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        y_true, y_pred = self._arrays(y_true, y_pred)
        if self._takes_columns(y_true, y_pred):
            self._update_multi(*self._columns(y_true, y_pred, sample_weight))
            return
        items = self._items(y_true, y_pred, sample_weight)
        for tally, threshold in zip(self._single, self.thresholds or [0.5], strict=True):
            pred = predicted_labels(items, threshold, self.from_logits)
            tally.add(items.true, pred, items.weight, items.num_classes)
        self._score_classes = items.num_classes or self._score_classes

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        true, pred = self._arrays(y_true, blank(y_true, output_shape))
        (self._columns if self._takes_columns(true, pred) else self._items)(true, pred, sample_weight)

    def _arrays(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> tuple[AnyArray, AnyArray]:
        return as_array(self._owner, "y_true", y_true), as_array(self._owner, "y_pred", y_pred)

    def _takes_columns(self, y_true: AnyArray, y_pred: AnyArray) -> bool:
        """Whether each of several scores of an item is a separate 0/1 problem."""
        return bool(self._cuts or self.top_k) and self._has_several_scores(y_true, y_pred)

    @property
    def _cuts(self) -> list[float]:
        """The thresholds: those given, or 0.5 where the loss treats each column as a separate label."""
        return self.thresholds or ([0.5] if self._columns_apart and not self.top_k else [])

    def _items(self, y_true: AnyArray, y_pred: AnyArray, sample_weight: npt.ArrayLike | None) -> Items:
        if self.top_k:
            raise ValueError(
                f"{self._owner}: top_k needs C scores for each item, got y_pred of shape {np.shape(y_pred)}"
            )
        if self.thresholds and y_pred.dtype.kind != "f":
            y_pred = y_pred.astype(np.float64)
        classes, ignored = self._known_classes(), self.ignored_labels
        return flatten(self._owner, y_true, y_pred, sample_weight, num_classes=classes, ignored=ignored)

    def _columns(
        self, y_true: AnyArray, y_pred: AnyArray, sample_weight: npt.ArrayLike | None
    ) -> tuple[BoolArray, AnyArray, DoubleArray | None]:
        if self.ignore_class is not None:
            raise ValueError(f"{self._owner}: ignore_class does not go with thresholds or top_k over several scores")
        classes = self._known_classes()
        true, scores, weight = flatten_multi_label(self._owner, y_true, y_pred, sample_weight, self.ignored_labels)
        if classes not in (None, scores.shape[1]):
            raise ValueError(f"{self._owner} was made for {classes} classes, got y_pred of shape {np.shape(y_pred)}")
        return true, scores, weight

    def _update_multi(self, true: BoolArray, scores: AnyArray, weight: DoubleArray | None) -> None:
        chosen = np.ones_like(true)
        if self.top_k:
            chosen = np.zeros_like(true)
            np.put_along_axis(chosen, first_k(scores, self.top_k), True, axis=1)
        if not self._cuts:
            self._multi[0].add(true, chosen, weight)
        for tally, threshold in zip(self._multi, self._cuts, strict=False):
            tally.add(true, chosen & above(scores, threshold, self.from_logits), weight)
        self._score_classes = scores.shape[1]

    def _known_classes(self) -> int | None:
        return self.num_classes or self._output_classes or self._score_classes

    def result(self) -> float | DoubleArray:
        """The value; an array with an axis of classes for `average=None`, of thresholds for a list of them, or both."""
        values = np.stack([self._value(threshold) for threshold in range(len(self._single))])
        if not self._thresholds_are_list:
            values = values[0]
        return float(values) if values.ndim == 0 else values

    def _value(self, index: int) -> DoubleArray:
        counts = self._counts(index)
        average = self.average
        two = counts.tp.size == 2 and not self._multi[index].bins.size
        if average == "auto":
            average = "binary" if two else "micro" if self._cuts or self.top_k else "macro"
        if average == "binary" and counts.tp.size and not two:
            raise ValueError(
                f"{self._owner}: average='binary' needs two classes, got {counts.tp.size}; "
                f"use 'macro', 'micro', 'weighted', None or class_id"
            )
        chosen = 1 if average == "binary" else None
        if self.class_id is not None:
            chosen = self.class_id
        if chosen is None:
            return average_ratio(counts, self._ratio, average, [*self._left_out, *self.ignored_labels], self._empty)
        each = average_ratio(counts, self._ratio, None, empty=self._empty)
        if each.size and chosen >= each.size:
            raise ValueError(f"{self._owner}: class_id {chosen} is not one of {each.size} classes")
        return each[chosen] if each.size else np.zeros(())

    def _counts(self, index: int = 0) -> Counts:
        several = self._multi[index]
        return several.counts() if several.bins.size else self._single[index].counts()

    def _has_several_scores(self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike) -> bool:
        pred = np.shape(y_pred)
        return len(pred) > 1 and pred[-1] > 1 and (np.shape(y_true) in (pred, pred[:-1], (*pred[:-1], 1)))
