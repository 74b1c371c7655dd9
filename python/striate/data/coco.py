"""Boxes in COCO's format: one JSON file for all images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np

from striate._extras import require
from striate.data._files import check_path, inside, open_file
from striate.data._numbers import flag, identity, label, number, side
from striate.data.detection import Annotation, DetectionDataset, read_all
from striate.data.image import ColorMode, Reading
from striate.data.intensity import Window
from striate.data.listing import check_folder
from striate.data.rle import box_of
from striate.detection.rule import TargetError

_WHAT = "CocoDetection"


class CocoDetection(DetectionDataset):
    """Images and boxes in the format of COCO (Lin et al., "Microsoft COCO", ECCV 2014).

    The classes are the file's categories in the order of their ids, numbered from 0. See `DetectionDataset` for the
    attributes and the rule for boxes.

    Numbers may be given as text, as some tools do. An id "7" is the id 7. Without height and width, or where they are 0
    or null, the picture's size is not checked. Where `bbox` is missing, empty or without extent, the box is that around
    `segmentation` (polygons or run lengths). An `area` of null is the box's. The ids of annotations are not used. Names
    of files are relative to `images`: absolute ones, and ones with "..", are an error, and so are two entries for one
    file. Numbers must be finite.

    Args:
        images: the folder that the file names of the annotations are relative to. Links in it are followed.
        annotations: the JSON file: `images` (id, file_name), `categories` (id, name), `annotations` (image_id,
            category_id, bbox as x, y, width, height; optionally area, iscrowd, segmentation).
        size: (height, width) or one number for both, to which images and boxes are brought; None: as they are.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size`, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size`, instead of distorting.
        window: as in `read_image`, for grey images.
        default_window: as in `image_dataset_from_directory`.
        dtype: type of the images, as in `read_image`.
        skip_bad: pass over images and entries of the file that cannot be used, and list them in `skipped`; otherwise
            the first is an error. An image with one bad box is passed over as a whole.
        in_memory: whether all images are kept; False: see `DetectionDataset`.

    Attributes:
        category_ids: the file's own id of each class.
        image_ids: the file's own id of each image.

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError, NotADirectoryError: the folder or a file is missing.
        OSError: a file is damaged, or no image can be used; the message names it.
        ValueError: the annotations are not of the format, or an argument does not fit.
    """

    def __init__(
        self,
        images: str | os.PathLike[str],
        annotations: str | os.PathLike[str],
        *,
        size: int | tuple[int, int] | None = None,
        color_mode: ColorMode = "rgb",
        interpolation: str = "bilinear",
        crop_to_aspect_ratio: bool = False,
        pad_to_aspect_ratio: bool = False,
        window: Window = None,
        default_window: Window = None,
        dtype: Literal["uint8", "float32"] = "uint8",
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
        require("PIL.Image", "data", f"striate.data.{_WHAT}")
        folder, path = check_path(images, _WHAT), check_path(annotations, _WHAT)
        check_folder(folder, _WHAT)
        content = _load(path)
        if not content["images"]:
            raise ValueError(f"{_WHAT}: {path} names no image")
        problems: list[str] = []
        categories = _categories(content["categories"], problems)
        entries = _images(content["images"], folder, problems)
        _share(content["annotations"], entries, problems)
        if problems and not skip_bad:
            raise ValueError(f"{_WHAT}: {path}: {problems[0]}")
        if not entries:
            raise ValueError(f"{_WHAT}: {path} names no image that can be used: {problems[0]}")
        numbers = {identity: place for place, (identity, _) in enumerate(categories)}
        found = [_annotation(entry, str(path), numbers) for entry in entries.values()]
        if not skip_bad and (wrong := next((f for f in found if isinstance(f, TargetError)), None)):
            raise wrong
        files, classes = [entry.file for entry in entries.values()], [name for _, name in categories]
        read = read_all(_WHAT, found, files, classes, reading, skip_bad, in_memory)
        super().__init__(*read[:-1])
        self.skipped += [(str(path), problem) for problem in problems]
        self.category_ids = [identity for identity, _ in categories]
        ids = [entry.identity for entry in entries.values()]
        self.image_ids = [ids[place] for place in read.places]


class _Entry(NamedTuple):
    """An image of the file, and its annotations."""

    identity: Any  # as the file has it
    file: str
    image: dict[str, Any]
    items: list[dict[str, Any]]


def _load(path: Path) -> dict[str, list[Any]]:
    """The three lists of the file."""
    with open_file(path, _WHAT) as file:
        try:
            content = json.loads(file.read())
        except (ValueError, RecursionError) as error:
            raise OSError(f"cannot read the annotations {path}: {error}") from error
    if not isinstance(content, dict):
        kind = "a list, as results of a detector are" if isinstance(content, list) else "no object"
        raise ValueError(f"{_WHAT}: {path} is not in COCO's format: it holds {kind}")
    for key in ("images", "categories", "annotations"):
        if not isinstance(content.get(key), list):
            has = f"it has {', '.join(map(repr, list(content)[:8]))}" if content else "it is empty"
            raise ValueError(
                f"{_WHAT}: {path} is not in COCO's format: it needs the key '{key}' with a list ({has}); for images "
                "without boxes give 'annotations': []"
            )
    return content


def _categories(items: list[Any], problems: list[str]) -> list[tuple[int | str, str]]:
    """(id, name) of the classes: numbers in order, then texts."""
    found: dict[int | str, str] = {}
    for place, item in enumerate(items):
        try:
            number, name = identity(item["id"], "its id"), label(item["name"], "its name")
            if found.setdefault(number, name) != name:
                raise ValueError(f"its id {number!r} is that of {found[number]!r} too")
        except (LookupError, TypeError, ValueError) as error:
            problems.append(f"category {place} of the list cannot be used: {_reason(error)}")
    return sorted(found.items(), key=lambda pair: (isinstance(pair[0], str), pair[0]))


def _images(items: list[Any], folder: Path, problems: list[str]) -> dict[int | str, _Entry]:
    """The images by their ids; each file once."""
    found: dict[int | str, _Entry] = {}
    files: dict[str, Any] = {}
    for place, item in enumerate(items):
        try:
            number = identity(item["id"], "its id")
            file = str(inside(folder, item["file_name"]))
            if number in found:
                raise ValueError(f"its id {number!r} is that of {found[number].file} too")
            if file in files:
                raise ValueError(f"its file {file} is that of the image {files[file]!r} too")
        except (LookupError, TypeError, ValueError) as error:
            problems.append(f"image {place} of the list cannot be used: {_reason(error)}")
            continue
        files[file] = item["id"]
        found[number] = _Entry(item["id"], file, item, [])
    return found


def _share(items: list[Any], entries: dict[int | str, _Entry], problems: list[str]) -> None:
    """Give each annotation to its image."""
    for place, item in enumerate(items):
        try:
            number = identity(item["image_id"], "its image_id")
            if number not in entries:
                raise ValueError(f"it is a box of the image {number!r}, which is not listed in the file")
            entries[number].items.append(item)
        except (LookupError, TypeError, ValueError) as error:
            problems.append(f"annotation {place} of the list cannot be used: {_reason(error)}")


def _annotation(entry: _Entry, path: str, numbers: dict[int | str, int]) -> Annotation | TargetError:
    where = f"{path} (image {entry.file})"
    try:
        sides = [side(entry.image.get(name), name) for name in ("height", "width")]
        boxes = np.array([_box(item) for item in entry.items], dtype=np.float64).reshape(-1, 4)
        labels = np.array([_class(item, numbers) for item in entry.items], dtype=np.int64)
        crowd = np.array([flag(item.get("iscrowd"), "iscrowd") for item in entry.items], dtype=np.bool_)
        with np.errstate(all="ignore"):
            whole = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1).tolist()
        given = [item.get("area") for item in entry.items]
        areas = [box if area is None else number(area, "area") for area, box in zip(given, whole, strict=True)]
    except (LookupError, TypeError, ValueError) as error:
        return TargetError(f"{where} has a box that cannot be used: {_reason(error)}")
    height, width = sides
    size = (height, width) if height is not None and width is not None else None
    return Annotation(entry.file, where, size, boxes, labels, crowd, np.zeros_like(crowd), np.array(areas, np.float64))


def _box(item: dict[str, Any]) -> tuple[float, ...]:
    """x1, y1, x2, y2: of `bbox`, or where it is empty of the mask; zeros where both are empty."""
    box = item.get("bbox")
    values = [0.0] * 4
    if box not in (None, [], ""):
        if not isinstance(box, list) or len(box) != 4:
            raise ValueError(f"bbox must be [x, y, width, height], got {box!r:.80}")
        values = [number(value, "bbox") for value in box]
    elif "bbox" not in item and "segmentation" not in item:
        raise ValueError("it has neither bbox nor segmentation")
    x, y, width, height = values
    if width <= 0 or height <= 0:
        around = box_of(item.get("segmentation"))
        if around is not None:
            return around
    return x, y, x + width, y + height


def _class(item: dict[str, Any], numbers: dict[int | str, int]) -> int:
    category = identity(item["category_id"], "category_id")
    if category not in numbers:
        raise ValueError(f"its category {category!r} is not listed in categories")
    return numbers[category]


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"it has no {error}"
    return "it is not an object" if isinstance(error, (LookupError, TypeError)) else str(error)
