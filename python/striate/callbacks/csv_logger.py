"""The record of a training as a table in a file."""

from __future__ import annotations

import csv
import io
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from striate._files import append, text, whole_rows, write_file
from striate.callbacks.base import Callback, Logs

MISSING = "NA"


class CSVLogger(Callback):
    """Write the values of every epoch to a CSV file, a row an epoch, as soon as the epoch ends.

    The columns are `epoch` (from 0) and the logs' names in their order. A value that an epoch lacks is `NA`; one that
    first comes later gets a new column, `NA` in the rows before. An array is written as JSON.

    A killed process leaves all rows before; if the last row is not whole, the next logger that appends removes it, with
    a warning.

    Args:
        filename: where to; missing folders are made.
        separator: one character between fields.
        append: whether to go on in an existing file, under its own columns.

    Raises:
        ValueError: the separator is not one character.
        OSError: when training begins or an epoch ends, if the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        if not isinstance(separator, str) or len(separator) != 1:
            raise ValueError(f"CSVLogger: separator must be one character, got {separator!r}")
        self.filename, self.separator, self.append = text(filename), separator, append
        self._columns: list[str] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = self._repaired() if self.append and path.exists() else []
        self._columns = rows[0] if rows else []
        if rows:
            append(self.filename, b"")  # fails now, if at all, rather than after the first epoch
        else:
            write_file(self.filename, b"")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        values = {"epoch": str(epoch)} | {name: _text(value) for name, value in (logs or {}).items()}
        columns = [*self._columns, *(name for name in values if name not in self._columns)]
        row = [values.get(name, MISSING) for name in columns]
        if columns == self._columns:
            append(self.filename, self._encoded([row]))
            return
        earlier = self._repaired()[1:] if self._columns else []
        width = len(columns)
        whole = [columns, *(old + [MISSING] * (width - len(old)) for old in earlier), row]
        write_file(self.filename, self._encoded(whole))
        self._columns = columns

    def _repaired(self) -> list[list[str]]:
        """The rows of the file, from which a last row that is not whole has been removed."""
        data = Path(self.filename).read_bytes()
        whole = data[: whole_rows(data)]
        if len(whole) < len(data):
            warnings.warn(
                f"CSVLogger: the last row of '{self.filename}' is not whole and is removed: "
                f"{data[len(whole) :][:200].decode(errors='replace')!r}",
                stacklevel=2,
            )
            write_file(self.filename, whole)
        return list(csv.reader(io.StringIO(whole.decode(), newline=""), delimiter=self.separator))

    def _encoded(self, rows: list[list[str]]) -> bytes:
        table = io.StringIO()
        csv.writer(table, delimiter=self.separator, lineterminator="\n").writerows(rows)
        return table.getvalue().encode()


def _text(value: Any) -> str:
    if np.ndim(value) == 0:
        return repr(float(value))  # the shortest that reads back to the same bits
    return json.dumps(np.asarray(value).tolist())
