"""Convolutions: Conv2D, DepthwiseConv2D, SeparableConv2D, Conv2DTranspose."""

from __future__ import annotations

from striate.layers._arguments import Activation, InitializerLike, Margins, Pair
from striate.layers._base import Layer
from striate.regularizers import RegularizerLike


class Conv2D(Layer):
    """Convolution of maps: each output channel is a sum over windows of all input channels of its group.

    Input (N, H, W, C), output (N, H', W', filters). With `padding="valid"`, H' = ceil((H - (k - 1) d) / s); with
    "same", H' = ceil(H / s) and zeros are laid around the input, the odd one behind; with margins,
    H' = ceil((top + H + bottom - (k - 1) d) / s). What deep learning calls convolution is cross-correlation: the kernel
    is not flipped (LeCun et al., "Gradient-Based Learning Applied to Document Recognition", 1998).

    Weights: kernel (kh, kw, C / groups, filters), bias (filters,).

    Args:
        filters: output channels.
        kernel_size: height and width of the window.
        strides: steps of the window.
        padding: "valid", "same", or, beyond Keras, the rows and columns of zeros around the map: ((top, bottom),
            (left, right)), (height, width) or one number, as PyTorch's `padding`.
        data_format: None or "channels_last", the only layout there is.
        dilation_rate: distance between the window's taps; 1 is a plain convolution.
        groups: input and output channels are cut into so many parts that do not see each other.
        activation: applied to the output, by name; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel is drawn.
        bias_initializer: how the bias is drawn.
        kernel_regularizer: penalty on the kernel, added to the loss, such as "l2(1e-4)"; None for none.
        bias_regularizer: penalty on the bias, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: a size is not positive, channels do not divide by `groups`, or the window is larger than the input.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: str | Margins = "valid",
        data_format: str | None = None,
        dilation_rate: Pair = (1, 1),
        groups: int = 1,
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


class DepthwiseConv2D(Layer):
    """Convolution of each channel with its own kernels (Chollet, "Xception", CVPR 2017).

    Input (N, H, W, C), output (N, H', W', C * depth_multiplier); output channel c * depth_multiplier + m comes from
    input channel c. H' and W' are as for `Conv2D`.

    Weights: kernel (kh, kw, C, depth_multiplier), bias (C * depth_multiplier,).

    Args:
        kernel_size: height and width of the window.
        strides: steps of the window, alike in both directions in Keras; here they may differ.
        padding: "valid", "same", or, beyond Keras, the rows and columns of zeros around the map: ((top, bottom),
            (left, right)), (height, width) or one number, as PyTorch's `padding`.
        depth_multiplier: output channels for each input channel.
        data_format: None or "channels_last".
        dilation_rate: distance between the window's taps.
        activation: applied to the output, by name; None for none.
        use_bias: whether a bias is added.
        depthwise_initializer: how the kernel is drawn.
        bias_initializer: how the bias is drawn.
        depthwise_regularizer: penalty on the depthwise kernel, added to the loss, such as "l2(1e-4)"; None for none.
        bias_regularizer: penalty on the bias, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: a size is not positive, or the window is larger than the input.
    """

    def __init__(
        self,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: str | Margins = "valid",
        depth_multiplier: int = 1,
        data_format: str | None = None,
        dilation_rate: Pair = (1, 1),
        activation: Activation = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class SeparableConv2D(Layer):
    """A depthwise convolution followed by a 1×1 convolution that mixes the channels (Chollet, "Xception", CVPR 2017).

    Input (N, H, W, C), output (N, H', W', filters), H' and W' as for `Conv2D`.

    Weights: depthwise kernel (kh, kw, C, depth_multiplier), pointwise kernel (1, 1, C * depth_multiplier, filters),
    bias (filters,).

    Args:
        filters: output channels.
        kernel_size: height and width of the window.
        strides: steps of the window.
        padding: "valid", "same", or, beyond Keras, the rows and columns of zeros around the map: ((top, bottom),
            (left, right)), (height, width) or one number, as PyTorch's `padding`.
        data_format: None or "channels_last".
        dilation_rate: distance between the window's taps.
        depth_multiplier: channels between the two convolutions, for each input channel.
        activation: applied to the output, by name; None for none.
        use_bias: whether a bias is added.
        depthwise_initializer: how the depthwise kernel is drawn.
        pointwise_initializer: how the pointwise kernel is drawn.
        bias_initializer: how the bias is drawn.
        depthwise_regularizer: penalty on the depthwise kernel, added to the loss, such as "l2(1e-4)"; None for none.
        pointwise_regularizer: penalty on the pointwise kernel, added to the loss, such as "l2(1e-4)"; None for none.
        bias_regularizer: penalty on the bias, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: a size is not positive, or the window is larger than the input.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: str | Margins = "valid",
        data_format: str | None = None,
        dilation_rate: Pair = (1, 1),
        depth_multiplier: int = 1,
        activation: Activation = None,
        use_bias: bool = True,
        depthwise_initializer: InitializerLike = "glorot_uniform",
        pointwise_initializer: InitializerLike = "glorot_uniform",
        bias_initializer: InitializerLike = "zeros",
        depthwise_regularizer: RegularizerLike = None,
        pointwise_regularizer: RegularizerLike = None,
        bias_regularizer: RegularizerLike = None,
        *,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        super().__init__(locals())


class Conv2DTranspose(Layer):
    """The transpose of a convolution, which enlarges maps (Dumoulin and Visin, "A guide to convolution arithmetic for
    deep learning", 2016).

    Input (N, H, W, C), output (N, H', W', filters). With `padding="same"`, H' = H s; with "valid",
    H' = H s + max((k - 1) d + 1 - s, 0).

    Weights: kernel (kh, kw, filters, C), bias (filters,).

    Args:
        filters: output channels.
        kernel_size: height and width of the window.
        strides: factors by which height and width are enlarged.
        padding: "valid" or "same".
        output_padding: rows and columns added to one side of the output, less than the stride; None lets the output's
            size follow from the other arguments.
        data_format: None or "channels_last".
        dilation_rate: distance between the window's taps.
        activation: applied to the output, by name; None for none.
        use_bias: whether a bias is added.
        kernel_initializer: how the kernel is drawn.
        bias_initializer: how the bias is drawn.
        kernel_regularizer: penalty on the kernel, added to the loss, such as "l2(1e-4)"; None for none.
        bias_regularizer: penalty on the bias, added to the loss, such as "l2(1e-4)"; None for none.
        name: the layer's name in messages, in `get_layer` and in files.
        trainable: False freezes the weights.

    Raises:
        ValueError: a size is not positive, or `output_padding` is not less than the stride.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Pair,
        strides: Pair = (1, 1),
        padding: str = "valid",
        output_padding: Pair | None = None,
        data_format: str | None = None,
        dilation_rate: Pair = (1, 1),
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
