"""Training gives the same bits at any number of threads, again and again; another seed gives others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import striate
from striate import layers

ROWS, BATCH, EPOCHS = 310, 32, 10  # 100 steps, the last of each epoch a short batch


@pytest.fixture(autouse=True)
def threads_as_before() -> Iterator[None]:
    before = striate.get_num_threads()
    yield
    striate.set_num_threads(before)


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 5, ROWS)
    patterns = rng.standard_normal((5, 14, 14, 3))
    return (patterns[labels] + rng.standard_normal((ROWS, 14, 14, 3))).astype(np.float32), labels


def network(seed: int | None) -> striate.Sequential:
    return striate.Sequential(
        [
            layers.Input((14, 14, 3)),
            layers.Conv2D(19, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(33, 3, strides=2, padding="same"),
            layers.BatchNormalization(),
            layers.Activation("silu"),
            layers.AveragePooling2D(2),
            layers.SpatialDropout2D(0.1),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(50, activation="relu"),
            layers.Dense(5, activation="softmax"),
        ],
        seed=seed,
    )


def train(threads: int, seed: int | None = 3, epochs: int = EPOCHS) -> tuple[list[bytes], list[float], bytes]:
    """The weights, the losses of the epochs, and predictions."""
    striate.set_num_threads(threads)
    x, y = data()
    model = network(seed)
    model.compile(optimizer=striate.optimizers.Adam(2e-3, global_clipnorm=1.0), loss="sparse_categorical_crossentropy")
    history = model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0, validation_split=0.0).history
    return [w.tobytes() for w in model.get_weights()], history["loss"], model.predict(x).tobytes()


def test_same_bits_at_any_number_of_threads() -> None:
    weights, losses, predictions = train(1)
    assert len(losses) == EPOCHS and losses[-1] < 0.5 * losses[0]
    for threads in (2, 3, 4, 8):
        again = train(threads)
        assert again[1] == losses, threads
        assert again[0] == weights, threads
        assert again[2] == predictions, threads


def test_same_seed_same_bits_another_seed_others() -> None:
    first = train(2, seed=11, epochs=2)
    assert train(2, seed=11, epochs=2) == first
    other = train(2, seed=12, epochs=2)
    assert other[0] != first[0] and other[1] != first[1]


def test_set_seed_replaces_the_seeds_that_are_not_given() -> None:
    striate.set_seed(21)
    first, second = train(2, seed=None, epochs=1), train(2, seed=None, epochs=1)
    assert first[0] != second[0]
    striate.set_seed(21)
    assert train(2, seed=None, epochs=1) == first


def test_training_on_batches_of_ones_own_is_the_same() -> None:
    x, y = data()
    results = []
    for threads in (1, 3):
        striate.set_num_threads(threads)
        model = network(4)
        model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
        losses = [model.train_on_batch(x[i : i + 40], y[i : i + 40]) for i in range(0, 200, 40)]
        results.append((losses, [w.tobytes() for w in model.get_weights()]))
    assert results[0] == results[1]
