"""The commands, end to end, on real digits."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.cli import main
from striate.data import load_digits, write_idx

PAGES = ("report.html", "gradient_flow.json")
PICTURES = ("curves.png", "confusion_matrix.png", "predictions.png", "feature_maps.png", "gradient_flow.png")


def read_json(path: Path) -> Any:
    """The file's content; NaN and infinity, which JSON has not, are errors."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{path} holds {word}")

    return json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_run_folder_holds_everything(trained: Path) -> None:
    names = {path.name for path in trained.iterdir()}
    assert names == {"model.safetensors", "run.json", "history.csv", "metrics.json", "summary.txt", *PAGES, *PICTURES}
    for name in PICTURES:
        assert (trained / name).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"

    info = read_json(trained / "run.json")
    assert info["class_names"] == [str(digit) for digit in range(10)]
    assert (info["image_size"], info["color_mode"], info["data"], info["model"]) == (
        [8, 8],
        "grayscale",
        "digits",
        "cnn",
    )
    assert info["settings"]["epochs"] == 3

    with (trained / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 3
    assert {"epoch", "loss", "accuracy", "val_loss", "val_accuracy"} <= set(rows[0])
    assert float(rows[2]["loss"]) < float(rows[0]["loss"])
    assert "block1_conv1" in (trained / "summary.txt").read_text(encoding="utf-8")


def test_the_metrics_are_those_of_the_saved_model(trained: Path) -> None:
    metrics = read_json(trained / "metrics.json")
    _, (x, y) = load_digits()
    logits = st.load_model(trained / "model.safetensors").predict(x).astype(np.float64)
    answers = logits.argmax(axis=1)
    assert metrics["part"] == "test" and metrics["examples"] == len(y) == 360
    assert metrics["accuracy"] == pytest.approx((answers == y).mean(), abs=1e-12)
    assert metrics["accuracy"] > 0.8
    shifted = logits - logits.max(axis=1, keepdims=True)
    loss = (np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]).mean()
    assert metrics["loss"] == pytest.approx(loss, rel=1e-6)
    matrix = np.zeros((10, 10), int)
    np.add.at(matrix, (y, answers), 1)
    assert metrics["confusion_matrix"] == matrix.tolist()
    three = metrics["classes"]["3"]
    assert three["sensitivity"] == pytest.approx(matrix[3, 3] / matrix[3].sum())
    assert three["precision"] == pytest.approx(matrix[3, 3] / max(1, matrix[:, 3].sum()))
    assert three["specificity"] == pytest.approx(1 - (matrix[:, 3].sum() - matrix[3, 3]) / (360 - matrix[3].sum()))
    assert 0.9 < metrics["auc"] <= 1
    assert {"precision", "sensitivity", "specificity", "f1", "support"} <= set(metrics["macro"])
    assert metrics["epochs"] == 3
    assert metrics["seconds"] == pytest.approx(3 * metrics["seconds_per_epoch"])


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    for name, threads in (("a", "1"), ("b", "2")):
        command = ["train", "--epochs", "1", "--seed", "5", "--threads", threads, "--augment", "shift=0.1,noise=0.05"]
        assert main([*command, "--out", str(tmp_path / name), "--no-pictures", "--verbose", "0"]) == 0
    first, second = (st.load_model(tmp_path / name / "model.safetensors").state_dict() for name in "ab")
    assert all(np.array_equal(first[key], second[key]) for key in first)
    assert not (tmp_path / "a" / "curves.png").exists()


def test_training_prints_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--model", "lenet", "--epochs", "1", "--out", str(tmp_path / "r"), "--no-pictures"]) == 0
    printed = capsys.readouterr().out
    assert "digits: 1,293 to train, 144 to validate, 360 to test; 8 x 8 x 1, 10 classes" in printed
    assert "lenet" in printed
    assert "360 test pictures: accuracy" in printed
    assert "class" in printed and "sensitivity" in printed and "weighted average" in printed
    assert "epoch 1/1  loss " in printed and "kept the weights of epoch 1, the best val_accuracy" in printed
    assert printed.splitlines()[-2:] == [f"run folder: {tmp_path / 'r'}", f"report: {tmp_path / 'r' / 'report.html'}"]


def test_without_out_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for number in (1, 2):
        assert main(["train", "--model", "lenet", "--epochs", "1", "--no-pictures", "--verbose", "0"]) == 0
        assert (tmp_path / "runs" / f"digits-lenet-{number}" / "run.json").is_file()


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop", "adagrad", "adadelta", "adamw", "lion"])
@pytest.mark.parametrize("schedule", ["constant", "exponential", "cosine"])
def test_every_optimizer_and_schedule_trains(optimizer: str, schedule: str, tmp_path: Path) -> None:
    command = ["train", "--model", "lenet", "--epochs", "1", "--batch-size", "64", "--optimizer", optimizer]
    more = ["--warmup", "0.5"] if schedule == "cosine" else []
    out = ["--schedule", schedule, *more, "--weight-decay", "0.0001", "--out", str(tmp_path / "r")]
    assert main([*command, *out, "--no-pictures", "--verbose", "0"]) == 0
    assert np.isfinite(read_json(tmp_path / "r" / "metrics.json")["loss"])


def test_patience_stops_and_keeps_the_best(tmp_path: Path) -> None:
    command = ["train", "--model", "lenet", "--epochs", "40", "--patience", "1", "--learning-rate", "0.02"]
    assert (
        main([*command, "--schedule", "constant", "--out", str(tmp_path / "r"), "--no-pictures", "--verbose", "0"]) == 0
    )
    assert read_json(tmp_path / "r" / "metrics.json")["epochs"] < 40


def test_folders_of_pictures(picture_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    command = ["train", str(picture_folder), "--epochs", "6", "--class-weight", "balanced", "--batch-size", "8"]
    assert main([*command, "--out", str(run), "--verbose", "0"]) == 0
    assert "60 to train, 18 to validate, 30 to test; 8 x 8 x 1, 3 classes" in capsys.readouterr().out
    info, metrics = read_json(run / "run.json"), read_json(run / "metrics.json")
    assert info["class_names"] == ["one", "seven", "zero"]
    assert metrics["accuracy"] > 0.8

    # The same part, judged again, gives the same figures.
    assert main(["evaluate", str(run), str(picture_folder), "--out", str(tmp_path / "again")]) == 0
    again = read_json(tmp_path / "again" / "metrics.json")
    assert again["confusion_matrix"] == metrics["confusion_matrix"]
    assert (tmp_path / "again" / "predictions.png").exists()

    # One class alone: it is told by its name, though it comes first and only here.
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "zero").symlink_to(picture_folder / "test" / "zero")
    assert main(["evaluate", str(run), str(alone), "--out", str(tmp_path / "zeros"), "--no-pictures"]) == 0
    zeros = read_json(tmp_path / "zeros" / "metrics.json")
    assert zeros["classes"]["zero"]["support"] == 10
    assert zeros["auc"] is None or 0 <= zeros["auc"] <= 1
    capsys.readouterr()

    files = sorted((picture_folder / "test" / "seven").iterdir())[:3]
    picture = tmp_path / "seen.png"
    assert main(["predict", str(run), *map(str, files), "--json", "--picture", str(picture)]) == 0
    answers = json.loads(capsys.readouterr().out)
    assert [answer["file"] for answer in answers] == [str(path) for path in files]
    assert sum(answer["class"] == "seven" for answer in answers) >= 2
    for answer in answers:
        assert sum(answer["probabilities"].values()) == pytest.approx(1)
        assert answer["probability"] == max(answer["probabilities"].values())
    assert picture.stat().st_size > 1000
    assert main(["predict", str(run), str(files[0]), "--top", "2"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_pictures_are_scaled_and_coloured_as_asked(picture_folder: Path, tmp_path: Path) -> None:
    command = ["train", str(picture_folder / "test"), "--model", "lenet", "--epochs", "1", "--image-size", "12x16"]
    assert main([*command, "--color-mode", "rgb", "--out", str(tmp_path / "r"), "--no-pictures", "--verbose", "0"]) == 0
    assert st.load_model(tmp_path / "r" / "model.safetensors").input_shape == (None, 12, 16, 3)
    metrics = read_json(tmp_path / "r" / "metrics.json")
    assert (metrics["part"], metrics["examples"]) == ("validation", 3)


def test_idx_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (x_train, y_train), (x_test, y_test) = load_digits()
    for part, x, y in (("train", x_train[:300], y_train[:300]), ("t10k", x_test[:80], y_test[:80])):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", x[..., 0])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", y.astype(np.uint8))
    command = ["train", str(tmp_path), "--model", "lenet", "--epochs", "1", "--validation-split", "0", "--no-pictures"]
    assert main([*command, "--out", str(tmp_path / "r"), "--verbose", "0"]) == 0
    assert "300 to train, 80 to test" in capsys.readouterr().out
    # Without DATA, what it was trained on is judged.
    assert main(["evaluate", str(tmp_path / "r"), "--no-pictures"]) == 0
    assert "80 test pictures" in capsys.readouterr().out
    assert main(["train", str(tmp_path), "--image-size", "16", "--out", str(tmp_path / "x")]) == 2
    assert "8 x 8 pixels and are not scaled, but 16 x 16" in capsys.readouterr().err


def test_summary_of_a_run_a_file_and_a_name(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["summary", str(trained)]) == 0
    of_run = capsys.readouterr().out
    assert main(["summary", str(trained / "model.safetensors")]) == 0
    assert capsys.readouterr().out == of_run == (trained / "summary.txt").read_text(encoding="utf-8")
    assert main(["summary", "resnet18", "--image-size", "64x48", "--classes", "7"]) == 0
    assert "stage4_block2_conv2" in capsys.readouterr().out


def test_export_writes_onnx(trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "m.onnx"
    assert main(["export", str(trained), "--onnx", str(path)]) == 0
    assert capsys.readouterr().out == f"wrote {path}: (None, 8, 8, 1) -> (None, 10), channels_last\n"
    onnx.checker.check_model(str(path), full_check=True)
    x = load_digits()[1][0][:16]
    want = st.load_model(trained / "model.safetensors").predict(x)
    np.testing.assert_allclose(st.onnx.load(path).predict(x), want, rtol=1e-5, atol=1e-5)
    assert main(["export", str(trained / "model.safetensors"), "--onnx", str(path)]) == 2
    assert "give --overwrite" in capsys.readouterr().err
    arguments = [str(trained / "model.safetensors"), "--onnx", str(path), "--overwrite", "--channels-first"]
    assert main(["export", *arguments]) == 0
    assert [d.dim_value for d in onnx.load(path).graph.input[0].type.tensor_type.shape.dim] == [0, 1, 8, 8]
    assert main(["export", str(trained)]) == 2
    assert "--onnx" in capsys.readouterr().err


def test_info_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    printed = capsys.readouterr().out
    assert st.__version__ in printed and "extras:" in printed and st.isa() in printed
    assert main(["--version"]) == 0
    assert st.__version__ in capsys.readouterr().out
    assert main([]) == 0
    assert "train" in capsys.readouterr().out


def test_python_m_striate() -> None:
    done = subprocess.run([sys.executable, "-m", "striate", "info"], capture_output=True, text=True, check=True)
    assert "extras:" in done.stdout


def test_ctrl_c_keeps_what_was_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from striate.cli import _training

    class Impatient(_training._Clock):
        def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
            super().on_epoch_end(epoch, logs)
            if epoch == 1:
                raise KeyboardInterrupt

    monkeypatch.setattr(_training, "_Clock", Impatient)
    command = ["train", "--model", "lenet", "--epochs", "9", "--out", str(tmp_path / "r"), "--verbose", "0"]
    assert main(command) == 130
    metrics = read_json(tmp_path / "r" / "metrics.json")
    assert metrics["epochs"] == 2 and metrics["stopped_early"] is True
    assert st.load_model(tmp_path / "r" / "model.safetensors").count_params() == metrics["parameters"]


def test_without_click_the_extra_is_named() -> None:
    code = (
        "import sys; sys.path_hooks; from importlib.abc import MetaPathFinder\n"
        "class Block(MetaPathFinder):\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'click': raise ModuleNotFoundError('No module named click', name='click')\n"
        "sys.meta_path.insert(0, Block())\n"
        "from striate.cli import main; sys.exit(main(['info']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=os.environ, check=False)
    assert done.returncode == 1
    assert done.stderr == "striate: the striate command needs click: pip install 'striate[cli]'\n"


def test_without_matplotlib_the_extra_is_named_before_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import importlib

    real = importlib.import_module

    def without(name: str, *arguments: Any) -> Any:
        if name.startswith("matplotlib"):
            raise ModuleNotFoundError(f"No module named {name!r}", name="matplotlib")
        return real(name, *arguments)

    monkeypatch.setattr("striate._extras.importlib.import_module", without)
    assert main(["train", "--epochs", "1", "--out", str(tmp_path / "r")]) == 1
    assert (
        "striate train (or give --no-pictures) needs matplotlib: pip install 'striate[plot]'" in capsys.readouterr().err
    )
    assert not (tmp_path / "r").exists()


def test_deep_grey_pictures_keep_their_window(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """16-bit pictures that use 0 .. 235: the run folder holds the window, and evaluate and predict use it."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for part, count in (("train", 12), ("test", 4)):
        for place, name in enumerate(("dark", "light")):
            (tmp_path / "data" / part / name).mkdir(parents=True)
            for number in range(count):
                values = rng.integers(0, 60, (8, 8), dtype=np.uint16) + np.uint16(176 * place)
                values[0, 0] = 0 if place == 0 else 235
                Image.fromarray(values).save(tmp_path / "data" / part / name / f"{number}.png")
    run, data = tmp_path / "run", tmp_path / "data"
    command = ["train", str(data), "--epochs", "12", "--batch-size", "4", "--validation-split", "0", "--no-pictures"]
    assert main([*command, "--out", str(run), "--verbose", "0"]) == 0
    assert "deep pictures: 0 is black and 235 white (--window 0,235)" in capsys.readouterr().out
    assert read_json(run / "run.json")["default_window"] == [117.5, 235.0]
    assert read_json(run / "metrics.json")["accuracy"] == 1.0
    capsys.readouterr()
    files = [str(data / "test" / name / "1.png") for name in ("dark", "light")]
    assert main(["predict", str(run), *files, "--json"]) == 0
    assert [answer["class"] for answer in json.loads(capsys.readouterr().out)] == ["dark", "light"]
    out = tmp_path / "again"
    assert main(["evaluate", str(run), str(data), "--out", str(out), "--no-pictures"]) == 0
    assert read_json(out / "metrics.json")["accuracy"] == 1.0


def unfinished(folder: Path) -> None:
    """What a training leaves that was killed."""
    folder.mkdir()
    (folder / "history.csv").write_text("epoch,loss\n")
    (folder / ".striate-0badcafe-1-0.tmp").write_bytes(b"half a model")


def test_an_unfinished_run_is_no_obstacle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["train", "--epochs", "1", "--no-pictures", "--verbose", "0", "--out", str(tmp_path / "run")]
    unfinished(tmp_path / "run")
    assert main(options) == 2
    assert "holds an unfinished run; give --overwrite" in capsys.readouterr().err
    assert main([*options, "--overwrite"]) == 0
    unfinished(tmp_path / "run" / ".striate-unfinished")  # of a training that was to replace the run
    assert main(options) == 2
    assert "holds a run already" in capsys.readouterr().err
    assert main([*options, "--overwrite"]) == 0
    assert not (tmp_path / "run" / ".striate-unfinished").exists()
    assert len((tmp_path / "run" / "history.csv").read_text().splitlines()) == 2


def test_other_folders_are_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "thesis.txt").write_text("text")
    assert main(["train", "--epochs", "1", "--out", str(tmp_path), "--overwrite"]) == 2
    assert "is not empty and holds no run" in capsys.readouterr().err
    assert os.listdir(tmp_path) == ["thesis.txt"]


def test_a_run_that_was_being_replaced_is_finished(trained: Path, tmp_path: Path) -> None:
    """The process was killed when some of the files were moved."""
    run, new = tmp_path / "run", tmp_path / "run" / ".striate-unfinished"
    shutil.copytree(trained, run)
    shutil.copytree(trained, new)
    for name in ("run.json", "model.safetensors"):
        (run / name).unlink()
    os.replace(new / "metrics.json", run / "metrics.json")
    assert main(["evaluate", str(run), "--no-pictures"]) == 0
    assert not new.exists()
    for path in trained.iterdir():
        if path.is_file():
            assert (run / path.name).read_bytes() == path.read_bytes()
