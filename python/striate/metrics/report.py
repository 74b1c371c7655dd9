"""A table of the usual figures of a classification."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy.typing as npt

from striate.metrics._counts import ConfusionTally, Ratio, average_ratio
from striate.metrics._inputs import flatten, predicted_labels
from striate.metrics.f1 import F1Score
from striate.metrics.precision import Precision
from striate.metrics.recall import Sensitivity
from striate.metrics.specificity import Specificity


class Figures(TypedDict):
    """The figures of one class, or an average of them; `support` is the number of items truly of the class."""

    precision: float
    sensitivity: float
    specificity: float
    f1: float
    support: float


class Report(TypedDict):
    """The result of `classification_report`."""

    classes: dict[str, Figures]
    macro: Figures
    weighted: Figures
    accuracy: float
    support: float


_RATIOS: dict[str, Ratio] = {
    "precision": Precision._ratio,
    "sensitivity": Sensitivity._ratio,
    "specificity": Specificity._ratio,
    "f1": F1Score._ratio,
}


def classification_report(
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    class_names: Sequence[str] | None = None,
    *,
    sample_weight: npt.ArrayLike | None = None,
    from_logits: bool = False,
) -> Report:
    """Precision, sensitivity, specificity, F1 and support of every class, their averages, and the accuracy.

    Args:
        y_true: labels, and
        y_pred: predicted classes or scores, in the shapes that `Accuracy` takes.
        class_names: names of classes 0 to C-1; default: "0", "1" and so on.
        sample_weight: weight of each item; `support` is then a sum of weights.
        from_logits: whether a single score is a logit (threshold 0) rather than a probability (threshold 0.5).

    Returns:
        A dict that JSON takes as it is: `classes` (name to figures), `macro` (mean over the classes that occur),
        `weighted` (by support), `accuracy`, and `support`, the total.

    Raises:
        ValueError: shapes that do not fit, a label out of range, or names that are too few or not distinct.
    """
    owner = "classification_report"
    names = None if class_names is None else [str(name) for name in class_names]
    if names is not None and len(set(names)) != len(names):
        raise ValueError(f"{owner}: class_names must be distinct, got {names}")
    items = flatten(owner, y_true, y_pred, sample_weight, num_classes=None if names is None else len(names))
    tally = ConfusionTally()
    tally.add(items.true, predicted_labels(items, 0.5, from_logits), items.weight, items.num_classes)
    counts = tally.counts()
    names = names or [str(index) for index in range(counts.tp.size)]
    support, total = counts.support, float(tally.matrix.sum())
    each = {key: average_ratio(counts, ratio, None) for key, ratio in _RATIOS.items()}

    def figures(values: dict[str, float], items: float) -> Figures:
        return Figures(
            precision=values["precision"],
            sensitivity=values["sensitivity"],
            specificity=values["specificity"],
            f1=values["f1"],
            support=items,
        )

    def average(kind: str) -> Figures:
        return figures({key: float(average_ratio(counts, ratio, kind)) for key, ratio in _RATIOS.items()}, total)

    return Report(
        classes={
            name: figures({key: float(values[c]) for key, values in each.items()}, float(support[c]))
            for c, name in enumerate(names)
        },
        macro=average("macro"),
        weighted=average("weighted"),
        accuracy=float(counts.tp.sum()) / total if total else 0.0,
        support=total,
    )
