"""Networks with layers of the user's, from the JSON of files and pickles: the core reads those of its own layers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from striate import _core
from striate._custom_objects import custom_object
from striate.layers._base import Layer

Make = Callable[[str, dict[str, Any], str], Layer]
"""(class, arguments, name) -> a layer of the user's."""


def own_types(architecture: str) -> list[str]:
    """The classes of layers that are not the library's."""
    try:
        found = {str(item["type"]) for item in json.loads(architecture)["layers"]}
    except (KeyError, TypeError, ValueError, RecursionError):
        return []  # the core says what is damaged
    return sorted(found - set(_core.layer_types()))


def maker(custom_objects: Mapping[str, Any] | None) -> Make:
    """Makes layers of the user's from `custom_objects`, or from registered classes.

    Raises:
        ValueError: a class does not exist, or is not a layer.
    """

    def make(kind: str, config: dict[str, Any], name: str) -> Layer:
        cls = custom_object(kind, custom_objects, "layer")
        if not (isinstance(cls, type) and issubclass(cls, Layer)):
            raise ValueError(f"custom_objects: {kind!r} must be a class of layers, got {cls!r}")
        layer = cls.from_config({**config, "name": name})
        layer._rename(name)
        return layer

    return make


def built(architecture: str, seed: int, make: Make) -> tuple[_core.Model, list[Layer]]:
    """Like `network_of`; by the core alone where all layers are the library's."""
    if own_types(architecture):
        return network_of(architecture, seed, make)
    return _core.model_from_json(architecture, seed), []


def network_of(architecture: str, seed: int, make: Make) -> tuple[_core.Model, list[Layer]]:
    """The network, with weights drawn anew, and the layers of the user's in it, which must be kept.

    Raises:
        ValueError: the architecture is damaged.
    """
    read = json.loads(architecture)
    known, owners = set(_core.layer_types()), []
    try:
        layers = []
        for item in read["layers"]:
            kind, name, config = str(item["type"]), str(item["name"]), _plain(item["config"])
            if kind in known:
                layers.append(_core.make_layer(kind, config, name))
            else:
                owner = make(kind, config, name)
                owners.append(owner)
                layers.append(owner._core)
        symbols: list[_core.Symbol] = []
        for node in read["nodes"]:
            if not all(0 <= source < len(symbols) for source in node["inputs"]):
                raise ValueError("a node has an input that comes after it")
            inputs = [symbols[source] for source in node["inputs"]]
            mode = True if node.get("training") else False if node.get("inference") else None
            symbols.append(_core.apply(layers[node["layer"]], inputs, mode))
        ends = [[symbols[index] for index in read[name]] for name in ("inputs", "outputs")]
        core = _core.Model(ends[0], ends[1], seed)
        for layer in layers:
            if layer.label in read["frozen"]:
                layer.trainable = False
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"the architecture is damaged ({error!r})") from error
    return core, owners


def _plain(value: Any) -> Any:
    """Numbers that JSON has not, as Python's."""
    if isinstance(value, Mapping):
        return float(value["$float"]) if set(value) == {"$float"} else {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value
