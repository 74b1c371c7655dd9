"""Small functions that Keras's scripts import from `keras.utils`."""

from __future__ import annotations

import os
import random
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate._checks import checked_seed
from striate._custom_objects import register as register_keras_serializable
from striate._custom_objects import scope as custom_object_scope
from striate._extras import require
from striate.data import image_dataset_from_directory, read_image
from striate.data.image import ColorMode
from striate.data.labels import to_categorical
from striate.runtime import set_seed

__all__ = [
    "PyDataset",
    "Sequence",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "normalize",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "to_categorical",
]


class PyDataset:
    """Batches by their numbers: a base class for data that `fit`, `evaluate` and `predict` take, as in Keras.

    A subclass defines `__len__`, the number of batches, and `__getitem__(index)`, which returns (x, y) or
    (x, y, sample_weight).

    Args:
        workers: threads that load batches while the model computes.
        use_multiprocessing: accepted as in Keras; threads load the batches.
        max_queue_size: accepted as in Keras.
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers = workers
        self.use_multiprocessing = use_multiprocessing
        self.max_queue_size = max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(index), which returns a batch")

    def __len__(self) -> int:
        """The number of batches."""
        raise NotImplementedError(f"{type(self).__name__} must define __len__(), the number of batches")

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""


Sequence = PyDataset  # the name in Keras 2


def set_random_seed(seed: int) -> None:
    """Set the seeds of striate (see `striate.set_seed`), of NumPy and of Python's `random`.

    Raises:
        ValueError: the seed is negative, or 2**32 or more.
        TypeError: it is not an integer.
    """
    if checked_seed(seed, "set_random_seed") >= 2**32:
        raise ValueError(f"set_random_seed: seed must be within 0 … 2**32 - 1, got {seed}")
    set_seed(seed)
    np.random.seed(seed)
    random.seed(seed)


def clear_session(free_memory: bool = True) -> None:
    """Do nothing; exists for Keras scripts. Models own their memory, and there is no global state."""


def normalize(x: ArrayLike, axis: int = -1, order: float = 2) -> NDArray[Any]:
    """Scale vectors to length 1; vectors of zeros stay as they are.

    Args:
        x: an array.
        axis: axis of the vectors.
        order: order of the norm: 2 for the Euclidean one.

    Returns:
        An array of the same shape; float64, or float32 where `x` is.
    """
    array = array_of(x, "normalize: x")
    norms = np.atleast_1d(np.linalg.norm(array, order, axis, keepdims=True))
    norms[norms == 0] = 1
    scaled: NDArray[Any] = array / norms
    return scaled


def load_img(
    path: str | os.PathLike[str],
    color_mode: ColorMode = "rgb",
    target_size: int | tuple[int, int] | None = None,
    interpolation: str = "nearest",
    keep_aspect_ratio: bool = False,
) -> Any:
    """Read an image as a Pillow image; `striate.data.read_image` reads it as an array.

    Args:
        path: the file.
        color_mode: "grayscale", "rgb" or "rgba".
        target_size: (height, width), or None for the image's own.
        interpolation: as in `read_image`.
        keep_aspect_ratio: cut the largest centred part of the proportions of `target_size`, instead of distorting.

    Raises:
        ImportError, OSError, ValueError: as `read_image`.
    """
    return array_to_img(
        read_image(path, color_mode, target_size, interpolation, crop_to_aspect_ratio=keep_aspect_ratio), scale=False
    )


def img_to_array(img: Any, data_format: str | None = None, dtype: str | None = None) -> NDArray[Any]:
    """A Pillow image as an array (H, W, C).

    Args:
        img: the image.
        data_format: None or "channels_last".
        dtype: type of the array; None for float32.

    Raises:
        ValueError: data_format is not None or "channels_last".
    """
    if data_format not in (None, "channels_last"):
        raise ValueError(f"img_to_array: data_format must be 'channels_last', got {data_format!r}")
    array = np.asarray(img, dtype=dtype or np.float32)
    return array[..., np.newaxis] if array.ndim == 2 else array


def array_to_img(x: ArrayLike, data_format: str | None = None, scale: bool = True, dtype: str | None = None) -> Any:
    """An array (H, W, C) of 1, 3 or 4 channels as a Pillow image.

    Args:
        x: the array.
        data_format: None or "channels_last".
        scale: whether the smallest value becomes black and the largest white; otherwise values are 0 … 255.
        dtype: accepted as in Keras.

    Raises:
        ImportError: Pillow is missing: `pip install 'striate[data]'`.
        ValueError: data_format or the shape is not supported.
    """
    pillow = require("PIL.Image", "data", "striate.utils.array_to_img")
    if data_format not in (None, "channels_last"):
        raise ValueError(f"array_to_img: data_format must be 'channels_last', got {data_format!r}")
    array = array_of(x, "array_to_img: x")
    if array.ndim != 3 or array.shape[2] not in (1, 3, 4):
        raise ValueError(f"array_to_img expects (H, W, C) with 1, 3 or 4 channels, got {array.shape}")
    values = array.astype(np.float64)
    if scale:
        low, high = values.min(), values.max()
        values = (values - low) * (255.0 / (high - low) if high > low else 1.0)
    values = np.clip(values, 0, 255).astype(np.uint8)
    return pillow.fromarray(values[..., 0] if values.shape[2] == 1 else values)


def save_img(path: str | os.PathLike[str], x: ArrayLike, data_format: str | None = None, scale: bool = True) -> None:
    """Write an array (H, W, C) as a picture; its ending says which format.

    Raises:
        ImportError, ValueError: as `array_to_img`.
        OSError: the file cannot be written.
    """
    array_to_img(x, data_format, scale).save(path)
