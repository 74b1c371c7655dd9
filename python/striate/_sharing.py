"""Locks for what several threads may do to a model at the same time; the rule is in `striate.Model`."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, ParamSpec, TypeVar

if TYPE_CHECKING:
    from striate.trainer import Trainer

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")
_Method = Callable[Concatenate["Trainer", _Arguments], _Result]

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


class ThreadTurn:
    """One thread's turn at a time, never waited for. A thread that has the turn may take it again.

    Args:
        refusal: the message of the RuntimeError where another thread has the turn.
    """

    def __init__(self, refusal: str) -> None:
        self._refusal = refusal
        self._holder: weakref.ref[Claim] | None = None

    def take(self) -> Claim:
        """Take the turn.

        Raises:
            RuntimeError: another thread has it.
        """
        claim = Claim()
        with building:  # for a moment
            holder = self._holder_now()
            if holder is not None and holder.holds_off(claim):
                raise RuntimeError(self._refusal)
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


def by_one_thread(*, trains: bool) -> Callable[[_Method[_Arguments, _Result]], _Method[_Arguments, _Result]]:
    """For methods of `Trainer`: while one runs in a thread, none can be called in another. With `trains`, no other
    trainer can train the model either."""

    def decorate(method: _Method[_Arguments, _Result]) -> _Method[_Arguments, _Result]:
        @wraps(method)
        def alone(self: Trainer, /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
            with self._of_thread.take():
                if not trains:
                    return method(self, *args, **kwargs)
                with self.model._training.take():
                    return method(self, *args, **kwargs)

        return alone

    return decorate


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
