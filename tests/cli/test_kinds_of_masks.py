"""`striate train --task segment` on the masks that people have: numbered objects, colours, suffixes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from striate.cli import main
from striate.cli._mask_kinds import judge, regions

SIDE = 32
QUICK = ["--task", "segment", "--epochs", "1", "--no-pictures", "--no-report", "--verbose", "0"]


def nuclei(count: int, seed: int) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
    """Dim 16-bit pictures of discs of about one size, and masks that number them."""
    random = np.random.default_rng(seed)
    images = random.integers(3, 25, (count, SIDE, SIDE)).astype(np.uint16)
    masks = np.zeros((count, SIDE, SIDE), np.uint16)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    for image, mask in zip(images, masks, strict=True):
        for number, (y, x) in enumerate(((8, 8), (8, 24), (24, 8), (24, 24)), 1):
            radius = random.uniform(3, 7)
            inside = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
            mask[inside] = number
            image[inside] += np.uint16(random.integers(100, 180))
    return images, masks


def write(folder: Path, images: Any, masks: Any, suffix: str = "", together: bool = False) -> Path:
    for number, (image, mask) in enumerate(zip(images, masks, strict=True)):
        for name, values, end in (("images", image, ""), ("masks", mask, suffix)):
            below = folder if together else folder / name
            below.mkdir(parents=True, exist_ok=True)
            Image.fromarray(values).save(below / f"{number:02d}{end}.png")
    return folder


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def test_sixteen_bit_nuclei_with_numbered_masks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dim pictures are stretched over the range of the training part, and all objects are one class."""
    write(tmp_path / "data" / "train", *nuclei(24, 0))
    images, masks = nuclei(8, 1)
    images[0, 0, 0] = 60000  # a hot pixel
    write(tmp_path / "data" / "test", images, masks)
    run = tmp_path / "run"
    command = ["train", str(tmp_path / "data"), "--task", "segment", "--epochs", "25", "--no-report", "--no-pictures"]
    assert main([*command, "--out", str(run)]) == 0
    told = capsys.readouterr().out
    assert "is black and" in told and "masks: their values number objects" in told
    assert told.count("\nepoch ") == 25 and " s left\n" in told  # no terminal: a line for each epoch
    info, metrics = read_json(run / "run.json"), read_json(run / "metrics.json")
    assert info["class_names"] == ["background", "object"]
    center, width = info["default_window"]
    assert 0 < center - width / 2 < 10 and 180 < center + width / 2 < 210
    assert metrics["classes"]["object"]["dice"] > 0.9
    assert main(["evaluate", str(run), "--no-pictures"]) == 0
    assert read_json(run / "evaluation" / "metrics.json")["confusion_matrix"] == metrics["confusion_matrix"]
    # As classes they are five, when asked for.
    assert (
        main(["train", str(tmp_path / "data"), *QUICK, "--mask-values", "classes", "--out", str(tmp_path / "c")]) == 0
    )
    assert len(read_json(tmp_path / "c" / "run.json")["class_names"]) == 5


def test_classes_of_one_region_each_are_no_numbers() -> None:
    """Organs: the value of a region tells its size."""
    random = np.random.default_rng(0)
    masks = []
    for _ in range(12):
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for label, side in ((1, 3), (2, 8), (3, 14)):
            y, x = random.integers(0, 16 - side + 1, 2) + np.array([(0, 0), (0, 16), (16, 0)][label - 1])
            mask[y : y + side, x : x + side] = label
        masks.append(mask)
    assert judge([regions(mask) for mask in masks]) is False
    shared = [np.where(mask > 0, 1 + random.permutation(3)[np.maximum(mask, 1) - 1], 0) for mask in masks]
    assert judge([regions(mask) for mask in shared]) is True
    assert judge([regions(shared[0])]) is None  # too few to tell
    assert judge([regions((mask > 0) * 255) for mask in masks]) is False


def test_masks_that_may_be_both_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, masks = nuclei(1, 0)
    write(tmp_path / "data", images, masks.astype(np.uint8))
    assert main(["train", str(tmp_path / "data"), *QUICK, "--out", str(tmp_path / "run")]) == 2
    assert "give --mask-values nonzero" in capsys.readouterr().err


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_regions_are_those_of_scipy(height: int, width: int, data: st.DataObject) -> None:
    ndimage = pytest.importorskip("scipy.ndimage")
    numbers = data.draw(st.lists(st.integers(0, 2), min_size=height * width, max_size=height * width))
    mask = np.array(numbers).reshape(height, width)
    found = regions(mask)
    assert found.values.tolist() == sorted(set(numbers) - {0})
    for value, area, parts in zip(*found, strict=True):
        assert area == (mask == value).sum()
        assert parts == ndimage.label(mask == value, np.ones((3, 3)))[1]


def test_masks_in_colour_and_beside_their_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, numbers = nuclei(8, 0)
    colors = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 0, 0), (255, 255, 255)], np.uint8)
    folder = write(tmp_path / "data", images, colors[numbers], suffix="_mask", together=True)
    table = tmp_path / "classes.csv"
    table.write_text(
        "name,r,g,b\nground,0,0,0\nred cell,128,0,0\n0 128 0 green\nignore,255,255,255\n", encoding="utf-8"
    )
    words = [*QUICK, "--mask-suffix", "_mask", "--mask-colors", str(table)]
    assert main(["train", str(folder), *words, "--out", str(tmp_path / "run")]) == 0
    info, metrics = read_json(tmp_path / "run" / "run.json"), read_json(tmp_path / "run" / "metrics.json")
    assert info["class_names"] == ["ground", "red cell", "green"] and info["settings"]["ignore_class"] == 255
    assert sum(map(sum, metrics["confusion_matrix"])) < metrics["examples"] * SIDE * SIDE  # white pixels do not count
    assert main(["evaluate", str(tmp_path / "run"), "--no-pictures"]) == 0
    for text, message in (
        ("a,1,2\n", "line 1"),
        ("a,0,0,0\nb,0,0,0\n", "has the colour (0, 0, 0)"),
        ("a,0,0,0\n", "1 classes"),
    ):
        table.write_text(text, encoding="utf-8")
        capsys.readouterr()
        assert main(["train", str(folder), *words, "--out", str(tmp_path / "no")]) == 2
        assert message in capsys.readouterr().err
    assert main(["train", str(folder), *words, "--class-names", "a,b"]) == 2
