"""95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_Z = 1.959963984540054
_DRAWS = 400
Interval = tuple[float, float] | None


def wilson(right: float, total: float) -> Interval:
    """The interval of a share, by the score method (E. B. Wilson, JASA 22, 1927); None of nothing."""
    if total <= 0:
        return None
    share, square = right / total, _Z * _Z / total
    middle = (share + square / 2) / (1 + square)
    half = _Z * math.sqrt(share * (1 - share) / total + square / (4 * total)) / (1 + square)
    return max(0.0, middle - half), min(1.0, middle + half)


def bootstrap(value: Callable[[NDArray[np.int64]], float], count: int, draws: int = _DRAWS) -> Interval:
    """The interval between the 2.5 % and the 97.5 % quantile of a value over samples of pictures, drawn with
    replacement (B. Efron, Annals of Statistics 7, 1979); None for fewer than 5 pictures.

    Args:
        value: of the pictures with these numbers.
        count: of the pictures.
        draws: number of samples.
    """
    if count < 5:
        return None
    random = np.random.default_rng(0)
    values = np.array([value(random.integers(0, count, count)) for _ in range(draws)])
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)
