"""VocDetection on any XML file and list of names: documented errors only, and boxes that keep the rule.

    python tests/fuzz/fuzz_voc.py [libFuzzer flags] CORPUS_DIR

An input that begins with "<" is an annotation, one that begins with "#" a list in ImageSets; of any other the bytes
choose the values of an annotation's fields.
"""

from __future__ import annotations

import atheris
import numpy as np
from PIL import Image
from python_target import documented, fuzz, scratch

with atheris.instrument_imports(include=["striate.data"], enable_loader_override=False):
    from striate.data import VocDetection

FOLDER = scratch()
for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
    (FOLDER / name).mkdir(parents=True)
Image.fromarray(np.full((6, 8), 1, np.uint8)).save(FOLDER / "JPEGImages" / "a.png")
Image.fromarray(np.full((6, 8), 2, np.uint8)).save(FOLDER / "JPEGImages" / "b 1.JPG")
XML, LIST = FOLDER / "Annotations" / "a.xml", FOLDER / "ImageSets" / "Main" / "train.txt"
(FOLDER / "Annotations" / "b 1.xml").write_text("<annotation/>")
BOX = ("xmin", "ymin", "xmax", "ymax")
TEXTS = [
    "0", "1", "2", "6", "8", "", " ", "3.5", "-4", "1e999", "nan", "inf", "9" * 400, "1_0", "x", "Unspecified", "True",
    "false", "٣", "&#55296;", "&amp;", "<a/>", "a", "b 1", "0x1", "+1", "1e308", "-1e308", ".5", "5.",
]  # fmt: skip


def built(data: atheris.FuzzedDataProvider) -> bytes:
    """An annotation of a few objects."""

    def field(name: str, inner: str | None = None) -> str:
        if not data.ConsumeIntInRange(0, 9):
            return ""
        inner = data.PickValueInList(TEXTS) if inner is None else inner
        return f"<{name}>{inner}</{name}>"

    text = field("filename") + field("size", field("width") + field("height"))
    for _ in range(data.ConsumeIntInRange(0, 3)):
        box = field("bndbox", "".join(field(name) for name in BOX))
        text += field("object", field("name") + field("difficult") + box + field("robndbox", ""))
    head = data.PickValueInList(["", '<?xml version="1.0" encoding="gb2312"?>', "<!DOCTYPE a>"])
    return f"{head}{field('annotation', text)}".encode()


def one_input(content: bytes) -> None:
    listed = content[:1] == b"#"
    LIST.write_bytes(content[1:] if listed else b"a\n")
    if listed:
        XML.write_bytes(b"<annotation/>")
    elif content[:1] == b"<" or content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        XML.write_bytes(content)
    else:
        XML.write_bytes(built(atheris.FuzzedDataProvider(content)))
    for split, skip_bad in (("train", False), ("train", True), (None, True)):
        with documented(ValueError, OSError):
            data = VocDetection(FOLDER, split, skip_bad=skip_bad, color_mode="grayscale")
            for image, (boxes, labels) in zip(data.images, data.targets, strict=True):
                height, width = image.shape[:2]
                assert np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()
                assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
                assert ((labels >= 0) & (labels < len(data.class_names))).all()
            assert skip_bad or not data.skipped
            assert all(path.startswith(f"{FOLDER}/JPEGImages/") and "/../" not in path for path in data.file_paths)


if __name__ == "__main__":
    fuzz(one_input)
