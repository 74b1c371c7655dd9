"""One pass over the rows of bound arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from striate._arrays import FloatArray
from striate._data import Data
from striate._feeding import Feed
from striate.callbacks import CallbackList

if TYPE_CHECKING:
    from striate.trainer import Trainer


class _Steps(Protocol):
    """What a walk over the rows calls: the core's trainer, or a feed of augmented batches."""

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None: ...


class Walk:
    """One pass over rows of bound arrays: an epoch, or an evaluation."""

    def __init__(
        self,
        trainer: Trainer,
        steps: _Steps,
        step: Callable[[int, int], float],
        watched: CallbackList,
        what: str,
        feed: Feed | None = None,
    ) -> None:
        self._trainer = trainer
        self._feed = feed
        self._core = trainer._settle()
        self._steps = steps
        self._step = step
        self._begin = (
            getattr(watched, f"on_{what}_batch_begin") if getattr(watched, f"has_{what}_batch_begin") else None
        )
        self._end = getattr(watched, f"on_{what}_batch_end") if getattr(watched, f"has_{what}_batch_end") else None
        self._stops = what == "train"
        self._done = 0  # rows

    def run(self, data: Data, order: NDArray[np.int64] | None, rows: int, batch_size: int) -> dict[str, Any]:
        """Walk over the first `rows` rows of the order; returns the losses and the metrics."""
        meters = self._trainer._meters
        meters.reset()
        self._core.begin_epoch()
        buffers = meters.buffers(rows, batch_size)
        piece = len(buffers[0]) if buffers else rows
        plain = self._begin is None and self._end is None
        for base in range(0, rows, piece):
            stop = min(base + piece, rows)
            self._steps.set_predictions(buffers, base)
            self._quickly(base, stop, batch_size) if plain else self._watched(base, stop, batch_size)
            if buffers:
                done = slice(base, self._done) if order is None else order[base : self._done]
                moved = None if self._feed is None else self._feed.moved()
                seen, done = (data, done) if moved is None else (moved, slice(None))
                meters.update(seen, done, [array[: self._done - base] for array in buffers])
            if self._done < stop:
                break
        logs: dict[str, Any] = {"loss": self._core.epoch_loss}
        names, losses = self._trainer.model.output_names, self._trainer._losses
        if len(names) > 1:
            for name, loss, value in zip(names, losses, self._core.epoch_losses, strict=True):
                if loss is not None:
                    logs[f"{name}_loss"] = value
        return {**logs, **meters.results()}

    def _quickly(self, base: int, stop: int, batch_size: int) -> None:
        step = self._step
        whole = stop - (stop - base) % batch_size
        for first in range(base, whole, batch_size):
            step(first, batch_size)
        if whole < stop:
            step(whole, stop - whole)
        self._done = stop

    def _watched(self, base: int, stop: int, batch_size: int) -> None:
        model = self._trainer.model
        for first in range(base, stop, batch_size):
            count, batch = min(batch_size, stop - first), first // batch_size
            if self._begin is not None:
                self._begin(batch)
            self._step(first, count)
            self._done = first + count
            if self._end is not None:
                self._end(batch, {"loss": self._core.epoch_loss})
            if self._stops and model.stop_training:
                break
