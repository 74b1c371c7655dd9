"""Class labels as one-hot rows."""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of


def to_categorical(x: ArrayLike, num_classes: int | None = None) -> NDArray[np.float32]:
    """Convert integer class labels to one-hot rows.

    Args:
        x: labels 0 .. num_classes - 1, of any shape; a last axis of length 1 is dropped, as in Keras. Floats are
            accepted where they are whole numbers.
        num_classes: length of a row; None: the largest label plus one.

    Returns:
        float32 of shape `x.shape + (num_classes,)`: 1 at the label, 0 elsewhere.

    Raises:
        TypeError: the labels are not numbers.
        ValueError: a label is negative, fractional, or num_classes or more; or there are no labels and
            `num_classes` is None.
    """
    labels = array_of(x, "to_categorical: x")
    if labels.dtype.kind not in "iufb":
        raise TypeError(
            f"to_categorical expects integer labels, got dtype {labels.dtype}; number the classes first, for example "
            "with numpy.unique(x, return_inverse=True)"
        )
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels == np.floor(labels))
        if not whole.all():
            raise ValueError(f"to_categorical expects whole numbers, got {labels[~whole].ravel()[0]}")
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if num_classes is None:
        if labels.size == 0:
            raise ValueError("to_categorical got no labels, so it cannot count the classes; pass num_classes")
        num_classes = int(labels.max()) + 1 if labels.max() >= 0 else 1
    else:
        num_classes = operator.index(num_classes)
        if num_classes < 1:
            raise ValueError(f"to_categorical expects num_classes of at least 1, got {num_classes}")
    if labels.size:
        low, high = labels.min(), labels.max()
        if low < 0:
            raise ValueError(f"to_categorical expects labels of 0 or more, got {int(low)}")
        if high >= num_classes:
            raise ValueError(
                f"to_categorical got the label {int(high)} with num_classes={num_classes}; labels run from 0 to "
                "num_classes - 1"
            )
    flat = labels.astype(np.int64).ravel()
    rows = np.zeros((flat.size, num_classes), dtype=np.float32)
    rows[np.arange(flat.size), flat] = 1.0
    return rows.reshape((*labels.shape, num_classes))
