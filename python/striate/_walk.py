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
        self._names = trainer.model.output_names
        self._sums = [0.0] * len(self._names)  # of each output's loss, over samples
        self._total = 0.0
        self._done = 0  # rows

    def run(self, data: Data, order: NDArray[np.int64] | None, rows: int, batch_size: int) -> dict[str, Any]:
        """Walk over the first `rows` rows of the order; returns the losses and the metrics."""
        meters = self._trainer._meters
        meters.reset()
        buffers = meters.buffers(rows, batch_size)
        piece = len(buffers[0]) if buffers else rows
        plain = self._begin is None and self._end is None and len(self._names) == 1
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
        logs: dict[str, Any] = {"loss": self._total / self._done}
        if len(self._names) > 1:
            # The core's include the loss weights.
            scales = [scale or 1.0 for scale in self._trainer._scales]
            values = [total / scale / self._done for total, scale in zip(self._sums, scales, strict=True)]
            logs.update({f"{name}_loss": value for name, value in zip(self._names, values, strict=True)})
        return {**logs, **meters.results()}

    def _quickly(self, base: int, stop: int, batch_size: int) -> None:
        step, total = self._step, 0.0
        whole = stop - (stop - base) % batch_size
        for first in range(base, whole, batch_size):
            total += step(first, batch_size)
        self._total += total * batch_size
        if whole < stop:
            self._total += step(whole, stop - whole) * (stop - whole)
        self._done = stop

    def _watched(self, base: int, stop: int, batch_size: int) -> None:
        model = self._trainer.model
        for first in range(base, stop, batch_size):
            count, batch = min(batch_size, stop - first), first // batch_size
            if self._begin is not None:
                self._begin(batch)
            self._total += self._step(first, count) * count
            self._done = first + count
            if len(self._sums) > 1:
                for index, loss in enumerate(self._core.losses):
                    self._sums[index] += loss * count
            if self._end is not None:
                self._end(batch, {"loss": self._total / self._done})
            if self._stops and model.stop_training:
                break
