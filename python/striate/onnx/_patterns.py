"""Several nodes that together are one layer: how exporters write what older versions of ONNX have no operator for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


class _Graph:
    """Nodes by what they make and read."""

    def __init__(self, onnx: Any, graph: Any) -> None:
        self.nodes = list(graph.node)
        self.makers: dict[str, Any] = {name: node for node in self.nodes for name in node.output}
        self.readers: dict[str, list[Any]] = {}
        for node in self.nodes:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)
        self.outputs = {info.name for info in graph.output}
        self.numbers: dict[str, float] = {}
        for tensor in graph.initializer:
            self._keep(onnx, tensor.name, tensor)
        for node in self.nodes:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._keep(onnx, node.output[0], attribute.t)

    def _keep(self, onnx: Any, name: str, tensor: Any) -> None:
        if math.prod(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT:
            self.numbers[name] = float(np.asarray(onnx.numpy_helper.to_array(tensor)).reshape(-1)[0])

    def only_reader(self, name: str) -> Any:
        """The node that alone reads a tensor, or None."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def with_number(self, node: Any, kind: str, number: float) -> str | None:
        """The other operand, if the node combines one with this number."""
        if node is None or node.op_type != kind or len(node.input) != 2:
            return None
        first, second = node.input
        if math.isclose(self.numbers.get(second, math.nan), number, rel_tol=1e-5):
            return str(first)
        if kind in ("Add", "Mul") and math.isclose(self.numbers.get(first, math.nan), number, rel_tol=1e-5):
            return str(second)
        return None


def joined_nodes(onnx: Any, graph: Any) -> list[Any]:
    """The nodes of a graph, those that together are a GELU being one."""
    if not any(node.op_type == "Erf" for node in graph.node):
        return list(graph.node)
    known = _Graph(onnx, graph)
    gone: set[int] = set()
    instead: dict[int, Any] = {}
    for node in known.nodes:
        found = _gelu(known, node) if node.op_type == "Erf" else None
        if found is not None:
            x, parts = found
            last = parts[-1]
            gone.update(id(part) for part in parts)
            instead[id(last)] = onnx.helper.make_node("Gelu", [x], list(last.output), name=last.name)
    nodes = [instead.get(id(node), node) for node in known.nodes if id(node) not in gone or id(node) in instead]
    return nodes


def _gelu(graph: _Graph, erf: Any) -> tuple[str, list[Any]] | None:
    """x (1 + erf(x / √2)) / 2, the three factors in any order: x and the nodes."""
    scaled: Any = graph.makers.get(erf.input[0])
    x = graph.with_number(scaled, "Div", math.sqrt(2)) or graph.with_number(scaled, "Mul", math.sqrt(0.5))
    add = graph.only_reader(erf.output[0])
    if x is None or graph.only_reader(scaled.output[0]) is not erf or graph.with_number(add, "Add", 1.0) is None:
        return None
    gate = add.output[0]
    first = graph.only_reader(gate)
    if first is None or first.op_type != "Mul":
        return None
    parts = [scaled, erf, add]
    if graph.with_number(first, "Mul", 0.5) is not None:  # x (gate / 2)
        last = graph.only_reader(first.output[0])
        fits = last is not None and last.op_type == "Mul" and x in last.input and first.output[0] in last.input
        return (x, [*parts, first, last]) if fits else None
    other = first.input[1] if first.input[0] == gate else first.input[0]
    if other == x:  # (x gate) / 2
        last = graph.only_reader(first.output[0])
        return (x, [*parts, first, last]) if graph.with_number(last, "Mul", 0.5) is not None else None
    half: Any = graph.makers.get(other)  # (x / 2) gate
    if graph.with_number(half, "Mul", 0.5) != x or graph.only_reader(half.output[0]) is not first:
        return None
    return x, [*parts, half, first]
