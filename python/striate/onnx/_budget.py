"""How many numbers a model may make beyond those that its file stores.

Loading takes time and memory in proportion to the file: everything that is made of a few numbers of it, constants that
nodes compute as well as weights that converters lay out, is taken from one budget before it is allocated.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

FLOOR = 1 << 24
"""Numbers that any model may make."""
FACTOR = 32
"""Numbers that it may make in addition, for each one that its file stores."""


class Unsupported(Exception):
    """Why a node cannot be converted."""


class Budget:
    """The numbers that a model may still make.

    Args:
        stored: how many numbers the model stores.
        floor: how many it may make in any case.
    """

    def __init__(self, stored: int = 0, floor: int = FLOOR) -> None:
        self._left = floor + FACTOR * stored

    def take(self, count: int, what: str) -> None:
        """Refuse to make so many numbers, or have less afterwards.

        Raises:
            Unsupported: more than is left.
        """
        if count > self._left:
            raise Unsupported(
                f"it takes {count} numbers as {what}, of which {self._left} are left for a model of this size; "
                "load(path, max_constants=...) allows more"
            )
        self._left -= max(count, 0)


_CURRENT: ContextVar[Budget | None] = ContextVar("striate.onnx budget", default=None)


@contextmanager
def limited(budget: Budget) -> Iterator[None]:
    """Let `check_size` take from this budget."""
    token = _CURRENT.set(budget)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def check_size(count: int, what: str) -> None:
    """Take so many numbers from the budget of the model that is being loaded; to be called before they are made."""
    (_CURRENT.get() or Budget()).take(count, what)
