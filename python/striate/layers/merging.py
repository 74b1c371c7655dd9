"""Layers of several inputs."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers._base import Layer, Symbol


class Add(Layer):
    """The sum of inputs: `Add()([x, shortcut])`. An axis of length 1 is repeated where another input is longer.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Subtract(Layer):
    """The first of two inputs minus the second. An axis of length 1 is repeated where the other input is longer.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: not two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Multiply(Layer):
    """The product of inputs, element by element. An axis of length 1 is repeated where another input is longer.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Average(Layer):
    """The mean of inputs: `Average()([x, y])`. An axis of length 1 is repeated where another input is longer.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Maximum(Layer):
    """The largest of inputs, element by element: `Maximum()([x, y])`. An axis of length 1 is repeated where another
    input is longer.

    Of equal inputs the first has the whole gradient, as in Keras on TensorFlow. PyTorch and JAX divide it between two
    equal inputs. Where an input is NaN, so is the output.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Minimum(Layer):
    """The smallest of inputs, element by element: `Minimum()([x, y])`. An axis of length 1 is repeated where another
    input is longer.

    Equal inputs and NaN are treated as by `Maximum`.

    Args:
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class MatMul(Layer):
    """The product of two inputs as matrices: `MatMul()([a, b])`; what `keras.ops.matmul` does, as a layer.

    Inputs (N, M, K) and (N, K, L) give (N, M, L); inputs (N, H, M, K) and (N, H, K, L) give (N, H, M, L). Attention is
    `MatMul()([Softmax()(MatMul(transpose_b=True)([q, k])), v])` (Vaswani et al., "Attention Is All You Need", 2017).

    Args:
        transpose_b: whether the second input is (N, ..., L, K).
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: not two inputs, or shapes that do not fit.
    """

    def __init__(self, transpose_b: bool = False, *, name: str | None = None) -> None:
        super().__init__(locals())


class Concatenate(Layer):
    """Inputs joined along an axis: (N, H, W, C1) and (N, H, W, C2) give (N, H, W, C1 + C2).

    Args:
        axis: along which; -1 for the channels.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ elsewhere.
    """

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(locals())


def add(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Add(name=name)(inputs)`."""
    return Add(name=name)(inputs)


def subtract(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Subtract(name=name)(inputs)`."""
    return Subtract(name=name)(inputs)


def multiply(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Multiply(name=name)(inputs)`."""
    return Multiply(name=name)(inputs)


def average(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Average(name=name)(inputs)`."""
    return Average(name=name)(inputs)


def maximum(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Maximum(name=name)(inputs)`."""
    return Maximum(name=name)(inputs)


def minimum(inputs: Sequence[Symbol], *, name: str | None = None) -> Symbol:
    """`Minimum(name=name)(inputs)`."""
    return Minimum(name=name)(inputs)


def concatenate(inputs: Sequence[Symbol], axis: int = -1, *, name: str | None = None) -> Symbol:
    """`Concatenate(axis, name=name)(inputs)`."""
    return Concatenate(axis, name=name)(inputs)
