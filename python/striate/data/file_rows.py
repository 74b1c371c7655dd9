"""Pictures of a data set that are read on demand."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from striate._rows import Row, Rows
from striate.data._decode import cpus, read_all_files, several_pages, without_values
from striate.data.image import Picture, Reading
from striate.data.intensity import Window
from striate.data.listing import Reasons

_MAX_WORKERS = 16

Read = Callable[[int, Reading], tuple[Row, list[Picture]]]
"""Reads the file of a number; also returns its decoded pictures."""


class FileRows(Rows):
    """Rows of files, read by as many threads as the library may use, up to 16.

    Args:
        what: the reader, for messages.
        paths: the file of each row.
        places: the number that `read` takes, for each row.
        read: reads a row.
        reading: how pictures are read.
        others: further files that the rows depend on.
        state: bytes that differ where the rows do for another reason.
    """

    def __init__(
        self,
        what: str,
        paths: Sequence[str],
        places: Sequence[int],
        read: Read,
        reading: Reading,
        others: Sequence[str] = (),
        state: bytes = b"",
    ) -> None:
        super().__init__(len(paths), max(1, min(_MAX_WORKERS, cpus())))
        self._what = what
        self.file_paths = list(paths)
        self._places = list(places)
        self._read = read
        self._reading = reading
        self._told = False
        self._others, self._state = others, state

    def key(self) -> str:
        digest = hashlib.sha256(repr((self._what, self._reading)).encode() + self._state)
        for path in (*self.file_paths, *self._others):
            found = os.stat(path)
            digest.update(repr((path, found.st_size, found.st_mtime_ns)).encode("utf-8", "backslashreplace"))
        return digest.hexdigest()

    @property
    def kind(self) -> str:
        return self._what

    def name_of(self, place: int) -> str:
        return self.file_paths[place]

    def read(self, places: Sequence[int]) -> list[Row]:
        return [self._one(place) for place in places]

    def _one(self, place: int) -> Row:
        row, pictures = self._read(self._places[place], self._reading)
        for picture in pictures:
            if picture.deep is not None and self._reading.default_window is None:
                raise ValueError(
                    f"{self._what}: {self.file_paths[place]} holds grey of more than 8 bits, and the first picture "
                    "does not; pass default_window=(center, width), by which all such pictures are read"
                )
            if picture.several and not self._told:
                self._told = True
                warnings.warn(
                    f"{self._what}: {self.file_paths[place]} has several pages or frames, and only the first of such "
                    "files is read",
                    stacklevel=2,
                )
        return row


class Found(NamedTuple):
    """What is known of files before they are read.

    Attributes:
        places: the numbers of the files that can be used.
        reading: how to read them, with the window of deep grey pictures.
        skipped: (file, reason) of files that cannot be read.
        partly: (file, reason) of files of which only the first page is read.
        default_window: as in `ImageDataset`.
    """

    places: list[int]
    reading: Reading
    skipped: Reasons
    partly: Reasons
    default_window: Window


def look_at(what: str, paths: Sequence[str], read: Read, reading: Reading, skip_bad: bool) -> Found:
    """Read the first file; all of them where that is needed: with `skip_bad`, and where the first is a deep grey
    picture, whose window depends on all.

    Raises:
        OSError, ValueError: a file cannot be read; with `skip_bad`, none can.
    """
    if not skip_bad:
        _, pictures = read(0, reading)
        if reading.default_window is not None or all(picture.deep is None for picture in pictures):
            return Found(list(range(len(paths))), reading, [], [], reading.default_window)

    def forget(place: int, how: Reading) -> tuple[None, list[Picture]]:
        return None, [without_values(picture) for picture in read(place, how)[1]]

    found = read_all_files(forget, len(paths), reading, skip_bad, what)
    places, skipped = [], []
    for place, result in enumerate(found.results):
        if isinstance(result, Exception):
            skipped.append((paths[place], str(result)))
        else:
            places.append(place)
    if not places:
        raise OSError(f"{what}: none of {len(paths)} images could be used; the first: {skipped[0][1]}")
    partly = several_pages(list(paths), found.several, what)
    return Found(places, replace(reading, default_window=found.default_window), skipped, partly, found.default_window)
