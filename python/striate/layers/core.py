"""The network's input, the fully connected layer, and layers that change the shape alone."""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers._arguments import Activation, InitializerLike, Margins, Pair, checked_name
from striate.layers._base import Layer, Symbol
from striate.regularizers import RegularizerLike


class InputLayer(Layer):
    """The input layer of a network. `Input` creates one and returns its symbol.

    Args:
        shape: shape of one sample, without the batch: (H, W, C), or (features,).
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: the shape has no or too many sizes, or one that is not positive.
    """

    def __init__(self, shape: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())

    def _symbol(self) -> Symbol:
        """The input itself; this layer is not called."""
        return self([])


def Input(
    shape: Sequence[int] | None = None,
    batch_size: int | None = None,
    dtype: str | None = None,
    name: str | None = None,
    *,
    batch_shape: Sequence[int | None] | None = None,
    sparse: bool | None = None,
    ragged: bool | None = None,
    optional: bool = False,
) -> Symbol:
    """The input of a network: where a functional model starts, or the first item of a `Sequential`.

    Args:
        shape: shape of one sample, without the batch: `(28, 28, 1)` for grey images of 28×28. All sizes are fixed.
        batch_size: accepted as in Keras; a network takes batches of any size.
        dtype: None, "float32" or "uint8": what the arrays will hold. Both are always accepted.
        name: the layer's name in messages, in `get_layer` and in files.
        batch_shape: the shape with the batch, in place of `shape`: `(None, 28, 28, 1)`.
        sparse, ragged, optional: accepted as in Keras; only None or False.

    Returns:
        The symbol to call layers on.

    Raises:
        ValueError: the shape has no or too many sizes, or one that is not positive.
        TypeError: the shape is not a sequence of integers.
    """
    label = checked_name("Input", name) or "input_layer"
    if (shape is None) == (batch_shape is None):
        raise ValueError(f"[{label}] takes either shape or batch_shape")
    if batch_shape is not None:
        if isinstance(batch_shape, (str, int)) or not hasattr(batch_shape, "__iter__") or not len(batch_shape):
            raise TypeError(f"[{label}] batch_shape must be a tuple such as (None, 28, 28, 1), got {batch_shape!r}")
        shape = tuple(batch_shape)[1:]  # type: ignore[assignment]
    if isinstance(shape, (str, int)) or not hasattr(shape, "__iter__"):
        raise TypeError(f"[{label}] shape must be a tuple such as (28, 28, 1), got {shape!r}")
    assert shape is not None
    if any(size is None for size in shape):
        raise ValueError(
            f"[{label}] shape must have fixed sizes, without the batch, got {tuple(shape)}; "
            "give every size as a number, and leave out the batch"
        )
    if getattr(dtype, "name", dtype) not in (None, "float32", "uint8"):
        raise ValueError(f"[{label}] dtype must be 'float32' or 'uint8', got {dtype!r}")
    for what, value in (("sparse", sparse), ("ragged", ragged), ("optional", optional)):
        if value not in (None, False):
            raise ValueError(f"[{label}] {what} must be False: arrays are dense and all are given, got {value!r}")
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
        kernel_regularizer: penalty on the kernel, added to the loss, such as "l2(1e-4)"; None for none.
        bias_regularizer: penalty on the bias, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
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
        kernel_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class Flatten(Layer):
    """All values of a sample in one row: (N, H, W, C) gives (N, H * W * C), channels fastest.

    Args:
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.
    """

    def __init__(self, data_format: str | None = None, *, name: str | None = None) -> None:
        super().__init__(locals())


class Reshape(Layer):
    """The same values in another shape: `(N, ...)` gives `(N, *target_shape)`.

    Args:
        target_shape: of one sample; one size may be -1 and follows from the others.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: the number of elements differs.
    """

    def __init__(self, target_shape: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())


class Permute(Layer):
    """The axes of a sample in another order: with dims (3, 1, 2), (N, H, W, C) gives (N, C, H, W).

    Args:
        dims: which axis of the input each axis of the output is, counted from 1 as the batch is 0.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: `dims` does not hold each axis once, or is not for as many axes as the input has.
    """

    def __init__(self, dims: Sequence[int], *, name: str | None = None) -> None:
        super().__init__(locals())


class Take(Layer):
    """The elements with these numbers along an axis, in this order: what `keras.ops.take` does, as a layer.

    Input and output have the same shape except along the axis, where the output has as many elements as there are
    indices. An element may be taken several times; its gradients are added.

    Args:
        indices: numbers of elements, counted from 0.
        axis: axis of the input; the batch is axis 0 and cannot be chosen.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: there are no indices, one is negative or beyond the axis, or the axis is the batch.
    """

    def __init__(self, indices: Sequence[int], axis: int = -1, *, name: str | None = None) -> None:
        super().__init__(locals())


class ZeroPadding2D(Layer):
    """Rows and columns of zeros around a map: (N, H, W, C) gives (N, top + H + bottom, left + W + right, C).

    Args:
        padding: one number for all sides, (height, width) for both sides, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: a number is negative.
    """

    def __init__(self, padding: Margins = (1, 1), data_format: str | None = None, *, name: str | None = None) -> None:
        super().__init__(locals())


class Cropping2D(Layer):
    """Removes rows and columns at the edges of a map: (N, H, W, C) gives (N, H - top - bottom, W - left - right, C).

    Args:
        cropping: one number for all sides, (height, width) for both sides, or ((top, bottom), (left, right)).
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

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
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: a factor is not positive, or the interpolation is not supported.
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


class Resizing(Layer):
    """A map of another size: (N, H, W, C) gives (N, height, width, C).

    Args:
        height: rows of the output.
        width: columns of the output.
        interpolation: "bilinear" or "nearest", with half-pixel centres.
        crop_to_aspect_ratio: False: the whole image is used, and its proportions may change. True is not supported.
        pad_to_aspect_ratio: False: no borders are added. True is not supported.
        fill_mode: has no effect: there is no padding.
        fill_value: has no effect.
        antialias: False: an image that becomes smaller is not smoothed before. `image_size` of the readers of
            `striate.data` does that.
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: a size is not positive, the interpolation is not supported, or a switch is True.
    """

    def __init__(
        self,
        height: int,
        width: int,
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
        antialias: bool = False,
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        given = {key: value for key, value in locals().items() if key not in ("fill_mode", "fill_value")}
        for switch in ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"):
            if given.pop(switch):
                raise ValueError(
                    f"Resizing: {switch}=True is not supported; resize when the images are read: "
                    "image_dataset_from_directory(..., image_size=(height, width))"
                )
        super().__init__(given)
