"""Cut a data set in two parts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate.data._streams import check_seed, permutation

Part = tuple[NDArray[Any], NDArray[Any]]


def split(x: ArrayLike, y: ArrayLike, fraction: float = 0.2, seed: int = 0, stratify: bool = True) -> tuple[Part, Part]:
    """Split `(x, y)` at random into a training and a test part.

    The same arguments give the same cut on every platform. Both parts come back shuffled.

    Args:
        x: samples, first axis N.
        y: labels, first axis N: integers (N,) or (N, 1), or one-hot rows (N, K); anything else with stratify=False.
        fraction: share of the samples that go to the test part, 0 < fraction < 1; their number is rounded up.
        seed: seed of the shuffle.
        stratify: give every class its share of the test part (largest remainders first; at least one sample of each
            class stays in the training part).

    Returns:
        `(x_train, y_train), (x_test, y_test)`: copies.

    Raises:
        ValueError: the lengths differ, fraction is out of range, there are fewer than two samples, or stratify asks
            for labels that are not classes.
    """
    x, y = array_of(x, "split: x"), array_of(y, "split: y")
    if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
        raise ValueError(f"split expects as many labels as samples, got x of shape {x.shape} and y of shape {y.shape}")
    classes = _classes(y) if stratify else np.zeros(len(y), dtype=np.int64)
    train, test = split_indices(classes, fraction, seed)
    return (x[train], y[train]), (x[test], y[test])


def split_indices(
    classes: NDArray[np.int64], fraction: float, seed: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row numbers of the two parts, stratified over `classes`; `seed` None keeps the order and takes each class's end.

    Raises:
        ValueError: fraction is out of (0, 1), or a part would be empty.
    """
    n = len(classes)
    if not 0.0 < fraction < 1.0:
        raise ValueError(f"the fraction of a split must be between 0 and 1, got {fraction}")
    if n < 2:
        raise ValueError(f"a split takes at least 2 samples, got {n}")
    order = np.arange(n, dtype=np.int64) if seed is None else permutation(n, check_seed(seed))
    _, which, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    shares = _shares(sizes, math.ceil(round(n * fraction, 9)))
    in_test = np.zeros(n, dtype=bool)
    which = which[order]
    for number, share in enumerate(shares.tolist()):
        if share:
            in_test[np.flatnonzero(which == number)[-share:]] = True
    if not in_test.any() or in_test.all():
        raise ValueError(
            f"{n} samples of {len(sizes)} classes cannot be split with fraction {fraction}: a part is empty"
        )
    return order[~in_test], order[in_test]


def _shares(sizes: NDArray[np.int64], total: int) -> NDArray[np.int64]:
    """How many of `total` each class gives: proportional, largest remainders first, never a whole class."""
    exact = sizes * (total / sizes.sum())
    shares: NDArray[np.int64] = np.minimum(np.floor(exact).astype(np.int64), sizes - 1)
    by_remainder = np.argsort(shares - exact, kind="stable")
    missing = total - int(shares.sum())
    while missing > 0:
        able = [number for number in by_remainder if shares[number] < sizes[number] - 1][:missing]
        if not able:
            break
        shares[able] += 1
        missing -= len(able)
    return shares


def _classes(y: NDArray[Any]) -> NDArray[np.int64]:
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind in "iufb":
        if ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
            y = np.argmax(y, axis=1)
    if y.size == len(y) and y.dtype.kind in "iubUS":
        classes: NDArray[np.int64] = np.unique(y.ravel(), return_inverse=True)[1].astype(np.int64)
        return classes
    raise ValueError(
        f"split can stratify integer labels (N,) or one-hot rows (N, K), got y of shape {y.shape} and dtype {y.dtype}; "
        "pass stratify=False"
    )
