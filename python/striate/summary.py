"""A model in a table: shapes, weights, work, and how far each layer sees."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from striate import _core, _html
from striate._checks import positive

if TYPE_CHECKING:
    from striate.layers import Layer
    from striate.network import Network


class ReceptiveField(NamedTuple):
    """The receptive field of one unit, in pixels of the input.

    Attributes:
        size: (height, width) of the field; it may reach over the edge of the input.
        jump: (height, width) between the fields of neighbouring units.
    """

    size: tuple[float, float]
    jump: tuple[float, float]


def receptive_field(model: Network, layer: str | Layer) -> ReceptiveField | None:
    """See `Model.receptive_field`."""
    name = layer if isinstance(layer, str) else layer.name
    network = model._network
    return _fields(network)[network.layer(network.find_layer(name))[2]]


def summary_lines(
    model: Network,
    line_length: int | None = None,
    batch_size: int | None = None,
    trainer: _core.Trainer | None = None,
) -> list[str]:
    """See `Model.summary`; `trainer` is the core's of a compiled model."""
    memory = [] if batch_size is None else [_memory(model, positive(batch_size, "summary: batch_size"), trainer)]
    head, rows, totals = _table(model._network)
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    if line_length is not None:
        spare = line_length - sum(widths[1:]) - 2 * (len(head) - 1)
        widths[0] = max(min(widths[0], spare), len(head[0]))
    rule = "─" * (sum(widths) + 2 * (len(head) - 1))
    return [
        f"Model: {model.name}",
        rule,
        _line(head, widths),
        rule,
        *(_line(row, widths) for row in rows),
        rule,
        *totals,
        *memory,
    ]


def summary_html(model: Network) -> str:
    """The summary as a table for notebooks."""
    head, rows, totals = _table(model._network)
    order = [0, 1, 5, 2, 3, 4][: len(head)] if len(head) == 6 else range(len(head))  # texts first, then numbers
    cells = [[row[column] for column in order] for row in [head, *rows]]
    return _html.table(f"{type(model).__name__} {model.name!r}", cells[0], cells[1:], len(head) - 3, totals)


def _table(network: _core.Model) -> tuple[list[str], list[list[str]], list[str]]:
    """Head, rows, and lines below."""
    head = ["Layer (type)", "Output shape", "Parameters", "Multiply-adds", "Field (jump)"]
    chained = all(inputs == ([] if node == 0 else [node - 1]) for node, (_, inputs, _) in enumerate(network.nodes))
    if not chained:
        head.append("Input")
    trainable = [network.trainable(name) for _, name, _ in network.layers]
    sizes = [(math.prod(info.shape), info.trainable and trainable[info.layer]) for info in network.parameters]
    total, learned = sum(size for size, _ in sizes), sum(size for size, learns in sizes if learns)
    work = _work(network)
    totals = [
        f"Parameters: {total:,} ({_bytes(4 * total)}), trainable {learned:,}, others {total - learned:,}",
        f"Multiply-adds for one sample: {sum(work):,}",
    ]
    return head, [row[: len(head)] for row in _rows(network, work)], totals


def _memory(model: Network, batch_size: int, trainer: _core.Trainer | None) -> str:
    """The memory of the plans' arenas."""
    parts = [f"prediction {_bytes(model._network.arena_bytes(batch_size, False))}"]
    if trainer is not None:
        parts.insert(0, f"training step {_bytes(trainer.arena_bytes(batch_size, True))}")
    return f"Working memory for {batch_size} sample{'s' * (batch_size > 1)}: {', '.join(parts)}"


def _rows(network: _core.Model, work_of_nodes: list[int]) -> list[list[str]]:
    fields, layers, nodes = _fields(network), network.layers, network.nodes
    parameters_of, work_of = [0] * len(layers), [0] * len(layers)
    for info in network.parameters:
        parameters_of[info.layer] += math.prod(info.shape)
    for (place, _, _), amount in zip(nodes, work_of_nodes, strict=True):
        work_of[place] += amount
    rows = []
    for (layer, name, first), parameters, work in zip(layers, parameters_of, work_of, strict=True):
        _, inputs, shape = nodes[first]
        rows.append(
            [
                f"{name} ({layer.type})",
                "(" + ", ".join(["N", *map(str, shape)]) + ")",
                f"{parameters:,}" if parameters else "–",
                f"{work:,}" if work else "–",
                _field_text(fields[first]),
                ", ".join(layers[nodes[source][0]][1] for source in inputs),
            ]
        )
    return rows


def _line(cells: list[str], widths: list[int]) -> str:
    """Names to the left, numbers to the right."""
    parts = []
    for column, (cell, width) in enumerate(zip(cells, widths, strict=True)):
        if len(cell) > width:
            cell = cell[: width - 1] + "…"
        parts.append(cell.rjust(width) if column in (2, 3, 4) else cell.ljust(width))
    return "  ".join(parts).rstrip()


def _field_text(field: ReceptiveField | None) -> str:
    if field is None:
        return "–"
    (height, width), (down, right) = field
    size = f"{height:g}" if height == width else f"{height:g}×{width:g}"
    jump = f"{down:g}" if down == right else f"{down:g}×{right:g}"
    return f"{size} ({jump})"


def _bytes(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"


def _work(network: _core.Model) -> list[int]:
    """Multiply-adds of each node."""
    nodes, layers = network.nodes, network.layers
    return [layers[place][0].multiply_adds([nodes[source][2] for source in inputs]) for place, inputs, _ in nodes]


def _fields(network: _core.Model) -> list[ReceptiveField | None]:
    """Of each node, by the rule of Araujo, Norris and Sim (Distill 2019)."""
    nodes, layers = network.nodes, network.layers
    # With several inputs, the pixels are those of the first that is a map.
    sides = next(
        ((shape[0], shape[1]) for place, _, shape in nodes if _is_input(layers, place) and len(shape) == 3), None
    )
    fields: list[ReceptiveField | None] = []
    for place, inputs, shape in nodes:
        if _is_input(layers, place):
            fields.append(ReceptiveField((1, 1), (1, 1)) if len(shape) == 3 else None)
            continue
        seen = [field for field in (fields[source] for source in inputs) if field is not None]
        if not seen or sides is None:
            fields.append(None)
            continue
        size = (max(f.size[0] for f in seen), max(f.size[1] for f in seen))
        jump = (max(f.jump[0] for f in seen), max(f.jump[1] for f in seen))
        layer = layers[place][0]
        window, stride, whole = layer.window
        if whole:
            fields.append(ReceptiveField((max(size[0], sides[0]), max(size[1], sides[1])), sides))
            continue
        grown = tuple(_grown(size[axis], window[axis], jump[axis]) for axis in (0, 1))
        enlarged = _enlargement(layer)
        stepped = tuple(_whole(jump[axis] * stride[axis] / enlarged[axis]) for axis in (0, 1))
        fields.append(ReceptiveField((grown[0], grown[1]), (stepped[0], stepped[1])))
    return fields


def _is_input(layers: list[tuple[_core.Layer, str, int]], place: int) -> bool:
    return layers[place][0].type == "InputLayer"


def _enlargement(layer: _core.Layer) -> tuple[int, int]:
    """By how much the layer's output is finer than its input."""
    if layer.type == "UpSampling2D":
        return _pair(layer.config()["size"])
    if layer.type == "Conv2DTranspose":
        return _pair(layer.config()["strides"])
    return 1, 1


def _pair(value: int | tuple[int, int]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _grown(size: float, window: int, jump: float) -> float:
    return size if window == 1 else _whole(size + (window - 1) * jump)


def _whole(value: float) -> float:
    """An integer where floats hold it exactly; integers of any length would make a deep network's table slow."""
    return int(value) if abs(value) < 2**53 and value == int(value) else float(value)
