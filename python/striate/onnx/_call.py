"""What a converter sees of a node, and the table of converters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from striate import layers
from striate.onnx._values import Array, Unsupported, Value

if TYPE_CHECKING:
    from striate.layers import Symbol

Converted = Value | Array | None
"""A tensor of the graph: computed, constant, or an optional one that is left out."""


class Call:
    """A node with its inputs.

    Attributes:
        kind: the operator.
        opset: the version of the operators that the model is written in.
        inputs: what its inputs are.
        outputs: how many outputs it has that somebody reads: trailing ones that nobody does are not counted.
    """

    def __init__(
        self, kind: str, opset: int, attributes: dict[str, Any], inputs: list[Converted], outputs: int, name: str | None
    ) -> None:
        self.kind, self.opset, self.inputs, self.outputs = kind, opset, inputs, outputs
        self._attributes, self._name = attributes, name
        self.weights: list[tuple[layers.Layer, list[Array]]] = []

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute: a number, string, array, or list of these."""
        value = self._attributes.get(name, default)
        return value.decode() if isinstance(value, bytes) else value

    def given(self, index: int) -> bool:
        """Whether there is an input of that number."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def value(self, index: int = 0) -> Value:
        """An input that the network computes."""
        found = self.inputs[index] if self.given(index) else None
        if not isinstance(found, Value):
            raise Unsupported(f"its input {index} is a constant")
        return found

    def constant(self, index: int, default: Any = None) -> Any:
        """An input that is known beforehand, as an array; `default` if it is left out."""
        if not self.given(index):
            return default
        found = self.inputs[index]
        if isinstance(found, Value):
            raise Unsupported(f"its input {index} is not constant")
        return found

    def numbers(self, index: int, attribute: str) -> list[int] | None:
        """Whole numbers that are an input in the newer versions of the operator and an attribute in older ones."""
        if self.given(index):
            return [int(number) for number in np.asarray(self.constant(index)).reshape(-1)]
        found = self.get(attribute)
        return None if found is None else [int(number) for number in np.atleast_1d(found)]

    def single_output(self) -> None:
        """Refuse a node whose further outputs are read."""
        if self.outputs > 1:
            raise Unsupported(f"output {self.outputs - 1} is used")

    def layer(
        self, kind: Callable[..., layers.Layer], *args: Any, weights: Sequence[Array] = (), **options: Any
    ) -> layers.Layer:
        """A layer that bears the node's name and starts with these weights."""
        layer = kind(*args, **options, **({"name": self._name} if self._name else {}))
        self._name = None  # a further layer of the node gets a name of its own
        if weights:
            self.weights.append((layer, [np.asarray(weight, np.float32) for weight in weights]))
        return layer

    def apply(
        self, symbol: Symbol | Sequence[Symbol], kind: Callable[..., layers.Layer], *args: Any, **options: Any
    ) -> Symbol:
        """The output of such a layer."""
        return self.layer(kind, *args, **options)(symbol)


class Row(NamedTuple):
    """How an operator is converted.

    Attributes:
        convert: makes the node's outputs, one or a list.
        constants: the inputs that have to be known beforehand.
        moves: whether it only moves elements, whatever their type.
    """

    convert: Callable[[Call], Any]
    constants: frozenset[int]
    moves: bool


CONVERTERS: dict[str, Row] = {}
"""By operator. The modules `_convert_…` fill it."""


def operator(
    *names: str, constants: Sequence[int] = (), moves: bool = False
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Put a converter into the table."""

    def put(convert: Callable[[Call], Any]) -> Callable[[Call], Any]:
        for name in names:
            assert name not in CONVERTERS, name
            CONVERTERS[name] = Row(convert, frozenset(constants), moves)
        return convert

    return put
