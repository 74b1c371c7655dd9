"""The record of a training, and reading it back from the table that `CSVLogger` writes."""

from __future__ import annotations

import csv
import json
import os
from typing import Any

import numpy as np

from striate.callbacks.history import History

__all__ = ["History", "read_history"]


def read_history(filename: str | os.PathLike[str], separator: str = ",") -> History:
    """A `History` from a CSV file of `CSVLogger`, value for value.

    A value that an epoch lacks is NaN.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no such table; the message names the line.
    """
    result = History()
    with open(filename, newline="", encoding="utf-8") as file:
        reader = csv.reader(file, delimiter=separator)
        columns = next(reader, [])
        if not columns or columns[0] != "epoch":
            raise ValueError(f"{os.fspath(filename)} is no history: its first column must be 'epoch', got {columns}")
        for row in reader:
            try:
                entries = dict(zip(columns, row, strict=True))
                result.epoch.append(int(entries.pop("epoch")))
                for name, text in entries.items():
                    result.history.setdefault(name, []).append(_value(text))
            except ValueError as error:
                raise ValueError(f"{os.fspath(filename)}, line {reader.line_num}: {error}") from None
    return result


def _value(text: str) -> Any:
    if text == "NA":
        return float("nan")
    return np.array(json.loads(text)) if text.startswith("[") else float(text)
