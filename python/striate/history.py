"""The record of a training, and reading it back from the table that `CSVLogger` writes."""

from __future__ import annotations

import csv
import io
import json
import warnings
from typing import Any

import numpy as np

from striate._files import PathLike, text, whole_rows
from striate.callbacks.history import History

__all__ = ["History", "read_history"]


def read_history(filename: PathLike, separator: str = ",") -> History:
    """A `History` from a CSV file of `CSVLogger`, value for value.

    A value that an epoch lacks is NaN. A last row without its line break, which a killed process can leave, is not
    read; a warning says so.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such table; the message names the line.
    """
    result = History()
    name = text(filename)
    with open(name, "rb") as file:
        data = file.read()
    whole = data[: whole_rows(data)]
    if len(whole) < len(data):
        warnings.warn(f"{name}: the last row is not whole and was not read", stacklevel=2)
    reader = csv.reader(io.StringIO(whole.decode(), newline=""), delimiter=separator)
    columns = next(reader, [])
    if not columns or columns[0] != "epoch":
        raise ValueError(f"{name} is no history: its first column must be 'epoch', got {columns}")
    for row in reader:
        try:
            entries = dict(zip(columns, row, strict=True))
            result.epoch.append(int(entries.pop("epoch")))
            for column, entry in entries.items():
                result.history.setdefault(column, []).append(_value(entry))
        except ValueError as error:
            raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
    return result


def _value(text: str) -> Any:
    if text == "NA":
        return float("nan")
    return np.array(json.loads(text)) if text.startswith("[") else float(text)
