"""What `--init` begins with: the weights of a run or a model file."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

from striate.cli._run import MODEL, Run
from striate.cli._settings import Settings
from striate.cli._tasks import FINETUNED


class Initial:
    """The weights to begin with.

    Args:
        place: a run folder or a model file.

    Raises:
        FileNotFoundError, ValueError: it is not a run folder.
    """

    def __init__(self, place: str) -> None:
        path = Path(place)
        self._run = Run(path) if path.is_dir() else None
        self._file = path / MODEL if path.is_dir() else path

    def completed(self, settings: Settings) -> Settings:
        """The settings, with the run's network, image size and colour mode where none is given.

        Raises:
            ValueError: the run is of another task.
        """
        run = self._run
        if run is None:
            return settings
        if run.task.name != settings.task:
            raise ValueError(f"--init {run.path} is a run of the task {run.task.name}: give --task {run.task.name}")
        model = settings.model or run.settings.get("model")
        if model == FINETUNED:
            raise ValueError(f"--init {run.path} is a run of --from: give --from {run.path}")
        kept = replace(
            settings,
            model=model,
            image_size=settings.image_size or run.image_size,
            color_mode=run.color_mode if settings.color_mode == "auto" else settings.color_mode,
        )
        if model != run.settings.get("model"):
            return kept
        strides = run.settings.get("strides")
        return replace(
            kept,
            base=kept.base or run.settings.get("base"),
            strides=kept.strides or (None if strides is None else tuple(strides)),
        )

    def give(self, model: Any) -> str:
        """Read the weights into the model; returns what to tell the user.

        Raises:
            ValueError: no layer fits.
        """
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            model.load_weights(self._file, skip_mismatch=True)
        left = "; ".join(str(one.message).partition("are left as they were: ")[2] for one in told)
        return f"with the weights of {self._file}" + (f"; begun anew: {left}" if left else "")
