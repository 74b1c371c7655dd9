"""Boxes in the format of Pascal VOC: an XML file for each image."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from striate._extras import require
from striate.data._files import check_path, open_file
from striate.data._numbers import flag, number, side
from striate.data.detection import Annotation, DetectionDataset, read_all
from striate.data.image import ColorMode, Reading
from striate.data.intensity import Window
from striate.data.voc_layout import VocLayout
from striate.detection.rule import TargetError

_WHAT = "VocDetection"


class VocDetection(DetectionDataset):
    """Images and boxes in the format of Pascal VOC (Everingham et al., IJCV 88, 2010).

    ::

        root/JPEGImages/000001.jpg        the images
        root/Annotations/000001.xml       the boxes of each
        root/ImageSets/Main/train.txt     the names of a split, one a line

    The pictures' folder may also be called `images`. Without `Annotations`, the pictures are beside their XML files, as
    LabelImg and Roboflow leave them. Endings may be in capitals; folders within are read too. A picture has the name of
    its XML file; where there is none, or where there are several, the file's `filename` decides.

    VOC counts pixels from 1 and includes the last one: its box xmin, ymin, xmax, ymax becomes xmin - 1, ymin - 1, xmax,
    ymax. Objects marked as difficult are in `ignored`; an empty or "Unspecified" mark is none. A size that is empty or
    0 is not checked. An object without `bndbox`, such as a rotated box, is an error. See `DetectionDataset` for the
    attributes and the rule for boxes.

    Args:
        root: the folder that holds the three.
        split: name of a list in ImageSets/Main or ImageSets, such as "train", "val", "trainval"; None: every image that
            has an annotation, with a warning where others have none.
        class_names: the classes in the order of their numbers; None: those of all annotations in the folder, sorted, so
            that all splits agree.
        size: (height, width) or one number for both, to which images and boxes are brought; None: as they are.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size`, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size`, instead of distorting.
        window: as in `read_image`, for grey images.
        default_window: as in `image_dataset_from_directory`.
        dtype: type of the images, as in `read_image`.
        skip_bad: pass over images that cannot be used, and list them in `skipped`; otherwise the first is an error.
        in_memory: whether all images are kept; False: see `DetectionDataset`.

    Raises:
        ImportError: Pillow, or pydicom for a DICOM file, is missing: `pip install 'striate[data]'`.
        FileNotFoundError, NotADirectoryError: a folder or a file is missing.
        OSError: a file is damaged; the message names it.
        ValueError: an annotation is not of the format, or an argument does not fit.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        split: str | None = "train",
        *,
        class_names: Sequence[str] | None = None,
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
        folder = check_path(root, _WHAT)
        layout = VocLayout(folder, _WHAT)
        chosen = list(layout.annotations) if split is None else layout.split(split)
        if not chosen:
            raise ValueError(f"{_WHAT} found no image in {folder}" + ("" if split is None else f" for split {split!r}"))
        if class_names is not None and isinstance(class_names, str):
            raise TypeError(f"{_WHAT} expects class_names to be a list of names, got {class_names!r}")
        names = (
            [str(name) for name in class_names] if class_names is not None else _all_names(layout.annotations.values())
        )
        numbers = {name: number for number, name in enumerate(names)}
        found = [_annotation(layout, stem, numbers) for stem in chosen]
        if not skip_bad and (wrong := next((f for f in found if isinstance(f, TargetError)), None)):
            raise wrong
        files = [
            _file(layout, stem) if isinstance(f, TargetError) else f.image
            for stem, f in zip(chosen, found, strict=True)
        ]
        read = read_all(_WHAT, found, files, names, reading, skip_bad, in_memory)
        super().__init__(*read[:-1])
        if split is None:
            rest = layout.unused(files)
            if rest:
                warnings.warn(
                    f"{_WHAT}: {len(rest)} pictures of {layout.pictures} have no annotation and are not read; the "
                    f"first: {rest[0][0]}; `unused` lists them",
                    stacklevel=2,
                )
            self.unused += rest


def _file(layout: VocLayout, stem: str) -> str:
    """The picture of an annotation that cannot be used, for the list of those skipped."""
    try:
        return layout.picture(stem, None)
    except ValueError:
        return f"{stem}.xml"


def _parse(path: Path) -> Any:
    """The file's root element, or TargetError."""
    try:
        with open_file(path, _WHAT) as file:
            content = file.read()
        if b"<!ENTITY" in content.replace(b"\0", b""):  # no annotation needs them, and nested ones fill the memory
            raise TargetError(f"the annotation {path} declares entities")
        return _root(content)
    except TargetError:
        raise
    except (OSError, ElementTree.ParseError, LookupError, ValueError, RecursionError) as error:
        raise TargetError(f"cannot read the annotation {path}: {error}") from None


def _root(content: bytes) -> Any:
    try:
        return ElementTree.fromstring(content)
    except ValueError:
        # The parser knows few encodings; Python's codecs know those of several bytes too, such as gb2312.
        declared = re.match(rb"\s*<\?xml[^>]*encoding=[\"']([\w.-]+)[\"'][^>]*\?>", content)
        if declared is None:
            raise
        return ElementTree.fromstring(content[declared.end() :].decode(declared[1].decode("ascii")))


def _all_names(paths: Iterable[Path]) -> list[str]:
    found: set[str] = set()
    for path in paths:
        try:
            found.update(item.findtext("name", "").strip() for item in _parse(path).iter("object"))
        except TargetError:
            continue  # an error, or skipped, where its image is read
    return sorted(found - {""})


def _annotation(layout: VocLayout, stem: str, numbers: dict[str, int]) -> Annotation | TargetError:
    path: object = f"{stem}.xml"
    try:
        path = layout.xml(stem)
        root = _parse(path)
        image = layout.picture(stem, root.findtext("filename"))
        objects = list(root.iter("object"))
        boxes = np.array([_box(item) for item in objects], dtype=np.float64).reshape(-1, 4)
        boxes[:, :2] -= 1.0
        labels = np.array([_class(item, numbers) for item in objects], dtype=np.int64)
        difficult = np.array([flag(item.findtext("difficult"), "difficult") for item in objects], dtype=np.bool_)
        height, width = (side(root.findtext(f"size/{name}"), name) for name in ("height", "width"))
    except TargetError as error:
        return error
    except ValueError as error:
        return TargetError(f"the annotation {path} cannot be used: {error}")
    with np.errstate(all="ignore"):
        areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    size = (height, width) if height is not None and width is not None else None
    return Annotation(image, str(path), size, boxes, labels, np.zeros_like(difficult), difficult, areas)


def _box(item: Any) -> list[float]:
    box = item.find("bndbox")
    if box is None:
        others = [child.tag for child in item if child.tag in ("robndbox", "polygon", "point", "points", "mask")]
        has = f", it has {others[0]}" if others else ""
        name = item.findtext("name", "").strip()
        raise ValueError(f"an object {name!r} has no bndbox{has}; only upright boxes are read")
    return [number(box.findtext(name, ""), name) for name in ("xmin", "ymin", "xmax", "ymax")]


def _class(item: Any, numbers: dict[str, int]) -> int:
    name = item.findtext("name", "").strip()
    if not name:
        raise ValueError("an object has no name")
    if name not in numbers:
        raise ValueError(f"it has a box of the class {name!r}, which is not in class_names")
    return numbers[name]
