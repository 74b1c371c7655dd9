"""Images and labels, read into memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from numpy.typing import NDArray

from striate.data.intensity import Window


class ImageDataset:
    """The images of a folder, with their labels; what `image_dataset_from_directory` returns.

    It unpacks: `x, y = dataset`, and so `model.fit(*dataset)`.

    Attributes:
        images: (N, H, W, C), uint8 or float32; also `x`.
        labels: (N,) int64, (N, K) one-hot or (N, 1) binary float32, or None; also `y`.
        class_names: the classes in the order of their numbers; empty without labels.
        file_paths: the N files, in the order of the images.
        skipped: (file, reason) of every file that could not be read; filled only with `skip_bad=True`.
        unused: (file, reason) of the folder's other files: no pictures, or read only in part.
        default_window: (center, width) of the grey values that became 0 .. 255, for pictures of more than 8 bits
            without a window of their own: the full range of their type, such as 0 .. 65535, or, where the data set uses
            less than a quarter of it and for DICOM, the range that the data set uses, but for 1 in 10,000 pixels of a
            picture at either end. None without such pictures. Give it to the readers of other pictures for the same
            model.
    """

    def __init__(
        self,
        images: NDArray[Any],
        labels: NDArray[Any] | None,
        class_names: Sequence[str],
        file_paths: Sequence[str],
        skipped: Sequence[tuple[str, str]] = (),
        unused: Sequence[tuple[str, str]] = (),
        default_window: Window = None,
    ) -> None:
        if len(images) != len(file_paths) or (labels is not None and len(labels) != len(images)):
            raise ValueError(
                f"ImageDataset expects as many labels and file paths as images, got {len(images)} images, "
                f"{'no' if labels is None else len(labels)} labels and {len(file_paths)} file paths"
            )
        self.images = images
        self.labels = labels
        self.class_names = list(class_names)
        self.file_paths = list(file_paths)
        self.skipped = list(skipped)
        self.unused = list(unused)
        self.default_window = default_window

    @property
    def x(self) -> NDArray[Any]:
        return self.images

    @property
    def y(self) -> NDArray[Any] | None:
        return self.labels

    def __len__(self) -> int:
        return len(self.images)

    def __iter__(self) -> Iterator[Any]:
        """Yield the images, then the labels."""
        yield self.images
        yield self.labels

    def __repr__(self) -> str:
        kind = f"{len(self.class_names)} classes" if self.class_names else "no labels"
        left_out = f", {len(self.skipped)} skipped" if self.skipped else ""
        return f"ImageDataset({self.images.dtype} {self.images.shape}, {kind}{left_out})"
