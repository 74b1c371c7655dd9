"""Find the pictures of a folder: by their endings, and DICOM files also by their content."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from striate.data.dicom import has_dicom_content

EXTENSIONS = (
    ".bmp",
    ".dcm",
    ".dib",
    ".dicom",
    ".gif",
    ".j2k",
    ".jfif",
    ".jp2",
    ".jpe",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".pnm",
    ".ppm",
    ".tga",
    ".tif",
    ".tiff",
    ".webp",
)
# Files that are usual beside pictures and are not pictures: there is no warning for them.
_OTHER_FILES = (
    ".cfg .csv .db .doc .docx .gz .htm .html .ini .ipynb .json .jsonl .log .md .md5 .npy .npz .pbtxt .pdf .pkl .py "
    ".rst .safetensors .sh .sha256 .tar .toml .tsv .txt .xlsx .xml .yaml .yml .zip"
).split()
_OTHER_NAMES = ("dicomdir", "license", "licence", "readme", "makefile")
_WHAT = "image_dataset_from_directory"

Reasons = list[tuple[str, str]]


class Found(NamedTuple):
    """Attributes:
    files: the pictures, sorted by path.
    unused: (file, reason) of all other files that are not hidden.
    """

    files: list[str]
    unused: Reasons


def check_folder(directory: Path, what: str = _WHAT) -> None:
    """FileNotFoundError or NotADirectoryError unless `directory` is a folder."""
    if not directory.exists():
        raise FileNotFoundError(f"{what}: there is no folder {directory}")
    if not directory.is_dir():
        raise NotADirectoryError(f"{what} expects a folder, got the file {directory}")


def find_images(folder: str | os.PathLike[str], follow_links: bool) -> Found:
    """All pictures below a folder. A file is one if its ending is in `EXTENSIONS`, or if its content is DICOM.

    Hidden files and folders are left out. Without `follow_links`, links to folders are listed in `unused`.

    Raises:
        OSError: a folder cannot be read.
    """
    files: list[str] = []
    unused: Reasons = []
    visited = set()
    for root, folders, names in os.walk(folder, followlinks=follow_links, onerror=_raise):
        if follow_links:  # a link may lead back to a folder above it
            real = os.path.realpath(root)
            if real in visited:
                unused.append((root, "the link leads to a folder that is read already"))
                folders.clear()
                continue
            visited.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if not follow_links:
            links = [os.path.join(root, name) for name in folders if os.path.islink(os.path.join(root, name))]
            unused += [(path, "a link to a folder; follow_links=True reads it") for path in links]
        for name in names:
            if name.startswith("."):
                continue
            path = os.path.join(root, name)
            if is_picture(path):
                files.append(path)
            else:
                unused.append((path, "its ending is none of a picture that is read, and it is not a DICOM file"))
    return Found(sorted(files), sorted(unused))


def is_picture(path: str) -> bool:
    """Whether a file is read as a picture, by its ending or as DICOM by its content."""
    name = os.path.basename(path).lower()
    if name.endswith(EXTENSIONS):
        return True
    if name in _OTHER_NAMES or os.path.splitext(name)[1] in _OTHER_FILES:
        return False
    try:
        return has_dicom_content(Path(path))
    except (OSError, ValueError):
        return False


def stem_of(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """A file's name within a folder, with "/" between folders, without the ending of a picture or annotation.

    The numbers of a DICOM name, such as 1.2.840.5, have no ending.
    """
    name = Path(os.path.relpath(path, folder)).as_posix()
    start, ending = os.path.splitext(name)
    return start if ending.lower() in (*EXTENSIONS, ".xml") else name


def list_classes(
    directory: Path, class_names: Sequence[str] | None, follow_links: bool
) -> tuple[list[str], list[list[str]], Reasons]:
    """The classes of a folder with one folder for each class, the files of each, sorted, and the files that are not
    used.

    Raises:
        ValueError: there are no class folders, a named one is missing, or one holds no images.
    """
    entries = [entry for entry in sorted(directory.iterdir()) if not entry.name.startswith(".")]
    folders = [entry.name for entry in entries if entry.is_dir()]
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
    strange = [name for name in folders if not _is_text(name)]
    if strange:
        raise ValueError(
            f"{_WHAT}: the folder {strange[0]!r} of {directory} is a class, but its name is not UTF-8; rename it"
        )
    found = [find_images(directory / name, follow_links) for name in folders]
    empty = [name for name, some in zip(folders, found, strict=True) if not some.files]
    if len(empty) == len(folders):
        raise _no_images(directory)
    if empty:
        raise ValueError(
            f"{_WHAT}: the folder{'s' * (len(empty) > 1)} {_names(empty)} of {directory} hold{'s' * (len(empty) == 1)} "
            f"no image ({', '.join(EXTENSIONS)}); leave {'them' if len(empty) > 1 else 'it'} out with class_names"
        )
    unused = [(str(entry), "it is in no folder of a class") for entry in entries if entry.is_file()]
    return folders, [some.files for some in found], [*unused, *(one for some in found for one in some.unused)]


def list_flat(directory: Path, follow_links: bool, what: str = _WHAT) -> Found:
    """All images below a folder, sorted; ValueError if there are none."""
    found = find_images(directory, follow_links)
    if not found.files:
        raise _no_images(directory, what)
    return found


def warn_unused(unused: Reasons, what: str) -> None:
    """Warn of files that may be pictures and are not read. Texts, tables and the like are passed over in silence."""
    strange = [path for path, _ in unused if not _is_known(path)]
    if strange:
        kinds = Counter(os.path.splitext(path)[1].lower() or "without an ending" for path in strange)
        shown = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(8))
        reason = dict(unused)[strange[0]]
        warnings.warn(
            f"{what}: {len(strange)} files are not read ({shown}); the first: {strange[0]}: {reason}; "
            "the data set's `unused` lists them",
            stacklevel=3,
        )


def _is_known(path: str) -> bool:
    name = os.path.basename(path).lower()
    return name in _OTHER_NAMES or os.path.splitext(name)[1] in _OTHER_FILES


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _raise(error: OSError) -> None:
    raise error


def _no_images(directory: Path, what: str = _WHAT) -> ValueError:
    others = sorted({Path(name).suffix or name for _, _, files in os.walk(directory) for name in files})
    seen = f"; it holds {_names(others)} files" if others else "; it is empty"
    return ValueError(f"{what} found no image in {directory} ({', '.join(EXTENSIONS)}){seen}")


def _names(names: Sequence[str], most: int = 8) -> str:
    shown = ", ".join(repr(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
