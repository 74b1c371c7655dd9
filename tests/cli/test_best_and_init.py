"""The best weights are kept; `--init` begins with the weights of another run."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.cli import main
from striate.cli._best import BestWeights
from striate.cli._settings import Settings, completed

QUICK = ["--no-pictures", "--no-report", "--verbose", "0"]


class Weights:
    """All that the callback needs of a model."""

    def __init__(self) -> None:
        self.weights = [np.zeros(2)]

    def get_weights(self) -> list[Any]:
        return self.weights

    def set_weights(self, weights: list[Any]) -> None:
        self.weights = weights


def test_the_best_epoch_and_ties() -> None:
    best = BestWeights("val_accuracy")
    model = Weights()
    best.set_model(model)  # type: ignore[arg-type]
    values = [(0.5, 1.0), (0.8, 0.9), (float("nan"), 0.1), (0.8, 0.7), (0.8, 0.8), (0.6, 0.1)]
    for epoch, (accuracy, loss) in enumerate(values):
        model.weights = [np.full(2, float(epoch))]
        best.on_epoch_end(epoch, {"val_accuracy": accuracy, "val_loss": loss})
    assert best.best_epoch == 3
    again = BestWeights("val_accuracy")
    again.set_model(model)  # type: ignore[arg-type]
    again.set_state(best.get_state())
    again.restore()
    assert model.weights[0].tolist() == [3.0, 3.0] and again.best_epoch == 3
    with pytest.raises(ValueError, match="another model"):
        again.set_state({**best.get_state(), "weights": [np.zeros(3)]})
    none = BestWeights("val_accuracy")
    none.set_model(model)  # type: ignore[arg-type]
    none.on_epoch_end(0, {"loss": 1.0})
    none.restore()
    assert model.weights[0].tolist() == [3.0, 3.0]


def test_the_run_has_the_weights_of_its_best_epoch(tmp_path: Path) -> None:
    run = tmp_path / "run"
    words = ["--model", "lenet", "--epochs", "6", "--learning-rate", "0.03", "--schedule", "constant"]
    assert main(["train", *words, *QUICK, "--out", str(run)]) == 0
    with (run / "history.csv").open(newline="") as file:
        rows = [float(row["val_accuracy"]) for row in csv.DictReader(file)]
    epoch = json.loads((run / "metrics.json").read_text())["best_epoch"]
    assert rows[epoch - 1] == max(rows)
    (x, y), _ = st.data.load_digits()
    numbers = np.arange(len(y))
    _, (taken, labels) = st.data.split(numbers, y, 0.1, seed=0)
    found = st.load_model(run / "model.safetensors").predict(x[taken]).argmax(axis=1)
    assert (found == labels).mean() == pytest.approx(max(rows), abs=1e-6)


def test_init_takes_over_what_fits(
    trained: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    words = ["--init", str(trained), "--epochs", "1", "--learning-rate", "1e-9", "--validation-split", "0"]
    assert main(["train", str(picture_folder), *words, *QUICK, "--out", str(run)]) == 0
    told = capsys.readouterr().out
    assert "begin  with the weights of" in told and "begun anew: 'logits'" in told
    ours, theirs = (st.load_model(path / "model.safetensors") for path in (run, trained))
    for layer, other in zip(ours.layers, theirs.layers, strict=True):
        for a, b in zip(layer.get_weights(), other.get_weights(), strict=True):
            if a.ndim == 4:
                np.testing.assert_allclose(a, b, atol=1e-6)
    assert main(["train", *words[:-2], *QUICK, "--out", str(tmp_path / "same")]) == 0
    assert "begun anew" not in capsys.readouterr().out
    assert main(["train", "--init", str(trained), "--task", "segment", *QUICK, "--out", str(tmp_path / "x")]) == 2
    assert "is a run of the task classify: give --task classify" in capsys.readouterr().err


def settings(**given: object) -> Settings:
    fields = dict.fromkeys(Settings.__dataclass_fields__)
    return Settings(**{**fields, **given})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "pictures", "batch_size", "epochs"),
    [("classify", 60000, 32, 15), ("classify", 60, 8, 38), ("segment", 40, 8, 60), ("detect", 1000, 8, 15)],
)
def test_usual_values(task: str, pictures: int, batch_size: int, epochs: int) -> None:
    found = completed(settings(), task, pictures, "/data")
    assert (found.batch_size, found.epochs) == (batch_size, epochs)
    assert found.augment == ("flip" if task == "detect" else "none")
    assert completed(settings(), task, pictures, "digits").augment == "none"
    kept = completed(settings(batch_size=3, epochs=2, augment="noise=0.1"), task, pictures, "/data")
    assert (kept.batch_size, kept.epochs, kept.augment) == (3, 2, "noise=0.1")
