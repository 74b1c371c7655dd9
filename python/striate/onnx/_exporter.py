"""From a striate model to an ONNX graph."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate import _core
from striate._files import PathLike, check_free, write_file
from striate.onnx._files import onnx_package
from striate.onnx._values import Array

if TYPE_CHECKING:
    from striate.model import Model

OPSET, IR_VERSION = 17, 8
"""What is written: operators that every ONNX Runtime since 1.12 (2022) has."""
LAYOUTS = ("channels_last", "channels_first")
LAYOUT_KEY = "striate.data_format"
"""Of the metadata: the layout of maps at the inputs and outputs."""


class Tensor:
    """What a layer gives, under the names by which the graph has it: with the channels last, first, or both.

    Attributes:
        shape: of one sample, as striate has it.
        names: layout -> name; tensors that are no maps have the first layout only.
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
        shape: of one sample of its output.
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


def to_onnx(model: Model, data_format: str = "channels_last") -> Any:
    """The ModelProto of a model, as inference computes it.

    Raises:
        ImportError: the onnx package is missing.
        ValueError: the layout is unknown, or a layer has no counterpart; the message lists all that have not.
    """
    onnx = onnx_package("Model.export")
    from striate.onnx import _export_layers  # noqa: F401  (it fills the table)

    if data_format not in LAYOUTS:
        raise ValueError(f"export: data_format must be 'channels_last' or 'channels_first', got {data_format!r}")
    network = model._network
    missing = [
        f"{name} ({layer.type})" for layer, name, _ in network.layers if layer.type not in {*CONVERTERS, "InputLayer"}
    ]
    if missing:
        raise ValueError(f"export: there is no ONNX operator for {', '.join(missing)}")
    graph = GraphWriter(onnx)
    weights = _weights_by_layer(network)
    tensors: list[Tensor] = []
    inputs: list[Any] = []
    nodes, layers, given = network.nodes, network.layers, set(network.input_nodes)
    for number, (place, sources, shape) in enumerate(nodes):
        layer, name, _ = layers[place]
        if number in given:
            tensors.append(_input(onnx, graph, name, shape, data_format, inputs))
            continue
        node = Node(graph, name, layer.type, layer.config(), shape)
        node.inputs = [tensors[source] for source in sources]
        node.weights = weights.get(place, {})
        tensors.append(CONVERTERS[layer.type](node))
    outputs, named = [], {info.name for info in inputs}
    for number in network.output_nodes:
        label = layers[nodes[number][0]][1]
        outputs.append(_output(onnx, graph, tensors[number], label, data_format, named))
    proto = _assembled(onnx, graph, model.name, inputs, outputs)
    onnx.helper.set_model_props(proto, {LAYOUT_KEY: data_format})
    return proto


def _weights_by_layer(network: _core.Model) -> dict[int, dict[str, Array]]:
    """All weights, of one moment: place of the layer -> name -> values."""
    found: dict[int, dict[str, Array]] = {}
    infos = network.parameters
    for info, value in zip(infos, network.values(range(len(infos))), strict=True):
        found.setdefault(info.layer, {})[info.name.rpartition("/")[2]] = value
    return found


def _outer(shape: tuple[int, ...], data_format: str) -> tuple[str, list[str | int]]:
    """The layout and the whole shape of an input or output."""
    if len(shape) == 3 and data_format == "channels_first":
        return data_format, ["N", shape[2], *shape[:2]]
    return "channels_last", ["N", *shape]


def _input(
    onnx: Any, graph: GraphWriter, name: str, shape: tuple[int, ...], data_format: str, inputs: list[Any]
) -> Tensor:
    layout, whole = _outer(shape, data_format)
    name = graph.unique(name)
    inputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, whole))
    return Tensor(shape, {layout: name})


def _output(onnx: Any, graph: GraphWriter, tensor: Tensor, label: str, data_format: str, named: set[str]) -> Any:
    """An output of the graph, under the name of its layer; `named` tensors are inputs or outputs already."""
    layout, whole = _outer(tensor.shape, data_format)
    made, name = graph.as_layout(tensor, layout), graph.unique(label)
    if made in named:
        graph.nodes.append(onnx.helper.make_node("Identity", [made], [name], name=f"{name}/Identity"))
    else:
        for node in graph.nodes:
            for names in (node.input, node.output):
                names[:] = [name if item == made else item for item in names]
        tensor.names[layout] = name
    named.add(name)
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, whole)


def _assembled(onnx: Any, graph: GraphWriter, name: str, inputs: list[Any], outputs: list[Any]) -> Any:
    from striate import __version__

    wanted = {info.name for info in outputs}
    nodes = []
    for node in reversed(graph.nodes):  # what nobody reads is left out
        if wanted & set(node.output):
            wanted.update(node.input)
            nodes.append(node)
    constants = [onnx.numpy_helper.from_array(array, key) for key, array in graph.constants.items() if key in wanted]
    whole = onnx.helper.make_graph(nodes[::-1], name, inputs, outputs, constants)
    return onnx.helper.make_model(
        whole,
        producer_name="striate",
        producer_version=__version__,
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )


def export_model(model: Model, path: PathLike, overwrite: bool = True, data_format: str = "channels_last") -> None:
    """Write a model as an ONNX file; see `Model.export`."""
    place = check_free(path, overwrite)
    proto = to_onnx(model, data_format)
    try:
        data = proto.SerializeToString()
    except Exception as error:  # protobuf's limit of 2 GB; the class depends on its version
        raise ValueError(f"cannot export to '{os.fsdecode(place)}': {error}") from None
    write_file(place, data, overwrite)
