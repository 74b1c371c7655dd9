"""striate as a backend of ONNX: `prepare(model).run(inputs)`, as `onnx.backend.base` defines it.

The arrays are as ONNX has them, maps (N, C, H, W); they are transposed at the network's edges. Tensors that are weights
may come as inputs of the graph too: the network is then built when they are known, and again when they change.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate._extras import require
from striate.onnx._budget import FLOOR
from striate.onnx._call import CONVERTERS
from striate.onnx._files import onnx_package, read_model
from striate.onnx._importer import Imported, Importer, Port
from striate.onnx._values import Array

_base: Any = require("onnx.backend.base", "onnx", "striate.onnx.backend")

__all__ = ["Backend", "BackendRep", "is_compatible", "prepare", "run_model", "supports_device"]


class BackendRep(_base.BackendRep):  # type: ignore[misc]
    """A model that is ready to run."""

    def __init__(self, model: Any, max_constants: int = FLOOR) -> None:
        self._model, self._max_constants = model, max_constants
        initialized = {tensor.name for tensor in model.graph.initializer}
        self._inputs = [info.name for info in model.graph.input if info.name not in initialized]
        late = _weights_among(self._inputs, model)
        self._late = late if len(late) < len(self._inputs) else []
        self._known: dict[str, Array] = {}
        self._built: Imported | None = None
        if not self._late:
            self._build({})

    def run(self, inputs: Any, **kwargs: Any) -> tuple[Any, ...]:
        """The outputs for arrays in the order of the graph's inputs, or by their names.

        Raises:
            ValueError: an array is missing, its shape does not fit, or striate has no layers for the model.
        """
        given = inputs if isinstance(inputs, Mapping) else dict(zip(self._inputs, _listed(inputs), strict=False))
        missing = [name for name in self._inputs if name not in given]
        if missing:
            raise ValueError(f"striate.onnx.backend: there is no array for the input {missing[0]!r}")
        late = {name: np.asarray(given[name]) for name in self._late}
        if self._built is None or any(not _same(late[name], self._known[name]) for name in late):
            self._build(late)
        assert self._built is not None
        built = self._built
        arrays = [_into(np.asarray(given[port.name]), port) for port in built.inputs]
        outputs = built.model.predict_on_batch(arrays if len(arrays) > 1 else arrays[0])
        outputs = outputs if isinstance(outputs, list) else [outputs]
        return tuple(_out_of(array, port) for array, port in zip(outputs, built.outputs, strict=True))

    def _build(self, late: dict[str, Array]) -> None:
        onnx, most = onnx_package("striate.onnx.backend"), self._max_constants
        make = functools.partial(
            Importer, onnx, self._model, "the model", flat=True, constants=late, max_constants=most
        )
        try:
            self._built = make().run()
            if len({port.shape[0] for port in self._built.inputs if port.batched}) > 1:  # axis 0 is no batch then
                self._built = make(batched=False).run()
        except ValueError as error:
            # What is no batch of maps may still be one sample.
            try:
                self._built = make(batched=False).run()
            except ValueError as whole:
                raise (whole if "input" in str(error) else error) from None
        self._known = late


def _weights_among(inputs: Sequence[str], model: Any) -> list[str]:
    """The inputs that nodes take where a layer has a weight or an argument."""
    known = {tensor.name for tensor in model.graph.initializer}
    late = {
        name
        for node in model.graph.node
        if node.op_type in CONVERTERS
        for index, name in enumerate(node.input)
        # A node of constants but for this input computes on it.
        if index in CONVERTERS[node.op_type].constants and not {*node.input} - {name, ""} <= known
    }
    return [name for name in inputs if name in late]


def _listed(inputs: Any) -> list[Any]:
    return list(inputs) if isinstance(inputs, (list, tuple)) else [inputs]


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _into(array: Array, port: Port) -> Array:
    free = port.shape[1:] if port.batched else port.shape
    there = array.shape[1:] if port.batched else array.shape
    if there != free:
        raise ValueError(f"input {port.name!r} must have shape {port.shape}, got {array.shape}")
    if array.dtype.kind == "V":  # ml_dtypes: bfloat16
        array = array.astype(np.float32)
    if port.flat:
        return np.ascontiguousarray(array).reshape(len(array) if port.batched else 1, -1)
    return np.ascontiguousarray(array.transpose(port.axes))


def _out_of(array: Array, port: Port) -> Array:
    """The array in ONNX's shape and type."""
    if port.batched:
        inner = [port.shape[axis] for axis in port.axes[1:]]
        array = array.reshape(len(array), *inner).transpose(np.argsort(port.axes))
    else:
        array = array.reshape(port.shape)
    return np.ascontiguousarray(array.astype(port.dtype, copy=False)).reshape(array.shape)


class Backend(_base.Backend):  # type: ignore[misc]
    """The interface that `onnx.backend.base.Backend` describes."""

    @classmethod
    def is_compatible(cls, model: Any, device: str = "CPU", **kwargs: Any) -> bool:
        """Whether striate has layers for all of the model, as far as can be known without its inputs."""
        try:
            cls.prepare(model, device)
        except ValueError:
            return False
        return True

    @classmethod
    def prepare(cls, model: Any, device: str = "CPU", **kwargs: Any) -> BackendRep:
        """The model, ready to run; `max_constants` is that of `striate.onnx.load`.

        Raises:
            ValueError: striate has no layers for it (the message lists what it lacks), or none for the device.
        """
        if not cls.supports_device(device):
            raise ValueError(f"striate.onnx.backend runs on CPU, not on {device!r}")
        return BackendRep(read_model(model, "striate.onnx.backend"), kwargs.get("max_constants", FLOOR))

    @classmethod
    def run_node(cls, node: Any, inputs: Any, device: str = "CPU", outputs_info: Any = None, **kwargs: Any) -> Any:
        """One operator on arrays."""
        onnx = onnx_package("striate.onnx.backend")
        helper = onnx.helper
        arrays = [np.asarray(item) for item in _listed(inputs)]
        names = [name for name in node.input if name]
        graph = helper.make_graph(
            [node],
            "node",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                for name, array in zip(names, arrays, strict=True)
            ],
            [helper.make_empty_tensor_value_info(name) for name in node.output],
        )
        version = int(kwargs.get("opset_version") or min(onnx.defs.onnx_opset_version(), 22))
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])
        return BackendRep(model).run(dict(zip(names, arrays, strict=True)))

    @classmethod
    def supports_device(cls, device: str) -> bool:
        """Whether `device` is supported; only "CPU" is."""
        return device.partition(":")[0].upper() == "CPU"


prepare = Backend.prepare
run_model = Backend.run_model
supports_device = Backend.supports_device
is_compatible = Backend.is_compatible
