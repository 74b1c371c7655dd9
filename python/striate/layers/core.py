"""The network's input, the fully connected layer, and layers that change the shape alone."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers._arguments import Activation, InitializerLike, Margins, Pair, checked_name
from striate.layers._base import Layer, Symbol


class InputLayer(Layer):
    """Where a network's data come in. `Input` makes one and returns its symbol.

    Args:
        shape: of one sample, without the batch: (H, W, C), or (features,).
        name: by which the model finds it.

    Raises:
        ValueError: the shape has no or too many sizes, or one that is not positive.
    """

    def __init__(self, shape: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())

    def _symbol(self) -> Symbol:
        """The input itself; this layer is not called."""
        return self([])


def Input(
    shape: Sequence[int], batch_size: int | None = None, dtype: str | None = None, name: str | None = None
) -> Symbol:
    """The input of a network: where a functional model starts, or the first item of a `Sequential`.

    Args:
        shape: of one sample, without the batch: `(28, 28, 1)` for grey images of 28×28 pixels. All sizes are fixed.
        batch_size: accepted as in Keras; a network takes batches of any size.
        dtype: None, "float32" or "uint8": what the arrays will hold. Both are always accepted.
        name: by which the model finds it.

    Returns:
        The symbol to call layers on.

    Raises:
        ValueError: the shape has no or too many sizes, or one that is not positive.
        TypeError: the shape is no sequence of integers.
    """
    label = checked_name("Input", name) or "input_layer"
    if isinstance(shape, (str, int)) or not hasattr(shape, "__iter__"):
        raise TypeError(f"[{label}] shape must be a tuple such as (28, 28, 1), got {shape!r}")
    if any(size is None for size in shape):
        raise ValueError(
            f"[{label}] shape must have fixed sizes, without the batch, got {tuple(shape)}; "
            "give every size as a number, and leave out the batch"
        )
    if dtype not in (None, "float32", "uint8"):
        raise ValueError(f"[{label}] dtype must be 'float32' or 'uint8', got {dtype!r}")
    return InputLayer(shape, name=name)._symbol()


class Dense(Layer):
    """Fully connected layer: `activation(input @ kernel + bias)`.

    Input (N, features), output (N, units). Inputs of higher rank keep their middle axes: (N, ..., features) gives
    (N, ..., units).

    Weights: kernel (features, units), bias (units,).

    Args:
        units: outputs.
        activation: applied to the output, by name; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel is drawn.
        bias_initializer: how the bias is drawn.
        name: by which the model finds the layer.
        trainable: False freezes the weights.

    Raises:
        ValueError: `units` is not positive.
    """

    def __init__(
        self,
        units: int,
        activation: Activation = None,
        use_bias: bool = True,
        kernel_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class Flatten(Layer):
    """All of a sample in one row: (N, H, W, C) gives (N, H * W * C), channels fastest.

    Args:
        data_format: None or "channels_last".
        name: by which the model finds the layer.
    """

    def __init__(self, data_format: str | None = None, *, name: str | None = None) -> None:
        super().__init__(locals())


class Reshape(Layer):
    """The same values in another shape: `(N, ...)` gives `(N, *target_shape)`.

    Args:
        target_shape: of one sample; one size may be -1 and follows from the others.
        name: by which the model finds the layer.

    Raises:
        ValueError: the number of elements differs.
    """

    def __init__(self, target_shape: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())


class Permute(Layer):
    """The axes of a sample in another order: with dims (3, 1, 2), (N, H, W, C) gives (N, C, H, W).

    Args:
        dims: which axis of the input each axis of the output is, counted from 1 as the batch is 0.
        name: by which the model finds the layer.

    Raises:
        ValueError: `dims` does not hold each axis once, or is not for as many axes as the input has.
    """

    def __init__(self, dims: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())


class ZeroPadding2D(Layer):
    """Rows and columns of zeros around a map: (N, H, W, C) gives (N, top + H + bottom, left + W + right, C).

    Args:
        padding: one number for all sides, (height, width) for both sides, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        name: by which the model finds the layer.

    Raises:
        ValueError: a number is negative.
    """

    def __init__(self, padding: Margins = (1, 1), data_format: str | None = None, *, name: str | None = None) -> None:
        super().__init__(locals())


class Cropping2D(Layer):
    """Cuts rows and columns off a map: (N, H, W, C) gives (N, H - top - bottom, W - left - right, C).

    Args:
        cropping: one number for all sides, (height, width) for both sides, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        name: by which the model finds the layer.

    Raises:
        ValueError: a number is negative, or nothing would be left.
    """

    def __init__(
        self, cropping: Margins = ((0, 0), (0, 0)), data_format: str | None = None, *, name: str | None = None
    ) -> None:
        super().__init__(locals())


class UpSampling2D(Layer):
    """Enlarges a map by whole factors: (N, H, W, C) gives (N, H * size[0], W * size[1], C).

    Args:
        size: factors of height and width.
        data_format: None or "channels_last".
        interpolation: "nearest" repeats rows and columns; "bilinear" interpolates, with half-pixel centres.
        name: by which the model finds the layer.

    Raises:
        ValueError: a factor is not positive, or the interpolation is another.
    """

    def __init__(
        self,
        size: Pair = (2, 2),
        data_format: str | None = None,
        interpolation: str = "nearest",
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())
