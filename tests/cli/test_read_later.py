"""Pictures that a command reads on demand: the run of those in memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.cli import _later, main
from striate.data import digit_scenes


def run(data: Path, out: Path, *options: str) -> Any:
    shared = ["--epochs", "2", "--verbose", "0", "--no-pictures", "--out", str(out)]
    assert main(["train", str(data), *shared, *options]) == 0
    metrics = json.loads((out / "metrics.json").read_text())
    for name in ("seconds", "seconds_per_epoch"):
        del metrics[name]
    return metrics, (out / "history.csv").read_text(), (out / "model.safetensors").read_bytes()


def told_and_same(data: Path, folder: Path, capsys: pytest.CaptureFixture[str], *options: str) -> None:
    expected = run(data, folder / "kept", *options, "--in-memory", "yes")
    assert "decoded" not in capsys.readouterr().out
    assert run(data, folder / "later", *options, "--in-memory", "no") == expected
    assert "GiB (--in-memory no): each is decoded when a step needs it" in capsys.readouterr().out


@pytest.mark.parametrize("options", [(), ("--class-weight", "balanced", "--augment", "shift=0.1")])
def test_classes(picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: Any) -> None:
    told_and_same(picture_folder, tmp_path, capsys, *options)
    told_and_same(picture_folder / "train", tmp_path / "one", capsys, *options)  # its validation part is cut


def test_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    rng = np.random.default_rng(0)
    for place in range(20):
        for name in ("images", "masks"):
            (tmp_path / "d" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (16, 16), dtype=np.uint8)).save(tmp_path / f"d/images/{place}.png")
        Image.fromarray(rng.integers(0, 3, (16, 16), dtype=np.uint8)).save(tmp_path / f"d/masks/{place}.png")
    told_and_same(tmp_path / "d", tmp_path, capsys, "--task", "segment", "--class-weight", "balanced")


def write_voc(folder: Path, lists: bool) -> None:
    """Scenes of two classes, a few objects of them difficult; with `lists`, a test part in a list of its own."""
    from PIL import Image

    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    scenes = digit_scenes(24, 32, (0, 2), seed=0, sides=(14, 18))
    for place, (image, (boxes, labels)) in enumerate(zip(scenes.images, scenes.targets, strict=True)):
        Image.fromarray(image[..., 0]).save(folder / f"JPEGImages/{place}.png")
        objects = "".join(
            f"<object><name>{'ab'[label % 2]}</name><difficult>{int(label == 3)}</difficult><bndbox>"
            f"<xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>"
            for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True)
        )
        (folder / f"Annotations/{place}.xml").write_text(f"<annotation>{objects}</annotation>")
    if lists:
        (folder / "ImageSets/Main/train.txt").write_text("\n".join(map(str, range(16))))
        (folder / "ImageSets/Main/test.txt").write_text("\n".join(map(str, range(16, 24))))


@pytest.mark.parametrize("lists", [False, True])
def test_boxes_of_voc(lists: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_voc(tmp_path / "d", lists)
    told_and_same(tmp_path / "d", tmp_path, capsys, "--task", "detect")
    report = tmp_path / "later" / "report.html"
    assert report.is_file() and main(["evaluate", str(tmp_path / "later"), "--no-pictures"]) == 0


def test_boxes_of_coco(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    rng, images, boxes = np.random.default_rng(0), [], []
    (tmp_path / "d" / "images").mkdir(parents=True)
    for place in range(12):
        side = 40 + place  # brought to one size
        Image.fromarray(rng.integers(0, 256, (side, 40, 3), dtype=np.uint8)).save(tmp_path / f"d/images/{place}.png")
        images.append({"id": place, "file_name": f"{place}.png"})
        for crowd in range(place % 3):
            box = {"id": len(boxes), "image_id": place, "category_id": 1 + place % 2, "iscrowd": crowd}
            boxes.append({**box, "bbox": [4 + crowd, 6, 12, 20], "area": 99.5})
    classes = [{"id": number, "name": name} for number, name in ((1, "a"), (2, "b"))]
    content = {"images": images, "annotations": boxes, "categories": classes}
    (tmp_path / "d" / "boxes.json").write_text(json.dumps(content))
    told_and_same(tmp_path / "d", tmp_path, capsys, "--task", "detect", "--image-size", "32")


def test_the_size_decides(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(_later, "_memory", lambda: 4000)
    assert _later.keeps("auto", 10, (10, 10), tmp_path) and not _later.keeps("auto", 11, (10, 10), tmp_path)
    assert "more than a quarter of the memory" in capsys.readouterr().out
    assert _later.keeps("yes", 11, (10, 10), tmp_path)
    monkeypatch.undo()
    assert 2**26 < _later._memory() < 2**50
