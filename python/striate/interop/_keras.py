"""From Keras: weights for a model of the same architecture."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._extras import require
from striate.layers._weights import assign
from striate.model import Model

Array = NDArray[Any]


def load_keras_weights(
    model: Model, source: str | os.PathLike[str] | Sequence[Any], skip_mismatch: bool = False
) -> None:
    """Load the weights of a Keras model of the same architecture. The layouts of weights are the same.

    From a file of Keras 3 (`model.save_weights("m.weights.h5")`), layers are matched by name where the file has all
    the names, and otherwise each kind's layers in their order; from one of Keras 2, by name or by order.

    Args:
        model: a model.
        source: the file, or the list that `keras_model.get_weights()` returns.
        skip_mismatch: whether layers that do not fit are left as they are, with a warning that names them: layers
            whose weights in the file are missing or have other shapes, such as a head for another number of classes,
            and layers that only the file has. The file must have the layers' names.

    Raises:
        ImportError: a file is given, and h5py is missing.
        FileNotFoundError: the file does not exist.
        ValueError: the file is not a file of weights, a layer's are missing or left over, or a shape does not fit; or,
            with `skip_mismatch`, no layer fits, or there are no names. No weight is changed then.
    """
    who = "load_keras_weights"
    network = model._network
    if isinstance(source, (list, tuple)):
        if skip_mismatch:
            raise ValueError(f"{who}: a list of weights has no names; skip_mismatch needs a file")
        assign(network, range(len(network.parameters)), [np.asarray(value) for value in source], who)
        return
    h5py = require("h5py", "keras", f"striate.interop.{who}")
    path = os.fsdecode(source)  # type: ignore[arg-type]
    if not os.path.exists(path):
        raise FileNotFoundError(f"{who}: there is no file '{path}'")
    try:
        with h5py.File(path, "r") as file:
            groups = _by_layer(h5py, file)
    except (OSError, KeyError, AttributeError, RuntimeError) as error:
        raise ValueError(f"{who}: '{path}' is not a file of weights, or damaged ({error})") from None
    if not groups:
        raise ValueError(f"{who}: '{path}' holds no layers with weights")
    where = f"{who}: '{path}'"
    if skip_mismatch:
        _assign_fitting(model, groups, where, who)
    else:
        assign(network, range(len(network.parameters)), _matched(model, groups, where), who)


_SHOWN = 5  # layers in a warning


def _assign_fitting(model: Model, groups: list[_Group], where: str, who: str) -> None:
    """Give the layers whose names and shapes the file has their weights, and warn of the others."""
    network = model._network
    named = {group.name: group for group in groups if group.name}
    indices: list[int] = []
    arrays: list[Array] = []
    skipped = []
    for number, (_, name, _) in enumerate(network.layers):
        own = range(*network.parameters_of(number))
        if not own:
            continue
        group = named.pop(name, None)
        shapes = [network.parameter(index).shape for index in own]
        given = None if group is None else [array.shape for array in group.arrays]
        if group is None or given != shapes:
            skipped.append(f"[{name}] has weights of shapes {shapes}, the file {'none' if given is None else given}")
            continue
        indices.extend(own)
        arrays.extend(group.arrays)
    if not indices:
        raise ValueError(f"{where}: no layer fits: {skipped[0] if skipped else 'the model has no weights'}")
    assign(network, indices, arrays, who)
    skipped.extend(f"the model has no layer for {name!r} of the file" for name in named)
    if skipped:
        more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        warnings.warn(f"{where}: skipped: {'; '.join(skipped[:_SHOWN])}{more}", stacklevel=3)


class _Group:
    """A layer of the file: its kind where the file tells it, its name, its arrays."""

    def __init__(self, kind: str, name: str, arrays: list[Array]) -> None:
        self.kind, self.name, self.arrays = kind, name, arrays


def _read(h5py: Any, item: Any) -> Array:
    """An array of the file itself: one that is stored in other files is not followed."""
    if not isinstance(item, h5py.Dataset) or item.external or item.is_virtual:
        raise OSError("it stores an array outside of itself")
    return np.asarray(item[()])


def _child(h5py: Any, group: Any, name: str) -> Any:
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink):
        raise OSError("it refers to another file")
    return group[name]


def _by_layer(h5py: Any, file: Any) -> list[_Group]:
    if "layer_names" in file.attrs:  # Keras 2
        found = []
        for name in (_text(name) for name in file.attrs["layer_names"]):
            group = _child(h5py, file, name)
            paths = [_text(path) for path in group.attrs["weight_names"]]
            arrays = [_read(h5py, _walk(h5py, group, path)) for path in paths]
            found.append(_Group("", name, arrays))
        return [group for group in found if group.arrays]
    return list(_layers(h5py, _child(h5py, file, "layers"))) if "layers" in file else []


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _walk(h5py: Any, group: Any, path: str) -> Any:
    for part in path.split("/"):
        group = _child(h5py, group, part)
    return group


def _layers(h5py: Any, group: Any) -> list[_Group]:
    """The layers of a group of Keras 3, those within other models too."""
    found = []
    for key in group:
        layer = _child(h5py, group, key)
        if "layers" in layer:
            found.extend(_layers(h5py, _child(h5py, layer, "layers")))
            continue
        # Layers are called by their kind and a number; the name that the user knows is an attribute.
        variables: Any = _child(h5py, layer, "vars") if "vars" in layer else {}
        numbers = sorted(variables, key=int)
        if numbers:
            name = _text(variables.attrs["name"]) if "name" in variables.attrs else ""
            found.append(_Group(key, name, [_read(h5py, _child(h5py, variables, number)) for number in numbers]))
    return found


def _matched(model: Model, groups: list[_Group], where: str) -> list[Array]:
    """The arrays in the order of the model's parameters."""
    network = model._network
    places = [
        (number, name, layer.type)
        for number, (layer, name, _) in enumerate(network.layers)
        if network.parameters_of(number)[0] < network.parameters_of(number)[1]
    ]
    named = {group.name: group for group in groups if group.name}
    if all(name in named for _, name, _ in places):
        order = [named[name] for _, name, _ in places]
    elif all(group.kind for group in groups):
        order = []
        for number, name, kind in places:
            rank = [n for n, _, other in places if other == kind].index(number)
            key = _core.snake_case(kind) + (f"_{rank}" if rank else "")
            fitting = [group for group in groups if group.kind == key]
            if len(fitting) != 1:
                raise ValueError(f"{where} has {len(fitting)} layers {key!r}; expected one, for [{name}]")
            order.extend(fitting)
    else:
        order = groups[: len(places)]
    if len(order) < len(places) or len(groups) > len(places):
        raise ValueError(f"{where} has {len(groups)} layers with weights, the model {len(places)}")
    arrays: list[Array] = []
    for (number, name, _), group in zip(places, order, strict=True):
        shapes = [network.parameter(index).shape for index in range(*network.parameters_of(number))]
        given = [array.shape for array in group.arrays]
        if shapes != given:
            other = group.name or group.kind
            raise ValueError(f"{where}: [{name}] has weights of shapes {shapes}, {other!r} in the file {given}")
        arrays.extend(group.arrays)
    return arrays
