"""Change the learning rate while training."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from striate.callbacks.base import Callback, Logs
from striate.callbacks.monitor import Monitor, a_number, epochs
from striate.callbacks.state import count, number


class LearningRateScheduler(Callback):
    """Set the learning rate of every epoch by a function, before its first batch.

    Adds `learning_rate` to the epoch's logs.

    Args:
        schedule: `schedule(epoch, learning_rate)` or `schedule(epoch)`, giving the new rate; epochs count from 0.
        verbose: 1 prints the rate of every epoch.

    Raises:
        TypeError: `schedule` cannot be called, or gives something else than a number.
        ValueError: it gives a negative, infinite or NaN rate; or, when training begins, the optimizer has a schedule of
            its own.
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        super().__init__()
        if not callable(schedule):
            raise TypeError(f"LearningRateScheduler: schedule must be a function, got {type(schedule).__name__}")
        self.schedule, self.verbose = schedule, verbose
        self._takes_rate = _takes_two(schedule)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _check_no_schedule(self)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        rate: Any = self.schedule(epoch, float(optimizer.learning_rate)) if self._takes_rate else self.schedule(epoch)
        try:
            rate = float(rate)
        except (TypeError, ValueError):
            kind = type(rate).__name__
            raise TypeError(f"LearningRateScheduler: schedule must give a number, got {kind}") from None
        if not (math.isfinite(rate) and rate >= 0.0):
            raise ValueError(f"LearningRateScheduler: schedule gave {rate} for epoch {epoch}, expected 0 or more")
        optimizer.learning_rate = rate
        if self.verbose:
            print(f"epoch {epoch + 1}: learning rate {rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class ReduceLROnPlateau(Callback):
    """Multiply the learning rate by `factor` when a value has not improved for `patience` epochs.

    Adds `learning_rate` to the epoch's logs (the rate the epoch was trained with). Epochs without the value do not
    count. `save_training` keeps what it remembers.

    Args:
        monitor: name of the value in the logs.
        factor: factor of each reduction, from 0 to below 1.
        patience: number of epochs without improvement after which the rate is reduced.
        verbose: 1 prints when the rate is reduced.
        mode: "min", "max", or "auto" (by the value's name).
        min_delta: a smaller change is not an improvement.
        cooldown: how many epochs after a reduction to wait before counting again.
        min_lr: the lowest rate.

    Raises:
        ValueError: when training begins, the optimizer has a schedule.
    """

    best: float
    wait: int
    cooldown_left: int

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__()
        if not 0.0 <= factor < 1.0:
            raise ValueError(f"ReduceLROnPlateau: factor must be from 0 to below 1, got {factor}")
        self._monitor = Monitor("ReduceLROnPlateau", monitor, mode, min_delta)
        self.monitor, self.factor, self.verbose = monitor, factor, verbose
        self.patience = epochs("ReduceLROnPlateau", "patience", patience)
        self.cooldown = epochs("ReduceLROnPlateau", "cooldown", cooldown)
        self.min_lr = a_number("ReduceLROnPlateau", "min_lr", min_lr)
        self._begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        _check_no_schedule(self)
        self._begin()

    def get_state(self) -> dict[str, Any]:
        return {"best": self.best, "wait": self.wait, "cooldown_left": self.cooldown_left}

    def set_state(self, state: dict[str, Any]) -> None:
        self.best, self.wait = number(state, "best"), count(state, "wait")
        self.cooldown_left = count(state, "cooldown_left")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        rate = float(optimizer.learning_rate)
        if logs is not None:
            logs["learning_rate"] = rate
        if (value := self._monitor.value(logs, self.params)) is None:
            return
        if self.cooldown_left:
            self.cooldown_left -= 1
            self.wait = 0
        if self._monitor.improves(value, self.best):
            self.best, self.wait = value, 0
        elif not self.cooldown_left:
            self.wait += 1
            # The optimizer may keep its rate in float32, a little above min_lr.
            if self.wait >= self.patience and rate > float(np.float32(self.min_lr)):
                optimizer.learning_rate = max(rate * self.factor, self.min_lr)
                if self.verbose:
                    print(f"epoch {epoch + 1}: learning rate reduced to {optimizer.learning_rate:g}")
                self.cooldown_left, self.wait = self.cooldown, 0

    def _begin(self) -> None:
        self.best = self._monitor.worst
        self.wait = self.cooldown_left = 0


def _check_no_schedule(callback: Callback) -> None:
    """A rate that is set would replace a schedule for good."""
    if getattr(callback.model.optimizer, "follows_schedule", False):
        raise ValueError(
            f"{type(callback).__name__} sets the learning rate, and the optimizer follows a schedule, which it would "
            "replace; compile with a number as learning_rate, or leave the callback out"
        )


def _takes_two(function: Callable[..., float]) -> bool:
    """Whether a function takes two positional arguments; one that does not tell is taken to."""
    try:
        inspect.signature(function).bind(0, 0.0)
    except TypeError:
        return False
    except ValueError:
        return True
    return True
