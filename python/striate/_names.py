"""Names that are not quite right."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def nearest(wrong: str, names: Iterable[str], count: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names that are most like a wrong one, the best first."""
    import difflib

    return difflib.get_close_matches(wrong, list(names), count, cutoff)


def suggestion(wrong: str, names: Iterable[str]) -> str:
    """The end of a message about a name that there is none of: what was meant, or all that there are."""
    known = list(names)
    near = nearest(wrong, known, 2)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "choose one of: " + ", ".join(known)


def in_order(state: Mapping[str, T], names: Sequence[str], caller: str) -> list[T]:
    """The values of weights in the order of their names.

    Raises:
        ValueError: a name is missing or unknown.
    """
    known = set(names)
    for name in state:
        if name not in known:
            raise ValueError(f"{caller}: the model has no weight {name!r}; {suggestion(str(name), list(names))}")
    missing = [name for name in names if name not in state]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise ValueError(f"{caller}: there is no value for {', '.join(map(repr, missing[:3]))}{more}")
    return [state[name] for name in names]
