"""A callback from functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from striate.callbacks.base import Callback


class LambdaCallback(Callback):
    """A callback whose hooks are functions, given by the hooks' names::

        LambdaCallback(on_epoch_end=lambda epoch, logs: print(epoch, logs["loss"]))

    Hooks of an epoch or batch take `(index, logs)`, the others `(logs)`.

    Raises:
        TypeError: a name is not a hook of `Callback`, or what is given cannot be called.
    """

    def __init__(self, **hooks: Callable[..., Any] | None) -> None:
        super().__init__()
        for name, function in hooks.items():
            if not (name.startswith("on_") and hasattr(Callback, name)):
                known = ", ".join(sorted(hook for hook in vars(Callback) if hook.startswith("on_")))
                raise TypeError(f"LambdaCallback: {name!r} is not a hook; the hooks are {known}")
            if function is None:
                continue
            if not callable(function):
                raise TypeError(f"LambdaCallback: {name} must be a function, got {type(function).__name__}")
            setattr(self, name, function)
