"""Find the images of a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

EXTENSIONS = (".bmp", ".dcm", ".dicom", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff")
_WHAT = "image_dataset_from_directory"


def check_folder(directory: Path, what: str = _WHAT) -> None:
    """FileNotFoundError or NotADirectoryError unless `directory` is a folder."""
    if not directory.exists():
        raise FileNotFoundError(f"{what}: there is no folder {directory}")
    if not directory.is_dir():
        raise NotADirectoryError(f"{what} expects a folder, got the file {directory}")


def list_classes(
    directory: Path, class_names: Sequence[str] | None, follow_links: bool
) -> tuple[list[str], list[list[str]]]:
    """The classes of a folder with one folder a class, and the files of each, sorted.

    Raises:
        ValueError: there are no class folders, a named one is missing, or one holds no images.
    """
    folders = sorted(entry.name for entry in directory.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    if not folders:
        raise ValueError(
            f"{_WHAT}: {directory} has no folders, and labels='inferred' takes each folder as a class; put the images "
            "of each class in a folder, or pass labels=None or a list of labels"
        )
    if class_names is not None:
        if isinstance(class_names, str) or len(set(class_names)) != len(class_names) or not len(class_names):
            raise ValueError(f"{_WHAT} expects class_names to be a list of different names, got {class_names!r}")
        missing = [name for name in class_names if name not in folders]
        if missing:
            raise ValueError(
                f"{_WHAT}: {directory} has no folder for {_names(missing)} of class_names; it has {_names(folders)}"
            )
        folders = list(class_names)
    files = [list_images(directory / name, follow_links) for name in folders]
    empty = [name for name, found in zip(folders, files, strict=True) if not found]
    if len(empty) == len(folders):
        raise _no_images(directory)
    if empty:
        raise ValueError(
            f"{_WHAT}: the folder{'s' * (len(empty) > 1)} {_names(empty)} of {directory} hold{'s' * (len(empty) == 1)} "
            f"no image ({', '.join(EXTENSIONS)}); leave {'them' if len(empty) > 1 else 'it'} out with class_names"
        )
    return folders, files


def list_flat(directory: Path, follow_links: bool, what: str = _WHAT) -> list[str]:
    """All images below a folder, sorted; ValueError if there are none."""
    files = list_images(directory, follow_links)
    if not files:
        raise _no_images(directory, what)
    return files


def list_images(folder: Path, follow_links: bool) -> list[str]:
    """All images below a folder, sorted by path; hidden files and folders are left out."""
    found = []
    visited = set()
    for root, folders, files in os.walk(folder, followlinks=follow_links):
        if follow_links:  # a link may lead back to a folder above it
            real = os.path.realpath(root)
            if real in visited:
                folders.clear()
                continue
            visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [
            os.path.join(root, name) for name in files if name.lower().endswith(EXTENSIONS) and not name.startswith(".")
        ]
    return sorted(found)


def _no_images(directory: Path, what: str = _WHAT) -> ValueError:
    others = sorted({Path(name).suffix or name for _, _, files in os.walk(directory) for name in files})
    seen = f"; it holds {_names(others)} files" if others else "; it is empty"
    return ValueError(f"{what} found no image in {directory} ({', '.join(EXTENSIONS)}){seen}")


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
