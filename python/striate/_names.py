"""Names that are not quite right."""

from __future__ import annotations

from collections.abc import Iterable


def suggestion(wrong: str, names: Iterable[str]) -> str:
    """The end of a message about a name that there is none of: what was meant, or all that there are."""
    import difflib

    known = list(names)
    near = difflib.get_close_matches(wrong, known, n=2)
    if near:
        return "did you mean " + " or ".join(repr(name) for name in near) + "?"
    return "choose one of: " + ", ".join(known)
