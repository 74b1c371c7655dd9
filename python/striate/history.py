"""The record of a training, and reading it back from the table that `CSVLogger` writes."""

from __future__ import annotations

import json
import warnings
from typing import Any

import numpy as np

from striate._files import PathLike, text
from striate._tables import check_separator, read_table
from striate.callbacks.history import History

__all__ = ["History", "read_history"]


def read_history(filename: PathLike, separator: str = ",") -> History:
    """A `History` from a CSV file of `CSVLogger`, value for value.

    A value that an epoch lacks is NaN. A last row without its line break, which a killed process can leave, is not
    read; a warning says so. Any line ends and a byte-order mark are read, as other programs save them.

    Args:
        filename: the file, UTF-8.
        separator: the character between fields.

    Raises:
        OSError: the file cannot be read.
        ValueError: the file is not such a table; the message names the line.
    """
    result = History()
    name = text(filename)
    check_separator("read_history", separator)
    table = read_table(name, separator)
    if table.rest:
        warnings.warn(f"{name}: the last row is not whole and was not read", stacklevel=2)
    if not table.columns:
        raise ValueError(f"{name} is not a history: its first column must be 'epoch', but it has no row")
    for line, row in table.rows:
        try:
            if len(row) != len(table.columns):
                raise ValueError(f"expected {len(table.columns)} fields, got {len(row)}")
            entries = dict(zip(table.columns, row, strict=True))
            result.epoch.append(int(entries.pop("epoch")))
            for column, entry in entries.items():
                result.history.setdefault(column, []).append(_value(entry))
        except ValueError as error:
            raise ValueError(f"{name}, line {line}: {error}") from None
    return result


def _value(text: str) -> Any:
    if text == "NA":
        return float("nan")
    return np.array(json.loads(text)) if text.startswith("[") else float(text)
