"""Images and labels, in memory or read on demand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from numpy.typing import NDArray

from striate._checks import positive
from striate._rows import Rows
from striate.data.intensity import Window

_Images = TypeVar("_Images")


class Pictures(Generic[_Images]):
    """What data sets of images have in common.

    Args:
        images: in memory, or the rows that give them.
        labels: of the images, or None where there are none or where the rows give them.
    """

    def __init__(self, images: _Images | Rows, labels: Any) -> None:
        self._images = images
        self._labels = labels
        self.batch_size: int | None = 32

    @property
    def rows(self) -> Rows | None:
        """The rows, where they are read on demand; None for images in memory."""
        return self._images if isinstance(self._images, Rows) else None

    @property
    def in_memory(self) -> bool:
        """Whether the images are in memory."""
        return not isinstance(self._images, Rows)

    @property
    def images(self) -> _Images:
        if isinstance(self._images, Rows):
            self._not_in_memory("images")
        return self._images

    def _not_in_memory(self, name: str) -> NoReturn:
        raise AttributeError(
            f"{type(self).__name__} was made with in_memory=False and has no {name}: files are read batch by batch; "
            "pass the data set to fit, evaluate or predict, or iterate over its batches"
        )

    def __len__(self) -> int:
        return len(self._images)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Any]:
        """Batches `(x, y)` of `batch_size` images in the order of the data set; without labels, `x` alone. With a
        `batch_size` of None, single images."""
        source = self.rows
        if self.batch_size is None:
            yield from (self._single(place) for place in range(len(self)))
            return
        size = positive(self.batch_size, f"{type(self).__name__}.batch_size")
        if source is not None:
            source.batch_size = size
            for batch in source:
                yield batch[0] if len(batch) == 1 else batch
            return
        for first in range(0, len(self), size):
            x = self.images[first : first + size]  # type: ignore[index]
            yield x if self._labels is None else (x, self._labels[first : first + size])

    def _single(self, place: int) -> Any:
        if self.rows is not None:
            return self.rows[place]
        x = self.images[place]  # type: ignore[index]
        return x if self._labels is None else (x, self._labels[place])


class ImageDataset(Pictures[NDArray[Any]]):
    """The images of a folder with their labels: the result of `image_dataset_from_directory`.

    `fit`, `evaluate`, `predict` and `validation_data` take it as it is. Iterating gives batches `(x, y)`, as in Keras.

    Attributes:
        images: (N, H, W, C), uint8 or float32; also `x`. Not there with `in_memory=False`.
        labels: (N,) int64, (N, K) one-hot or (N, 1) binary float32, or None; also `y`.
        class_names: the classes in the order of their numbers; empty without labels.
        file_paths: the N files, in the order of the images; none where images come from elsewhere.
        skipped: (file, reason) of every file that could not be read; filled only with `skip_bad=True`.
        unused: (file, reason) of the folder's other files: no pictures, or read only in part.
        default_window: (center, width) of the grey values that became 0 .. 255, for pictures of more than 8 bits
            without a window of their own: the full range of their type, such as 0 .. 65535, or, where the data set uses
            less than a quarter of it and for DICOM, the range that the data set uses, but for 1 in 10,000 pixels of a
            picture at either end. None without such pictures. Give it to the readers of other pictures for the same
            model.
        batch_size: images of the batches that iterating gives; None: single images.
        in_memory: whether the images are in memory.
        rows: with `in_memory=False`, the rows (`striate.data.rows`) that give images and labels; otherwise None.
    """

    def __init__(
        self,
        images: NDArray[Any] | Rows,
        labels: NDArray[Any] | None,
        class_names: Sequence[str],
        file_paths: Sequence[str],
        skipped: Sequence[tuple[str, str]] = (),
        unused: Sequence[tuple[str, str]] = (),
        default_window: Window = None,
    ) -> None:
        if (file_paths and len(images) != len(file_paths)) or (labels is not None and len(labels) != len(images)):
            raise ValueError(
                f"ImageDataset expects as many labels and file paths as images, got {len(images)} images, "
                f"{'no' if labels is None else len(labels)} labels and {len(file_paths)} file paths"
            )
        super().__init__(images, labels)
        self.class_names = list(class_names)
        self.file_paths = list(file_paths)
        self.skipped = list(skipped)
        self.unused = list(unused)
        self.default_window = default_window

    @property
    def labels(self) -> NDArray[Any] | None:
        return self._labels  # type: ignore[no-any-return]

    @property
    def x(self) -> NDArray[Any]:
        return self.images

    @property
    def y(self) -> NDArray[Any] | None:
        return self.labels

    def __repr__(self) -> str:
        kind = f"{len(self.class_names)} classes" if self.class_names else "no labels"
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        images = f"{self.images.dtype} {self.images.shape}" if self.in_memory else f"{len(self)} images, not in memory"
        return f"ImageDataset({images}, {kind}{left_out})"
