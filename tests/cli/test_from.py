"""`striate train --from`: the network of a run or a file, with a new head."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import striate as st
from striate.cli import main

QUICK = ["--no-pictures", "--no-report", "--verbose", "0", "--epochs", "4"]


def accuracy(run: Path) -> float:
    return float(json.loads((run / "metrics.json").read_text())["accuracy"])


def test_a_run_is_fine_tuned(
    trained: Path, picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert main(["train", str(picture_folder), "--from", str(trained), *QUICK, "--out", str(run)]) == 0
    assert "model  finetuned" in capsys.readouterr().out
    assert accuracy(run) > 0.8
    ours, theirs = (st.load_model(folder / "model.safetensors") for folder in (run, trained))
    assert ours.output_shape == (None, 3)
    kept = [layer for layer in theirs.layers if layer.weights][:3]  # two thirds are frozen
    for layer in kept:
        for a, b in zip(ours.get_layer(layer.name).get_weights(), layer.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)
    assert main(["evaluate", str(run), str(picture_folder)]) == 0
    assert main(["train", str(picture_folder), "--init", str(run), *QUICK, "--out", str(tmp_path / "x")]) == 2
    assert f"is a run of --from: give --from {run}" in capsys.readouterr().err
    again = tmp_path / "again"
    assert main(["train", str(picture_folder), "--from", str(run), "--thaw", "0", *QUICK, "--out", str(again)]) == 0


def test_an_onnx_file_of_open_size_is_fine_tuned(trained: Path, picture_folder: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    rng = np.random.default_rng(0)
    weights = [onnx.numpy_helper.from_array(rng.normal(size=(8, 3, 3, 3)).astype(np.float32) / 5, "w")]
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1], name="first"),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "v"], ["c"], name="second"),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["y"]),
    ]
    weights.append(onnx.numpy_helper.from_array(rng.normal(size=(5, 8, 1, 1)).astype(np.float32), "v"))
    ends = [helper.make_tensor_value_info("x", 1, ["N", 3, "H", "W"]), helper.make_tensor_value_info("y", 1, ["N", 5])]
    graph = helper.make_graph(nodes, "small", ends[:1], ends[1:], weights)
    path = tmp_path / "small.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    for pixels in ("auto", "imagenet", "symmetric"):
        run = tmp_path / pixels
        words = ["--from", str(path), "--pixels", pixels, "--image-size", "10x12", "--thaw", "1"]
        assert main(["train", str(picture_folder), *words, *QUICK, "--out", str(run)]) == 0
        model = st.load_model(run / "model.safetensors")
        assert model.input_shape == (None, 10, 12, 3) and np.isfinite(accuracy(run))
        assert model.get_layer("first").get_weights()[0].shape == (3, 3, 3, 8)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--thaw", "0.5"], "--thaw goes with --from"),
        (["--pixels", "unit"], "--pixels goes with --from"),
        (["--from", "{run}", "--model", "cnn"], "--from is the network: give no --model"),
        (["--from", "{run}", "--init", "{run}"], "--from is the network: give no --init"),
        (["--from", "{run}", "--image-size", "9"], "takes pictures of 8 x 8: give no other --image-size"),
        (["--from", "{run}", "--color-mode", "rgb"], "takes pictures in grayscale: give no other --color-mode"),
        (["--from", "{run}", "--base", "4", "--task", "segment"], "--base is not for the network finetuned"),
    ],
)
def test_options_that_do_not_fit(
    words: list[str], message: str, trained: Path, picture_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("{run}", str(trained)) for word in words]
    assert main(["train", str(picture_folder), *given, *QUICK]) == 2
    assert message in capsys.readouterr().err
