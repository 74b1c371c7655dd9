"""What `TensorBoard` draws besides curves: a network as a graph, and weights as pictures."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._extras import require

_MOST = 16  # tiles along a side of a picture


def graph_of(network: _core.Model) -> bytes:
    """A network as TensorFlow's GraphDef, which TensorBoard draws: a node for each call of a layer, with the shape of
    its output, the number of its weights, and its arguments."""
    part = "striate.callbacks.TensorBoard"
    protos = [require(f"tensorboardX.proto.{name}_pb2", "tensorboard", part) for name in ("graph", "node_def")]
    graph, make = protos[0].GraphDef(), protos[1].NodeDef
    layers, names, seen = network.layers, list[str](), dict[int, int]()
    parameters = [0] * len(layers)
    for info in network.parameters:
        parameters[info.layer] += math.prod(info.shape)
    for place, inputs, shape in network.nodes:
        layer, name, _ = layers[place]
        calls = seen[place] = seen.get(place, 0) + 1
        names.append(name if calls == 1 else f"{name}_call{calls}")
        node = make(name=names[-1], op=layer.type, input=[names[source] for source in inputs])
        output = node.attr["_output_shapes"].list.shape.add()
        for size in (-1, *shape):
            output.dim.add(size=size)
        node.attr["parameters"].i = parameters[place]
        node.attr["config"].s = json.dumps(layer.config(), sort_keys=True, default=str).encode()
        graph.node.append(node)
    data: bytes = graph.SerializeToString()
    return data


def picture_of(weight: NDArray[Any]) -> NDArray[np.uint8]:
    """Weights in grey (height, width), zero in the middle: kernels (kh, kw, in, out) as tiles, a row for each input
    channel, a column for each output channel, of both the first 16; others as a matrix, of 256 at most a side."""
    values = np.nan_to_num(np.asarray(weight, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    top = np.abs(values).max(initial=0.0) or 1.0
    levels = np.rint(127.5 + 127.5 * values / top).astype(np.uint8)
    if levels.ndim != 4:
        return levels.reshape(len(levels), -1)[:256, :256] if levels.ndim > 1 else levels.reshape(1, -1)[:, :256]
    height, width, rows, columns = levels.shape
    rows, columns = min(rows, _MOST), min(columns, _MOST)
    board = np.zeros((rows * (height + 1) - 1, columns * (width + 1) - 1), np.uint8)
    for row in range(rows):
        for column in range(columns):
            y, x = row * (height + 1), column * (width + 1)
            board[y : y + height, x : x + width] = levels[:, :, row, column]
    return board
