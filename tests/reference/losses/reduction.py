"""From a value for each sample to one number."""

from __future__ import annotations

import numpy as np


def total(values: np.ndarray, weight: np.ndarray | None = None, valid: np.ndarray | None = None) -> float:
    """Keras's `sum_over_batch_size`: the weighted sum over the number of values (not over the sum of the weights).

    `weight` has the leading dimensions of `values`. Where `valid` is false a value counts neither above nor below.
    """
    weights = np.ones_like(values)
    if weight is not None:
        weights = weights * weight.reshape(weight.shape + (1,) * (values.ndim - weight.ndim))
    if valid is None:
        return float(np.sum(values * weights) / values.size)
    return float(np.sum((values * weights)[valid]) / max(np.count_nonzero(valid), 1))
