"""What `fit`, `evaluate` and `predict` take beside arrays: rows that are read on demand, and batches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from striate._arrays import array_of
from striate._batches import batches_refused, gives_batches, is_batch
from striate._checks import positive
from striate._rows import Row, Rows

_SEQUENCES = ("PyDataset", "Sequence")  # Keras's, by the names of their classes


class Batches:
    """A source of batches `(x, y)` or `(x, y, sample_weight)`; for `predict` also of `x` alone.

    Args:
        source: Keras's `PyDataset` or `Sequence`, or any object with a length whose items are batches; an iterable,
            such as a `DataLoader` of PyTorch or a `tf.data.Dataset`; or an iterator, such as a generator.
        who: the function and argument to name in messages, such as "fit: x".
    """

    def __init__(self, source: Any, who: str) -> None:
        self.source = source
        self.who = who
        self.kind = type(source).__name__
        names = {base.__name__ for base in type(source).__mro__}
        self.is_sequence = hasattr(source, "__getitem__") and (
            isinstance(source, (list, tuple)) or bool(names & {*_SEQUENCES}) or not hasattr(source, "__iter__")
        )
        self.is_iterator = not self.is_sequence and hasattr(source, "__next__")
        self.count = self._length()
        if self.is_sequence and self.count == 0:
            raise ValueError(f"{who}: the {self.kind} has no batch")
        self._going_on: Iterator[Any] | None = None
        self._first: list[Any] = []  # a batch that was looked at, and is still to be given
        self.batch_rows = 0
        """Rows of the first batch, once it was looked at."""

    def _length(self) -> int | None:
        """The number of batches, where the source tells."""
        try:
            count = self.source.num_batches if hasattr(self.source, "num_batches") else len(self.source)
        except (TypeError, NotImplementedError):
            return None
        return None if count is None else int(count)

    @property
    def workers(self) -> int:
        """Threads that may ask for batches: those of a `PyDataset`."""
        asked = getattr(self.source, "workers", 1) if self.is_sequence else 1
        return asked if isinstance(asked, int) and asked > 1 else 1

    def first(self) -> Row:
        """The first batch. It is given again in the pass that follows, not read twice."""
        if self.is_sequence:
            self._first = self._first or [self.source[0]]
        elif not self._first:
            self._going_on = self._going_on or iter(self.source)
            try:
                self._first.append(next(self._going_on))
            except StopIteration:
                raise ValueError(f"{self.who}: the {self.kind} gave no batch") from None
        batch = self.unpacked(self._first[0])
        self.batch_rows = _rows_of(batch)
        return batch

    def item(self, number: int) -> Row:
        """Batch `number` of a sequence."""
        if number == 0 and self._first:
            return self.unpacked(self._first.pop())
        return self.unpacked(self.source[number])

    def unpacked(self, batch: Any) -> Row:
        """A batch as (x, y, sample_weight).

        Raises:
            ValueError: it is something else.
        """
        if not isinstance(batch, (tuple, list)):
            return Row(batch)
        if not 1 <= len(batch) <= 3:
            raise ValueError(
                f"{self.who}: a batch of the {self.kind} has {len(batch)} entries; expected (x, y) or "
                "(x, y, sample_weight)"
            )
        return Row(*batch)

    def row_of(self, number: int) -> int:
        """The number of the first row of batch `number` of a sequence, whose batches are as large as the first one."""
        return number * self.batch_rows

    def iterate(self, goes_on: bool) -> Iterator[Any]:
        """The batches of an epoch. With `goes_on` an iterable goes on where it was, and from its end on anew."""
        if self._going_on is None or not (goes_on or self.is_iterator or self._first):
            self._going_on, self._first = iter(self.source), []
        anew = False
        while True:
            if self._first:
                yield self._first.pop()
                continue
            assert self._going_on is not None
            try:
                batch = next(self._going_on)
            except StopIteration:
                if not goes_on or self.is_iterator or anew:
                    self._going_on = self.source if self.is_iterator else None
                    return
                self._going_on, anew = iter(self.source), True
                continue
            anew = False
            yield batch

    def begin(self) -> None:
        """Tell a `PyDataset` that an epoch begins."""
        self._tell("on_epoch_begin")

    def end(self) -> None:
        """Tell a `PyDataset` that an epoch is over, as Keras does."""
        self._tell("on_epoch_end")

    def release(self) -> None:
        """Let go of an iteration that was begun, so that what it holds (processes, files) is freed."""
        if not self.is_iterator:
            going_on, self._going_on, self._first = self._going_on, None, []
            close = getattr(going_on, "close", None)
            if callable(close):
                close()

    def _tell(self, hook: str) -> None:
        if self.is_sequence and callable(getattr(self.source, hook, None)):
            getattr(self.source, hook)()


Source = Rows | Batches


def source_of(x: Any, y: Any, sample_weight: Any, who: str) -> Source | None:
    """The source that `x` is; None where it is an array, a list or a dict of arrays, or a data set in memory.

    Raises:
        ValueError, TypeError: it is a source, and there are targets or weights beside it.
    """
    if isinstance(x, np.ndarray):
        return None
    rows = x if isinstance(x, Rows) else getattr(x, "rows", None)
    if isinstance(rows, Rows):
        _alone(y, sample_weight, who, f"the {rows.kind}")
        return rows
    if hasattr(x, "images") and hasattr(x, "labels"):
        return None
    if isinstance(x, (list, tuple)):
        if y is None and x and all(map(is_batch, x)):
            return Batches(x, who)
        return None
    if not gives_batches(x) or isinstance(x, Mapping) or hasattr(x, "toarray"):
        return None
    if y is not None:
        raise TypeError(batches_refused(x, f"{who}: x"))
    _alone(y, sample_weight, who, f"the {type(x).__name__}")
    return Batches(x, who)


def batches_of(given: int | None, source: Source | int, batch_size: int, what: str) -> int | None:
    """The batches of a pass; None where only the source's end tells.

    Args:
        given: the user's number.
        source: what is read, or the rows of arrays.
        batch_size: rows of a batch, of arrays and rows.
        what: the argument, for messages.

    Raises:
        TypeError, ValueError: the number does not fit, or there must be one.
    """
    if isinstance(source, Batches):
        if given is not None:
            if positive(given, what) > (source.count or given) and source.is_sequence:
                raise ValueError(f"{what}={given}, but the {source.kind} has {source.count} batches")
            return int(given)
        if source.is_iterator:
            raise ValueError(
                f"{what}: a {source.kind} does not tell how many batches it has, and may have no end; pass "
                f"{what.split()[-1]}, the number of batches of one pass"
            )
        return source.count if source.is_sequence else None
    rows = source if isinstance(source, int) else len(source)
    most = -(-rows // batch_size)
    if given is None:
        return most
    if positive(given, what) > most:
        raise ValueError(f"{what}={given} needs {given * batch_size} rows in batches of {batch_size}, got {rows}")
    return int(given)


def _alone(y: Any, sample_weight: Any, who: str, name: str) -> None:
    for value, what in ((y, "targets"), (sample_weight, "weights")):
        if value is not None:
            raise ValueError(
                f"{who}: {name} gives its own {what}; leave {'y' if what == 'targets' else 'sample_weight'} out"
            )


def _rows_of(batch: Row) -> int:
    """How many rows a batch has."""
    x = batch.x
    while isinstance(x, (dict, list, tuple)) and len(x):
        x = next(iter(x.values())) if isinstance(x, dict) else x[0]
        if not isinstance(x, (dict, list, tuple)):
            break
    array = array_of(x, "a batch's x")
    return len(array) if array.ndim else 0


def check_batch(x: Any, shapes: Sequence[tuple[int, ...]], who: str, kind: str) -> None:
    """Check that a source's first item is a batch, not a row.

    Raises:
        TypeError: it has the shape of one input.
    """
    if len(shapes) == 1 and not isinstance(x, (dict, list, tuple)):
        shape = array_of(x, f"{who}: x").shape
        if shape == shapes[0] or (*shape, 1) == shapes[0]:
            raise TypeError(
                f"{who}: the items of the {kind} are rows of shape {shape}, not batches; pass striate.data.rows(source)"
            )
