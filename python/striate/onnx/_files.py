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

_MOST = (1 << 31) - 1  # bytes of a message of protobuf
_SHARED = 4  # tensors that may share bytes of a file, on average


def onnx_package(what: str) -> ModuleType:
    """The onnx package, or an ImportError that names the extra."""
    return require("onnx", "onnx", what)


def read_model(source: Any, what: str) -> Any:
    """A ModelProto from a file, or the one that was given; its tensors all are in memory afterwards.

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it is not an ONNX model, damaged, or stores tensors outside its folder.
    """
    onnx = onnx_package(what)
    if isinstance(source, onnx.ModelProto):
        model, folder, name = source, None, "the model"
    else:
        path = Path(os.fsdecode(source))
        model, folder, name = onnx.ModelProto(), path.parent, f"'{path}'"
        with open(path, "rb") as file:
            data = b""
            while len(data) <= _MOST and (part := file.read(max(os.fstat(file.fileno()).st_size, 1 << 20))):
                data = data + part if data else part
        if len(data) > _MOST:
            raise ValueError(f"cannot load {name}: an ONNX file has at most 2 GiB; store the tensors in separate files")
        try:
            model.ParseFromString(data)
        except Exception as error:  # the class depends on protobuf's version
            raise ValueError(f"cannot load {name}: it is not an ONNX model, or damaged ({error})") from None
    if any(isinstance(text, bytes) for text in _texts(model)):
        raise ValueError(f"cannot load {name}: it is damaged: a name in it is not text")
    try:
        model = _with_external(onnx, model, folder, name)
        onnx.checker.check_model(model)
    except RecursionError:
        raise ValueError(f"cannot load {name}: its graphs are nested too deeply") from None
    except (onnx.checker.ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot load {name}: it is not a valid ONNX model ({str(error).strip()})") from None
    newest = onnx.defs.onnx_opset_version()
    for opset in model.opset_import:
        if opset.domain in ("", "ai.onnx") and opset.version > newest:
            raise ValueError(
                f"cannot load {name}: it is written in version {opset.version} of ONNX's operators; the installed onnx "
                f"package knows {newest}: update it, or export the model in an older version"
            )
    return model


def _with_external(onnx: ModuleType, model: Any, folder: Path | None, name: str) -> Any:
    """The model with the tensors that are stored beside it read into it."""
    if not any(_is_external(onnx, tensor) for tensor in _tensors(model)):
        return model
    if folder is None:
        raise ValueError(f"cannot load {name}: its tensors are stored outside of it; load it from its file")
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    files: dict[str, int] = {}
    taken = 0
    for tensor in _tensors(whole):
        if _is_external(onnx, tensor):
            tensor.raw_data = _external_bytes(tensor, folder, name, files)
            taken += len(tensor.raw_data)
            if taken > _SHARED * sum(files.values()):
                raise ValueError(
                    f"cannot load {name}: its tensors need more than {_SHARED} times the bytes of all its files; "
                    "give each tensor its own bytes"
                )
            tensor.data_location = onnx.TensorProto.DEFAULT
            del tensor.external_data[:]
    return whole


def _is_external(onnx: ModuleType, tensor: Any) -> bool:
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL)


def _external_bytes(tensor: Any, folder: Path, name: str, files: dict[str, int]) -> bytes:
    """The bytes of a tensor in another file; `files` collects the sizes of these files."""
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
    places = [entries.get(key, "") for key in ("offset", "length")]
    if any(text and not (text.isascii() and text.isdigit() and len(text) < 20) for text in places):
        raise ValueError(f"{where} has an offset or a length that is not a number of bytes")
    offset, length = int(places[0] or 0), int(places[1]) if places[1] else None
    count = 1
    for size in tensor.dims:
        if size < 0:
            raise ValueError(f"{where} has a negative size in {list(tensor.dims)}")
        count *= size
    if tensor.data_type not in _BYTES:
        raise ValueError(f"{where} has elements of type {tensor.data_type}, which are not read from other files")
    needed = count * _BYTES[tensor.data_type]
    if length not in (None, needed):
        raise ValueError(f"{where} of shape {list(tensor.dims)} takes {needed} bytes, but states {length}")
    try:
        # The open file is checked: a path may name another one a moment later. A pipe must not be waited for.
        flags = ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")
        handle = os.open(path, os.O_RDONLY | sum(getattr(os, flag, 0) for flag in flags))
    except FileNotFoundError:
        raise FileNotFoundError(f"{where} is stored in {location!r}, which is not there") from None
    try:
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode):
            raise ValueError(f"{where} is stored in {location!r}, which is not a regular file")
        if offset + needed > about.st_size:
            raise ValueError(
                f"{where} needs bytes {offset} to {offset + needed} of {location!r}, which has {about.st_size}"
            )
        files[location] = about.st_size
        with open(handle, "rb", closefd=False) as file:
            file.seek(offset)
            content = file.read(needed)
    finally:
        os.close(handle)
    if len(content) != needed:
        raise ValueError(f"{where} needs {needed} bytes of {location!r}, of which {len(content)} could be read")
    return content


def _texts(model: Any) -> Iterator[Any]:
    """All names; protobuf gives one that is not UTF-8 as bytes."""
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
