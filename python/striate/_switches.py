"""Arguments of Keras's that change nothing here: taken, ignored, and said once in a process."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from striate._names import suggestion

LOADING = {
    **dict.fromkeys(
        ("workers", "use_multiprocessing", "max_queue_size"),
        "set the workers of data.rows(source, workers=...) or of the PyDataset; arrays need none",
    ),
}
COMPILING = {
    "run_eagerly": "the C++ core computes every step",
    "steps_per_execution": "callbacks are called for every batch",
    "auto_scale_loss": "layers compute in float32, and losses need no scaling",
}
# Values that ask for nothing.
_NOTHING = {"run_eagerly": False, "steps_per_execution": 1, "auto_scale_loss": True, "workers": 1, "max_queue_size": 10}
_said: set[str] = set()


def ignore(call: str, given: Mapping[str, Any], known: Mapping[str, str], own: tuple[str, ...] = ()) -> None:
    """Accept the arguments of `call` that are among `known`, with a warning, once, for one that asks for something.

    Raises:
        TypeError: an argument is not among them; `own` are those that the call has beside.
    """
    for name, value in given.items():
        if name not in known:
            raise TypeError(f"{call}() has no argument {name!r}; {suggestion(name, [*own, *known])}")
        if value is None or value == _NOTHING.get(name, False) or name in _said:
            continue
        _said.add(name)
        warnings.warn(f"{call}: {name}={value!r} changes nothing: {known[name]}", stacklevel=4)
