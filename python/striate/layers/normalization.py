"""Normalisation, dropout, and the scaling of inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._arrays import array_of
from striate.layers._arguments import InitializerLike
from striate.layers._base import Layer
from striate.regularizers import RegularizerLike


class BatchNormalization(Layer):
    """Each channel brought to mean 0 and variance 1, then scaled by gamma and shifted by beta (Ioffe and Szegedy, ICML
    2015).

    In training the statistics are the batch's (over N, H, W), and the moving averages follow:
    `moving = momentum * moving + (1 - momentum) * batch`. In inference, and where the layer is frozen, the moving
    averages are used. Input and output (N, ..., C).

    PyTorch's `BatchNorm2d(momentum=0.1, eps=1e-5)` is `BatchNormalization(momentum=0.9, epsilon=1e-5,
    unbiased_variance=True)`.

    Weights: gamma, beta, moving mean and moving variance, each (C,).

    Args:
        axis: the axis of the channels; only -1, the last, is supported.
        momentum: share of the old value that the moving averages keep at each step.
        epsilon: added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: how beta starts.
        gamma_initializer: how gamma starts.
        moving_mean_initializer: how the moving mean starts.
        moving_variance_initializer: how the moving variance starts.
        beta_regularizer: penalty on beta, added to the loss, such as "l2(1e-4)"; None for none.
        gamma_regularizer: penalty on gamma, added to the loss, such as "l2(1e-4)"; None for none.
        unbiased_variance: whether the moving variance takes the batch's variance divided by the number of values less
            1, as in PyTorch, rather than by the number of values, as in Keras.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights and the moving averages.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        moving_mean_initializer: InitializerLike = "zeros",
        moving_variance_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        *,
        unbiased_variance: bool = False,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class LayerNormalization(Layer):
    """Each sample's last axis (or axes) brought to mean 0 and variance 1, then scaled and shifted (Ba et al., 2016).

    Input and output (N, ..., C). Weights: gamma and beta, of the shape of the normalised axes: (C,).

    Args:
        axis: the axes that are normalised: -1, or the last several.
        epsilon: added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: how beta starts.
        gamma_initializer: how gamma starts.
        beta_regularizer: penalty on beta, added to the loss, such as "l2(1e-4)"; None for none.
        gamma_regularizer: penalty on gamma, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        axis: int | Sequence[int] = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class GroupNormalization(Layer):
    """Each sample's groups of channels brought to mean 0 and variance 1, then scaled and shifted (Wu and He, ECCV
    2018).

    Input and output (N, ..., C). Weights: gamma and beta, each (C,).

    Args:
        groups: into how many parts the channels are cut; -1 takes as many as there are channels.
        axis: the axis of the channels; only -1, the last, is supported.
        epsilon: added to the variance.
        center: whether there is a beta.
        scale: whether there is a gamma.
        beta_initializer: how beta starts.
        gamma_initializer: how gamma starts.
        beta_regularizer: penalty on beta, added to the loss, such as "l2(1e-4)"; None for none.
        gamma_regularizer: penalty on gamma, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: the channels do not divide by `groups`.
    """

    def __init__(
        self,
        groups: int = 32,
        axis: int = -1,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: InitializerLike = "zeros",
        gamma_initializer: InitializerLike = "ones",
        beta_regularizer: RegularizerLike = None,
        gamma_regularizer: RegularizerLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class Dropout(Layer):
    """In training, sets a random share of the values to 0 and scales the others by 1 / (1 - rate); otherwise does
    nothing (Srivastava et al., JMLR 2014).

    Args:
        rate: the share, 0 to less than 1.
        noise_shape: None; `SpatialDropout2D` drops whole channels.
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: the rate is out of its range.
    """

    def __init__(
        self, rate: float, noise_shape: None = None, seed: int | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(locals())


class SpatialDropout2D(Layer):
    """In training, sets a random share of whole channels to 0 and scales the others by 1 / (1 - rate) (Tompson et al.,
    CVPR 2015).

    Args:
        rate: the share, 0 to less than 1.
        data_format: None or "channels_last".
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: the rate is out of its range.
    """

    def __init__(
        self, rate: float, data_format: str | None = None, seed: int | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(locals())


class Rescaling(Layer):
    """`input * scale + offset`: 1 / 255 brings bytes to 0 … 1.

    Args:
        scale: factor, or one for each channel.
        offset: added, or one for each channel.
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(
        self, scale: float | Sequence[float], offset: float | Sequence[float] = 0.0, *, name: str | None = None
    ) -> None:
        super().__init__(locals())


class Normalization(Layer):
    """Each channel brought to mean 0 and variance 1 by statistics of the data set: `(input - mean) / sqrt(variance)`.

    The statistics are given, or taken from data by `adapt` before the layer becomes part of a network.

    Args:
        axis: the channels' axis, -1, or None for one mean and one variance of everything.
        mean: a number, or one for each channel.
        variance: a number of at least 0, or one for each channel.
        invert: whether the opposite is done: `input * sqrt(variance) + mean`.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: only one of `mean` and `variance` is given, or a variance is negative.
    """

    def __init__(
        self,
        axis: int | None = -1,
        mean: float | Sequence[float] | None = None,
        variance: float | Sequence[float] | None = None,
        invert: bool = False,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())

    def adapt(self, data: ArrayLike) -> None:
        """Take mean and variance from an array (N, ..., C), over all axes but the channels'.

        Raises:
            ValueError: the array is empty, or the layer is part of a network already.
        """
        if self._output is not None:
            raise ValueError(f"[{self.name}] adapt() comes before the layer is called or put into a model")
        array = array_of(data, f"[{self.name}] adapt: data")
        if array.dtype.kind not in "fiub":
            raise TypeError(f"[{self.name}] adapt expects numbers, got dtype {array.dtype}")
        if array.size == 0:
            raise ValueError(f"[{self.name}] adapt expects data, got an empty array of shape {array.shape}")
        config: dict[str, Any] = self._core.config()
        axes = None if config.get("axis") is None else tuple(range(array.ndim - 1))
        config["mean"] = np.atleast_1d(array.mean(axis=axes, dtype=np.float64)).tolist()
        config["variance"] = np.atleast_1d(array.var(axis=axes, dtype=np.float64)).tolist()
        self._hold(_core.make_layer("Normalization", config, self._core.name))
