"""Decode many images with several threads: Pillow lets go of the interpreter's lock while it decodes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from striate.data.image import read_image

_MOST_THREADS = 16
_Result = TypeVar("_Result")


def decode_all(
    paths: list[str], options: dict[str, Any], shape: tuple[int, ...] | None, dtype: str, skip_bad: bool
) -> tuple[NDArray[Any], list[int], list[tuple[str, str]]]:
    """Read every file with `read_image(path, **options)`.

    Args:
        paths: the files.
        options: arguments of `read_image`.
        shape: (H, W, C) of every image; None: that of the first.
        dtype: of the result.
        skip_bad: pass over what raises OSError.

    Returns:
        The images (N, H, W, C), the places in `paths` that they came from, and (path, reason) of those passed over.

    Raises:
        OSError: a file cannot be read (the first such one in `paths`), or with skip_bad none can.
        ValueError: without `shape`, the images differ in size.
    """
    images = None if shape is None else _allocate(len(paths), shape, dtype)
    loose: list[NDArray[Any]] = []

    def read(place: int) -> NDArray[Any] | None:
        image = read_image(paths[place], **options)
        if images is None:
            return image
        images[place] = image
        return None

    kept: list[int] = []
    skipped: list[tuple[str, str]] = []
    for place, result in enumerate(in_threads(read, len(paths), skip_bad)):
        if isinstance(result, Exception):
            skipped.append((paths[place], str(result)))
            continue
        if result is not None:
            if loose and result.shape != loose[0].shape:
                raise ValueError(
                    f"image_dataset_from_directory: {paths[place]} is {_size(result)}, {paths[kept[0]]} "
                    f"{_size(loose[0])}; pass image_size to bring all images to one size"
                )
            loose.append(result)
        kept.append(place)
    if not kept:
        raise OSError(f"none of {len(paths)} images could be read; the first: {skipped[0][1]}")
    if images is None:
        images = _allocate(len(loose), loose[0].shape, dtype)
        np.stack(loose, out=images)
    return (images if len(kept) == len(images) else images[kept]), kept, skipped


def in_threads(
    read: Callable[[int], _Result], count: int, skip_bad: bool, bad: tuple[type[Exception], ...] = (OSError,)
) -> Iterator[_Result | Exception]:
    """`read(0)`, ..., `read(count - 1)`, in order; with `skip_bad` an exception of `bad` itself where one is raised."""
    from concurrent.futures import ThreadPoolExecutor

    def attempt(place: int) -> _Result | Exception:
        try:
            return read(place)
        except bad as error:
            if skip_bad:
                return error
            raise

    with ThreadPoolExecutor(max_workers=min(_MOST_THREADS, _cpus(), max(1, count))) as pool:
        # The iterator gives results in order; leaving it on an error cancels what has not begun.
        yield from pool.map(attempt, range(count))


def _allocate(count: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    try:
        return np.empty((count, *shape), dtype=dtype)
    except (MemoryError, ValueError) as error:
        size = count * math.prod(shape) * np.dtype(dtype).itemsize / 2**30
        raise MemoryError(
            f"image_dataset_from_directory: {count} images of {shape} take {size:.1f} GiB; choose a smaller image_size"
        ) from error


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
