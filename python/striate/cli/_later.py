"""Pictures that are read on demand, in place of arrays in memory."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from striate._rows import Row, Rows

IN_MEMORY = ("auto", "yes", "no")
_SHARE = 0.25  # of the memory; what takes more is read when it is due
_UNKNOWN = 4 * 2**30  # bytes of memory where the system does not tell
_QUOTA = Path("/sys/fs/cgroup/memory.max")


def keeps(choice: str, pictures: int, shape: Sequence[int], folder: Path) -> bool:
    """Whether the decoded pictures are kept in memory; where they are not, it is said.

    Args:
        choice: "auto" by their size, "yes" or "no".
        pictures: their number.
        shape: of the arrays of one picture, its mask included.
        folder: where they are.
    """
    size = pictures * math.prod(shape)
    limit = _SHARE * _memory()
    kept = choice == "yes" or (choice == "auto" and size <= limit)
    if not kept:
        why = f"more than a quarter of the memory, {limit / 2**30:.1f} GiB" if choice == "auto" else "--in-memory no"
        click.echo(
            f"{folder}: {pictures:,} pictures take {size / 2**30:.1f} GiB ({why}): each is decoded when a step needs it"
        )
    return kept


def _memory() -> int:
    """Bytes of memory that the process may use, at most."""
    found = _UNKNOWN
    if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
        found = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        return min(found, int(_QUOTA.read_text()))
    except (OSError, ValueError):  # there is none, or it is "max"
        return found


class Later:
    """A column of rows as an array that is read piece by piece: of the pictures, or of their masks.

    `predict` takes it as it is.

    Args:
        rows: the rows.
        column: 0 for pictures, 1 for masks.
    """

    def __init__(self, rows: Rows, column: int) -> None:
        self.rows, self._column = rows, column
        first = self._read([0])
        self.shape, self.dtype = (len(rows), *first.shape[1:]), first.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, places: Any) -> NDArray[Any]:
        chosen = np.arange(len(self))[places]
        return self._read([int(chosen)])[0] if chosen.ndim == 0 else self._read(chosen.tolist())

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        array = self[:]
        return array if dtype is None else array.astype(dtype)

    def take(self, places: NDArray[np.int64]) -> Later:
        """Some of the rows, still to be read."""
        return Later(self.rows.take(places), self._column)

    def _read(self, places: list[int]) -> NDArray[Any]:
        return np.stack([np.asarray(row[self._column]) for row in self.rows.read(places)])


class Labelled(Rows):
    """Rows with other targets."""

    def __init__(self, rows: Rows, labels: Sequence[Any] | NDArray[Any]) -> None:
        super().__init__(len(rows), rows.workers)
        self._rows, self._labels = rows, labels

    @property
    def kind(self) -> str:
        return self._rows.kind

    def read(self, places: Sequence[int]) -> list[Row]:
        return [Row(row.x, self._labels[place]) for row, place in zip(self._rows.read(places), places, strict=True)]

    def name_of(self, place: int) -> str:
        return self._rows.name_of(place)
