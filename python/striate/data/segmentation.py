"""Read images with their masks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate._rows import Row
from striate.data._decode import read_all_files, without_values
from striate.data._files import check_path
from striate.data.dataset import ImageDataset
from striate.data.file_rows import FileRows
from striate.data.image import ColorMode, Picture, Reading, count_frames, decode
from striate.data.intensity import Window
from striate.data.listing import Reasons, check_folder, list_flat, stem_of, warn_unused
from striate.data.mask import Mask, MaskError, ValueMap, Values, read_mask, resize_mask, turned_mask
from striate.data.mask_rule import (
    MaskFacts,
    check_lossy,
    check_palettes,
    check_values,
    facts_of,
    is_yes_and_no,
    with_one,
)
from striate.data.picture import is_lossy

_WHAT = "SegmentationFolder"


_NOTHING = np.zeros((0, 0, 0), np.uint8)


class _Frame(NamedTuple):
    image: NDArray[Any]
    mask: Mask
    facts: MaskFacts


class SegmentationFolder(ImageDataset):
    """Images and their masks: pairs of files with the same name up to the ending.

    ::

        cells/images/a.png     data = SegmentationFolder("cells/images", "cells/masks", size=(128, 128))
        cells/images/b.tif     model.fit(data)
        cells/masks/a.png
        cells/masks/b.png

    A mask is a picture of one channel: the indices of a palette picture (of a GIF the colours: programs number them
    anew), or grey values of 8 to 32 bits; one in colour needs `values`. Every page of a TIFF and every frame of a DICOM
    file is an image of its own, and its mask must have as many. Images are read as `read_image` does. A mask of the
    size that its image has before EXIF orientation is applied is turned along with it.

    Without `values`, values are classes, and these are errors that name the fix: a JPEG mask with other values than 0
    and 255, or 0 and 1; palette pictures that give one index different colours; and, without `class_names`, 255 beside
    other values than 0, or a value of 64 or more. There is a warning where no mask holds 0, and where at least half of
    the classes never occur.

    Args:
        images: the folder of the images, folders within it included. Endings and other files: as in
            `image_dataset_from_directory`.
        masks: the folder of the masks, laid out alike; it may be the same one, with a `mask_suffix`.
        size: (height, width) or one number for both: images by `interpolation`, masks by the nearest pixel; None: as
            they are, if they are all of one size.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        values: what the masks' values mean. None: 0 is class 0 and 255 class 1 where no mask holds anything else (and
            255 is not `ignore_class`); otherwise the values are the classes. "nonzero": all values but 0 are class 1,
            such as numbered objects. "threshold": values from 128 on are class 1, such as masks with grey edges. A
            dict: from each value that occurs to its class, or from each (r, g, b).
        class_names: the classes in the order of their numbers; then a class beyond them is an error. None: 0, 1, ...
            up to the largest.
        ignore_class: number of the class of unmarked pixels, such as 255, and is none of `class_names`; give
            it to the loss and the metrics too.
        mask_suffix: what follows in a mask's name after the image's: "_mask" for a.png and a_mask.png.
        interpolation: method of resizing the images: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size`, instead of distorting.
        pad_to_aspect_ratio: add margins to the proportions of `size`, instead of distorting: black, and of value 0.
        window: as in `read_image`, for grey images.
        default_window: as in `image_dataset_from_directory`.
        dtype: type of the images, as in `read_image`.
        follow_links: visit folders that are links.
        skip_bad: pass over pairs that cannot be used, and list them in `skipped`; otherwise the first one is an error.
        in_memory: whether all images and masks are kept. False: threads decode those of each batch on demand, in
            every epoch; for data larger than memory, with the same bits. All masks are decoded once now, to check them
            and to know the classes; with `skip_bad`, and where the first picture is grey of more than 8 bits and there
            is no `default_window`, all images too.

    Attributes:
        images: (N, H, W, C), uint8 or float32; also `x`. Sorted by path, then by page. Not there with
            `in_memory=False`, nor are `labels`.
        labels: (N, H, W), the classes as uint8, or int32 where that is too small; also `y`.
        class_names: the classes in the order of their numbers.
        file_paths, mask_paths: N files each; a file of several pages is there once for each page.
        frames: N numbers, the page of each.
        skipped: (file, reason) of every file that could not be used; filled only with `skip_bad=True`.
        unused, default_window: as in `ImageDataset`.

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError, NotADirectoryError: the folder does not exist, or an image has no mask.
        OSError: a file is damaged; the message names it.
        ValueError: an argument does not fit; there is nothing to read; a mask is of another size than its image, or
            holds a value that is not a class, or has no image. The message names the file.
    """

    def __init__(
        self,
        images: str | os.PathLike[str],
        masks: str | os.PathLike[str],
        *,
        size: int | tuple[int, int] | None = None,
        color_mode: ColorMode = "rgb",
        values: Values = None,
        class_names: Sequence[str] | None = None,
        ignore_class: int | None = None,
        mask_suffix: str = "",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        window: Window = None,
        default_window: Window = None,
        dtype: Literal["uint8", "float32"] = "uint8",
        follow_links: bool = False,
        skip_bad: bool = False,
        in_memory: bool = True,
    ) -> None:
        reading = Reading.checked(
            _WHAT,
            color_mode=color_mode,
            size=size,
            interpolation=interpolation,
            crop_to_aspect_ratio=crop_to_aspect_ratio,
            pad_to_aspect_ratio=pad_to_aspect_ratio,
            window=window,
            default_window=default_window,
            dtype=dtype,
        )
        meaning = ValueMap(values, _WHAT)
        names = None if class_names is None else [str(name) for name in class_names]
        _check_classes(meaning.classes, names, ignore_class)
        require("PIL.Image", "data", f"striate.data.{_WHAT}")

        folders = check_path(images, _WHAT), check_path(masks, _WHAT)
        pairs, strays, unused = _pair(*folders, mask_suffix, follow_links)
        warn_unused(unused, _WHAT)
        if strays and not skip_bad:
            raise ValueError(f"{_WHAT}: {strays[0][0]}: {strays[0][1]}")
        frames, origins, skipped, found_window = _read(pairs, reading, meaning, skip_bad, in_memory)
        facts = [frame.facts for frame in frames]
        if (not meaning.decided or isinstance(values, str)) and (problem := check_palettes(facts)):
            raise ValueError(f"{_WHAT}: {problem}")
        yes_and_no = False
        if not meaning.decided:
            yes_and_no = is_yes_and_no(facts, ignore_class)
            if yes_and_no:
                frames = [frame._replace(mask=with_one(frame.mask)) for frame in frames]
            elif problem := check_values(facts, names is not None, ignore_class, _WHAT):
                raise ValueError(f"{_WHAT}: {problem}")
        highest = max(meaning.classes, default=0)
        kept: list[int] = []
        for place, frame in enumerate(frames):
            low, high = _extent(frame.mask, ignore_class)
            path = pairs[origins[place][0]][1]
            if low < 0 or (names is not None and high >= len(names)):
                problem = _out_of_range(low if low < 0 else high, path, names)
                if not skip_bad:
                    raise ValueError(f"{_WHAT}: {problem}")
                skipped.append((path, problem))
                continue
            highest = max(highest, high)
            kept.append(place)
        if not kept:
            raise OSError(f"{_WHAT}: none of {len(pairs)} images could be used; the first: {skipped[0][1]}")
        pictures, classes = [frames[place].image for place in kept], [frames[place].mask for place in kept]
        origins = [origins[place] for place in kept]
        del frames  # see _stack
        kind = _label_dtype(classes)
        files = [(pairs[pair][0], pairs[pair][1], frame) for pair, frame in origins]
        how = replace(reading, default_window=found_window)
        super().__init__(
            _stack(pictures, np.dtype(dtype)) if in_memory else _rows(files, how, meaning, yes_and_no, kind),
            _stack(classes, kind) if in_memory else None,
            [str(number) for number in range(highest + 1)] if names is None else names,
            [pairs[pair][0] for pair, _ in origins],
            [*skipped, *strays],
            unused,
            found_window,
        )
        self.mask_paths = [pairs[pair][1] for pair, _ in origins]
        self.frames = [frame for _, frame in origins]
        self.ignore_class = ignore_class

    @property
    def labels(self) -> NDArray[Any] | None:
        if not self.in_memory:
            self._not_in_memory("labels")
        return super().labels

    def __repr__(self) -> str:
        return super().__repr__().replace("ImageDataset", _WHAT, 1)


def _rows(
    files: list[tuple[str, str, int]], reading: Reading, meaning: ValueMap, yes_and_no: bool, kind: np.dtype[Any]
) -> FileRows:
    """Rows that read image and mask on demand."""

    def read(place: int, how: Reading) -> tuple[Row, list[Picture]]:
        image, mask, number = files[place]
        frame, picture = _read_frame(Path(image), Path(mask), number, False, how, meaning)
        values = with_one(frame.mask) if yes_and_no else frame.mask
        assert picture is not None
        return Row(frame.image, values.astype(kind)), [picture._replace(several=False)]

    state = repr((meaning.key, yes_and_no, kind.str, [number for _, _, number in files])).encode()
    masks = [mask for _, mask, _ in files]
    return FileRows(_WHAT, [image for image, _, _ in files], range(len(files)), read, reading, masks, state)


def _check_classes(classes: list[int], names: list[str] | None, ignore_class: int | None) -> None:
    if names is not None and not names:
        raise ValueError(f"{_WHAT} expects class_names to be a list of names or None, got an empty one")
    for number in classes:
        if number != ignore_class and (number < 0 or (names is not None and number >= len(names))):
            upto = "from 0 on" if names is None else f"0 .. {len(names) - 1}, as many as class_names"
            raise ValueError(f"{_WHAT}: values lead to the class {number}; classes are {upto}, or ignore_class")


def _pair(images: Path, masks: Path, suffix: str, follow_links: bool) -> tuple[list[tuple[str, str]], Reasons, Reasons]:
    """(image, mask) of every image, a mask that is not there included; (mask, reason) of those without an image; and
    other files.
    """
    for folder in (images, masks):
        check_folder(folder, _WHAT)
    same = os.path.samefile(images, masks)
    if same and not suffix:
        raise ValueError(f"{_WHAT}: images and masks are the same folder, {images}; tell them apart by a mask_suffix")
    found, unused = list_flat(images, follow_links, _WHAT)
    masks_found, others = (found, unused) if same else list_flat(masks, follow_links, _WHAT)
    unused = unused if same else [*unused, *others]
    if same:
        found = [path for path in found if not stem_of(path, images).endswith(suffix)]
        if not found:
            raise ValueError(f"{_WHAT}: every picture of {images} ends in mask_suffix {suffix!r}: there is no image")
    by_stem: dict[str, str] = {}
    for path in masks_found:
        stem = stem_of(path, masks)
        if stem.endswith(suffix):
            stem = stem[: len(stem) - len(suffix)]
            if stem in by_stem:
                raise ValueError(f"{_WHAT}: two masks for one image: {by_stem[stem]} and {path}")
            by_stem[stem] = path
    pairs: dict[str, tuple[str, str]] = {}
    for path in found:
        stem = stem_of(path, images)
        if stem in pairs:
            raise ValueError(f"{_WHAT}: two images for one mask: {pairs[stem][0]} and {path}")
        pairs[stem] = (path, by_stem.get(stem, os.path.join(masks, f"{stem}{suffix}.*")))
    by_case = {stem.lower(): pair[0] for stem, pair in pairs.items()}
    strays = []
    for stem, path in by_stem.items():
        if stem not in pairs:
            near = by_case.get(stem.lower())
            strays.append((path, "the mask has no image" + (f"; {near} differs in case" if near else "")))
    return list(pairs.values()), strays, unused


def _read(
    pairs: list[tuple[str, str]], reading: Reading, meaning: ValueMap, skip_bad: bool, keep: bool
) -> tuple[list[_Frame], list[tuple[int, int]], Reasons, Window]:
    """All frames, the (pair, frame) of each, (file, reason) of pairs that were passed over, and the default window.

    With `keep` False, frames have no images, and of masks the values that occur; images are decoded only where they
    must be looked at.
    """
    frames: list[_Frame] = []
    origins: list[tuple[int, int]] = []
    skipped: Reasons = []
    first = ""
    images = keep or skip_bad or (reading.default_window is None and _is_deep(pairs[0][0], reading))

    def read(place: int, how: Reading) -> tuple[list[_Frame], list[Picture]]:
        return _read_pair(Path(pairs[place][0]), Path(pairs[place][1]), how, meaning, keep, images)

    found = read_all_files(read, len(pairs), reading, skip_bad, _WHAT)
    for place, result in enumerate(found.results):
        if isinstance(result, Exception):
            skipped.append((pairs[place][0], str(result)))
            continue
        for number, frame in enumerate(result):
            if frames and frame.image.shape != frames[0].image.shape:
                raise ValueError(
                    f"{_WHAT}: {pairs[place][0]} is {_size(frame.image)}, {first} {_size(frames[0].image)}; pass size "
                    "to bring all to one"
                )
            first = first or pairs[place][0]
            frames.append(frame)
            origins.append((place, number))
    return frames, origins, skipped, found.default_window


def _is_deep(image: str, reading: Reading) -> bool:
    """Whether a picture is grey of more than 8 bits, without a window of its own."""
    return decode(Path(image), 0, reading).deep is not None


def _read_pair(
    image: Path, mask: Path, reading: Reading, meaning: ValueMap, keep: bool = True, images: bool = True
) -> tuple[list[_Frame], list[Picture]]:
    """All frames of a pair.

    Args:
        image, mask: the files.
        reading: how to read the image.
        meaning: of the mask's values.
        keep: whether images and masks are wanted; False: of masks only the values that occur.
        images: whether images are decoded.
    """
    if not mask.exists():
        raise FileNotFoundError(f"{_WHAT}: the image {image} has no mask: there is no {mask}")
    count, masks = count_frames(image), count_frames(mask)
    if count != masks:
        raise MaskError(f"{_WHAT}: the image {image} has {count} pages, its mask {mask} {masks}")
    frames, pictures = [], []
    lossy = is_lossy(mask)
    for number in range(count):
        frame, picture = _read_frame(image, mask, number, lossy, reading, meaning, images)
        frames.append(frame if keep else _Frame(_NOTHING, np.unique(frame.mask), frame.facts))
        if picture is not None:
            pictures.append(without_values(picture))
    return frames, pictures


def _read_frame(
    image: Path, mask: Path, number: int, lossy: bool, reading: Reading, meaning: ValueMap, images: bool = True
) -> tuple[_Frame, Picture | None]:
    """One frame of a pair. `lossy`: whether the mask is a JPEG."""
    raw = read_mask(mask, number, meaning.colors)
    facts = facts_of(str(mask), raw, lossy)
    if not meaning.decided and (problem := check_lossy(facts)):
        raise MaskError(f"{_WHAT}: {problem}")
    values = raw.values
    picture = decode(image, number, reading, whole=True) if images else None
    if picture is not None:
        if values.shape != picture.size and picture.orientation >= 5 and values.shape == picture.size[::-1]:
            values = turned_mask(values, picture.orientation)
        if values.shape != picture.size:
            height, width = picture.size
            raise MaskError(f"{_WHAT}: the mask {mask} is {_size(values)}, its image {image} {height}x{width}")
    if meaning.decided:
        values = meaning.translate(values, mask)
    if reading.size is not None:
        values = resize_mask(values, reading.size, reading.crop, reading.pad)
    return _Frame(_NOTHING if picture is None else picture.values, values, facts), picture


def _extent(mask: Mask, ignore_class: int | None) -> tuple[int, int]:
    """The smallest and the largest class of a mask, at least and at most 0."""
    counted = mask if ignore_class is None else mask[mask != ignore_class]
    return (min(int(counted.min()), 0), max(int(counted.max()), 0)) if counted.size else (0, 0)


def _out_of_range(label: int, path: str, names: list[str] | None) -> str:
    if label == 255 and names is not None:
        return (
            f"the mask {path} holds 255, but there are {len(names)} classes, 0 .. {len(names) - 1}; if 255 is "
            "unmarked, pass ignore_class=255; if it is class 1, values={0: 0, 1: 1, 255: 1}"
        )
    upto = "classes count from 0" if names is None else f"there are {len(names)} classes, 0 .. {len(names) - 1}"
    return f"the mask {path} holds {label}, but {upto}; name the class of each value with values, or pass ignore_class"


def _label_dtype(masks: list[Mask]) -> np.dtype[Any]:
    small = all(mask.min() >= 0 and mask.max() <= 255 for mask in masks)
    return np.dtype(np.uint8 if small else np.int32)


def _stack(arrays: list[NDArray[Any]], dtype: np.dtype[Any]) -> NDArray[Any]:
    """All in one array; the list is emptied on the way, so that memory holds most of them only once."""
    shape = (len(arrays), *arrays[0].shape)
    try:
        out = np.empty(shape, dtype=dtype)
    except MemoryError as error:
        raise MemoryError(f"{_WHAT}: no memory for {shape} of {dtype}; choose a smaller size") from error
    for place in reversed(range(len(arrays))):
        out[place] = arrays.pop()
    return out


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
