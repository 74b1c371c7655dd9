"""One pass over the rows of bound arrays."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import FloatArray
from striate._data import Data
from striate._feeding import Feed
from striate._streaming import StreamFeed
from striate.callbacks import CallbackList

if TYPE_CHECKING:
    from striate._meters import Meters
    from striate.losses import Loss
    from striate.network import Network


class Steps(Protocol):
    """What a walk over the rows calls: the core's trainer, or a feed of augmented batches."""

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None: ...


class Walk:
    """One pass over rows of bound arrays: an epoch, or an evaluation."""

    def __init__(
        self,
        core: _core.Trainer,
        model: Network,
        meters: Meters,
        losses: Sequence[Loss | None],
        steps: Steps,
        step: Callable[[int, int], float],
        watched: CallbackList,
        what: str,
        feed: Feed | None = None,
    ) -> None:
        self._core, self._model, self._meters, self._losses = core, model, meters, losses
        self._feed = feed
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
        meters = self._meters
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
        return self._logs()

    def run_stream(self, feed: StreamFeed) -> dict[str, Any]:
        """Walk over the batches of a pass that the feed has begun; returns the losses and the metrics."""
        meters, core = self._meters, self._core
        meters.reset()
        core.begin_epoch()
        buffers = meters.buffers(feed.most_rows(), feed.batch_size)
        base = batch = 0
        while count := feed.next():
            if buffers and self._done + count - base > len(buffers[0]):
                if self._done > base:
                    meters.update(
                        feed.seen(but_last=True), slice(None), [array[: self._done - base] for array in buffers]
                    )
                    base = self._done
                if count > len(buffers[0]):
                    buffers = meters.buffers(count, count)
            if self._begin is not None:
                self._begin(batch)
            core.set_predictions(buffers, base - self._done)
            self._step(0, count)
            self._done += count
            if self._end is not None:
                self._end(batch, {"loss": core.epoch_loss})
            batch += 1
            if self._stops and self._model.stop_training:
                break
        if buffers:
            meters.update(feed.seen(), slice(None), [array[: self._done - base] for array in buffers])
        return self._logs()

    def _logs(self) -> dict[str, Any]:
        return logs_of(self._core, self._model, self._losses, self._meters)

    def _quickly(self, base: int, stop: int, batch_size: int) -> None:
        step = self._step
        whole = stop - (stop - base) % batch_size
        for first in range(base, whole, batch_size):
            step(first, batch_size)
        if whole < stop:
            step(whole, stop - whole)
        self._done = stop

    def _watched(self, base: int, stop: int, batch_size: int) -> None:
        model = self._model
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


def logs_of(core: _core.Trainer, model: Network, losses: Sequence[Loss | None], meters: Meters) -> dict[str, Any]:
    """The mean losses of an epoch or evaluation and its metrics, by name: `{"loss": 0.3, "accuracy": 0.9}`."""
    logs: dict[str, Any] = {"loss": core.epoch_loss}
    names = model.output_names
    if len(names) > 1:
        for name, loss, value in zip(names, losses, core.epoch_losses, strict=True):
            if loss is not None:
                logs[f"{name}_loss"] = value
    return {**logs, **meters.results()}
