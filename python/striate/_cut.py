"""`fit` with batches that are cut in shards, in one process or in several."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from striate import _core, distributed
from striate._checks import positive
from striate._data import Data
from striate._feeding import Augment, Change, Feed, make_feed
from striate._files import encoded
from striate._sharded import ShardedWalk, Steps, describe
from striate._streaming import Stream, StreamPart, Waits
from striate._together import (
    Hooks,
    Late,
    Signals,
    Together,
    architecture_of,
    compare,
    description_of,
    own_callbacks,
    stopped_by,
    weights_of,
)
from striate._training_files import load_training_file, save_training_file, saved_shards
from striate.callbacks import BackupAndRestore, Callback, CallbackList, History
from striate.callbacks.state import restore
from striate.distributed import Group

_Result = TypeVar("_Result")

if TYPE_CHECKING:
    from striate._prepared import Prepared


@dataclass
class Work:
    """The checked arguments of `fit`."""

    data: Data | Stream
    first: Data
    validation: Data | Stream | None
    due: Callable[[int], bool]
    shuffle: bool
    batch_size: int
    steps: int
    test_batch: int
    test_steps: int
    epochs: int
    initial_epoch: int
    verbose: str | int
    callbacks: list[Callback]
    augment: Augment | None


class Cut:
    """How batches are cut: the number of shards, and the processes, if there are several.

    Args:
        given: `shards` of `fit`.
        callbacks: of `fit`.
        saved: what a loaded training had.
        batch_size: rows of a batch.

    Raises:
        ValueError: there are fewer shards than processes, or more than rows in a batch.
    """

    def __init__(self, given: int | None, callbacks: Sequence[Callback], saved: int | None, batch_size: int) -> None:
        distributed.warn_if_alone()
        found = distributed.group()
        self.group: Group | None = None if found is None or found.size == 1 else found
        processes = 1 if self.group is None else self.group.size
        # All processes take part, whatever each was given: what differs is found later.
        before = _saved(self.group, callbacks, saved) if given is None or self.group is not None else None
        self.shards = (before or processes) if given is None else positive(given, "fit: shards")
        if self.shards < processes:
            raise ValueError(
                f"fit: shards must be at least the number of processes, {processes}, got {self.shards}; start fewer "
                "processes, or choose more shards, which gives other bits"
            )
        if not self.plain and self.shards > batch_size:
            raise ValueError(f"fit: shards must be at most batch_size, {batch_size}, got {self.shards}")

    @property
    def plain(self) -> bool:
        """Whether batches are not cut."""
        return self.shards == 1 and self.group is None

    def check(self, *data: Any) -> None:
        """Check that the data can be cut.

        Raises:
            ValueError: they come from an iterable of batches.
        """
        for part in data:
            if not self.plain and isinstance(part, Stream) and part.rows is None:
                raise ValueError(
                    f"{part.who}: shards, and training in several processes, are for arrays, memory maps and rows, got "
                    f"a {part.source.kind}, which gives batches; use striate.data.rows, or write it into arrays once: "
                    "striate.data.cache(source, folder)"
                )

    def failed(self, error: BaseException) -> None:
        """Tell the other processes that this one's data or arguments do not fit; raises DistributedError in all."""
        if self.group is not None and not isinstance(error, distributed.DistributedError):
            compare(self.group, {}, describe(error))


def _saved(group: Group | None, callbacks: Sequence[Callback], saved: int | None) -> int | None:
    failure = ""
    if group is None or group.main:
        try:
            for callback in callbacks:
                if isinstance(callback, BackupAndRestore) and callback.exists:
                    saved = saved_shards(encoded(callback.path))
        except Exception as error:
            if group is None:
                raise
            failure = describe(error)
    found: int | None = saved if group is None else group.from_main(saved, failure)
    return found


def ready_backups(trainer: Prepared, watched: CallbackList) -> None:
    """Tell callbacks that keep backups how, and put them behind those whose state they write."""
    watched.callbacks.sort(key=lambda callback: isinstance(callback, BackupAndRestore))
    for callback in watched:
        if isinstance(callback, BackupAndRestore):
            callback.use(
                lambda path: save_training_file(trainer, encoded(path), True),
                lambda path: load_training_file(trainer, encoded(path)),
                watched.history,
            )


def go_on(trainer: Prepared, watched: CallbackList, initial_epoch: int) -> int:
    """Restore the callbacks' states, after `on_train_begin`; returns the first epoch."""
    restore(watched, trainer._states)
    trainer._states, trainer._saved_shards = [], None
    for callback in watched:
        if isinstance(callback, BackupAndRestore) and callback.next_epoch is not None:
            initial_epoch = max(initial_epoch, callback.next_epoch)
    trainer._epochs = max(trainer._epochs, initial_epoch)
    return initial_epoch


class CutFit:
    """One `fit` over shards.

    Args:
        trainer: that trains.
        cut: how.
        work: the checked arguments of `fit`.
    """

    def __init__(self, trainer: Prepared, cut: Cut, work: Work) -> None:
        self._trainer, self._cut, self._work = trainer, cut, work
        self._group = group = cut.group
        core = trainer._settle()
        trainer._meters.check_merging()
        self._steps = self._in_shards(core, lambda: _steps(core, work.data, work.steps, work.batch_size))
        self._feed = self._make_feed(core)
        model = trainer.model
        model.stop_training = False
        self._watched = CallbackList(
            own_callbacks(group, [*trainer.callbacks, *work.callbacks]),
            add_history=True,
            add_progbar=group is None or group.main,
            model=model,
            verbose=work.verbose if group is None or group.main else 0,
            epochs=work.epochs,
            steps=work.steps,
            validates=work.validation is not None,
            shards=cut.shards,
        )
        ready_backups(trainer, self._watched)
        if group is not None:  # what fails above fails in one process; from here on all go together
            compare(group, self._agreed(core))
        trainer._watched = self._watched.callbacks
        trainer._shards = cut.shards
        self._together = None if group is None else Together(group, trainer, self._watched)
        self._signals = Signals(group, core)
        self._late = Late(group)
        self._stopped = False

    def run(self) -> History:
        """Train; returns the history."""
        logs: dict[str, Any] = {}
        done = False
        try:
            first = self._begin()
            for epoch in range(first, self._work.epochs):
                self._hook("on_epoch_begin", epoch)
                logs = self._epoch(epoch)
                if self._stopped:
                    assert self._group is not None
                    raise stopped_by(self._group, self._signals.received)
                self._hook("on_epoch_end", epoch, logs)
                if self._trainer.model.stop_training:
                    break
            done = True
        finally:
            self._signals.restore()
            try:
                if self._feed is not None:
                    self._feed.close()
            finally:
                try:
                    self._trainer._release()
                finally:
                    if done:
                        self._hook("on_train_end", logs)
                    else:
                        self._watched.on_train_end(logs)
        assert self._watched.history is not None
        return self._watched.history

    def _begin(self) -> int:
        def ready() -> int:
            return go_on(self._trainer, self._watched, self._work.initial_epoch)

        if self._together is not None:
            return self._together.begin(ready)
        self._watched.on_train_begin()
        return ready()

    def _hook(self, name: str, *arguments: Any) -> None:
        if self._together is None:
            getattr(self._watched, name)(*arguments)
        else:
            self._together.hook(name, *arguments)

    def _epoch(self, epoch: int) -> dict[str, Any]:
        trainer, work = self._trainer, self._work
        waits = Waits(self._feed)
        waits.begin()
        self._late.begin()
        logs = self._train()
        waits.end(self._watched.history)
        self._late.end()
        if self._stopped:
            return logs
        if work.validation is not None and work.due(epoch + 1):
            logs.update({f"val_{name}": value for name, value in self._validate(work.validation).items()})
        if trainer.optimizer.follows_schedule:
            logs["learning_rate"] = float(trainer.optimizer.learning_rate)
        return logs

    def _train(self) -> dict[str, Any]:
        trainer, work, feed, steps = self._trainer, self._work, self._feed, self._steps
        number = trainer._epochs
        assert work.data.rows is not None
        order = _core.permutation(trainer.seed, number, work.data.rows) if work.shuffle else None
        trainer._epochs = number + 1
        with trainer._alone():
            if isinstance(feed, StreamPart):
                trainer._bound = None
                core = trainer._settle()
                feed.begin(steps.local(order), steps.firsts, number)
            elif feed is None:
                assert isinstance(work.data, Data)
                core = trainer._bind(work.data)
            else:
                core = trainer._bind(feed.buffers)
                if steps.firsts[-1] > 0:
                    feed.begin(steps.local(order), number)
            try:
                return self._walk(core, work.data, order, steps)
            finally:
                if isinstance(feed, StreamPart):
                    feed.end()

    def _validate(self, data: Data | Stream) -> dict[str, Any]:
        trainer, work = self._trainer, self._work
        self._hook("on_test_begin")
        with trainer._alone():
            hooks = Hooks(self._watched, trainer.model, "test", self._together)
            logs = _test(trainer, self._cut, data, work.test_steps, work.test_batch, hooks, self._signals.remind)
        self._hook("on_test_end", logs)
        return logs

    def _walk(self, core: _core.Trainer, data: Data | Stream, order: Any, steps: Steps) -> dict[str, Any]:
        trainer = self._trainer
        hooks = Hooks(self._watched, trainer.model, "train", self._together)

        def rate() -> None:
            if trainer.optimizer._own is not None:
                core.learning_rate = trainer.optimizer._own.rate(core.iteration)

        def walk() -> dict[str, Any]:
            self._signals.remind(core)
            walk = ShardedWalk(
                core,
                self._group,
                trainer.model,
                trainer._meters,
                trainer._losses,
                hooks,
                True,
                rate if trainer.optimizer._own is not None else None,
                self._feed,
            )
            logs = walk.run(data, order, steps)
            self._stopped = walk.stopped
            return logs

        return self._in_shards(core, walk)

    def _in_shards(self, core: _core.Trainer, work: Callable[[], _Result]) -> _Result:
        return _in_shards(core, self._cut, work)

    def _make_feed(self, core: _core.Trainer) -> Feed | StreamPart | None:
        work, steps = self._work, self._steps
        if isinstance(work.data, Stream):
            change = None if work.augment is None else Change(work.augment, work.first)
            return StreamPart(core, work.data, True, change)
        if work.augment is None:
            return None
        own = [end - begin for begin, end in steps.own]
        if max(own) > max(own[0], 1):
            raise ValueError(
                f"fit: augment with shards={self._cut.shards}: the last batch, of {steps.counts[-1]} rows, gives this "
                f"process {own[-1]} rows, and whole batches of {work.batch_size} give it {own[0]}; choose a batch_size "
                "that shards divide"
            )
        return make_feed(core, work.data, max(own[0], 1), work.augment)

    def _agreed(self, core: _core.Trainer) -> dict[str, Any]:
        work = self._work
        assert self._trainer._network is not None
        return {
            "shards": self._cut.shards,
            "the model": architecture_of(self._trainer._network),
            "batch_size": work.batch_size,
            "epochs": work.epochs,
            "shuffle": work.shuffle,
            "augment": work.augment is not None,
            "steps_per_epoch": work.steps,
            "the losses": [None if one is None else one.name for one in self._trainer._losses],
            "the metrics": self._trainer._meters.names,
            "the optimizer": type(self._trainer.optimizer).__name__,
            "the data": description_of(work.data),
            "the validation data": description_of(work.validation),
        }


class CutTest(Cut):
    """One `evaluate` by all processes.

    Args:
        trainer: that evaluates. The shards are those of the training before it, if they suffice for the processes.
    """

    def __init__(self, trainer: Prepared) -> None:
        self._trainer = trainer
        found = distributed.group()
        self.group = None if found is None or found.size == 1 else found
        self.shards = trainer._saved_shards or trainer._shards
        if self.group is not None:
            self.shards = max(int(self.group.from_main(self.shards)), self.group.size)

    @property
    def main(self) -> bool:
        """Whether this process runs the callbacks."""
        return self.group is None or self.group.main

    def run(self, data: Data | Stream, batch_size: int, steps: int, watched: CallbackList) -> dict[str, Any]:
        """The losses and metrics, and the callbacks' hooks."""
        trainer, group = self._trainer, self.group
        with trainer._alone():
            try:
                trainer._meters.check_merging()
                trainer._bind(data.first() if isinstance(data, Stream) else data)
                watched.on_test_begin()
            except Exception as error:
                self.failed(error)
                raise
            if group is not None:
                assert trainer._network is not None
                agreed = {
                    "the model": architecture_of(trainer._network),
                    "the weights": weights_of(trainer.model),
                    "batch_size": batch_size,
                    "steps": steps,
                    "the losses": [None if one is None else one.name for one in trainer._losses],
                    "the metrics": trainer._meters.names,
                    "the data": description_of(data),
                }
                compare(group, agreed, who="evaluate")
            logs = _test(trainer, self, data, steps, batch_size, Hooks(watched, trainer.model, "test", None))
        watched.on_test_end(logs)
        return logs


def _test(
    trainer: Prepared,
    cut: Cut,
    data: Data | Stream,
    steps: int,
    batch_size: int,
    hooks: Hooks,
    begin: Callable[[_core.Trainer], object] = lambda core: None,
) -> dict[str, Any]:
    """The losses and metrics of a pass without training; `begin` is called before its first batch."""
    core = trainer._settle()
    feed = StreamPart(core, data, False) if isinstance(data, Stream) else None
    if isinstance(data, Data):
        trainer._bind(data)
    else:
        trainer._bound = None

    def walk() -> dict[str, Any]:
        batches = _steps(core, data, steps, batch_size)
        begin(core)
        if feed is not None:
            feed.begin(batches.local(None), batches.firsts, 0)
        walk = ShardedWalk(core, cut.group, trainer.model, trainer._meters, trainer._losses, hooks, False, None, feed)
        return walk.run(data, None, batches)

    try:
        return _in_shards(core, cut, walk)
    finally:
        if feed is not None:
            feed.end()


def _in_shards(core: _core.Trainer, cut: Cut, work: Callable[[], _Result]) -> _Result:
    core.set_shards(cut.shards, cut.group)
    try:
        return work()
    finally:
        core.set_shards(1, None)


def _steps(core: _core.Trainer, data: Data | Stream, steps: int, batch_size: int) -> Steps:
    """The batches of a pass."""
    assert data.rows is not None
    return Steps(core, min(steps * batch_size, data.rows), batch_size)
