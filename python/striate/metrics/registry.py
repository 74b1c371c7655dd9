"""Metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from striate import losses
from striate._names import suggestion
from striate.losses._losses import names as names_of_losses
from striate.metrics.accuracy import Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from striate.metrics.auc import AUC
from striate.metrics.base import Metric
from striate.metrics.confusion_matrix import ConfusionMatrix
from striate.metrics.dice import DiceScore
from striate.metrics.f1 import F1Score
from striate.metrics.function import FunctionMetric
from striate.metrics.mean_average_precision import MeanAveragePrecision
from striate.metrics.mean_iou import MeanIoU
from striate.metrics.precision import Precision
from striate.metrics.recall import Recall, Sensitivity
from striate.metrics.regression import MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError
from striate.metrics.specificity import Specificity
from striate.metrics.top_k import SparseTopKCategoricalAccuracy, TopKAccuracy, TopKCategoricalAccuracy

# Every metric answers to its own name; these are the short ones.
_SHORT: dict[str, type[Metric]] = {
    "acc": Accuracy,
    "f1": F1Score,
    "mse": MeanSquaredError,
    "mae": MeanAbsoluteError,
    "rmse": RootMeanSquaredError,
}
_CLASSES: tuple[type[Metric], ...] = (
    Accuracy,
    BinaryAccuracy,
    CategoricalAccuracy,
    SparseCategoricalAccuracy,
    TopKAccuracy,
    TopKCategoricalAccuracy,
    SparseTopKCategoricalAccuracy,
    Precision,
    Recall,
    Sensitivity,
    Specificity,
    F1Score,
    AUC,
    MeanIoU,
    DiceScore,
    MeanAveragePrecision,
    ConfusionMatrix,
    MeanSquaredError,
    MeanAbsoluteError,
    RootMeanSquaredError,
)
_BY_NAME: dict[str, type[Metric]] = {str(cls.default_name): cls for cls in _CLASSES} | _SHORT


_BY_CLASS: dict[str, type[Metric]] = {cls.__name__: cls for cls in _CLASSES}


def get(identifier: str | Metric | type[Metric] | Callable[[Any, Any], Any]) -> Metric:
    """A metric from its name, its class, a function of `(y_true, y_pred)` (see `FunctionMetric`), or itself.

    A metric requested by name has that name in the logs: `get("mse").name` is `"mse"`.

    Args:
        identifier: such as "accuracy" (binary, categorical or sparse by the shapes), "precision", "recall",
            "sensitivity", "specificity", "f1", "auc", "mean_iou", "dice", "mean_average_precision", "top_k_accuracy",
            "mse", "mae", "rmse"; or the name of a class, such as "AUC"; or the name of a loss.

    Raises:
        ValueError: no metric has the name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if not isinstance(identifier, str):
        if callable(identifier):
            return FunctionMetric(identifier)
        raise TypeError(f"a metric must be a name, a Metric, its class or a function, got {type(identifier).__name__}")
    cls = _BY_NAME.get(identifier) or _BY_CLASS.get(identifier)
    if cls is None and identifier in names_of_losses():
        return FunctionMetric(losses.get(identifier), identifier)
    if cls is None:
        known = sorted({*_BY_NAME, *_BY_CLASS, *names_of_losses()})
        raise ValueError(f"no metric is named {identifier!r}; {suggestion(identifier, known)}")
    return cls(name=identifier)
