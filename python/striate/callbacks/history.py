"""The record of a training."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate import _html
from striate.callbacks.base import Callback, Logs

_SHOWN = 10  # epochs at either end


class History(Callback):
    """Keeps the values of every epoch; `fit` returns one.

    Attributes:
        history: dict of a value's name to a list with one entry for each epoch: a float, or an array for a metric that
            gives one (a copy).
        epoch: list of the epochs' numbers, from 0.
        wait: list with the share of each epoch's time, 0 .. 1, that steps waited for data or for `augment`; 0 for
            arrays.
    """

    def __init__(self) -> None:
        super().__init__()
        self.history: dict[str, list[Any]] = {}
        self.epoch: list[int] = []
        self.wait: list[float] = []

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.history = {}
        self.epoch = []
        self.wait = []

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value) if np.ndim(value) == 0 else np.array(value))

    def _repr_html_(self) -> str:
        """A row for each epoch, for notebooks; of many, the first and the last ones."""
        rows = [
            [str(epoch + 1), *(_text(values[index]) if index < len(values) else "" for values in self.history.values())]
            for index, epoch in enumerate(self.epoch)
        ]
        if len(rows) > 2 * _SHOWN:
            rows[_SHOWN:-_SHOWN] = [["…"] * (1 + len(self.history))]
        return _html.table(f"History of {len(self.epoch)} epochs", ["epoch", *self.history], rows, 0)


def _text(value: Any) -> str:
    return f"{value:.4g}" if np.ndim(value) == 0 else ", ".join(f"{entry:.4g}" for entry in np.ravel(value))
