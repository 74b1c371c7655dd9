"""Losses and layers that are computed in Python: what their methods return, checked, and forks beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import DoubleArray, FloatArray

if hasattr(os, "register_at_fork"):
    # A thread that forks has the interpreter's lock, which Python code within a step needs: it waits for the step.
    os.register_at_fork(before=_core.before_fork, after_in_parent=_core.after_fork, after_in_child=_core.after_fork)


class Evaluated(NamedTuple):
    """What a loss gives for a batch."""

    values: DoubleArray
    """(N, ...): of each sample, or of each place in it."""
    gradient: Any
    """Of the sum of the values, of the output's shape; None where it was not asked for."""


Evaluate = Callable[[Any, Any, bool], tuple[Any, Any]]
"""(y_true, y_pred, wants_gradient) -> (values, gradient)."""


def evaluated(evaluate: Evaluate, owner: str, true: Any, pred: Any, wants_gradient: bool) -> Evaluated:
    """Call a loss and check what it returns.

    Raises:
        ValueError: the values are not one or more for each sample, or the gradient has not the output's shape.
        TypeError: one of them holds no numbers.
    """
    values, gradient = evaluate(true, pred, wants_gradient)
    found = real_numbers(values, f"{owner}: the values").astype(np.float64)
    if found.ndim == 0 or len(found) != len(pred) or found.size == 0:
        raise ValueError(
            f"{owner} must give a value for each of the {len(pred)} samples, of shape (N,) or with further axes, got "
            f"shape {found.shape}"
        )
    if not wants_gradient:
        return Evaluated(found, None)
    slope = real_numbers(gradient, f"{owner}: the gradient")
    if slope.shape != pred.shape:
        raise ValueError(f"{owner}: the gradient must have the output's shape {pred.shape}, got {slope.shape}")
    return Evaluated(found, slope)


def real_numbers(value: Any, what: str) -> NDArray[Any]:
    """An array of real numbers; TypeError that names `what` for anything else."""
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{what} must hold real numbers, got {type(value).__name__}")
    return array


def core_loss(evaluate: Evaluate, owner: str) -> _core.Loss:
    """The core's loss: the mean of the values, weighted."""

    def compute(
        true: NDArray[Any], pred: FloatArray, weights: FloatArray, scale: float, wants_gradient: bool
    ) -> tuple[float, float, Any]:
        values, gradient = evaluated(evaluate, owner, true, pred, wants_gradient)
        each = _fitting(weights, values.shape, owner)
        total = float((values * each).sum())
        if not wants_gradient:
            return total, float(values.size), None
        along = _fitting(weights, pred.shape, owner)
        return total, float(values.size), (gradient * (along * (scale / values.size))).astype(np.float32)

    return _core.own_loss(owner, compute)


def _fitting(weights: FloatArray, shape: tuple[int, ...], owner: str) -> DoubleArray:
    """Sample weights with axes of length 1 added, to be multiplied with an array of this shape."""
    weights = weights.reshape(weights.shape[:1]) if weights.size == len(weights) else weights
    if weights.shape != shape[: weights.ndim]:
        raise ValueError(
            f"{owner}: sample weights of shape {weights.shape} need values with these axes, got values or an output of "
            f"shape {shape}"
        )
    return weights.astype(np.float64).reshape(weights.shape + (1,) * (len(shape) - weights.ndim))
