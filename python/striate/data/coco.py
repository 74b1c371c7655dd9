"""Boxes in COCO's format: one JSON file for all images."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Literal

import numpy as np

from striate.data.detection import Annotation, DetectionDataset, check_reading, read_all
from striate.data.image import ColorMode
from striate.data.intensity import Window
from striate.data.listing import check_folder
from striate.data.targets import TargetError

_WHAT = "CocoDetection"


class CocoDetection(DetectionDataset):
    """Images and boxes in the format of COCO (Lin et al., "Microsoft COCO", ECCV 2014).

    The classes are the file's categories in the order of their ids, numbered from 0. See `DetectionDataset` for the
    attributes and the rule for boxes.

    Args:
        images: the folder that the file names of the annotations are relative to.
        annotations: the JSON file: `images` (id, file_name), `categories` (id, name), `annotations` (image_id,
            category_id, bbox as x, y, width, height, and perhaps area and iscrowd).
        size: (height, width) or one number for both, to which images and boxes are brought; None: as they are.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size`, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size`, instead of distorting.
        window: as in `read_image`, for grey images.
        dtype: of the images, as in `read_image`.
        skip_bad: pass over images that cannot be used, and list them in `skipped`; otherwise the first is an error.

    Attributes:
        category_ids: the file's own number of each class.
        image_ids: the file's own number of each image.

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError, NotADirectoryError: the folder or a file is missing.
        OSError: a file is damaged; the message names it.
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
        dtype: Literal["uint8", "float32"] = "uint8",
        skip_bad: bool = False,
    ) -> None:
        reading = check_reading(
            _WHAT, size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, window, dtype
        )
        folder, path = Path(images), Path(annotations)
        check_folder(folder, _WHAT)
        content = _load(path)
        try:
            categories = sorted((int(item["id"]), str(item["name"])) for item in content["categories"])
            names = [(item["id"], str(folder / item["file_name"])) for item in content["images"]]
            rows: dict[Any, list[Any]] = {number: [] for number, _ in names}
            strays: list[Any] = []
            for item in content["annotations"]:
                rows.get(item["image_id"], strays).append(item)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{_WHAT}: {path} is not in COCO's format: {type(error).__name__} {error}") from None
        if not names:
            raise ValueError(f"{_WHAT}: {path} names no image")
        if strays and not skip_bad:
            raise ValueError(
                f"{_WHAT}: {path} has a box for the image {strays[0]['image_id']!r}, which it does not name"
            )
        numbers = {number: place for place, (number, _) in enumerate(categories)}
        found = [
            _annotation(item, rows[number], file, str(path), numbers)
            for item, (number, file) in zip(content["images"], names, strict=True)
        ]
        if not skip_bad and (wrong := next((f for f in found if isinstance(f, TargetError)), None)):
            raise wrong
        files, classes = [file for _, file in names], [name for _, name in categories]
        super().__init__(*read_all(_WHAT, found, files, classes, reading, skip_bad))
        self.skipped += [(str(path), f"a box for an image that is not named: {item['image_id']!r}") for item in strays]
        self.category_ids = [number for number, _ in categories]
        ids = {file: number for number, file in names}
        self.image_ids = [ids[file] for file in self.file_paths]


def _load(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{_WHAT}: there is no file {path}")
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise OSError(f"cannot read the annotations {path}: {error}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{_WHAT}: {path} is not in COCO's format: it holds no object")
    return content


def _annotation(
    image: dict[str, Any], items: list[dict[str, Any]], file: str, path: str, numbers: dict[int, int]
) -> Annotation | TargetError:
    where = f"{path} (image {file})"
    try:
        boxes = np.array([item["bbox"] for item in items], dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        for item in items:
            if item["category_id"] not in numbers:
                return TargetError(f"{where} has a box of the category {item['category_id']!r}, which it does not list")
        labels = np.array([numbers[item["category_id"]] for item in items], dtype=np.int64)
        crowd = np.array([bool(item.get("iscrowd", 0)) for item in items], dtype=np.bool_)
        sides = boxes[:, 2:] - boxes[:, :2]
        whole = sides[:, 0] * sides[:, 1]
        areas = np.array([item.get("area", size) for item, size in zip(items, whole, strict=True)], dtype=np.float64)
        size = (int(image["height"]), int(image["width"])) if {"height", "width"} <= set(image) else None
    except (KeyError, TypeError, ValueError) as error:
        return TargetError(f"{where} has a box that is not in COCO's format: {type(error).__name__} {error}")
    return Annotation(file, where, size, boxes, labels, crowd, np.zeros_like(crowd), areas)
