"""What the networks share: checked arguments, the input's start, normalised layers, the classifying end."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

from striate import layers
from striate.layers import Symbol
from striate.model import Model

# Keras's momentum of 0.99 needs thousands of steps before the averages are fit for inference; 0.9 needs dozens, and a
# short training on a small set has no more.
MOMENTUM, EPSILON = 0.9, 1e-5


def check_arguments(who: str, input_shape: Sequence[int], classes: int, dropout: float) -> tuple[int, int, int]:
    """The input's shape as (height, width, channels), after all three arguments were found good."""
    shape = tuple(input_shape) if isinstance(input_shape, Sequence) else (input_shape,)
    if len(shape) != 3 or not all(is_count(side) for side in shape):
        raise ValueError(
            f"models.{who} expects input_shape (height, width, channels), all at least 1, got {input_shape}"
        )
    if not is_count(classes):
        raise ValueError(f"models.{who} expects classes to be a whole number of at least 1, got {classes!r}")
    if not 0.0 <= dropout < 1.0:
        raise ValueError(f"models.{who} expects dropout in [0, 1), got {dropout!r}")
    height, width, channels = (int(side) for side in shape)
    return height, width, channels


def is_count(value: Any) -> bool:
    """Whether `value` is a whole number of at least 1."""
    try:
        return not isinstance(value, bool) and operator.index(value) >= 1
    except TypeError:
        return False


def begin(shape: tuple[int, int, int], rescale: float | None) -> tuple[Symbol, Symbol]:
    """The model's input, and what the first layer reads: the input times `rescale` where that is given."""
    start = layers.Input(shape)
    return start, start if rescale is None else layers.Rescaling(rescale)(start)


def conv(
    x: Symbol,
    filters: int,
    size: int,
    name: str,
    strides: int = 1,
    normalize: bool = True,
    activation: str | None = "relu",
) -> Symbol:
    """Convolution (He initialisation, `same`), batch normalisation, activation; without normalisation, with a bias."""
    x = layers.Conv2D(
        filters,
        size,
        strides=strides,
        padding="same",
        use_bias=not normalize,
        kernel_initializer="he_normal",
        name=name,
    )(x)
    if normalize:
        x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}_bn")(x)
    return x if activation is None else layers.Activation(activation, name=f"{name}_{activation}")(x)


def dense(x: Symbol, units: int, name: str, normalize: bool = True) -> Symbol:
    """Fully connected layer (He initialisation), batch normalisation, ReLU; without normalisation, with a bias."""
    x = layers.Dense(units, use_bias=not normalize, kernel_initializer="he_normal", name=name)(x)
    if normalize:
        x = layers.BatchNormalization(momentum=MOMENTUM, epsilon=EPSILON, name=f"{name}_bn")(x)
    return layers.Activation("relu", name=f"{name}_relu")(x)


def drop(x: Symbol, rate: float, name: str) -> Symbol:
    """Dropout, or nothing for a rate of 0."""
    return layers.Dropout(rate, name=name)(x) if rate > 0 else x


def finish(start: Symbol, x: Symbol, classes: int, seed: int | None, name: str) -> Model:
    """The model from `start` to one logit a class."""
    return Model(start, layers.Dense(classes, name="logits")(x), name=name, seed=seed)
