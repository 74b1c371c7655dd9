"""Which layers read a flattened map: frameworks that have the channels first flatten in another order."""

from __future__ import annotations

from striate import _core

# Layers that leave each element in its place.
_PASSING = {
    *("Activation", "ReLU", "LeakyReLU", "ELU", "PReLU", "Dropout", "BatchNormalization", "LayerNormalization"),
    *("Rescaling", "Normalization", "Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"),
}


def flattened_maps(network: _core.Model) -> dict[int, tuple[int, ...]]:
    """Node -> the shape (H, W, C) of the map whose elements its first input has in a row."""
    flat: dict[int, tuple[int, ...]] = {}  # of what a node makes
    read: dict[int, tuple[int, ...]] = {}  # of what a node reads
    nodes, layers = network.nodes, network.layers
    for number, (place, inputs, shape) in enumerate(nodes):
        if not inputs:
            continue
        source = inputs[0]
        before = nodes[source][2]
        if source in flat:
            read[number] = flat[source]
        kind = layers[place][0].type
        if kind in ("Flatten", "Reshape") and len(shape) == 1 and len(before) == 3:
            flat[number] = before
        elif kind in _PASSING and source in flat:
            flat[number] = flat[source]
    return read
