"""From a striate model to an ONNX graph."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from striate import _core
from striate._files import PathLike, check_free, write_file
from striate.onnx._export_layers import CONVERTERS
from striate.onnx._files import onnx_package
from striate.onnx._values import Array
from striate.onnx._writer import LAYOUT_KEY, LAYOUTS, GraphWriter, Node, Tensor

if TYPE_CHECKING:
    from striate.network import Network

OPSET, IR_VERSION = 17, 8
"""What is written: operators that every ONNX Runtime since 1.12 (2022) has."""


def to_onnx(model: Network, data_format: str = "channels_last") -> Any:
    """The ModelProto of a model, as inference computes it.

    Raises:
        ImportError: the onnx package is missing.
        ValueError: the layout is unknown, or a layer has no counterpart; the message lists all that have not.
    """
    onnx = onnx_package("Model.export")
    if data_format not in LAYOUTS:
        raise ValueError(f"export: data_format must be 'channels_last' or 'channels_first', got {data_format!r}")
    network = model._network
    missing = [
        f"{name} ({layer.type})" for layer, name, _ in network.layers if layer.type not in {*CONVERTERS, "InputLayer"}
    ]
    if missing:
        raise ValueError(f"export: there is no ONNX operator for {', '.join(missing)}")
    if network.training_nodes:
        names = ", ".join(network.layers[network.nodes[number][0]][1] for number in network.training_nodes)
        raise ValueError(f"export: an ONNX file has no counterpart of calls with training=True, of {names}")
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
        producer_version=_core.runtime_info()["version"],
        ir_version=IR_VERSION,
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
    )


def export_model(model: Network, path: PathLike, overwrite: bool = True, data_format: str = "channels_last") -> None:
    """Write a model as an ONNX file; see `Model.export`."""
    place = check_free(path, overwrite)
    proto = to_onnx(model, data_format)
    try:
        data = proto.SerializeToString()
    except Exception as error:  # protobuf's limit of 2 GB; the class depends on its version
        raise ValueError(f"cannot export to '{os.fsdecode(place)}': {error}") from None
    write_file(place, data, overwrite)
