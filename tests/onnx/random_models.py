"""Draws ONNX models of random nodes, attributes and tensors, from a fuzzer's bytes or from a seed."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

import onnx
from onnx import AttributeProto, TensorProto, helper
from striate.onnx._importer import CONVERTERS, FOLDED

LAYERS, PLAIN = sorted(CONVERTERS), sorted({*FOLDED, "Constant", "Sin", "Erf"})
ITEMS = {6: 4, 7: 8, 11: 8, 1: 4, 2: 1, 3: 1, 9: 1, 10: 2, 16: 2, 14: 8}  # bytes of an element, by its type
SIZES = [0, 1, 2, 3, 4, 5, 7, 8, 16, -1, 33, 1 << 20, 1 << 31, 1 << 40, (1 << 63) - 1, -(1 << 63)]
NUMBERS = [0.0, 1.0, -1.0, 0.5, 2.0, 1e-30, 1e30, float("inf"), float("-inf"), float("nan"), 1 / 6, 3.0]
TEXTS = [b"SAME_UPPER", b"SAME_LOWER", b"VALID", b"NOTSET", b"linear", b"cubic", b"nearest", b"align_corners", b"edge"]
TEXTS += [b"asymmetric", b"tf_crop_and_resize", b"floor", b"reflect", b"wrap", b"CRD", b"DCR", b"tanh", b"none", b"x"]
TEXTS += [b"half_pixel_symmetric", b"pytorch_half_pixel", b"not_larger", b"not_smaller", b"ceil", b"\xff"]
TYPES = [TensorProto.FLOAT, TensorProto.INT64, TensorProto.FLOAT, TensorProto.INT64, TensorProto.UINT8]
TYPES += [TensorProto.DOUBLE, TensorProto.BOOL, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.INT32, 99]
TYPES += [TensorProto.INT4, TensorProto.STRING, TensorProto.COMPLEX64]


class Numbers(Protocol):
    """What atheris's FuzzedDataProvider has, too."""

    def ConsumeIntInRange(self, least: int, most: int) -> int: ...

    def ConsumeFloat(self) -> float: ...

    def ConsumeBytes(self, count: int) -> bytes: ...


class Seeded:
    """Numbers from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def ConsumeIntInRange(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def ConsumeFloat(self) -> float:
        return self._random.gauss(0.0, 2.0)

    def ConsumeBytes(self, count: int) -> bytes:
        return self._random.randbytes(count)


class Source:
    """Draws one model."""

    def __init__(self, numbers: Numbers) -> None:
        self._from = numbers
        self._names = ["x"]  # of what is computed
        self._known: list[str] = []  # of constants
        self._tensors: list[Any] = []

    def up_to(self, most: int) -> int:
        return self._from.ConsumeIntInRange(0, most)

    def one(self, of: list[Any]) -> Any:
        return of[self.up_to(len(of) - 1)]

    def size(self) -> int:
        return self.one(SIZES[: 9 if self.up_to(7) else None])

    def number(self) -> float:
        return self.one(NUMBERS) if self.up_to(3) else self._from.ConsumeFloat()

    def tensor(self, name: str, kind: int, shape: list[int]) -> Any:
        count = int(np.prod(shape, dtype=object)) if shape else 1
        count = count if 0 <= count <= 512 else self.up_to(4)
        proto = TensorProto(name=name, data_type=kind, dims=shape)
        if kind in (TensorProto.FLOAT, TensorProto.DOUBLE):
            numbers = np.array([self.number() for _ in range(min(count, 16))] or [0.0])
            dtype = np.float32 if kind == TensorProto.FLOAT else np.float64
            with np.errstate(all="ignore"):
                proto.raw_data = np.resize(numbers, count).astype(dtype).tobytes()
        elif kind == TensorProto.INT64:
            numbers = np.array([self.size() for _ in range(min(count, 16))] or [0], np.int64)
            proto.raw_data = np.resize(numbers, count).tobytes()
        else:
            needed = count * ITEMS.get(kind, 1)
            proto.raw_data = (self._from.ConsumeBytes(min(needed, 64)) + bytes(needed))[:needed]
        if not self.up_to(63):
            proto.raw_data = proto.raw_data[:-1]
        return proto

    def constant(self) -> str:
        name = f"c{len(self._tensors)}"
        self._known.append(name)
        kind = self.one(TYPES if not self.up_to(31) else [TensorProto.FLOAT, TensorProto.INT64])
        if not self.up_to(15):
            shape = [self.size() for _ in range(self.up_to(4))]
        elif kind == TensorProto.INT64:
            shape = [1 + self.up_to(7)][: self.up_to(3)]
        else:
            shape = [1 + self.up_to(3) for _ in range(self.up_to(4))]
        self._tensors.append(self.tensor(name, kind, shape))
        return name

    def attribute(self, name: str, kind: Any) -> Any:
        proto = AttributeProto(name=name, type=int(kind))
        draws: dict[int, Callable[[], Any]] = {
            AttributeProto.INT: lambda: setattr(proto, "i", self.size()),
            AttributeProto.FLOAT: lambda: setattr(proto, "f", self.number()),
            AttributeProto.STRING: lambda: setattr(proto, "s", self.one(TEXTS)),
            AttributeProto.INTS: lambda: proto.ints.extend(self.size() for _ in range(self.up_to(8))),
            AttributeProto.FLOATS: lambda: proto.floats.extend(self.number() for _ in range(self.up_to(8))),
            AttributeProto.TENSOR: lambda: proto.t.CopyFrom(self.tensor("", self.one(TYPES), [self.size()])),
        }
        if int(kind) in draws:
            draws[int(kind)]()
        return proto

    def node(self, number: int, opset: int) -> Any:
        constant = self.up_to(3) == 0  # a node that computes a constant
        kind = self.one(PLAIN if constant else LAYERS)
        try:
            schema = onnx.defs.get_schema(kind, opset, "")
        except Exception:  # of a version that has no such operator
            return helper.make_node("Relu", [self._names[-1]], [f"t{number}"])
        inputs: list[str] = []
        for place in range(min(schema.max_input, 5)):
            formal = schema.inputs[min(place, len(schema.inputs) - 1)]
            choice = self.up_to(7)
            if choice < 2 and len(inputs) >= schema.min_input:
                break
            if choice == 2 and formal.option == onnx.defs.OpSchema.FormalParameterOption.Optional:
                inputs.append("")
            elif (constant or place in CONVERTERS[kind].constants) and choice < 7:
                inputs.append(self.one(self._known) if choice < 4 and self._known else self.constant())
            else:
                inputs.append(
                    self._names[-1] if not inputs else self.one(self._names) if choice < 4 else self.constant()
                )
        made = helper.make_node(kind, inputs, [f"t{number}_{i}" for i in range(max(schema.min_output, 1))])
        graphs = (AttributeProto.GRAPH, AttributeProto.GRAPHS, AttributeProto.SPARSE_TENSOR)
        for name, attribute in sorted(schema.attributes.items()):
            if int(attribute.type) in graphs:
                continue
            if attribute.required or not self.up_to(2):
                made.attribute.append(self.attribute(name, attribute.type))
        (self._known if constant else self._names).extend(made.output)
        return made

    def model(self) -> Any:
        opset = 6 + self.up_to(17)
        shape = [1, *(1 + self.up_to(5) for _ in range(self.one([3, 3, 1, 2])))]
        if not self.up_to(15):
            shape = [1, *(self.size() for _ in range(self.up_to(4)))]
        nodes = [self.node(number, opset) for number in range(1 + self.up_to(5))]
        kind = self.one([TensorProto.FLOAT] * 7 + [TensorProto.UINT8])
        result = helper.make_tensor_value_info(self._names[-1], TensorProto.FLOAT, [None] * self.up_to(5))
        graph = helper.make_graph(
            nodes, "g", [helper.make_tensor_value_info("x", kind, shape)], [result], self._tensors
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
