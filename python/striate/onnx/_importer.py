"""From an ONNX graph to a network of layers."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from striate import layers
from striate.layers import Symbol
from striate.model import Model
from striate.onnx import (  # noqa: F401  (they fill the table)
    _convert_convolution,
    _convert_elementwise,
    _convert_logic,
    _convert_normalization,
    _convert_pooling,
    _convert_reduction,
    _convert_resize,
    _convert_shape,
)
from striate.onnx._budget import FLOOR, Budget, limited
from striate.onnx._call import ANY_PLACE, CONVERTERS, Call, Converted, Row, Weights
from striate.onnx._complaints import Complaints
from striate.onnx._folding import FOLDED, folded, is_real
from striate.onnx._layouts import Layouts
from striate.onnx._patterns import SAFE_QUOTIENT, joined_nodes
from striate.onnx._values import Array, Axis, Unsupported, Value, as_samples, axis_of, joined, size_of
from striate.onnx._writer import LAYOUT_KEY, LAYOUTS

_MOST = 1 << 26
"""Numbers of a sample of any tensor; more where an input has more."""


@dataclass(frozen=True)
class Port:
    """An input or an output of the network as ONNX has it.

    Attributes:
        name: of the tensor.
        shape: as the model states it.
        axes: axes of the array, as they follow each other in what the network takes or gives: (0, 2, 3, 1) for maps.
        batched: whether axis 0 is the network's batch; otherwise the whole array is one sample.
        dtype: NumPy's type of the array.
        flat: whether the network takes its elements in one row.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[int, ...]
    batched: bool
    dtype: Any
    flat: bool = False


class Imported:
    """A network, and how its inputs and outputs are the graph's."""

    def __init__(self, model: Model, inputs: list[Port], outputs: list[Port]) -> None:
        self.model, self.inputs, self.outputs = model, inputs, outputs


class Importer:
    """Goes over the nodes of a graph, each of which becomes layers, a constant, or a complaint."""

    def __init__(
        self,
        onnx: ModuleType,
        model: Any,
        name: str,
        batched: bool = True,
        flat: bool = False,
        shapes: Mapping[str, Sequence[int]] | None = None,
        constants: Mapping[str, Array] | None = None,
        max_constants: int = FLOOR,
        parameters: Collection[str] = (),
        unbiased_variance: bool = False,
    ) -> None:
        self._onnx, self._model, self._graph, self._name = onnx, model, model.graph, name
        self._batched, self._flat = batched, flat
        self._shapes, self._constants = dict(shapes or {}), dict(constants or {})
        self._opset = max((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), default=0)
        self._tensors: dict[str, Converted] = {}
        self._stated: dict[str, tuple[int, ...]] | None = None
        self._complaints = Complaints()
        # Initializers that are weights of modules; layers are called by the module, `bn1` for `bn1.weight`.
        self._weights = Weights(parameters, unbiased_variance)
        self._lost: set[str] = set()  # tensors that nothing is known of
        self._names: Counter[str] = Counter()
        self._readers: dict[str, list[Any]] = {}
        self._nodes = joined_nodes(onnx, model.graph)
        for node in self._nodes:
            for name_ in node.input:
                self._readers.setdefault(name_, []).append(node)
        # striate's own files state the layout of their maps.
        self._layout: str = {prop.key: prop.value for prop in model.metadata_props}.get(LAYOUT_KEY, "")
        self._outputs = {output.name for output in self._graph.output}
        self._max_constants = max_constants
        self._own = {(function.domain or "ai.onnx", function.name) for function in model.functions}
        self._sparse = {tensor.values.name for tensor in model.graph.sparse_initializer}
        self._free = False  # the size of the batch
        self._largest = 0  # numbers of a sample of an input

    def run(self) -> Imported:
        """The network.

        Raises:
            ValueError: with every node that cannot be converted, and why.
        """
        stored = self._model.ByteSize() // 4 + sum(array.size for array in self._constants.values())
        with limited(Budget(stored, self._max_constants)):
            return self._converted()

    def constant_parameters(self) -> list[str]:
        """The parameters that the graph reads and that no layer has as a weight."""
        read = {name for node in self._nodes for name in node.input}
        return sorted(name for name in self._weights.parameters - self._weights.used if name in read)

    def _converted(self) -> Imported:
        if self._opset < 6:
            raise ValueError(
                f"cannot load {self._name}: it is written in version {self._opset} of ONNX's operators, striate reads "
                "from 6 on; onnx.version_converter brings it there"
            )
        for tensor in self._graph.initializer:
            self._tensors[tensor.name] = self._array(tensor)
            self._weights.origins[tensor.name] = tensor.name
        self._tensors.update(self._constants)
        self._maps = [
            info.name
            for info in self._graph.input
            if info.name not in self._tensors and len(info.type.tensor_type.shape.dim) == 4
        ]
        self._layouts = self._found_layouts()
        inputs, symbols = [], []
        for info in self._graph.input:
            if info.name not in self._tensors:
                port, value = self._input(info)
                inputs.append(port)
                symbols.append(value.symbol)
                self._tensors[info.name] = value
        if not inputs and not self._complaints:
            raise ValueError(f"cannot load {self._name}: it has no inputs")
        for index, node in enumerate(self._nodes):
            self._convert(index, node)
        outputs, results = [], []
        for info in self._graph.output:
            found = self._tensors.get(info.name)
            if isinstance(found, Value) and not self._complaints:
                if found.at:
                    self._complaints.add(f"output {info.name!r}", f"a Transpose moves the batch to axis {found.at}")
                    continue
                port, symbol = self._output(info, found)
                if symbol in symbols or symbol in results:  # a network's outputs are those of layers
                    symbol = layers.Activation("linear")(symbol)
                outputs.append(port)
                results.append(symbol)
            elif not isinstance(found, Value) and info.name not in self._lost:
                self._complaints.add(f"output {info.name!r}", "it does not depend on the inputs")
        if self._complaints:
            raise ValueError(f"cannot load {self._name}: {self._complaints.text()}")
        return Imported(self._built(symbols, results), inputs, outputs)

    def _built(self, inputs: list[Symbol], outputs: list[Symbol]) -> Model:
        try:
            name = re.sub(r"[^\w.\-]+", "_", self._graph.name).strip("_")
            model = Model(inputs, outputs, name=name or "model", seed=0)
            for layer, arrays in self._weights.values:
                if layer._core.weights is not None:  # a layer that no output needs is not part of it
                    layer.set_weights(arrays)
        except ValueError as error:
            raise ValueError(f"cannot load {self._name}: {error}") from error
        return model

    # Inputs and outputs

    def _array(self, tensor: Any) -> Array:
        if tensor.data_type not in self._onnx.TensorProto.DataType.values() or not tensor.data_type:
            raise ValueError(
                f"cannot load {self._name}: its tensor {tensor.name!r} has the unknown type {tensor.data_type}"
            )
        try:
            array = np.asarray(self._onnx.numpy_helper.to_array(tensor))
        except MemoryError:
            raise
        except Exception as error:  # onnx's and NumPy's, for numbers and sizes that do not fit each other
            raise ValueError(f"cannot load {self._name}: its tensor {tensor.name!r} is damaged ({error})") from None
        if array.dtype.kind == "V" and array.dtype.names is None:  # ml_dtypes: floats and integers of few bits
            return array.astype(np.int8 if "int" in array.dtype.name else np.float32)
        return array

    def _dtype(self, info: Any) -> Any:
        try:
            return self._onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
        except KeyError:
            raise ValueError(f"cannot load {self._name}: {info.name!r} holds elements of an unknown type") from None

    def _input(self, info: Any) -> tuple[Port, Value]:
        kind = info.type.tensor_type.elem_type
        exact = kind == self._onnx.TensorProto.UINT8
        half = (self._onnx.TensorProto.FLOAT16, self._onnx.TensorProto.BFLOAT16)
        if not exact and kind not in (self._onnx.TensorProto.FLOAT, *half):
            what = info.type.WhichOneof("value")
            if what == "tensor_type":
                what = dict(map(reversed, self._onnx.TensorProto.DataType.items())).get(kind, "an unknown type").lower()
            self._complaints.add(f"input {info.name!r}", f"it holds {what}; striate computes in float32")
            return self._placeholder(info.name, None)
        sizes = _sizes(info)
        given = self._shapes.get(info.name)
        if given is not None:
            if len(given) != len(sizes):
                raise ValueError(f"cannot load {self._name}: input {info.name!r} has shape {sizes}, got {tuple(given)}")
            sizes = list(given)
        if self._batched and sizes and sizes[0] is None:
            sizes[0], self._free = 1, True
        if None in sizes:
            text = ", ".join("?" if size is None else str(size) for size in sizes)
            raise ValueError(
                f"cannot load {self._name}: the sizes of input {info.name!r} are not all known: ({text}); give them: "
                f"load(path, input_shapes={{{info.name!r}: (1, 3, 224, 224)}})"
            )
        shape = tuple(int(size or 0) for size in sizes)
        if min(shape, default=1) < 1 or (self._batched and len(shape) < 2):
            self._complaints.add(f"input {info.name!r}", f"it has shape {shape}")
            return self._placeholder(info.name, None)
        port, value = self._placed(info.name, shape, self._dtype(info), exact)
        return port, value

    def _placed(self, name: str, shape: tuple[int, ...], dtype: Any, exact: bool) -> tuple[Port, Value]:
        sample = shape[1:] if self._batched else shape
        self._largest = max(self._largest, math.prod(sample))
        axes = tuple(axis_of(size) for size in sample)
        label = re.sub(r"[^\w.\-]+", "_", name).strip("_")
        if not self._batched or (self._flat and len(sample) > 3):
            symbol = layers.Input((math.prod(sample),), name=self._unique(label))
            batch = shape[0] if self._batched else None
            port = Port(name, shape, tuple(range(len(shape))), self._batched, dtype, flat=True)
            return port, Value(symbol, axes, joined(axes), batch, exact)
        if len(sample) > 3:
            raise ValueError(
                f"cannot load {self._name}: input {name!r} has shape {shape}; striate's have at most 4 axes"
            )
        last = len(shape) == 4 and not self._is_channels_last(name)
        order = (1, 2, 0) if last else tuple(range(len(sample)))
        try:
            symbol = layers.Input([sample[axis] for axis in order], name=self._unique(label))
        except ValueError as error:
            raise ValueError(f"cannot load {self._name}: input {name!r} has shape {shape}: {error}") from None
        value = Value(symbol, axes, joined(axes[axis] for axis in order), shape[0], exact)
        return Port(name, shape, (0, *(axis + 1 for axis in order)), True, dtype), value

    def _is_channels_last(self, name: str) -> bool:
        """Whether an input or output of four axes is (N, H, W, C) already."""
        if self._layout in LAYOUTS:
            return self._layout == "channels_last"
        found = self._layouts[name]
        if found is not None:
            return found.endswith("C")
        # Nothing is known of this output: as the inputs are.
        return bool(self._maps) and all((self._layouts[other] or "").endswith("C") for other in self._maps)

    def _found_layouts(self) -> Layouts:
        shapes: dict[str, Sequence[int | None]] = {}
        for info in (*self._graph.value_info, *self._graph.input):
            shapes[info.name] = _sizes(info)
        for name, shape in self._shapes.items():
            shapes[name] = list(shape)
        for node in self._nodes:  # behind operators that keep the shape of their first input
            if node.op_type in ("Add", "Cast", "Div", "Identity", "Mul", "Sub") and node.input[0] in shapes:
                shapes.setdefault(node.output[0], shapes[node.input[0]])
        targets = {
            node.input[1]: self._tensors[node.input[1]]
            for node in self._nodes
            if node.op_type == "Reshape" and len(node.input) > 1 and node.input[1] in self._tensors
        }
        numbers = {name: np.asarray(array).reshape(-1).tolist() for name, array in targets.items()}
        return Layouts(self._nodes, self._attributes, frozenset(self._tensors), shapes, numbers)

    def _output(self, info: Any, value: Value) -> tuple[Port, Symbol]:
        order = list(range(len(value.axes)))
        if value.batch is not None and value.rank == 4 and not self._is_channels_last(info.name):
            order = [1, 2, 0]
        symbol = as_samples(value, [value.axes[axis] for axis in order])
        axes = tuple(axis + 1 for axis in order) if value.batch is not None else tuple(order)
        kind = info.type.tensor_type.elem_type
        dtype = self._dtype(info) if kind else np.dtype(np.float32)
        batched = value.batch is not None
        return Port(info.name, value.shape, (0, *axes) if batched else axes, batched, dtype), symbol

    # Nodes

    def _attributes(self, node: Any) -> dict[str, Any]:
        return {a.name: self._onnx.helper.get_attribute_value(a) for a in node.attribute}

    def _convert(self, index: int, node: Any) -> None:
        row = CONVERTERS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
        if node.op_type == SAFE_QUOTIENT:
            row = Row(_convert_elementwise.safe_quotient, frozenset(), False, frozenset())
        try:
            if (node.domain or "ai.onnx", node.op_type) in self._own:
                raise Unsupported("it is a function that the model defines itself")
            inputs = self._inputs_of(node)
            if any(name in self._lost for name in node.input) and (row or node.op_type in FOLDED):
                self._lost.update(node.output)  # why it cannot be converted is told already
                return
            constants = self._folded(node, inputs)
            if constants is not None:
                results: list[Any] = constants
            else:
                if row is None:
                    domain = f" of {node.domain}" if node.domain not in ("", "ai.onnx") else ""
                    raise Unsupported(f"striate has no layer for the operator{domain}")
                moved = [item.at for item in inputs if isinstance(item, Value) and item.at]
                if moved and node.op_type not in ANY_PLACE:
                    raise Unsupported(f"the batch is axis {moved[0]} of its input; expected axis 0")
                if not row.moves and any(isinstance(item, Value) and item.exact for item in inputs):
                    if node.op_type != "Cast" and not (node.op_type == "MaxPool"):
                        raise Unsupported("it computes with bytes; striate computes in float32")
                call = self._call(node, inputs)
                with np.errstate(all="ignore"):  # numbers that float32 cannot hold become infinite
                    made = row.convert(call)
                self._refuse_ignored(node, row, call)
                results = made if isinstance(made, list) else [made]
                for result in results:
                    self._check_sample(result)
        except MemoryError:
            raise
        except Exception as error:  # of a layer or NumPy, for arguments that make no sense
            text = str(error) if isinstance(error, (Unsupported, ValueError)) else f"{type(error).__name__}: {error}"
            computed = [name for name in node.input if isinstance(self._tensors.get(name), Value)]
            self._complaints.of_node(node.op_type, node.name or str(index), text, computed, row is None)
            for name in node.output:
                self._complaints.unknown.add(name)
                self._placeholder(name, self._shape_of(name))
            return
        if not self._complaints.unknown.isdisjoint(node.input):
            self._complaints.unknown.update(node.output)
        for name, result in zip(node.output, results, strict=False):
            if name:
                self._tensors[name] = result

    def _inputs_of(self, node: Any) -> list[Converted]:
        """A node's inputs; None for those that are left out."""
        found: list[Converted] = []
        for index, name in enumerate(node.input):
            item = self._tensors.get(name) if name else None
            if name in self._sparse:
                raise Unsupported(f"its input {name!r} is a sparse tensor")
            if name and item is None and name not in self._lost:
                raise Unsupported(f"its input {name!r} is not an input, initializer or output of an earlier node")
            if isinstance(item, np.ndarray) and not is_real(item):
                raise Unsupported(f"its input {index} holds {item.dtype}, which are not real numbers")
            found.append(item)
        return found

    def _refuse_ignored(self, node: Any, row: Row, call: Call) -> None:
        """Refuse a node that asks for something that its converter knows nothing of."""
        for name in sorted(call.unread() - row.ignores, key=str):
            if isinstance(name, int):
                raise Unsupported(f"its input {name} is not supported")
            schema = self._onnx.defs.get_schema(node.op_type, self._opset, "")
            given = next(a for a in node.attribute if a.name == name)
            default = schema.attributes[name].default_value if name in schema.attributes else None
            get = self._onnx.helper.get_attribute_value
            if default is None or not default.type or get(default) != get(given):
                raise Unsupported(f"its attribute {name} is not supported")

    def _check_sample(self, result: Any) -> None:
        """Refuse a tensor that is out of proportion to the inputs, or has more axes than NumPy's arrays."""
        for item in result if isinstance(result, list) else ():  # a sequence
            self._check_sample(item)
        if isinstance(result, Value) and result.rank > 32:
            raise Unsupported(f"its output has {result.rank} axes; 32 are the most")
        if isinstance(result, Value) and size_of(result.order) > max(_MOST, 256 * self._largest):
            raise Unsupported(f"its output has {size_of(result.order)} numbers for each sample")

    def _call(self, node: Any, inputs: list[Converted]) -> Call:
        read = [bool(name) and (name in self._readers or name in self._outputs) for name in node.output]
        outputs = max((i + 1 for i, is_read in enumerate(read) if is_read), default=1)
        if node.op_type == "Split":
            outputs = len(node.output)
        name = re.sub(r"[^\w.\-]+", "_", node.name).strip("_")
        attributes = {
            key: self._array(value) if isinstance(value, self._onnx.TensorProto) else value
            for key, value in self._attributes(node).items()
        }
        module = self._weights.module_of(node.op_type, node.input)
        label = self._unique(module or name) if module or name else None
        return Call(
            node.op_type, self._opset, attributes, inputs, outputs, label, self._free, self._weights, node.input
        )

    def _unique(self, name: str) -> str | None:
        self._names[name] += 1
        return (name if self._names[name] == 1 else f"{name}_{self._names[name]}") or None

    def _folded(self, node: Any, inputs: list[Converted]) -> list[Array] | None:
        """The outputs of a node whose inputs are known, or None."""
        if node.domain not in ("", "ai.onnx") or any(name in self._lost for name in node.input):
            return None
        if node.op_type == "Constant":
            return [self._constant(node)]
        if node.op_type in ("Shape", "Size") and isinstance(inputs[0], Value):
            shape = np.asarray(inputs[0].shape, np.int64)
            if node.op_type == "Size":
                return [np.asarray(shape.prod())]
            attributes = self._attributes(node)
            return [shape[attributes.get("start", 0) : attributes.get("end", len(shape))]]
        if node.op_type == "CastLike" and not isinstance(inputs[0], Value) and isinstance(inputs[1], Value):
            return [np.asarray(inputs[0], np.uint8 if inputs[1].exact else np.float32)]
        known = [item for item in inputs if item is not None]
        if node.op_type not in FOLDED or not known or any(isinstance(item, Value) for item in known):
            return None
        self._weights.follow(node)
        return folded(self._onnx, self._opset, node, [np.asarray(item) for item in known])

    def _constant(self, node: Any) -> Array:
        for attribute in node.attribute:
            value = self._onnx.helper.get_attribute_value(attribute)
            if attribute.name == "value":
                return self._array(value)
            if attribute.name in ("value_float", "value_floats"):
                return np.asarray(value, np.float32)
            if attribute.name in ("value_int", "value_ints"):
                return np.asarray(value, np.int64)
        raise Unsupported("a constant that holds no numbers")

    # After a complaint, so that the rest is looked at too

    def _placeholder(self, name: str, shape: tuple[int, ...] | None) -> tuple[Port, Value]:
        """An input in the place of what could not be made."""
        batched = self._batched
        fits = shape is not None and len(shape) >= 1 + batched and min(shape, default=1) >= 1
        if shape is None or not fits or math.prod(shape) > _MOST:
            self._lost.add(name)
            value = None
        else:
            sample = shape[1:] if batched else shape
            axes: tuple[Axis, ...] = tuple(axis_of(size) for size in sample)
            value = Value(layers.Input((math.prod(sample),)), axes, joined(axes), shape[0] if batched else None)
            self._tensors[name] = value
        if value is None:
            value = Value(layers.Input((1,)), (), (), None)
        return Port(name, shape or (), (), batched, np.dtype(np.float32)), value

    def _shape_of(self, name: str) -> tuple[int, ...] | None:
        """The shape that the model states for a tensor. (Inferring it is left to onnx, which may end the process.)"""
        if self._stated is None:
            self._stated = {}
            for info in (*self._graph.value_info, *self._graph.output):
                sizes = [0 if size is None else size for size in _sizes(info)]
                if sizes and self._batched and sizes[0] == 0:
                    sizes[0] = 1
                self._stated[info.name] = tuple(sizes)
        return self._stated.get(name)


def _sizes(info: Any) -> list[int | None]:
    """The sizes that a graph states of a tensor; None for one that it leaves open, as some exporters do by -1."""
    return [
        d.dim_value if d.HasField("dim_value") and d.dim_value >= 0 else None for d in info.type.tensor_type.shape.dim
    ]
