"""Every writer, killed at its calls and at random times, and with calls that fail: there is the old or the new content,
no part of one, and no temporary file after the next write.

By default a few calls of each, chosen by STRIATE_SEED; with FULL=1 every call, and 50 random kills for each writer.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.history import read_history

pytest.importorskip("onnx")
pytest.importorskip("tensorboardX")
pytest.importorskip("matplotlib")
pytest.importorskip("click")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the shim counts the calls of Linux's C library")

HERE = Path(__file__).parent / "kills"
FULL = os.environ.get("FULL") == "1"
SEED = zlib.crc32(os.environ.get("STRIATE_SEED", "0").encode())
GROUPS = {
    "models": ["model", "new model", "large model", "weights", "training", "checkpoint", "exclusive"],
    "files": ["onnx", "idx", "json", "text", "figure", "masks"],
    "logs": ["csv first", "csv row", "csv column", "csv torn", "csv start", "tensorboard"],
    "runs": ["run", "new run"],
}


def environment(**more: str) -> dict[str, str]:
    package = str(Path(st.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg", **more}


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> str:
    built = tmp_path_factory.mktemp("shim") / "shim.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(built), str(HERE / "shim.c"), "-ldl"], check=True)
    return str(built)


@pytest.mark.parametrize("group", GROUPS)
def test_killed_and_failing_writers(group: str, shim: str) -> None:
    counts = (-1, -1, 50) if FULL else (2, 2, 1)
    done = subprocess.run(
        [sys.executable, str(HERE / "driver.py"), shim, str(SEED), *map(str, counts), *GROUPS[group]],
        env=environment(LD_PRELOAD=shim),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    reports: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps(reports))
    assert list(reports) == GROUPS[group]
    for name, report in reports.items():
        assert report["problems"] == [], (name, done.stderr)
        assert report["kills"] + report["ended"] >= 3 and report["calls"] >= 5, name


def test_a_training_killed_again_and_again_gives_the_same_weights(shim: str, tmp_path: Path) -> None:
    """Each process trains from the state that is there and is killed; the last one is not. The table of epochs has
    whole rows, of every epoch, and the weights are those of a training that was not killed, bit for bit."""

    def command(folder: Path) -> list[str]:
        return [sys.executable, str(HERE / "train.py"), str(folder)]

    random = np.random.default_rng(SEED)
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    calm.mkdir()
    killed.mkdir()
    began = time.monotonic()
    subprocess.run(command(calm), env=environment(), check=True)
    longest = time.monotonic() - began
    for _ in range(50 if FULL else 3):
        process = subprocess.Popen(command(killed), env=environment(PYTHONWARNINGS="ignore"))
        time.sleep(random.uniform(0.3, 1) * longest)
        process.kill()
        process.wait()
        (killed / "end.safetensors").unlink(missing_ok=True)
        if (killed / "state.safetensors").exists() and random.random() < 0.5:
            (killed / "state.safetensors").unlink()  # begin again, so that there is more to be killed
    subprocess.run(command(killed), env=environment(PYTHONWARNINGS="ignore"), check=True)
    ends = [(folder / "end.safetensors").read_bytes() for folder in (calm, killed)]
    assert ends[0] == ends[1]
    rows = read_history(killed / "log.csv")
    wanted = read_history(calm / "log.csv")
    assert set(rows.epoch) == set(wanted.epoch) == set(range(12))
    for epoch, loss in zip(rows.epoch, rows.history["loss"], strict=True):
        assert loss == wanted.history["loss"][epoch]
    assert {path.name for path in killed.iterdir()} == {"log.csv", "state.safetensors", "end.safetensors"}


def test_a_killed_training_leaves_the_old_run(tmp_path: Path) -> None:
    """`striate train --overwrite`, killed after its first epochs: the old run is as it was, and the folder can be
    trained into again."""

    def command(epochs: int) -> list[str]:
        options = ["--epochs", str(epochs), "--no-pictures", "--verbose", "0", "--out", str(folder), "--overwrite"]
        return [sys.executable, "-m", "striate", "train", *options]

    folder = tmp_path / "run"
    subprocess.run(command(1), env=environment(), check=True, capture_output=True)
    shutil.copytree(folder, tmp_path / "copy")
    killed = subprocess.Popen(command(100_000), env=environment(), stdout=subprocess.DEVNULL)
    log = folder / ".striate-unfinished" / "history.csv"
    try:
        deadline = time.monotonic() + 120
        while not (log.exists() and log.read_bytes().count(b"\n") > 2):
            assert time.monotonic() < deadline and killed.poll() is None
            time.sleep(0.01)
    finally:
        killed.kill()
        killed.wait()
    assert len(read_history(log).epoch) >= 2
    names = {path.name for path in (tmp_path / "copy").iterdir()}
    for name in names:
        assert (folder / name).read_bytes() == (tmp_path / "copy" / name).read_bytes()
    subprocess.run(command(2), env=environment(), check=True, capture_output=True)
    assert {path.name for path in folder.iterdir()} == names
    assert len(read_history(folder / "history.csv").epoch) == 2
