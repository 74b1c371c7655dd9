"""`striate predict` on folders: tables, COCO and VOC files, masks and overlays at the size of the files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

import striate as st
from striate.cli import main
from striate.cli._overlays import draw_boxes, paint_mask

SIDE = 64


@pytest.fixture(scope="module")
def boxes_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A detector of bright rectangles, and a folder of pictures of another size, in folders."""
    folder = tmp_path_factory.mktemp("rectangles")
    random = np.random.default_rng(0)
    for part, count, size in (("train", 96, (SIDE, SIDE)), ("seen/deep", 3, (2 * SIDE, 3 * SIDE))):
        content = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "slab"}]}
        (folder / part / "images").mkdir(parents=True)
        for number in range(count):
            image = Image.fromarray(random.integers(0, 60, size, dtype=np.uint8))
            height, width = (int(random.integers(3, 6)) * side // 16 for side in size)
            y, x = int(random.integers(0, size[0] - height)), int(random.integers(0, size[1] - width))
            ImageDraw.Draw(image).rectangle((x, y, x + width - 1, y + height - 1), fill=230)
            image.save(folder / part / "images" / f"{number}.png")
            entry = {"id": number, "file_name": f"{number}.png", "height": size[0], "width": size[1]}
            content["images"].append(entry)
            box = {"id": number, "image_id": number, "category_id": 1, "bbox": [x, y, width, height]}
            content["annotations"].append(box)
        (folder / part / "boxes.json").write_text(json.dumps(content), encoding="utf-8")
    run = folder / "run"
    command = ["train", str(folder / "train"), "--task", "detect", "--epochs", "12", "--base", "8", "--strides", "8"]
    assert main([*command, "--out", str(run), "--no-pictures", "--no-report", "--verbose", "0"]) == 0
    return run, folder / "seen"


def test_boxes_come_back_as_data(
    boxes_run: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, seen = boxes_run
    assert json.loads((run / "run.json").read_text())["settings"]["augment"] == "flip"
    words = ["--coco", str(tmp_path / "out" / "found.json"), "--voc", str(tmp_path / "voc"), "--csv"]
    words += [str(tmp_path / "found.csv"), "--overlays", str(tmp_path / "drawn"), "--score", "0.2", "--json"]
    capsys.readouterr()
    assert main(["predict", str(run), str(seen), *words]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [Path(one["file"]).name for one in answers] == ["0.png", "1.png", "2.png"]
    boxes = [one["box"] for answer in answers for one in answer["objects"]]
    truth = json.loads((seen / "deep" / "boxes.json").read_text())["annotations"]
    x, y, width, height = truth[0]["bbox"]
    assert (
        st.detection.iou(np.array([answers[0]["objects"][0]["box"]]), np.array([[x, y, x + width, y + height]])) > 0.5
    )

    read = st.data.CocoDetection(seen, tmp_path / "out" / "found.json", color_mode="grayscale")
    assert read.class_names == ["slab"]
    np.testing.assert_allclose(np.concatenate([one[0] for one in read.targets]), boxes, atol=0.11)
    (tmp_path / "voc" / "Annotations").mkdir()
    for number in range(3):
        file = tmp_path / "voc" / "deep" / "images" / f"{number}.xml"
        file.rename(tmp_path / "voc" / "Annotations" / file.name)
        (tmp_path / "voc" / "JPEGImages").mkdir(exist_ok=True)
        (tmp_path / "voc" / "JPEGImages" / f"{number}.png").write_bytes(
            (seen / "deep" / "images" / f"{number}.png").read_bytes()
        )
    voc = st.data.VocDetection(tmp_path / "voc", None, color_mode="grayscale")
    np.testing.assert_allclose(np.concatenate([one[0] for one in voc.targets]), boxes, atol=0.51)  # whole pixels
    with (tmp_path / "found.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    np.testing.assert_allclose([[float(row[k]) for k in ("x1", "y1", "x2", "y2")] for row in rows], boxes)
    with Image.open(tmp_path / "drawn" / "deep" / "images" / "0.png") as drawn:
        assert drawn.size == (3 * SIDE, 2 * SIDE) and drawn.mode == "RGB"
    # A higher score finds no more.
    assert main(["predict", str(run), str(seen), "--score", "0.99", "--json"]) == 0
    assert sum(len(one["objects"]) for one in json.loads(capsys.readouterr().out)) <= len(boxes)


def test_a_classifier_on_a_folder(
    trained: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "found.csv"
    assert main(["predict", str(trained), str(picture_folder / "test"), "--csv", str(table)]) == 0
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 30
    for row in rows:
        chances = [float(row[f"p({digit})"]) for digit in range(10)]
        assert sum(chances) == pytest.approx(1) and max(chances) == float(row["probability"])
    for words, message in (
        (["--score", "0.5"], "--score is for boxes"),
        (["--coco", "x.json"], "--coco is for boxes"),
        (["--overlays", "x"], "--overlays is for masks and boxes"),
        ([], "holds no pictures"),
    ):
        capsys.readouterr()
        where = picture_folder / "test" if words else tmp_path
        assert main(["predict", str(trained), str(where), *words]) == 2
        assert message in capsys.readouterr().err


def test_two_pictures_of_one_name(boxes_run: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    run, seen = boxes_run
    picture = str(seen / "deep" / "images" / "0.png")
    assert main(["predict", str(run), picture, picture, "--voc", "x"]) == 2
    assert "--voc names files by their pictures, and two pictures have the same name" in capsys.readouterr().err


def test_what_is_drawn() -> None:
    picture = np.full((20, 30, 3), 100, np.uint8)
    mask = np.zeros((20, 30), int)
    mask[5:15, 5:15] = 1
    seen = paint_mask(picture, mask)
    assert (seen[0, 0] == 100).all() and (seen[10, 10] != 100).any() and (seen[5, 5] != seen[10, 10]).any()
    boxes = [{"class": "a", "score": 0.9, "box": [2, 2, 28, 18]}, {"class": "b", "score": 0.8, "box": [2, 2, 28, 17]}]
    drawn = draw_boxes(picture, boxes, ["a", "b"])
    assert drawn.shape == picture.shape and (drawn != picture).any()
