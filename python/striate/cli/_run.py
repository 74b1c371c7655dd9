"""The run folder: what a training leaves behind, and how it is found again."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import click

import striate as st
from striate.cli._dataset import Reading
from striate.cli._tasks import TASKS
from striate.data.intensity import Window, check_window

MODEL, INFO, HISTORY, METRICS, SUMMARY = "model.safetensors", "run.json", "history.csv", "metrics.json", "summary.txt"
PICTURES = (
    "curves.png",
    "confusion_matrix.png",
    "precision_recall.png",
    "predictions.png",
    "feature_maps.png",
    "gradient_flow.png",
)
_FORMAT = 1


def prepare_folder(out: str | None, name: str, overwrite: bool) -> Path:
    """A folder for a new run: `out`, or else the first of runs/NAME-1, runs/NAME-2, … that is not there yet.

    Raises:
        ValueError: `out` holds a run, or something else, already.
    """
    if out is None:
        number = 1
        while Path("runs", f"{name}-{number}").exists():
            number += 1
        folder = Path("runs", f"{name}-{number}")
    else:
        folder = Path(out)
        if folder.is_dir() and any(folder.iterdir()):
            if not (folder / INFO).exists():
                raise ValueError(f"{folder} is not empty and holds no run; choose another folder with --out")
            if not overwrite:
                raise ValueError(f"{folder} holds a run already; give --overwrite, or choose another folder with --out")
    folder.mkdir(parents=True, exist_ok=True)
    # run.json goes first and is written last: a folder without it is no run.
    for old in (INFO, MODEL, HISTORY, METRICS, SUMMARY, *PICTURES):
        (folder / old).unlink(missing_ok=True)
    return folder


def write_json(path: Path, value: Any) -> None:
    """Write JSON whole or not at all: a reader never meets half a file. NaN, which JSON has not, becomes null."""
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False) + "\n"
    # File names that are not UTF-8 hold surrogates; written as \\udcff they are JSON's own escapes.
    temporary.write_text(text, encoding="utf-8", errors="backslashreplace")
    os.replace(temporary, path)


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
        default_window: (center, width) by which deep grey pictures are read; None where the training had none.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open a run folder.

        Raises:
            FileNotFoundError: there is no such folder, or a part of it is missing.
            ValueError: the folder's run.json is damaged.
        """
        self.path = Path(path)
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no run folder {self.path}")
        for name in (INFO, MODEL):
            if not (self.path / name).is_file():
                raise FileNotFoundError(f"{self.path} is no run folder: it has no {name} (striate train makes one)")
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
            raise ValueError(f"{self.path / INFO} is damaged: its class names, image size or colour mode make no sense")
        self.color_mode: Literal["grayscale", "rgb"] = color_mode

    @property
    def ignore_class(self) -> int | None:
        """The class of masks that stands for unmarked pixels."""
        found = self.settings.get("ignore_class")
        return None if found is None else int(found)

    def reading(self, skip_bad: bool) -> Reading:
        """How other data are read for the network."""
        values = str(self.settings.get("mask_values", "auto"))
        return Reading(
            self.image_size,
            self.color_mode,
            self.class_names,
            skip_bad,
            self.ignore_class,
            values,
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
                f"{self.path}: the network takes {takes} and gives {gives}, but run.json speaks of pictures of "
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
    }
    write_json(folder / INFO, info)
