"""Where the channels are in the inputs and outputs of a graph: (N, C, H, W), or (N, H, W, C) as Keras writes it.

ONNX's convolutions and pooling want (N, C, H, W). Exporters of channels-last networks put a Transpose before and after
them, in any place among operators that do not care about the order of axes. So the order is found from the operators
that require one, and followed through the others, forwards and backwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

FIRST = "CHW"
"""The axes of (N, C, H, W), without the batch."""

# Their first input and first output are (N, C, H, W).
_SPATIAL = {
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool"),
    *("GlobalLpPool", "BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN", "DepthToSpace"),
    *("SpaceToDepth",),
}
# The axes of all their inputs and outputs mean the same.
_ALIKE = {
    *("And", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Not", "Or"),
    *("Abs", "Add", "Cast", "Ceil", "Celu", "Clip", "Concat", "Div", "Dropout", "Elu", "Erf", "Exp", "Expand"),
    *("Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "LayerNormalization", "LeakyRelu", "Log"),
    *("LogSoftmax", "Max", "Mean", "Min", "Mish", "Mul", "Neg", "PRelu", "Pad", "Pow", "Reciprocal", "Relu", "Resize"),
    *("Round", "Selu", "Shrink", "Sigmoid", "Sign", "Slice", "Softmax", "Softplus", "Softsign", "Split", "Sqrt", "Sub"),
    *("Sum", "Swish", "Tanh", "ThresholdedRelu", "Tile", "Upsample", "Where"),
}
_REDUCING = ("ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum")


class Layouts:
    """The orders of axes of a graph's tensors, as far as they follow from its nodes.

    Args:
        nodes: of the graph.
        attributes: gives the attributes of a node.
        constants: names of tensors that are known beforehand.
        shapes: sizes of tensors, None where one is not known; to recognise a Reshape that moves one channel.
        targets: numbers that a Reshape has as its second input, by its name.
    """

    def __init__(
        self,
        nodes: Sequence[Any],
        attributes: Callable[[Any], dict[str, Any]],
        constants: frozenset[str],
        shapes: Mapping[str, Sequence[int | None]],
        targets: Mapping[str, Sequence[int]],
    ) -> None:
        self._attributes, self._constants = attributes, constants
        self._shapes, self._targets = shapes, targets
        self._found: dict[str, str] = {}
        self._users: dict[str, list[Any]] = {}
        for node in nodes:
            for name in (*node.input, *node.output):
                self._users.setdefault(name, []).append(node)
        start = [name for node in nodes if node.op_type in _SPATIAL for name in (*node.input[:1], *node.output[:1])]
        self._follow(start)
        # Where nothing requires an order, a Transpose still tells which way it turns.
        for node in nodes:
            if node.op_type == "Transpose" and not {*node.input, *node.output} & self._found.keys():
                perm = self._perm(node)
                if perm == [0, 3, 1, 2]:
                    self._follow(node.output)
                elif perm == [0, 2, 3, 1]:
                    self._follow(node.input)

    def __getitem__(self, name: str) -> str | None:
        """The axes of a tensor behind its batch, such as FIRST; None if nothing is known."""
        return self._found.get(name)

    def _follow(self, start: Sequence[str]) -> None:
        waiting: deque[str] = deque()
        done: set[int] = set()

        def put(name: str, layout: str) -> None:
            if name and name not in self._found and name not in self._constants:
                self._found[name] = layout
                waiting.append(name)

        for name in start:
            put(name, FIRST)
        while waiting:
            name = waiting.popleft()
            layout = self._found[name]
            for node in self._users.pop(name, ()):
                if id(node) in done:  # the first of its tensors has given all others theirs
                    continue
                done.add(id(node))
                for other, found in self._passed(node, name, layout):
                    put(other, found)

    def _passed(self, node: Any, name: str, layout: str) -> Iterator[tuple[str, str]]:
        """The other tensors of a node, and their layouts."""
        if node.op_type == "Transpose" or node.op_type == "Reshape":
            perm = self._perm(node)
            if perm is None or len(perm) != 4 or perm[0] != 0 or sorted(perm) != [0, 1, 2, 3]:
                return
            if name == node.input[0]:
                yield node.output[0], "".join(layout[axis - 1] for axis in perm[1:])
            if name == node.output[0]:
                yield node.input[0], "".join(layout[perm.index(axis) - 1] for axis in (1, 2, 3))
        elif node.op_type in _ALIKE or (node.op_type in _REDUCING and self._attributes(node).get("keepdims", 1)):
            data = node.input if node.op_type in _MERGING else node.input[:1]
            if name in data or name in node.output:
                yield from ((other, layout) for other in (*data, *node.output))
        # A spatial operator requires an order; it passes none on.

    def _perm(self, node: Any) -> list[int] | None:
        """How a node turns its axes."""
        if node.op_type == "Transpose":
            perm = self._attributes(node).get("perm")
            return None if perm is None else [int(axis) for axis in perm]
        if len(node.input) < 2:
            return None
        old, new = self._shapes.get(node.input[0]), self._targets.get(node.input[1])
        if old is None or new is None or len(old) != 4 or len(new) != 4:
            return None
        if list(new[1:]) == [old[3], old[1], old[2]] and old[3] == 1:
            return [0, 3, 1, 2]
        if list(new[1:]) == [old[2], old[3], old[1]] and old[1] == 1:
            return [0, 2, 3, 1]
        return None


# Of the operators that are alike: those of which more inputs than the first are such tensors.
_MERGING = {
    "And",
    "Equal",
    "Greater",
    "GreaterOrEqual",
    "Less",
    "LessOrEqual",
    "Or",
    "Add",
    "Concat",
    "Div",
    "Max",
    "Mean",
    "Min",
    "Mul",
    "Pow",
    "Sub",
    "Sum",
    "Where",
}
