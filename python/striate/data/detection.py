"""Read images with boxes: the part that COCO and VOC share."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._rows import Row, Rows
from striate.data._decode import in_threads, read_all_files, several_pages, without_values
from striate.data.dataset import Pictures
from striate.data.file_rows import FileRows, look_at
from striate.data.image import Picture, Reading, decode
from striate.data.intensity import Window
from striate.data.listing import Reasons
from striate.data.targets import Target, fit, turned
from striate.detection import rule
from striate.detection.rule import FIXES, TargetError, fix_boxes


class Annotation(NamedTuple):
    """The annotation of one image: M boxes (M, 4) as x1, y1, x2, y2 in pixels, and M labels, flags and areas."""

    image: str
    path: str  # the file that holds it
    size: tuple[int, int] | None  # (height, width) that the file gives the image
    boxes: rule.Rows
    labels: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    areas: rule.Rows


class DetectionDataset(Pictures[Any]):
    """Images and their boxes; the base class of `CocoDetection` and `VocDetection`.

    `fit`, `evaluate` and `validation_data` take it as it is, if all images have one size. Iterating gives batches
    `(x, y)`.

    The rule for boxes: one of zero or negative extent, or wholly outside the image, is dropped; one that reaches beyond
    the image is cut at its edge; `fixed` counts each kind. A NaN or infinite coordinate or an unknown class is an
    error that names the file. Images without boxes stay, with none. Boxes are those of the upright picture; where the
    file gives the picture's size before its EXIF orientation was applied, the boxes are turned with the picture.

    Attributes:
        images: (N, H, W, C), uint8 or float32; a list of (H, W, C) where sizes differ; also `x`.
        targets: a list with one `(boxes (M, 4) float32, labels (M,) int64)` for each image: x1, y1, x2, y2 in pixels of
            `images`, and class numbers; also `y` and `labels`.
        crowds: a list with one (M,) bool for each image: boxes around a crowd rather than one object.
        ignored: a list with one (M,) bool for each image: boxes that an evaluation leaves out, such as VOC's difficult
            ones.
        areas: a list with one (M,) float64 for each image: the objects' areas in pixels, by which COCO tells sizes
            apart.
        class_names: the classes in the order of their numbers.
        file_paths: the N image files.
        fixed: how many boxes were "clipped", "outside" or "degenerate".
        skipped: (file, reason) of every file or entry that could not be used; filled only with `skip_bad=True`.
        unused: (file, reason) of files that are not read, or of which only the first page is read.
        default_window, batch_size, in_memory, rows: as in `ImageDataset`.

    With `in_memory=False`, `images`, `targets`, `crowds`, `ignored`, `areas` and `fixed` are not there: threads read
    the images of each batch, with their boxes, on demand, in every epoch. With `skip_bad`, and where the first
    picture is grey of more than 8 bits and there is no `default_window`, all images are decoded once to look at them.
    """

    def __init__(
        self,
        images: NDArray[Any] | list[NDArray[Any]] | Rows,
        targets: Sequence[Target],
        class_names: Sequence[str],
        file_paths: Sequence[str],
        fixed: dict[str, int],
        skipped: Sequence[tuple[str, str]],
        unused: Sequence[tuple[str, str]] = (),
        default_window: Window = None,
    ) -> None:
        super().__init__(images, [(target.boxes, target.labels) for target in targets])
        if self.in_memory:
            self.crowds = [target.crowd for target in targets]
            self.ignored = [target.ignored for target in targets]
            self.areas = [target.areas for target in targets]
            self.fixed = fixed
        self.class_names = list(class_names)
        self.file_paths = list(file_paths)
        self.skipped = list(skipped)
        self.unused = list(unused)
        self.default_window = default_window

    @property
    def x(self) -> NDArray[Any] | list[NDArray[Any]]:
        return self.images  # type: ignore[no-any-return]

    @property
    def targets(self) -> list[tuple[NDArray[np.float32], NDArray[np.int64]]]:
        if not self.in_memory:
            self._not_in_memory("targets")
        return self._labels  # type: ignore[no-any-return]

    y = labels = targets

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute.
        if name in ("images", "x", "targets", "y", "labels", "crowds", "ignored", "areas", "fixed"):
            self._not_in_memory(name)
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        if not self.in_memory:
            classes = f"{len(self.class_names)} classes"
            return f"{type(self).__name__}({len(self)} images, not in memory, {classes}{left_out})"
        boxes = sum(len(labels) for _, labels in self.targets)
        fixed = "".join(f", {count} {name}" for name, count in self.fixed.items() if count)
        return (
            f"{type(self).__name__}({len(self)} images, {boxes} boxes, {len(self.class_names)} classes{fixed}"
            f"{left_out})"
        )


class BoxRows(FileRows):
    """Images that are read on demand, with their boxes.

    Args:
        *arguments: passed to `FileRows`.
        target_of: a function (file index, reading options) that returns the file's (boxes, labels).
    """

    def __init__(self, *arguments: Any, target_of: Callable[[int, Reading], Target]) -> None:
        super().__init__(*arguments)
        self._target_of = target_of

    def targets(self) -> list[Target]:
        """The boxes of all images, each of which is decoded for its size and orientation.

        Raises:
            OSError: an image cannot be read.
            TargetError: boxes cannot be used.
        """
        numbers, how = self._places, self._reading
        found = in_threads(lambda place: self._target_of(numbers[place], how), len(self), False)
        return [target for target in found if not isinstance(target, Exception)]  # none is one: they are raised


class Read(NamedTuple):
    """The arguments of `DetectionDataset`, and the number of each image among the annotations."""

    images: Any
    targets: list[Target]
    class_names: Sequence[str]
    file_paths: list[str]
    fixed: dict[str, int]
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
    in_memory: bool,
) -> Read:
    """Read the images of all annotations, or have them read on demand.

    Args:
        what: the caller, for messages.
        annotations: of each image, or the error in it.
        files: the image of each.
        class_names: the classes.
        reading: how to read the images.
        skip_bad: pass over images that cannot be used.
        in_memory: whether all are read now.

    Raises:
        OSError: an image cannot be read; with skip_bad, none can be used.
        TargetError: boxes cannot be used.
    """

    def read(place: int, how: Reading) -> tuple[tuple[NDArray[Any], Target, Counter[str]], list[Picture]]:
        annotation = annotations[place]
        if isinstance(annotation, TargetError):
            raise annotation
        return _read(annotation, how)

    if not in_memory:
        return _streamed(what, annotations, files, class_names, read, reading, skip_bad)
    found = read_all_files(read, len(annotations), reading, skip_bad, what)
    images: list[NDArray[Any]] = []
    targets: list[Target] = []
    places: list[int] = []
    skipped: Reasons = []
    fixed: Counter[str] = Counter(dict.fromkeys(FIXES, 0))
    for place, result in enumerate(found.results):
        if isinstance(result, Exception):
            skipped.append((files[place], str(result)))
            continue
        images.append(result[0])
        targets.append(result[1])
        fixed.update(result[2])
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
        dict(fixed),
        skipped,
        several_pages(list(files), found.several, what),
        found.default_window,
        places,
    )


def _streamed(
    what: str,
    annotations: Sequence[Annotation | TargetError],
    files: Sequence[str],
    class_names: Sequence[str],
    read: Callable[[int, Reading], tuple[tuple[NDArray[Any], Target, Counter[str]], list[Picture]]],
    reading: Reading,
    skip_bad: bool,
) -> Read:
    def row(place: int, how: Reading) -> tuple[Row, list[Picture]]:
        (image, target, _), pictures = read(place, how)
        return Row(image, (target.boxes, target.labels, target.crowd | target.ignored)), pictures

    found = look_at(what, files, row, reading, skip_bad)
    paths = [files[place] for place in found.places]
    state = hashlib.sha256()
    for annotation in annotations:
        if isinstance(annotation, Annotation):
            for array in annotation[3:]:
                state.update(repr(array.shape).encode() + array.tobytes())
    rows = BoxRows(
        *(what, paths, found.places, row, found.reading, (), state.digest()),
        target_of=lambda place, how: read(place, how)[0][1],
    )
    window = found.default_window
    return Read(rows, [], class_names, paths, {}, found.skipped, found.partly, window, found.places)


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
    boxes, kept, counts = fix_boxes(boxes, size, found.path)
    if reading.size is not None:
        moved = fit(boxes, size, reading.size, reading.crop, reading.pad)
        before = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        after = (moved[:, 2:] - moved[:, :2]).prod(axis=1)
        with np.errstate(all="ignore"):
            areas = areas * np.divide(after, before, out=np.ones_like(after), where=before > 0)
        boxes, inside, more = fix_boxes(moved, reading.size, found.path)
        more["degenerate"] = 0  # counted above
        more["outside"] = int((kept & ~inside).sum())
        counts, kept = counts + more, kept & inside
    marks = (found.labels[kept], found.crowd[kept], found.ignored[kept], areas[kept])
    target = Target(boxes[kept].astype(np.float32), *marks)
    return (picture.values, target, counts), [without_values(picture)]
