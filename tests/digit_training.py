"""A small network, to train on the bundled digits, and a look at whether two came out the same."""

from __future__ import annotations

import numpy as np

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, ReLU, Rescaling


def digits(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    (x, y), _ = st.data.load_digits()
    return x[:count], y[:count]


def network(seed: int = 0, outputs: int = 10) -> st.Sequential:
    return st.Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 16 if digits()[0].max() <= 16 else 1 / 255),
            Conv2D(8, 3, padding="same", use_bias=False),
            BatchNormalization(),
            ReLU(),
            Flatten(),
            Dropout(0.1),
            Dense(outputs),
        ],
        seed=seed,
    )


def sparse() -> st.losses.SparseCategoricalCrossentropy:
    return st.losses.SparseCategoricalCrossentropy(from_logits=True)


def same_weights(a: st.Model, b: st.Model) -> bool:
    return all(np.array_equal(x, y) for x, y in zip(a.get_weights(), b.get_weights(), strict=True))
