"""Several nodes that together are one layer: how exporters write what older versions of ONNX have no operator for."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
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
        self.wholes: dict[str, int] = {}
        self.tensors: dict[str, Any] = {}
        self.shapes: dict[str, tuple[int, ...]] = {}  # of constants
        for tensor in graph.initializer:
            self._keep(onnx, tensor.name, tensor)
        for node in self.nodes:
            if node.op_type == "Constant":
                for attribute in node.attribute:
                    if attribute.name == "value":
                        self._keep(onnx, node.output[0], attribute.t)
                    elif attribute.name in ("value_int", "value_ints", "value_float", "value_floats"):
                        kind = np.int64 if "int" in attribute.name else np.float32
                        array = np.asarray(onnx.helper.get_attribute_value(attribute), kind)
                        self._keep(onnx, node.output[0], onnx.numpy_helper.from_array(array))

    def _keep(self, onnx: Any, name: str, tensor: Any) -> None:
        self.shapes[name] = tuple(tensor.dims)
        self.tensors[name] = tensor
        if math.prod(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.INT64:
            self.wholes[name] = int(np.asarray(onnx.numpy_helper.to_array(tensor)).reshape(-1)[0])
        if math.prod(tensor.dims) == 1 and tensor.data_type == onnx.TensorProto.FLOAT:
            self.numbers[name] = float(np.asarray(onnx.numpy_helper.to_array(tensor)).reshape(-1)[0])

    def only_reader(self, name: str) -> Any:
        """The node that alone reads a tensor, or None."""
        readers = self.readers.get(name, [])
        return readers[0] if len(readers) == 1 and name not in self.outputs else None

    def with_vector(self, node: Any, kind: str, other: str) -> str | None:
        """The constant of one axis that a node combines with a tensor, or None."""
        if node is None or node.op_type != kind or len(node.input) != 2 or other not in node.input:
            return None
        first, second = node.input
        found = str(second if first == other else first)
        return found if len(self.shapes.get(found, ())) == 1 else None

    def over_last(self, node: Any) -> bool:
        """Whether a node is the mean over the last axis, which stays with one element."""
        if node is None or node.op_type != "ReduceMean":
            return False
        given: dict[str, Any] = {attribute.name: attribute for attribute in node.attribute}
        if "keepdims" in given and not given["keepdims"].i:
            return False
        if len(node.input) > 1:
            return self.wholes.get(node.input[1]) == -1
        return "axes" in given and list(given["axes"].ints) == [-1]

    def with_number(self, node: Any, kind: str, number: float) -> str | None:
        """The other operand, if the node combines one with this number."""
        if node is None or node.op_type != kind or len(node.input) != 2:
            return None
        first, second = node.input
        if math.isclose(self.numbers.get(second, math.nan), number, rel_tol=1e-5):
            return str(first)
        if kind in ("Add", "Equal", "Mul") and math.isclose(self.numbers.get(first, math.nan), number, rel_tol=1e-5):
            return str(second)
        return None


Found = tuple[Any, list[Any]]
"""The node to put in place of others, and these, the last of them being the one that makes the result."""


def joined_nodes(onnx: Any, graph: Any) -> list[Any]:
    """The nodes of a graph, those that together are one layer being one."""
    known = _Graph(onnx, graph)
    gone: set[int] = set()
    instead: dict[int, Any] = {}
    for node in known.nodes:
        for pattern in _PATTERNS.get(node.op_type, ()):
            found = None if id(node) in gone else pattern(onnx, known, node)
            if found is None or any(id(part) in gone for part in found[1]):
                continue
            made, parts = found
            made.name = parts[-1].name
            gone.update(id(part) for part in parts)
            instead[id(parts[-1])] = made
    return [instead.get(id(node), node) for node in known.nodes if id(node) not in gone or id(node) in instead]


def _made(onnx: Any, kind: str, inputs: list[str], parts: list[Any], **attributes: Any) -> Found:
    return onnx.helper.make_node(kind, inputs, list(parts[-1].output), **attributes), parts


def _erf_gelu(onnx: Any, graph: _Graph, erf: Any) -> Found | None:
    found = _gelu(graph, erf)
    return None if found is None else _made(onnx, "Gelu", [found[0]], found[1])


def _tanh_gelu(onnx: Any, graph: _Graph, tanh: Any) -> Found | None:
    """x (1 + tanh(√(2 / π) (x + 0.044715 x³))) / 2, the factors at the end in any order."""
    scaled: Any = graph.makers.get(tanh.input[0])
    sums: Any = graph.makers.get(graph.with_number(scaled, "Mul", math.sqrt(2 / math.pi)) or "")
    if sums is None or sums.op_type != "Add":
        return None
    for x, other in (sums.input, reversed(sums.input)):
        cubic: Any = graph.makers.get(other)
        cube: Any = graph.makers.get(graph.with_number(cubic, "Mul", 0.044715) or "")
        if cube is None:
            continue
        parts = [cube, cubic, sums, scaled]
        if graph.with_number(cube, "Pow", 3.0) != x:
            square: Any = next((graph.makers.get(name) for name in cube.input if name != x), None)
            if cube.op_type != "Mul" or x not in cube.input or square is None:
                continue
            if graph.with_number(square, "Pow", 2.0) != x and (square.op_type, *square.input) != ("Mul", x, x):
                continue
            parts.insert(0, square)
        if not all(graph.only_reader(a.output[0]) is b for a, b in itertools.pairwise([*parts, tanh])):
            return None
        end = _gate(graph, x, tanh)
        return None if end is None else _made(onnx, "Gelu", [x], [*parts, tanh, *end], approximate="tanh")
    return None


def _swish(onnx: Any, graph: _Graph, gate: Any) -> Found | None:
    """x times its sigmoid, or its hard sigmoid."""
    x, last = gate.input[0], graph.only_reader(gate.output[0])
    if last is None or last.op_type != "Mul" or x not in last.input or x in graph.shapes:
        return None
    if gate.op_type == "Sigmoid":
        return _made(onnx, "Swish", [x], [gate, last])
    numbers = {a.name: a.f for a in gate.attribute}
    sixth = math.isclose(numbers.get("alpha", 0.2), 1 / 6, rel_tol=1e-5)
    return _made(onnx, "HardSwish", [x], [gate, last]) if sixth and numbers.get("beta", 0.5) == 0.5 else None


def _layer_norm(onnx: Any, graph: _Graph, root: Any) -> Found | None:
    """(x - mean) / √(variance + ε), times a scale, plus an offset, over the last axis."""
    with_epsilon: Any = graph.makers.get(root.input[0])
    if with_epsilon is None or with_epsilon.op_type != "Add":
        return None
    epsilon = [graph.numbers[name] for name in with_epsilon.input if name in graph.numbers]
    variance: Any = next((graph.makers.get(name) for name in with_epsilon.input if name not in graph.numbers), None)
    square: Any = graph.makers.get(variance.input[0]) if variance is not None and graph.over_last(variance) else None
    if not epsilon or square is None:
        return None
    centred = graph.with_number(square, "Pow", 2.0)
    if centred is None and square.op_type == "Mul" and square.input[0] == square.input[1]:
        centred = square.input[0]
    subtract: Any = graph.makers.get(centred or "")
    mean: Any = graph.makers.get(subtract.input[1]) if subtract is not None and subtract.op_type == "Sub" else None
    if mean is None or not graph.over_last(mean) or mean.input[0] != subtract.input[0]:
        return None
    divide = graph.only_reader(root.output[0])
    if divide is None or divide.op_type != "Div" or list(divide.input) != [centred, root.output[0]]:
        return None
    inner = [mean, square, variance, with_epsilon]
    if not all(graph.only_reader(part.output[0]) is not None for part in inner):
        return None
    if {id(node) for node in graph.readers[str(centred)]} != {id(square), id(divide)} or centred in graph.outputs:
        return None
    parts = [mean, subtract, square, variance, with_epsilon, root, divide]
    scale = graph.with_vector(graph.only_reader(divide.output[0]), "Mul", divide.output[0])
    if scale is None:
        return None
    parts.append(graph.only_reader(divide.output[0]))
    inputs = [subtract.input[0], scale]
    shift = graph.with_vector(graph.only_reader(parts[-1].output[0]), "Add", parts[-1].output[0])
    if shift is not None:
        parts.append(graph.only_reader(parts[-1].output[0]))
        inputs.append(shift)
    return _made(onnx, "LayerNormalization", inputs, parts, axis=-1, epsilon=epsilon[0])


def _biased(onnx: Any, graph: _Graph, product: Any) -> Found | None:
    """A product with a matrix and a bias, which together are a dense layer."""
    weight, turned = product.input[1], 0
    maker: Any = graph.makers.get(weight)
    if maker is not None and maker.op_type == "Transpose" and maker.input[0] in graph.shapes:
        weight, turned = maker.input[0], 1
    shape = graph.shapes.get(weight, ())
    add = graph.only_reader(product.output[0])
    if len(shape) != 2 or product.input[0] in graph.shapes:
        return None
    bias = graph.with_vector(add, "Add", product.output[0])
    if bias is None or graph.shapes[bias] != (shape[0] if turned else shape[1],):
        return None
    return _made(onnx, "Gemm", [product.input[0], weight, bias], [product, add], transB=turned)


def _safe_quotient(onnx: Any, graph: _Graph, where: Any) -> Found | None:
    """a / b, and 0 where b is 0: TensorFlow's div_no_nan, or 1 / b."""
    test: Any = graph.makers.get(where.input[0])
    divide: Any = graph.makers.get(where.input[2])
    below = graph.with_number(test, "Equal", 0.0)
    if below is None or divide is None or graph.numbers.get(where.input[1]) != 0.0:
        return None
    alone = graph.only_reader(where.input[0]) is where and graph.only_reader(where.input[2]) is where
    if not alone or divide.op_type not in ("Div", "Reciprocal") or divide.input[-1] != below:
        return None
    return _made(onnx, SAFE_QUOTIENT, list(divide.input), [test, divide, where])


def _strided(onnx: Any, graph: _Graph, gather: Any) -> Found | None:
    """All elements of a flattened tensor in their order, in another shape: PyTorch's `as_strided` behind a mean."""
    flat: Any = graph.makers.get(gather.input[0])
    shape = graph.shapes.get(gather.input[1], ())
    if flat is None or flat.op_type != "Reshape" or (gather.attribute and gather.attribute[0].i != 0) or len(shape) < 2:
        return None
    to_row = graph.shapes.get(flat.input[1]) == (1,) and graph.only_reader(flat.output[0]) is gather
    if not to_row or graph.tensors[gather.input[1]].data_type != onnx.TensorProto.INT64:
        return None
    indices = np.asarray(onnx.numpy_helper.to_array(graph.tensors[gather.input[1]])).reshape(-1)
    if not np.array_equal(indices, np.arange(indices.size)):
        return None
    return _made(onnx, "Reshape", [flat.input[0]], [flat, gather], shape=list(shape))


SAFE_QUOTIENT = "DivNoNan"
"""Replaces three nodes; ONNX has no operator of that name."""

_PATTERNS: dict[str, tuple[Callable[[Any, _Graph, Any], Found | None], ...]] = {
    "Erf": (_erf_gelu,),
    "Tanh": (_tanh_gelu,),
    "Sigmoid": (_swish,),
    "HardSigmoid": (_swish,),
    "Sqrt": (_layer_norm,),
    "MatMul": (_biased,),
    "Where": (_safe_quotient,),
    "Gather": (_strided,),
}
"""By the operator that they are looked for at."""


def _gelu(graph: _Graph, erf: Any) -> tuple[str, list[Any]] | None:
    """x (1 + erf(x / √2)) / 2, the three factors in any order: x and the nodes."""
    scaled: Any = graph.makers.get(erf.input[0])
    x = graph.with_number(scaled, "Div", math.sqrt(2)) or graph.with_number(scaled, "Mul", math.sqrt(0.5))
    if x is None or graph.only_reader(scaled.output[0]) is not erf:
        return None
    end = _gate(graph, x, erf)
    return None if end is None else (x, [scaled, erf, *end])


def _gate(graph: _Graph, x: str, function: Any) -> list[Any] | None:
    """The nodes that make x (1 + f) / 2, the three factors in any order, from the node of f."""
    add = graph.only_reader(function.output[0])
    if graph.with_number(add, "Add", 1.0) is None:
        return None
    gate = add.output[0]
    first = graph.only_reader(gate)
    if first is None or first.op_type != "Mul":
        return None
    parts = [add]
    if graph.with_number(first, "Mul", 0.5) is not None:  # x (gate / 2)
        last = graph.only_reader(first.output[0])
        fits = last is not None and last.op_type == "Mul" and x in last.input and first.output[0] in last.input
        return [*parts, first, last] if fits else None
    other = first.input[1] if first.input[0] == gate else first.input[0]
    if other == x:  # (x gate) / 2
        last = graph.only_reader(first.output[0])
        return [*parts, first, last] if graph.with_number(last, "Mul", 0.5) is not None else None
    half: Any = graph.makers.get(other)  # (x / 2) gate
    if graph.with_number(half, "Mul", 0.5) != x or graph.only_reader(half.output[0]) is not first:
        return None
    return [*parts, half, first]
