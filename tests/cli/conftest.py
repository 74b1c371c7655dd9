"""A trained run and folders of real digits for the commands to work on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("click")
pytest.importorskip("matplotlib")
pytest.importorskip("PIL")

from striate.cli import main
from striate.data import load_digits


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on the bundled digits, briefly trained."""
    folder = tmp_path_factory.mktemp("cli") / "run"
    assert main(["train", "--epochs", "3", "--out", str(folder), "--verbose", "0"]) == 0
    return folder


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """train/, val/ and test/, each with a folder of PNG files for the digits 0, 1 and 7."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("pictures")
    (x_train, y_train), (x_test, y_test) = load_digits()
    parts = {"train": (x_train, y_train, 20), "val": (x_train[::-1], y_train[::-1], 6), "test": (x_test, y_test, 10)}
    for part, (x, y, count) in parts.items():
        for digit, name in ((0, "zero"), (1, "one"), (7, "seven")):
            below = folder / part / name
            below.mkdir(parents=True)
            for number in np.flatnonzero(y == digit)[:count].tolist():
                Image.fromarray(x[number, :, :, 0]).save(below / f"{number}.png")
    return folder
