"""Attributes that are set on an object of the library and would change nothing: refused."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from striate._names import nearest, suggestion
from striate._own_classes import is_own


def check_attribute(
    target: object, name: str, owner: str, fixed: Iterable[str], hints: Mapping[str, str], strict: bool = False
) -> None:
    """Check that setting an attribute has an effect, for `__setattr__`.

    Private names, what the class has (properties say themselves whether they can be set), what the object has already,
    and anything on classes of the user's may be set.

    Args:
        owner: what the message calls the object.
        fixed: arguments that the object was made with and that cannot change.
        hints: names that scripts set with other libraries, and what to do instead.
        strict: whether an unknown name is refused; otherwise only one that is like a known name.

    Raises:
        AttributeError: it has none.
    """
    kind = type(target)
    declared = any(name in vars(base).get("__annotations__", ()) for base in kind.__mro__)
    held = getattr(kind, name, None)
    if isinstance(held, property) and held.fset is None:
        raise AttributeError(f"{owner}.{name} cannot be set" + (f"; {hints[name]}" if name in hints else ""))
    if name.startswith("_") or declared or held is not None or name in vars(target):
        return
    if name in hints:
        raise AttributeError(f"{owner}.{name} cannot be set; {hints[name]}")
    if name in fixed:
        raise AttributeError(f"{owner}.{name} is fixed when the object is made; make a new one with {name}=...")
    if is_own(kind):
        return
    known = [key for key in {*dir(kind), *vars(target)} if not key.startswith("_")]
    if strict or nearest(name, known, cutoff=0.85):
        raise AttributeError(f"{owner} has no attribute {name!r}; {suggestion(name, known)}")
