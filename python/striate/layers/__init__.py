"""The layers of a network, with Keras's names, arguments and defaults. Maps are `(N, H, W, C)`, float32.

A layer is put into a `Sequential`, or called on the output of another one, which starts with `Input(shape)`.
"""

from striate.layers._base import Layer, Symbol
from striate.layers.activation import ELU, Activation, LeakyReLU, PReLU, ReLU, Softmax
from striate.layers.augmentation import (
    RandomBrightness,
    RandomContrast,
    RandomFlip,
    RandomRotation,
    RandomTranslation,
    RandomZoom,
)
from striate.layers.convolution import Conv2D, Conv2DTranspose, DepthwiseConv2D, SeparableConv2D
from striate.layers.core import (
    Cropping2D,
    Dense,
    Flatten,
    Input,
    InputLayer,
    Permute,
    Reshape,
    Resizing,
    Take,
    UpSampling2D,
    ZeroPadding2D,
)
from striate.layers.merging import (
    Add,
    Average,
    Concatenate,
    MatMul,
    Maximum,
    Minimum,
    Multiply,
    Subtract,
    add,
    average,
    concatenate,
    maximum,
    minimum,
    multiply,
    subtract,
)
from striate.layers.normalization import (
    BatchNormalization,
    Dropout,
    GroupNormalization,
    LayerNormalization,
    Normalization,
    Rescaling,
    SpatialDropout2D,
)
from striate.layers.pooling import AveragePooling2D, GlobalAveragePooling2D, GlobalMaxPooling2D, MaxPooling2D

# Keras's shorter names.
MaxPool2D = MaxPooling2D
AvgPool2D = AveragePooling2D
GlobalAvgPool2D = GlobalAveragePooling2D
GlobalMaxPool2D = GlobalMaxPooling2D

__all__ = [
    "ELU",
    "Activation",
    "Add",
    "Average",
    "AveragePooling2D",
    "AvgPool2D",
    "BatchNormalization",
    "Concatenate",
    "Conv2D",
    "Conv2DTranspose",
    "Cropping2D",
    "Dense",
    "DepthwiseConv2D",
    "Dropout",
    "Flatten",
    "GlobalAveragePooling2D",
    "GlobalAvgPool2D",
    "GlobalMaxPool2D",
    "GlobalMaxPooling2D",
    "GroupNormalization",
    "Input",
    "InputLayer",
    "Layer",
    "LayerNormalization",
    "LeakyReLU",
    "MatMul",
    "MaxPool2D",
    "MaxPooling2D",
    "Maximum",
    "Minimum",
    "Multiply",
    "Normalization",
    "PReLU",
    "Permute",
    "RandomBrightness",
    "RandomContrast",
    "RandomFlip",
    "RandomRotation",
    "RandomTranslation",
    "RandomZoom",
    "ReLU",
    "Rescaling",
    "Reshape",
    "Resizing",
    "SeparableConv2D",
    "Softmax",
    "SpatialDropout2D",
    "Subtract",
    "Symbol",
    "Take",
    "UpSampling2D",
    "ZeroPadding2D",
    "add",
    "average",
    "concatenate",
    "maximum",
    "minimum",
    "multiply",
    "subtract",
]
