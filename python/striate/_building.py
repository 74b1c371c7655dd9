"""From symbols to a model: which layers there are, and whose weights they have."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from striate import _core, _kin
from striate._arrays import FloatArray
from striate.layers._base import Layer, Symbol


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
    for node, (place, sources, _) in enumerate(core.nodes):
        if node not in symbols:
            symbols[node] = layers[place]([symbols[source] for source in sources], training)
    return symbols


def join(drawn: dict[int, Layer], core: _core.Model, before: _core.Model | None) -> list[Layer]:
    """The layers of a new model, in its order.

    A layer of another model is replaced by one of this model's own, and its weights are copied; a layer of `before`,
    which this model replaces, moves over with its weights.

    Raises:
        ValueError: a layer has weights of another shape in the model that it belongs to. Nothing is changed then.
    """
    ours = _parameters_by_layer(core)
    theirs: dict[int, dict[int, list[tuple[int, _core.ParameterInfo]]]] = {}
    # Of an owner: its parameters, and the new model's.
    wanted: dict[int, tuple[_core.Model, list[tuple[int, int]]]] = {}
    kept: list[tuple[int, FloatArray]] = []
    layers = [drawn[id(layer)] for layer, _, _ in core.layers]
    # With several copies, the weights that were changed last, as if all models shared the layer.
    sources = [
        _kin.Source(layer, None, [], layer.trainable) if layer._owner in (None, before) else _kin.latest(layer)
        for layer in layers
    ]
    for place, source in enumerate(sources):
        if source.layer is None:  # it is gone
            for (target, needs), value in zip(ours.get(place, []), source.kept, strict=True):
                _check_shape(needs, value.shape)
                kept.append((target, value))
            continue
        owner = source.layer._owner
        if owner is None:
            continue
        if id(owner) not in theirs:
            theirs[id(owner)] = _parameters_by_layer(owner)
        old, new = theirs[id(owner)].get(source.layer._place, []), ours.get(place, [])
        for (index, has), (target, needs) in zip(old, new, strict=True):
            _check_shape(needs, has.shape)
            wanted.setdefault(id(owner), (owner, []))[1].append((index, target))
    for owner, pairs in wanted.values():
        values = owner.values([index for index, _ in pairs])
        core.set_values([(target, value) for (_, target), value in zip(pairs, values, strict=True)])
    core.set_values(kept)
    joined = [layer if layer._owner in (None, before) else copy.copy(layer) for layer in layers]
    before_joining = [dict(vars(layer)) for layer in joined]
    try:
        for place, (layer, drawn_layer, source) in enumerate(zip(joined, layers, sources, strict=True)):
            layer._belong(core, place)
            layer._trainable = source.trainable
            if not source.trainable:
                core.set_trainable(layer.name, False)
            if layer is not drawn_layer:
                layer._stays_frozen = drawn_layer._stays_frozen
                _kin.join_family(layer, drawn_layer, source)
    except BaseException:  # memory ran out, or Ctrl-C: the layers stay with the models that they belong to
        for layer, attributes in zip(joined, before_joining, strict=True):
            vars(layer).update(attributes)
            _kin.moved(layer)
        raise
    return joined


def _check_shape(needs: _core.ParameterInfo, has: Sequence[int]) -> None:
    if tuple(has) != tuple(needs.shape):
        raise ValueError(
            f"[{needs.name}] has shape {tuple(has)} in the model that the layer belongs to, and would need "
            f"{needs.shape} here; make a new layer"
        )


def _parameters_by_layer(core: _core.Model) -> dict[int, list[tuple[int, _core.ParameterInfo]]]:
    found: dict[int, list[tuple[int, _core.ParameterInfo]]] = {}
    for index, info in enumerate(core.parameters):
        found.setdefault(info.layer, []).append((index, info))
    return found
