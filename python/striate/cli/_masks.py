"""The DATA argument of a segmentation: a folder with images/ and masks/, or with such folders for each part."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from striate.cli._dataset import DIGITS, Dataset, Part, Reading, look, part_folders
from striate.cli._later import Later, keeps
from striate.cli._mask_kinds import numbers_objects
from striate.cli._window import find_window, tell_window
from striate.data import SegmentationFolder, digit_scenes
from striate.data.listing import find_images, stem_of
from striate.data.mask import Values

_IMAGES, _MASKS = "images", "masks"
NONZERO, CLASSES = "nonzero", "classes"  # of --mask-values
_OBJECTS = ("background", "object")
# Pictures of different sizes, or of a size beyond this, are read at _USUAL_SIDE unless the user says otherwise.
_LARGEST_SIDE, _USUAL_SIDE, _MULTIPLE = 256, 128, 16
_SCENES = {"train": 1500, "test": 200}  # without DATA
_SCENE_SIDE = 64


def load_masks(data: str | None, reading: Reading) -> Dataset:
    """Read all parts of the data: images as bytes, masks as class numbers.

    Args:
        data: a folder with images/ and masks/, or with train/, and possibly val/ and test/, that hold these; with a
            mask suffix, pictures and masks may be in one folder; None or "digits" for made scenes of the bundled
            digits.
        reading: how; without an image size, pictures are read as they are where all are alike, of at most 256 pixels
            and of a multiple of 16 a side, otherwise at 128 x 128 or the multiples of 16 next to their own.

    Raises:
        FileNotFoundError, NotADirectoryError: the folder does not exist, or an image has no mask.
        OSError: a file is damaged; the message names it.
        ValueError: there is nothing to read, or sizes or classes do not fit; the message names the file.
    """
    if data is None or (data == DIGITS and not Path(data).is_dir()):
        return _scenes(reading)
    folder = Path(data)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"DATA must be a folder; {folder} is a file")
    parts: dict[str, Path | None] = part_folders(folder)
    if (folder / _IMAGES).is_dir() or not any(parts.values()):
        parts = {"train": folder, "validation": None, "test": None}
    folders = {part: _pair(path, reading.mask_suffix) for part, path in parts.items() if path is not None}
    images, masks = next(iter(folders.values()))
    found = Dataset(str(folder.resolve()), [], default_window=reading.default_window)
    if found.default_window is None:
        found.default_window = find_window(reading.window, images, _without_masks(images, masks, reading.mask_suffix))
    found.notes += [told] if (told := tell_window(found.default_window)) else []
    size, color_mode = reading.image_size, reading.color_mode
    if size is None or color_mode == "auto":
        sizes, grey = look(images, _without_masks(images, masks, reading.mask_suffix))
        size = _usual(sizes) if size is None else size
        color_mode = ("grayscale" if grey else "rgb") if color_mode == "auto" else color_mode
    values, note = _meaning(reading, masks)
    found.notes += [note] if note else []
    names = None if reading.class_names is None else list(reading.class_names)
    if note:
        found.mask_values = NONZERO
    if values == NONZERO and names is None:
        names = list(_OBJECTS)
    for part, (pictures, marks) in folders.items():
        channels = 1 if color_mode == "grayscale" else 3
        count = len(_without_masks(pictures, marks, reading.mask_suffix))
        read = SegmentationFolder(
            pictures,
            marks,
            size=size,
            color_mode="grayscale" if color_mode == "grayscale" else "rgb",
            values=values,
            class_names=names,
            ignore_class=reading.ignore_class,
            mask_suffix=reading.mask_suffix,
            skip_bad=reading.skip_bad,
            default_window=found.default_window,
            in_memory=keeps(reading.in_memory, count, (*size, channels + 1), pictures),
        )
        names = list(read.class_names) if names is None else names
        rows = read.rows
        arrays = (read.images, read.labels) if rows is None else (Later(rows, 0), Later(rows, 1))
        setattr(found, part, Part(arrays[0], arrays[1], read.file_paths))
        found.skipped += read.skipped
    assert names is not None
    if len(names) < 2:
        raise ValueError(
            f"the masks of {masks.parent} hold only one class, {names[0]}; segmentation needs at least two"
        )
    found.class_names = names
    return found


def _pair(folder: Path, suffix: str) -> tuple[Path, Path]:
    """The folders of the pictures and of the masks."""
    images, masks = folder / _IMAGES, folder / _MASKS
    if suffix and not masks.is_dir():
        return (images, images) if images.is_dir() else (folder, folder)
    for path in (images, masks):
        if not path.is_dir():
            there = sorted(one.name for one in folder.iterdir() if one.is_dir() and not one.name.startswith("."))
            raise FileNotFoundError(
                f"{folder} has no folder {path.name}; segmentation needs {_IMAGES}/ and {_MASKS}/ with files of the "
                "same names, in DATA or below its train/, val/ and test/, or, with --mask-suffix, one folder of both"
                + (f"; {folder} has {', '.join(there[:8])}" if there else "")
            )
    return images, masks


def _without_masks(images: Path, masks: Path, suffix: str) -> list[str]:
    files = find_images(images, False).files
    return [path for path in files if not (images == masks and stem_of(path, images).endswith(suffix))]


def _meaning(reading: Reading, masks: Path) -> tuple[Values, str | None]:
    """What the values of masks mean, as `SegmentationFolder` takes it, and a line for the user where it was chosen.

    Raises:
        ValueError: they may be classes or numbers of objects.
    """
    if reading.mask_colors is not None:
        return reading.mask_colors, None
    if reading.mask_values != "auto":
        return (None if reading.mask_values == CLASSES else reading.mask_values), None
    if reading.class_names is not None or reading.ignore_class is not None:
        return None, None
    found = numbers_objects(masks, reading.mask_suffix)
    if found is None:
        raise ValueError(
            f"the masks of {masks} hold several values, each one region: they may number objects or be classes; give "
            f"--mask-values {NONZERO} (objects against the background) or --mask-values {CLASSES}"
        )
    if not found:
        return None, None
    told = "masks: their values number objects, so that all but 0 is the class object"
    return NONZERO, f"{told} (--mask-values {NONZERO}; classes: --mask-values {CLASSES})"


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
