"""Focal losses: cross-entropies that weigh well classified samples down (Lin et al., 2017)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reference.activations import sigmoid, softmax
from reference.losses.crossentropy import binary_terms, clip, smooth


def binary_focal_crossentropy(
    y: np.ndarray,
    p: np.ndarray,
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
) -> np.ndarray:
    y = smooth(y, label_smoothing, 2)
    p = sigmoid(p) if from_logits else p
    right = y * p + (1 - y) * (1 - p)
    terms = (1 - right) ** gamma * binary_terms(y, p, from_logits=False)
    if apply_class_balancing:
        terms = terms * (y * alpha + (1 - y) * (1 - alpha))
    return terms.mean(axis=-1)


def categorical_focal_crossentropy(
    y: np.ndarray,
    p: np.ndarray,
    alpha: float | Sequence[float] = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    ignore_class: int | None = None,
) -> np.ndarray:
    """`alpha` is one weight for all classes, or one for each. `y` is one-hot, or holds class labels."""
    if y.ndim < p.ndim:
        y = (y[..., None] == np.arange(p.shape[-1])).astype(np.float64)
    y = smooth(y, label_smoothing, p.shape[-1])
    p = softmax(p) if from_logits else p
    p = clip(p / p.sum(axis=-1, keepdims=True))
    return (np.asarray(alpha) * (1 - p) ** gamma * -y * np.log(p)).sum(axis=-1)
