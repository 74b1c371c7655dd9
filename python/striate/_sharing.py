"""Locks for what several threads may do to a model at the same time; the rule is in `striate.Model`."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, Protocol, TypeVar


class Trained(Protocol):
    """What is needed of a model."""

    def _take_training(self) -> Claim | Claims: ...


class Trainer(Protocol):
    """What is needed of a `striate.Trainer`."""

    _of_thread: ThreadTurn

    @property
    def model(self) -> Trained: ...

    def _free_turn(self) -> None: ...


_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")

building = threading.RLock()
"""Held while layers become a model's, and while a model that was given no input shape gets one."""


class Claim:
    """What the thread that has a turn holds, for a `with` statement. The turn ends with it, or when it is freed: no
    interrupt can leave a turn taken."""

    __slots__ = ("__weakref__", "ended", "process", "thread")

    def __init__(self) -> None:
        self.thread = threading.get_ident()
        self.process = os.getpid()
        self.ended = False

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        self.ended = True

    def holds_off(self, other: Claim) -> bool:
        """Whether `other` must not begin: this is another thread's. After a fork, threads of the parent are gone."""
        return not self.ended and self.thread != other.thread and self.process == other.process


class Claims:
    """Several claims as one."""

    def __init__(self, claims: list[Claim]) -> None:
        self._claims = claims

    def __enter__(self) -> None: ...

    def __exit__(self, *_: object) -> None:
        for claim in self._claims:
            claim.ended = True


class ThreadTurn:
    """One thread's turn at a time, never waited for. A thread that has the turn may take it again.

    Args:
        refusal: the message of the RuntimeError where another thread has the turn.
    """

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._holder: weakref.ref[Claim] | None = None

    def take(self, refusal: str | None = None) -> Claim:
        """Take the turn.

        Args:
            refusal: a message in place of the turn's own.

        Raises:
            RuntimeError: another thread has it.
        """
        claim = Claim()
        with building:  # for a moment
            holder = self._holder_now()
            if holder is not None and holder.holds_off(claim):
                raise RuntimeError(refusal or self._refusal)
            if holder is None or holder.thread != claim.thread:
                self._holder = weakref.ref(claim)
        return claim

    def is_anothers(self) -> bool:
        """Whether the turn is that of another thread, or was when the process was forked."""
        holder = self._holder_now()
        return holder is not None and holder.thread != threading.get_ident()

    def _holder_now(self) -> Claim | None:
        holder = None if self._holder is None else self._holder()
        return None if holder is None or holder.ended else holder


def by_one_thread(*, trains: bool) -> Callable[[Callable[_Arguments, _Result]], Callable[_Arguments, _Result]]:
    """For methods of `Trainer`: while one runs in a thread, none can be called in another. With `trains`, no other
    trainer can train the model either."""

    def decorate(method: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
        @wraps(method)
        def alone(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            trainer: Trainer = args[0]  # type: ignore[assignment]
            with trainer._of_thread.take():
                if not trains:
                    return method(*args, **kwargs)
                with trainer.model._take_training():
                    return method(*args, **kwargs)

        return alone

    return decorate


_of_stores: weakref.WeakValueDictionary[int, ThreadTurn] = weakref.WeakValueDictionary()


def turn_of_store(store: int) -> ThreadTurn:
    """The turn of training the weights in this memory, of any model. It is there as long as someone keeps it."""
    with building:
        turn = _of_stores.get(store)
        if turn is None:
            _of_stores[store] = turn = ThreadTurn("another thread is training these weights")
        return turn


trainers: weakref.WeakSet[Trainer] = weakref.WeakSet()
"""All there are."""


def _in_child() -> None:
    """The child has the forking thread alone: locks of trainers that other threads were using are free."""
    building.release()
    for trainer in list(trainers):
        if trainer._of_thread.is_anothers():
            trainer._free_turn()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=building.acquire, after_in_parent=building.release, after_in_child=_in_child)
