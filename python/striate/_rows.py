"""Rows of data that are read one by one when they are needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate._arrays import array_of, is_array
from striate._checks import positive


class Row(NamedTuple):
    """One row of a source: what it holds of inputs, targets and weights, None where there is nothing."""

    x: Any
    y: Any = None
    weight: Any = None


class Rows:
    """Rows that are read when a batch needs them: what `striate.data.rows` returns.

    `fit`, `evaluate`, `predict` and `validation_data` take it without `y`. Iterating gives batches `(x, y)`, or
    `(x, y, sample_weight)`, as arrays, in the order of the rows.

    Attributes:
        workers: threads that read rows.
        batch_size: rows of the batches that iterating gives; `fit` and the like have their own.
    """

    def __init__(self, count: int, workers: int, batch_size: int = 32) -> None:
        self._count = count
        self.workers = workers
        self.batch_size = batch_size

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, place: int) -> Any:
        """Row `place`: what the source gives, as a tuple."""
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} rows, got the number {place}")
        row = self.read([place % len(self)])[0]
        return tuple(row) if row.weight is not None else row[:2] if row.y is not None else row.x

    def __iter__(self) -> Iterator[Any]:
        for first in range(0, len(self), self.batch_size):
            rows = self.read(range(first, min(first + self.batch_size, len(self))))
            yield tuple(_stacked([row[i] for row in rows]) for i in range(3) if i == 0 or rows[0][i] is not None)

    def __repr__(self) -> str:
        return f"<{len(self)} rows of {self.kind}, workers={self.workers}>"

    @property
    def kind(self) -> str:
        """The source, for messages."""
        return type(self).__name__

    @property
    def at_once(self) -> int | None:
        """How many rows are best read in one call; None: as many as there are."""
        return 1

    def read(self, places: Sequence[int]) -> list[Row]:
        """The rows of these numbers, from 0. Called by up to `workers` threads at the same time."""
        raise NotImplementedError

    def name_of(self, place: int) -> str:
        """A row's name, for messages: its file, where there is one."""
        return f"row {place} of {self.kind}"

    def key(self) -> str | None:
        """A text that differs where the rows do; None where only the rows themselves tell."""
        return None

    def take(self, places: Any) -> Rows:
        """Some of the rows, in this order."""
        return Chosen(self, np.asarray(places, np.int64))


class Chosen(Rows):
    """Some of the rows of others."""

    def __init__(self, rows: Rows, places: NDArray[np.int64]) -> None:
        super().__init__(len(places), rows.workers, rows.batch_size)
        self._rows, self._places = rows, places

    @property
    def kind(self) -> str:
        return self._rows.kind

    @property
    def at_once(self) -> int | None:
        return self._rows.at_once

    def read(self, places: Sequence[int]) -> list[Row]:
        return self._rows.read(self._places[list(places)].tolist())

    def name_of(self, place: int) -> str:
        return self._rows.name_of(int(self._places[place]))

    def key(self) -> str | None:
        key = self._rows.key()
        return None if key is None else f"{key} {self._places.tolist()}"


class Columns(Rows):
    """Rows of several arrays of the same length, such as h5py's and zarr's: row i is `(x[i], y[i])`."""

    def __init__(self, columns: Sequence[Any], workers: int, batch_size: int) -> None:
        counts = [_length(column) for column in columns]
        if len(set(counts)) != 1 or not 1 <= len(columns) <= 3:
            raise ValueError(f"rows: expected (x, y) or (x, y, sample_weight) of the same length, got lengths {counts}")
        super().__init__(counts[0], workers, batch_size)
        self._columns = columns

    @property
    def kind(self) -> str:
        return type(self._columns[0]).__name__

    def read(self, places: Sequence[int]) -> list[Row]:
        return [self._one(place) for place in places]

    def _one(self, place: int) -> Row:
        try:
            return Row(*(column[place] for column in self._columns))
        except Exception as error:
            raise _failed(self.name_of(place), error) from error


class Items(Rows):
    """Rows of an object with a length and items, such as a data set of PyTorch, Hugging Face or Grain."""

    def __init__(self, source: Any, workers: int, batch_size: int, columns: Sequence[str] | None) -> None:
        super().__init__(_length(source), workers, batch_size)
        self._source = source
        self._names = columns

    @property
    def kind(self) -> str:
        return type(self._source).__name__

    @property
    def at_once(self) -> int | None:
        return None if callable(getattr(self._source, "__getitems__", None)) else 1

    def read(self, places: Sequence[int]) -> list[Row]:
        if self.at_once is None:
            try:
                items = list(self._source.__getitems__(list(places)))
            except Exception as error:
                raise _failed(f"rows {list(places)[:8]} of {self.kind}", error) from error
            if len(items) != len(places):
                raise ValueError(f"{self.kind}.__getitems__ was asked for {len(places)} rows and gave {len(items)}")
        else:
            items = [self._one(place) for place in places]
        return [self._row(item, place) for item, place in zip(items, places, strict=True)]

    def _one(self, place: int) -> Any:
        try:
            return self._source[place]
        except Exception as error:
            raise _failed(self.name_of(place), error) from error

    def _row(self, item: Any, place: int) -> Row:
        if self._names is not None:
            missing = [name for name in self._names if not isinstance(item, Mapping) or name not in item]
            if missing:
                has = f"the keys {list(item)[:10]}" if isinstance(item, Mapping) else type(item).__name__
                raise ValueError(f"{self.name_of(place)} has no {missing[0]!r}, which columns names; it has {has}")
            return Row(*(item[name] for name in self._names))
        if isinstance(item, Mapping):
            raise TypeError(
                f"{self.name_of(place)} is a dict with the keys {list(item)[:10]}; name those of the input and the "
                "target: rows(source, columns=('image', 'label'))"
            )
        if isinstance(item, (tuple, list)):
            if not 1 <= len(item) <= 3:
                raise ValueError(
                    f"{self.name_of(place)} has {len(item)} entries; expected (input, target) or (input, target, "
                    "sample_weight)"
                )
            return Row(*item)
        return Row(item)


def as_batch(x: Any) -> Any:
    """The input of one row as a batch."""
    return _stacked([x])


def rows(source: Any, workers: int = 1, columns: Sequence[str] | None = None, batch_size: int = 32) -> Rows:
    """Rows that `fit`, `evaluate` and `predict` read while they work: for data larger than memory.

    Order, augmentation and resuming are those of arrays: the same rows give the same bits.

    Args:
        source: an object with `__len__` and `__getitem__(i)`, which returns `(input, target)`, `(input, target,
            sample_weight)` or, to predict, the input: a map-style data set of PyTorch, a Hugging Face data set with
            `with_format("numpy")`, a Grain source. If it has `__getitems__(list)`, whole batches are read by it. Or a
            tuple `(x, y)` or `(x, y, sample_weight)` of arrays that are read in rows, such as h5py's and zarr's.
            Inputs are as for `fit`, without the batch: (H, W, C). For `DetectionLoss`, targets are `(boxes, labels)`.
        workers: threads that read rows. More than 1 only for a source that several threads may read at once; Python
            code that holds the interpreter's lock does not become faster by it.
        columns: names of the input, the target and possibly the weight where rows are dicts.
        batch_size: rows of the batches that iterating over the result gives.

    Returns:
        A `Rows`.

    Raises:
        TypeError: the source has no length or no items.
        ValueError: an argument is out of its range, the columns differ in length, or there are no rows.
    """
    workers, batch_size = positive(workers, "rows: workers"), positive(batch_size, "rows: batch_size")
    if isinstance(source, Rows):
        raise TypeError("rows: the source is one already; pass it to fit as it is")
    if isinstance(source, tuple):
        if columns is not None:
            raise ValueError("rows: columns names entries of rows that are dicts, and the source is a tuple of arrays")
        made: Rows = Columns(source, workers, batch_size)
    else:
        if columns is not None and (isinstance(columns, str) or not 1 <= len(columns) <= 3):
            raise ValueError(
                f"rows: columns must be the names of (input, target) or (input, target, sample_weight), got {columns!r}"
            )
        made = Items(source, workers, batch_size, columns)
    if len(made) == 0:
        raise ValueError(f"rows: the source, {made.kind}, has no rows")
    return made


class Batch:
    """Memory of one batch, into which rows are laid.

    Args:
        first: a row of the source; the others have its shapes and types.
        capacity: rows.
        inputs: number of the model's inputs.
        outputs: number of the model's outputs.
        boxes: the outputs, by place and name, whose targets are `(boxes, labels)`, which differ in length.
        only_inputs: whether targets and weights of rows are passed over.
    """

    def __init__(
        self, first: Row, capacity: int, inputs: int, outputs: int, boxes: set[Any], only_inputs: bool = False
    ) -> None:
        self._only_inputs = only_inputs
        self._counts = (inputs, outputs, outputs)
        self._boxes = boxes
        self._capacity = capacity
        self._parts = [self._keys(value, count) for value, count in zip(first, self._counts, strict=True)]
        self._columns = [
            {key: self._column(_entry(value, key), part, key) for key in keys}
            for part, (value, keys) in enumerate(zip(first, self._parts, strict=True))
        ]

    def put(self, place: int, row: Row, name: str) -> None:
        """Lay a row at a place; `name` is for messages.

        Raises:
            ValueError, TypeError: it is not like the first one.
        """
        row = Row(row.x) if self._only_inputs else row
        for part, what in enumerate(("input", "target", "sample weight")):
            value = row[part]
            if self._keys(value, self._counts[part]) != self._parts[part]:
                raise ValueError(f"{name}: its {what} is not made of the same parts as the first row's")
            for key, column in self._columns[part].items():
                entry = _entry(value, key)
                if not isinstance(column, np.ndarray):
                    column[place] = entry
                    continue
                array = array_of(entry, f"{name}: its {what}")
                if array.shape != column.shape[1:]:
                    raise ValueError(f"{name}: its {what} has shape {array.shape}, the first row's {column.shape[1:]}")
                if array.dtype != column.dtype and not _fits(array.dtype, column.dtype):
                    raise TypeError(
                        f"{name}: its {what} is {array.dtype}, the first row's {column.dtype}; give all rows one type"
                    )
                column[place] = array

    def values(self, count: int) -> tuple[Any, Any, Any]:
        """Inputs, targets and weights of the first `count` rows, as `fit` takes them."""
        x, y, weight = (
            _assembled({key: column[:count] for key, column in columns.items()}, keys)
            for columns, keys in zip(self._columns, self._parts, strict=True)
        )
        return x, y, weight

    def _keys(self, value: Any, count: int) -> tuple[Any, ...]:
        """The names or places of the arrays that a value is made of; (None,) for one array, () for nothing."""
        if value is None:
            return ()
        if isinstance(value, Mapping):
            return tuple(value)
        if count > 1 and isinstance(value, (list, tuple)) and len(value) == count:
            return tuple(range(count))
        return (None,)

    def _column(self, entry: Any, part: int, key: Any) -> Any:
        if entry is None or (part == 1 and (0 if key is None else key) in self._boxes):
            return [None] * self._capacity
        array = array_of(entry, ("the input", "the target", "the sample weight")[part])
        return np.empty((self._capacity, *array.shape), array.dtype)


def _entry(value: Any, key: Any) -> Any:
    return value if key is None else value[key]


def _assembled(columns: dict[Any, Any], keys: tuple[Any, ...]) -> Any:
    found = {
        key: None if isinstance(column, list) and all(c is None for c in column) else column
        for key, column in columns.items()
    }
    if keys in ((), (None,)):
        return found.get(None)
    return list(found.values()) if isinstance(keys[0], int) else found


def _fits(given: np.dtype[Any], wanted: np.dtype[Any]) -> bool:
    both_floats = given.kind == wanted.kind == "f"  # the core takes float32 in the end
    return both_floats or np.can_cast(given, wanted, "safe")


def _length(source: Any) -> int:
    shape = getattr(source, "shape", None)
    if isinstance(shape, tuple) and shape and hasattr(source, "__getitem__"):  # zarr's arrays have no length
        return int(shape[0])
    if not hasattr(source, "__getitem__") or not hasattr(source, "__len__"):
        raise TypeError(
            f"rows: expected an object with __len__ and __getitem__, or a tuple (x, y) of such, got "
            f"{type(source).__name__}; pass an iterable of batches to fit as it is"
        )
    return len(source)


def _failed(name: str, error: Exception) -> Exception:
    return RuntimeError(f"{name} could not be read: {type(error).__name__}: {error}")


def _stacked(values: list[Any]) -> Any:
    """Values of rows as one array; by name where they are dicts, and a list where they differ in shape."""
    first = values[0]
    if isinstance(first, Mapping):
        return {key: _stacked([value[key] for value in values]) for key in first}
    if isinstance(first, (tuple, list)) and all(is_array(item) for item in first):
        return values
    arrays = [array_of(value, "rows: a row") for value in values]
    return np.stack(arrays) if len({array.shape for array in arrays}) == 1 else arrays
