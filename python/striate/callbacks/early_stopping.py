"""Stop when training no longer helps."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from striate.callbacks.base import Callback, Logs
from striate.callbacks.monitor import Monitor, a_number, epochs
from striate.callbacks.state import count, number


class EarlyStopping(Callback):
    """Stop training when a value has not improved for `patience` epochs.

    Epochs without the value, such as those without a validation, do not count. `save_training` keeps what it remembers,
    the best weights among it, and training resumed from the file uses it.

    Args:
        monitor: name of the value in the logs.
        min_delta: a smaller change is not an improvement.
        patience: number of epochs without improvement after which training stops.
        verbose: 1 prints what is done.
        mode: "min", "max", or "auto" (by the value's name).
        baseline: a value to improve on as well; until it is reached, `patience` runs on.
        restore_best_weights: whether the model gets back, at the end of training, the weights of the best epoch (of
            the first one watched, if none improved).
        start_from_epoch: epochs before this one (counted from 0) are not watched.

    Attributes:
        best, best_epoch: the best value and its epoch.
        stopped_epoch: the epoch after which training stopped, 0 if it ran to its end.
    """

    best: float
    best_epoch: int
    stopped_epoch: int
    wait: int
    _best_weights: list[npt.NDArray[Any]] | None

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__()
        self._monitor = Monitor("EarlyStopping", monitor, mode, min_delta)
        self.monitor, self.verbose, self.restore_best_weights = monitor, verbose, restore_best_weights
        self.patience = epochs("EarlyStopping", "patience", patience)
        self.start_from_epoch = epochs("EarlyStopping", "start_from_epoch", start_from_epoch)
        self.baseline = None if baseline is None else a_number("EarlyStopping", "baseline", baseline)
        self._begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._begin()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if epoch < self.start_from_epoch or (value := self._monitor.value(logs, self.params)) is None:
            return
        if self.restore_best_weights and self._best_weights is None:
            self._keep_weights(epoch)  # so that there is something to restore even if nothing ever improves
        self.wait += 1
        if self._monitor.improves(value, self.best):
            self.best = value
            self._keep_weights(epoch)
            if self.baseline is None or self._monitor.improves(value, self.baseline):
                self.wait = 0
            return
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"epoch {self.stopped_epoch + 1}: early stopping")
        if self._best_weights is not None:
            if self.verbose:
                print(f"restoring the weights of the best epoch, {self.best_epoch + 1}")
            self.model.set_weights(self._best_weights)

    def get_state(self) -> dict[str, Any]:
        weights = [] if self._best_weights is None else self._best_weights
        return {"best": self.best, "best_epoch": self.best_epoch, "wait": self.wait, "weights": weights}

    def set_state(self, state: dict[str, Any]) -> None:
        weights = [np.asarray(weight) for weight in state["weights"]]
        if self.restore_best_weights and weights:
            wanted = [np.shape(weight) for weight in self.model.get_weights()]
            if [weight.shape for weight in weights] != wanted:
                raise ValueError("its best weights are those of another model")
            self._best_weights = weights
        self.best, self.best_epoch, self.wait = number(state, "best"), count(state, "best_epoch"), count(state, "wait")

    def _begin(self) -> None:
        self.wait = self.stopped_epoch = self.best_epoch = 0
        self.best = self._monitor.worst
        self._best_weights = None

    def _keep_weights(self, epoch: int) -> None:
        self.best_epoch = epoch
        if self.restore_best_weights:
            self._best_weights = [np.array(weight) for weight in self.model.get_weights()]
