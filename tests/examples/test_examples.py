"""Every example runs, in a short form, and says what it promises."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import striate as st

EXAMPLES = Path(__file__).parents[2] / "examples"
MATPLOTLIB = (
    "vanishing_gradient.py",
    "receptive_field.py",
    "feature_maps.py",
    "optimizers.py",
    "segment_digits.py",
    "segment_nuclei.py",
    "detect_trees.py",
)


def run(name: str, folder: Path, *arguments: str) -> str:
    """What the example prints; warnings are errors in it, as they are in the tests."""
    if name in MATPLOTLIB:
        pytest.importorskip("matplotlib")
    environment = {**os.environ, "MPLBACKEND": "agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name), *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_example_is_tested() -> None:
    tested = set(re.findall(r'run\("(\w+\.py)"', Path(__file__).read_text(encoding="utf-8")))
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}


def test_train_digits(tmp_path: Path) -> None:
    printed = run("train_digits.py", tmp_path, "3")
    prediction, truth = re.findall(r"prediction: (\d) truth: (\d)", printed)[0]
    assert prediction == truth
    assert (tmp_path / "digits.safetensors").stat().st_size > 10_000


def test_keras_mnist(tmp_path: Path) -> None:
    printed = run("keras_mnist.py", tmp_path, "--epochs", "40")
    assert float(re.findall(r"Test accuracy: ([\d.]+)", printed)[0]) > 0.8


def test_vanishing_gradient(tmp_path: Path) -> None:
    printed = run("vanishing_gradient.py", tmp_path, "--epochs", "1")
    sigmoid, relu = (float(value) for value in re.findall(r"layer 1 / last = ([\d.e+-]+)", printed))
    assert sigmoid < 1e-4 < 1e-2 < relu
    assert (tmp_path / "vanishing_gradient.png").stat().st_size > 5_000


def test_receptive_field(tmp_path: Path) -> None:
    printed = run("receptive_field.py", tmp_path, "--size", "48")
    measured = re.findall(r"measured by gradients: (\d+) x (\d+) pixels", printed)[0]
    # 3, 5, 6 (jump 2), 10, 18, 20 (jump 4), 28.
    assert measured == ("28", "28")
    assert re.search(r"by the rule: .*28", printed)
    assert (tmp_path / "receptive_field.png").stat().st_size > 5_000


def test_feature_maps(tmp_path: Path) -> None:
    printed = run("feature_maps.py", tmp_path, "--epochs", "2")
    assert re.search(r"answer: \d truth: \d", printed)
    assert all((tmp_path / f"{name}.png").stat().st_size > 3_000 for name in ("feature_maps", "filters", "grad_cam"))


def test_regression_mse(tmp_path: Path) -> None:
    printed = run("regression_mse.py", tmp_path, "--epochs", "5")
    error, guess = re.findall(r"error ([\d.]+) pixels; always the mean: ([\d.]+) pixels", printed)[0]
    assert float(error) < 0.5 * float(guess)


def test_optimizers(tmp_path: Path) -> None:
    printed = run("optimizers.py", tmp_path, "--epochs", "2")
    losses = [float(value) for value in re.findall(r"loss +([\d.]+)", printed)]
    # One step an epoch cannot keep up with 1,437 or 45 of them.
    assert len(losses) == 5 and losses[0] == max(losses)
    assert (tmp_path / "optimizers.png").stat().st_size > 5_000


def test_binary_classification(tmp_path: Path) -> None:
    printed = run("binary_classification.py", tmp_path, "--epochs", "3")
    equal, weighted = (float(value) for value in re.findall(r"sensitivity ([\d.]+)", printed))
    assert weighted >= equal


def test_detect_digits(tmp_path: Path) -> None:
    printed = run("detect_digits.py", tmp_path, "--scenes", "600", "--epochs", "8")
    assert float(re.findall(r"AP50 on 300 test scenes: ([\d.]+)", printed)[0]) > 0.5
    assert re.search(r"truth: \[\(\d, ", printed)
    assert (tmp_path / "detector.safetensors").stat().st_size > 100_000


def test_segment_digits(tmp_path: Path) -> None:
    printed = run("segment_digits.py", tmp_path, "--scenes", "1000", "--epochs", "6")
    assert float(re.findall(r"mean IoU on the test scenes: ([\d.]+)", printed)[0]) > 0.5
    assert (tmp_path / "segment_digits.png").stat().st_size > 5_000


def test_segment_nuclei(tmp_path: Path) -> None:
    """On a picture of digits in the place of nuclei."""
    image = pytest.importorskip("PIL.Image")
    scenes, _, masks = st.data.digit_scenes(1, (128, 384), digits=(12, 12), seed=0)
    image.fromarray(scenes[0, ..., 0]).save(tmp_path / "img2d.tif")
    image.fromarray((masks[0] > 0).astype("uint8")).save(tmp_path / "mask2d.tif")
    printed = run("segment_nuclei.py", tmp_path, ".", "--epochs", "4", "--seeds", "0")
    assert 0.5 < float(re.findall(r"best global threshold: Dice ([\d.]+)", printed)[0]) <= 1
    assert float(re.findall(r"U-Net, seed 0: Dice ([\d.]+)", printed)[0]) > 0.5
    assert (tmp_path / "segment_nuclei.png").stat().st_size > 5_000


def test_detect_trees(tmp_path: Path) -> None:
    """On pictures of digits in the place of crowns."""
    image = pytest.importorskip("PIL.Image")
    script = (EXAMPLES / "detect_trees.py").read_text(encoding="utf-8")
    names = re.findall(r'^    "[a-z ]+": "(\w+)",$', script, re.M)
    for seed, name in enumerate(names):
        scenes, targets, _ = st.data.digit_scenes(1, 288, digits=(12, 12), sides=(24, 40), seed=seed)
        image.fromarray(scenes[0, ..., 0]).convert("RGB").save(tmp_path / f"{name}.png")
        objects = "".join(
            f"<object><name>Tree</name><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin><xmax>{x2}</xmax>"
            f"<ymax>{y2}</ymax></bndbox></object>"
            for x1, y1, x2, y2 in targets[0][0].astype(int)
        )
        text = f"<annotation><filename>{name}.png</filename>{objects}</annotation>"
        (tmp_path / f"{name}.xml").write_text(text, encoding="utf-8")
    printed = run("detect_trees.py", tmp_path, ".", "--epochs", "120", "--seeds", "0")
    assert "4 tiles of 192 pixels; training: 12 crowns" in printed
    assert float(re.findall(r"AP50 training ([\d.]+)", printed)[0]) > 0.2
    assert (tmp_path / "detect_trees.png").stat().st_size > 5_000


def test_transfer_digits(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    x = inputs = st.Input((48, 48, 3), name="x")
    for filters in (8, 16):
        x = st.layers.MaxPooling2D(3)(st.layers.Conv2D(filters, 3, padding="same", activation="relu")(x))
    st.Model(inputs, st.layers.Dense(4)(st.layers.Flatten()(x)), seed=0).export(
        tmp_path / "m.onnx", data_format="channels_first"
    )
    short = ("--epochs", "1", "--seeds", "1", "--pictures", "2")
    printed = run("transfer_digits.py", tmp_path, "--file", "m.onnx", *short)
    assert re.search(r"2 pictures of each digit: fine-tuned 0\.\d+ random 0\.\d+", printed)
