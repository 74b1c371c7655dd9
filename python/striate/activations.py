"""Activations as functions of symbols: `relu(x)` is `Activation("relu")(x)`. Layers take them as `activation=` too."""

from __future__ import annotations

from collections.abc import Callable

from striate._names import suggestion
from striate.layers._base import Symbol
from striate.layers.activation import Activation

__all__ = [
    "elu",
    "exponential",
    "gelu",
    "get",
    "hard_sigmoid",
    "hard_silu",
    "hard_swish",
    "leaky_relu",
    "linear",
    "relu",
    "relu6",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "swish",
    "tanh",
]


def elu(x: Symbol) -> Symbol:
    """`x` above 0, `exp(x) - 1` below."""
    return Activation("elu")(x)


def exponential(x: Symbol) -> Symbol:
    """`exp(x)`."""
    return Activation("exponential")(x)


def gelu(x: Symbol) -> Symbol:
    """`x * Φ(x)`, with the distribution function of the normal distribution."""
    return Activation("gelu")(x)


def hard_sigmoid(x: Symbol) -> Symbol:
    """`min(max(x / 6 + 1 / 2, 0), 1)`."""
    return Activation("hard_sigmoid")(x)


def hard_silu(x: Symbol) -> Symbol:
    """`x` times its hard sigmoid."""
    return Activation("hard_silu")(x)


def hard_swish(x: Symbol) -> Symbol:
    """`x` times its hard sigmoid."""
    return Activation("hard_swish")(x)


def leaky_relu(x: Symbol) -> Symbol:
    """`x` where x > 0, otherwise `0.2 x`."""
    return Activation("leaky_relu")(x)


def linear(x: Symbol) -> Symbol:
    """`x`."""
    return Activation("linear")(x)


def relu(x: Symbol) -> Symbol:
    """`max(x, 0)`."""
    return Activation("relu")(x)


def relu6(x: Symbol) -> Symbol:
    """`min(max(x, 0), 6)`."""
    return Activation("relu6")(x)


def sigmoid(x: Symbol) -> Symbol:
    """`1 / (1 + exp(-x))`."""
    return Activation("sigmoid")(x)


def silu(x: Symbol) -> Symbol:
    """`x` times its sigmoid."""
    return Activation("silu")(x)


def softmax(x: Symbol) -> Symbol:
    """`exp(x) / sum(exp(x))` along the last axis."""
    return Activation("softmax")(x)


def softplus(x: Symbol) -> Symbol:
    """`log(1 + exp(x))`."""
    return Activation("softplus")(x)


def swish(x: Symbol) -> Symbol:
    """`x` times its sigmoid."""
    return Activation("swish")(x)


def tanh(x: Symbol) -> Symbol:
    """The hyperbolic tangent."""
    return Activation("tanh")(x)


def get(identifier: str | Callable[[Symbol], Symbol] | None) -> Callable[[Symbol], Symbol]:
    """A function by its name, or itself; `linear` for None.

    Raises:
        ValueError: there is none of that name.
        TypeError: it is neither.
    """
    if identifier is None:
        return linear
    if not isinstance(identifier, str):
        if callable(identifier):
            return identifier
        raise TypeError(f"an activation must be a name such as 'relu' or a function, got {type(identifier).__name__}")
    names = [name for name in __all__ if name != "get"]
    if identifier not in names:
        raise ValueError(f"there is no activation {identifier!r}; {suggestion(identifier, names)}")
    found: Callable[[Symbol], Symbol] = globals()[identifier]
    return found
