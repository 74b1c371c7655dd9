"""Which grey values of deep pictures become black and white."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from striate.cli import main
from striate.cli._window import choose_window, find_window, parse_window
from striate.data.intensity import Deep


def test_words_and_ranges() -> None:
    assert parse_window("auto") is None and parse_window("minmax") == "minmax"
    assert parse_window("0,4095") == (2047.5, 4095.0)
    for wrong in ("5", "9,1", "a,b", "nan,1", "1,2,3"):
        with pytest.raises(click.BadParameter, match="give auto, minmax, full, or LOW,HIGH"):
            parse_window(wrong)


def test_the_range_of_a_data_set() -> None:
    dim = [Deep(5, 200 + place, 65535) for place in range(40)]
    assert choose_window(dim) == (122.0, 234.0)
    center, width = choose_window([*dim, Deep(0, 65535, 65535)])  # one picture with an artefact
    assert 0 <= center - width / 2 <= 5 and 230 < center + width / 2 < 240
    assert choose_window([*dim, *dim[:10], *[Deep(0, 20000, 65535)] * 20]) == "minmax"  # two exposures
    assert choose_window([Deep(0, 60000, 65535)] * 3) == (32767.5, 65535)


def test_choices_on_files(tmp_path: Path) -> None:
    for place, values in enumerate((np.arange(64), np.arange(64) + 800)):
        Image.fromarray(values.reshape(8, 8).astype(np.uint16)).save(tmp_path / f"{place}.png")
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "plain.png")
    assert find_window("auto", tmp_path) == (431.5, 863.0)
    assert find_window("full", tmp_path) == (32767.5, 65535)
    assert find_window("minmax", tmp_path) == "minmax" and find_window("0,10", tmp_path) == (5.0, 10.0)
    plain = [str(tmp_path / "plain.png")]
    assert find_window("auto", tmp_path, plain) is None
    with pytest.raises(
        ValueError, match=r"--window is for grey pictures of more than 8 bits without a window in the file"
    ):
        find_window("minmax", tmp_path, plain)
    assert main(["train", "--window", "minmax", "--out", str(tmp_path / "run")]) == 2
    Image.fromarray(np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match=r"--window full: files of .* do not tell"):
        find_window("full", tmp_path)


def test_float_pictures_train_and_keep_the_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Float TIFF files, which have no range of their own, are read by that of the training part."""
    random = np.random.default_rng(0)
    for place, name in enumerate(("dark", "light")):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(12):
            values = (0.2 * random.random((8, 8)) + 0.7 * place).astype(np.float32)
            Image.fromarray(values).save(tmp_path / "data" / name / f"{number}.tif")
    run = tmp_path / "run"
    words = ["--epochs", "8", "--batch-size", "4", "--no-pictures", "--no-report", "--verbose", "0", "--out", str(run)]
    assert main(["train", str(tmp_path / "data"), *words]) == 0
    assert "is black and" in capsys.readouterr().out
    assert json.loads((run / "metrics.json").read_text())["accuracy"] == 1.0
    assert main(["predict", str(run), str(tmp_path / "data" / "light"), "--json"]) == 0
    assert {one["class"] for one in json.loads(capsys.readouterr().out)} == {"light"}
    assert main(["train", str(tmp_path / "data"), *words, "--window", "3"]) == 2
