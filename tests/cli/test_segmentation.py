"""The commands on pictures with masks."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.cli import main
from striate.data import digit_scenes

PAGES = ("report.html", "gradient_flow.json")
PICTURES = ("curves.png", "confusion_matrix.png", "predictions.png", "feature_maps.png", "gradient_flow.png")
SIDE = 32


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def write_scenes(folder: Path, count: int, seed: int) -> None:
    """Pictures of digits and their masks: 0 the background, 255 ink."""
    from PIL import Image

    scenes = digit_scenes(count, SIDE, (1, 2), seed=seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        Image.fromarray(scenes.images[number, ..., 0]).save(folder / "images" / f"{number}.png")
        mask = np.where(scenes.masks[number] > 0, 255, 0).astype(np.uint8)
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")


@pytest.fixture(scope="module")
def mask_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("masks")
    write_scenes(folder / "train", 60, 0)
    write_scenes(folder / "test", 12, 1)
    return folder


@pytest.fixture(scope="module")
def segmented(mask_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run, briefly trained."""
    run = tmp_path_factory.mktemp("cli") / "run"
    command = ["train", str(mask_folder), "--task", "segment", "--epochs", "5", "--batch-size", "8"]
    assert main([*command, "--class-names", "ground,ink", "--out", str(run), "--verbose", "0"]) == 0
    return run


def test_a_run_folder_holds_everything(segmented: Path, mask_folder: Path) -> None:
    names = {path.name for path in segmented.iterdir()}
    assert names == {"model.safetensors", "run.json", "history.csv", "metrics.json", "summary.txt", *PAGES, *PICTURES}
    info = read_json(segmented / "run.json")
    assert (info["task"], info["model"], info["class_names"]) == ("segment", "unet", ["ground", "ink"])
    with (segmented / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {"loss", "mean_iou", "dice", "val_loss", "val_mean_iou", "val_dice"} <= set(rows[0])
    assert float(rows[-1]["loss"]) < float(rows[0]["loss"])

    metrics = read_json(segmented / "metrics.json")
    assert (metrics["task"], metrics["part"], metrics["examples"], metrics["skipped"]) == ("segment", "test", 12, [])
    assert metrics["macro"]["iou"] > 0.7
    read = st.data.SegmentationFolder(
        mask_folder / "test" / "images", mask_folder / "test" / "masks", color_mode="grayscale"
    )
    logits = st.load_model(segmented / "model.safetensors").predict(read.images).astype(np.float64)
    found, truth = logits.argmax(axis=-1), read.labels.astype(int)
    both = ((found == 1) & (truth == 1)).sum()
    ink = metrics["classes"]["ink"]
    assert ink["iou"] == pytest.approx(both / ((found == 1) | (truth == 1)).sum(), abs=1e-12)
    assert ink["dice"] == pytest.approx(2 * both / ((found == 1).sum() + (truth == 1).sum()), abs=1e-12)
    assert ink["sensitivity"] == pytest.approx(both / (truth == 1).sum(), abs=1e-12)
    assert ink["precision"] == pytest.approx(both / (found == 1).sum(), abs=1e-12)
    assert ink["pixels"] == (truth == 1).sum()
    shifted = logits - logits.max(axis=-1, keepdims=True)
    chances = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    lost = -np.take_along_axis(chances, truth[..., None], axis=-1).mean()
    assert metrics["cross_entropy"] == pytest.approx(lost, rel=1e-6)


def test_evaluate_and_predict(
    segmented: Path, mask_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    out = tmp_path / "again"
    assert main(["evaluate", str(segmented), str(mask_folder), "--out", str(out)]) == 0
    assert "12 test pictures" in capsys.readouterr().out
    metrics = read_json(segmented / "metrics.json")
    assert read_json(out / "metrics.json")["confusion_matrix"] == metrics["confusion_matrix"]
    assert {path.name for path in out.iterdir()} == {"metrics.json", "confusion_matrix.png", "predictions.png"}

    # A picture of another size is scaled, its mask has the picture's own.
    picture = mask_folder / "test" / "images" / "0.png"
    large = tmp_path / "large.png"
    Image.open(picture).resize((48, 40)).save(large)
    capsys.readouterr()
    words = ["--json", "--masks", str(tmp_path / "seen"), "--picture", str(tmp_path / "seen.png")]
    assert main(["predict", str(segmented), str(picture), str(large), *words]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["file"] for answer in answers] == [str(picture), str(large)]
    mask = np.asarray(Image.open(tmp_path / "seen" / "0.png"))
    assert np.asarray(Image.open(tmp_path / "seen" / "large.png")).shape == (40, 48)
    assert answers[0]["shares"]["ink"] == pytest.approx((mask == 1).mean())
    assert (tmp_path / "seen.png").stat().st_size > 1000
    assert main(["predict", str(segmented), str(picture)]) == 0
    assert "ground" in capsys.readouterr().out.splitlines()[0]


def test_made_scenes_without_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.cli import _masks

    monkeypatch.setattr(_masks, "_SCENES", {"train": 16, "test": 4})
    run = tmp_path / "run"
    command = ["train", "--task", "segment", "--epochs", "1", "--image-size", "32", "--augment", "rotation=5"]
    assert main([*command, "--class-weight", "balanced", "--out", str(run), "--no-pictures", "--verbose", "0"]) == 0
    metrics = read_json(run / "metrics.json")
    assert (metrics["part"], metrics["examples"], len(metrics["classes"])) == ("test", 4, 11)
    assert not (run / "curves.png").exists()
    assert main(["evaluate", str(run), "--no-pictures"]) == 0


def damage(folder: Path, how: str) -> str:
    """Spoil one pair; returns the file that an error must name."""
    from PIL import Image

    image, mask = folder / "images" / "3.png", folder / "masks" / "3.png"
    if how == "missing mask":
        mask.unlink()
        return image.name
    if how == "mask of another size":
        Image.fromarray(np.zeros((SIDE, SIDE + 1), np.uint8)).save(mask)
    elif how == "class out of range":
        for path in mask.parent.iterdir():
            values = np.asarray(Image.open(path)) // 255
            if path == mask:
                values[4, 5] = 7
            Image.fromarray(values).save(path)
    elif how == "unreadable mask":
        mask.write_bytes(b"\x89PNG\r\n\x1a\nno picture")
    else:
        image.write_bytes(image.read_bytes()[:60])
        return image.name
    return mask.name


@pytest.mark.parametrize(
    "how", ["missing mask", "mask of another size", "class out of range", "unreadable mask", "unreadable image"]
)
def test_bad_pairs(how: str, mask_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "data"
    shutil.copytree(mask_folder / "test", folder)
    named = damage(folder, how)
    command = ["train", str(folder), "--task", "segment", "--class-names", "ground,ink", "--epochs", "1"]
    command += ["--image-size", str(SIDE), "--out", str(tmp_path / "run"), "--no-pictures", "--verbose", "0"]
    assert main(command) == 2
    line = capsys.readouterr().err
    assert named in line and line.count("\n") == 1
    assert not (tmp_path / "run").exists()

    assert main([*command, "--skip-bad"]) == 0
    told = capsys.readouterr().err
    assert told.startswith("skipped ") and told.count("\n") == 1 and "3.png" in told
    skipped = read_json(tmp_path / "run" / "metrics.json")["skipped"]
    assert len(skipped) == 1 and skipped[0]["file"].endswith("3.png") and skipped[0]["reason"]
    assert main(["evaluate", str(tmp_path / "run"), "--no-pictures"]) == 2
    capsys.readouterr()
    assert main(["evaluate", str(tmp_path / "run"), "--no-pictures", "--skip-bad"]) == 0
    assert "skipped " in capsys.readouterr().err


def test_folders_that_are_no_data(tmp_path: Path, mask_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def told(*words: str) -> str:
        capsys.readouterr()
        assert main([*words, "--out", str(tmp_path / "run")]) == 2
        line = capsys.readouterr().err
        assert line.count("\n") == 1
        return line

    train = ["train", "--task", "segment"]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert f"{empty} has no folder images" in told(*train, str(empty))
    (empty / "images").mkdir()
    (empty / "masks").mkdir()
    assert f"{empty}/images holds no pictures" in told(*train, str(empty))
    assert "there is no folder nowhere" in told(*train, "nowhere")
    assert "--class-names goes with --task segment" in told("train", "--class-names", "a,b")
    assert "--mask-values goes with --task segment" in told("train", "--mask-values", "nonzero")
    assert "--model lenet is for --task classify; --task segment takes unet" in told(*train, "--model", "lenet")
    assert "--model unet is for --task segment; --task classify takes cnn or" in told("train", "--model", "unet")
    assert "height and width must be multiples of 2" in told(*train, str(mask_folder), "--image-size", "33")
    plain = tmp_path / "plain"
    shutil.copytree(mask_folder / "test", plain)
    for path in (plain / "masks").iterdir():
        from PIL import Image

        Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(path)
    assert "hold only one class, 0; segmentation needs at least two" in told(*train, str(plain))


def test_masks_of_a_classifier(trained: Path, mask_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = str(mask_folder / "test" / "images" / "0.png")
    assert main(["predict", str(trained), picture, "--masks", "m"]) == 2
    assert "--masks is for segmentations" in capsys.readouterr().err
