"""Losses of overlap, for masks. Over `axis`; without it, one value for the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.activations import sigmoid, softmax
from reference.losses.crossentropy import EPSILON

Axis = int | Sequence[int] | None


def _axes(axis: Axis) -> int | tuple[int, ...] | None:
    return axis if axis is None or isinstance(axis, int) else tuple(axis)


def _sums(
    y: np.ndarray,
    p: np.ndarray,
    axis: Axis,
    from_logits: bool,
    ignore_class: int | None,
    weight: np.ndarray | None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of mask and prediction, of the mask, of the prediction; `weight` is one for each pixel."""
    if from_logits:
        p = softmax(p) if p.shape[-1] > 1 else sigmoid(p)
    counts = np.ones(p.shape[:-1]) if weight is None else weight
    if y.ndim < p.ndim:
        counts = counts * (True if ignore_class is None else y != ignore_class)
        y = (y[..., None] == np.arange(p.shape[-1])).astype(np.float64)
    counts, over = counts[..., None], _axes(axis)
    return (counts * y * p).sum(axis=over), (counts * y).sum(axis=over), (counts * p).sum(axis=over)


def _smooth(mask: np.ndarray, smooth: float | None) -> np.ndarray:
    """What is added above and below: by default 1 where there is no mask, so that false alarms have a gradient."""
    return np.where(mask == 0, 1.0, 0.0) if smooth is None else np.full_like(mask, smooth)


def dice(
    y: np.ndarray,
    p: np.ndarray,
    axis: Axis = None,
    from_logits: bool = False,
    ignore_class: int | None = None,
    weight: np.ndarray | None = None,
    smooth: float | None = None,
) -> np.ndarray:
    """One less twice the intersection over the sum of both (Milletari et al., 2016, without squares).

    `y` is a mask for each channel, or holds class labels without a channel axis.
    """
    both, mask, found = _sums(y, p, axis, from_logits, ignore_class, weight)
    add = _smooth(mask, smooth)
    return np.asarray(1 - (2 * both + add) / (mask + found + add + EPSILON))


def tversky(
    y: np.ndarray,
    p: np.ndarray,
    alpha: float = 0.5,
    beta: float = 0.5,
    axis: Axis = None,
    from_logits: bool = False,
    ignore_class: int | None = None,
    weight: np.ndarray | None = None,
    smooth: float | None = None,
) -> np.ndarray:
    """`alpha` weighs what was missed of the mask, `beta` what was found beside it.

    This is how Keras computes it; its documentation, and Salehi et al. (2017), name them the other way round.
    """
    both, mask, found = _sums(y, p, axis, from_logits, ignore_class, weight)
    add = _smooth(mask, smooth)
    return np.asarray(1 - (both + add) / (both + alpha * (mask - both) + beta * (found - both) + add + EPSILON))
