"""Reading the tables that `CSVLogger` writes, also after another program saved them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from typing import Any, NamedTuple

from striate._files import whole_rows


class Table(NamedTuple):
    """What a file holds."""

    columns: list[str]
    """Empty where the file holds no whole row."""
    rows: list[tuple[int, list[str]]]
    """The fields of each row after the header, with its line."""
    mark: bytes
    """The byte-order mark that the file begins with, or nothing."""
    line_end: str
    whole: bytes
    """The bytes of the mark and of all whole rows."""
    rest: bytes
    """The bytes of a last row that is not whole."""


def check_separator(who: str, separator: Any) -> None:
    """Raise ValueError for what cannot be between fields."""
    if not isinstance(separator, str) or len(separator) != 1:
        raise ValueError(f"{who}: separator must be one character, got {separator!r}")
    if separator in '"\r\n':
        raise ValueError(f"{who}: separator must be no quote and no line end, got {separator!r}")


def read_table(name: str, separator: str, instead: str = "") -> Table:
    """The table in a file.

    Args:
        name: the file.
        separator: the character between fields.
        instead: what to do if the file is not such a table, for messages.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not UTF-8, or its first column is not `epoch` with this separator.
    """
    with open(name, "rb") as file:
        data = file.read()
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    body = data[len(mark) :]
    whole = body[: whole_rows(body)]
    rest = body[len(whole) :]
    try:
        text = whole.decode()
        torn = "" if whole else rest.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not a history: it is not UTF-8 ({error}); save it as UTF-8{instead}") from None
    rows = _rows(name, text, separator)
    columns = rows[0][1] if rows else []
    if (columns and columns[0] != "epoch") or not _may_begin(torn, separator):
        raise ValueError(
            f"{name} is not a history: its first column must be 'epoch', got {columns or [torn[:80]]} with the "
            f"separator {separator!r}{_other_separator(text or torn)}{instead}"
        )
    if len(set(columns)) < len(columns):
        raise ValueError(f"{name} is not a history: two columns have the same name: {columns}{instead}")
    return Table(columns, rows[1:], mark, _line_end(whole), mark + whole, rest)


def _rows(name: str, text: str, separator: str) -> list[tuple[int, list[str]]]:
    # An array of an epoch is one field, which may be longer than the module's limit.
    limit = csv.field_size_limit(max(len(text), csv.field_size_limit()))
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        return [(reader.line_num, row) for row in reader if row]
    except csv.Error as error:
        raise ValueError(f"{name}, line {reader.line_num}: {error}") from None
    finally:
        csv.field_size_limit(limit)


def _may_begin(torn: str, separator: str) -> bool:
    """Whether a header may begin so."""
    start = f"epoch{separator}"
    return torn.startswith(start) or start.startswith(torn)


def _other_separator(text: str) -> str:
    found = re.match(r'"?epoch"?([^\w\r\n"])', text)
    return f"; pass separator={found[1]!r}" if found else ""


def _line_end(data: bytes) -> str:
    """The line end of the first row."""
    for found in re.finditer(rb"\r\n|\r|\n", data):
        if data.count(b'"', 0, found.start()) % 2 == 0:
            return found[0].decode()
    return "\n"
