"""How good predictions are, computed exactly over a whole epoch, never averaged over batches.

A metric is given to a model by name or as an object: `metrics=["accuracy", F1Score(average="macro")]`. Labels and
predictions are never broadcast against each other: shapes that do not fit are an error that names both.
"""

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
from striate.metrics.registry import get
from striate.metrics.regression import MeanAbsoluteError, MeanSquaredError, RootMeanSquaredError
from striate.metrics.report import classification_report
from striate.metrics.specificity import Specificity
from striate.metrics.top_k import SparseTopKCategoricalAccuracy, TopKAccuracy, TopKCategoricalAccuracy

__all__ = [
    "AUC",
    "Accuracy",
    "BinaryAccuracy",
    "CategoricalAccuracy",
    "ConfusionMatrix",
    "DiceScore",
    "F1Score",
    "FunctionMetric",
    "MeanAbsoluteError",
    "MeanAveragePrecision",
    "MeanIoU",
    "MeanSquaredError",
    "Metric",
    "Precision",
    "Recall",
    "RootMeanSquaredError",
    "Sensitivity",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "Specificity",
    "TopKAccuracy",
    "TopKCategoricalAccuracy",
    "classification_report",
    "get",
]
