"""Where the annotations and pictures of a folder in VOC's format are."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from striate.data._files import inside
from striate.data.listing import check_folder, is_picture, stem_of

ANNOTATIONS = ("Annotations", "annotations")
PICTURES = ("JPEGImages", "images", "Images")
_LISTS = (("ImageSets", "Main"), ("ImageSets",))
_MARKS = ("-1", "0", "1")  # second column of the lists of single classes


class VocLayout:
    """The files of a folder.

    Attributes:
        annotations: the XML files by their names without the ending, with "/" between folders; sorted.
        pictures: the folder that holds the pictures.
    """

    def __init__(self, root: Path, what: str) -> None:
        """Look for `Annotations` and `JPEGImages` (or `images`); without them XML files and pictures are side by side.

        Raises:
            FileNotFoundError, NotADirectoryError: the folder does not exist.
        """
        check_folder(root, what)
        self._what, self._root = what, root
        below = _subfolder(root, ANNOTATIONS)
        self._place = below or root
        files = _files(self._place)
        self.annotations = {stem_of(path, self._place): path for path in files if path.suffix.lower() == ".xml"}
        if below is None and not self.annotations:
            raise FileNotFoundError(f"{what}: {root} has no folder {ANNOTATIONS[0]} and no XML files")
        self.pictures = _subfolder(root, PICTURES) or self._place
        self._by_stem: dict[str, list[Path]] = {}
        for path in files if self.pictures == self._place else _files(self.pictures):
            if path.suffix.lower() != ".xml" and is_picture(str(path)):
                self._by_stem.setdefault(stem_of(path, self.pictures), []).append(path)

    def split(self, name: str) -> list[str]:
        """The names of a list in ImageSets/Main or ImageSets.

        Raises:
            FileNotFoundError: the list does not exist.
            OSError: it is not UTF-8.
        """
        paths = [self._root.joinpath(*parts, f"{name}.txt") for parts in _LISTS]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise FileNotFoundError(
                f"{self._what}: there is no {paths[0]} for split {name!r}; split=None reads every image that has an "
                "annotation"
            )
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines()
        except UnicodeDecodeError as error:
            raise OSError(f"{self._what}: {path} is not UTF-8: {error}") from None
        return [self._named(line.strip()) for line in lines if line.strip()]

    def picture(self, stem: str, named: str | None) -> str:
        """The picture of an annotation.

        Args:
            stem: the annotation's name.
            named: the file that it names; it decides between several of that stem, and is taken where there is none.

        Raises:
            ValueError: there are several.
        """
        found = self._by_stem.get(stem, [])
        if len(found) > 1:
            exact = [path for path in found if path.name == named]
            if len(exact) != 1:
                raise ValueError(f"{self._what}: two images for the annotation {stem}.xml: {found[0]} and {found[1]}")
            return str(exact[0])
        if found:
            return str(found[0])
        if named:
            other = self.pictures / named.replace("\\", "/").rsplit("/", 1)[-1]
            if other.is_file():
                return str(other)
        return str(self.pictures / f"{stem}.jpg")  # the error of reading it names it

    def unused(self, used: Iterable[str]) -> list[tuple[str, str]]:
        """(file, reason) of the pictures that are not used."""
        known = set(used)
        rest = [str(path) for paths in self._by_stem.values() for path in paths if str(path) not in known]
        return [(path, "it has no annotation") for path in sorted(rest)]

    def xml(self, stem: str) -> Path:
        """The annotation of a name, also where it does not exist.

        Raises:
            ValueError: the name leads out of the folder.
        """
        return self.annotations.get(stem) or inside(self._place, f"{stem}.xml")

    def _named(self, line: str) -> str:
        """The name in a line: names may have spaces, an ending (VoTT), and a mark of 1, 0 or -1 behind them."""
        words = line.rsplit(maxsplit=1)
        marked = words[0] if len(words) == 2 and words[1] in _MARKS else line
        for name in (line, marked, line.rpartition(".")[0], marked.rpartition(".")[0]):
            if name in self.annotations:
                return name
        return marked


def _subfolder(root: Path, names: Iterable[str]) -> Path | None:
    return next((root / name for name in names if (root / name).is_dir()), None)


def _files(folder: Path) -> list[Path]:
    """All files below a folder that are not hidden, sorted."""
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(root, name) for name in names if not name.startswith(".")]
    return sorted(found)


def _raise(error: OSError) -> None:
    raise error
