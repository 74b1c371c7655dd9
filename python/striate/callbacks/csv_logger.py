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

from striate._files import append, text, write_file
from striate._tables import Table, check_separator, read_table
from striate.callbacks.base import Callback, Logs

MISSING = "NA"


class CSVLogger(Callback):
    """Write the values of every epoch to a CSV file, one row for each epoch, as soon as the epoch ends.

    The columns are `epoch` (from 0) and the logs' names in their order. A value that an epoch lacks is `NA`; one that
    first comes later gets a new column, `NA` in the rows before. An array is written as JSON.

    A killed process leaves all rows before; if the last row is not whole, the next logger that appends removes it, with
    a warning. Appended rows have the line ends of the file; a byte-order mark, as Excel writes it, stays.

    Args:
        filename: where to; missing folders are made.
        separator: one character between fields.
        append: whether to go on in an existing file, under its own columns. It must have this separator.

    Raises:
        ValueError: the separator is not one character; or, when training begins, the file to append to is not UTF-8, or
            its first column with this separator is not `epoch`. The file is then as it was.
        OSError: when training begins or an epoch ends, if the file cannot be written.
    """

    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        super().__init__()
        check_separator("CSVLogger", separator)
        self.filename, self.separator, self.append = text(filename), separator, append
        self._columns: list[str] = []
        self._mark, self._line_end = b"", "\n"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        path = Path(self.filename)
        path.parent.mkdir(parents=True, exist_ok=True)
        table = self._repaired() if self.append and path.exists() else None
        self._columns = table.columns if table else []
        self._mark, self._line_end = (table.mark, table.line_end) if table else (b"", "\n")
        if self._columns:
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
        earlier = [fields for _, fields in self._repaired().rows] if self._columns else []
        width = len(columns)
        whole = [columns, *(old + [MISSING] * (width - len(old)) for old in earlier), row]
        write_file(self.filename, self._mark + self._encoded(whole))
        self._columns = columns

    def _repaired(self) -> Table:
        """The table in the file, from which a last row that is not whole has been removed."""
        instead = "; or replace the file with append=False, or choose another filename"
        table = read_table(self.filename, self.separator, instead)
        if table.rest:
            warnings.warn(
                f"CSVLogger: the last row of '{self.filename}' is not whole and is removed: "
                f"{table.rest[:200].decode(errors='replace')!r}",
                stacklevel=2,
            )
            write_file(self.filename, table.whole)
        if table.line_end == "\r\n" and table.whole.endswith(b"\r"):
            append(self.filename, b"\n")  # the process was killed between the two
        return table

    def _encoded(self, rows: list[list[str]]) -> bytes:
        text = ""
        for row in rows:
            table = io.StringIO()
            csv.writer(table, delimiter=self.separator, lineterminator="\r\n").writerow(row)  # quotes both characters
            text += table.getvalue()[:-2] + self._line_end
        return text.encode()


def _text(value: Any) -> str:
    if np.ndim(value) == 0:
        return repr(float(value))  # the shortest that reads back to the same bits
    return json.dumps(np.asarray(value).tolist())
