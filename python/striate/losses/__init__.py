"""Losses, with Keras's names, arguments and defaults.

A loss is the mean over the batch (over pixels too, where the output is a map), with sample weights the mean of the
weighted values. Targets are never broadcast against the output: a shape that does not fit is an error that names both.
A `Softmax` or sigmoid in front of a cross-entropy is computed together with it, from the scores, so that nothing is
lost to rounding.
"""

from striate.losses._base import Loss
from striate.losses._losses import (
    BinaryCrossentropy,
    BinaryFocalCrossentropy,
    CategoricalCrossentropy,
    CategoricalFocalCrossentropy,
    DetectionLoss,
    Dice,
    FunctionLoss,
    Huber,
    KLDivergence,
    MeanAbsoluteError,
    MeanSquaredError,
    SparseCategoricalCrossentropy,
    Tversky,
    WeightedSum,
    get,
)

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "DetectionLoss",
    "Dice",
    "FunctionLoss",
    "Huber",
    "KLDivergence",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "Tversky",
    "WeightedSum",
    "get",
]
