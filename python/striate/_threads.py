"""Threads of Python's, as many as can be started."""

from __future__ import annotations

from striate import _core


def threads_for(count: int, consequence: str) -> int:
    """How many of `count` threads can be started now; where it is none, a warning (once in a process) says so.

    Args:
        count: the threads that are wanted.
        consequence: how the work goes on without a thread.
    """
    found = _core.startable_threads(count)
    if found == 0:
        _core.warn_of_few_threads(consequence)
    return found
