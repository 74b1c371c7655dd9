"""The DATA argument: the bundled digits, a folder of IDX files, or a folder of pictures with a folder a class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.data import ImageDataset, image_dataset_from_directory, load_digits, load_idx, split
from striate.data.image import Reading as Decoding
from striate.data.image import decode
from striate.data.intensity import Window
from striate.data.listing import EXTENSIONS, find_images

DIGITS = "digits"
ColorMode = Literal["grayscale", "rgb"]
_PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}
_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# Pictures of different sizes, or of a size beyond this, are read at _USUAL_SIDE unless the user says otherwise.
_LARGEST_SIDE, _USUAL_SIDE = 128, 64
_LOOKED_AT = 24
_AS_IT_IS = Decoding(None, None, "BILINEAR", False, False, None, False)


@dataclass(frozen=True)
class Reading:
    """How the data are read.

    Attributes:
        image_size: (height, width) to which pictures are scaled; None: a size that suits them.
        color_mode: "grayscale", "rgb", or "auto": grey where every picture looked at is grey.
        class_names: of the network that will see the pictures, in its order; None: what the data say.
        skip_bad: whether what cannot be used is passed over and listed; otherwise it is an error.
        ignore_class: of masks: the class that stands for unmarked pixels.
        mask_values: of masks: "auto", "nonzero" (all values but 0 are class 1) or "threshold" (values from 128 on are).
        default_window: as in `read_image`; None: the training part's own.
    """

    image_size: tuple[int, int] | None = None
    color_mode: str = "auto"
    class_names: Sequence[str] | None = None
    skip_bad: bool = False
    ignore_class: int | None = None
    mask_values: str = "auto"
    default_window: Window = None


@dataclass
class Part:
    """Pictures (N, H, W, C), bytes, and their classes (N,), or masks of classes (N, H, W)."""

    images: NDArray[Any]
    labels: Any

    def take(self, places: NDArray[np.int64]) -> Part:
        """Some of the pictures."""
        return Part(self.images[places], self.labels[places])

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class Dataset:
    """What was found under DATA.

    Attributes:
        source: "digits", or the folder's full path.
        train, validation, test: the parts; a part that is not there is None.
        skipped: (file, reason) of files that could not be used.
        default_window: (center, width) by which deep grey pictures were read, as in `ImageDataset`.
    """

    source: str
    class_names: list[str]
    train: Part | None = None
    validation: Part | None = None
    test: Part | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    default_window: Window = None

    @property
    def best_for_judging(self) -> tuple[str, Part]:
        """The part least seen in training: test, or else validation, or else all there is."""
        for name, part in (("test", self.test), ("validation", self.validation), ("training", self.train)):
            if part is not None:
                return name, part
        raise ValueError(f"{self.source} holds no pictures")

    def cut_validation(self, fraction: float, seed: int) -> None:
        """Take the validation part from the training part, unless there is one already: a share of every class, or,
        where pictures have masks or boxes, of the pictures."""
        if self.validation is not None or self.train is None or fraction == 0:
            return
        if not 0 < fraction < 1:
            raise ValueError(f"--validation-split must lie between 0 and 1, got {fraction}")
        if isinstance(self.train.labels, np.ndarray) and self.train.labels.ndim == 1:
            (x, y), (x_validation, y_validation) = split(self.train.images, self.train.labels, fraction, seed=seed)
            self.train, self.validation = Part(x, y), Part(x_validation, y_validation)
            return
        count = round(fraction * len(self.train))
        if count in (0, len(self.train)):
            raise ValueError(
                f"--validation-split {fraction} of {len(self.train)} pictures is {count}; give val/ pictures, another "
                "share, or 0"
            )
        order = np.random.default_rng(seed).permutation(len(self.train))
        kept, taken = np.sort(order[count:]), np.sort(order[:count])
        self.train, self.validation = self.train.take(kept), self.train.take(taken)


def load_dataset(data: str | None, reading: Reading) -> Dataset:
    """Read all parts of the data.

    Args:
        data: a folder, or None or "digits" for the bundled digits.
        reading: how; without an image size, pictures of a folder are read as they are where they share a size of at
            most 128 pixels a side, else at 64 x 64; without class names, the folder's count, sorted.

    Raises:
        FileNotFoundError, NotADirectoryError: there is no such folder.
        OSError: a file is damaged; the message names it.
        ValueError: the folder holds no pictures, or classes or sizes do not fit.
    """
    image_size, color_mode, class_names = reading.image_size, reading.color_mode, reading.class_names
    if data is None or (data == DIGITS and not Path(data).is_dir()):
        return _from_arrays(DIGITS, load_digits(), None, image_size, color_mode, class_names)
    folder = Path(data)
    if not folder.exists():
        raise FileNotFoundError(f"there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"DATA is a folder, {folder} is a file")
    if any(path.is_file() and "idx3-ubyte" in path.name for path in folder.iterdir()):
        known = _FASHION if "fashion" in str(folder.resolve()).lower() else None
        return _from_arrays(str(folder.resolve()), load_idx(folder), known, image_size, color_mode, class_names)
    return _from_folders(folder, reading)


def _from_arrays(
    source: str,
    arrays: Any,
    known: Sequence[str] | None,
    image_size: tuple[int, int] | None,
    color_mode: str,
    class_names: Sequence[str] | None,
) -> Dataset:
    (x_train, y_train), (x_test, y_test) = arrays
    side = tuple(x_train.shape[1:3])
    if image_size is not None and image_size != side:
        raise ValueError(
            f"the pictures of {source} have {side[0]} x {side[1]} pixels and are not scaled, but "
            f"{image_size[0]} x {image_size[1]} are asked for"
        )
    if color_mode == "rgb":
        raise ValueError(f"the pictures of {source} are grey; color mode rgb does not fit")
    classes = int(max(y_train.max(), y_test.max())) + 1
    if class_names is None:
        class_names = (
            known if known is not None and len(known) == classes else [str(number) for number in range(classes)]
        )
    elif classes > len(class_names):
        raise ValueError(f"{source} has {classes} classes, the network {len(class_names)}")
    return Dataset(source, list(class_names), Part(x_train, y_train), None, Part(x_test, y_test))


def part_folders(folder: Path) -> dict[str, Path | None]:
    """The folders of the parts "train", "validation" and "test" within a folder; None where there is none."""
    below = {path.name.lower(): path for path in sorted(folder.iterdir()) if path.is_dir() and path.name[0] != "."}
    return {part: next((below[name] for name in names if name in below), None) for part, names in _PARTS.items()}


def _from_folders(folder: Path, reading: Reading) -> Dataset:
    image_size, color_mode, class_names = reading.image_size, reading.color_mode, reading.class_names
    parts = part_folders(folder)
    if parts["train"] is None and not (class_names is not None and parts["test"] is not None):
        parts = {"train": folder, "validation": None, "test": None}
    folders = [path for path in parts.values() if path is not None]
    names = list(class_names) if class_names is not None else _class_folders(folders[0])
    if len(names) < 2:
        raise ValueError(
            f"{folders[0]} has {len(names)} folder{'s' * (len(names) != 1)} with pictures "
            f"({', '.join(names) or 'none'}); classification needs a folder for each class, two at least"
        )
    if image_size is None or color_mode == "auto":
        sizes, grey = look(folders[0])
        if image_size is None:
            height, width = next(iter(sizes))
            alike = len(sizes) == 1 and max(height, width) <= _LARGEST_SIDE
            image_size = (height, width) if alike else (_USUAL_SIDE, _USUAL_SIDE)
        color_mode = ("grayscale" if grey else "rgb") if color_mode == "auto" else color_mode
    mode: ColorMode = "grayscale" if color_mode == "grayscale" else "rgb"
    dataset = Dataset(str(folder.resolve()), names, default_window=reading.default_window)
    for part, path in parts.items():
        if path is not None:
            read, labels = _read(path, names, image_size, mode, reading.skip_bad, dataset.default_window)
            setattr(dataset, part, Part(read.images, labels))
            dataset.skipped += read.skipped
            dataset.default_window = read.default_window
    return dataset


def _class_folders(folder: Path) -> list[str]:
    """Folders that hold at least one picture."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return [path.name for path in below if find_images(path, False).files]


def look(folder: Path) -> tuple[set[tuple[int, int]], bool]:
    """The sizes of a folder's pictures, and whether all are grey, judged by a sample spread over all of them.

    Files that cannot be read are passed over: reading all of them raises the error.
    """
    files = find_images(folder, False).files
    if not files:
        raise ValueError(f"{folder} holds no pictures ({', '.join(EXTENSIONS)})")
    places = np.linspace(0, len(files) - 1, min(len(files), _LOOKED_AT)).round().astype(int)
    sizes, grey = set(), True
    for place in places.tolist():
        try:
            image = decode(Path(files[place]), 0, _AS_IT_IS).values
        except (OSError, ValueError):
            continue
        sizes.add(image.shape[:2])
        colors = image[..., :3]
        grey = grey and bool((colors == colors[..., :1]).all())
    if not sizes:
        decode(Path(files[0]), 0, _AS_IT_IS)  # raises the error
    return sizes or {(_USUAL_SIDE, _USUAL_SIDE)}, grey


def _read(
    folder: Path,
    names: list[str],
    image_size: tuple[int, int],
    color_mode: ColorMode,
    skip_bad: bool,
    default_window: Window,
) -> tuple[ImageDataset, NDArray[np.int64]]:
    """One part and its labels; it may lack pictures of a class, but not have others than the network's."""
    present = _class_folders(folder)
    strange = [name for name in present if name not in names]
    if strange:
        raise ValueError(f"{folder} has the classes {', '.join(strange)}, which are none of {', '.join(names)}")
    if not present:
        raise ValueError(f"{folder} has no folder of pictures for any of the classes {', '.join(names)}")
    dataset = image_dataset_from_directory(
        folder,
        class_names=present,
        color_mode=color_mode,
        image_size=image_size,
        shuffle=False,
        skip_bad=skip_bad,
        default_window=default_window,
    )
    numbers = np.array([names.index(name) for name in present], dtype=np.int64)
    return dataset, numbers[np.asarray(dataset.labels)]
