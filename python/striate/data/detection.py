"""Read images with boxes: the part that COCO and VOC share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.data._decode import read_all_files, several_pages, without_values
from striate.data.image import Picture, Reading, decode
from striate.data.intensity import Window, check_window
from striate.data.listing import Reasons
from striate.data.resize import check_interpolation, check_size
from striate.data.targets import MENDS, Rows, Target, TargetError, fit, mend, turned


class Annotation(NamedTuple):
    """The annotation of one image; M boxes."""

    image: str
    path: str  # the file that holds it
    size: tuple[int, int] | None  # (height, width) that the file gives the image
    boxes: Rows
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    areas: Rows


class DetectionDataset:
    """Images and their boxes, read into memory; what `CocoDetection` and `VocDetection` are.

    It unpacks: `x, y = dataset`.

    The rule for boxes: one of zero or negative extent, or wholly outside the image, is dropped; one that reaches beyond
    the image is cut at its edge; `mended` counts each kind. A NaN or infinite coordinate or an unknown class is an
    error that names the file. Images without boxes stay, with none. Boxes are those of the upright picture; where the
    file gives the picture's size before its EXIF orientation was applied, the boxes are turned with the picture.

    Attributes:
        images: (N, H, W, C), uint8 or float32; a list of (H, W, C) where sizes differ; also `x`.
        targets: a list with one `(boxes (M, 4) float32, labels (M,) int64)` an image: x1, y1, x2, y2 in pixels of
            `images`, and class numbers; also `y` and `labels`.
        crowds: a list with one (M,) bool an image: boxes around a crowd rather than one object.
        ignored: a list with one (M,) bool an image: boxes that an evaluation leaves out, such as VOC's difficult ones.
        areas: a list with one (M,) float64 an image: the objects' areas in pixels, by which COCO tells sizes apart.
        class_names: the classes in the order of their numbers.
        file_paths: the N image files.
        mended: how many boxes were "clipped", "outside" or "degenerate".
        skipped: (file, reason) of every file or entry that could not be used; filled only with `skip_bad=True`.
        unused: (file, reason) of files that are not read, or of which only the first page is read.
        default_window: as in `ImageDataset`.
    """

    def __init__(
        self,
        images: NDArray[Any] | list[NDArray[Any]],
        targets: Sequence[Target],
        class_names: Sequence[str],
        file_paths: Sequence[str],
        mended: dict[str, int],
        skipped: Sequence[tuple[str, str]],
        unused: Sequence[tuple[str, str]] = (),
        default_window: Window = None,
    ) -> None:
        self.images = images
        self.targets = [(target.boxes, target.labels) for target in targets]
        self.crowds = [target.crowd for target in targets]
        self.ignored = [target.ignored for target in targets]
        self.areas = [target.areas for target in targets]
        self.class_names = list(class_names)
        self.file_paths = list(file_paths)
        self.mended = mended
        self.skipped = list(skipped)
        self.unused = list(unused)
        self.default_window = default_window

    @property
    def x(self) -> NDArray[Any] | list[NDArray[Any]]:
        return self.images

    @property
    def y(self) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        return self.targets

    labels = y

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Any]:
        """Yield the images, then the targets."""
        yield self.images
        yield self.targets

    def __repr__(self) -> str:
        boxes = sum(len(labels) for _, labels in self.targets)
        mended = "".join(f", {count} {name}" for name, count in self.mended.items() if count)
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return (
            f"{type(self).__name__}({len(self)} images, {boxes} boxes, {len(self.class_names)} classes{mended}"
            f"{left_out})"
        )


def check_reading(
    what: str,
    size: Any,
    color_mode: str,
    interpolation: str,
    crop: bool,
    pad: bool,
    window: Any,
    dtype: str,
    default_window: Any,
) -> Reading:
    """How to read the images; TypeError/ValueError that names `what` where an argument does not fit."""
    if color_mode not in ("grayscale", "rgb", "rgba"):
        raise ValueError(f"{what} expects color_mode to be one of grayscale, rgb, rgba, got {color_mode!r}")
    if dtype not in ("uint8", "float32"):
        raise ValueError(f"{what} expects dtype to be one of uint8, float32, got {dtype!r}")
    if crop and pad:
        raise ValueError(f"{what} can crop to the aspect ratio or pad to it, not both")
    wanted, resample = check_size(size, what), check_interpolation(interpolation, what)
    require("PIL.Image", "data", f"striate.data.{what}")
    windows = check_window(window, what), check_window(default_window, what, "default_window")
    return Reading(color_mode, wanted, resample, crop, pad, windows[0], dtype == "float32", windows[1])


class Read(NamedTuple):
    """The arguments of `DetectionDataset`, and the number of each image among the annotations."""

    images: Any
    targets: list[Target]
    class_names: Sequence[str]
    file_paths: list[str]
    mended: dict[str, int]
    skipped: Reasons
    unused: Reasons
    default_window: Window
    places: list[int]


def read_all(
    what: str,
    annotations: Sequence[Annotation | TargetError],
    files: Sequence[str],
    class_names: Sequence[str],
    reading: Reading,
    skip_bad: bool,
) -> Read:
    """Read the images of all annotations.

    Args:
        what: the caller, for messages.
        annotations: of each image, or the error in it.
        files: the image of each.
        class_names: the classes.
        reading: how to read the images.
        skip_bad: pass over images that cannot be used.

    Raises:
        OSError: an image cannot be read; with skip_bad, none can be used.
        TargetError: boxes cannot be used.
    """

    def read(place: int, how: Reading) -> tuple[tuple[NDArray[Any], Target, Counter[str]], list[Picture]]:
        annotation = annotations[place]
        if isinstance(annotation, TargetError):
            raise annotation
        return _read(annotation, how)

    found = read_all_files(read, len(annotations), reading, skip_bad, what)
    images: list[NDArray[Any]] = []
    targets: list[Target] = []
    places: list[int] = []
    skipped: Reasons = []
    mended: Counter[str] = Counter(dict.fromkeys(MENDS, 0))
    for place, result in enumerate(found.results):
        if isinstance(result, Exception):
            skipped.append((files[place], str(result)))
            continue
        images.append(result[0])
        targets.append(result[1])
        mended.update(result[2])
        places.append(place)
    if not images:
        first = f"; the first: {skipped[0][1]}" if skipped else ""
        raise OSError(f"{what}: none of {len(annotations)} images could be used{first}")
    alike = len({image.shape for image in images}) == 1
    return Read(
        np.stack(images) if alike else images,
        targets,
        class_names,
        [files[place] for place in places],
        dict(mended),
        skipped,
        several_pages(list(files), found.several, what),
        found.default_window,
        places,
    )


def _read(found: Annotation, reading: Reading) -> tuple[tuple[NDArray[Any], Target, Counter[str]], list[Picture]]:
    picture = decode(Path(found.image), 0, reading, whole=True)
    size, boxes, areas = picture.size, found.boxes, found.areas
    if found.size is not None and found.size != size:
        if picture.orientation < 5 or found.size != size[::-1]:
            raise TargetError(
                f"{found.path} says that {found.image} is {found.size[0]}x{found.size[1]}, but it is "
                f"{size[0]}x{size[1]}"
            )
        boxes = turned(boxes, found.size, picture.orientation)  # they were drawn before it was turned upright
    boxes, kept, counts = mend(boxes, size, found.path)
    if reading.size is not None:
        moved = fit(boxes, size, reading.size, reading.crop, reading.pad)
        before = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        after = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
        with np.errstate(all="ignore"):
            areas = areas * np.divide(after, before, out=np.ones_like(after), where=before > 0)
        boxes, inside, more = mend(moved, reading.size, found.path)
        more["degenerate"] = 0  # counted above
        more["outside"] = int((kept & ~inside).sum())
        counts, kept = counts + more, kept & inside
    marks = (found.labels[kept], found.crowd[kept], found.ignored[kept], areas[kept])
    target = Target(boxes[kept].astype(np.float32), *marks)
    return (picture.values, target, counts), [without_values(picture)]
