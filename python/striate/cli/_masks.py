"""The DATA argument of a segmentation: a folder with images/ and masks/, or with such folders for each part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from striate.cli._dataset import DIGITS, Dataset, Part, Reading, look, part_folders
from striate.data import SegmentationFolder, digit_scenes

_IMAGES, _MASKS = "images", "masks"
# Pictures of different sizes, or of a size beyond this, are read at _USUAL_SIDE unless the user says otherwise.
_LARGEST_SIDE, _USUAL_SIDE, _MULTIPLE = 256, 128, 16
_SCENES = {"train": 1500, "test": 200}  # without DATA
_SCENE_SIDE = 64


def load_masks(data: str | None, reading: Reading) -> Dataset:
    """Read all parts of the data: images as bytes, masks as class numbers.

    Args:
        data: a folder with images/ and masks/, or with train/, and possibly val/ and test/, that hold these; None or
            "digits" for made scenes of the bundled digits.
        reading: how; without an image size, pictures are read as they are where all are alike, of at most 256 pixels
            and of a multiple of 16 a side, otherwise at 128 x 128 or the multiples of 16 next to their own.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such folder, or an image has no mask.
        OSError: a file is damaged; the message names it.
        ValueError: there is nothing to read, or sizes or classes do not fit; the message names the file.
    """
    if data is None or (data == DIGITS and not Path(data).is_dir()):
        return _scenes(reading)
    folder = Path(data)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"DATA is a folder, {folder} is a file")
    parts: dict[str, Path | None] = part_folders(folder)
    if (folder / _IMAGES).is_dir() or not any(parts.values()):
        parts = {"train": folder, "validation": None, "test": None}
    folders = [path for path in parts.values() if path is not None]
    for path in folders:
        for name in (_IMAGES, _MASKS):
            if not (path / name).is_dir():
                raise FileNotFoundError(
                    f"{path} has no folder {name}; segmentation needs {_IMAGES}/ and {_MASKS}/ with files of the same "
                    "names, in DATA or below its train/, val/ and test/"
                )
    size, color_mode = reading.image_size, reading.color_mode
    if size is None or color_mode == "auto":
        sizes, grey = look(folders[0] / _IMAGES)
        size = _usual(sizes) if size is None else size
        color_mode = ("grayscale" if grey else "rgb") if color_mode == "auto" else color_mode
    names = None if reading.class_names is None else list(reading.class_names)
    window = reading.default_window
    found: dict[str, Part | None] = {}
    skipped: list[tuple[str, str]] = []
    for part, place in parts.items():
        found[part] = None
        if place is None:
            continue
        read = SegmentationFolder(
            place / _IMAGES,
            place / _MASKS,
            size=size,
            color_mode="grayscale" if color_mode == "grayscale" else "rgb",
            values=None if reading.mask_values == "auto" else reading.mask_values,
            class_names=names,
            ignore_class=reading.ignore_class,
            skip_bad=reading.skip_bad,
            default_window=window,
        )
        window = read.default_window
        names = list(read.class_names) if names is None else names
        assert read.labels is not None
        found[part] = Part(read.images, read.labels)
        skipped += read.skipped
    assert names is not None
    if len(names) < 2:
        raise ValueError(f"the masks of {folders[0]} hold one class alone, {names[0]}; segmentation needs two at least")
    return Dataset(str(folder.resolve()), names, found["train"], found["validation"], found["test"], skipped, window)


def _scenes(reading: Reading) -> Dataset:
    if reading.color_mode == "rgb":
        raise ValueError("the scenes of digits are grey; color mode rgb does not fit")
    names = ["background", *map(str, range(10))]
    if reading.class_names is not None and list(reading.class_names) != names:
        raise ValueError(f"the scenes of digits have the classes {', '.join(names)}, the network others")
    size = reading.image_size or (_SCENE_SIDE, _SCENE_SIDE)
    parts = {}
    for seed, (part, count) in enumerate(_SCENES.items()):
        images, _, masks = digit_scenes(count, size, seed=seed, part=part)
        parts[part] = Part(images, masks)
    return Dataset(DIGITS, names, parts["train"], None, parts["test"])


def _usual(sizes: set[tuple[int, int]]) -> tuple[int, int]:
    height, width = next(iter(sizes))
    if len(sizes) > 1 or max(height, width) > _LARGEST_SIDE:
        return _USUAL_SIDE, _USUAL_SIDE
    near = np.maximum(np.round(np.array([height, width]) / _MULTIPLE).astype(int), 1) * _MULTIPLE
    return int(near[0]), int(near[1])
