"""`striate train --resume`: a training that was stopped goes on as if it had not been."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.cli import _training, main

OPTIONS = [
    *("--epochs", "4", "--verbose", "0", "--no-pictures", "--augment", "shift=0.1", "--patience", "9"),
    *("--optimizer", "sgd", "--dropout", "0.2", "--image-size", "8"),
]


class Killed(BaseException):
    """Nothing in the library catches it, as nothing would a signal."""


def stop(monkeypatch: pytest.MonkeyPatch, epoch: int, error: type[BaseException]) -> None:
    """End the training when this epoch, counted from 0, has begun."""

    def on_epoch_begin(self: Any, number: int, logs: Any = None) -> None:
        if number == epoch:
            raise error()
        began(self, number, logs)

    began = _training._Clock.on_epoch_begin
    monkeypatch.setattr(_training._Clock, "on_epoch_begin", on_epoch_begin)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without a stop."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    assert main(["train", *OPTIONS, "--out", str(folder)]) == 0
    return folder


def check_same(run: Path, whole: Path) -> None:
    assert {path.name for path in run.iterdir()} - {"evaluation"} == {path.name for path in whole.iterdir()}
    ours, theirs = (st.load_model(folder / "model.safetensors") for folder in (run, whole))
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    assert (run / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    figures = [json.loads((folder / "metrics.json").read_text()) for folder in (run, whole)]
    for each in figures:
        del each["seconds"], each["seconds_per_epoch"]
    assert figures[0] == figures[1] and figures[0]["epochs"] == 4


@pytest.mark.parametrize("epoch", [0, 2, 3])
def test_a_killed_training_goes_on_bit_for_bit(
    epoch: int, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop(patch, epoch, Killed)
        with pytest.raises(Killed):
            main(["train", *OPTIONS, "--out", str(run)])
    with (run / "history.csv").open("a") as file:
        file.write("9,0.5,")  # what a killed process can leave
    assert main(["train", *OPTIONS, "--out", str(run)]) != 0  # it is not overwritten
    assert main(["train", "--resume", str(run), "--threads", "1", "--no-pictures"]) == 0
    check_same(run, whole)
    assert main(["train", "--resume", str(run)]) != 0  # it has ended


def test_after_ctrl_c_and_in_place_of_an_old_run(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        stop(patch, 2, KeyboardInterrupt)
        assert main(["train", *OPTIONS, "--out", str(run)]) == 130
    assert main(["evaluate", str(run)]) == 0  # what was learned is there
    assert main(["train", "--resume", str(run)]) == 0
    assert "going on after epoch 2 of 4" in capsys.readouterr().out
    check_same(run, whole)
    with monkeypatch.context() as patch:
        stop(patch, 1, Killed)
        with pytest.raises(Killed):
            main(["train", *OPTIONS, "--out", str(run), "--overwrite"])
    assert main(["evaluate", str(run)]) == 0  # the old run is whole
    assert main(["train", "--resume", str(run)]) == 0
    check_same(run, whole)


def test_what_cannot_be_resumed(tmp_path: Path, capsys: pytest.CaptureFixture[str], trained: Path) -> None:
    for arguments, message in (
        (["--resume", str(tmp_path / "no")], "there is no run folder"),
        (["--resume", str(trained)], "holds no training to go on with"),
        (["--resume", str(trained), "--epochs", "9"], "--epochs cannot be given with --resume"),
        (["digits", "--resume", str(trained)], "DATA cannot be given with --resume"),
    ):
        assert main(["train", *arguments]) != 0
        assert message in capsys.readouterr().err
    damaged = tmp_path / "damaged"
    damaged.mkdir()
    for text in ("{", "[]", '{"image_size": 3}', '{"image_size": null}'):
        (damaged / "settings.json").write_text(text)
        assert main(["train", "--resume", str(damaged)]) != 0
        assert "damaged" in capsys.readouterr().err


def test_numbers_of_the_state(whole: Path) -> None:
    assert not (whole / "training.safetensors").exists() and not (whole / "settings.json").exists()
    assert np.isfinite(json.loads((whole / "metrics.json").read_text())["loss"])
