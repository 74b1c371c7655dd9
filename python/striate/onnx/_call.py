"""What a converter sees of a node, and the table of converters."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from striate import layers
from striate.onnx._values import Array, Unsupported, Value

if TYPE_CHECKING:
    from striate.layers import Symbol

Converted = Value | Array | list[Value] | None
"""A tensor of the graph: computed, constant, a sequence of computed ones, or an optional one that is left out."""

ANY_PLACE = {"Cast", "Gather", "Identity", "Slice", "Split", "Squeeze", "Transpose", "Unsqueeze"}
"""Operators whose converters take the batch as any axis."""

_UNBOUNDED = ("max", "min", "value")  # attributes that may be infinite


class Weights:
    """The weights of the layers that are made, and which arrays of the file they come from.

    Args:
        parameters: initializers that are weights of modules, by name.
        unbiased_variance: whether moving variances are those of PyTorch.

    Attributes:
        values: layers and what their weights begin with.
        origins: tensor -> the initializer whose elements it has.
    """

    _SHARED = ("Conv2D", "Conv2DTranspose", "Dense", "DepthwiseConv2D")
    _SAME = ("Cast", "CastLike", "Expand", "Identity", "Reshape", "Squeeze", "Transpose", "Unsqueeze")

    def __init__(self, parameters: Collection[str] = (), unbiased_variance: bool = False) -> None:
        self.unbiased_variance = unbiased_variance
        self.values: list[tuple[layers.Layer, list[Array]]] = []
        self.origins: dict[str, str] = {}
        self.used: set[str] = set()
        self.parameters = frozenset(parameters)
        self._layers: dict[tuple[str, ...], list[tuple[layers.Layer, list[Array], dict[str, Any]]]] = {}

    def follow(self, node: Any) -> None:
        """Note that a node only rearranges an array."""
        if node.op_type in self._SAME and node.input[0] in self.origins:
            self.origins[node.output[0]] = self.origins[node.input[0]]

    def parameter(self, name: str) -> str:
        """The parameter that a tensor is, or an empty string."""
        origin = self.origins.get(name, "")
        return origin if origin in self.parameters else ""

    def module_of(self, kind: str, names: Sequence[str]) -> str:
        """The module whose parameter a node reads, or, where it only scales by it, the parameter; empty for none."""
        found = next((name for name in map(self.parameter, names) if name), "")
        return found if kind == "Mul" else found.rpartition(".")[0]

    def known(
        self, kind: str, names: Sequence[str], arrays: list[Array], config: dict[str, Any]
    ) -> layers.Layer | None:
        """The layer that has these weights already: two nodes that read the same arrays are one layer, called twice."""
        origins = tuple(self.origins.get(name, "") for name in names[1:] if name)
        if kind not in self._SHARED or not origins or not all(origins):
            return None
        for layer, others, other in self._layers.setdefault(origins, []):
            same = len(arrays) == len(others) and all(map(np.array_equal, arrays, others))
            if same and type(layer).__name__ == kind and other == config:
                return layer
        return None

    def keep(self, layer: layers.Layer, names: Sequence[str], arrays: list[Array], config: dict[str, Any]) -> None:
        """Note a new layer."""
        self.values.append((layer, arrays))
        self.used.update(self.parameter(name) for name in names)
        origins = tuple(self.origins.get(name, "") for name in names[1:] if name)
        self._layers.setdefault(origins, []).append((layer, arrays, config))


class Call:
    """A node with its inputs.

    It notes which attributes and inputs its converter reads: a node that says more is refused.

    Attributes:
        kind: the operator.
        opset: the version of the operators that the model is written in.
        outputs: how many of its outputs are used; unused outputs at the end are not counted.
        free: whether the model leaves the size of the batch open; it counts as 1 then.
    """

    def __init__(
        self,
        kind: str,
        opset: int,
        attributes: dict[str, Any],
        inputs: list[Converted],
        outputs: int,
        name: str | None,
        free: bool = False,
        weights: Weights | None = None,
        names: Sequence[str] = (),
    ) -> None:
        self.kind, self.opset, self.outputs, self.free = kind, opset, outputs, free
        self._inputs, self._attributes, self._name = inputs, attributes, name
        self._read: set[str | int] = set()
        self._weights, self._names = weights or Weights(), list(names)

    @property
    def inputs(self) -> list[Converted]:
        """All inputs."""
        self._read.update(range(len(self._inputs)))
        return self._inputs

    def unread(self) -> set[str | int]:
        """The attributes, by name, and the inputs, by number, that the converter has not asked for."""
        given = {i for i, item in enumerate(self._inputs) if item is not None}
        names: set[str | int] = {*self._attributes, *given}
        return names - self._read

    def operands(self, least: int, most: int | None = None) -> list[Value | Array]:
        """All inputs of an operator that has none to leave out.

        Raises:
            Unsupported: there are fewer or more of them, or one is left out.
        """
        found = [item for item in self.inputs if item is not None and not isinstance(item, list)]
        if len(found) != len(self._inputs) or len(found) < least or len(found) > (most or len(found)):
            raise Unsupported(f"it has {len(found)} inputs")
        return found

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute: a number, string, array, or list of these."""
        self._read.add(name)
        value = self._attributes.get(name, default)
        if isinstance(value, float) and not math.isfinite(value) and (name not in _UNBOUNDED or math.isnan(value)):
            raise Unsupported(f"its attribute {name} is {value}")
        return value.decode() if isinstance(value, bytes) else value

    def given(self, index: int) -> bool:
        """Whether there is an input of that number."""
        return index < len(self._inputs) and self._inputs[index] is not None

    def value(self, index: int = 0) -> Value:
        """An input that the network computes."""
        self._read.add(index)
        found = self._inputs[index] if self.given(index) else None
        if found is None:
            raise Unsupported(f"its input {index} is missing")
        if not isinstance(found, Value):
            raise Unsupported(f"its input {index} is a constant")
        return found

    def constant(self, index: int, default: Any = None) -> Any:
        """An input that is known beforehand, as an array; `default` if it is left out."""
        self._read.add(index)
        if not self.given(index):
            return default
        found = self._inputs[index]
        if isinstance(found, Value):
            raise Unsupported(f"its input {index} is not constant")
        return found

    def flag(self, name: str, default: bool = False) -> bool:
        """An attribute that is 0 or 1."""
        found = self.get(name, int(default))
        if found not in (0, 1):
            raise Unsupported(f"its attribute {name} is {found}, it must be 0 or 1")
        return bool(found)

    def numbers(self, index: int, attribute: str) -> list[int] | None:
        """Whole numbers that are an input in the newer versions of the operator and an attribute in older ones."""
        if self.given(index):
            array = np.asarray(self.constant(index))
            if array.dtype.kind not in "iub":
                raise Unsupported(f"its input {index} holds {array.dtype}, it must hold whole numbers")
            return [int(number) for number in array.reshape(-1)]
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
        arrays = [np.asarray(weight, np.float32) for weight in weights]
        config = {"": args, **options}
        if arrays:
            known = self._weights.known(kind.__name__, self._names, arrays, config)
            if known is not None:
                return known
        layer = kind(*args, **options, **({"name": self._name} if self._name else {}))
        self._name = None  # a further layer of the node gets a name of its own
        if arrays:
            self._weights.keep(layer, self._names, arrays, config)
        return layer

    def parameter(self, index: int) -> str:
        """The parameter of a module that an input is, by its name; empty for none."""
        name = self._weights.parameter(self._names[index]) if index < len(self._names) else ""
        return name

    @property
    def unbiased_variance(self) -> bool:
        """Whether training moves variances as PyTorch does."""
        return self._weights.unbiased_variance

    def stored(self, index: int) -> bool:
        """Whether the file stores this input; otherwise nodes compute it."""
        return index < len(self._names) and self._names[index] in self._weights.origins

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
        ignores: the attributes, by name, and inputs, by number, that do not change the result of inference. All
            others that differ from their default must be read by `convert`.
    """

    convert: Callable[[Call], Any]
    constants: frozenset[int]
    moves: bool
    ignores: frozenset[str | int]


CONVERTERS: dict[str, Row] = {}
"""By operator. The modules `_convert_…` fill it."""


def operator(
    *names: str, constants: Sequence[int] = (), moves: bool = False, ignores: Sequence[str | int] = ()
) -> Callable[[Callable[[Call], Any]], Callable[[Call], Any]]:
    """Put a converter into the table."""

    def put(convert: Callable[[Call], Any]) -> Callable[[Call], Any]:
        for name in names:
            assert name not in CONVERTERS, name
            CONVERTERS[name] = Row(convert, frozenset(constants), moves, frozenset(ignores))
        return convert

    return put
