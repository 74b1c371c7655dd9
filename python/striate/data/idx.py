"""IDX files: the format of MNIST and of similar data sets (Fashion-MNIST, KMNIST).

A file is the bytes 0, 0, type code, number of axes; each axis as a big-endian uint32; then the values, big-endian, last
axis fastest (Y. LeCun, C. Cortes and C. Burges, "The MNIST database of handwritten digits").
"""

from __future__ import annotations

import math
import os
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate._files import text, write_file
from striate.data._files import check_path, open_file

PathLike = str | os.PathLike[str]
Images = NDArray[np.uint8]
Labels = NDArray[np.int64]

_DTYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_CODES = {np.dtype(name).newbyteorder("="): code for code, name in _DTYPES.items()}
_MAX_AXES = 32  # NumPy 1's limit
_GZIP_MAGIC = b"\x1f\x8b"
_MAX_INFLATION = 1032  # no deflate stream expands by more (zlib's technical notes)
_CHUNK = 1 << 20


def read_idx(path: PathLike) -> NDArray[Any]:
    """Read one IDX file, gzip-compressed or not (recognised by its first bytes, not by its name).

    Nothing the header says is believed before it is held against the file: memory is taken for the bytes that are
    there, never for those that are promised.

    Args:
        path: the file.

    Returns:
        A writable array in the machine's byte order: uint8, int8, int16, int32, float32 or float64.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: the file is not a regular file or not an IDX file, or is damaged, truncated or longer than its header
            says; the message names it.
    """
    path = check_path(path, "read_idx")
    with open_file(path, "read_idx") as file:
        size = os.fstat(file.fileno()).st_size
        zipped = file.read(2) == _GZIP_MAGIC
        file.seek(0)
        if not zipped:
            return _read(file, path, size, exact=True)
        import gzip

        try:
            with gzip.open(file) as stream:
                return _read(stream, path, size * _MAX_INFLATION, exact=False)  # type: ignore[arg-type]
        except (gzip.BadGzipFile, EOFError, zlib.error) as error:
            raise OSError(f"{path} is a damaged gzip file: {error}") from error


def _read(stream: IO[bytes], path: Path, available: int, exact: bool) -> NDArray[Any]:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _DTYPES or not 1 <= head[3] <= _MAX_AXES:
        raise OSError(
            f"{path} is not an IDX file: it starts with {head.hex(' ') or 'nothing'}; expected 00 00, a type code of "
            f"{', '.join(f'{code:02x}' for code in _DTYPES)}, and 1 to {_MAX_AXES} axes"
        )
    dtype, axes = np.dtype(_DTYPES[head[2]]), head[3]
    raw = stream.read(4 * axes)
    if len(raw) < 4 * axes:
        raise OSError(f"{path} is truncated: its header of {axes} axes is cut off")
    shape = tuple(int.from_bytes(raw[i : i + 4], "big") for i in range(0, 4 * axes, 4))
    promised = math.prod(shape) * dtype.itemsize
    available -= 4 + 4 * axes
    if promised > available or (exact and promised < available):
        raise OSError(
            f"{path} says it holds {shape} values of {dtype.name}, {promised} bytes, but "
            f"{'has' if exact else 'can hold at most'} {available}"
        )
    data = bytearray()
    while len(data) < promised:
        piece = stream.read(min(_CHUNK, promised - len(data)))
        if not piece:
            raise OSError(f"{path} is truncated: its header states {promised} bytes of values, but it has {len(data)}")
        data += piece
    if stream.read(1):
        raise OSError(f"{path} has more bytes than the {promised} bytes of values that its header states")
    try:
        values = np.frombuffer(data, dtype=dtype).reshape(shape)
    except ValueError as error:  # no values, and the other axes overflow
        raise OSError(f"{path} says it holds {shape} values of {dtype.name}: {error}") from error
    return values.astype(dtype.newbyteorder("="), copy=False)


def write_idx(path: PathLike, array: ArrayLike) -> None:
    """Write an array as an IDX file; compressed if the name ends in `.gz`.

    Args:
        path: the file to write; replaced if it exists, by the whole new one or not at all.
        array: uint8, int8, int16, int32, float32 or float64 of 1 to 32 axes.

    Raises:
        TypeError: IDX has no such type.
        ValueError: too few or too many axes, or one of 2**32 or more.
        OSError: the file cannot be written; an old one is as it was.
    """
    values = array_of(array, "write_idx: array")
    code = _CODES.get(values.dtype.newbyteorder("="))
    if code is None:
        raise TypeError(
            f"write_idx cannot store {values.dtype}; IDX supports {', '.join(str(dtype) for dtype in _CODES)}: convert "
            "first, for example labels.astype(numpy.uint8)"
        )
    if not 1 <= values.ndim <= _MAX_AXES or max(values.shape) >= 2**32:
        raise ValueError(f"write_idx expects 1 to {_MAX_AXES} axes below 2**32, got shape {values.shape}")
    head = bytes([0, 0, code, values.ndim]) + b"".join(n.to_bytes(4, "big") for n in values.shape)
    content = head + values.astype(np.dtype(_DTYPES[code]), copy=False).tobytes()
    if text(path).endswith(".gz"):
        import gzip

        content = gzip.compress(content, mtime=0)
    write_file(path, content)


def load_idx(folder: PathLike) -> tuple[tuple[Images, Labels], tuple[Images, Labels]]:
    """Load MNIST, Fashion-MNIST or any set in their four IDX files.

    The names are the usual ones: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`, `t10k-images-idx3-ubyte`,
    `t10k-labels-idx1-ubyte`; also with a dot (`train-images.idx3-ubyte`), with `test` for `t10k`, and with `.gz`. A
    plain file goes before its compressed twin.

    Args:
        folder: where the four files are.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: images uint8 (N, H, W, 1), labels int64 (N,), in the files' order.

    Raises:
        FileNotFoundError: the folder or one of the files is missing.
        NotADirectoryError: `folder` is a file.
        OSError: a file is damaged, or the files do not fit together; the message names it.
    """
    folder = Path(folder)
    if not folder.exists():
        raise FileNotFoundError(f"load_idx: there is no folder {folder}")
    if not folder.is_dir():
        raise NotADirectoryError(f"load_idx expects the folder with the four files, got the file {folder}")
    # Every file is found before the first is read: reading takes seconds.
    paths = [
        (_find(folder, names, "images", 3), _find(folder, names, "labels", 1))
        for names in (("train",), ("t10k", "test"))
    ]
    (x_train, y_train), (x_test, y_test) = (_read_pair(images, labels) for images, labels in paths)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise OSError(
            f"{paths[1][0]} holds images of {x_test.shape[1]}x{x_test.shape[2]}, {paths[0][0]} of "
            f"{x_train.shape[1]}x{x_train.shape[2]}"
        )
    return (x_train, y_train), (x_test, y_test)


def _find(folder: Path, parts: tuple[str, ...], what: str, axes: int) -> Path:
    names = [f"{part}-{what}{mark}idx{axes}-ubyte{end}" for end in ("", ".gz") for part in parts for mark in ("-", ".")]
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"load_idx: {folder} has no {names[0]}[.gz] (looked for {', '.join(names)})")


def _read_pair(images_path: Path, labels_path: Path) -> tuple[Images, Labels]:
    labels = read_idx(labels_path)
    if labels.ndim != 1 or labels.dtype.kind not in "iu":
        raise OSError(f"{labels_path} should hold integer labels of one axis, but holds {_describe(labels)}")
    images = read_idx(images_path)
    if images.ndim != 3 or images.dtype != np.uint8:
        raise OSError(f"{images_path} should hold uint8 images of three axes, but holds {_describe(images)}")
    if images.size == 0:
        raise OSError(f"{images_path} holds no pixels: its shape is {images.shape}")
    if len(images) != len(labels):
        raise OSError(f"{images_path} holds {len(images)} images and {labels_path} {len(labels)} labels")
    return images[..., np.newaxis], labels.astype(np.int64)


def _describe(array: NDArray[Any]) -> str:
    return f"{array.dtype} of shape {array.shape}"
