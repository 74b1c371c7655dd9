"""Random changes of images, in training alone.

What an image undergoes follows from the trainer's seed, the step, the layer and the image's place in the batch. It is
the same for any number of threads. `fit(..., augment=Augment(...))` changes images before the network, in a thread of
its own, and moves masks and boxes with them.
"""

from __future__ import annotations

from collections.abc import Sequence

from striate.layers._base import Layer

Factor = float | Sequence[float]
"""A largest factor for both directions, or (lowest, highest)."""


class RandomFlip(Layer):
    """In training, mirrors each image with probability 1/2 along each axis of `mode`; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        mode: "horizontal" (left and right), "vertical" (top and bottom) or "horizontal_and_vertical".
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: the mode is not one of these.
    """

    def __init__(
        self,
        mode: str = "horizontal_and_vertical",
        seed: int | None = None,
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class RandomRotation(Layer):
    """In training, turns each image about its centre by a random angle; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        factor: the angle as a fraction of a full turn, counterclockwise: 0.1 for -36 to 36 degrees, or (lowest,
            highest), within -1 .. 1.
        fill_mode: the pixels from outside the image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        fill_value: for "constant".
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class RandomTranslation(Layer):
    """In training, shifts each image by random parts of its height and width; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        height_factor: the shift downwards as a fraction of the height: 0.2 for -0.2 to 0.2, or (lowest, highest),
            within -1 .. 1.
        width_factor: the shift to the right as a fraction of the width, in the same forms.
        fill_mode: the pixels from outside the image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        fill_value: for "constant".
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class RandomZoom(Layer):
    """In training, scales each image about its centre by a random factor; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        height_factor: relative change of the height of the visible region: 0.2 for 20 % less (larger objects) to 20 %
            more (smaller objects), or (lowest, highest), within -0.99 .. 1.
        width_factor: the same for the width; None: as the height, so that proportions stay.
        fill_mode: the pixels from outside the image: "reflect", "wrap", "constant" or "nearest".
        interpolation: "bilinear" or "nearest".
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        fill_value: for "constant".
        data_format: None or "channels_last".
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        height_factor: Factor,
        width_factor: Factor | None = None,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        seed: int | None = None,
        fill_value: float = 0.0,
        data_format: str | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class RandomBrightness(Layer):
    """In training, adds a random number to each image and cuts the values to `value_range`; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        factor: the number as a fraction of the range of values: 0.2 for -0.2 to 0.2, or (lowest, highest), within
            -1 .. 1.
        value_range: lowest and highest value of the images. As in Keras the default is that of bytes: give (0, 1) for
            images that are scaled to 0 … 1.
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())


class RandomContrast(Layer):
    """In training, scales the distance of each image's values from their mean by a random factor, channel by channel,
    and cuts the values to `value_range`; otherwise does nothing.

    Input and output (N, H, W, C).

    Args:
        factor: f for factors from 1 - f to 1 + f, or (below, above) for 1 - below to 1 + above; within 0 .. 1.
        value_range: lowest and highest value of the images. As in Keras the default is that of bytes: give (0, 1) for
            images that are scaled to 0 … 1.
        seed: accepted as in Keras; the numbers follow from the trainer's seed and the step.
        name: the layer's name in messages, in `get_layer` and in files.

    Raises:
        ValueError: an argument is out of its range.
    """

    def __init__(
        self,
        factor: Factor,
        value_range: Sequence[float] = (0, 255),
        seed: int | None = None,
        *,
        name: str | None = None,
    ) -> None:
        super().__init__(locals())
