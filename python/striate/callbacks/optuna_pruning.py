"""Ending trials of Optuna that are not worth to go on."""

from __future__ import annotations

from typing import Any

from striate._extras import require
from striate.callbacks.base import Callback, Logs


class OptunaPruning(Callback):
    """Report a value to a trial of Optuna after each epoch, and end the trial where its pruner says so.

    `fit` then raises `optuna.TrialPruned`, which `study.optimize` expects.

    Args:
        trial: the `optuna.Trial`.
        monitor: the value, such as "val_loss".

    Raises:
        ImportError: optuna is missing.
        ValueError: after an epoch, if the logs do not have the value.
    """

    def __init__(self, trial: Any, monitor: str = "val_loss") -> None:
        super().__init__()
        self._optuna = require("optuna", "optuna", "OptunaPruning")
        self.trial, self.monitor = trial, monitor

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.monitor not in (logs or {}):
            raise ValueError(f"OptunaPruning: there is no {self.monitor!r}; an epoch has {', '.join(logs or {})}")
        self.trial.report(float((logs or {})[self.monitor]), epoch)
        if self.trial.should_prune():
            raise self._optuna.TrialPruned(f"pruned after epoch {epoch}")
