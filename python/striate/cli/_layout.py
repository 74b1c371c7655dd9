"""Which task the files of a folder are laid out for, so that data of another task are refused with a hint."""

from __future__ import annotations

from pathlib import Path

from striate.cli._dataset import part_folders
from striate.data.listing import is_picture

_PICTURES = ("images", "image", "imgs", "img", "jpegimages")
_MASKS = ("masks", "mask", "labels", "label", "segmentationclass", "annotations", "gt")
_NEEDS = {
    "classify": "a folder of pictures for each class",
    "segment": "images/ and masks/ with files of the same names",
    "detect": "Annotations/ and JPEGImages/ (Pascal VOC), or a COCO file beside the pictures",
}


def check_layout(data: str, task: str) -> None:
    """Refuse a folder that is laid out for another task.

    Raises:
        ValueError: it is; the message names the task that fits.
    """
    place = Path(data)
    if not place.is_dir():
        return
    below = part_folders(place)
    folder = below["train"] or below["validation"] or below["test"] or place
    if task == "segment" and (_has(place, "images") or _has(folder, "images")):
        return
    fits = _task_of(folder) or (_task_of(place) if folder != place else None)
    if fits is None or fits[0] == task:
        return
    other, why = fits
    if other == "yolo":
        raise ValueError(
            f"{folder} {why}, the layout of YOLO, which is not read; write the boxes as a COCO file or as Pascal VOC "
            f"(--task detect needs {_NEEDS['detect']})"
        )
    raise ValueError(f"{folder} {why}: give --task {other}; --task {task} needs {_NEEDS[task]}")


def _task_of(folder: Path) -> tuple[str, str] | None:
    """The task, and what in the folder says so."""
    names = {path.name.lower(): path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")}
    files = [path for path in folder.iterdir() if path.is_file()]
    endings = {path.suffix.lower() for path in files}
    pictures = next((names[name] for name in _PICTURES if name in names), None)
    if pictures is not None:
        for name in _MASKS:
            marks = names.get(name)
            found = set() if marks is None else {path.suffix.lower() for path in marks.iterdir() if path.is_file()}
            if marks is not None and ".xml" in found:
                return "detect", f"has {pictures.name}/ and {marks.name}/ with XML files"
            if marks is not None and ".txt" in found:
                return "yolo", f"has {pictures.name}/ and {marks.name}/ with text files"
            if marks is not None and any(is_picture(str(path)) for path in _some(marks)):
                return "segment", f"has {pictures.name}/ and {marks.name}/ with pictures"
    if ".json" in endings and (pictures is not None or any(is_picture(str(path)) for path in files)):
        return "detect", f"has pictures and {next(path.name for path in files if path.suffix.lower() == '.json')}"
    if ".xml" in endings:
        return "detect", "has XML files beside its pictures"
    classes = [path.name for path in names.values() if any(is_picture(str(one)) for one in _some(path))]
    if len(classes) > 1 and not {name.lower() for name in classes} & {*_PICTURES, *_MASKS}:
        return "classify", f"has folders of pictures ({', '.join(sorted(classes)[:4])}{', ...' * (len(classes) > 4)})"
    return None


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_dir()


def _some(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir())[:50] if path.is_file()]
