"""Boxes in the format of Pascal VOC: an XML file for each image."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

import numpy as np

from striate.data.detection import Annotation, DetectionDataset, check_reading, read_all
from striate.data.image import ColorMode
from striate.data.intensity import Window
from striate.data.listing import EXTENSIONS, check_folder
from striate.data.targets import TargetError

_WHAT = "VocDetection"


class VocDetection(DetectionDataset):
    """Images and boxes in the format of Pascal VOC (Everingham et al., IJCV 88, 2010).

    ::

        root/JPEGImages/000001.jpg        the images
        root/Annotations/000001.xml       the boxes of each
        root/ImageSets/Main/train.txt     the names of a split, one a line

    VOC counts pixels from 1 and includes the last one: its box xmin, ymin, xmax, ymax becomes xmin - 1, ymin - 1, xmax,
    ymax. Objects marked as difficult are in `ignored`. See `DetectionDataset` for the attributes and the rule for
    boxes.

    Args:
        root: the folder that holds the three.
        split: name of a list in ImageSets/Main, such as "train", "val", "trainval"; None: every image that has an
            annotation.
        class_names: the classes in the order of their numbers; None: those of all annotations in the folder, sorted, so
            that all splits agree.
        size: (height, width) or one number for both, to which images and boxes are brought; None: as they are.
        color_mode: "grayscale" (1 channel), "rgb" (3) or "rgba" (4).
        interpolation: "nearest", "bilinear", "bicubic", "area" or "lanczos3".
        crop_to_aspect_ratio: cut the largest centred part with the proportions of `size`, instead of distorting.
        pad_to_aspect_ratio: add black margins to the proportions of `size`, instead of distorting.
        window: as in `read_image`, for grey images.
        dtype: of the images, as in `read_image`.
        skip_bad: pass over images that cannot be used, and list them in `skipped`; otherwise the first is an error.

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
        dtype: Literal["uint8", "float32"] = "uint8",
        skip_bad: bool = False,
    ) -> None:
        reading = check_reading(
            _WHAT, size, color_mode, interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, window, dtype
        )
        folder = Path(root)
        for name in ("", "JPEGImages", "Annotations"):
            check_folder(folder / name, _WHAT)
        everything = sorted((folder / "Annotations").glob("*.xml"))
        chosen = [path.stem for path in everything] if split is None else _names(folder, split)
        if not chosen:
            raise ValueError(f"{_WHAT} found no image in {folder}" + ("" if split is None else f" for split {split!r}"))
        names = [str(name) for name in class_names] if class_names is not None else _all_names(everything)
        numbers = {name: number for number, name in enumerate(names)}
        images = [_image(folder / "JPEGImages", stem) for stem in chosen]
        found = [
            _annotation(folder / "Annotations" / f"{stem}.xml", image, numbers)
            for stem, image in zip(chosen, images, strict=True)
        ]
        if not skip_bad and (wrong := next((f for f in found if isinstance(f, TargetError)), None)):
            raise wrong
        super().__init__(*read_all(_WHAT, found, images, names, reading, skip_bad))


def _names(folder: Path, split: str) -> list[str]:
    path = folder / "ImageSets" / "Main" / f"{split}.txt"
    if not path.is_file():
        raise FileNotFoundError(f"{_WHAT}: there is no {path} for split {split!r}")
    # The lists of single classes have a second column, 1, 0 or -1.
    return [line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _image(folder: Path, stem: str) -> str:
    for ending in (".jpg", *EXTENSIONS):
        if (path := folder / f"{stem}{ending}").is_file():
            return str(path)
    return str(folder / f"{stem}.jpg")  # the error of reading it names it


def _parse(path: Path) -> Any:
    """The file's root element, or TargetError."""
    try:
        content = path.read_bytes()
        if b"<!ENTITY" in content:  # no annotation needs them, and nested ones fill the memory
            raise TargetError(f"the annotation {path} declares entities")
        return ElementTree.fromstring(content)
    except (OSError, ElementTree.ParseError, LookupError) as error:
        raise TargetError(f"cannot read the annotation {path}: {error}") from None


def _all_names(paths: Sequence[Path]) -> list[str]:
    found: set[str] = set()
    for path in paths:
        try:
            found.update(item.findtext("name", "").strip() for item in _parse(path).iter("object"))
        except TargetError:
            continue  # told of, or skipped, where its image is read
    return sorted(found - {""})


def _annotation(path: Path, image: str, numbers: dict[str, int]) -> Annotation | TargetError:
    try:
        root = _parse(path)
        objects = list(root.iter("object"))
        rows = []
        for item in objects:
            box = item.find("bndbox")
            rows.append([float(box.findtext(side)) for side in ("xmin", "ymin", "xmax", "ymax")])
        boxes = np.array(rows, dtype=np.float64).reshape(-1, 4)
        boxes[:, :2] -= 1.0
        classes = [item.findtext("name", "").strip() for item in objects]
        difficult = np.array([int(item.findtext("difficult", "0")) > 0 for item in objects], dtype=np.bool_)
        size = root.find("size")
        # Some sets write 0 where they did not know.
        known = None if size is None else (int(size.findtext("height", "0")), int(size.findtext("width", "0")))
    except TargetError as error:
        return error
    except (AttributeError, TypeError, ValueError) as error:
        return TargetError(f"the annotation {path} is not in VOC's format: {error}")
    for name in classes:
        if name not in numbers:
            return TargetError(f"the annotation {path} has a box of the class {name!r}, which is not in class_names")
    sides = boxes[:, 2:] - boxes[:, :2]
    labels = np.array([numbers[name] for name in classes], dtype=np.int64)
    crowd = np.zeros(len(labels), dtype=np.bool_)
    known = known if known is not None and min(known) > 0 else None
    return Annotation(image, str(path), known, boxes, labels, crowd, difficult, sides[:, 0] * sides[:, 1])
