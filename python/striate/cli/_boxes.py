"""The DATA argument of a detection: a folder in the format of Pascal VOC, or a COCO file, or a folder with such."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.cli._dataset import DIGITS, Dataset, Part, Reading, look, part_folders
from striate.cli._later import Later, keeps
from striate.cli._window import find_window, tell_window
from striate.data import CocoDetection, DetectionDataset, VocDetection, digit_scenes
from striate.data.detection import BoxRows
from striate.data.intensity import Window
from striate.data.listing import find_images
from striate.data.voc_layout import PICTURES

# Height and width of pictures must be multiples of _MULTIPLE; larger ones are scaled down unless the user says
# otherwise, those of different sizes to a square.
_LARGEST_SIDE, _MULTIPLE = 256, 32
_SCENES = {"train": 1500, "test": 200}  # without DATA
_SCENE_SIDE = 64
_VOC = ("JPEGImages", "Annotations")
_SPLITS = {"train": ("train", "trainval"), "validation": ("val",), "test": ("test",)}


class BoxPart(Part):
    """Pictures (N, H, W, C), bytes, in memory or a `Later`, and for each its boxes, labels, and which of them need not
    be found.

    Attributes:
        labels: a list with one (boxes (M, 4), labels (M,), ignored (M,)) a picture, as `fit` takes it.
        marks: a list with one {"crowds", "ignored", "areas"} a picture, as `MeanAveragePrecision` takes them.
    """

    def __init__(
        self,
        images: NDArray[Any] | Later,
        labels: list[Any],
        marks: list[dict[str, NDArray[Any]]],
        files: Sequence[str] = (),
    ) -> None:
        super().__init__(images, labels, list(files))
        self.marks = marks

    def take(self, places: NDArray[np.int64]) -> BoxPart:
        """Some of the pictures."""
        labels, marks = [self.labels[p] for p in places], [self.marks[p] for p in places]
        images = self.images.take(places) if isinstance(self.images, Later) else self.images[places]
        return BoxPart(images, labels, marks, self.files_at(places))


def load_boxes(data: str | None, reading: Reading) -> Dataset:
    """Read all parts of the data.

    Args:
        data: a folder with JPEGImages/ and Annotations/ (and ImageSets/Main with train.txt, val.txt, test.txt where
            there are parts), or with XML files beside the pictures; or a JSON file in COCO's format beside its pictures
            or their folder images/; or a folder that holds one, itself or in its train/, val/ and test/; None or
            "digits" for made scenes of the bundled digits.
        reading: how; without an image size, pictures are scaled to the multiples of 32 next to their own size, or,
            where that is more than 256 or differs, down to it or to 256 x 256.

    Raises:
        FileNotFoundError, NotADirectoryError: the folder or file does not exist.
        OSError: a file is damaged; the message names it.
        ValueError: there is nothing to read, or annotations or classes do not fit; the message names the file.
    """
    if data is None or (data == DIGITS and not Path(data).is_dir()):
        return _scenes(reading)
    place = Path(data)
    if not place.exists():
        raise FileNotFoundError(f"there is no folder or file {place}")
    found = _places(place)
    first = next(path for path in found.values() if path is not None)
    pictures = _pictures_below(first) if first.is_dir() else _pictures_of(first)
    size, color_mode = reading.image_size, reading.color_mode
    if size is None or color_mode == "auto":
        sizes, grey = look(pictures)
        size = _usual(sizes) if size is None else size
        color_mode = ("grayscale" if grey else "rgb") if color_mode == "auto" else color_mode
    names = None if reading.class_names is None else list(reading.class_names)
    parts: dict[str, BoxPart | None] = {}
    skipped: list[tuple[str, str]] = []
    window = reading.default_window or find_window(reading.window, pictures)
    for part, path in found.items():
        parts[part] = None
        if path is None:
            continue
        mode = "grayscale" if color_mode == "grayscale" else "rgb"
        kept = keeps(reading.in_memory, _count(path, part), (*size, 1 if mode == "grayscale" else 3), path)
        read = _read(path, part, names, size, mode, reading.skip_bad, window, kept)
        if names is None:
            names = list(read.class_names)
        parts[part] = _part(read, names, path)
        skipped += read.skipped
    assert names is not None
    notes = [told] if (told := tell_window(window)) else []
    place = place.resolve()
    return Dataset(str(place), names, parts["train"], parts["validation"], parts["test"], skipped, window, notes)


def _places(place: Path) -> dict[str, Path | None]:
    """The VOC folder or the COCO file of each part."""
    if place.is_file():
        if place.suffix.lower() != ".json":
            raise ValueError(f"DATA is a folder in the format of VOC or a COCO file, *.json; {place} is neither")
        return {"train": place, "validation": None, "test": None}
    if _is_voc(place):
        lists = place / "ImageSets" / "Main"
        split = {part: any((lists / f"{name}.txt").is_file() for name in names) for part, names in _SPLITS.items()}
        if not any(split.values()):
            split["train"] = True
        return {part: place if there else None for part, there in split.items()}
    below = part_folders(place)
    found = {part: None if path is None else _file_or_voc(path) for part, path in below.items()}
    if not any(found.values()):
        found["train"] = _json_of(place)
    if not any(found.values()):
        raise FileNotFoundError(
            f"{place} holds neither {_VOC[1]}/ and {_VOC[0]}/, as in the format of VOC, nor a COCO file, *.json, "
            "itself or in train/, val/ and test/"
        )
    return found


def _is_voc(folder: Path) -> bool:
    return (folder / _VOC[1]).is_dir() or any(path.suffix.lower() == ".xml" for path in folder.iterdir())


def _file_or_voc(folder: Path) -> Path | None:
    return folder if _is_voc(folder) else _json_of(folder)


def _pictures_below(folder: Path) -> Path:
    return next((folder / name for name in PICTURES if (folder / name).is_dir()), folder)


def _json_of(folder: Path) -> Path | None:
    files = sorted(folder.glob("*.json"))
    if len(files) > 1:
        raise ValueError(f"{folder} holds {len(files)} JSON files; give the one with the boxes as DATA")
    return files[0] if files else None


def _pictures_of(file: Path) -> Path:
    return file.parent / "images" if (file.parent / "images").is_dir() else file.parent


def _split_of(folder: Path, part: str) -> str | None:
    """The name of the list of a part of a VOC folder; None where there is none."""
    lists = folder / "ImageSets" / "Main"
    return next((name for name in _SPLITS[part] if (lists / f"{name}.txt").is_file()), None)


def _count(path: Path, part: str) -> int:
    """How many pictures a part has; 0 where its annotations cannot be read, which reading them tells."""
    if path.is_dir():
        split = _split_of(path, part)
        if split is None:
            return len(find_images(_pictures_below(path), False).files)
        return len((path / "ImageSets" / "Main" / f"{split}.txt").read_text("utf-8", "replace").splitlines())
    try:
        return len(json.loads(path.read_bytes())["images"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return 0


def _read(
    path: Path,
    part: str,
    names: list[str] | None,
    size: tuple[int, int],
    color_mode: Any,
    skip_bad: bool,
    window: Window,
    in_memory: bool,
) -> DetectionDataset:
    how: dict[str, Any] = {"size": size, "color_mode": color_mode, "skip_bad": skip_bad, "default_window": window}
    if path.is_dir():
        return VocDetection(path, _split_of(path, part), class_names=names, in_memory=in_memory, **how)
    return CocoDetection(_pictures_of(path), path, in_memory=in_memory, **how)


def _part(read: DetectionDataset, names: list[str], path: Path) -> BoxPart:
    strange = [name for name in read.class_names if name not in names]
    if strange:
        raise ValueError(f"{path} has the classes {', '.join(strange)}, which are none of {', '.join(names)}")
    numbers = np.array([names.index(name) for name in read.class_names], np.int64)
    if isinstance(read.rows, BoxRows):
        found = read.rows.targets()
        boxes = [(one.boxes, one.labels) for one in found]
        crowds, ignored, areas = ([getattr(one, what) for one in found] for what in ("crowd", "ignored", "areas"))
    else:
        boxes, crowds, ignored, areas = read.targets, read.crowds, read.ignored, read.areas
    targets = [
        (corners, numbers[labels], crowd | hidden)
        for (corners, labels), crowd, hidden in zip(boxes, crowds, ignored, strict=True)
    ]
    marks = [
        {"crowds": crowd, "ignored": hidden, "areas": area}
        for crowd, hidden, area in zip(crowds, ignored, areas, strict=True)
    ]
    images = read.images if read.rows is None else Later(read.rows, 0)
    return BoxPart(images, targets, marks, read.file_paths)


def _scenes(reading: Reading) -> Dataset:
    if reading.color_mode == "rgb":
        raise ValueError("the scenes of digits are grey; color mode rgb does not fit")
    names = [str(digit) for digit in range(10)]
    if reading.class_names is not None and list(reading.class_names) != names:
        raise ValueError(f"the scenes of digits have the classes {', '.join(names)}, the network others")
    size = reading.image_size or (_SCENE_SIDE, _SCENE_SIDE)
    parts = {}
    for seed, (part, count) in enumerate(_SCENES.items()):
        images, targets, _ = digit_scenes(count, size, seed=seed, part=part)
        none = [np.zeros(len(labels), np.bool_) for _, labels in targets]
        areas = [(boxes[:, 2:] - boxes[:, :2]).prod(axis=1, dtype=np.float64) for boxes, _ in targets]
        parts[part] = BoxPart(
            images,
            [(boxes, labels, mark) for (boxes, labels), mark in zip(targets, none, strict=True)],
            [{"crowds": mark, "ignored": mark, "areas": area} for mark, area in zip(none, areas, strict=True)],
        )
    return Dataset(DIGITS, names, parts["train"], None, parts["test"])


def _usual(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    if len(sizes) > 1:
        return _LARGEST_SIDE, _LARGEST_SIDE
    sides = np.array(next(iter(sizes)), np.float64)
    sides *= min(1.0, _LARGEST_SIDE / sides.max())
    near = np.maximum(np.round(sides / _MULTIPLE).astype(int), 1) * _MULTIPLE
    return int(near[0]), int(near[1])
