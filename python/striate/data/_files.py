"""Open the files that a user or an annotation names."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePath
from typing import BinaryIO

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def check_path(path: str | os.PathLike[str], what: str) -> Path:
    """`path` as a Path; ValueError for a NUL or another character that no file name can hold."""
    text = os.fspath(path)
    try:
        if "\0" in text:
            raise ValueError("a NUL character")
        os.fsencode(text)
    except ValueError as error:
        raise ValueError(f"{what}: no file can be named {text!r}: {error}") from None
    return Path(text)


def open_file(path: str | os.PathLike[str], what: str) -> BinaryIO:
    """Open a regular file for reading. A pipe, a socket or a device is refused: reading it could wait for ever.

    Args:
        path: the file.
        what: the caller, for messages.

    Raises:
        FileNotFoundError: the file does not exist.
        IsADirectoryError: it is a folder.
        OSError: it is not a regular file, or it cannot be opened.
        ValueError: no file can have such a name.
    """
    path = check_path(path, what)
    try:
        _check_kind(os.stat(path).st_mode, path, what)
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        number = os.open(path, flags)
    except FileNotFoundError:
        raise FileNotFoundError(f"{what}: there is no file {path}") from None
    try:
        _check_kind(os.fstat(number).st_mode, path, what)  # it may have been replaced
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def inside(folder: Path, name: object) -> Path:
    """The file `name` of an annotation, relative to `folder`. Links in the folder are followed.

    A name with backslashes, as tools on Windows write it, is also looked for with the separators of this system.

    Raises:
        ValueError: `name` is not text, is absolute, or has "..", which could lead out of the folder.
    """
    if not isinstance(name, str) or not name.strip():
        raise ValueError(f"expected the name of a file, got {name!r}")
    check_path(name, "the annotation")
    path = _join(folder, name)
    if "\\" in name and not os.path.lexists(path):
        return _join(folder, name.replace("\\", "/"))
    return path


def _join(folder: Path, name: str) -> Path:
    relative = PurePath(name)
    if relative.drive or relative.root or ".." in relative.parts:
        raise ValueError(f"the file {name!r} is outside the folder {folder}; names must be relative and without '..'")
    return folder / relative


def _check_kind(mode: int, path: Path, what: str) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(f"{what} expects a file, got the folder {path}")
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "no regular file")
        raise OSError(f"{what} expects a regular file, but {path} is {kind}")
