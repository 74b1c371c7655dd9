"""Pooling: the largest value or the mean of windows, or of whole maps."""

from __future__ import annotations

from striate.layers._arguments import Margins, Pair
from striate.layers._base import Layer


class MaxPooling2D(Layer):
    """The largest value of each window, channel by channel.

    Input (N, H, W, C), output (N, H', W', C). With `padding="valid"`, H' = floor((H - k) / s) + 1; with "same",
    H' = ceil(H / s); with margins, H' = floor((top + H + bottom - k) / s) + 1. What is outside the map counts as
    minus infinity. The gradient goes to the first of several equal values.

    Args:
        pool_size: height and width of the window.
        strides: steps of the window; None takes `pool_size`.
        padding: "valid" or "same"; or, beyond Keras, margins as `ZeroPadding2D` takes them:
            ((top, bottom), (left, right)), each less than the window.
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: a size is not positive, the window is larger than the input, or a margin is as large as the window.
    """

    def __init__(
        self,
        pool_size: Pair = (2, 2),
        strides: Pair | None = None,
        padding: str | Margins = "valid",
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class AveragePooling2D(Layer):
    """The mean of each window, channel by channel.

    Input (N, H, W, C), output (N, H', W', C), sizes as for `MaxPooling2D`. With `padding="same"` and with margins the
    mean is taken over what is inside the map.

    Args:
        pool_size: height and width of the window.
        strides: steps of the window; None takes `pool_size`.
        padding: "valid" or "same"; or, beyond Keras, margins as `ZeroPadding2D` takes them:
            ((top, bottom), (left, right)), each less than the window.
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: a size is not positive, the window is larger than the input, or a margin is as large as the window.
    """

    def __init__(
        self,
        pool_size: Pair = (2, 2),
        strides: Pair | None = None,
        padding: str | Margins = "valid",
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class GlobalAveragePooling2D(Layer):
    """The mean of each channel's map: (N, H, W, C) gives (N, C) (Lin et al., "Network In Network", ICLR 2014).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the output is (N, 1, 1, C).
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, data_format: str | None = None, keepdims: bool = False, *, name: str | None = None) -> None:
        super().__init__(locals())


class GlobalMaxPooling2D(Layer):
    """The largest value of each channel's map: (N, H, W, C) gives (N, C).

    Args:
        data_format: None or "channels_last".
        keepdims: whether the output is (N, 1, 1, C).
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, data_format: str | None = None, keepdims: bool = False, *, name: str | None = None) -> None:
        super().__init__(locals())
