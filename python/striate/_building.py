"""From symbols to a model and back: which layers there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from striate import _core
from striate.layers._base import Layer, Symbol
from striate.layers.activation import Activation


def symbols_of(value: Any, what: str) -> list[Symbol]:
    """One symbol or several as a list."""
    symbols = list(value) if isinstance(value, (list, tuple)) else [value]
    for symbol in symbols:
        if not isinstance(symbol, Symbol):
            raise TypeError(
                f"Model: {what} must be what Input() or a layer returned, or a list of these, "
                f"got {type(symbol).__name__}"
            )
    return symbols


def inputs_of(value: Any) -> list[Symbol]:
    """The symbols of a model's inputs, which may be a dict by their names."""
    if not isinstance(value, Mapping):
        return symbols_of(value, "inputs")
    symbols = symbols_of(list(value.values()), "inputs")
    for name, symbol in zip(value, symbols, strict=True):
        if symbol.layer._core.name != name:
            raise ValueError(f"Model: inputs[{name!r}] must have this name: Input(..., name={name!r})")
    return symbols


def outputs_of(value: Any, what: str) -> list[Symbol]:
    """The symbols of a model's outputs; those of a dict come from layers with the keys as names."""
    if not isinstance(value, Mapping):
        return symbols_of(value, what)
    symbols = symbols_of(list(value.values()), what)
    return [
        symbol if symbol.layer._core.name == name else Activation("linear", name=str(name))(symbol)
        for name, symbol in zip(value, symbols, strict=True)
    ]


def layers_of(outputs: Sequence[Symbol]) -> dict[int, Layer]:
    """The layers that these symbols come from, by the identity of the core's layer."""
    found: dict[int, Layer] = {}
    seen: set[int] = set()
    pending = list(outputs)
    while pending:
        symbol = pending.pop()
        if id(symbol) not in seen:
            seen.add(id(symbol))
            found[id(symbol.layer._core)] = symbol.layer
            pending.extend(symbol.inputs)
    return found


def draw(
    core: _core.Model, layers: Sequence[Layer], given: Mapping[int, Symbol], training: bool | None = None
) -> dict[int, Symbol]:
    """The symbols of all nodes of a network, drawn with its layers from the symbols of some of the nodes."""
    symbols = dict(given)
    fixed: dict[int, bool] = {**dict.fromkeys(core.inference_nodes, False), **dict.fromkeys(core.training_nodes, True)}
    for node, (place, sources, _) in enumerate(core.nodes):
        if node not in symbols:
            symbols[node] = layers[place]([symbols[source] for source in sources], fixed.get(node, training))
    return symbols


def join(drawn: dict[int, Layer], core: _core.Model) -> list[Layer]:
    """The layers of a new model, in its order."""
    layers = [drawn[id(layer)] for layer, _, _ in core.layers]
    for place, layer in enumerate(layers):
        layer._belong(core, place)
    return layers


def is_chain(core: _core.Model) -> bool:
    """Whether each layer follows the one before it, as in a `Sequential`."""
    nodes = core.nodes
    chained = all(inputs == ([node - 1] if node else []) for node, (_, inputs, _) in enumerate(nodes))
    return chained and len(core.layers) == len(nodes) > 1
