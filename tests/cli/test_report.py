"""What a report holds, and that its figures are those of the definitions."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from report_contents import NAMES, content_of, result_of

from striate.cli import main
from striate.cli.report import render
from striate.cli.report._boxes import _average_precision, _matched
from striate.cli.report._classes import calibration, threshold_counts
from striate.cli.report._images import within_budget
from striate.cli.report._intervals import bootstrap, wilson
from striate.cli.report._network import judge

MOST = 5_000_000


def data_of(page: str) -> Any:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("task", ["classify", "segment", "detect"])
def test_a_page_is_one_file_in_which_names_are_no_markup(task: str) -> None:
    page = render(content_of(task))
    assert len(page) < MOST
    assert not re.search(r'(src|href)="(?!data:|#)', page) and "http://www.w3.org/2000/svg" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)
    assert "<b>cat" not in page and page.count("</script>") == 2
    data = data_of(page)
    assert data["classes"] == NAMES and data["history"]["val_loss"] == [1.1, 0.6, None]
    assert {"headline", "table", "graph", "maps", "flow", "command", "versions", "sees"} <= data.keys()
    for entry in data["headline"]:
        if entry.get("interval"):
            assert entry["interval"][0] <= entry["value"] <= entry["interval"][1]
    layers = data["graph"]["layers"]
    assert all(max(layer["inputs"], default=-1) < place for place, layer in enumerate(layers))
    assert sum(layer["parameters"] for layer in layers) == result_of(task)[0].count_params()


def test_the_pictures_behind_the_confusion_matrix() -> None:
    data = content_of("classify")
    for cell, places in data["cells"].items():
        true, called = map(int, cell.split(","))
        assert 0 < len(places) <= data["matrix"][true][called]
        for place in places:
            assert (data["samples"][place]["truth"], data["samples"][place]["predicted"]) == (true, called)
    for true, places in data["mistakes"].items():
        sure = [data["samples"][place]["probability"] for place in places]
        assert sure == sorted(sure, reverse=True)
        assert all(data["samples"][place]["truth"] == int(true) for place in places)


def test_pictures_stay_within_their_budget() -> None:
    entries = [{"image": "x" * 400, "size": [1, 2]} for _ in range(5)]
    assert len(within_budget(iter(entries), 1000)) == 2
    assert len(within_budget(iter(entries), 10)) == 1 and within_budget(iter([]), 10) == []


def test_intervals() -> None:
    low, high = wilson(9, 10)  # type: ignore[misc]
    assert (low, high) == pytest.approx((0.5958, 0.9821), abs=1e-4)  # E. B. Wilson's formula by hand
    assert wilson(0, 0) is None and bootstrap(lambda rows: 0.0, 4) is None
    values = np.arange(50.0)
    low, high = bootstrap(lambda rows: float(values[rows].mean()), 50)  # type: ignore[misc]
    error = values.std() / np.sqrt(50)
    assert low == pytest.approx(24.5 - 1.96 * error, abs=0.8) and high == pytest.approx(24.5 + 1.96 * error, abs=0.8)


def test_counts_at_thresholds() -> None:
    random = np.random.default_rng(0)
    scores, positive = random.random(300), random.random(300) < 0.3
    found = threshold_counts(scores, positive)
    for place, threshold in enumerate(found["thresholds"]):
        assert found["tp"][place] == (scores[positive] >= threshold).sum()
        assert found["fp"][place] == (scores[~positive] >= threshold).sum()
    assert found["tp"][0] == found["positives"] and found["fp"][0] == found["negatives"]


def test_calibration_of_a_perfect_forecast() -> None:
    random = np.random.default_rng(0)
    sure = random.random(20000)
    assert calibration(sure, random.random(20000) < sure)["error"] < 0.02
    assert calibration(np.full(10, 0.99), np.zeros(10, bool))["error"] == pytest.approx(0.99)


def test_average_precision_is_that_of_the_metrics() -> None:
    _, result = result_of("detect")
    matched = [_matched(one, labels) for one, labels in zip(result.found, result.labels, strict=True)]  # type: ignore[union-attr]
    assert _average_precision(matched, len(NAMES)) == pytest.approx(result.metrics["AP50"], abs=1e-9)


@pytest.mark.parametrize(
    ("norms", "word"),
    [
        ({"a": [1e-6, 1e-6], "b": [1.0, 1.0]}, "vanishes"),
        ({"a": [1e4, 1e4], "b": [1.0, 1.0]}, "explodes"),
        ({"a": [0.0, 0.0], "b": [1.0, 1.0]}, "No gradient reaches a"),
        ({"a": [0.1, 1.0, 9.0], "b": [0.1, 1.0, 9.0]}, "grew 90-fold"),
        ({"a": [1.0, float("nan")], "b": [1.0, 1.0]}, "not a number"),
        ({"a": [0.5, 0.5], "b": [1.0, 1.0]}, "healthy"),
    ],
)
def test_the_judgement_of_gradients(norms: dict[str, list[float]], word: str) -> None:
    assert word in judge(norms)


def test_the_command_writes_the_page_of_the_training(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = data_of((trained / "report.html").read_text(encoding="utf-8"))
    assert first["command"] == "striate train --epochs 3"
    page = tmp_path / "again.html"
    assert main(["report", str(trained), "--out", str(page)]) == 0
    again = data_of(page.read_text(encoding="utf-8"))
    for data in (first, again):
        for layer in data["graph"]["layers"]:
            del layer["ms"]
        del data["graph"]["ms"], data["name"]
    assert again == first
    capsys.readouterr()
    assert main(["report", str(trained), "--out", str(page)]) == 2
    assert "already exists; give --overwrite" in capsys.readouterr().err


def test_runs_are_compared(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    words = ["--model", "lenet", "--epochs", "1", "--no-pictures", "--no-report", "--verbose", "0"]
    assert main(["train", *words, "--out", str(other)]) == 0
    assert not (other / "report.html").exists()
    page = tmp_path / "both.html"
    assert main(["report", str(trained), str(other), "--out", str(page)]) == 0
    data = data_of(page.read_text(encoding="utf-8"))
    assert [run["model"] for run in data["runs"]] == ["cnn", "lenet"] and data["same_pictures"]
    assert "epochs" in data["differing"] and "seed" not in data["differing"]
    metrics = json.loads((trained / "metrics.json").read_text(encoding="utf-8"))
    assert data["runs"][0]["figures"][0] == metrics["accuracy"]
    assert main(["report", str(tmp_path / "none")]) == 2
    assert "there is no run folder" in capsys.readouterr().err
