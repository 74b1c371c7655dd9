"""Cross-entropies of two classes, of one-hot rows and of class numbers."""

from __future__ import annotations

import numpy as np

# What probabilities are kept away from 0 and 1 by, and what Keras adds to denominators.
EPSILON = 1e-7


def clip(p: np.ndarray) -> np.ndarray:
    return np.clip(p, EPSILON, 1 - EPSILON)


def log_softmax(x: np.ndarray) -> np.ndarray:
    shifted = x - x.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


def smooth(y: np.ndarray, label_smoothing: float, classes: int) -> np.ndarray:
    """Takes a share of each target and spreads it evenly over the classes (Szegedy et al., 2016)."""
    return y * (1 - label_smoothing) + label_smoothing / classes


def binary_terms(y: np.ndarray, p: np.ndarray, from_logits: bool) -> np.ndarray:
    """Element by element; the form for logits x is that of log(1 + exp(x)), which does not overflow."""
    if from_logits:
        return np.logaddexp(p, 0.0) - y * p
    return -y * np.log(clip(p)) - (1 - y) * np.log(clip(1 - p))


def binary_crossentropy(
    y: np.ndarray, p: np.ndarray, from_logits: bool = False, label_smoothing: float = 0.0
) -> np.ndarray:
    return binary_terms(smooth(y, label_smoothing, 2), p, from_logits).mean(axis=-1)


def log_probabilities(p: np.ndarray, from_logits: bool) -> np.ndarray:
    """Of the classes of each row; rows of probabilities are first scaled to sum to 1."""
    return log_softmax(p) if from_logits else np.log(clip(p / p.sum(axis=-1, keepdims=True)))


def categorical_crossentropy(
    y: np.ndarray, p: np.ndarray, from_logits: bool = False, label_smoothing: float = 0.0
) -> np.ndarray:
    return -(smooth(y, label_smoothing, p.shape[-1]) * log_probabilities(p, from_logits)).sum(axis=-1)


def valid_labels(y: np.ndarray, ignore_class: int | None) -> np.ndarray | None:
    """Where a label counts; None when all do."""
    return None if ignore_class is None else y != ignore_class


def sparse_categorical_crossentropy(
    y: np.ndarray, p: np.ndarray, from_logits: bool = False, ignore_class: int | None = None
) -> np.ndarray:
    """`y` has whole numbers and no class axis. Ignored labels give 0; `valid_labels` says which those are."""
    valid = np.ones(y.shape, bool) if ignore_class is None else y != ignore_class
    labels = np.where(valid, y, 0).astype(int)
    rows = np.take_along_axis(log_probabilities(p, from_logits), labels[..., None], axis=-1)[..., 0]
    return np.where(valid, -rows, 0.0)
