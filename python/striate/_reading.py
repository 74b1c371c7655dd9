"""Reading batches ahead of a pass over a source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._ahead import PREFETCH, Ahead
from striate._arrays import AnyArray
from striate._data import Data
from striate._rows import Batch, Row, Rows
from striate._sources import Batches, Source

Convert = Callable[[Any, Any, Any], Data]
"""Checks and converts x, y and sample weights, as those of arrays are."""
Changed = Callable[[Data, NDArray[np.int64]], Data] | None
"""Changes a batch, which holds the rows of these numbers."""


def ahead_of(
    source: Source,
    convert: Convert,
    memory: Callable[[int], Batch],
    order: NDArray[np.int64] | None,
    batch_size: int,
    steps: int | None,
    changed: Changed = None,
    goes_on: bool = False,
) -> Ahead[Data]:
    """The batches of one pass, read by threads.

    Args:
        source: rows or batches.
        convert: makes data of what was read.
        memory: makes memory for so many rows, where the source has rows.
        order: the numbers of the rows, or of a sequence's batches, in order; None: as the source has them.
        batch_size: rows of a batch, where the source has rows.
        steps: the number of batches; None: all there are.
        changed: changes batches.
        goes_on: whether an iterable goes on where it was.
    """
    if isinstance(source, Rows):
        order = np.arange(len(source)) if order is None else order
        order = order if steps is None else order[: steps * batch_size]
        return rows_ahead(source, convert, memory, order, [*range(0, len(order), batch_size), len(order)], changed)
    return Ahead(
        BatchWork(source, convert, order, steps, changed, goes_on), source.workers, False, f"the {source.kind}"
    )


def rows_ahead(
    source: Rows,
    convert: Convert,
    memory: Callable[[int], Batch],
    order: NDArray[np.int64],
    firsts: Sequence[int],
    changed: Changed = None,
) -> Ahead[Data]:
    """Batches of rows of any sizes, read by threads.

    Args:
        order: the numbers of the rows, batch after batch.
        firsts: where each batch begins in the order; at last, the length of the order.
    """
    work = RowWork(source, convert, memory, order, firsts, changed)
    return Ahead(work, source.workers, True, f"the {source.kind}")


class RowWork:
    """Batches of rows: threads read rows and lay them into the memory of one of `PREFETCH` batches."""

    def __init__(
        self,
        source: Rows,
        convert: Convert,
        memory: Callable[[int], Batch],
        order: NDArray[np.int64],
        firsts: Sequence[int],
        changed: Changed,
    ) -> None:
        self._source, self._convert, self._changed = source, convert, changed
        self._order = order
        self._firsts = sorted(set(firsts))  # no batch is empty
        capacity = max(np.diff(self._firsts), default=0)
        share = source.workers if source.at_once is None else 4 * source.workers
        self._grain = max(source.at_once or 1, -(-int(capacity) // share))
        self._memory = [memory(int(capacity)) for _ in range(PREFETCH)]

    def _rows_of(self, batch: int) -> NDArray[np.int64]:
        if batch + 1 >= len(self._firsts):
            return self._order[:0]
        return self._order[self._firsts[batch] : self._firsts[batch + 1]]

    def pieces(self, batch: int) -> int:
        return -(-len(self._rows_of(batch)) // self._grain)

    def make(self, batch: int, piece: int) -> bool:
        start = piece * self._grain
        places = self._rows_of(batch)[start : start + self._grain].tolist()
        memory = self._memory[batch % PREFETCH]
        for number, (place, row) in enumerate(zip(places, self._source.read(places), strict=True)):
            memory.put(start + number, row, self._source.name_of(place))
        return True

    def finish(self, batch: int) -> Data:
        rows = self._rows_of(batch)
        data = self._convert(*self._memory[batch % PREFETCH].values(len(rows)))
        return data if self._changed is None else self._changed(data, rows)


class BatchWork:
    """Batches as a source gives them, copied: a source may use the memory of a batch again for the next one."""

    def __init__(
        self,
        source: Batches,
        convert: Convert,
        order: NDArray[np.int64] | None,
        steps: int | None,
        changed: Changed,
        goes_on: bool,
    ) -> None:
        self._source, self._convert, self._changed = source, convert, changed
        self._order = np.arange(source.count or 0) if order is None else order
        self._steps = steps
        self._iterator: Iterator[Any] | None = None if source.is_sequence else source.iterate(goes_on)
        self._batches: dict[int, Row] = {}
        self._memory: list[list[AnyArray]] = [[] for _ in range(PREFETCH)]
        self._rows = 0

    def pieces(self, batch: int) -> int:
        past = (self._steps is not None and batch >= self._steps) or (
            self._iterator is None and batch >= len(self._order)
        )
        return 0 if past else 1

    def make(self, batch: int, piece: int) -> bool:
        if self._iterator is None:
            self._batches[batch] = self._source.item(int(self._order[batch]))
            return True
        try:
            self._batches[batch] = self._source.unpacked(next(self._iterator))
        except StopIteration:
            return False
        return True

    def finish(self, batch: int) -> Data:
        data = self._convert(*self._batches.pop(batch))
        if data.rows == 0:
            raise ValueError(f"{self._source.who}: batch {batch} of the {self._source.kind} has no rows")
        first = self._rows if self._iterator is not None else self._source.row_of(int(self._order[batch]))
        self._rows += data.rows
        if self._changed is not None:
            data = self._changed(data, np.arange(first, first + data.rows))
        memory, arrays = self._memory[batch % PREFETCH], iter(range(len(data.inputs) + 2 * len(data.targets)))
        return data.map(lambda array: _copied(array, memory, next(arrays)))


def _copied(array: AnyArray, memory: list[AnyArray], place: int) -> AnyArray:
    """The array's values in memory that is kept from batch to batch."""
    if place == len(memory):
        memory.append(np.empty_like(array))
    buffer = memory[place]
    if buffer.dtype != array.dtype or buffer.shape[1:] != array.shape[1:] or len(buffer) < len(array):
        buffer = memory[place] = np.empty_like(array)
    part = buffer[: len(array)]
    np.copyto(part, array)
    return part
