"""Checks of single arguments."""

from __future__ import annotations

from striate import _core


def next_seed(seed: int | None, who: str) -> int:
    """The seed that was given, or the next one of the process's sequence."""
    return _core.next_seed() if seed is None else checked_seed(seed, who)


def checked_seed(seed: int, who: str) -> int:
    """A whole number of 64 bits."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__"):
        raise TypeError(f"{who}: seed must be an integer, got {type(seed).__name__}")
    if not 0 <= seed < 2**64:
        raise ValueError(f"{who}: seed must be within 0 … 2**64 - 1, got {seed}")
    return int(seed)


def batch_of(batch_size: int | None, who: str) -> int:
    """The batch size; 32 for None, as in Keras."""
    return 32 if batch_size is None else positive(batch_size, f"{who}: batch_size")


def positive(value: int, what: str) -> int:
    """A whole number of at least 1."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{what} must be an integer, got {value!r}")
    if value < 1:
        raise ValueError(f"{what} must be at least 1, got {value}")
    return int(value)


def flag(value: object, what: str) -> bool:
    """True or False, also as NumPy's or as the numbers 1 and 0."""
    if isinstance(value, str) or value not in (0, 1):
        raise TypeError(f"{what} must be True or False, got {value!r}")
    return bool(value)


def chosen(**arguments: bool | str | None) -> dict[str, bool | str]:
    """The arguments that are not None."""
    return {name: value for name, value in arguments.items() if value is not None}
