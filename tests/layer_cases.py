"""One row for each layer: how it is drawn, what defines it, where it has corners. The layers' tests are driven by them.

A new layer needs a definition in `reference/` and a row here.
"""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from layer_setups import (
    BORDERS,
    CHANNELS,
    FUSED,
    RANDOM_CHANGES,
    LayerCase,
    Setup,
    anything,
    away_from,
    before_activation,
    channel_weights,
    concatenated,
    conv_weights,
    convolutions,
    cropped,
    dense_weights,
    depthwise_weights,
    grouped,
    groups,
    large,
    maps,
    merged,
    multiplied,
    normalized,
    over_last_axes,
    over_last_axes_weights,
    pairs,
    permuted,
    plain,
    pools,
    prelus,
    relu_corners,
    reshaped,
    scaled,
    separable_weights,
    taken,
    to_equal,
    to_global_tie,
    to_tie,
    transposed,
    transposed_weights,
)
from reference import activations, pooling
from reference.activations import to_corner
from reference.batch_normalization import batch_normalization
from reference.borders import cropping2d, zero_padding2d
from reference.conv2d import conv2d
from reference.conv2d_transpose import conv2d_transpose
from reference.dense import dense
from reference.depthwise_conv2d import depthwise_conv2d
from reference.group_normalization import group_normalization
from reference.layer_normalization import layer_normalization
from reference.merging import add, average, mat_mul, maximum, minimum, multiply, subtract
from reference.prelu import alpha_shape, prelu
from reference.resizing import resizing
from reference.scaling import normalization, rescaling
from reference.separable_conv2d import separable_conv2d
from reference.shaping import concatenate, flatten, permute, reshape, take
from reference.upsampling2d import upsampling2d

CASES = (
    LayerCase(
        "Conv2D",
        grouped(),
        conv2d,
        (
            large((23, 29, 17), filters=33, kernel_size=3, padding="same"),
            large((31, 27, 3), filters=48, kernel_size=(7, 5), strides=(2, 3), padding="same", activation="relu"),
            large((21, 22, 18), filters=30, kernel_size=3, groups=3, dilation_rate=2),
            large((28, 27, 48), filters=48, kernel_size=3, groups=12, padding="same", activation="relu"),
            large((25, 31, 40), filters=40, kernel_size=3, groups=5, strides=2, padding="same"),
            large((15, 14, 34), filters=34, kernel_size=(3, 5), groups=17, dilation_rate=(1, 2)),
            large((19, 17, 64), filters=40, kernel_size=1, batch=9),
            large((12, 12, 64), filters=64, kernel_size=3, padding="same", batch=5),
            large((13, 9, 32), filters=48, kernel_size=3, batch=5),  # maps that are one longer than tiles cover
            large((17, 13, 16), filters=32, kernel_size=3, padding="same", activation="relu", batch=3),
            large((22, 26, 19), filters=24, kernel_size=3, strides=2, padding=1),
        ),
        conv_weights,
        before_activation(conv2d),
        exact=True,
    ),
    LayerCase(
        "DepthwiseConv2D",
        convolutions(depth_multiplier=st.integers(1, 3)),
        depthwise_conv2d,
        (
            large((31, 29, 37), kernel_size=3, padding="same"),
            large((27, 33, 20), kernel_size=5, strides=2, padding="same", depth_multiplier=3, activation="relu6"),
        ),
        depthwise_weights,
        before_activation(depthwise_conv2d),
        exact=True,
    ),
    LayerCase(
        "SeparableConv2D",
        convolutions(depth_multiplier=st.integers(1, 3), filters=CHANNELS),
        separable_conv2d,
        (large((29, 31, 21), filters=35, kernel_size=3, strides=2, padding="same", depth_multiplier=2),),
        separable_weights,
        before_activation(separable_conv2d),
        exact=True,
    ),
    LayerCase(
        "Conv2DTranspose",
        transposed(),
        conv2d_transpose,
        (
            large((15, 17, 33), filters=20, kernel_size=3, strides=2, padding="same"),
            large((13, 11, 24), filters=19, kernel_size=(4, 5), strides=(3, 2), activation="tanh"),
        ),
        transposed_weights,
        before_activation(conv2d_transpose),
        exact=True,
    ),
    LayerCase(
        "Dense",
        plain(anything, units=CHANNELS, use_bias=st.booleans(), activation=FUSED),
        dense,
        (large((517,), units=259, batch=67), large((11, 13, 129), units=70, batch=9, activation="gelu")),
        dense_weights,
        before_activation(dense),
        exact=True,
    ),
    LayerCase(
        "BatchNormalization",
        normalized(momentum=True),
        batch_normalization,
        (large((27, 31, 19), batch=9), large((301,), batch=130)),
        channel_weights("gamma", "beta", "moving_mean", "moving_variance"),
        tolerance=5e-5,
        floor=0.1,
        modes=(False, True),
    ),
    LayerCase(
        "LayerNormalization",
        over_last_axes(),
        layer_normalization,
        (large((27, 31, 35)), large((301,), batch=130), large((13, 11, 17), axis=[1, 2, 3])),
        over_last_axes_weights,
        tolerance=5e-5,
        floor=0.1,
    ),
    LayerCase(
        "GroupNormalization",
        groups(),
        group_normalization,
        (large((27, 31, 36), groups=4), large((27, 31, 5), groups=-1)),
        channel_weights("gamma", "beta"),
        tolerance=5e-5,
        floor=0.1,
    ),
    LayerCase(
        "Activation",
        plain(anything, activation=st.sampled_from(sorted(activations.ACTIVATIONS))),
        lambda x, activation: activations.activate(activation, x),
        tuple(large((29, 31, 23), activation=name) for name in sorted(activations.ACTIVATIONS)),
        domain=lambda x, args: np.abs(x) + 0.25 if args["activation"] in activations.POSITIVE else x,
        corner=lambda inputs, weights, args: to_corner(args["activation"], inputs[0]),
    ),
    LayerCase(
        "ReLU",
        plain(
            anything,
            max_value=st.sampled_from((None, 0.75, 1.5)),
            negative_slope=st.sampled_from((0.0, 0.25)),
            threshold=st.sampled_from((0.0, 0.5)),
        ),
        activations.relu,
        (large((29, 31, 23)), large((29, 31, 23), max_value=1.0, negative_slope=0.5, threshold=0.25)),
        corner=relu_corners,
    ),
    LayerCase(
        "LeakyReLU",
        plain(anything, negative_slope=st.sampled_from((0.3, 0.0, 0.01, 1.0))),
        activations.leaky_relu,
        (large((29, 31, 23), negative_slope=0.3),),
        corner=away_from(0.0),
    ),
    LayerCase(
        "ELU",
        plain(anything, alpha=st.sampled_from((1.0, 0.5, 2.0))),
        activations.elu,
        (large((29, 31, 23), alpha=0.75),),
        corner=away_from(0.0),
    ),
    LayerCase(
        "PReLU",
        prelus(),
        prelu,
        (large((29, 31, 23), shared_axes=[1, 2]), large((29, 31, 23)), large((29, 31, 23), shared_axes=[3])),
        lambda s: {"alpha": alpha_shape(s.shapes[0], s.args.get("shared_axes"))},
        away_from(0.0),
    ),
    LayerCase("Softmax", plain(anything), activations.softmax, (large((29, 31, 23)), large((501,), batch=70))),
    LayerCase(
        "MaxPooling2D",
        pools(),
        pooling.max_pooling2d,
        (large((41, 39, 23), pool_size=2), large((31, 33, 37), pool_size=3, strides=2, padding="same")),
        corner=to_tie,
    ),
    LayerCase(
        "AveragePooling2D",
        pools(),
        pooling.average_pooling2d,
        (large((41, 39, 23), pool_size=2), large((31, 33, 37), pool_size=3, strides=2, padding="same")),
    ),
    LayerCase(
        "GlobalAveragePooling2D",
        plain(maps, keepdims=st.booleans()),
        pooling.global_average_pooling2d,
        (large((29, 31, 53), batch=9),),
    ),
    LayerCase(
        "GlobalMaxPooling2D",
        plain(maps, keepdims=st.booleans()),
        pooling.global_max_pooling2d,
        (large((29, 31, 53), batch=9),),
        corner=to_global_tie,
    ),
    LayerCase(
        "UpSampling2D",
        plain(maps, size=pairs(1, 4), interpolation=st.sampled_from(("nearest", "bilinear"))),
        upsampling2d,
        (large((21, 17, 19), size=(2, 3)), large((21, 17, 19), size=2, interpolation="bilinear")),
    ),
    LayerCase(
        "Resizing",
        plain(
            maps,
            height=st.integers(1, 13),
            width=st.integers(1, 13),
            interpolation=st.sampled_from(("nearest", "bilinear")),
        ),
        resizing,
        (
            large((21, 17, 19), height=34, width=9, interpolation="nearest"),
            large((21, 17, 19), height=13, width=40),
        ),
    ),
    LayerCase(
        "ZeroPadding2D", plain(maps, padding=BORDERS), zero_padding2d, (large((31, 29, 19), padding=((1, 2), (0, 3))),)
    ),
    LayerCase("Cropping2D", cropped(), cropping2d, (large((41, 39, 19), cropping=((1, 2), (0, 3))),)),
    LayerCase("Flatten", plain(anything), flatten, (large((29, 31, 23)),)),
    LayerCase("Reshape", reshaped(), reshape, (large((30, 31, 22), target_shape=(31, 11, -1)),)),
    LayerCase(
        "Permute",
        permuted(),
        permute,
        (large((29, 31, 23), dims=(3, 1, 2)), large((29, 31, 23), dims=(2, 1, 3)), large((29, 31, 23), dims=(3, 2, 1))),
    ),
    LayerCase(
        "Take",
        taken(),
        take,
        (
            large((29, 31, 23), indices=[3, 1, *range(29), 28, 28], axis=1),
            large((29, 31, 23), indices=[2, 0, 30, 0], axis=2),
            large((29, 31, 23), indices=[22, 5, 5]),
        ),
    ),
    LayerCase(
        "Dropout",
        plain(anything, rate=st.sampled_from((0.0, 0.25, 0.5))),
        lambda x, rate: x,
        (large((29, 31, 23), rate=0.3),),
        random=True,
    ),
    LayerCase(
        "SpatialDropout2D",
        plain(maps, rate=st.sampled_from((0.0, 0.25, 0.5))),
        lambda x, rate: x,
        (large((29, 31, 23), rate=0.3),),
        random=True,
    ),
    *(
        LayerCase(layer, plain(maps, **args), lambda x, **args: x, (large((29, 31, 23), **one),), random=True)
        for layer, args, one in RANDOM_CHANGES
    ),
    LayerCase("Add", merged(), add, (large((29, 31, 23), inputs=3),)),
    LayerCase("Subtract", merged(most=2), subtract, (large((29, 31, 23), inputs=2),)),
    LayerCase("Multiply", merged(), multiply, (large((29, 31, 23), inputs=3),)),
    LayerCase("Average", merged(), average, (large((29, 31, 23), inputs=3),)),
    LayerCase("Maximum", merged(), maximum, (large((11, 13, 19), inputs=3),), corner=to_equal),
    LayerCase("Minimum", merged(), minimum, (large((11, 13, 19), inputs=3),), corner=to_equal),
    LayerCase(
        "MatMul",
        multiplied(),
        mat_mul,
        (
            Setup({}, ((3, 70, 50), (3, 50, 37)), 7),
            Setup({"transpose_b": True}, ((3, 70, 50), (3, 37, 50)), 7),
        ),
    ),
    LayerCase(
        "Concatenate",
        concatenated(),
        concatenate,
        (Setup({}, ((29, 31, 23), (29, 31, 9)), 7), Setup({"axis": 1}, ((9, 31, 23), (20, 31, 23)), 7)),
    ),
    LayerCase(
        "Rescaling", scaled("scale", "offset", -4.0), rescaling, (large((29, 31, 23), scale=1 / 255, offset=-0.5),)
    ),
    LayerCase(
        "Normalization",
        scaled("mean", "variance", 0.0625),
        normalization,
        (large((29, 31, 3), mean=[0.5, 0.25, -1.0], variance=[1.0, 4.0, 0.25]),),
    ),
)
