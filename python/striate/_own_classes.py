"""Classes of the user's whose methods the core would never call: refused when the class is made."""

from __future__ import annotations

from collections.abc import Sequence


def is_own(cls: type) -> bool:
    """Whether the class is the user's rather than the library's."""
    return cls.__module__.partition(".")[0] != "striate"


def refuse_own(cls: type, base: type, methods: Sequence[str], instead: str) -> None:
    """Check a subclass of `base`, for its `__init_subclass__`.

    A subclass of one of the library's classes may add methods and arguments. It must not define a method that the core
    computes, and it must not derive from `base` alone, which computes nothing.

    Args:
        methods: names that the core computes.
        instead: the supported way, for the message.

    Raises:
        TypeError: the class would not do what it says.
    """
    if not is_own(cls):
        return
    for method in methods:
        if method in vars(cls):
            raise TypeError(
                f"{cls.__name__}.{method} would never be called: the C++ core computes what a {base.__name__} does; "
                f"{instead}"
            )
    if not any(issubclass(one, base) and one is not base and not is_own(one) for one in cls.__mro__):
        raise TypeError(
            f"{cls.__name__} derives from {base.__name__} itself, which computes nothing: the C++ core computes "
            f"what a {base.__name__} does; {instead}"
        )


def refuse_methods(cls: type, methods: Sequence[str], instead: str) -> None:
    """Like `refuse_own`, for a class that the user may derive from directly."""
    for method in methods if is_own(cls) else ():
        if method in vars(cls):
            raise TypeError(f"{cls.__name__}.{method} would never be called; {instead}")
