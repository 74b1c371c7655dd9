"""The state of callbacks, stored and restored with a training."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.callbacks.base import Callback

# A dict with this key alone refers to an array of the file.
_ARRAY = "striate.array"
# Lists and dicts within each other, far below what reading JSON takes.
_DEEPEST = 100


def states_of(callbacks: Iterable[Callback]) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """The states of the callbacks that have one, as JSON, and the arrays in them by name.

    Raises:
        ValueError: a state could not be read back; the message names the class and the place in the state.
    """
    arrays: dict[str, NDArray[np.float32]] = {}
    entries: list[str] = []
    for callback in callbacks:
        state, who = callback.get_state(), f"{type(callback).__name__}.get_state"
        if state is None:
            continue
        if not isinstance(state, Mapping):
            raise ValueError(f"{who} must return a dict, got {state!r:.200}")
        if state:
            entry = {"callback": _kind(callback), "state": _packed(state, arrays, f"{who}: the state", _DEEPEST)}
            try:
                entries.append(json.dumps(entry))
            except ValueError as error:  # an integer of too many digits
                raise ValueError(f"{who}: the state cannot be written: {error}") from error
    return f"[{', '.join(entries)}]", arrays


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


def _packed(value: Any, arrays: dict[str, NDArray[np.float32]], place: str, deepest: int) -> Any:
    if isinstance(value, np.ndarray) and value.dtype == np.float32:
        name = f"callbacks/{len(arrays)}"  # a name of the keys could be that of another array
        arrays[name] = np.asarray(value, order="C")
        return {_ARRAY: name}
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if not isinstance(value, (Mapping, list, tuple)):
        raise ValueError(
            f"{place} must hold numbers, strings, None, arrays of float32, and lists and dicts of them, "
            f"got {type(value).__name__}"
        )
    if not deepest:
        raise ValueError(f"{place[:80]}... is more than {_DEEPEST} lists and dicts deep, or holds itself")
    if not isinstance(value, Mapping):
        return [_packed(item, arrays, f"{place}[{at}]", deepest - 1) for at, item in enumerate(value)]
    for key in value:
        if not isinstance(key, str):
            raise ValueError(f"{place} must have strings as keys, got {key!r}, which would come back as a string")
    if set(value) == {_ARRAY}:
        raise ValueError(f"{place} must not have {_ARRAY!r} as its only key, which marks arrays in the file")
    return {str(key): _packed(item, arrays, f"{place}[{key!r}]", deepest - 1) for key, item in value.items()}


def _unpacked(value: Any, arrays: Mapping[str, NDArray[np.float32]]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        return {key: _unpacked(item, arrays) for key, item in value.items()}
    return [_unpacked(item, arrays) for item in value] if isinstance(value, list) else value
