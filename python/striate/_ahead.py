"""Batches that threads make before they are needed, handed out in order."""

from __future__ import annotations

import os
import sys
import threading
import time
import warnings
from typing import Generic, Protocol, TypeVar

from striate._threads import threads_for

_Result = TypeVar("_Result", covariant=True)
_Item = TypeVar("_Item")

PREFETCH = 4
"""Batches in memory: the one in use and those made ahead."""
_LEAVE = 5.0  # seconds that a thread has to end
_LOWEST_PRIORITY = 19
_LOOK = 1.0  # seconds


class Work(Protocol[_Result]):
    """How a batch is made: in pieces, by any thread and in any order, and then finished by one thread, in order."""

    def pieces(self, batch: int) -> int:
        """How many pieces a batch has; 0 after the last batch."""

    def make(self, batch: int, piece: int) -> bool:
        """Make a piece; False where the source has ended before it."""

    def finish(self, batch: int) -> _Result:
        """The batch, after all its pieces."""


class Ahead(Generic[_Item]):
    """The batches 0, 1, ... of some work. Memory of batch n is free again when batch n + 1 is asked for.

    Args:
        work: makes the batches; batch n and batch n + `PREFETCH` may use the same memory.
        workers: threads. Pieces are made by no more threads than that at a time.
        polite: whether the threads take only the time that the threads of the steps leave over.
        name: of the threads, and of the work in warnings.
    """

    def __init__(self, work: Work[_Item], workers: int, polite: bool, name: str) -> None:
        self._work = work
        self._name = name
        self._polite = polite
        self._state = threading.Condition()
        self._process = os.getpid()
        self._stop = False
        self._end: int | None = None  # the number of batches, once it is known
        self._released = 0  # batches whose memory is free again
        self._batch, self._piece = 0, 0  # the next piece
        self._open: dict[int, list[int]] = {}  # pieces of a batch that are to be claimed, and to be made
        self._finishing = False
        self._finished = 0
        self._ready: dict[int, _Item] = {}
        self._failure: tuple[int, int, BaseException] | None = None
        self._taken = 0
        self.waited = 0.0
        """Seconds that `next` has waited."""
        count = threads_for(workers, "batches are read between the steps")
        self._threads = [threading.Thread(target=self._run, name=f"striate-{name}", daemon=True) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def next(self) -> _Item | None:
        """The next batch; None after the last one.

        Raises:
            Exception: what the work raised in that batch.
            RuntimeError: the process was forked meanwhile, and the threads are the parent's.
        """
        if os.getpid() != self._process:
            raise RuntimeError("the process was forked in the middle of an epoch of batches that threads read")
        began = time.perf_counter()
        try:
            with self._state:
                self._released = self._taken
                self._state.notify_all()
                while True:
                    if self._taken in self._ready:
                        found = self._ready.pop(self._taken)
                        self._taken += 1
                        return found
                    if self._failure is not None and self._taken == self._failure[0] and self._is_still(self._taken):
                        raise self._failure[2]
                    if self._failure is None and self._end is not None and self._taken >= self._end:
                        return None
                    if self._threads:
                        self._state.wait(_LOOK)  # not for ever: on Windows, Ctrl-C would wait too
                    else:
                        self._do_one()
        finally:
            self.waited += time.perf_counter() - began

    def close(self) -> None:
        """End the threads. One that does not return from its source's code is left behind, with a warning."""
        if os.getpid() != self._process:
            return
        with self._state:
            self._stop = True
            self._state.notify_all()
        until = time.monotonic() + _LEAVE
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
        left = sum(thread.is_alive() for thread in self._threads)
        self._ready.clear()
        if left:
            warnings.warn(
                f"{left} of the threads that read {self._name} did not end within {_LEAVE:g} s: their code is waiting "
                "for something; they end when it returns, or with the process",
                RuntimeWarning,
                stacklevel=3,
            )

    def _is_still(self, batch: int) -> bool:
        """Whether no thread makes a piece of this batch."""
        unclaimed, unmade = self._open.get(batch, (0, 0))
        return unclaimed == unmade

    def _run(self) -> None:
        if self._polite and sys.platform == "linux":
            # The steps' threads go first: each waits for the slowest of them.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LOWEST_PRIORITY)
        with self._state:
            while not self._stop:
                if not self._do_one():
                    self._state.wait()

    def _do_one(self) -> bool:
        """Do what is due, without the lock; False where nothing is."""
        job = self._claim()
        if job is None:
            return False
        batch, piece = job
        self._state.release()
        failure: BaseException | None = None
        ended = False
        try:
            if piece < 0:
                result = self._work.finish(batch)
            else:
                ended = not self._work.make(batch, piece)
        except BaseException as error:
            failure = error
        self._state.acquire()
        if piece >= 0 and not ended:
            self._open[batch][1] -= 1
        if failure is not None:
            if self._failure is None or (batch, piece) < self._failure[:2]:
                self._failure = (batch, piece, failure)
        elif ended:
            self._end = batch if self._end is None else min(self._end, batch)
        elif piece < 0:
            self._ready[batch] = result
            self._finished = batch + 1
        if piece < 0:
            self._finishing = False
        self._state.notify_all()
        return True

    def _claim(self) -> tuple[int, int] | None:
        """The batch and the piece that is due; piece -1: to finish the batch."""
        last = sys.maxsize if self._failure is None else self._failure[0]
        if not self._finishing and self._finished < last and self._open.get(self._finished) == [0, 0]:
            self._finishing = True
            del self._open[self._finished]
            return self._finished, -1
        batch = self._batch
        if batch >= min(last, self._released + PREFETCH) or (self._end is not None and batch >= self._end):
            return None
        if batch not in self._open:
            count = self._work.pieces(batch)
            if count == 0:
                self._end = batch
                self._state.notify_all()
                return None
            self._open[batch] = [count, count]
            self._piece = 0
        piece = self._piece
        self._piece += 1
        self._open[batch][0] -= 1
        if self._open[batch][0] == 0:
            self._batch += 1
        return batch, piece
