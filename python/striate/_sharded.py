"""One pass over batches that are cut in shards, of which each process computes its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import FloatArray
from striate._data import Data
from striate._meters import Meters
from striate._streaming import Stream
from striate._walk import logs_of
from striate.distributed import DistributedError, Group

if TYPE_CHECKING:
    from striate.losses import Loss
    from striate.network import Network

Indices = NDArray[np.int64]


class BatchHooks(Protocol):
    """What a pass calls around its batches."""

    def begin_batch(self, batch: int) -> None: ...

    def end_batch(self, batch: int, loss: Callable[[], float]) -> bool:
        """Returns whether training is to end."""


def describe(error: BaseException) -> str:
    """An error for the other processes' messages."""
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


class Part(Protocol):
    """A feed, as far as a pass over shards calls it: see `striate._feeding.Feed`."""

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None: ...

    def part(self, first: int, count: int) -> float: ...

    def moved(self) -> Data | None: ...


class Steps:
    """The batches of a pass over `rows` rows, and the rows of each that this process computes.

    Args:
        core: the trainer, after `set_shards`.
        rows: the number of rows.
        batch_size: rows of a batch of all processes.
    """

    def __init__(self, core: _core.Trainer, rows: int, batch_size: int) -> None:
        self.rows, self.batch_size = rows, batch_size
        self.shards = core.shards
        self.counts = [min(batch_size, rows - first) for first in range(0, rows, batch_size)]
        own = {count: core.own_rows(count) for count in set(self.counts)}
        self.own = [own[count] for count in self.counts]
        self.first_shard, self.last_shard = own_shards(core)
        ends = np.cumsum([0] + [end - begin for begin, end in self.own])
        self.firsts = [int(first) for first in ends]
        """Where each batch begins among this process's rows; at last, their number."""

    def local(self, order: Indices | None) -> Indices:
        """The rows of the data that this process computes, batch after batch."""
        order = np.arange(self.rows, dtype=np.int64) if order is None else order
        size = self.batch_size
        parts = [order[at * size + begin : at * size + end] for at, (begin, end) in enumerate(self.own)]
        return np.ascontiguousarray(np.concatenate(parts), dtype=np.int64)

    def of_shard(self, shard: int, first: int, last: int) -> Indices:
        """Which of this process's rows of the batches [first, last), counted from the first of them, are a shard's."""
        base, found = self.firsts[first], []
        for at in range(first, last):
            count, (begin, _) = self.counts[at], self.own[at]
            low, high = count * shard // self.shards, count * (shard + 1) // self.shards
            found.append(np.arange(low - begin, high - begin) + self.firsts[at] - base)
        return np.concatenate(found)


def own_shards(core: _core.Trainer) -> tuple[int, int]:
    """The shards of this process: one row for each shard tells."""
    return core.own_rows(core.shards)


class ShardedWalk:
    """One pass over rows, cut in shards: an epoch of training, or a validation.

    Args:
        core: the trainer, after `set_shards`.
        group: the processes, or None.
        train: whether it trains.
        feed: what reads or changes batches of this process's rows; None: they are those of the bound arrays.
    """

    def __init__(
        self,
        core: _core.Trainer,
        group: Group | None,
        model: Network,
        meters: Meters,
        losses: list[Loss | None],
        hooks: BatchHooks,
        train: bool,
        rate: Callable[[], None] | None = None,
        feed: Part | None = None,
    ) -> None:
        self._core, self._group, self._model = core, group, model
        self._meters, self._losses, self._hooks = meters, losses, hooks
        self._train, self._rate, self._feed = train, rate, feed
        self._failure: BaseException | None = None
        self.stopped = False
        """Whether a process was asked to stop."""

    def run(self, data: Data | Stream, order: Indices | None, steps: Steps) -> dict[str, Any]:
        """Walk over the batches; returns the losses and the metrics of all processes."""
        core, meters = self._core, self._meters
        core.begin_epoch()
        shards = [meters.shard() for _ in range(steps.first_shard, steps.last_shard)] if meters else []
        at_once = meters.steps_at_once(steps.batch_size) if meters else len(steps.counts)
        local = steps.local(order)
        if self._feed is None:
            self._attempt(lambda: core.set_rows(local))
        done = 0
        for first in range(0, len(steps.counts), at_once):
            last = min(first + at_once, len(steps.counts))
            base = steps.firsts[first]
            buffers = meters.buffers(max(1, steps.firsts[last] - base), 1) if shards else []
            self._attempt(lambda b=buffers, f=base: (self._feed or core).set_predictions(b, f))  # type: ignore[misc]
            done = self._steps(steps, first, last)
            if shards:
                self._attempt(lambda f=first, d=done, b=buffers: self._update(data, local, steps, shards, f, d, b))  # type: ignore[misc]
            if done < last:
                break
        if self._failure is not None and (self._group is None or self._group.size == 1):
            raise self._failure
        if not self._train:
            core.finish_pass("" if self._failure is None else describe(self._failure))
        self._merge(shards)
        return logs_of(core, self._model, self._losses, meters)

    def _attempt(self, work: Callable[[], object]) -> None:
        """Do something in this process alone. The others learn of an error at the next step."""
        if self._failure is None:
            try:
                work()
            except Exception as error:
                self._failure = error

    def _steps(self, steps: Steps, first: int, last: int) -> int:
        """Returns the number of batches done, from the first of the pass."""
        for at in range(first, last):
            self._attempt(lambda batch=at: self._hooks.begin_batch(batch))  # type: ignore[misc]
            self._step(steps.firsts[at], steps.counts[at])
            ends = self._end_batch(at)
            self.stopped = self._train and self._core.stop_agreed
            if self.stopped or ends:
                return at + 1
        return last

    def _end_batch(self, batch: int) -> bool:
        try:
            return self._hooks.end_batch(batch, lambda: self._core.epoch_loss)
        except DistributedError:  # of all processes
            raise
        except Exception as error:
            self._failure = self._failure or error
            return False

    def _step(self, first: int, count: int) -> None:
        core = self._core
        if self._failure is None:
            try:
                if not self._train:
                    (core.test_part if self._feed is None else self._feed.part)(first, count)
                    return
                if self._rate is not None:
                    self._rate()
                if self._feed is None:
                    core.train_part(first, count)
                else:
                    self._feed.part(first, count)
                return
            except DistributedError:  # of all processes
                raise
            except Exception as error:
                self._failure = error
        if self._train:
            self._fail()

    def _fail(self) -> None:
        """Tell the other processes, in place of a step."""
        assert self._failure is not None
        if self._group is None or self._group.size == 1:
            raise self._failure
        try:
            self._core.fail_step(describe(self._failure))
        except DistributedError as error:
            raise error from self._failure

    def _update(
        self,
        data: Data | Stream,
        local: Indices,
        steps: Steps,
        shards: list[Meters],
        first: int,
        last: int,
        buffers: list[NDArray[np.float32]],
    ) -> None:
        base, end = steps.firsts[first], steps.firsts[last]
        moved = None if self._feed is None else self._feed.moved()
        for shard, meters in enumerate(shards, steps.first_shard):
            mine = steps.of_shard(shard, first, last)
            if len(mine):
                seen, rows = (data, local[base:end][mine]) if moved is None else (moved, mine)
                assert isinstance(seen, Data)  # what is read when it is due is kept
                meters.update(seen, rows, [array[mine] for array in buffers])

    def _merge(self, shards: list[Meters]) -> None:
        """Give the metrics what those of all shards have seen."""
        failure = "" if self._failure is None else describe(self._failure)
        states = [meters.states() for meters in shards]
        if self._group is None or self._group.size == 1:
            everyones = [states]
        else:
            everyones = self._group.share(states, failure)
        if self._meters:
            self._meters.merge([one for each in everyones for one in each])
