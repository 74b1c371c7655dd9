"""Wrong words, files and data: one line on stderr, exit code 2, no traceback."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from striate.cli import main


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["fly"], r"striate: No such command 'fly'\. \(see striate --help\)"),
        (["train", "--modle", "cnn"], r"striate train: No such option.*--modle.*\(see striate train --help\)"),
        (["train", "--model", "alexnet"], r"striate train: Invalid value for '--model': 'alexnet' is not one of"),
        (["train", "--task", "translate"], r"Invalid value for '--task'"),
        (["train", "--epochs", "0"], r"Invalid value for '--epochs'"),
        (["train", "--batch-size", "many"], r"Invalid value for '--batch-size': 'many' is not a valid integer"),
        (["train", "--learning-rate", "-1"], r"--learning-rate must be above 0, got -1"),
        (["train", "--schedule", "constant", "--warmup", "2"], r"--warmup goes with --schedule cosine, not constant"),
        (["train", "--augment", "melt"], r"--augment has no change 'melt'; it knows flip_horizontal"),
        (["train", "--augment", "shift"], r"--augment needs a value for shift, such as shift=0\.1"),
        (["train", "--augment", "shift=far"], r"--augment expects a number for shift, got 'far'"),
        (["train", "--augment", "rotation=1000"], r"rotation \(degrees\) within 0 \.\. 360, got 1000"),
        (["train", "--image-size", "8x"], r"'8x' is not an image size: give pixels as 64, or height x width as 64x48"),
        (["train", "--image-size", "16"], r"digits have 8 x 8 pixels and are not scaled, but 16 x 16 are asked for"),
        (["train", "--color-mode", "rgb"], r"digits are grey; color mode rgb does not fit"),
        (["train", "--validation-split", "1.5"], r"--validation-split must be between 0 and 1, got 1\.5"),
        (["train", "--validation-split", "0", "--patience", "2"], r"--patience watches the validation loss"),
        (["train", "--model", "vgg", "--threads", "0"], r"Invalid value for '--threads'"),
        (["train", "nowhere"], r"striate: there is no folder nowhere"),
        (["evaluate", "nowhere"], r"striate: there is no run folder nowhere"),
        (["predict", "nowhere", "a.png"], r"striate: there is no run folder nowhere"),
        (["predict", "nowhere"], r"striate predict: Missing argument 'IMAGE\|FOLDER\.\.\.'"),
        (
            ["summary", "alexnet"],
            r"alexnet is not a run folder, a model file or a ready network \(cnn, convnext_tiny, densenet121, "
            r"detector, efficientnet_b0, lenet, mobilenet_v2, mobilenet_v3_small, resnet18, resnet50, unet, vgg\)",
        ),
        (["summary", "gone.safetensors"], r"gone\.safetensors"),
        (
            ["summary", "cnn", "--image-size", "2"],
            r"models\.cnn halves the picture 2 times: it needs at least 4 pixels",
        ),
    ],
)
def test_wrong_words(
    words: list[str],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    told = capsys.readouterr().err
    assert re.search(message, told)
    assert told.count("\n") == 1 and told.endswith("\n")
    assert list(tmp_path.iterdir()) == [], "a command that is refused leaves nothing behind"


def told_by(words: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a failing command writes."""
    capsys.readouterr()
    assert main(words) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    return line


def test_folders_that_are_no_data(tmp_path: Path, capsys: pytest.CaptureFixture[str], picture_folder: Path) -> None:
    out = ["--out", str(tmp_path / "out")]
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has 0 folders with pictures (none)" in told_by(["train", str(empty), *out], capsys)
    one = tmp_path / "one"
    shutil.copytree(picture_folder / "test" / "zero", one / "zero")
    assert "has 1 folder with pictures (zero); classification needs" in told_by(["train", str(one), *out], capsys)
    assert "DATA must be a folder" in told_by(["train", str(next((one / "zero").iterdir())), *out], capsys)

    broken = tmp_path / "broken"
    shutil.copytree(picture_folder / "test", broken)
    (broken / "zero" / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnot a picture")
    assert "bad.png" in told_by(["train", str(broken), *out], capsys)

    extra = tmp_path / "extra"
    shutil.copytree(picture_folder, extra)
    shutil.copytree(extra / "test" / "zero", extra / "test" / "eight")
    line = told_by(["train", str(extra), *out], capsys)
    assert "has the classes eight, which are none of one, seven, zero" in line

    idx = tmp_path / "idx"
    idx.mkdir()
    (idx / "train-images-idx3-ubyte").write_bytes(b"\0\0\x08\x03" + (2**31).to_bytes(4, "big") * 3)
    assert "idx" in told_by(["train", str(idx), *out], capsys)
    assert not (tmp_path / "out").exists()


def test_runs_that_are_damaged(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    info = json.loads((run / "run.json").read_text(encoding="utf-8"))

    (run / "run.json").write_text("{", encoding="utf-8")
    assert "run.json is damaged: JSONDecodeError" in told_by(["evaluate", str(run)], capsys)
    (run / "run.json").write_text(json.dumps({**info, "image_size": 8}), encoding="utf-8")
    assert "run.json is damaged: TypeError" in told_by(["evaluate", str(run)], capsys)
    (run / "run.json").write_text(json.dumps({**info, "color_mode": "infrared"}), encoding="utf-8")
    assert "are not valid" in told_by(["evaluate", str(run)], capsys)
    (run / "run.json").write_text(json.dumps({**info, "image_size": [16, 16]}), encoding="utf-8")
    assert "takes (8, 8, 1) and gives (10,), but run.json states pictures of (16, 16, 1)" in told_by(
        ["summary", str(run)], capsys
    )
    (run / "run.json").write_text(json.dumps(info), encoding="utf-8")
    whole = (run / "model.safetensors").read_bytes()
    (run / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    assert "model.safetensors" in told_by(["evaluate", str(run)], capsys)
    (run / "model.safetensors").unlink()
    assert "is not a run folder: it has no model.safetensors" in told_by(["evaluate", str(run)], capsys)


def test_runs_are_not_overwritten_unasked(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained, run)
    before = (run / "model.safetensors").read_bytes()
    command = ["train", "--model", "lenet", "--epochs", "1", "--no-pictures", "--out", str(run)]
    assert "holds a run already; give --overwrite" in told_by(command, capsys)
    assert (run / "model.safetensors").read_bytes() == before
    assert main([*command, "--overwrite", "--verbose", "0"]) == 0
    assert json.loads((run / "run.json").read_text(encoding="utf-8"))["model"] == "lenet"
    assert not (run / "curves.png").exists(), "pictures of the run before would be wrong"

    other = tmp_path / "thesis"
    other.mkdir()
    (other / "chapter1.txt").write_text("precious", encoding="utf-8")
    assert "is not empty and holds no run" in told_by([*command[:-1], str(other), "--overwrite"], capsys)
    assert (other / "chapter1.txt").read_text(encoding="utf-8") == "precious"


def test_data_that_does_not_fit_the_run(
    trained: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = told_by(["evaluate", str(trained), str(picture_folder / "test")], capsys)
    assert "has the classes one, seven, zero, which are none of 0, 1, 2" in line
    assert "there is no file gone.png" in told_by(["predict", str(trained), "gone.png"], capsys)
    text = tmp_path / "text.png"
    text.write_text("no picture", encoding="utf-8")
    assert "text.png" in told_by(["predict", str(trained), str(text)], capsys)


def test_traceback_on_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIATE_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError, match="nowhere"):
        main(["evaluate", "nowhere"])


def test_figures_are_those_of_numpy() -> None:
    from striate.cli._assess import log_softmax, softmax

    logits = np.array([[1000.0, 0.0], [-3.0, -3.0]])
    np.testing.assert_allclose(softmax(logits), [[1.0, 0.0], [0.5, 0.5]])
    np.testing.assert_allclose(log_softmax(logits), [[0.0, -1000.0], [np.log(0.5), np.log(0.5)]])


def test_names_that_are_not_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file of such a name ended the training after its last epoch, without a run folder."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(4):
            values = rng.integers(0, 255, (8, 8), dtype=np.uint8)
            Image.fromarray(values).save(tmp_path / "data" / name / f"{number}.png")
    bad = tmp_path / "data" / "a" / "bad\udcff.png"
    try:
        bad.write_bytes(b"no picture")
    except OSError:
        pytest.skip("the file system takes UTF-8 names alone")
    run = tmp_path / "run"
    command = ["train", str(tmp_path / "data"), "--epochs", "1", "--no-pictures", "--verbose", "0", "--skip-bad"]
    assert main([*command, "--validation-split", "0", "--out", str(run)]) == 0
    assert json.loads((run / "metrics.json").read_text(encoding="utf-8"))["skipped"][0]["file"] == str(bad)
    good = bad.with_name("good\udcff.png")
    (bad.parent / "0.png").rename(good)
    capsys.readouterr()
    script = "import sys; from striate.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", script, "predict", str(run), os.fsencode(good), "--json"]
    told = subprocess.run(words, capture_output=True, check=True)
    assert json.loads(told.stdout)[0]["file"] == str(good)
    (tmp_path / "data" / "b").rename(tmp_path / "data" / "b\udcff")
    assert main(command) == 2
    assert "is a class, but its name is not UTF-8; rename it" in capsys.readouterr().err
