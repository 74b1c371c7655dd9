"""Counter-based random numbers: what is drawn depends on the key and the counter, never on what was drawn before.

The generator is Philox4x64-10 (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
Only its raw 64-bit words are used where a result must stay the same over NumPy versions, since NumPy promises that of
its bit generators and not of the distributions made from them.
"""

from __future__ import annotations

import operator

import numpy as np
from numpy.typing import NDArray

WORD = 2**64

# The second word of the key: one for each use, so that two uses of one seed share no stream. The core's augmentation
# has 2, 3 and 4.
SHUFFLE = 1


def check_seed(seed: object, name: str = "seed") -> int:
    """`seed` as an int in [0, 2**64), or TypeError/ValueError that names `name`."""
    try:
        value = operator.index(seed)  # type: ignore[arg-type]
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {type(seed).__name__}") from None
    if not 0 <= value < WORD:
        raise ValueError(f"{name} must be in 0 .. 2**64 - 1, got {value}")
    return value


def philox(seed: int, use: int, *, index: int = 0, epoch: int = 0) -> np.random.Philox:
    """The stream of (seed, use, index, epoch), at its start."""
    counter = np.array([0, index, epoch, 0], dtype=np.uint64)
    return np.random.Philox(key=np.array([seed, use], dtype=np.uint64), counter=counter)


def permutation(n: int, seed: int, use: int = SHUFFLE) -> NDArray[np.int64]:
    """A random order of 0 .. n - 1: the same for the same seed on every platform and NumPy version."""
    words = np.asarray(philox(seed, use).random_raw(n), dtype=np.uint64)
    return np.argsort(words, kind="stable").astype(np.int64)
