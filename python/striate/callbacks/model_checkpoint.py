"""Save the model while it trains."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from striate._files import check_ending, text
from striate.callbacks.base import Callback, Logs
from striate.callbacks.monitor import Monitor, a_number
from striate.callbacks.state import count, number


class ModelCheckpoint(Callback):
    """Save the model, or its weights, after epochs or after a number of batches.

    `save_training` keeps the best value and the number of batches.

    A file is replaced by the whole new one or not at all, so that a good one is always there.

    Args:
        filepath: where to; may hold `{epoch}` (counted from 1), `{batch}` when saving by batches, and any value of the
            logs, with a format, such as `"run/{epoch:02d}-{val_loss:.2f}.safetensors"`. Missing folders are made.
        monitor: name of the value that `save_best_only` watches.
        verbose: 1 prints what is saved.
        save_best_only: save only when the value has improved on every one before.
        save_weights_only: call `model.save_weights` instead of `model.save`.
        mode: "min", "max", or "auto" (by the value's name).
        save_freq: "epoch", or a number of batches, counted through the whole training.
        initial_value_threshold: with `save_best_only`, a value that the first save must improve on.

    Raises:
        ValueError: an unknown mode or frequency, an ending of another format such as .keras or .h5, or a name in
            `filepath` that the logs do not hold.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__()
        self._monitor = Monitor("ModelCheckpoint", monitor, mode)
        by_batch = isinstance(save_freq, int) and not isinstance(save_freq, bool)
        if save_freq != "epoch" and not (by_batch and int(save_freq) > 0):
            raise ValueError(f"ModelCheckpoint: save_freq must be 'epoch' or a number of batches, got {save_freq!r}")
        check_ending(filepath, "ModelCheckpoint")
        self.filepath, self.monitor, self.verbose = text(filepath), monitor, verbose
        self.save_best_only, self.save_weights_only, self.save_freq = save_best_only, save_weights_only, save_freq
        self.best = self._monitor.worst
        if initial_value_threshold is not None:
            self.best = a_number("ModelCheckpoint", "initial_value_threshold", initial_value_threshold)
        self._batches = self._epoch = 0

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self._batches = number(state, "best"), count(state, "batches")

    def wants(self, hook: str) -> bool:
        return hook == "on_train_batch_end" and self.save_freq != "epoch"

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._batches = 0

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches % int(self.save_freq) == 0:
            self._save(logs, batch=batch + 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        if self.save_freq == "epoch":
            self._save(logs)

    def _save(self, logs: Logs | None, **counts: int) -> None:
        value = self._monitor.value(logs, self.params) if self.save_best_only else None
        if self.save_best_only:
            if value is None or not self._monitor.improves(value, self.best):
                return
            if self.verbose:
                print(f"epoch {self._epoch + 1}: {self.monitor} improved from {self.best:.5f} to {value:.5f}")
        path = self._path({**(logs or {}), **counts, "epoch": self._epoch + 1})
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.save_weights_only:
            self.model.save_weights(str(path))
        else:
            self.model.save(str(path))
        if value is not None:
            self.best = value  # only now: a save that failed leaves the best one that is on disk
        if self.verbose:
            print(f"epoch {self._epoch + 1}: saved {path}")

    def _path(self, values: Logs) -> Path:
        try:
            return Path(self.filepath.format(**values))
        except (KeyError, IndexError) as error:
            raise ValueError(
                f"ModelCheckpoint: filepath {self.filepath!r} names {error}, but there are only {', '.join(values)}"
            ) from None
