"""From the shapes that users pass to flat arrays of items: the only place where metrics look at shapes.

An item is one label: an image in classification, a pixel in segmentation. Nothing is ever broadcast: shapes fit by one
of the rules of `layout_of`, or a ValueError names both.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray, array_of
from striate.metrics.base import IntArray

AnyArray = npt.NDArray[Any]


class Layout(Enum):
    """How the shapes of labels and predictions are related."""

    BINARY = "a 0/1 label and one score for each item"
    SPARSE = "an integer label and C scores for each item"
    CATEGORICAL = "a one-hot label and C scores for each item"
    LABELS = "an integer label and an integer prediction an item"


@dataclass(frozen=True)
class Items:
    """A batch, flattened: M items."""

    layout: Layout
    true: IntArray  # (M,)
    pred: AnyArray  # (M,) scores or labels, or (M, C) scores
    weight: DoubleArray | None  # (M,)
    num_classes: int | None  # None: label maps do not tell


def as_array(owner: str, what: str, value: npt.ArrayLike) -> AnyArray:
    """`value` as a numeric array of one or more axes."""
    array = array_of(value, f"{owner}: {what}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{owner}: {what} must hold numbers, got dtype {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{owner}: {what} must have at least one axis (the batch), got the single number {array}")
    return array


def layout_of(owner: str, true: tuple[int, ...], pred: tuple[int, ...], pred_is_labels: bool = False) -> Layout:
    """Which layout two shapes make; a ValueError names both where none fits.

    Args:
        pred_is_labels: whether the predictions are whole numbers, so that equal shapes are two label maps.
    """
    one_score = Layout.LABELS if pred_is_labels else Layout.BINARY
    if pred == (*true, 1):
        return one_score
    if true in (pred, (*pred, 1)) and (pred_is_labels or len(pred) == 1 or pred[-1] == 1):
        return one_score
    if pred == true:
        return Layout.CATEGORICAL
    if len(pred) > 1 and true in (pred[:-1], (*pred[:-1], 1)):
        return Layout.SPARSE
    raise ValueError(f"{owner}: y_true of shape {true} does not fit y_pred of shape {pred}")


def flatten(
    owner: str,
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    *,
    num_classes: int | None = None,
    ignored: Sequence[int] = (),
    wanted: Layout | None = None,
    fix: str = "",
) -> Items:
    """Flatten a batch to items, dropping those whose label is one of `ignored`.

    Args:
        num_classes: how many classes there must be; None takes what the scores say.
        wanted: the only layout the metric takes, with `fix` to say what else to use.
    """
    true, pred = as_array(owner, "y_true", y_true), as_array(owner, "y_pred", y_pred)
    layout = layout_of(owner, true.shape, pred.shape, wanted is None and pred.dtype.kind != "f")
    if wanted is not None and wanted is not layout:
        raise ValueError(
            f"{owner} expects {wanted.value}, got y_true of shape {true.shape} and y_pred of shape {pred.shape} "
            f"({layout.value}); {fix}"
        )
    several = layout in (Layout.SPARSE, Layout.CATEGORICAL)
    classes = pred.shape[-1] if several else 2 if layout is Layout.BINARY else None
    if classes == 0:
        raise ValueError(f"{owner}: y_pred of shape {pred.shape} has no classes")
    if num_classes is not None and classes not in (None, num_classes):
        raise ValueError(f"{owner} was made for {num_classes} classes, got y_pred of shape {pred.shape}")
    lead = pred.shape[:-1] if several else _without_last_one(true.shape, pred.shape)
    if layout is Layout.CATEGORICAL:
        true = _from_one_hot(owner, true.reshape(-1, pred.shape[-1]))
    weight = flatten_weight(owner, sample_weight, lead)
    true, pred = true.reshape(-1), pred.reshape(-1, pred.shape[-1]) if several else pred.reshape(-1)
    if ignored and not (keep := _is_kept(true, ignored)).all():
        true, pred, weight = true[keep], pred[keep], None if weight is None else weight[keep]
    limit = num_classes or classes
    labels = as_labels(owner, "y_true", true, limit)
    if layout is Layout.LABELS:
        pred = as_labels(owner, "y_pred", pred, limit)
    return Items(layout, labels, pred, weight, limit)


def flatten_multi_label(
    owner: str,
    y_true: npt.ArrayLike,
    y_pred: npt.ArrayLike,
    sample_weight: npt.ArrayLike | None = None,
    ignored: Sequence[int] = (),
) -> tuple[npt.NDArray[np.bool_], AnyArray, DoubleArray | None]:
    """Flatten to labels `(M, C)`, scores `(M, C)` and weights `(M,)`, each column a separate 0/1 problem.

    Integer labels `(M,)` beside scores `(M, C)` are taken as one-hot, and those that are `ignored` dropped.
    """
    true, pred = as_array(owner, "y_true", y_true), as_array(owner, "y_pred", y_pred)
    classes = pred.shape[-1]
    weight = flatten_weight(owner, sample_weight, pred.shape[:-1])
    scores = pred.reshape(-1, classes)
    if pred.ndim > 1 and (true.shape == pred.shape or (*true.shape, 1) == pred.shape):
        marks = as_labels(owner, "y_true", true.reshape(-1), 2).reshape(-1, classes).astype(np.bool_)
    elif pred.ndim > 1 and true.shape in (pred.shape[:-1], (*pred.shape[:-1], 1)):
        labels = true.reshape(-1)
        if ignored and not (keep := _is_kept(labels, ignored)).all():
            labels, scores, weight = labels[keep], scores[keep], None if weight is None else weight[keep]
        marks = as_labels(owner, "y_true", labels, classes)[:, None] == np.arange(classes)
    else:
        raise ValueError(
            f"{owner}: y_true of shape {true.shape} does not fit y_pred of shape {pred.shape}; "
            f"several labels for each item need both as (N, ..., C)"
        )
    return marks, scores, weight


def blank(y_true: AnyArray, output_shape: Sequence[int]) -> AnyArray:
    """Predictions of an output for these targets, all 0, without allocated memory."""
    return np.broadcast_to(np.float32(0), (len(y_true), *output_shape))


def flatten_pairs(
    owner: str, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
) -> tuple[AnyArray, AnyArray, DoubleArray | None]:
    """Two arrays of one shape (up to a last axis of 1) and weights, each `(M,)`."""
    true, pred = as_array(owner, "y_true", y_true), as_array(owner, "y_pred", y_pred)
    if true.shape != pred.shape and true.shape != (*pred.shape, 1) and pred.shape != (*true.shape, 1):
        raise ValueError(f"{owner}: y_true of shape {true.shape} does not fit y_pred of shape {pred.shape}")
    lead = _without_last_one(true.shape, pred.shape)
    return true.reshape(-1), pred.reshape(-1), flatten_weight(owner, sample_weight, lead)


def flatten_weight(owner: str, sample_weight: npt.ArrayLike | None, lead: tuple[int, ...]) -> DoubleArray | None:
    """Weights `(M,)` of items of shape `lead`, from weights of that shape or of its first axes."""
    if sample_weight is None:
        return None
    weight = as_array(owner, "sample_weight", sample_weight).astype(np.float64)
    if weight.shape == (*lead, 1):
        weight = weight.reshape(lead)
    if weight.shape != lead[: weight.ndim]:
        raise ValueError(
            f"{owner}: sample_weight of shape {weight.shape} does not fit labels of shape {lead}; "
            f"give one weight for each example, {lead[:1]}, or one for each label, {lead}"
        )
    if weight.size and not weight.min() >= 0.0:
        raise ValueError(f"{owner}: sample_weight must be at least 0, got {weight.min()}")
    return np.repeat(weight.reshape(-1), math.prod(lead[weight.ndim :]))


def as_labels(owner: str, what: str, labels: AnyArray, num_classes: int | None) -> IntArray:
    """Whole numbers from 0 to `num_classes - 1` as int64; a ValueError shows the first that is not."""
    if labels.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # NaN is caught by the comparison
            whole = labels.astype(np.int64)
        if (wrong := whole != labels).any():
            raise ValueError(f"{owner}: {what} must hold whole class numbers, got {labels[wrong][0]}")
        labels = whole
    if labels.size == 0 or labels.dtype.kind == "b":
        return labels.astype(np.int64)
    low, high = int(labels.min()), int(labels.max())
    if low < 0 or high >= (2**63 if num_classes is None else num_classes):
        worst = low if low < 0 else high
        upto = "" if num_classes is None else f" to {num_classes - 1}"
        fix = f"; if it marks items without a label, pass ignore_class={worst}" if what == "y_true" else ""
        raise ValueError(f"{owner}: {what} holds the label {worst}, expected 0{upto}{fix}")
    return labels.astype(np.int64)


def check_threshold(owner: str, threshold: float) -> float:
    """A probability as float, or an error."""
    if isinstance(threshold, bool) or not isinstance(threshold, (int, float, np.integer, np.floating)):
        raise TypeError(f"{owner}: a threshold must be a number, got {type(threshold).__name__}")
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"{owner}: a threshold is a probability from 0 to 1 (of logits too), got {threshold}")
    return float(threshold)


def above(scores: AnyArray, threshold: float, from_logits: bool) -> npt.NDArray[np.bool_]:
    """Where the probability is over `threshold`; a logit is over it where it is over logit(threshold)."""
    if from_logits:
        if threshold in (0.0, 1.0):
            threshold = math.inf if threshold else -math.inf
        else:
            threshold = math.log(threshold) - math.log1p(-threshold)
    over: npt.NDArray[np.bool_] = scores > threshold
    return over


def predicted_labels(items: Items, threshold: float, from_logits: bool) -> IntArray:
    """The class predicted for each item: the first highest score, or 1 where the only score is over the threshold."""
    if items.layout is Layout.LABELS:
        return np.asarray(items.pred, np.int64)
    if items.layout is Layout.BINARY:
        return above(items.pred, threshold, from_logits).astype(np.int64)
    return np.asarray(items.pred.argmax(axis=1), np.int64)


def first_k(scores: AnyArray, k: int) -> IntArray:
    """Columns `(M, k)` of the k highest scores of each row; of equal scores the lower column comes first."""
    return np.argsort(-scores.astype(np.float64), axis=1, kind="stable")[:, :k]


def _is_kept(labels: AnyArray, ignored: Sequence[int]) -> npt.NDArray[np.bool_]:
    keep = np.ones(labels.shape, np.bool_)
    for label in ignored:
        keep &= labels != label
    return keep


def _without_last_one(true: tuple[int, ...], pred: tuple[int, ...]) -> tuple[int, ...]:
    lead = min(true, pred, key=len)
    return lead[:-1] if len(lead) > 1 and lead[-1] == 1 else lead


def _from_one_hot(owner: str, rows: AnyArray) -> IntArray:
    sums = rows.sum(axis=1, dtype=np.float64)
    if rows.size and (rows.min() < 0 or not np.allclose(sums, 1.0, rtol=0.0, atol=1e-3)):
        raise ValueError(
            f"{owner}: y_true has the shape of y_pred, so each row must be one-hot (or probabilities that sum to 1), "
            f"but one sums to {sums[np.abs(sums - 1.0).argmax()]:g}; if items have several labels, use BinaryAccuracy, "
            f"or a metric with thresholds"
        )
    return np.asarray(rows.argmax(axis=1), np.int64)
