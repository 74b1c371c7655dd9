"""The commands on pictures with boxes."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from striate.cli import main
from striate.data import digit_scenes

PAGES = ("report.html", "gradient_flow.json")
PICTURES = ("curves.png", "precision_recall.png", "predictions.png", "feature_maps.png", "gradient_flow.png")
SIDE = 64


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_coco(folder: Path, count: int, seed: int) -> None:
    """Scenes of digits with one class, "digit"; its id is 7."""
    from PIL import Image

    scenes = digit_scenes(count, SIDE, (1, 3), seed=seed)
    (folder / "images").mkdir(parents=True)
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "digit"}]}
    for number in range(count):
        Image.fromarray(scenes.images[number, ..., 0]).save(folder / "images" / f"{number}.png")
        image = {"id": number, "file_name": f"{number}.png", "height": SIDE, "width": SIDE}
        content["images"].append(image)
        for x1, y1, x2, y2 in scenes.targets[number][0].tolist():
            box = {"id": len(content["annotations"]), "image_id": number, "category_id": 7}
            content["annotations"].append({**box, "bbox": [x1, y1, x2 - x1, y2 - y1]})
    (folder / "boxes.json").write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture(scope="module")
def box_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("boxes")
    write_coco(folder / "train", 120, 0)
    write_coco(folder / "test", 16, 1)
    return folder


@pytest.fixture(scope="module")
def detecting(box_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, briefly trained."""
    run = tmp_path_factory.mktemp("cli") / "run"
    command = ["train", str(box_folder), "--task", "detect", "--epochs", "10", "--batch-size", "8"]
    assert main([*command, "--augment", "flip", "--out", str(run), "--verbose", "0"]) == 0
    return run


def test_a_run_folder_holds_everything(detecting: Path) -> None:
    names = {path.name for path in detecting.iterdir()}
    assert names == {"model.safetensors", "run.json", "history.csv", "metrics.json", "summary.txt", *PAGES, *PICTURES}
    info = read_json(detecting / "run.json")
    assert (info["task"], info["model"], info["class_names"]) == ("detect", "detector", ["digit"])
    with (detecting / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"loss", "mean_average_precision", "val_loss", "val_mean_average_precision"} <= set(rows[0])
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])
    metrics = read_json(detecting / "metrics.json")
    assert (metrics["task"], metrics["part"], metrics["examples"]) == ("detect", "test", 16)
    assert metrics["AP50"] > 0.5
    digit = metrics["classes"]["digit"]
    assert digit["ap50"] == metrics["AP50"] and digit["ap"] == metrics["AP"]
    assert digit["objects"] == metrics["objects"] > 16
    assert 0.0 < digit["sensitivity"] <= 1.0 and 0.0 < digit["precision"] <= 1.0


def test_evaluate_and_predict(
    detecting: Path, box_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    out = tmp_path / "again"
    assert main(["evaluate", str(detecting), str(box_folder / "test" / "boxes.json"), "--out", str(out)]) == 0
    metrics = read_json(detecting / "metrics.json")
    assert read_json(out / "metrics.json")["AP"] == pytest.approx(metrics["AP"])
    assert {path.name for path in out.iterdir()} == {"metrics.json", "precision_recall.png", "predictions.png"}

    # Boxes are in pixels of the file, whatever the network's size is.
    picture = box_folder / "test" / "images" / "0.png"
    large = tmp_path / "large.png"
    Image.open(picture).resize((2 * SIDE, SIDE)).save(large)
    capsys.readouterr()
    words = ["--json", "--picture", str(tmp_path / "seen.png")]
    assert main(["predict", str(detecting), str(picture), str(large), *words]) == 0
    small, wide = json.loads(capsys.readouterr().out)
    score = read_json(detecting / "run.json")["settings"]["score"]
    assert metrics["score_threshold"] == score
    assert small["file"] == str(picture) and small["objects"]
    for one, other in zip(small["objects"], wide["objects"], strict=False):
        assert one["class"] == "digit" and one["score"] >= score
        np.testing.assert_allclose(np.array(other["box"]), np.array(one["box"]) * [2, 1, 2, 1], atol=3.0)
    assert (tmp_path / "seen.png").stat().st_size > 1000
    assert main(["predict", str(detecting), str(picture)]) == 0
    assert "score" in capsys.readouterr().out.splitlines()[0]


def test_the_score_is_that_of_the_highest_f1(detecting: Path, box_folder: Path) -> None:
    from striate.cli._assess_boxes import assess_boxes, best_score
    from striate.cli._run import Run

    run = Run(detecting)
    part = run.task.load(str(box_folder), run.reading(False)).train
    assert part is not None
    model = run.load_model()
    best = best_score(model, part, ["digit"], 64)  # type: ignore[arg-type]

    def f1(score: float) -> float:
        return float(assess_boxes(model, part, ["digit"], 64, score).metrics["macro"]["f1"])  # type: ignore[arg-type]

    values = [f1(score) for score in (0.05, 0.2, 0.35, 0.5, 0.65, 0.8)]
    assert f1(best) >= max(values) - 1e-12


def write_voc(folder: Path, count: int) -> None:
    from PIL import Image

    scenes = digit_scenes(count, SIDE, (1, 2), seed=3)
    for name in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        Image.fromarray(scenes.images[number, ..., 0]).save(folder / "JPEGImages" / f"{number}.png")
        boxes, labels = scenes.targets[number]
        objects = "".join(
            f"<object><name>{'even' if label % 2 == 0 else 'odd'}</name><bndbox><xmin>{x1 + 1:g}</xmin>"
            f"<ymin>{y1 + 1:g}</ymin><xmax>{x2:g}</xmax><ymax>{y2:g}</ymax></bndbox></object>"
            for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels.tolist(), strict=True)
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>1</depth></size>"
        text = f"<annotation><filename>{number}.png</filename>{size}{objects}</annotation>"
        (folder / "Annotations" / f"{number}.xml").write_text(text, encoding="utf-8")
    cut = count - 4
    for name, numbers in (("train", range(cut)), ("val", range(cut, count))):
        (folder / "ImageSets" / "Main" / f"{name}.txt").write_text("\n".join(map(str, numbers)), encoding="utf-8")


def test_voc_and_made_scenes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from striate.cli import _boxes

    folder = tmp_path / "voc"
    write_voc(folder, 12)
    quick = ["--task", "detect", "--epochs", "1", "--batch-size", "4", "--no-pictures", "--verbose", "0"]
    assert main(["train", str(folder), *quick, "--out", str(tmp_path / "run")]) == 0
    assert "8 to train, 4 to validate; 64 x 64 x 1, 2 classes" in capsys.readouterr().out
    metrics = read_json(tmp_path / "run" / "metrics.json")
    assert (metrics["part"], metrics["examples"], list(metrics["classes"])) == ("validation", 4, ["even", "odd"])
    assert main(["evaluate", str(tmp_path / "run"), "--no-pictures"]) == 0
    # Other classes than the network's.
    write_coco(tmp_path / "coco", 2, 0)
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), str(tmp_path / "coco"), "--no-pictures"]) == 2
    assert "has the classes digit, which are none of even, odd" in capsys.readouterr().err

    monkeypatch.setattr(_boxes, "_SCENES", {"train": 8, "test": 4})
    assert main(["train", *quick, "--out", str(tmp_path / "made")]) == 0
    assert read_json(tmp_path / "made" / "metrics.json")["examples"] == 4


@pytest.mark.parametrize(
    ("how", "named"),
    [
        ("NaN in a box", "boxes.json (image"),
        ("class out of range", "boxes.json (image"),
        ("unreadable picture", "3.png"),
        ("missing picture", "3.png"),
    ],
)
def test_bad_pictures_and_boxes(
    how: str, named: str, box_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(box_folder / "test", folder)
    content = read_json(folder / "boxes.json")
    box = next(item for item in content["annotations"] if item["image_id"] == 3)
    if how == "NaN in a box":
        box["bbox"][1] = float("nan")
    elif how == "class out of range":
        box["category_id"] = 8
    elif how == "unreadable picture":
        (folder / "images" / "3.png").write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    else:
        (folder / "images" / "3.png").unlink()
    (folder / "boxes.json").write_text(json.dumps(content), encoding="utf-8")
    command = ["train", str(folder), "--task", "detect", "--epochs", "1", "--no-pictures", "--verbose", "0"]
    command += ["--out", str(tmp_path / "run")]
    assert main(command) == 2
    line = capsys.readouterr().err
    assert named in line and "3.png" in line and line.count("\n") == 1
    assert not (tmp_path / "run").exists()

    assert main([*command, "--skip-bad"]) == 0
    told = capsys.readouterr().err
    assert told.startswith("skipped ") and told.count("\n") == 1 and "3.png" in told
    skipped = read_json(tmp_path / "run" / "metrics.json")["skipped"]
    assert len(skipped) == 1 and "3.png" in skipped[0]["file"] + skipped[0]["reason"]


def test_folders_that_are_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> str:
        capsys.readouterr()
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    train = ["train", "--task", "detect"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty} holds neither Annotations/ and JPEGImages/" in told(*train, str(empty))
    assert "there is no folder or file nowhere" in told(*train, "nowhere")
    (empty / "a.json").write_text("{}", encoding="utf-8")
    assert "a.json is not in COCO's format" in told(*train, str(empty), "--image-size", "32", "--color-mode", "rgb")
    (empty / "b.json").write_text("{}", encoding="utf-8")
    assert "holds 2 JSON files; give the one with the boxes" in told(*train, str(empty))
    assert "--class-weight weighs pictures or pixels" in told(*train, "--class-weight", "balanced")
    assert "--dropout is not for the network detector" in told(*train, "--dropout", "0.2")
    assert "--model cnn is for --task classify; --task detect takes detector" in told(*train, "--model", "cnn")
    assert "expects a height in multiples of 32" in told(*train, "--image-size", "40")


def test_xml_files_beside_their_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Roboflow's export: train/ and valid/, each with pictures and their XML files."""
    write_voc(tmp_path / "voc", 8)
    for part, numbers in (("train", range(6)), ("valid", range(6, 8))):
        (tmp_path / "data" / part).mkdir(parents=True)
        for number in numbers:
            for name in (f"JPEGImages/{number}.png", f"Annotations/{number}.xml"):
                source = tmp_path / "voc" / name
                source.rename(tmp_path / "data" / part / source.name)
    quick = ["--task", "detect", "--epochs", "1", "--batch-size", "4", "--no-pictures", "--verbose", "0"]
    assert main(["train", str(tmp_path / "data"), *quick, "--out", str(tmp_path / "run")]) == 0
    assert "6 to train, 2 to validate; 64 x 64 x 1, 2 classes" in capsys.readouterr().out
    assert main(["train", str(tmp_path / "data" / "train"), *quick, "--out", str(tmp_path / "one")]) == 0
