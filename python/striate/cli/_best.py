"""Keep the weights of the best epoch."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

import striate as st


class BestWeights(st.callbacks.Callback):
    """Gives the model, at the end of the training, the weights of the epoch with the best value of a metric.

    Of epochs of the same value the one with the lower validation loss is the best. Epochs without the value, and those
    whose value is not a number, do not count; without any, the last weights stay.

    Args:
        monitor: name of the value in the logs; more is better.

    Attributes:
        best_epoch: the best epoch, from 0; -1 before there is one.
    """

    def __init__(self, monitor: str) -> None:
        super().__init__()
        self.monitor = monitor
        self.best_epoch = -1
        self._best = (-math.inf, -math.inf)
        self._weights: list[NDArray[Any]] = []

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        logs = logs or {}
        value, loss = float(np.mean(logs.get(self.monitor, math.nan))), float(logs.get("val_loss", math.nan))
        if math.isnan(value) or (value, -loss) <= self._best:
            return
        self._best, self.best_epoch = (value, -math.inf if math.isnan(loss) else -loss), epoch
        self._weights = [np.array(weight) for weight in self.model.get_weights()]

    def restore(self) -> None:
        """Give the model the best weights."""
        if self._weights:
            self.model.set_weights(self._weights)

    def get_state(self) -> dict[str, Any]:
        return {"best": list(self._best), "best_epoch": self.best_epoch, "weights": self._weights}

    def set_state(self, state: dict[str, Any]) -> None:
        value, loss = (float(number) for number in state["best"])
        weights = [np.asarray(weight) for weight in state["weights"]]
        if weights and [one.shape for one in weights] != [np.shape(one) for one in self.model.get_weights()]:
            raise ValueError("its best weights are those of another model")
        self._best, self.best_epoch, self._weights = (value, loss), int(state["best_epoch"]), weights
