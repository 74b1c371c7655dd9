"""Untrained models of a given architecture."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from striate._building import draw, is_chain
from striate._custom_objects import UnknownName
from striate.layers._base import Layer, Symbol
from striate.layers.core import InputLayer
from striate.model import Model
from striate.sequential import Sequential


def clone_model(model: Model, clone_function: Callable[[Layer], Layer] | None = None) -> Model:
    """A model of the same architecture with its own new weights. It is not compiled.

    `copy.deepcopy(model)` copies the weights, too.

    Args:
        model: the model.
        clone_function: is called with each layer but the inputs, and returns the layer that takes its place; None for
            an equal layer.

    Raises:
        ValueError: a layer that `clone_function` returned does not fit.
        TypeError: it returned no layer.
    """

    def clone(layer: Layer) -> Layer:
        if clone_function is None or isinstance(layer, InputLayer):
            return type(layer).from_config(layer.get_config())
        made = clone_function(layer)
        if not isinstance(made, Layer):
            raise TypeError(f"clone_model: clone_function must return a layer, got {type(made).__name__}")
        return made

    if isinstance(model, Sequential) and not model._is_built():
        items = [clone_model(item, clone_function) if isinstance(item, Model) else clone(item) for item in model._items]
        return Sequential(items, name=model.name)
    core = model._network
    layers = [_named(clone(layer), layer, name) for layer, (_, name, _) in zip(model._layers, core.layers, strict=True)]
    if isinstance(model, Sequential) and is_chain(core):
        return Sequential(layers, name=model.name)
    symbols: dict[int, Symbol] = draw(core, layers, {})
    outputs = [symbols[node] for node in core.output_nodes]
    made = Model([symbols[node] for node in core.input_nodes], outputs, name=model.name)
    made._named_outputs = model._named_outputs
    return made


def _named(made: Layer, layer: Layer, name: str) -> Layer:
    """`made`, under the name that the model knows `layer` by, if it has `layer`'s name: layers of several models may
    have one name."""
    if made.name != layer.name or layer.name == name:
        return made
    return type(made).from_config({**made.get_config(), "name": name})


def model_from_json(json_string: str, custom_objects: Mapping[str, Any] | None = None) -> Model:
    """An untrained model of the architecture that `Model.to_json` wrote; `custom_objects` as for `load_model`.

    Raises:
        ValueError: the text is damaged, or from another library.
    """
    try:
        read = json.loads(json_string)
        kind, config = read["class"], read["config"]
        if kind not in ("Model", "Sequential"):
            raise ValueError(f"there is no class of models {kind!r}")
        return (Sequential if kind == "Sequential" else Model).from_config(config, custom_objects)
    except UnknownName:
        raise
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"model_from_json: this is not what Model.to_json wrote ({error})") from error
