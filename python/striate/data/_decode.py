"""Decode many images with several threads: Pillow lets go of the interpreter's lock while it decodes."""

from __future__ import annotations

import math
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._threads import threads_for
from striate.data.image import Picture, Reading, decode
from striate.data.intensity import Window, common_window
from striate.data.listing import Reasons

_WHAT = "image_dataset_from_directory"
_MOST_THREADS = 16
_AHEAD = 4  # files of a thread that are begun before they are asked for
_NOTHING: NDArray[np.uint8] = np.zeros((0, 0, 0), np.uint8)
_Result = TypeVar("_Result")


class All(NamedTuple, Generic[_Result]):
    """Attributes:
    results: for each file, in order: the result of reading it, or the error that was skipped.
    several: indices of the files with more than one page.
    default_window: (center, width) for grey pictures of more than 8 bits; None if there are no such pictures.
    """

    results: list[_Result | Exception]
    several: list[int]
    default_window: Window


def read_all_files(
    read: Callable[[int, Reading], tuple[_Result, list[Picture]]],
    count: int,
    reading: Reading,
    skip_bad: bool,
    what: str,
) -> All[_Result]:
    """Read the files of a data set, with one window for all deep grey pictures in it.

    Where `reading` has no window, pictures of more than 8 bits are read by the full range of their type first. If the
    data set uses less than a quarter of it, or if there is none (DICOM), the pictures are read again by the range that
    the data set uses; a warning says so.

    Args:
        read: reads the file of a number, and also returns its decoded pictures.
        count: of the files.
        reading: how to read them.
        skip_bad: pass over files that raise OSError or ValueError; otherwise the first is an error.
        what: the caller, for messages.
    """
    first = list(in_threads(lambda place: read(place, reading), count, skip_bad))
    results: list[_Result | Exception] = [found if isinstance(found, Exception) else found[0] for found in first]
    pictures = {place: found[1] for place, found in enumerate(first) if not isinstance(found, Exception)}
    several = [place for place, some in pictures.items() if any(picture.several for picture in some)]
    deep = {place: [p.deep for p in some if p.deep is not None] for place, some in pictures.items()}
    places = [place for place, ranges in deep.items() if ranges]
    if reading.default_window is not None or not places:
        return All(results, several, reading.default_window)
    window, full = common_window([one for place in places for one in deep[place]])
    if full or window is None:
        return All(results, several, window)
    low, high = window[0] - window[1] / 2, window[0] + window[1] / 2
    warnings.warn(
        f"{what}: {len(places)} of the files hold grey of more than 8 bits and no window; the data set uses the values "
        f"{low:g} .. {high:g}, which become 0 .. 255. Read other pictures for the same model alike: "
        f"default_window={window}, the data set's `default_window`",
        stacklevel=4,
    )
    again = replace(reading, default_window=window)
    reread = in_threads(lambda number: read(places[number], again), len(places), skip_bad)
    for place, found in zip(places, reread, strict=True):
        results[place] = found if isinstance(found, Exception) else found[0]
    return All(results, several, window)


def without_values(picture: Picture) -> Picture:
    """What is known of a picture beside its values, so that these are not kept twice."""
    return picture._replace(values=_NOTHING)


def several_pages(files: list[str], places: list[int], what: str) -> Reasons:
    """(file, reason) of files of which only the first page was read, with a warning."""
    if places:
        warnings.warn(
            f"{what}: {len(places)} files have several pages or frames, and only the first of each is read; the first "
            f"file: {files[places[0]]}. read_image(path, frame=1) reads another; the data set's `unused` lists them",
            stacklevel=4,
        )
    return [(files[place], "it has several pages or frames, and the first is read") for place in places]


def decode_all(
    paths: list[str], reading: Reading, shape: tuple[int, ...] | None, skip_bad: bool
) -> tuple[NDArray[Any], list[int], Reasons, Reasons, Window]:
    """Read every file.

    Args:
        paths: the files.
        reading: how to read them.
        shape: (H, W, C) of every image; None: that of the first.
        skip_bad: pass over files that raise OSError or ValueError.

    Returns:
        The images (N, H, W, C), the places in `paths` that they came from, (path, reason) of those passed over and of
        those read in part, and the default window of deep grey pictures.

    Raises:
        OSError: a file cannot be read (the first such one in `paths`), or with skip_bad none can.
        ValueError: without `shape`, the images differ in size.
    """
    dtype = "float32" if reading.raw else "uint8"
    images = None if shape is None else _allocate(len(paths), shape, dtype)

    def read(place: int, how: Reading) -> tuple[NDArray[Any] | None, list[Picture]]:
        picture = decode(Path(paths[place]), 0, how)
        if images is None:
            return picture.values, [without_values(picture)]
        images[place] = picture.values
        return None, [without_values(picture)]

    found = read_all_files(read, len(paths), reading, skip_bad, _WHAT)
    loose: list[NDArray[Any]] = []
    kept: list[int] = []
    skipped: Reasons = []
    for place, result in enumerate(found.results):
        if isinstance(result, Exception):
            skipped.append((paths[place], str(result)))
            continue
        if result is not None:
            if loose and result.shape != loose[0].shape:
                raise ValueError(
                    f"{_WHAT}: {paths[place]} is {_size(result)}, {paths[kept[0]]} "
                    f"{_size(loose[0])}; pass image_size to bring all images to one size"
                )
            loose.append(result)
        kept.append(place)
    if not kept:
        raise OSError(f"none of {len(paths)} images could be read; the first: {skipped[0][1]}")
    if images is None:
        images = _allocate(len(loose), loose[0].shape, dtype)
        np.stack(loose, out=images)
    unused = several_pages(paths, found.several, _WHAT)
    return (images if len(kept) == len(images) else images[kept]), kept, skipped, unused, found.default_window


def in_threads(read: Callable[[int], _Result], count: int, skip_bad: bool) -> Iterator[_Result | Exception]:
    """`read(0)`, ..., `read(count - 1)`, in order; with `skip_bad`, an OSError or ValueError in place of its result."""
    from concurrent.futures import Future, ThreadPoolExecutor

    def attempt(place: int) -> _Result | Exception:
        try:
            return read(place)
        except (OSError, ValueError) as error:
            if skip_bad:
                return error
            raise

    wanted = min(_MOST_THREADS, cpus(), count)
    threads = threads_for(wanted, "files are read one after another") if wanted > 1 else 0
    if threads <= 1:
        yield from map(attempt, range(count))
        return
    # A few files ahead: an error or Ctrl-C leaves little to wait for.
    begun: deque[Future[_Result | Exception]] = deque()
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            for place in range(count):
                begun.append(pool.submit(attempt, place))
                if len(begun) == _AHEAD * threads:
                    yield begun.popleft().result()
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()


def _allocate(count: int, shape: tuple[int, ...], dtype: str) -> NDArray[Any]:
    try:
        return np.empty((count, *shape), dtype=dtype)
    except (MemoryError, ValueError) as error:
        size = count * math.prod(shape) * np.dtype(dtype).itemsize / 2**30
        raise MemoryError(
            f"{_WHAT}: {count} images of {shape} take {size:.1f} GiB; choose a smaller image_size"
        ) from error


def cpus() -> int:
    """Threads that the library may use: the core knows affinity, the quota of a container and the user's limit."""
    return int(_core.get_num_threads())


def _size(image: NDArray[Any]) -> str:
    return f"{image.shape[0]}x{image.shape[1]}"
