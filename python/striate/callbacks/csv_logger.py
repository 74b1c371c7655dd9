"""The record of a training as a table in a file."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from striate.callbacks.base import Callback, Logs

MISSING = "NA"


class CSVLogger(Callback):
    """Write the values of every epoch to a CSV file, a row an epoch, on disk as soon as the epoch ends.

    The columns are `epoch` (from 0) and the logs' names in their order. A value that an epoch lacks is `NA`; one that
    first comes later gets a new column, `NA` in the rows before. An array is written as JSON.

    Args:
        filename: where to; missing folders are made.
        separator: one character between fields.
        append: whether to go on in an existing file, under its own columns.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character, got {separator!r}")
        self.filename, self.separator, self.append = os.fspath(filename), separator, append
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = self._read() if self.append and path.exists() else []
        self._columns = rows[0] if rows else []
        if not rows:
            path.write_text("", encoding="utf-8")  # fails now rather than after the first epoch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values = {"epoch": str(epoch)} | {name: _text(value) for name, value in (logs or {}).items()}
        new = [name for name in values if name not in self._columns]
        if new:
            earlier = self._read()[1:]
            self._columns = self._columns + new
            width = len(self._columns)
            self._write("w", [self._columns, *(row + [MISSING] * (width - len(row)) for row in earlier)])
        self._write("a", [[values.get(name, MISSING) for name in self._columns]])

    def _read(self) -> list[list[str]]:
        with open(self.filename, newline="", encoding="utf-8") as file:
            return list(csv.reader(file, delimiter=self.separator))

    def _write(self, mode: str, rows: list[list[str]]) -> None:
        with open(self.filename, mode, newline="", encoding="utf-8") as file:
            csv.writer(file, delimiter=self.separator, lineterminator="\n").writerows(rows)


def _text(value: Any) -> str:
    if np.ndim(value) == 0:
        return repr(float(value))  # the shortest that reads back to the same bits
    return json.dumps(np.asarray(value).tolist())
