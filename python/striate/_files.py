"""Writing files: whole or not at all, and rows that are appended whole."""

from __future__ import annotations

import contextlib
import os

from striate import _core

PathLike = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_FOREIGN = {
    ".keras": "Keras's format",
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".tf": "TensorFlow's format",
    ".pt": "PyTorch's format",
    ".pth": "PyTorch's format",
}
_SIGNATURES = {
    b"PK\x03\x04": "a zip archive, as .keras and .pt files are",
    b"\x89HDF": "an HDF5 file, as .h5 files are",
}
_BINARY = getattr(os, "O_BINARY", 0)


def encoded(path: PathLike) -> bytes:
    """A path as bytes, as the operating system takes it.

    Raises:
        TypeError: it is not a path; file descriptors are not accepted.
        ValueError: it contains a null byte, or characters that a file name cannot have.
    """
    place = os.fsencode(path)
    if b"\0" in place:
        raise ValueError(f"embedded null byte in the path {os.fsdecode(place)!r}")
    return place


def text(path: PathLike) -> str:
    """A path as text, for messages and for `pathlib`; it raises as `encoded` does."""
    return os.fsdecode(encoded(path))


def check_ending(path: PathLike, what: str) -> None:
    """Refuse endings of other programs' formats, which the file would not be.

    Raises:
        ValueError: it is one of Keras's or PyTorch's.
    """
    ending = os.path.splitext(text(path))[1].lower()
    if ending in _FOREIGN:
        instead = os.path.splitext(os.path.basename(text(path)))[0].removesuffix(".weights") + ".safetensors"
        raise ValueError(
            f"{what} writes a safetensors file, not {_FOREIGN[ending]}; name it {instead!r}. Keras's weights are read "
            "by striate.interop.load_keras_weights, and model.export writes ONNX for other programs"
        )


def check_content(place: bytes) -> None:
    """Refuse a regular file that begins as files of Keras and PyTorch do.

    Raises:
        ValueError: it is such a file; the message names the functions that read it.
    """
    if not os.path.isfile(place):
        return
    with open(place, "rb") as file:
        found = _SIGNATURES.get(file.read(4))
    if found:
        raise ValueError(
            f"cannot load '{os.fsdecode(place)}': it is {found}, not a safetensors file; striate.interop.from_keras "
            "reads Keras's models, load_keras_weights their weights, and from_torch converts PyTorch's modules"
        )


def check_free(path: PathLike, overwrite: bool) -> bytes:
    """The path, encoded.

    Raises:
        FileExistsError: something is there, and `overwrite` is False. The writers check this again when they are done;
            this is for callers that have work to do before.
    """
    place = encoded(path)
    if not overwrite and os.path.lexists(place):
        raise FileExistsError(f"'{os.fsdecode(place)}' already exists; pass overwrite=True to replace it")
    return place


def write_file(path: PathLike, data: bytes, overwrite: bool = True, flush: bool = True) -> None:
    """Write a file so that there is either the old or the whole new one, whenever the process is killed.

    It is written beside `path` under another name and renamed, as models are. Permissions are kept, symbolic links are
    followed, pipes and devices are written in place.

    Args:
        path: the file.
        data: its content.
        overwrite: whether a file that is there is replaced.
        flush: whether it must survive a power cut too.

    Raises:
        OSError: it cannot be written; the old one, if any, is as it was.
        FileExistsError: it is there, and `overwrite` is False.
        ValueError: the path holds a null byte.
    """
    _core.write_file(encoded(path), data, overwrite, flush)


def append(path: PathLike, data: bytes) -> None:
    """Add whole rows or records to a file, which is made if it is not there.

    Raises:
        OSError: it cannot be written; nothing has been added then.
    """
    file = os.open(encoded(path), os.O_WRONLY | os.O_APPEND | os.O_CREAT | _BINARY, 0o666)
    try:
        size = os.fstat(file).st_size
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(file, rest) :]
        except BaseException:
            if len(rest) < len(data):
                os.ftruncate(file, size)
            raise
    finally:
        with contextlib.suppress(InterruptedError):  # the file is closed all the same
            os.close(file)


def whole_rows(data: bytes) -> int:
    """How many bytes of a CSV file its whole rows take: those that end in a line break outside quotes."""
    end = len(data)
    while end:
        end = max(data.rfind(b"\n", 0, end), data.rfind(b"\r", 0, end)) + 1
        if data.count(b'"', 0, end) % 2 == 0:
            return end
        end -= 1
    return 0
