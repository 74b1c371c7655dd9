"""Constants that nodes compute of other constants. Their sizes are known, and paid for, before they are computed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from striate._extras import require
from striate.onnx._budget import Unsupported, check_size
from striate.onnx._values import Array

# Operators that are computed when all inputs are known. The others are random, or no plain functions.
FOLDED = {
    *("Abs", "Add", "And", "Cast", "Ceil", "Clip", "Concat", "Div", "Equal", "Exp", "Flatten", "Floor", "Gather"),
    *("Greater", "Identity", "Less", "Log", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "Reciprocal"),
    *("ReduceProd", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceMean", "Reshape", "Round", "Shape", "Sign", "Size"),
    *("Slice", "Split", "Sqrt", "Squeeze", "Sub", "Sum", "Transpose", "Unsqueeze", "Where", "Relu", "MatMul"),
    *("CastLike", "ConstantOfShape", "Expand", "Range", "Tile"),
}
_SHOWN = 64  # numbers of an input that its output's size may depend on: axes, sizes, repeats
_REAL = (1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13)  # of TensorProto.DataType: whole numbers, floats and bool


def is_real(array: Array) -> bool:
    """Whether an array holds real numbers or bools."""
    return array.dtype.kind in "biuf"


def folded(onnx: ModuleType, opset: int, node: Any, arrays: Sequence[Array]) -> list[Array]:
    """The outputs of a node; `arrays` are those of its inputs that are not left out.

    Raises:
        Unsupported: they are too large, no real numbers, or cannot be computed.
    """
    names = [name for name in node.input if name]
    helper = onnx.helper
    infos = {
        name: helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, arrays, strict=True)
    }
    _pay(onnx, opset, node, infos, dict(zip(names, arrays, strict=True)))
    graph = helper.make_graph(
        [node],
        "constant",
        [helper.make_value_info(name, info) for name, info in infos.items()],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
    )
    reference = require("onnx.reference", "onnx", "striate.onnx.load")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    try:
        with np.errstate(all="ignore"):
            results = reference.ReferenceEvaluator(model).run(None, dict(zip(names, arrays, strict=True)))
    except Exception as error:  # onnx's classes, and those of NumPy for arguments that do not fit
        raise Unsupported(f"it cannot be computed: {type(error).__name__}: {error}") from None
    return [np.asarray(result) for result in results]


def _pay(onnx: ModuleType, opset: int, node: Any, infos: dict[str, Any], arrays: dict[str, Array]) -> None:
    """Take the outputs and the work of a node from the model's budget."""
    shown = {name: onnx.numpy_helper.from_array(array, name) for name, array in arrays.items() if array.size <= _SHOWN}
    if node.op_type == "Slice" and not all(array.size for array in arrays.values()):
        raise Unsupported("it slices an empty constant")  # onnx ends the process for a negative step
    for attribute in node.attribute:
        # onnx makes that many outputs before it compares the numbers.
        if attribute.name == "num_outputs" and attribute.i != len(node.output):
            raise Unsupported(f"num_outputs is {attribute.i}, and it has {len(node.output)} outputs")
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
        made = onnx.shape_inference.infer_node_outputs(
            schema, node, infos, shown, opset_imports=[onnx.helper.make_opsetid("", opset)]
        )
    except Exception as error:  # the classes are those of the C++ module
        raise Unsupported(f"it cannot be computed: {str(error).strip()}") from None
    total = sum(array.size for array in arrays.values())
    for name in node.output:
        if not name:
            continue
        kind = made[name].tensor_type if name in made else None
        if kind is None or not kind.HasField("shape") or any(not d.HasField("dim_value") for d in kind.shape.dim):
            raise Unsupported(f"the size of its constant output {name!r} does not follow from its inputs")
        if kind.elem_type not in _REAL:
            raise Unsupported(f"its constant output {name!r} does not hold real numbers")
        sizes = [d.dim_value for d in kind.shape.dim]
        if min(sizes, default=0) < 0:
            raise Unsupported(f"its constant output {name!r} has shape {tuple(sizes)}")
        total += math.prod(sizes)
        if node.op_type == "MatMul":
            total += _products(math.prod(sizes), arrays[node.input[0]])
    check_size(total, "a constant")


def _products(outputs: int, matrix: Array) -> int:
    """The cost of the multiplications of a matrix product; those of integers are slow."""
    products = outputs * (matrix.shape[-1] if matrix.ndim else 1)
    return products // 256 if matrix.dtype.kind == "f" else products
