"""The run folder: what a training leaves behind, and how it is found again."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import click

import striate as st
from striate._files import write_file
from striate.cli._assess_boxes import SCORE
from striate.cli._dataset import Reading
from striate.cli._tasks import TASKS
from striate.cli._window import AUTO
from striate.data.intensity import Window, check_window

MODEL, INFO, HISTORY, METRICS, SUMMARY = "model.safetensors", "run.json", "history.csv", "metrics.json", "summary.txt"
REPORT, GRADIENTS = "report.html", "gradient_flow.json"
PICTURES = (
    "curves.png",
    "confusion_matrix.png",
    "precision_recall.png",
    "predictions.png",
    "feature_maps.png",
    "gradient_flow.png",
)
UNFINISHED = ".striate-unfinished"  # in the folder of an old run: the new one, until it is whole
STATE, SETTINGS = "training.safetensors", "settings.json"  # of a training that has not ended: what --resume reads
_FILES = (INFO, MODEL, HISTORY, METRICS, SUMMARY, REPORT, GRADIENTS, *PICTURES, STATE, SETTINGS)
_FORMAT = 1


def prepare_folder(out: str | None, name: str, overwrite: bool) -> Path:
    """A folder for a new run: `out`, or else the first of runs/NAME-1, runs/NAME-2, … that is not there yet.

    Returns:
        Where to write the new run until `publish` is called: the folder itself, or a folder in it if it holds a run,
        which then stays whole until the new one is.

    Raises:
        ValueError: `out` holds a run, or something else, already.
    """
    if out is None:
        number = 1
        while True:
            try:
                (folder := Path("runs", f"{name}-{number}")).mkdir(parents=True)
                return folder
            except FileExistsError:
                number += 1
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    finish(folder)
    names = {path.name for path in folder.iterdir()}
    names -= {name for name in names if name.startswith(".striate-") and name.endswith(".tmp")}
    if names and not overwrite:
        if INFO in names:
            raise ValueError(f"{folder} holds a run already; give --overwrite, or choose another folder with --out")
        if names <= {*_FILES, UNFINISHED}:
            raise ValueError(
                f"{folder} holds an unfinished run; give --overwrite, or --resume {folder} to go on with it, or choose "
                "another folder with --out"
            )
    if names and INFO not in names and not names <= {*_FILES, UNFINISHED}:
        raise ValueError(f"{folder} is not empty and holds no run; choose another folder with --out")
    if UNFINISHED in names:
        shutil.rmtree(folder / UNFINISHED)
    if INFO not in names:
        _remove(folder, _FILES)
        return folder
    (folder / UNFINISHED).mkdir()
    return folder / UNFINISHED


def unfinished(run: str) -> tuple[Path, dict[str, Any]]:
    """The folder of a training that was stopped, within RUN or RUN itself, and the settings it began with.

    Raises:
        FileNotFoundError: the folder does not exist, or nothing in it to go on with.
        ValueError: its settings are damaged.
    """
    folder = Path(run)
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no run folder {folder}")
    finish(folder)
    work = folder / UNFINISHED if (folder / UNFINISHED / SETTINGS).is_file() else folder
    if not (work / SETTINGS).is_file():
        raise FileNotFoundError(
            f"{folder} holds no training to go on with: one that ended keeps no state, and one that was stopped has "
            f"{SETTINGS}"
        )
    try:
        settings = dict(json.loads((work / SETTINGS).read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ValueError(f"{work / SETTINGS} is damaged: {error}") from error
    return work, settings


def publish(work: Path) -> Path:
    """Put a new run, whose files are all in `work`, in the place of an old one; returns the run's folder.

    The old run is there until its run.json is removed. Whenever the process is killed after that, `finish` goes on.
    """
    if work.name != UNFINISHED:
        return work
    finish(work.parent)
    return work.parent


def finish(folder: Path) -> None:
    """Go on with `publish` where a process was killed in the middle of it."""
    work = folder / UNFINISHED
    try:  # run.json is written last, and moved last
        files = set(json.loads((work / INFO).read_text(encoding="utf-8"))["files"])
    except FileNotFoundError:
        return
    (folder / INFO).unlink(missing_ok=True)
    _remove(folder, set(_FILES) - files)
    for name in (*sorted(files - {INFO}), INFO):
        with contextlib.suppress(FileNotFoundError):  # it has been moved already
            os.replace(work / name, folder / name)
    shutil.rmtree(work, ignore_errors=True)


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all. NaN, which JSON has not, becomes null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n"
    # File names that are not UTF-8 hold surrogates; written as \udcff they are JSON's own escapes.
    write_file(path, text.encode(errors="backslashreplace"))


def tell_skipped(skipped: Sequence[tuple[str, str]]) -> None:
    """List the skipped files and the reasons on stderr."""
    for file, reason in skipped:
        click.echo(printable(f"skipped {file}: {reason}"), err=True)


def printable(text: str) -> str:
    """`text` with escapes for what is not text in names of files; within JSON they are its own."""
    return text.encode("utf-8", "backslashreplace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


class Run:
    """A finished run.

    Attributes:
        path: the folder.
        task: what the network was trained for.
        class_names: in the order of the network's outputs.
        image_size: (height, width) in pixels that the network takes.
        color_mode: "grayscale" or "rgb".
        data: where the pictures came from: "digits" (the bundled ones) or a folder.
        settings: the options of the training.
        default_window: (center, width) by which deep grey pictures are read, or "minmax"; None where the training had
            none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a run folder.

        Raises:
            FileNotFoundError: the folder does not exist, or a part of it is missing.
            ValueError: the folder's run.json is damaged.
        """
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no run folder {self.path}")
        finish(self.path)
        for name in (INFO, MODEL):
            if not (self.path / name).is_file():
                raise FileNotFoundError(f"{self.path} is not a run folder: it has no {name} (striate train makes one)")
        try:
            info = json.loads((self.path / INFO).read_text(encoding="utf-8"))
            height, width = info["image_size"]
            self.task = TASKS[str(info["task"])]
            self.class_names = [str(name) for name in info["class_names"]]
            self.image_size = (int(height), int(width))
            color_mode = info["color_mode"]
            self.data = str(info["data"])
            self.settings = dict(info["settings"])
            self.default_window = check_window(info.get("default_window"), INFO, "default_window")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{self.path / INFO} is damaged: {type(error).__name__}: {error}") from error
        if color_mode not in ("grayscale", "rgb") or min(self.image_size) < 1 or not self.class_names:
            raise ValueError(f"{self.path / INFO} is damaged: its class names, image size or colour mode are not valid")
        self.color_mode: Literal["grayscale", "rgb"] = color_mode

    @property
    def ignore_class(self) -> int | None:
        """The class of unmarked pixels in masks."""
        found = self.settings.get("ignore_class")
        return None if found is None else int(found)

    @property
    def score(self) -> float:
        """The score from which on detections are shown."""
        return float(self.settings.get("score", SCORE))

    def reading(self, skip_bad: bool) -> Reading:
        """How other data are read for the network."""
        settings = self.settings
        colors = settings.get("mask_colors")
        return Reading(
            self.image_size,
            self.color_mode,
            self.class_names,
            skip_bad,
            self.ignore_class,
            str(settings.get("mask_values", "auto")),
            str(settings.get("mask_suffix", "")),
            None if colors is None else {tuple(color): int(value) for color, value in colors},
            str(settings.get("window", AUTO)),
            self.default_window,
        )

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of the network's input."""
        return (*self.image_size, 1 if self.color_mode == "grayscale" else 3)

    def load_model(self) -> Any:
        """The trained network.

        Raises:
            ValueError: the network does not fit what run.json says of it.
        """
        model = st.load_model(self.path / MODEL)
        takes, gives = tuple(model.input_shape[1:]), tuple(model.output_shape[1:])
        if takes != self.input_shape or not self.task.fits(gives, self.image_size, self.class_names):
            raise ValueError(
                f"{self.path}: the network takes {takes} and gives {gives}, but run.json states pictures of "
                f"{self.input_shape} and {len(self.class_names)} classes"
            )
        return model


def write_info(
    folder: Path,
    task: str,
    model_name: str,
    class_names: list[str],
    input_shape: tuple[int, int, int],
    data: str,
    settings: dict[str, Any],
    default_window: Window = None,
) -> None:
    """Write run.json, by which the folder is known as a run."""
    height, width, channels = input_shape
    info = {
        "format": _FORMAT,
        "striate": st.__version__,
        "task": task,
        "model": model_name,
        "class_names": class_names,
        "image_size": [height, width],
        "color_mode": "grayscale" if channels == 1 else "rgb",
        "data": data,
        "default_window": default_window,
        "settings": settings,
        "files": sorted({INFO, *(path.name for path in folder.iterdir() if path.name in _FILES)}),
    }
    write_json(folder / INFO, info)
