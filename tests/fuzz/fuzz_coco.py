"""CocoDetection on any JSON file: documented errors only, and boxes that keep the rule.

    python tests/fuzz/fuzz_coco.py [libFuzzer flags] CORPUS_DIR

An input that begins with "{" or a space is the file; of any other the bytes choose the values of its fields.
"""

from __future__ import annotations

import json
from typing import Any

import atheris
import numpy as np
from PIL import Image
from python_target import documented, fuzz, scratch

with atheris.instrument_imports(include=["striate.data"], enable_loader_override=False):
    from striate.data import CocoDetection

FOLDER = scratch()
for number in range(3):
    Image.fromarray(np.full((6, 8), number, np.uint8)).save(FOLDER / f"{number}.png")
(FOLDER / "cut.png").write_bytes((FOLDER / "0.png").read_bytes()[:40])
FILE = FOLDER / "boxes.json"
NAMES = ["0.png", "1.png", "2.png", "cut.png", "no.png", "../0.png", "/dev/zero", "", "a\0b", "\ud800", "0\\1.png", "."]
COUNTS = ["0", "PPYo1", "~~", "o" * 20, [3, 4, 41], [48], [], [-1, 49], None]
ODD = [
    None, True, False, -1, 0, 0.5, 1e308, -1e308, float("inf"), float("nan"), 10**400, 10**4000, "", "1", "x", "1e999",
    [], {}, [1], [1, 2, 3, 4], "\ud800",
]  # fmt: skip


def value(data: atheris.FuzzedDataProvider, usual: Any) -> Any:
    """The usual value, or now and then an odd one."""
    if data.ConsumeIntInRange(0, 7):
        return usual
    return data.PickValueInList(ODD)


def built(data: atheris.FuzzedDataProvider) -> dict[str, Any]:
    """A file of a few entries."""

    def small() -> int:
        return data.ConsumeIntInRange(0, 3)

    def number() -> Any:
        return value(data, data.ConsumeIntInRange(-3, 12))

    content: dict[str, Any] = {
        "images": [{"id": value(data, n), "file_name": data.PickValueInList(NAMES)} for n in range(small())],
        "categories": [{"id": value(data, n), "name": value(data, f"c{n}")} for n in range(small())],
        "annotations": [],
    }
    for image in content["images"]:
        if data.ConsumeBool():
            image |= {"height": value(data, 6), "width": value(data, 8)}
    for _ in range(data.ConsumeIntInRange(0, 6)):
        item: dict[str, Any] = {"image_id": value(data, small()), "category_id": value(data, small())}
        kind = small()
        if kind:
            item["bbox"] = value(data, [number() for _ in range(4)])
        if kind != 1:
            mask = {"size": value(data, [value(data, 6), value(data, 8)]), "counts": data.PickValueInList(COUNTS)}
            item["segmentation"] = mask if data.ConsumeBool() else [[number() for _ in range(2 * small())]]
        if data.ConsumeBool():
            item |= {"area": number(), "iscrowd": value(data, small() % 2)}
        content["annotations"].append(value(data, item))
    for key in list(content):
        if not data.ConsumeIntInRange(0, 30):
            del content[key]
    return content


def one_input(content: bytes) -> None:
    if content[:1] not in (b"{", b" ", b"["):
        content = json.dumps(built(atheris.FuzzedDataProvider(content))).encode()
    FILE.write_bytes(content)
    for skip_bad, size in ((True, None), (True, (4, 4)), (False, None)):
        with documented(ValueError, OSError):
            data = CocoDetection(FOLDER, FILE, skip_bad=skip_bad, size=size)
            height, width = data.images[0].shape[:2]
            for boxes, labels in data.targets:
                assert np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()
                assert (boxes >= 0).all() and (boxes <= [width, height, width, height]).all()
                assert ((labels >= 0) & (labels < len(data.class_names))).all()
            assert skip_bad or not data.skipped
            assert len(data.image_ids) == len(data) == len(data.file_paths)
            assert all(path.startswith(f"{FOLDER}/") and "/../" not in path for path in data.file_paths)


if __name__ == "__main__":
    fuzz(one_input)
