"""Layers of several inputs."""

from __future__ import annotations

from striate.layers._base import Layer


class Add(Layer):
    """The sum of inputs of one shape: `Add()([x, shortcut])`.

    Args:
        name: by which the model finds the layer.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Subtract(Layer):
    """The first of two inputs of one shape minus the second.

    Args:
        name: by which the model finds the layer.

    Raises:
        ValueError: when called: not two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Multiply(Layer):
    """The product of inputs of one shape, element by element.

    Args:
        name: by which the model finds the layer.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ.
    """

    def __init__(self, *, name: str | None = None) -> None:
        super().__init__(locals())


class Concatenate(Layer):
    """Inputs side by side along an axis: (N, H, W, C1) and (N, H, W, C2) give (N, H, W, C1 + C2).

    Args:
        axis: along which; -1 for the channels.
        name: by which the model finds the layer.

    Raises:
        ValueError: when called: fewer than two inputs, or shapes that differ elsewhere.
    """

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(locals())
