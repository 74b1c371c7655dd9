"""ONNX files as trees of data: nothing outside the model's folder is ever read for one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from striate._extras import require

# What a tensor's elements take, of the types that networks store; see `TensorProto.DataType`.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}


def onnx_package(what: str) -> ModuleType:
    """The onnx package, or an ImportError that names the extra."""
    return require("onnx", "onnx", what)


def read_model(source: Any, what: str) -> Any:
    """A ModelProto from a file, or the one that was given; its tensors all are in memory afterwards.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no ONNX model, damaged, or stores tensors outside its folder.
    """
    onnx = onnx_package(what)
    if isinstance(source, onnx.ModelProto):
        model, folder, name = source, None, "the model"
    else:
        path = Path(os.fsdecode(source))
        with open(path, "rb") as file:
            data = file.read()
        model, folder, name = onnx.ModelProto(), path.parent, f"'{path}'"
        try:
            model.ParseFromString(data)
        except Exception as error:  # the class depends on protobuf's version
            raise ValueError(f"cannot load {name}: it is no ONNX model, or damaged ({error})") from None
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise ValueError(f"cannot load {name}: it is damaged: a name in it is no text")
    model = _with_external(onnx, model, folder, name)
    try:
        onnx.checker.check_model(model)
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot load {name}: it is no valid ONNX model ({str(error).strip()})") from None
    return model


def _with_external(onnx: ModuleType, model: Any, folder: Path | None, name: str) -> Any:
    """The model with the tensors that are stored beside it read into it."""
    if not any(_is_external(onnx, tensor) for tensor in _tensors(model)):
        return model
    if folder is None:
        raise ValueError(f"cannot load {name}: its tensors are stored outside of it; load it from its file")
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for tensor in _tensors(whole):
        if _is_external(onnx, tensor):
            tensor.raw_data = _external_bytes(tensor, folder, name)
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return whole


def _is_external(onnx: ModuleType, tensor: Any) -> bool:
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def _external_bytes(tensor: Any, folder: Path, name: str) -> bytes:
    entries = {entry.key: entry.value for entry in tensor.external_data}
    where = f"cannot load {name}: its tensor {tensor.name!r}"
    location = entries.get("location", "")
    parts = location.replace("\\", "/").split("/")
    if not location or "\0" in location or os.path.isabs(location) or ":" in parts[0] or parts[0] == "":
        raise ValueError(f"{where} names no file within the model's folder: {location!r}")
    if ".." in parts:
        raise ValueError(f"{where} is stored outside the model's folder: {location!r}")
    path = folder
    for part in parts:
        path = path / part
        if path.is_symlink():
            raise ValueError(f"{where} is stored behind a symbolic link: {location!r}")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError(f"{where} is stored outside the model's folder: {location!r}")
    try:
        offset, length = int(entries.get("offset", "0")), int(entries.get("length", "-1"))
    except ValueError:
        raise ValueError(f"{where} has an offset or a length that is no number") from None
    count = 1
    for size in tensor.dims:
        if size < 0:
            raise ValueError(f"{where} has a negative size in {list(tensor.dims)}")
        count *= size
    needed = count * _BYTES.get(tensor.data_type, 0)
    if tensor.data_type not in _BYTES or length not in (-1, needed) or offset < 0:
        raise ValueError(f"{where} of shape {list(tensor.dims)} does not fit its {length} bytes at offset {offset}")
    # Checked once more on the open file: what was looked at above may have been exchanged since.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode) or offset + needed > about.st_size:
            raise ValueError(f"{where} needs bytes {offset} to {offset + needed} of {location!r}, which has fewer")
        file.seek(offset)
        return file.read(needed)


def _texts(model: Any) -> Iterator[Any]:
    """All names; protobuf gives one that is no UTF-8 as bytes."""
    graph = model.graph
    yield from (graph.name, *(opset.domain for opset in model.opset_import))
    for item in (*graph.initializer, *graph.input, *graph.output, *graph.value_info):
        yield item.name
        if hasattr(item, "type"):
            yield from (dim.dim_param for dim in item.type.tensor_type.shape.dim)
    for prop in model.metadata_props:
        yield from (prop.key, prop.value)
    for tensor in _tensors(model):
        yield from (part for entry in tensor.external_data for part in (entry.key, entry.value))
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (attribute.name for attribute in node.attribute)


def _tensors(model: Any) -> Iterator[Any]:
    yield from _graph_tensors(model.graph)
    for function in model.functions:
        yield from _node_tensors(function.node)


def _graph_tensors(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _node_tensors(graph.node)


def _node_tensors(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors
            for sparse in [attribute.sparse_tensor] if attribute.HasField("sparse_tensor") else []:
                yield from (sparse.values, sparse.indices)
            for sparse in attribute.sparse_tensors:
                yield from (sparse.values, sparse.indices)
            if attribute.HasField("g"):
                yield from _graph_tensors(attribute.g)
            for graph in attribute.graphs:
                yield from _graph_tensors(graph)
