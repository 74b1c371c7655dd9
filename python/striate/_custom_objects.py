"""Classes and functions of the user's that files name. A file never brings code: the program says what a name means."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])
_registered: dict[str, Any] = {}


class UnknownName(ValueError):
    """A file names something that the program has not told."""


def register(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Let `load_model` know a class or a function by its name, as a decorator.

    Args:
        package: accepted as in Keras; names have no package here.
        name: None for the name of the class or function.

    Raises:
        ValueError: another one has the name.
    """

    def put(made: T) -> T:
        label = made.__name__ if name is None else name
        known = _registered.get(label, made)
        # A cell of a notebook that is run again makes the class anew.
        if known is not made and (known.__module__, known.__qualname__) != (made.__module__, made.__qualname__):
            raise ValueError(f"register_keras_serializable: another object is registered as {label!r}")
        _registered[label] = made
        return made

    return put


@contextmanager
def scope(custom_objects: Mapping[str, Any]) -> Iterator[None]:
    """Within a `with` statement, `load_model` knows these classes and functions by their names."""
    before = dict(_registered)
    _registered.update(custom_objects)
    try:
        yield
    finally:
        _registered.clear()
        _registered.update(before)


def custom_object(name: str, given: Mapping[str, Any] | None, what: str) -> Any:
    """What a name in a file represents.

    Args:
        name: of a class or a function.
        given: `custom_objects` of the caller.
        what: of which kind, for the message: "loss".

    Raises:
        UnknownName: nobody says.
    """
    for known in (given or {}, _registered):
        if name in known:
            return known[name]
    raise UnknownName(
        f"the {what} {name!r} is not one of striate's; if it is your own, pass custom_objects={{{name!r}: ...}}"
    )
