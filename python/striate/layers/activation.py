"""Activations as layers. Each works element by element, but for Softmax."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers._arguments import Activation as ActivationLike
from striate.layers._arguments import InitializerLike
from striate.layers._base import Layer
from striate.regularizers import RegularizerLike


class Activation(Layer):
    """An activation by its name.

    Args:
        activation: "relu", "relu6", "leaky_relu" (slope 0.2), "elu", "sigmoid", "tanh", "softplus", "silu" (or
            "swish"), "gelu", "hard_sigmoid", "hard_swish" (or "hard_silu"), "softmax", "linear"; or a function:
            "exponential", "log", "sqrt", "abs", "reciprocal", "reciprocal_no_nan" (0 at 0),
            "erf".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: there is none of that name.
    """

    def __init__(self, activation: ActivationLike, *, name: str | None = None) -> None:
        super().__init__(locals())


class ReLU(Layer):
    """`min(max(x, 0), max_value)`, below `threshold` `negative_slope * (x - threshold)` (Nair and Hinton, ICML 2010).

    Args:
        max_value: the largest output; None for no limit.
        negative_slope: slope below the threshold.
        threshold: where it begins.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is negative.
    """

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class LeakyReLU(Layer):
    """`x` above 0, `negative_slope * x` below (Maas et al., 2013).

    Args:
        negative_slope: slope below 0.
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, negative_slope: float = 0.3, *, name: str | None = None) -> None:
        super().__init__(locals())


class ELU(Layer):
    """`x` above 0, `alpha * (exp(x) - 1)` below (Clevert et al., ICLR 2016).

    Args:
        alpha: the output tends to -alpha for large negative inputs.
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, alpha: float = 1.0, *, name: str | None = None) -> None:
        super().__init__(locals())


class PReLU(Layer):
    """`x` above 0, `alpha * x` below, with learned alpha (He et al., ICCV 2015).

    Weights: alpha, of the input's shape without the batch, with a 1 for each shared axis.

    Args:
        alpha_initializer: how alpha starts.
        alpha_regularizer: penalty on alpha, added to the loss, such as "l2(1e-4)"; None for none.
        shared_axes: axes, counted from 1 as the batch is 0, along which alpha is one number: [1, 2] for one alpha a
            channel.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes alpha.
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        shared_axes: Sequence[int] | None = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class Softmax(Layer):
    """`exp(x) / sum(exp(x))` along the last axis: probabilities from scores.

    Args:
        axis: the classes' axis: -1.
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(locals())
