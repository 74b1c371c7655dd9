"""Errors of regression."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._inputs import AnyArray, blank, flatten_pairs
from striate.metrics._sums import add_to
from striate.metrics.base import Metric


class _MeanError(Metric):
    """A weighted mean over all elements of the epoch; 0 before any data.

    Labels and predictions have one shape (up to a last axis of 1).
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(name)
        self.reset_state()

    def reset_state(self) -> None:
        self._sum = 0.0
        self._weight = 0.0

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        true, pred, weight = flatten_pairs(self._owner, y_true, y_pred, sample_weight)
        error = self._error(pred.astype(np.float64) - true.astype(np.float64))
        if weight is None:
            self._sum = add_to(self._sum, error)
            self._weight += error.size
        else:
            self._sum = add_to(self._sum, weight * error)
            self._weight = add_to(self._weight, weight)

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            self._sum += other._sum
            self._weight += other._weight

    def result(self) -> float:
        return self._sum / self._weight if self._weight else 0.0

    def check_targets(self, y_true: AnyArray, output_shape: Sequence[int], sample_weight: AnyArray | None) -> None:
        flatten_pairs(self._owner, y_true, blank(y_true, output_shape), sample_weight)

    @property
    def _owner(self) -> str:
        return f"{type(self).__name__} '{self.name}'"

    @staticmethod
    def _error(difference: DoubleArray) -> DoubleArray:
        return np.square(difference)


class MeanSquaredError(_MeanError):
    """The mean of (y_pred - y_true)² over all elements of the epoch."""

    default_name = "mean_squared_error"


class RootMeanSquaredError(_MeanError):
    """The square root of the mean of (y_pred - y_true)² over all elements of the epoch, in the unit of y."""

    default_name = "root_mean_squared_error"

    def result(self) -> float:
        return math.sqrt(super().result())


class MeanAbsoluteError(_MeanError):
    """The mean of `|y_pred - y_true|` over all elements of the epoch, in the unit of y."""

    default_name = "mean_absolute_error"

    @staticmethod
    def _error(difference: DoubleArray) -> DoubleArray:
        return np.abs(difference)
