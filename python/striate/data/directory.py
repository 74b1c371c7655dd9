"""Read a folder of images, one folder for each class."""

from __future__ import annotations

import operator
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from striate._checks import positive
from striate._extras import require
from striate._rows import Row, Rows
from striate.data._decode import decode_all
from striate.data._files import check_path
from striate.data._streams import check_seed, permutation
from striate.data.dataset import ImageDataset
from striate.data.file_rows import FileRows, look_at
from striate.data.image import ColorMode, Picture, Reading, decode
from striate.data.intensity import Window
from striate.data.labels import to_categorical
from striate.data.listing import Reasons, check_folder, list_classes, list_flat, warn_unused
from striate.data.splitting import split_indices

_WHAT = "image_dataset_from_directory"
_MAX_CLASSES = 2**20
_CHANNELS = {"grayscale": 1, "rgb": 3, "rgba": 4}

LabelMode = Literal["int", "categorical", "binary"] | None
Labels = Literal["inferred"] | Sequence[int] | NDArray[np.integer[Any]] | None
Size = int | tuple[int, int] | None


@overload
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Labels = "inferred",
    label_mode: LabelMode = "int",
    class_names: Sequence[str] | None = None,
    color_mode: ColorMode = "rgb",
    batch_size: int | None = 32,
    image_size: Size = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    *,
    validation_split: float,
    subset: Literal["both"],
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    verbose: bool = False,
    window: Window = None,
    default_window: Window = None,
    dtype: Literal["uint8", "float32"] = "uint8",
    skip_bad: bool = False,
    in_memory: bool = True,
) -> tuple[ImageDataset, ImageDataset]: ...


@overload
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Labels = "inferred",
    label_mode: LabelMode = "int",
    class_names: Sequence[str] | None = None,
    color_mode: ColorMode = "rgb",
    batch_size: int | None = 32,
    image_size: Size = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: Literal["training", "validation"] | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    verbose: bool = False,
    *,
    window: Window = None,
    default_window: Window = None,
    dtype: Literal["uint8", "float32"] = "uint8",
    skip_bad: bool = False,
    in_memory: bool = True,
) -> ImageDataset: ...


def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Labels = "inferred",
    label_mode: LabelMode = "int",
    class_names: Sequence[str] | None = None,
    color_mode: ColorMode = "rgb",
    batch_size: int | None = 32,
    image_size: Size = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: Literal["training", "validation", "both"] | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    verbose: bool = False,
    *,
    window: Window = None,
    default_window: Window = None,
    dtype: Literal["uint8", "float32"] = "uint8",
    skip_bad: bool = False,
    in_memory: bool = True,
) -> ImageDataset | tuple[ImageDataset, ImageDataset]:
    """Read the images of a folder, decoded by several threads.

    The arguments are Keras's, with these differences: unless `in_memory` is False, everything is read at once and kept
    as uint8; `fit` has a batch size and a shuffle of its own; TIFF and DICOM are read too; a validation split takes its
    share of every class; shrinking averages over the pixels that go; `window`, `default_window`, `dtype`, `skip_bad`
    and `in_memory` are added.

    ::

        flowers/daisy/1.jpg            data = image_dataset_from_directory("flowers", image_size=(64, 64))
        flowers/daisy/2.jpg            model.fit(data)
        flowers/rose/1.png

    Args:
        directory: the folder. Pictures are files with the endings .bmp, .dcm, .dib, .dicom, .gif, .j2k, .jfif, .jp2,
            .jpe, .jpeg, .jpg, .pbm, .pgm, .png, .pnm, .ppm, .tga, .tif, .tiff and .webp, and DICOM files with any or no
            ending. `unused` lists other files, with a warning where they may be pictures; hidden files and folders are
            passed over.
        labels: "inferred": a class for each folder, numbered by name; a list of one number for each image, in the order
            of the sorted paths; or None.
        label_mode: "int" (N,) int64; "categorical" (N, K) one-hot float32; "binary" (N, 1) float32, for two classes;
            None: no labels.
        class_names: the folders to read, in the order of their numbers; None: all, sorted.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        batch_size: images of the batches that iterating over the data set gives; None: single images. `fit` and the
            like have their own.
        image_size: (height, width) or one number for both; None: as they are, if they are all of one size.
        shuffle: mix the images; otherwise they are sorted by class and path.
        seed: seed of the shuffle; None: a different one every time.
        validation_split: share of every class, between 0 and 1, that `subset` "validation" gets.
        subset: "training", "validation", or "both" for a pair.
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        follow_links: visit folders that are links.
        crop_to_aspect_ratio: cut the largest centred part with the proportions of image_size, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of image_size, instead of distorting.
        verbose: print how many files and classes there are.
        window: as in `read_image`, for grey images.
        default_window: as in `read_image`, for grey of more than 8 bits without a window of its own. None: one for the
            data set, see `ImageDataset.default_window`; for subset="both" it is that of the training part.
        dtype: as in `read_image`.
        skip_bad: pass over files that cannot be read, and list them in `skipped`; otherwise the first one is an error.
        in_memory: whether all images are decoded now and kept. False: threads decode the images of each batch when it
            is due, in every epoch; for data larger than memory, with the same bits. With `skip_bad`, and where the
            first picture is grey of more than 8 bits and there is no `default_window`, all files are decoded once to
            look at them.

    Returns:
        An `ImageDataset`, or two of them for subset="both": training, validation.

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError, NotADirectoryError: `directory` is not a folder.
        OSError: an image is damaged; the message names it.
        ValueError: an argument does not fit, or there is nothing to read.
    """
    reading = Reading.checked(
        _WHAT,
        color_mode=color_mode,
        size=image_size,
        interpolation=interpolation,
        crop_to_aspect_ratio=crop_to_aspect_ratio,
        pad_to_aspect_ratio=pad_to_aspect_ratio,
        window=window,
        default_window=default_window,
        dtype=dtype,
    )
    _check_choice("label_mode", label_mode, ("int", "categorical", "binary", None))
    _check_split(validation_split, subset, shuffle, seed)
    size = reading.size
    require("PIL.Image", "data", f"striate.data.{_WHAT}")

    files, numbers, names, unused = _find(check_path(directory, _WHAT), labels, class_names, follow_links)
    warn_unused(unused, _WHAT)
    if label_mode is None:
        names = []
    if label_mode == "binary" and numbers is not None and len(names) != 2:
        raise ValueError(f"{_WHAT}: label_mode='binary' is for two classes, and there are {len(names)}")
    if verbose:
        print(f"Found {len(files)} files" + (f" belonging to {len(names)} classes." if names else "."))

    if batch_size is not None:
        positive(batch_size, f"{_WHAT}: batch_size")
    if seed is None and shuffle:
        seed = int(np.random.SeedSequence().generate_state(1, np.uint64)[0])
    parts = _cut(len(files), numbers, shuffle, seed, validation_split)
    shape = None if size is None else (*size, _CHANNELS[color_mode])

    def read(part: NDArray[np.int64], how: Reading = reading) -> ImageDataset:
        paths = [files[number] for number in part.tolist()]

        def labels_of(kept: list[int]) -> NDArray[Any] | None:
            if numbers is None or label_mode is None:
                return None
            return _encode(numbers[part[kept]], label_mode, len(names))

        images: NDArray[Any] | Rows
        if in_memory:
            images, kept, skipped, partly, found_window = decode_all(paths, how, shape, skip_bad)
            y = labels_of(kept)
        else:
            images, kept, y, skipped, partly, found_window = _streamed(paths, how, skip_bad, labels_of)
        kept_paths = [paths[number] for number in kept]
        dataset = ImageDataset(images, y, names, kept_paths, skipped, [*unused, *partly], found_window)
        dataset.batch_size = batch_size
        return dataset

    if subset == "both":
        training = read(parts[0])
        return training, read(parts[1], replace(reading, default_window=training.default_window))
    return read(parts[1 if subset == "validation" else 0])


def _streamed(
    paths: list[str], reading: Reading, skip_bad: bool, labels_of: Callable[[list[int]], NDArray[Any] | None]
) -> tuple[Rows, list[int], NDArray[Any] | None, Reasons, Reasons, Window]:
    """As `decode_all`, with rows in place of the images, and the labels."""
    labels: NDArray[Any] | None = None
    label_at: dict[int, int] = {}

    def read(place: int, how: Reading) -> tuple[Row, list[Picture]]:
        picture = decode(Path(paths[place]), 0, how)
        return Row(picture.values, None if labels is None else labels[label_at[place]]), [picture]

    found = look_at(_WHAT, paths, read, reading, skip_bad)
    labels = labels_of(found.places)
    label_at.update({place: number for number, place in enumerate(found.places)})
    state = b"" if labels is None else labels.tobytes()
    rows = FileRows(_WHAT, [paths[place] for place in found.places], found.places, read, found.reading, (), state)
    return rows, found.places, labels, found.skipped, found.partly, found.default_window


def _check_choice(name: str, value: object, choices: tuple[str | None, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{_WHAT} expects {name} to be one of {', '.join(map(str, choices))}, got {value!r}")


def _check_split(split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if seed is not None:
        check_seed(seed, f"{_WHAT}'s seed")
    _check_choice("subset", subset, ("training", "validation", "both", None))
    if (split is None) != (subset is None):
        raise ValueError(
            f"{_WHAT} expects validation_split and subset together, got validation_split={split} and subset={subset!r}"
        )
    if split is not None and not 0.0 < split < 1.0:
        raise ValueError(f"{_WHAT} expects validation_split between 0 and 1, got {split}")
    if subset in ("training", "validation") and shuffle and seed is None:
        raise ValueError(
            f"{_WHAT} needs a seed to split shuffled images, or the two subsets would overlap; pass seed=0, or take "
            "subset='both'"
        )


def _find(
    directory: Path, labels: Labels, class_names: Sequence[str] | None, follow_links: bool
) -> tuple[list[str], NDArray[np.int64] | None, list[str], Reasons]:
    """The files, the number of each one's class, the classes' names, and files that are not used."""
    check_folder(directory)
    if isinstance(labels, str):
        _check_choice("labels", labels, ("inferred",))
        names, files, unused = list_classes(directory, class_names, follow_links)
        numbers = np.repeat(np.arange(len(names), dtype=np.int64), [len(some) for some in files])
        return [path for some in files for path in some], numbers, names, unused
    if class_names is not None:
        raise ValueError(f"{_WHAT} takes class_names only with labels='inferred'")
    found, unused = list_flat(directory, follow_links)
    if labels is None:
        return found, None, [], unused
    try:
        given = [operator.index(label) for label in labels]
    except TypeError:
        raise TypeError(f"{_WHAT} expects labels to be 'inferred', a list of integers or None") from None
    if len(given) != len(found):
        raise ValueError(f"{_WHAT} got {len(given)} labels for the {len(found)} images of {directory}")
    if not 0 <= min(given) <= max(given) < _MAX_CLASSES:
        strange = min(given) if min(given) < 0 else max(given)
        raise ValueError(
            f"{_WHAT} expects labels that number the classes, 0 .. {_MAX_CLASSES - 1}, got {strange}; "
            "numpy.unique(labels, return_inverse=True) numbers them"
        )
    numbers = np.array(given, dtype=np.int64)
    return found, numbers, [str(number) for number in range(int(numbers.max()) + 1)], unused


def _cut(
    count: int, numbers: NDArray[np.int64] | None, shuffle: bool, seed: int | None, split: float | None
) -> tuple[NDArray[np.int64], ...]:
    """Row numbers of the training and the validation part, or of the whole."""
    order = seed if shuffle else None
    if split is not None:
        return split_indices(np.zeros(count, dtype=np.int64) if numbers is None else numbers, split, order)
    return (np.arange(count) if order is None else permutation(count, order),)


def _encode(numbers: NDArray[np.int64], label_mode: str, classes: int) -> NDArray[Any]:
    if label_mode == "categorical":
        return to_categorical(numbers, classes)
    return numbers.astype(np.float32)[:, np.newaxis] if label_mode == "binary" else numbers
