"""Sums that do not depend on how an epoch is cut into batches.

Floating-point addition is not associative. Adding strictly from left to right, with the running total as the first
term, makes the total of an epoch the same bits for any batch size.
"""

from __future__ import annotations

import numpy as np

from striate._arrays import DoubleArray
from striate.metrics.base import IntArray


def add_to(total: float, values: DoubleArray) -> float:
    """`total + values[0] + values[1] + ...`, in that order."""
    # `np.sum` adds pairwise, so its rounding would depend on the batch; `accumulate` adds in order.
    return float(np.add.accumulate(np.concatenate(([total], values)))[-1])


def add_to_bins(totals: DoubleArray, bins: IntArray, weights: DoubleArray | None) -> None:
    """Add to `totals[bins[i]]`, in place, the weight of each i (1 if there are none), in order."""
    if bins.size < totals.size:  # a small batch over many bins: touch only its own
        np.add.at(totals, bins, 1.0 if weights is None else weights)
    elif weights is None:
        totals += np.bincount(bins, minlength=totals.size)  # counts are exact up to 2**53
    else:
        # Each bin's own total goes in first, as one more item of that bin.
        ordered = np.concatenate((np.arange(totals.size), bins))
        totals[:] = np.bincount(ordered, np.concatenate((totals, weights)), minlength=totals.size)
