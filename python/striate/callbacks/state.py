"""What callbacks remember, beside a training that goes on from a file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.callbacks.base import Callback

# A dict with this key alone stands for an array of the file.
_ARRAY = "striate.array"


def states_of(callbacks: Iterable[Callback]) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """The states of the callbacks that have one, as JSON, and the arrays in them by name."""
    arrays: dict[str, NDArray[np.float32]] = {}
    entries: list[dict[str, Any]] = []
    for callback in callbacks:
        state = callback.get_state()
        if state:
            entries.append({"callback": _kind(callback), "state": _packed(state, arrays, f"callbacks/{len(entries)}")})
    return json.dumps(entries), arrays


def parsed(text: str, arrays: Mapping[str, NDArray[np.float32]]) -> list[tuple[str, dict[str, Any]]]:
    """What `states_of` returned: kinds of callbacks with their states.

    Raises:
        ValueError: it is damaged.
    """
    try:
        return [(str(entry["callback"]), dict(_unpacked(entry["state"], arrays))) for entry in json.loads(text)]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise ValueError(f"the states of callbacks are damaged ({error!r})") from error


def restore(callbacks: Iterable[Callback], states: list[tuple[str, dict[str, Any]]]) -> None:
    """Give each callback the first state of its kind that is left.

    Raises:
        ValueError: a state is damaged or does not fit the model.
    """
    left = list(states)
    for callback in callbacks:
        for place, (kind, state) in enumerate(left):
            if kind == _kind(callback):
                del left[place]
                try:
                    callback.set_state(state)
                except (KeyError, TypeError, ValueError) as error:
                    raise ValueError(f"the saved state of {type(callback).__name__} does not fit: {error}") from error
                break


def number(state: Mapping[str, Any], name: str) -> float:
    """A number of a state."""
    value = state[name]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number, got {value!r}")
    return float(value)


def count(state: Mapping[str, Any], name: str) -> int:
    """A whole number of a state, at least 0."""
    value = state[name]
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise TypeError(f"{name} must be a whole number of at least 0, got {value!r}")
    return value


def _kind(callback: Callback) -> str:
    """The class, and the value that it watches, if any."""
    return f"{type(callback).__name__} {getattr(callback, 'monitor', '')}".strip()


def _packed(value: Any, arrays: dict[str, NDArray[np.float32]], name: str) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        arrays[name] = np.ascontiguousarray(value)
        return {_ARRAY: name}
    if isinstance(value, Mapping):
        return {str(key): _packed(item, arrays, f"{name}/{key}") for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_packed(item, arrays, f"{name}/{place}") for place, item in enumerate(value)]
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def _unpacked(value: Any, arrays: Mapping[str, NDArray[np.float32]]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _unpacked(item, arrays) for key, item in value.items()}
    return [_unpacked(item, arrays) for item in value] if isinstance(value, list) else value
