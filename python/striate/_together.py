"""`fit` in several processes: what they must agree on, callbacks that run in process 0 alone, and signals."""

from __future__ import annotations

import json
import signal
import threading
import time
import warnings
import zlib
from collections.abc import Callable, Mapping
from types import FrameType
from typing import TYPE_CHECKING, Any

import numpy as np

from striate import _core
from striate._data import Data
from striate._sharded import describe
from striate._streaming import Stream
from striate.callbacks import Callback, CallbackList, History, ProgressBar
from striate.distributed import DistributedError, Group

if TYPE_CHECKING:
    from striate._prepared import Prepared
    from striate.network import Network

_SAMPLED, _READ = 64, 8  # rows that are compared between processes, of arrays and of what is read when it is due
_STOPS = (signal.SIGINT, signal.SIGTERM)


def description_of(data: Data | Stream | None) -> dict[str, Any]:
    """What must be alike in all processes: lengths, shapes, types, and the bits of some rows."""
    if data is None:
        return {"rows": 0}
    if isinstance(data, Stream):
        assert data.rows is not None
        places = np.unique(np.linspace(0, data.rows - 1, min(_READ, data.rows)).astype(np.int64))
        return {**description_of(data.of_rows(places.tolist())), "rows": data.rows}
    arrays = [*data.inputs, *(array for array in (*data.targets, *data.weights) if array is not None)]
    rows = np.unique(np.linspace(0, data.rows - 1, min(_SAMPLED, data.rows)).astype(np.int64))
    check = 0
    for array in arrays:
        check = zlib.crc32(np.ascontiguousarray(array[rows]).tobytes(), check)
    return {
        "rows": data.rows,
        "shapes": [array.shape[1:] for array in arrays],
        "types": [str(array.dtype) for array in arrays],
        "values": check,
    }


def weights_of(model: Network) -> int:
    """A checksum of a model's weights."""
    check = 0
    for array in model.get_weights():
        check = zlib.crc32(np.ascontiguousarray(array).tobytes(), check)
    return check


def architecture_of(network: _core.Model) -> int:
    """A checksum of the architecture, whatever the seed."""
    found = json.loads(_core.architecture_json(network))
    found.pop("seed", None)
    return zlib.crc32(json.dumps(found, sort_keys=True).encode())


def compare(group: Group, mine: Mapping[str, Any], failure: str = "", who: str = "fit") -> None:
    """Check that all processes were called alike.

    Raises:
        ValueError: they were not; the message names the first process and argument that differ from process 0's.
        DistributedError: something failed in one of them before.
    """
    everyones = group.share(dict(mine), failure)
    for process, theirs in enumerate(everyones):
        for name, value in everyones[0].items():
            if theirs.get(name) != value:
                raise ValueError(
                    f"{who}: {name} must be the same in all processes: {group.name_of(0)} has {value}, "
                    f"{group.name_of(process)} has {theirs.get(name)}"
                )


class Together:
    """The callbacks of a `fit` in several processes. Process 0 has them; the others only keep the history.

    After each hook process 0 sends what callbacks may have changed: learning rate, weights, and whether to stop.

    Args:
        group: the processes.
        trainer: that trains.
        watched: in process 0 all callbacks, in the others `History` alone.
    """

    def __init__(self, group: Group, trainer: Prepared, watched: CallbackList) -> None:
        self._group, self._trainer, self.list = group, trainer, watched
        shown = (History, ProgressBar)
        self._controls = group.from_main([c for c in watched if type(c) not in shown] != [])
        self._batch_controls = False
        self._error: Exception | None = None

    def begin(self, ready: Callable[[], int]) -> int:
        """The hook before the first epoch, and what is to be done after it; then all go on from process 0's state.

        Returns:
            What `ready` returned in process 0.
        """
        trainer, first = self._trainer, 0

        def work() -> None:
            nonlocal first
            self.list.on_train_begin()
            first = ready()

        failure = self._main(work)
        if not self._group.main:
            self.list.on_train_begin()
        history = self.list.history
        assert history is not None
        mine = None
        if self._group.main and not failure:  # a backup has brought the epochs before
            mine = first, {**_whole_state(trainer), "history": (history.history, history.epoch, history.wait)}
        found: tuple[int, dict[str, Any]] = self._from_main(mine, failure)
        first, state = found
        if not self._group.main:
            _go_on_from(trainer, state)
            history.history, history.epoch, history.wait = state["history"]
        return first

    def hook(self, name: str, *arguments: Any) -> None:
        """A hook of an epoch or a validation, with the number of the epoch, and logs, if it has them. Logs become those
        of process 0, whose callbacks may add to them.
        """
        model = self._trainer.model
        logs = arguments[-1] if arguments and isinstance(arguments[-1], dict) else None
        before = self._checksum()
        failure = self._main(lambda: getattr(self.list, name)(*arguments))
        change: dict[str, Any] = {"stop": bool(model.stop_training), "rate": None}
        if self._group.main and not failure and self._controls:
            change = self._change()
            if self._checksum() != before:
                change["weights"] = model.get_weights()
        change["logs"] = logs if self._controls and self._group.main and not failure else None
        found = self._from_main(change, failure)
        self._follow(found)
        if not self._group.main:
            if logs is not None and found["logs"] is not None:
                logs.clear()
                logs.update(found["logs"])
            getattr(self.list, name)(*arguments)

    def begin_pass(self) -> None:
        """Agree on whether callbacks of batches may change the training."""
        hooks = ("on_train_batch_begin", "on_train_batch_end")
        controls = any(c.wants(hook) for c in self.list if type(c) is not ProgressBar for hook in hooks)
        self._batch_controls = bool(self._group.from_main(controls))

    def end_batch(self, call: Callable[[], None] | None) -> bool:
        """The hook after a batch; returns whether to stop."""
        if not self._batch_controls:
            if call is not None:
                call()
            return False
        failure = "" if call is None else self._main(call)
        self._follow(self._from_main(self._change() if self._group.main else None, failure))
        return bool(self._trainer.model.stop_training)

    def _main(self, work: Callable[[], object]) -> str:
        """Do something in process 0; returns what went wrong."""
        if self._group.main:
            try:
                work()
            except Exception as error:
                self._error = error
                return describe(error)
        return ""

    def _from_main(self, value: Any, failure: str) -> Any:
        try:
            return self._group.from_main(value, failure)
        except DistributedError as error:
            raise error from self._error

    def _change(self) -> dict[str, Any]:
        core = self._trainer._settle()
        return {"stop": bool(self._trainer.model.stop_training), "rate": core.learning_rate_override}

    def _follow(self, change: Mapping[str, Any]) -> None:
        if self._group.main:
            return
        trainer = self._trainer
        trainer.model.stop_training = change["stop"]
        core = trainer._settle()
        if change["rate"] is not None and change["rate"] != core.learning_rate_override:
            trainer.optimizer.learning_rate = change["rate"]
        if "weights" in change:
            trainer.model.set_weights(change["weights"])

    def _checksum(self) -> int:
        return weights_of(self._trainer.model) if self._group.main and self._controls else 0


class Late:
    """Warns, once, where processes wait for a slower one.

    Args:
        group: the processes; None: nothing is done.
    """

    SHARE, SECONDS = 0.2, 1.0
    """A warning is due where a process waited this share of an epoch's steps, and longer than these seconds."""

    def __init__(self, group: Group | None) -> None:
        self._group = group
        self._warned = False
        self._began = 0.0

    def begin(self) -> None:
        """An epoch's steps begin."""
        if self._group is not None:
            self._group.late.clear()
            self._began = time.perf_counter()

    def end(self) -> None:
        """An epoch's steps are done."""
        if self._group is None:
            return
        seconds = time.perf_counter() - self._began
        everyones = self._group.share(dict(self._group.late))
        waits = [(sum(late.values()), process, late) for process, late in enumerate(everyones) if late]
        if self._warned or not self._group.main or not waits:
            return
        lost, process, late = max(waits, key=lambda found: found[0])
        if lost > self.SHARE * seconds and lost > self.SECONDS:
            self._warned = True
            slow = max(late, key=lambda other: late[other])
            warnings.warn(
                f"fit: {self._group.name_of(process)} waited {lost / seconds:.0%} of the epoch's {seconds:.1f} s for "
                f"the others, mostly for {self._group.name_of(slow)}: give that one as many cores, or as fast ones, "
                "and nothing else to do",
                RuntimeWarning,
                stacklevel=5,
            )


class Hooks:
    """What a pass over shards calls around its batches.

    Args:
        watched: the callbacks of this process.
        model: the model that is trained.
        what: "train" or "test".
        together: of several processes.
    """

    def __init__(self, watched: CallbackList, model: Network, what: str, together: Together | None) -> None:
        self._begin, self._end = (
            getattr(watched, f"on_{what}_batch_{when}") if getattr(watched, f"has_{what}_batch_{when}") else None
            for when in ("begin", "end")
        )
        self._model, self._train, self._together = model, what == "train", together
        if together is not None and self._train:
            together.begin_pass()

    def begin_batch(self, batch: int) -> None:
        if self._begin is not None:
            self._begin(batch)

    def end_batch(self, batch: int, loss: Callable[[], float]) -> bool:
        end = self._end
        call = None if end is None else lambda: end(batch, {"loss": loss()})
        if self._together is not None and self._train:
            return self._together.end_batch(call)
        if call is not None:
            call()
        return self._train and call is not None and self._model.stop_training


def own_callbacks(group: Group | None, callbacks: list[Callback]) -> list[Callback]:
    """The callbacks that this process runs."""
    return callbacks if group is None or group.main else []


def _whole_state(trainer: Prepared) -> dict[str, Any]:
    core = trainer._settle()
    return {
        "weights": trainer.model.get_weights(),
        "slots": [core.slot(index) for index in range(core.slot_count)],
        "iteration": core.iteration,
        "epochs": core.epochs,
        "seed": core.seed,
        "rate": core.learning_rate_override,
        "stop": bool(trainer.model.stop_training),
    }


def _go_on_from(trainer: Prepared, state: Mapping[str, Any]) -> None:
    core = trainer._settle()
    trainer.model.set_weights(state["weights"])
    for index, value in enumerate(state["slots"]):
        core.set_slot(index, value)
    core.iteration, core.epochs, core.seed = state["iteration"], state["epochs"], state["seed"]
    if state["rate"] is not None and state["rate"] != core.learning_rate_override:
        trainer.optimizer.learning_rate = state["rate"]
    trainer.model.stop_training = state["stop"]


class Signals:
    """Ctrl-C and SIGTERM ask for a stop after the step, in all processes. A second Ctrl-C ends the process.

    Args:
        group: the processes; None: signals work as always.
        core: what is asked to stop.
    """

    def __init__(self, group: Group | None, core: _core.Trainer) -> None:
        self._core = core
        self._before: dict[int, Any] = {}
        self.group = group
        self.received = 0
        """The signal that this process got."""
        if group is not None and threading.current_thread() is threading.main_thread():
            for number in _STOPS:
                self._before[number] = signal.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received == signal.SIGINT == number:
            raise KeyboardInterrupt
        self.received = number
        self._core.ask_to_stop(True)

    def remind(self, core: _core.Trainer) -> None:
        """Ask again, at the start of a pass."""
        self._core = core
        core.ask_to_stop(self.received > 0)

    def restore(self) -> None:
        """Handle signals as before."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}


def stopped_by(group: Group, received: int) -> BaseException:
    """What `fit` raises in all processes after one of them got a signal."""
    number = max(group.share(received))
    return SystemExit(128 + number) if number == signal.SIGTERM else KeyboardInterrupt()


__all__ = [
    "DistributedError",
    "Hooks",
    "Late",
    "Signals",
    "Together",
    "architecture_of",
    "compare",
    "description_of",
    "own_callbacks",
    "stopped_by",
    "weights_of",
]
