"""Layers of the user's that are made of other layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar


class Composed:
    """The part of `Layer` for classes of the user's whose `call` combines other layers."""

    composed: ClassVar[bool] = False
    """Whether a `call` of the user's draws what the layer does."""
    holds_weights: ClassVar[bool] = True
    """What such a layer looks for among its attributes."""

    def _parts(self) -> list[Any]:
        """The layers and models among the attributes, in the order in which they were set."""
        found: dict[int, Any] = {}
        for value in vars(self).values():
            for part in _parts_in(value):
                found.setdefault(id(part), part)
        return list(found.values())

    def _part_weights(self) -> list[Any]:
        """The weights of the parts, each once."""
        found: dict[tuple[int, int], Any] = {}
        for part in self._parts():
            for weight in part.weights:
                found.setdefault((id(weight._layer._core), weight._place), weight)
        return list(found.values())


def _parts_in(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from _parts_in(item)
    elif getattr(type(value), "holds_weights", False):
        yield value
