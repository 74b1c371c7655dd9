"""The graph that a model is written to: nodes, constants, and the layouts of tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from striate.onnx._values import Array

LAYOUTS = ("channels_last", "channels_first")
LAYOUT_KEY = "striate.data_format"
"""Of the metadata: the layout of maps at the inputs and outputs."""


class Tensor:
    """What a layer gives, under the names by which the graph has it: with the channels last, first, or both.

    Attributes:
        shape: shape of one sample, as striate has it.
        names: layout -> name; tensors that are not maps have the first layout only.
    """

    def __init__(self, shape: tuple[int, ...], names: dict[str, str]) -> None:
        self.shape, self.names = shape, names


class Node:
    """A call of a layer: what its converter sees.

    Attributes:
        layer: its name.
        kind: its class.
        config: its arguments.
        weights: by their names within the layer.
        inputs: what it was called on.
        shape: shape of one sample of its output.
    """

    def __init__(
        self, graph: GraphWriter, layer: str, kind: str, config: dict[str, Any], shape: tuple[int, ...]
    ) -> None:
        self.graph, self.layer, self.kind, self.config, self.shape = graph, layer, kind, config, shape
        self.weights: dict[str, Array] = {}
        self.inputs: list[Tensor] = []

    def last(self, index: int = 0) -> str:
        """An input with its channels last: as striate has it."""
        return self.graph.as_layout(self.inputs[index], "channels_last")

    def first(self, index: int = 0) -> str:
        """An input that is a map, as (N, C, H, W)."""
        return self.graph.as_layout(self.inputs[index], "channels_first")

    def layout(self) -> str:
        """The layout that an input is there in already: the channels' place does not matter to this layer."""
        there = {layout for tensor in self.inputs for layout in tensor.names}
        return "channels_first" if "channels_first" in there else "channels_last"

    def here(self, index: int = 0) -> str:
        """An input in that layout."""
        return self.graph.as_layout(self.inputs[index], self.layout())

    def given(self, name: str, layout: str | None = None) -> Tensor:
        """The output under this name."""
        return Tensor(self.shape, {layout or self.layout(): name})

    def op(self, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add an ONNX node; the name of its output."""
        return self.graph.op(self.layer, kind, inputs, **attributes)

    def constant(self, array: Any, name: str) -> str:
        """Add a constant, or find the one that another call of this layer has added; its name."""
        return self.graph.constant(np.asarray(array), f"{self.layer}/{name}")

    def channel_constant(self, array: Any, name: str, layout: str) -> str:
        """One number for each channel, to be combined with a tensor of that layout; or a single number."""
        array = np.asarray(array, np.float32).reshape(-1)
        if array.size == 1:
            return self.constant(array.reshape(()), name)
        return self.constant(array.reshape(-1, 1, 1) if layout == "channels_first" else array, f"{name}/{layout}")


class GraphWriter:
    """Collects nodes and constants."""

    def __init__(self, onnx: Any) -> None:
        self.onnx = onnx
        self.nodes: list[Any] = []
        self.constants: dict[str, Array] = {}
        self._names: dict[str, int] = {}

    def unique(self, name: str) -> str:
        """The name, or one like it if it is taken."""
        count = self._names.get(name, 0)
        self._names[name] = count + 1
        return name if count == 0 else self.unique(f"{name}_{count}")

    def op(self, layer: str, kind: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node; the name of its output."""
        name = self.unique(f"{layer}/{kind}")
        given = {key: value for key, value in attributes.items() if value is not None}
        self.nodes.append(self.onnx.helper.make_node(kind, list(inputs), [name], name=name, **given))
        return name

    def constant(self, array: Array, name: str) -> str:
        """Add a constant of that name; one that is there already has the same numbers."""
        if array.dtype.kind == "f":
            array = array.astype(np.float32)
        self.constants.setdefault(name, array)
        self._names.setdefault(name, 1)
        return name

    def as_layout(self, tensor: Tensor, layout: str) -> str:
        """The name of a tensor in a layout, transposed if it has none there."""
        if len(tensor.shape) != 3:
            return next(iter(tensor.names.values()))
        if layout not in tensor.names:
            (name,) = tensor.names.values()
            perm = (0, 3, 1, 2) if layout == "channels_first" else (0, 2, 3, 1)
            tensor.names[layout] = self.op(name.partition("/")[0], "Transpose", [name], perm=list(perm))
        return tensor.names[layout]


Convert = Callable[[Node], Tensor]
CONVERTERS: dict[str, Convert] = {}
"""By the layer's class. `_export_layers` fills it."""


def layer(*kinds: str) -> Callable[[Convert], Convert]:
    """Put a converter into the table."""

    def put(convert: Convert) -> Convert:
        for kind in kinds:
            assert kind not in CONVERTERS, kind
            CONVERTERS[kind] = convert
        return convert

    return put
