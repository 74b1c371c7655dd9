"""Random changes to training images that leave their labels true."""

from __future__ import annotations

import copy
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate import _core
from striate._arrays import array_of
from striate.data._streams import check_seed
from striate.detection.boxes import as_boxes

FILL_MODES = ("auto", "reflect", "wrap", "constant", "nearest")
_AT_ONCE = 256
_MAX_CROP, _MAX_GRID = 2**20, 1024


class Draw(NamedTuple):
    """What was drawn for a batch of images; each field has one entry for each image."""

    matrices: NDArray[np.float64]
    """(B, 2, 3), from output pixels to source pixels: `source = matrix[:, :2] @ (column, row) + matrix[:, 2]`, where a
    pixel's coordinates are those of its centre, (0, 0) at the top left."""
    brightness: NDArray[np.float32]
    """Added, in units of the pixels."""
    contrast: NDArray[np.float32]
    """Factor of the distance from the image's mean."""
    offsets: NDArray[np.float32] | None = None
    """(B, 2, H, W), added to the source column and row of every pixel; None without `elastic`."""


@dataclass(frozen=True)
class Augment:
    """Random flips, rotation, shift, zoom, crop, elastic deformation, brightness, contrast and noise.

    An object of this class is called with a batch and returns a new one. `fit(..., augment=Augment(...))` trains on
    changed images: a thread of the core prepares the next batch during each training step. All changes that move
    pixels are composed into one affine map for each image, which is sampled once, bilinearly; maps by whole pixels
    (only flips and crops) are exact.

    The change of an image depends only on the seed, the epoch and the image's index, not on the batch, the order or the
    number of threads. Each kind of change has its own random stream: enabling one does not alter the others. Random
    numbers come from Philox (Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as
    easy as 1, 2, 3", SC 2011).

    Masks and boxes move with the pixels: the methods `masks` and `boxes` apply the change that a call applies to the
    images of the same indices and epoch; `fit` does so for targets that are maps of the images' size. Mirrored or
    copied borders show objects without a box. If the targets are boxes, `fit` and `augment` therefore fill with
    `fill_value`, or with the border's pixels for `fill_mode` "nearest"; "reflect" and "wrap" are an error with boxes if
    the change moves pixels in from outside.

    Do not use flips if a mirrored image belongs to another class or to none (digits, letters, left and right organs).

    Args:
        flip_horizontal: mirror left and right: True for half of the images, or a probability.
        flip_vertical: mirror top and bottom: True for half of the images, or a probability.
        rotation: largest angle in degrees, either way. A rotated box is replaced by the upright box around its
            corners, which is larger: at 20 degrees the side of a square grows by 28 %. For tight boxes use only flips.
        shift: largest shift as a fraction of height and width, either way; or a pair (height, width).
        zoom: scale drawn from 1 - zoom .. 1 + zoom, above 1 enlarging; or a pair (smallest, largest scale).
        crop: pixels by which the image is extended on every side before it is cut back at a random place, up to 2**20.
        brightness: largest change as a fraction of the range of values, either way.
        contrast: factor drawn from 1 - contrast .. 1 + contrast, about each channel's mean.
        noise: standard deviation of Gaussian noise as a fraction of the range of values.
        elastic: largest displacement of the points of a coarse grid as a fraction of height and width, either way;
            pixels between follow smoothly, by cubic B-splines (Rueckert et al., IEEE Transactions on Medical Imaging
            18(8), 1999). For masks, not for boxes; 0.05 to 0.1 with the default grid, after Ronneberger et al.
            ("U-Net", MICCAI 2015).
        elastic_grid: cells of that grid each way, 1 .. 1024; more cells give deformations of shorter wavelength.
        fill_mode: the pixels from outside the image: "reflect", "wrap", "constant" or "nearest", as in Keras. "auto":
            "reflect", and "constant" where boxes move with the images.
        fill_value: for "constant", in units of the pixels. Masks that move with the images get 0 there.
        value_range: (low, high) of the values, to which brightness, contrast and noise are cut. None: 0 .. 255 for
            uint8; for float32 a range of 1 is assumed and nothing is cut.
        seed: 0 .. 2**64 - 1.

    Raises:
        ValueError: an argument is out of its range.
    """

    flip_horizontal: bool | float = False
    flip_vertical: bool | float = False
    rotation: float = 0.0
    shift: float | tuple[float, float] = 0.0
    zoom: float | tuple[float, float] = 0.0
    crop: int = 0
    brightness: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    elastic: float = 0.0
    elastic_grid: int = 3
    fill_mode: str = "auto"
    fill_value: float = 0.0
    value_range: tuple[float, float] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("flip_horizontal", "flip_vertical"):
            _check(name, getattr(self, name), 0.0, 1.0, "True, False or a probability")
        _check("rotation", self.rotation, 0.0, 360.0, "degrees")
        for value in _pair("shift", self.shift):
            _check("shift", value, 0.0, 1.0, "a fraction of the size")
        if not isinstance(self.zoom, (tuple, list)):
            _check("zoom", self.zoom, 0.0, 0.99, "a fraction")
        _check("contrast", self.contrast, 0.0, 1.0, "a fraction")
        _check("elastic", self.elastic, 0.0, 1.0, "a fraction of the size")
        _check_whole("elastic_grid", self.elastic_grid, 1, _MAX_GRID, "cells")
        for name in ("brightness", "noise"):
            _check(name, getattr(self, name), 0.0, math.inf, "a fraction of the range of values")
        smallest, largest = self._zoom_range()
        if not 0.01 <= smallest <= largest <= 100.0:
            raise ValueError(
                "Augment expects zoom as a fraction below 1, or as a pair (smallest, largest) of scales within "
                f"0.01 .. 100, got {self.zoom}"
            )
        _check_whole("crop", self.crop, 0, _MAX_CROP, "pixels")
        if self.fill_mode not in FILL_MODES:
            raise ValueError(f"Augment expects fill_mode to be one of {', '.join(FILL_MODES)}, got {self.fill_mode!r}")
        if not math.isfinite(self.fill_value):
            raise ValueError(f"Augment expects a finite fill_value, got {self.fill_value}")
        if self.value_range is not None:
            low, high = _pair("value_range", self.value_range)
            if not (math.isfinite(low) and math.isfinite(high) and low < high):
                raise ValueError(f"Augment expects value_range=(low, high) with low < high, got {self.value_range}")
        check_seed(self.seed, "Augment's seed")

    def __call__(self, images: NDArray[Any], indices: ArrayLike, epoch: int = 0) -> NDArray[Any]:
        """Change a batch.

        Args:
            images: (B, H, W, C), uint8 or float32; left as it is.
            indices: (B,), the images' row numbers in the data set.
            epoch: 0 or more.

        Returns:
            A new batch of the same shape and type.

        Raises:
            TypeError: the images are neither uint8 nor float32, or the indices are not integers.
            ValueError: the shapes do not fit, or an index or the epoch is negative.
        """
        images = _check_images(images)
        numbers = _check_indices(indices, len(images))
        if len(images) == 0:
            return np.empty_like(images)
        changed: NDArray[Any] = self._change().images(images, numbers, check_seed(epoch, "Augment's epoch"))
        return changed

    def masks(self, masks: NDArray[Any], indices: ArrayLike, epoch: int = 0, fill: float = 0) -> NDArray[Any]:
        """Move masks as a call moves the images of these indices: every pixel takes the value of the nearest one.

        Args:
            masks: (B, H, W) or (B, H, W, C), of any type; left as they are.
            indices: (B,), the images' row numbers in the data set.
            epoch: 0 or more.
            fill: the value of what comes in from outside where `fill_mode` is "constant", such as the class that a loss
                ignores.

        Returns:
            New masks of the same shape and type.

        Raises:
            TypeError: the indices are not integers.
            ValueError: the shapes do not fit, or an index or the epoch is negative.
        """
        masks = array_of(masks, "Augment: masks")
        if masks.ndim not in (3, 4) or 0 in masks.shape[1:]:
            raise ValueError(f"augmentation expects masks (N, H, W) or (N, H, W, C), got shape {masks.shape}")
        if masks.dtype.hasobject:
            raise TypeError(f"augmentation expects masks of numbers, got dtype {masks.dtype}")
        numbers = _check_indices(indices, len(masks))
        if len(masks) == 0:
            return np.empty_like(masks)
        planes = np.ascontiguousarray(masks if masks.ndim == 4 else masks[..., np.newaxis])
        try:
            value = np.full(1, fill, dtype=masks.dtype)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError(f"augmentation expects a fill that masks of {masks.dtype} can hold: {error}") from None
        moved = self._change().masks(planes, numbers, check_seed(epoch, "Augment's epoch"), value)
        return moved.reshape(masks.shape)

    def boxes(
        self,
        targets: Sequence[Sequence[ArrayLike]],
        indices: ArrayLike,
        size: tuple[int, int],
        epoch: int = 0,
        least_visible: float = 0.3,
    ) -> list[tuple[NDArray[Any], ...]]:
        """Move boxes as a call moves the images of these indices.

        The images must be changed by an `Augment` with the same `fill_mode`, "constant" or "nearest", if pixels come in
        from outside: see `for_boxes`.

        A box becomes the smallest upright one around its four moved corners, cut at the edges of the image; it is
        dropped where less than `least_visible` of that box's area is left.

        Args:
            targets: one (boxes (M, 4), labels (M,)) for each image, x1, y1, x2, y2 in pixels; the arrays after the
                boxes, M rows each, is kept along with them.
            indices: (B,), the images' row numbers in the data set.
            size: (height, width) of the images.
            epoch: 0 or more.
            least_visible: share of a moved box that must be inside, 0 .. 1; a box with no part inside is dropped.

        Returns:
            New targets, boxes as float32.

        Raises:
            ValueError: the shapes do not fit, an index or the epoch is negative; with `elastic`, which boxes cannot
                follow; or with a `fill_mode` that shows copies of objects at the borders.
        """
        explicit = self._filled("reflect") if self.fill_mode == "auto" else self
        try:
            explicit._change().check_boxes()
        except ValueError as error:
            if self.fill_mode != "auto" or self.elastic:
                raise
            raise ValueError(f"{error}: change the images and the boxes by augment.for_boxes()") from None
        _check("least_visible", least_visible, 0.0, 1.0, "a fraction")
        numbers = _check_indices(indices, len(targets))
        height, width = size
        matrices = self.draw(numbers, epoch, height, width).matrices
        out: list[tuple[NDArray[Any], ...]] = []
        for target, matrix in zip(targets, matrices, strict=True):
            boxes, *others = target
            moved, kept = _core.move_boxes(as_boxes(boxes, "Augment: boxes"), matrix, height, width, least_visible)
            out.append((moved[kept], *(np.asarray(other)[kept] for other in others)))
        return out

    def for_boxes(self) -> Augment:
        """The same change with a fill that fits images with boxes: "constant" in place of "auto".

        Raises:
            ValueError: `fill_mode` is "reflect" or "wrap" and the change moves pixels in from outside, or `elastic` is
                not 0.
        """
        self._change().check_boxes()
        return self._filled("constant") if self.fill_mode == "auto" else self

    def draw(self, indices: NDArray[np.int64], epoch: int, height: int, width: int, dtype: Any = np.uint8) -> Draw:
        """The changes of the given images in an epoch. `matrices` and `offsets` say how their pixels move.

        Args:
            indices: (B,), 0 or more.
            epoch: 0 or more.
            height: height of the images.
            width: width of the images.
            dtype: type of the images; it decides the unit of brightness.
        """
        epoch = check_seed(epoch, "Augment's epoch")
        return Draw(*self._change().draw(indices, epoch, height, width, dtype == np.uint8))

    def _filled(self, fill_mode: str) -> Augment:
        copied = copy.copy(self)  # keeps what a derived class has
        object.__setattr__(copied, "fill_mode", fill_mode)
        return copied

    def _change(self) -> _core.Augmentation:
        """The equivalent object of the C++ core."""
        return _core.Augmentation(
            flip_horizontal=_probability(self.flip_horizontal),
            flip_vertical=_probability(self.flip_vertical),
            rotation=float(self.rotation),
            shift=_pair("shift", self.shift),
            zoom=self._zoom_range(),
            crop=operator.index(self.crop),
            brightness=float(self.brightness),
            contrast=float(self.contrast),
            noise=float(self.noise),
            elastic=float(self.elastic),
            elastic_grid=operator.index(self.elastic_grid),
            fill_mode=self.fill_mode,
            fill_value=float(self.fill_value),
            value_range=None if self.value_range is None else _pair("value_range", self.value_range),
            seed=operator.index(self.seed),
        )

    def _zoom_range(self) -> tuple[float, float]:
        if isinstance(self.zoom, (tuple, list)):
            return _pair("zoom", self.zoom)
        return 1.0 - self.zoom, 1.0 + self.zoom


@overload
def augment(x: NDArray[Any], y: None = None, *, copies: int = 1, seed: int = 0, **changes: Any) -> NDArray[Any]: ...


@overload
def augment(
    x: NDArray[Any], y: ArrayLike, *, copies: int = 1, seed: int = 0, **changes: Any
) -> tuple[NDArray[Any], Any]: ...


def augment(
    x: NDArray[Any], y: ArrayLike | None = None, *, copies: int = 1, seed: int = 0, **changes: Any
) -> NDArray[Any] | tuple[NDArray[Any], Any]:
    """Make changed copies of images. For new changes in every epoch, pass an `Augment` to `fit` instead.

    Args:
        x: (N, H, W, C), uint8 or float32.
        y: labels (N, ...), repeated along with their images; masks (N, H, W) or (N, H, W, C), of the images' size, and
            a list of one (boxes (M, 4), labels (M,)) for each image move with the pixels; None: images only.
        copies: how many changed copies to make of every image.
        seed: 0 .. 2**64 - 1.
        **changes: `flip_horizontal`, `flip_vertical`, `rotation`, `shift`, `zoom`, `crop`, `brightness`, `contrast`,
            `noise`, `elastic`, `elastic_grid`, `fill_mode`, `fill_value`, `value_range` of `Augment`.

    Returns:
        The changed images, (copies * N, H, W, C), all of them once, then all of them again; with `y` given
        `(images, labels)`. Copy k is what `Augment` makes in epoch k.

    Raises:
        TypeError: an unknown change, or images that are neither uint8 nor float32.
        ValueError: an argument is out of its range, or x and y differ in length.
    """
    unknown = set(changes) - set(Augment.__dataclass_fields__)
    if unknown:
        known = ", ".join(name for name in Augment.__dataclass_fields__ if name != "seed")
        raise TypeError(f"augment has no change {', '.join(sorted(unknown))}; it knows {known}")
    if not hasattr(copies, "__index__") or copies < 1:
        raise ValueError(f"augment expects copies of 1 or more, got {copies!r}")
    x = _check_images(x)
    change = Augment(seed=seed, **changes)
    boxed = _are_boxes(y)
    if boxed:
        change = change.for_boxes()
    out = np.empty((copies, *x.shape), dtype=x.dtype)
    for epoch in range(copies):
        for start in range(0, len(x), _AT_ONCE):
            some = slice(start, start + _AT_ONCE)
            out[epoch, some] = change(x[some], np.arange(start, min(start + _AT_ONCE, len(x))), epoch)
    images = out.reshape((copies * len(x), *x.shape[1:]))
    if y is None:
        return images
    rows = np.arange(len(x))
    if boxed:
        assert isinstance(y, (list, tuple))
        if len(y) != len(x):
            raise ValueError(f"augment expects as many targets as images, {len(x)}, got {len(y)}")
        size = (x.shape[1], x.shape[2])
        return images, [target for epoch in range(copies) for target in change.boxes(y, rows, size, epoch)]
    labels = array_of(y, "augment: y")
    if labels.ndim == 0 or len(labels) != len(x):
        raise ValueError(f"augment expects as many labels as images, got x of shape {x.shape} and y of {labels.shape}")
    if labels.ndim in (3, 4) and labels.shape[:3] == x.shape[:3]:
        return images, np.concatenate([change.masks(labels, rows, epoch) for epoch in range(copies)])
    return images, np.concatenate([labels] * copies)


def _are_boxes(y: Any) -> bool:
    """Whether targets are a list with one (boxes, labels, ...) for each image."""
    if not isinstance(y, (list, tuple)) or not y or not isinstance(y[0], (list, tuple)):
        return False
    return isinstance(y[0], tuple) or (len(y[0]) in (2, 3) and np.ndim(y[0][0]) == 2)


def _check_indices(indices: ArrayLike, count: int) -> NDArray[np.int64]:
    numbers = array_of(indices, "Augment: indices")
    if numbers.dtype.kind not in "iu" and numbers.size:
        raise TypeError(f"Augment expects integer indices, got dtype {numbers.dtype}")
    if numbers.shape != (count,):
        raise ValueError(f"Augment expects one index for each image, ({count},), got shape {numbers.shape}")
    if numbers.size and numbers.min() < 0:
        raise ValueError(f"Augment expects indices of 0 or more, got {int(numbers.min())}")
    return numbers.astype(np.int64)


def _check_images(images: NDArray[Any]) -> NDArray[Any]:
    images = array_of(images, "augment: images")
    if images.dtype not in (np.uint8, np.float32):
        raise TypeError(
            f"augmentation expects uint8 or float32 images, got {images.dtype}; convert with astype(numpy.float32)"
        )
    if images.ndim != 4 or 0 in images.shape[1:]:
        fix = "; add the channel with x[..., numpy.newaxis]" if images.ndim == 3 else ""
        raise ValueError(f"augmentation expects images (N, H, W, C), got shape {images.shape}{fix}")
    return np.require(images, requirements=["C", "A"])


def _check(name: str, value: Any, low: float, high: float, unit: str) -> None:
    if isinstance(value, (str, bytes)) or not hasattr(value, "__float__"):
        raise TypeError(f"Augment expects {name} as a number, got {value!r}")
    if not low <= value <= high or not math.isfinite(value):
        raise ValueError(f"Augment expects {name} ({unit}) within {low:g} .. {high:g}, got {value}")


def _check_whole(name: str, value: Any, low: int, high: int, unit: str) -> None:
    if isinstance(value, bool) or not hasattr(value, "__index__") or not low <= value <= high:
        raise ValueError(f"Augment expects {name} as a whole number of {unit} within {low} .. {high}, got {value!r}")


def _pair(name: str, value: Any) -> tuple[float, float]:
    try:
        first, second = value if isinstance(value, (tuple, list)) else (value, value)
        return float(first), float(second)
    except (TypeError, ValueError):
        raise TypeError(f"Augment expects {name} as a number or a pair of numbers, got {value!r}") from None


def _probability(flip: bool | float) -> float:
    return 0.5 if flip is True else float(flip)
