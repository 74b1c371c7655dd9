"""Folders of pictures with annotations, written for tests."""

import json

import numpy as np
from PIL import Image

BOX = "<bndbox><xmin>1</xmin><ymin>1</ymin><xmax>9</xmax><ymax>9</ymax></bndbox>"
CAT = f"<object><name>cat</name>{BOX}</object>"


def picture(path, height=20, width=30, **options):
    """A grey picture at `path`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path, **options)
    return path


def voc(root, annotations, pictures=(), split=None, folders=("Annotations", "JPEGImages")):
    """XML files by stem, pictures by name, and lists in ImageSets/Main by name."""
    for stem, xml in annotations.items():
        path = root / folders[0] / f"{stem}.xml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"<annotation>{xml}</annotation>")
    for name in pictures or [f"{stem}.jpg" for stem in annotations]:
        picture(root / folders[1] / name)
    for name, lines in (split or {}).items():
        path = root / "ImageSets" / "Main" / f"{name}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
    return root


def coco(root, image=(), annotation=(), category=(), drop=(), **more):
    """The folder and the file of one picture with one box, changed; `more` are further entries of the three lists."""
    picture(root / "a.jpg")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 8, 9], "area": 72, "iscrowd": 0}
    content = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 30, "height": 20, **dict(image)}],
        "categories": [{"id": 1, "name": "c", **dict(category)}],
        "annotations": [{**box, **dict(annotation)}],
    }
    for key, entries in more.items():
        content[key] += entries
    for key in drop:
        del content[key]
    (root / "a.json").write_text(json.dumps(content))
    return root, root / "a.json"
