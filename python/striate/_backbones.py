"""The maps of a network that heads are built on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from striate.layers import Symbol
from striate.model import Model


def body_of(model: Model, who: str) -> Symbol:
    """What the last layer with weights reads, on the way back from the output; the output where a merge comes first."""
    end = symbol = model.outputs[0]
    while len(symbol.inputs) == 1:
        if symbol.layer.weights:
            return symbol.inputs[0]
        symbol = symbol.inputs[0]
    if not any(layer.weights for layer in model.layers):
        raise ValueError(f"{who}: the source has no layer with weights")
    return end


def maps_of(end: Symbol, who: str) -> list[Symbol]:
    """The last map of each size among what the end is made of, the largest first."""
    order: list[Symbol] = []
    seen: set[int] = set()
    waiting = [(end, False)]
    while waiting:  # every symbol behind those that it is made of
        symbol, done = waiting.pop()
        if done:
            order.append(symbol)
        elif id(symbol) not in seen:
            seen.add(id(symbol))
            waiting.append((symbol, True))
            waiting.extend((item, False) for item in reversed(symbol.inputs))
    maps: dict[tuple[Any, ...], Symbol] = {}
    for symbol in order:
        if len(symbol.shape) == 4 and symbol.inputs and min(int(size or 1) for size in symbol.shape[1:3]) > 1:
            maps[symbol.shape[1:3]] = symbol
    # A size that appears once more behind a smaller one is no longer the encoder's.
    found = sorted(maps.values(), key=lambda symbol: -int(symbol.shape[1] or 1) * int(symbol.shape[2] or 1))
    if not found:
        raise ValueError(f"{who}: the source has no maps")
    return found


def of_stride(maps: Sequence[Symbol], shape: Sequence[int | None], stride: int, who: str) -> Symbol:
    wanted = tuple(-(-int(size or 1) // stride) for size in shape[1:3])
    for symbol in maps:
        if symbol.shape[1:3] == wanted:
            return symbol
    sizes = ", ".join(str(symbol.shape[1:3]) for symbol in maps)
    raise ValueError(f"{who}: the source has no map of stride {stride}, {wanted}; its maps are {sizes}")


def set_prior(model: Model, beginning: str, prior: float = 0.01) -> None:
    """Objectness begins rare, as objects are (Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017)."""
    for layer in model.layers:
        if layer.name.startswith(beginning) and layer.name.endswith("_boxes"):
            kernel, bias = layer.get_weights()
            bias[4] = np.log(prior / (1 - prior))
            layer.set_weights([kernel, bias])
