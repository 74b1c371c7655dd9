"""Data that give their rows or batches piece by piece, in the manner of well-known libraries."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np


class Pairs:
    """A data set of rows, such as PyTorch's."""

    def __init__(self, *columns: Any) -> None:
        self.columns = columns
        self.threads: set[str] = set()

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, place: int) -> Any:
        self.threads.add(threading.current_thread().name)
        return tuple(column[place] for column in self.columns)


class Sequence:
    """Keras's, by its name."""

    def __init__(self, *columns: Any, batch: int = 8) -> None:
        self.columns, self.batch = columns, batch
        self.epochs = 0

    def __len__(self) -> int:
        return -(-len(self.columns[0]) // self.batch)

    def __getitem__(self, number: int) -> Any:
        part = slice(number * self.batch, (number + 1) * self.batch)
        return tuple(column[part] for column in self.columns)

    def on_epoch_end(self) -> None:
        self.epochs += 1


class Loader:
    """An iterable that uses the memory of a batch again for the next one."""

    def __init__(self, *columns: Any, batch: int = 8) -> None:
        self.columns, self.batch = columns, batch
        self.began = 0

    def __iter__(self) -> Any:
        self.began += 1
        memory = [np.zeros((self.batch, *column.shape[1:]), column.dtype) for column in self.columns]
        for first in range(0, len(self.columns[0]), self.batch):
            count = min(self.batch, len(self.columns[0]) - first)
            for buffer, column in zip(memory, self.columns, strict=True):
                buffer[:count] = column[first : first + count]
            yield [buffer[:count] for buffer in memory]
            for buffer in memory:
                buffer[:] = 0


def generator(*columns: Any, batch: int = 8) -> Any:
    while True:
        yield from Loader(*columns, batch=batch)


class KeptLoader(Loader):
    """Batches that stay what they are."""

    def __iter__(self) -> Any:
        return (tuple(array.copy() for array in batch) for batch in super().__iter__())
