"""Data that are decoded once into files and mapped into memory from then on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from striate._data import Data
from striate._files import write_file
from striate._reading import ahead_of
from striate._rows import Batch, Row, Rows
from striate.data._files import check_path
from striate.data.dataset import ImageDataset
from striate.data.detection import DetectionDataset
from striate.data.targets import Target

_STATE = "cache.json"
_FORMAT = 1
_BATCH = 64  # rows that are decoded together
_EVERY = 2.0  # seconds between two notes of how far it is


def cache(source: Any, folder: str | os.PathLike[str]) -> ImageDataset | DetectionDataset:
    """Decode a source once into `.npy` files and return a data set of memory-mapped arrays.

    Training on the result decodes no images: the operating system reads the rows of each batch from the files and
    caches them in free memory, which several processes share. If the call is interrupted, the same call resumes it.
    If another process is writing the same folder, the call waits. NumPy reads the files too:
    `images.npy`, and `labels.npy` or, for boxes, `boxes.npy`, `box_labels.npy`, `box_ignored.npy` and `box_ends.npy`.

    ::

        data = st.data.image_dataset_from_directory("flowers", image_size=(64, 64), in_memory=False)
        model.fit(st.data.cache(data, "flowers-64"))

    Args:
        source: a data set of files, with `in_memory=False`, or `striate.data.rows(...)`, whose rows have one input and
            no sample weights. An existing cache is reused if the source is the same: for files, if their names, sizes,
            times and reading options are equal; for other rows, if their number, first row and last row are equal.
        folder: the folder for the files; it is created if it does not exist.

    Returns:
        An `ImageDataset` with the class names and files of the source, or for boxes a `DetectionDataset`, whose arrays
        are memory maps, read-only.

    Raises:
        TypeError: the source is not of these kinds.
        ValueError: the folder holds the cache of other data.
        OSError: a row cannot be read, or a file cannot be written.
    """
    rows = source if isinstance(source, Rows) else getattr(source, "rows", None)
    if not isinstance(rows, Rows):
        raise TypeError(
            "cache expects a data set made with in_memory=False, or striate.data.rows(...), got "
            f"{type(source).__name__}"
        )
    place = check_path(folder, "cache")
    first = rows.read([0])[0]
    if first.weight is not None or isinstance(first.x, (Mapping, tuple, list)):
        raise ValueError(f"cache: rows must have one input and no sample weight; those of the {rows.kind} have others")
    place.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        store = _Store(place, rows, first)
        if store.done < len(rows):
            store.fill()
        return store.dataset(source)


class _Store:
    """The files of a cache.

    Args:
        folder: where they are.
        rows: what is kept in them.
        first: the first row.
    """

    def __init__(self, folder: Path, rows: Rows, first: Row) -> None:
        self._folder, self._rows, self._first = folder, rows, first
        self._boxes = isinstance(first.y, tuple)
        self._key = _key_of(rows, first)
        self.done, self._objects = 0, 0
        state = self._state()
        if state is not None:
            self.done, self._objects = int(state["done"]), int(state["objects"])

    def _state(self) -> dict[str, Any] | None:
        """What is noted of the files; None where there are none."""
        path = self._folder / _STATE
        if not path.exists():
            other = next((name for name in self._names() if (self._folder / name).exists()), None)
            if other is not None:
                raise ValueError(
                    f"cache: {self._folder / other} exists and does not belong to a cache; take another folder"
                )
            return None
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            known = state["format"] == _FORMAT and isinstance(state["done"], int) and isinstance(state["objects"], int)
        except (ValueError, KeyError, TypeError):
            known = False
        if not known:
            raise ValueError(f"cache: {path} is damaged, or of another version; remove the folder")
        if state["key"] != self._key:
            raise ValueError(
                f"cache: {self._folder} holds other data than the {self._rows.kind} gives now: other files or rows, or "
                "read in another way; remove the folder, or take another one"
            )
        return state  # type: ignore[no-any-return]

    def _names(self) -> list[str]:
        if self._boxes:
            return ["images.npy", "boxes.npy", "box_labels.npy", "box_ignored.npy", "box_ends.npy"]
        return ["images.npy"] + (["labels.npy"] if self._first.y is not None else [])

    def fill(self) -> None:
        """Decode the rows that are not there yet."""
        first = Row(self._first.x, self._first.y)
        ahead = ahead_of(
            self._rows,
            lambda x, y, weight: Data([x], [y], []),
            lambda capacity: Batch(first, capacity, 1, 1, {0} if self._boxes else set()),
            np.arange(self.done, len(self._rows)),
            _BATCH,
            None,
        )
        noted = time.monotonic()
        with contextlib.ExitStack() as stack:
            stack.callback(ahead.close)
            files = self._open(stack)
            try:
                while (batch := ahead.next()) is not None:
                    self._append(files, batch)
                    if time.monotonic() - noted > _EVERY:
                        self._note(files)
                        noted = time.monotonic()
            finally:
                self._note(files)

    def _parts(self, x: Any, y: Any) -> dict[str, NDArray[Any]]:
        """What goes to each file for a batch."""
        if not self._boxes:
            return {"images.npy": x} | ({} if y is None else {"labels.npy": y})
        counts = [len(target[1]) for target in y]
        marks = [target[2] if len(target) > 2 else np.zeros(len(target[1]), np.bool_) for target in y]
        return {
            "images.npy": x,
            "boxes.npy": np.concatenate([np.asarray(target[0], np.float32).reshape(-1, 4) for target in y]),
            "box_labels.npy": np.concatenate([np.asarray(target[1], np.int64) for target in y]),
            "box_ignored.npy": np.concatenate([np.asarray(mark, np.bool_) for mark in marks]),
            "box_ends.npy": self._objects + np.cumsum(counts, dtype=np.int64),
        }

    def _open(self, stack: contextlib.ExitStack) -> dict[str, BinaryIO]:
        """The files, cut back to the rows that are whole."""
        files: dict[str, BinaryIO] = {}
        like = self._parts(np.asarray(self._first.x)[np.newaxis], self._like_y())
        for name, part in like.items():
            path = self._folder / name
            files[name] = file = stack.enter_context(open(path, "r+b" if path.exists() else "w+b"))
            count = self._objects if name.startswith("box") and name != "box_ends.npy" else self.done
            header = _header(part, len(self._rows) if name in ("images.npy", "labels.npy", "box_ends.npy") else 0)
            file.truncate(len(header) + count * part[:1].nbytes if count else 0)
            file.seek(0)
            file.write(header)
            file.seek(0, os.SEEK_END)
        return files

    def _like_y(self) -> Any:
        if self._first.y is None:
            return None
        if not self._boxes:
            return np.asarray(self._first.y)[np.newaxis]
        return [(np.zeros((1, 4)), np.zeros(1), np.zeros(1))]  # a row of each file

    def _append(self, files: dict[str, BinaryIO], batch: Data) -> None:
        parts = self._parts(batch.inputs[0], batch.targets[0])
        for name, part in parts.items():
            files[name].write(np.ascontiguousarray(part).data)
        self.done += len(batch.inputs[0])
        if self._boxes:
            self._objects += len(parts["boxes.npy"])

    def _note(self, files: dict[str, BinaryIO]) -> None:
        """Note how many rows are there, once they are on the disk."""
        for name, file in files.items():
            if self.done == len(self._rows) and name.startswith("box") and name != "box_ends.npy":
                like = self._parts(np.asarray(self._first.x)[np.newaxis], self._like_y())[name]
                file.seek(0)
                file.write(_header(like, self._objects))  # as long as before: headers are padded
            file.flush()
            os.fsync(file.fileno())
        state = {"format": _FORMAT, "key": self._key, "done": self.done, "objects": self._objects}
        write_file(self._folder / _STATE, json.dumps(state).encode())

    def dataset(self, source: Any) -> ImageDataset | DetectionDataset:
        """The data set of the files."""
        arrays = {name: _mapped(self._folder / name) for name in self._names()}
        names = list(getattr(source, "class_names", []))
        paths = list(getattr(source, "file_paths", getattr(self._rows, "file_paths", [])))
        window = getattr(source, "default_window", None)
        if not self._boxes:
            labels = arrays.get("labels.npy")
            return ImageDataset(arrays["images.npy"], labels, names, paths, default_window=window)
        ends = arrays["box_ends.npy"].tolist()
        targets = []
        for start, end in zip([0, *ends[:-1]], ends, strict=True):
            boxes = np.array(arrays["boxes.npy"][start:end])
            ignored = np.array(arrays["box_ignored.npy"][start:end])
            areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1, dtype=np.float64)
            labels = np.array(arrays["box_labels.npy"][start:end])
            targets.append(Target(boxes, labels, np.zeros_like(ignored), ignored, areas))
        return DetectionDataset(arrays["images.npy"], targets, names, paths, {}, [], (), window)


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r")
    return array


def _header(like: NDArray[Any], count: int) -> bytes:
    """The start of a file of `count` such rows, of the same length for any number."""
    fields = {
        "descr": np.lib.format.dtype_to_descr(like.dtype),
        "fortran_order": False,
        "shape": (count, *like.shape[1:]),
    }
    text = repr(fields).encode("latin1")
    total = 10 + len(repr({**fields, "shape": (2**62, *like.shape[1:])})) + 1
    total += -total % 64
    return b"\x93NUMPY\x01\x00" + (total - 10).to_bytes(2, "little") + text.ljust(total - 11) + b"\n"


def _key_of(rows: Rows, first: Row) -> str:
    """Tells the data from others."""
    digest = hashlib.sha256()
    key = rows.key()
    if key is None:
        key = f"{rows.kind} {len(rows)}"
        for row in (first, rows.read([len(rows) - 1])[0]):
            for value in (row.x, *(row.y if isinstance(row.y, tuple) else (row.y,))):
                array = np.asarray(value)
                digest.update(repr((array.dtype.str, array.shape)).encode() + array.tobytes())
    digest.update(key.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; others wait. Windows has no such lock here."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with open(folder / "lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # the system frees it when the process ends
        yield
