"""Metrics from functions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate.metrics._sums import add_to
from striate.metrics.base import Metric


class FunctionMetric(Metric):
    """A metric that a function of `(y_true, y_pred)` computes; `metrics=[function]` makes one.

    - A function that returns a value for each sample, `(N,)` or with further axes, gives their mean; with sample
      weights, the weighted mean.
    - A function that returns one number is called with all samples of the epoch; their predictions are kept until then.
      It cannot be weighted.

    The arrays are those that `Metric.update_state` gets, and read-only.

    Args:
        function: the function.
        name: key in the logs; None for the function's name.

    Raises:
        TypeError: `function` cannot be called.
        ValueError: when it is called: it returns something else than numbers, or not one for each sample.
    """

    def __init__(self, function: Callable[[Any, Any], Any], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"FunctionMetric: function must be callable, got {type(function).__name__}")
        super().__init__(name or _name_of(function))
        self.function = function
        self.reset_state()

    def reset_state(self) -> None:
        self._total = self._count = 0.0
        self._kept: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = []
        self._whole = False  # whether it returns one number
        self._value: float | None = None

    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        true, pred = np.asarray(y_true), np.asarray(y_pred)
        if not self._whole:
            values = self._call(true, pred)
            if values.ndim > 0:
                self._add(values, len(pred), sample_weight)
                return
            self._whole, self._value = True, float(values)
        else:
            self._value = None
        if sample_weight is not None:
            raise ValueError(
                f"metric {self.name!r}: a function that returns one number cannot be weighted; return one for each "
                "sample, or pass it in metrics rather than weighted_metrics"
            )
        self._kept.append((true.copy(), pred.copy()))

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            if other._whole:
                self._whole, self._value = True, None
                self._kept += other._kept
            self._total += other._total
            self._count += other._count

    def result(self) -> float | DoubleArray:
        if not self._whole:
            return self._total / self._count if self._count else 0.0
        if self._value is None:
            true, pred = (np.concatenate(parts) for parts in zip(*self._kept, strict=True))
            self._kept = [(true, pred)]
            self._value = float(self._call(true, pred))
        return self._value

    def _call(self, true: npt.NDArray[Any], pred: npt.NDArray[Any]) -> DoubleArray:
        found = self.function(true, pred)
        values = np.asarray(found)
        if values.dtype.kind not in "fiub":
            raise ValueError(f"metric {self.name!r}: the function must return numbers, got {type(found).__name__}")
        return values.astype(np.float64)

    def _add(self, values: DoubleArray, rows: int, sample_weight: npt.ArrayLike | None) -> None:
        if len(values) != rows:
            raise ValueError(
                f"metric {self.name!r}: the function must return one number, or one for each of the {rows} samples, "
                f"got an array of shape {values.shape}"
            )
        weights = np.ones(values.shape[:1]) if sample_weight is None else np.asarray(sample_weight, np.float64)
        if weights.shape != values.shape[: weights.ndim]:
            raise ValueError(
                f"metric {self.name!r}: sample weights {weights.shape} do not fit the function's values {values.shape}"
            )
        each = np.broadcast_to(weights.reshape(weights.shape + (1,) * (values.ndim - weights.ndim)), values.shape)
        self._total = add_to(self._total, (each * values).reshape(-1))
        self._count = add_to(self._count, each.reshape(-1))


def _name_of(function: Any) -> str:
    name = getattr(function, "name", None) or getattr(function, "__name__", None) or type(function).__name__
    return "function" if name == "<lambda>" else str(name)
