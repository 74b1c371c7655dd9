"""Metrics by name."""

from __future__ import annotations

from striate.metrics.accuracy import Accuracy, BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy
from striate.metrics.auc import AUC
from striate.metrics.base import Metric
from striate.metrics.confusion_matrix import ConfusionMatrix
from striate.metrics.dice import DiceScore
from striate.metrics.f1 import F1Score
from striate.metrics.mean_average_precision import MeanAveragePrecision
from striate.metrics.mean_iou import MeanIoU
from striate.metrics.precision import Precision
from striate.metrics.recall import Recall, Sensitivity
from striate.metrics.regression import MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError
from striate.metrics.specificity import Specificity
from striate.metrics.top_k import TopKAccuracy

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


def get(identifier: str | Metric | type[Metric]) -> Metric:
    """A metric from its name, its class, or itself.

    A metric asked for by a name bears that name in the logs: `get("mse").name` is `"mse"`.

    Args:
        identifier: such as "accuracy" (binary, categorical or sparse by the shapes), "precision", "recall",
            "sensitivity", "specificity", "f1", "auc", "mean_iou", "dice", "mean_average_precision", "top_k_accuracy",
            "mse", "mae", "rmse".

    Raises:
        ValueError: no metric has the name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Metric):
        return identifier()
    if not isinstance(identifier, str):
        raise TypeError(f"a metric is a name, a Metric or a Metric class, got {type(identifier).__name__}")
    if identifier not in _BY_NAME:
        import difflib

        near = difflib.get_close_matches(identifier, _BY_NAME, n=1)
        guess = f"; did you mean {near[0]!r}?" if near else "."
        raise ValueError(f"no metric is named {identifier!r}{guess} Known: {', '.join(sorted(_BY_NAME))}")
    return _BY_NAME[identifier](name=identifier)
