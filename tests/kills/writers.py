"""The writers that are killed: how each writes, and by which content a folder is told to be old or new."""

from __future__ import annotations

import csv
import io
import json
import struct
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import striate as st
from striate._files import write_file
from striate.callbacks import CSVLogger, ModelCheckpoint, TensorBoard
from striate.cli import _run
from striate.cli._overlays import write_png
from striate.history import read_history
from striate.layers import Conv2D, Dense, Flatten, Input

OLD, NEW, NONE = "old", "new", "none"


@dataclass
class Writer:
    """Attributes:
    write: writes the old (seed 0) or the new (seed 1) content into a folder; done again, it gives the new one.
    state: "old", "new", "none" where nothing is there yet, or what is wrong.
    names: of the files there may be when all is done.
    first: the state before the write that is killed.
    """

    write: Callable[[Path, int], None]
    state: Callable[[Path], str]
    names: frozenset[str]
    first: str = OLD


def model(seed: int, width: int = 4) -> st.Sequential:
    made = st.Sequential([Input((6, 6, 1)), Conv2D(width, 3), Flatten(), Dense(3)], seed=seed, name=f"n{seed}")
    made.compile("adam", "mse")
    return made


WRITERS: dict[str, Writer] = {}
_MODELS = [model(0), model(1)]
_LARGE = [st.Sequential([Input((1000,)), Dense(1000)], seed=seed) for seed in (0, 1)]  # of 4 MB
_ARRAYS = [np.arange(60, dtype=np.uint8).reshape(3, 20) + seed for seed in (0, 1)]


def of_bytes(name: str, write: Callable[[Path, int], None], first: str = OLD) -> None:
    """A writer of one file whose bytes depend on the seed alone."""
    wanted: list[bytes] = []

    def state(folder: Path) -> str:
        if not wanted:
            import tempfile

            with tempfile.TemporaryDirectory() as place:
                for seed in (0, 1):
                    write(Path(place) / "file", seed)
                    wanted.append((Path(place) / "file").read_bytes())
        if not (folder / "file").exists():
            return NONE
        data = (folder / "file").read_bytes()
        return NEW if data == wanted[1] else OLD if data == wanted[0] else f"damaged: {len(data)} bytes"

    WRITERS[name] = Writer(lambda folder, seed: write(folder / "file", seed), state, frozenset({"file"}), first)


def checkpoint(path: Path, seed: int) -> None:
    saver = ModelCheckpoint(path, save_best_only=True)
    saver.set_model(_MODELS[seed])
    saver.on_train_begin()
    saver.on_epoch_end(0, {"val_loss": 1.0 - seed})


def training(path: Path, seed: int) -> None:
    st.save_training(_MODELS[seed], path)


def figure(path: Path, seed: int) -> None:
    from matplotlib.figure import Figure

    from striate.viz._figure import finish

    drawn = Figure(figsize=(1, 1), dpi=20)
    drawn.add_axes((0, 0, 1, 1)).plot([0, 1 + seed])
    finish(drawn, path)


of_bytes("model", lambda path, seed: _MODELS[seed].save(path))
of_bytes("new model", lambda path, seed: _MODELS[seed].save(path), NONE)
of_bytes("large model", lambda path, seed: _LARGE[seed].save(path))
of_bytes("weights", lambda path, seed: _MODELS[seed].save_weights(path))
of_bytes("training", training)
of_bytes("onnx", lambda path, seed: _MODELS[seed].export(path))
of_bytes("idx", lambda path, seed: st.data.write_idx(path, _ARRAYS[seed]))
of_bytes("json", lambda path, seed: _run.write_json(path, {"seed": seed}))
of_bytes("text", lambda path, seed: write_file(path, b"content %d\n" % seed, flush=False))
of_bytes("checkpoint", checkpoint)


def exclusive(path: Path, seed: int) -> None:
    """Without overwriting; a second writer finds the first one's file, and then overwrites it."""
    try:
        _MODELS[1].save(path, overwrite=False)
    except FileExistsError:
        _MODELS[1].save(path)


of_bytes("exclusive", exclusive, NONE)


def _figure_state(folder: Path) -> str:
    from PIL import Image

    if not (folder / "file.png").exists():
        return NONE
    with Image.open(folder / "file.png") as image:
        image.load()
        assert image.size == (130, 130)
    return NEW


WRITERS["figure"] = Writer(
    lambda folder, seed: figure(folder / "file.png", seed), _figure_state, frozenset({"file.png"}), NEW
)


# The table of a training: rows of epochs, of which the killed one may be there or not; never a part.

_ROWS = {"csv first": 0, "csv row": 2, "csv column": 2, "csv torn": 2, "csv start": 2}


def _log(folder: Path, rows: int, **more: float) -> None:
    logger = CSVLogger(folder / "log.csv", append=rows > 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a torn row is removed, and told
        logger.on_train_begin()
    logger.on_epoch_end(rows, {"loss": rows + 0.123456789, **more})


def _csv_writer(name: str) -> Callable[[Path, int], None]:
    def write(folder: Path, seed: int) -> None:
        path = folder / "log.csv"
        if seed == 0:
            for epoch in range(_ROWS[name]):
                _log(folder, epoch)
            if name == "csv torn":
                path.write_bytes(path.read_bytes() + b"2,2.1")
        elif name == "csv start":
            CSVLogger(path).on_train_begin()
        elif _csv_state(name)(folder) != NEW:  # a run that goes on writes the row that is not there
            _log(folder, _ROWS[name], **({"accuracy": 0.5} if name == "csv column" else {}))

    return write


def _csv_state(name: str) -> Callable[[Path], str]:
    def state(folder: Path) -> str:
        path, count = folder / "log.csv", _ROWS[name]
        data = path.read_text() if path.exists() else ""
        torn = data[data.rfind("\n") + 1 :]  # the next logger removes it
        if not "2,2.123456789,0.5".startswith(torn) and not "0,0.123456789".startswith(torn):
            return f"damaged: {data!r}"
        data = data[: len(data) - len(torn)]
        rows = list(csv.DictReader(io.StringIO(data)))
        losses = [(int(row["epoch"]), float(row["loss"])) for row in rows]
        if name == "csv start" and not rows:
            return NEW
        if losses == [(epoch, epoch + 0.123456789) for epoch in range(count)]:
            return OLD if data or not path.exists() or not count else f"lost: {data!r}"
        if torn and name != "csv torn" and not losses:
            return OLD if count == 0 else f"lost: {data!r}"
        if losses == [(epoch, epoch + 0.123456789) for epoch in range(count + 1)]:
            right = name != "csv column" or [row["accuracy"] for row in rows] == ["NA"] * count + ["0.5"]
            return NEW if right else f"lost: {data!r}"
        return f"lost: {data!r}"

    return state


for _name in _ROWS:
    WRITERS[_name] = Writer(_csv_writer(_name), _csv_state(_name), frozenset({"log.csv"}))


# TensorBoard: every training has files of its own; the old ones stay. A killed one may leave a part of a record at the
# end of its own file, at which TensorBoard stops.


def _events(path: Path) -> Iterator[Any]:
    from tensorboardX.proto.event_pb2 import Event

    data = path.read_bytes()
    while len(data) >= 8:
        (length,) = struct.unpack("<Q", data[:8])
        if len(data) < 16 + length:
            return
        yield Event.FromString(data[12 : 12 + length])
        data = data[16 + length :]


def _board(folder: Path, seed: int) -> None:
    board = TensorBoard(folder)
    board.set_model(_MODELS[0])
    board.set_params({"steps": 1})
    board.on_train_begin()
    board.on_epoch_begin(0)
    board.on_epoch_end(0, {"loss": float(seed)})


def _board_state(folder: Path) -> str:
    losses = []
    for path in (folder / "train").iterdir():
        for event in _events(path):
            losses += [item.simple_value for item in event.summary.value if item.tag == "epoch_loss"]
    return {(0.0,): OLD}.get(tuple(losses), NEW if 0.0 in losses and 1.0 in losses else f"lost: {losses}")


WRITERS["tensorboard"] = Writer(_board, _board_state, frozenset({"train"}))


# A run folder: the files of the old run or of the new one, never of both.


def _train(folder: Path, seed: int) -> None:
    run = folder / "run"
    work = _run.prepare_folder(str(run), "x", overwrite=True)
    logger = CSVLogger(work / _run.HISTORY)
    logger.on_train_begin()
    logger.on_epoch_end(0, {"loss": float(seed)})
    made = st.Sequential([Input((6, 6, 1)), Flatten(), Dense(2 + seed)], seed=0)
    made.save(work / _run.MODEL)
    _run.write_json(work / _run.METRICS, {"seed": seed})
    if seed == 0:  # the new run draws nothing: the old picture must go
        write_file(work / "curves.png", b"old")
    _run.write_info(work, "classify", "x", ["a", "b", "c"][: 2 + seed], (6, 6, 1), "digits", {"seed": seed})
    _run.publish(work)


def _run_state(folder: Path) -> str:
    run = folder / "run"
    try:
        opened = _run.Run(run)
    except FileNotFoundError:
        return NONE
    seed = opened.settings["seed"]
    if opened.load_model().output_shape[-1] != 2 + seed:
        return "the model is of another run"
    if json.loads((run / _run.METRICS).read_text()) != {"seed": seed}:
        return "the metrics are of another run"
    if read_history(run / _run.HISTORY).history != {"loss": [float(seed)]}:
        return "the history is of another run"
    if (run / "curves.png").exists() != (seed == 0):
        return "the pictures are of another run"
    return (OLD, NEW)[seed]


WRITERS["run"] = Writer(_train, _run_state, frozenset({"run"}))
WRITERS["new run"] = Writer(_train, _run_state, frozenset({"run"}), NONE)


def _masks(folder: Path, seed: int) -> None:
    from PIL import Image

    picture = folder / "picture.png"
    if not picture.exists():
        Image.new("L", (6, 6)).save(picture)
    write_png(folder / "masks" / "picture.png", np.full((6, 6), 1 + seed, np.uint8))


def _masks_state(folder: Path) -> str:
    from PIL import Image

    with Image.open(folder / "masks" / "picture.png") as image:
        values = np.unique(np.asarray(image)).tolist()
    return {1: OLD, 2: NEW}.get(values[0], "damaged") if len(values) == 1 else f"damaged: {values}"


WRITERS["masks"] = Writer(_masks, _masks_state, frozenset({"picture.png", "masks"}))
