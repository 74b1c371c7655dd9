"""Files that `striate predict` writes: tables, and boxes in the formats of COCO and Pascal VOC."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import striate as st
from striate._files import write_file


class Source(NamedTuple):
    """A picture that was predicted.

    Attributes:
        path: its file.
        name: the file within the folder that was given, or its name where a file was given; with "/" between folders.
        size: (height, width) of the file.
        channels: of the file: 1 or 3.
    """

    path: str
    name: str
    size: tuple[int, int]
    channels: int


def within(folder: Path, source: Source, ending: str) -> Path:
    """The file for a picture in a folder of results, laid out as the pictures are."""
    return folder / PurePath(source.name).with_suffix(ending)


def check_names(sources: Sequence[Source], what: str) -> None:
    """Check that no two pictures give the same name of a result file.

    Raises:
        ValueError: two pictures give the same name.
    """
    seen: dict[str, str] = {}
    for source in sources:
        stem = str(PurePath(source.name).with_suffix(""))
        if stem in seen:
            raise ValueError(
                f"{what} names files by their pictures, and two pictures have the same name: {seen[stem]} and "
                f"{source.path}"
            )
        seen[stem] = source.path


def write_csv(file: Path, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Write a table, with commas, in UTF-8."""
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    _write(file, text.getvalue())


def write_coco(file: Path, sources: Sequence[Source], objects: Sequence[Any], class_names: Sequence[str]) -> None:
    """Write boxes as a COCO file: images, categories, and annotations with a score each.

    Args:
        file: what to write.
        sources: the pictures.
        objects: of each, a list of {"class", "score", "box"}, boxes as x1, y1, x2, y2 in pixels of the file.
        class_names: the categories; their ids count from 1.
    """
    content: dict[str, Any] = {
        "info": {"description": f"detections of striate {st.__version__}"},
        "images": [],
        "annotations": [],
        "categories": [{"id": number, "name": name} for number, name in enumerate(class_names, 1)],
    }
    for number, (source, found) in enumerate(zip(sources, objects, strict=True), 1):
        height, width = source.size
        content["images"].append({"id": number, "file_name": source.name, "height": height, "width": width})
        for one in found:
            x1, y1, x2, y2 = one["box"]
            box = [x1, y1, round(x2 - x1, 2), round(y2 - y1, 2)]
            content["annotations"].append(
                {
                    "id": len(content["annotations"]) + 1,
                    "image_id": number,
                    "category_id": class_names.index(one["class"]) + 1,
                    "bbox": box,
                    "area": round(box[2] * box[3], 2),
                    "iscrowd": 0,
                    "score": round(one["score"], 5),
                }
            )
    _write(file, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def write_voc(folder: Path, sources: Sequence[Source], objects: Sequence[Any]) -> None:
    """Write an XML file for each picture, as Pascal VOC has it: whole pixels that count from 1, and the last one is
    included."""
    for source, found in zip(sources, objects, strict=True):
        root = ElementTree.Element("annotation")
        ElementTree.SubElement(root, "filename").text = PurePath(source.name).name
        size = ElementTree.SubElement(root, "size")
        for name, value in (("width", source.size[1]), ("height", source.size[0]), ("depth", source.channels)):
            ElementTree.SubElement(size, name).text = str(value)
        for one in found:
            entry = ElementTree.SubElement(root, "object")
            ElementTree.SubElement(entry, "name").text = one["class"]
            ElementTree.SubElement(entry, "difficult").text = "0"
            ElementTree.SubElement(entry, "score").text = f"{one['score']:.5f}"
            box = ElementTree.SubElement(entry, "bndbox")
            x1, y1, x2, y2 = (round(side) for side in one["box"])
            for name, side in (
                ("xmin", x1 + 1),
                ("ymin", y1 + 1),
                ("xmax", max(x2, x1 + 1)),
                ("ymax", max(y2, y1 + 1)),
            ):
                ElementTree.SubElement(box, name).text = str(side)
        ElementTree.indent(root)
        _write(within(folder, source, ".xml"), ElementTree.tostring(root, encoding="unicode") + "\n")


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    # File names that are not UTF-8 hold surrogates.
    write_file(file, text.encode(errors="backslashreplace"), flush=False)
