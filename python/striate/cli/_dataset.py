"""The DATA argument: the bundled digits, a folder of IDX files, or a folder of pictures for each class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from striate.cli._later import Labelled, Later, keeps
from striate.cli._window import AUTO, MINMAX, find_window, tell_window
from striate.data import ImageDataset, image_dataset_from_directory, load_digits, load_idx, split
from striate.data.image import Reading as Decoding
from striate.data.image import decode
from striate.data.intensity import Window
from striate.data.listing import EXTENSIONS, find_images, is_picture

DIGITS = "digits"
ColorMode = Literal["grayscale", "rgb"]
_PARTS = {"train": ("train", "training"), "validation": ("val", "valid", "validation"), "test": ("test", "testing")}
_FASHION = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
# Pictures of different sizes, or of a size beyond this, are read at _USUAL_SIDE unless the user says otherwise.
_LARGEST_SIDE, _USUAL_SIDE = 128, 64
_LOOKED_AT = 24
_ANYHOW = Decoding(default_window=MINMAX)


@dataclass(frozen=True)
class Reading:
    """How the data are read.

    Attributes:
        image_size: (height, width) to which pictures are scaled; None: a size that suits them.
        color_mode: "grayscale", "rgb", or "auto": grey where every picture looked at is grey.
        class_names: of the network that will see the pictures, in its order; None: what the data say.
        skip_bad: whether what cannot be used is passed over and listed; otherwise it is an error.
        ignore_class: the class of unmarked pixels in masks.
        mask_values: of masks: "auto", "classes" (values are classes), "nonzero" (all values but 0 are class 1) or
            "threshold" (values from 128 on are).
        mask_suffix: what follows in a mask's name after its picture's.
        mask_colors: the class of each colour (r, g, b) of masks in colour.
        window: what `--window` says: how the window is chosen where there is no `default_window`.
        default_window: as in `read_image`; None: chosen over the training part.
        in_memory: whether pictures are kept in memory: "auto" by their size, "yes" or "no".
    """

    image_size: tuple[int, int] | None = None
    color_mode: str = "auto"
    class_names: Sequence[str] | None = None
    skip_bad: bool = False
    ignore_class: int | None = None
    mask_values: str = "auto"
    mask_suffix: str = ""
    mask_colors: dict[tuple[int, int, int], int] | None = None
    window: str = AUTO
    default_window: Window = None
    in_memory: str = "auto"


@dataclass
class Part:
    """Pictures (N, H, W, C), bytes, and their classes (N,), or masks of classes (N, H, W): arrays, or a
    `Later`.

    Attributes:
        files: the file of each; none where the pictures are in no files of their own.
    """

    images: Any
    labels: Any
    files: list[str] = field(default_factory=list)

    def take(self, places: NDArray[np.int64]) -> Part:
        """Some of the pictures."""
        images, labels = (some.take(places) if isinstance(some, Later) else some[places] for some in self.arrays)
        return Part(images, labels, self.files_at(places))

    @property
    def arrays(self) -> tuple[Any, Any]:
        """Pictures and labels."""
        return self.images, self.labels

    @property
    def data(self) -> tuple[Any, ...]:
        """What `fit` takes: (x, y), or rows alone."""
        if not isinstance(self.images, Later):
            return self.arrays
        rows = self.images.rows
        return (rows if isinstance(self.labels, Later) else Labelled(rows, self.labels),)

    def files_at(self, places: NDArray[np.int64]) -> list[str]:
        """The files of some of the pictures."""
        return [self.files[place] for place in places.tolist()] if self.files else []

    def name(self, place: int) -> str:
        """What a picture is called: its file, or its number."""
        return self.files[place] if self.files else f"no. {place}"

    def __len__(self) -> int:
        return len(self.images)


@dataclass
class Dataset:
    """What was found under DATA.

    Attributes:
        source: "digits", or the folder's full path.
        train, validation, test: the parts; a part that is not there is None.
        skipped: (file, reason) of files that could not be used.
        default_window: (center, width) by which deep grey pictures were read, as in `ImageDataset`, or "minmax".
        mask_values: how the values of masks were read, where that was chosen.
        notes: lines for the user: what was chosen for the data that are there.
    """

    source: str
    class_names: list[str]
    train: Part | None = None
    validation: Part | None = None
    test: Part | None = None
    skipped: list[tuple[str, str]] = field(default_factory=list)
    default_window: Window = None
    notes: list[str] = field(default_factory=list)
    mask_values: str | None = None

    @property
    def parts(self) -> list[tuple[str, Part]]:
        """The parts that are there, by name."""
        parts = (("training", self.train), ("validation", self.validation), ("test", self.test))
        return [(name, part) for name, part in parts if part is not None]

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
            raise ValueError(f"--validation-split must be between 0 and 1, got {fraction}")
        if isinstance(self.train.labels, np.ndarray) and self.train.labels.ndim == 1:
            numbers = np.arange(len(self.train))
            (kept, _), (taken, _) = split(numbers, self.train.labels, fraction, seed=seed)
            self.train, self.validation = self.train.take(kept), self.train.take(taken)
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
        FileNotFoundError, NotADirectoryError: the folder does not exist.
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
        raise NotADirectoryError(f"DATA must be a folder; {folder} is a file")
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
        loose = sum(is_picture(str(path)) for path in folders[0].iterdir() if path.is_file())
        raise ValueError(
            f"{folders[0]} has {len(names)} folder{'s' * (len(names) != 1)} with pictures "
            f"({', '.join(names) or 'none'}){f' and {loose} pictures beside them' if loose and names else ''}; "
            "classification needs a folder for each class, at least two"
            + (f": move the {loose} pictures of {folders[0]} into folders named after their classes" if loose else "")
        )
    if image_size is None or color_mode == "auto":
        sizes, grey = look(folders[0])
        if image_size is None:
            height, width = next(iter(sizes))
            alike = len(sizes) == 1 and max(height, width) <= _LARGEST_SIDE
            image_size = (height, width) if alike else (_USUAL_SIDE, _USUAL_SIDE)
        color_mode = ("grayscale" if grey else "rgb") if color_mode == "auto" else color_mode
    mode: ColorMode = "grayscale" if color_mode == "grayscale" else "rgb"
    window = reading.default_window or find_window(reading.window, folders[0])
    dataset = Dataset(str(folder.resolve()), names, default_window=window, notes=_told(window))
    for part, path in parts.items():
        if path is not None:
            read, labels = _read(path, names, image_size, mode, reading, dataset.default_window)
            images = read.images if read.rows is None else Later(read.rows, 0)
            setattr(dataset, part, Part(images, labels, read.file_paths))
            dataset.skipped += read.skipped
    return dataset


def _told(window: Window) -> list[str]:
    told = tell_window(window)
    return [] if told is None else [told]


def _class_folders(folder: Path) -> list[str]:
    """Folders that hold at least one picture."""
    below = sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")
    return [path.name for path in below if find_images(path, False).files]


def look(folder: Path, files: Sequence[str] | None = None) -> tuple[set[tuple[int, int]], bool]:
    """The sizes of a folder's pictures, and whether all are grey, judged by a sample spread over all of them.

    Files that cannot be read are skipped: reading all of them raises the error. `files` are the pictures; by default
    all in the folder.
    """
    files = find_images(folder, False).files if files is None else files
    if not files:
        raise ValueError(f"{folder} holds no pictures ({', '.join(EXTENSIONS)})")
    places = np.linspace(0, len(files) - 1, min(len(files), _LOOKED_AT)).round().astype(int)
    sizes, grey = set(), True
    for place in places.tolist():
        try:
            image = decode(Path(files[place]), 0, _ANYHOW).values
        except (OSError, ValueError):
            continue
        sizes.add(image.shape[:2])
        colors = image[..., :3]
        grey = grey and bool((colors == colors[..., :1]).all())
    if not sizes:
        decode(Path(files[0]), 0, _ANYHOW)  # raises the error
    return sizes or {(_USUAL_SIDE, _USUAL_SIDE)}, grey


def _read(
    folder: Path,
    names: list[str],
    image_size: tuple[int, int],
    color_mode: ColorMode,
    reading: Reading,
    default_window: Window,
) -> tuple[ImageDataset, NDArray[np.int64]]:
    """One part and its labels; it may lack pictures of a class, but not have others than the network's."""
    present = _class_folders(folder)
    strange = [name for name in present if name not in names]
    if strange:
        raise ValueError(f"{folder} has the classes {', '.join(strange)}, which are none of {', '.join(names)}")
    if not present:
        raise ValueError(f"{folder} has no folder of pictures for any of the classes {', '.join(names)}")
    count = sum(len(find_images(folder / name, False).files) for name in present)
    shape = (*image_size, 1 if color_mode == "grayscale" else 3)
    dataset = image_dataset_from_directory(
        folder,
        class_names=present,
        color_mode=color_mode,
        image_size=image_size,
        shuffle=False,
        skip_bad=reading.skip_bad,
        default_window=default_window,
        in_memory=keeps(reading.in_memory, count, shape, folder),
    )
    numbers = np.array([names.index(name) for name in present], dtype=np.int64)
    return dataset, numbers[np.asarray(dataset.labels)]
