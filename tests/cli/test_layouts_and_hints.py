"""Folders of another task, and options of other programs, are answered by what to use."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from striate.cli import main


def told(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (["train", "--gpu", "0"], "--gpu: striate computes on CPUs; leave it out"),
        (["train", "--lr", "0.1"], "--lr: use --learning-rate"),
        (["train", "--batch", "4"], "--batch: use --batch-size"),
        (["train", "--imgsz", "64"], "--imgsz: use --image-size"),
        (["train", "--pretrained", "x"], "--pretrained: use --init RUN"),
        (["predict", "run", "a.png", "--conf", "0.4"], "--conf: use --score"),
        (["train", "--conf", "0.4"], "No such option"),
    ],
)
def test_options_of_other_programs(words: list[str], answer: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer in told(words, capsys)


def picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(path)


@pytest.mark.parametrize("part", ["", "train/"])
def test_folders_of_another_task(part: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("images", "masks"):
        picture(tmp_path / "masks" / f"{part}{name}/a.png")
    for name in ("cat", "dog"):
        picture(tmp_path / "classes" / f"{part}{name}/a.png")
    picture(tmp_path / "voc" / f"{part}JPEGImages/a.png")
    picture(tmp_path / "coco" / f"{part}images/a.png")
    (tmp_path / "coco" / f"{part}boxes.json").write_text("{}")
    picture(tmp_path / "yolo" / f"{part}images/a.png")
    for name, file in (("voc", "Annotations/a.xml"), ("yolo", "labels/a.txt")):
        path = tmp_path / name / f"{part}{file}"
        path.parent.mkdir(parents=True)
        path.write_text("")
    out = ["--out", str(tmp_path / "run")]
    for folder, task, fits in (
        ("masks", "classify", "segment"),
        ("masks", "detect", "segment"),
        ("classes", "segment", "classify"),
        ("classes", "detect", "classify"),
        ("voc", "classify", "detect"),
        ("coco", "classify", "detect"),
    ):
        line = told(["train", str(tmp_path / folder), "--task", task, *out], capsys)
        assert f"give --task {fits}; --task {task} needs" in line
    assert "the layout of YOLO, which is not read" in told(
        ["train", str(tmp_path / "yolo"), "--task", "detect", *out], capsys
    )
    assert not (tmp_path / "run").exists()


def test_options_that_a_network_lacks(capsys: pytest.CaptureFixture[str]) -> None:
    assert "--strides is not for the network cnn" in told(["train", "--strides", "8"], capsys)
    assert "--base is not for the network cnn" in told(["train", "--base", "8"], capsys)
    assert "is not a list of strides" in told(["train", "--task", "detect", "--strides", "8;16"], capsys)


def test_names_of_classes_are_told_as_they_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("CT", "MR"):
        picture(tmp_path / name / "a.png")
    line = told(["train", str(tmp_path), "--task", "segment", "--out", str(tmp_path / "run")], capsys)
    assert "has folders of pictures (CT, MR): give --task classify" in line


def test_pictures_without_folders_of_classes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("a", "b"):
        picture(tmp_path / "photos" / f"{name}.png")
    line = told(["train", str(tmp_path / "photos"), "--out", str(tmp_path / "run")], capsys)
    assert "has 0 folders with pictures (none); classification needs a folder for each class" in line
    assert f"move the 2 pictures of {tmp_path / 'photos'} into folders named after their classes" in line
    picture(tmp_path / "photos" / "cat" / "c.png")
    line = told(["train", str(tmp_path / "photos"), "--out", str(tmp_path / "run")], capsys)
    assert "has 1 folder with pictures (cat) and 2 pictures beside them; classification needs" in line


def test_a_warning_is_one_line(tmp_path: Path) -> None:
    """Without the place in the code."""
    for name in ("a", "b"):
        picture(tmp_path / "data" / name / "1.png")
    page = Image.fromarray(np.zeros((8, 8), np.uint8))
    page.save(tmp_path / "data" / "a" / "2.tif", save_all=True, append_images=[page])
    words = [sys.executable, "-m", "striate", "train", str(tmp_path / "data"), "--epochs", "1", "--no-report"]
    words += ["--validation-split", "0", "--no-pictures", "--out", str(tmp_path / "run"), "--verbose", "0"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stderr.startswith("striate: note: ") and done.stderr.count("\n") == 1
    assert "have several pages" in done.stderr and "directory.py" not in done.stderr
