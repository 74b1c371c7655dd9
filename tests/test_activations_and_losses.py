"""A warning, once, of scores that a loss takes for probabilities, and of a softmax that is computed twice."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import striate as st
from striate import layers as L
from striate import losses

SCORES = "has no softmax or sigmoid, and its loss"
TWICE = "computes another one"
SOFTMAXES = "is a softmax of a softmax"
SPARSE = losses.SparseCategoricalCrossentropy


def compiled(stack: list[Any], loss: Any, shape: tuple[int, ...] = (8, 8, 1)) -> list[str]:
    """The warnings of a model's compile, and of whatever follows."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        model = st.Sequential([st.Input(shape), *stack])
        model.compile("sgd", loss)
        model.loss  # noqa: B018
        model.summary()
    return [str(warning.message) for warning in seen]


@pytest.mark.parametrize(
    ("stack", "loss", "message"),
    [
        ([L.Flatten(), L.Dense(3)], "sparse_categorical_crossentropy", SCORES),
        ([L.Flatten(), L.Dense(3), L.Activation("linear")], "categorical_crossentropy", SCORES),
        ([L.Flatten(), L.Dense(1)], "binary_crossentropy", SCORES),
        ([L.Conv2D(3, 1), L.Reshape((64, 3))], "categorical_focal_crossentropy", SCORES),
        ([L.Conv2D(3, 1), L.GlobalAveragePooling2D()], "sparse_categorical_crossentropy", SCORES),
        ([L.Conv2D(3, 1), L.BatchNormalization()], "dice", SCORES),
        ([L.Conv2D(1, 1)], losses.Dice() + losses.BinaryCrossentropy(), SCORES),
        ([L.Flatten(), L.Dense(3, activation="softmax")], SPARSE(from_logits=True), TWICE),
        ([L.Flatten(), L.Dense(3), L.Softmax()], SPARSE(from_logits=True), TWICE),
        ([L.Flatten(), L.Dense(1, activation="sigmoid")], losses.BinaryCrossentropy(from_logits=True), TWICE),
        ([L.Conv2D(3, 1, activation="softmax")], losses.Tversky(from_logits=True), TWICE),
        ([L.Flatten(), L.Dense(3, activation="softmax"), L.Softmax()], "sparse_categorical_crossentropy", SOFTMAXES),
        ([L.Flatten(), L.Dense(3), L.Softmax(), L.Activation("softmax")], "mse", SOFTMAXES),
        ([L.Flatten(), L.Dense(1, activation="softmax")], "binary_crossentropy", "a softmax over one class"),
    ],
)
def test_warned_once(stack: list[Any], loss: Any, message: str) -> None:
    seen = compiled(stack, loss)
    assert len(seen) == 1 and message in seen[0]
    assert stack[-1].name in seen[0]


@pytest.mark.parametrize(
    ("stack", "loss"),
    [
        ([L.Flatten(), L.Dense(3, activation="softmax")], "sparse_categorical_crossentropy"),
        ([L.Flatten(), L.Dense(3)], SPARSE(from_logits=True)),
        ([L.Flatten(), L.Dense(3), L.Softmax()], "categorical_crossentropy"),
        ([L.Flatten(), L.Dense(3, activation="sigmoid")], "binary_crossentropy"),
        ([L.Flatten(), L.Dense(3)], "mse"),
        ([L.Conv2D(2, 1, activation="softmax"), L.UpSampling2D(2)], "dice"),
        ([L.Conv2D(2, 1, activation="softmax"), L.Flatten(), L.Dense(3, activation="softmax")], "dice"),
        ([L.Flatten(), L.Dense(3, activation="softmax"), L.BatchNormalization()], SPARSE(from_logits=True)),
        ([L.Flatten(), L.Dense(3, activation="relu")], "binary_crossentropy"),
    ],
)
def test_no_false_alarm(stack: list[Any], loss: Any) -> None:
    assert compiled(stack, loss) == []


def test_a_model_that_is_built_later_and_several_outputs() -> None:
    model = st.Sequential([L.Dense(3)])
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.warns(UserWarning, match=SCORES) as seen:
        for _ in range(3):
            model.train_on_batch([[1.0, 2.0]], [1])
    assert len(seen) == 1
    a = st.Input((4,))
    both = st.Model(a, [L.Dense(3, name="right", activation="softmax")(a), L.Dense(3, name="wrong")(a)])
    with pytest.warns(UserWarning, match="'wrong' has no softmax") as seen:
        both.compile("sgd", "sparse_categorical_crossentropy")
    assert len(seen) == 1
