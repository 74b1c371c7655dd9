"""Losses of overlap, for masks. Over `axis`; without it, one value for the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.losses.crossentropy import EPSILON

Axis = int | Sequence[int] | None


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def dice(y: np.ndarray, p: np.ndarray, axis: Axis = None) -> np.ndarray:
    """One less twice the intersection over the sum of both (Milletari et al., 2016, without squares)."""
    over = _axes(axis)
    return np.asarray(1 - 2 * (y * p).sum(axis=over) / (y.sum(axis=over) + p.sum(axis=over) + EPSILON))


def tversky(y: np.ndarray, p: np.ndarray, alpha: float = 0.5, beta: float = 0.5, axis: Axis = None) -> np.ndarray:
    """`alpha` weighs what was missed of the mask, `beta` what was found beside it.

    This is how Keras computes it; its documentation, and Salehi et al. (2017), name them the other way round.
    """
    over = _axes(axis)
    both = (y * p).sum(axis=over)
    missed, beside = (y * (1 - p)).sum(axis=over), ((1 - y) * p).sum(axis=over)
    return np.asarray(1 - both / (both + alpha * missed + beta * beside + EPSILON))
