"""Files that ask for much, or that contradict themselves: refused soon, with the node's name."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from striate.onnx import load  # noqa: E402

node = helper.make_node
INT = TensorProto.INT64


def info(name: str, shape: list[Any] | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def model_of(
    nodes: list[Any],
    constants: dict[str, Any] | None = None,
    shape: tuple[Any, ...] = (1, 3, 4, 5),
    opset: int = 17,
    tensors: tuple[Any, ...] = (),
    outputs: tuple[str, ...] = ("y",),
) -> Any:
    initializers = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    results = [info(name, [None] * 4) for name in outputs]
    graph = helper.make_graph(nodes, "graph", [info("x", list(shape))], results, [*initializers, *tensors])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def refused(model: Any, reason: str, seconds: float = 5.0, megabytes: float = 300.0) -> None:
    """The model is refused for this reason, without much time or memory."""
    tracemalloc.start()
    begin = time.process_time()
    try:
        with pytest.raises(ValueError, match=reason):
            load(model)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert time.process_time() - begin < seconds
    assert peak < megabytes * 2**20


# Two vectors of 100,000 numbers that a few bytes represent.
ROW = node("ConstantOfShape", ["n"], ["row"], value=numpy_helper.from_array(np.array([3], np.int64)))
COLUMN = node("Unsqueeze", ["row", "one"], ["column"])
START = {"n": np.array([100_000]), "one": np.array([1])}
USE = [node("Cast", ["big"], ["f"], to=1), node("ReduceMax", ["f"], ["m"], keepdims=0), node("Mul", ["x", "m"], ["y"])]


@pytest.mark.parametrize(
    "big",
    [
        *(
            [node(kind, ["row", "column"], ["big"])]
            for kind in ("Add", "Sub", "Mul", "Div", "Mod", "Pow", "Max", "Min")
        ),
        *([node(kind, ["row", "column"], ["b"])] for kind in ("Greater", "Less", "Equal")),
        *(
            [node("Cast", ["row"], ["p"], to=9), node("Cast", ["column"], ["q"], to=9), node(kind, ["p", "q"], ["b"])]
            for kind in ("And", "Or")
        ),
        [
            *(node("Cast", [name], [name[0]], to=1) for name in ("row", "column")),
            node("Sum", ["r", "c"], ["b"]),
        ],
        [node("Equal", ["row", "row"], ["c"]), node("Where", ["c", "row", "column"], ["big"])],
        [node("MatMul", ["column", "flat"], ["big"])],
        [
            node("Mod", ["row", "one"], ["i"]),
            node("Gather", ["column", "i"], ["g"]),
            node("Mul", ["g", "row"], ["big"]),
        ],
        [node("Expand", ["row", "square"], ["big"])],
        [node("Tile", ["row", "n"], ["big"])],
        [node("Range", ["zero", "many", "step"], ["big"])],
        [node("ConstantOfShape", ["square"], ["big"])],
        [node("Reshape", ["row", "flat_shape"], ["w"]), node("Concat", ["w"] * 2000, ["big"], axis=0)],
    ],
    ids=lambda nodes: nodes[-1].op_type,
)
def test_constants_that_a_few_numbers_represent(big: list[Any]) -> None:
    constants = {
        **START,
        "zero": np.int64(0),
        "many": np.int64(10**10),
        "step": np.int64(1),
        "square": np.array([100_000, 100_000]),
        "flat_shape": np.array([1, -1]),
    }
    nodes = [ROW, COLUMN, node("Reshape", ["row", "flat_shape"], ["flat"]), *big]
    if nodes[-1].output[0] == "b":
        nodes.append(node("Cast", ["b"], ["big"], to=7))
    refused(model_of([*nodes, *USE], constants), "numbers as a constant, of which")


def test_there_is_one_budget_for_all_constants() -> None:
    nodes = [ROW, COLUMN]
    for number in range(400):
        nodes += [node("Add", ["row", "one"], [f"c{number}"])]
    refused(model_of([*nodes, node("Relu", ["x"], ["y"])], START), "numbers as a constant, of which")
    wide = node("ConstantOfShape", ["n"], ["c"])
    model = model_of(
        [wide, node("ReduceSum", ["c"], ["s"]), node("Mul", ["x", "s"], ["y"])], {"n": np.array([1 << 22])}
    )
    load(model)
    with pytest.raises(ValueError, match=r"load\(path, max_constants=...\) allows more"):
        load(model, max_constants=1 << 20)


@pytest.mark.parametrize("count", [-1, 0, 2, 1 << 31, 1 << 62])
def test_parts_of_a_constant_that_there_are_no_outputs_for(count: int) -> None:
    split = node("Split", ["c"], ["s"], axis=0, num_outputs=count)
    refused(
        model_of([split, node("Mul", ["x", "s"], ["y"])], {"c": np.ones(6, np.float32)}, opset=20),
        f"num_outputs is {count}",
    )


def test_products_of_whole_numbers_are_work() -> None:
    nodes = [
        node("ConstantOfShape", ["n"], ["a"], value=numpy_helper.from_array(np.array([3], np.int64))),
        node("MatMul", ["a", "a"], ["big"]),
    ]
    refused(model_of([*nodes, *USE], {"n": np.array([1500, 1500])}), "numbers as a constant, of which")


@pytest.mark.parametrize(
    ("last", "constants", "shape", "reason"),
    [
        (node("Resize", ["x", "", "", "s"], ["y"]), {"s": np.array([1, 1, 1 << 30, 3])}, (1, 3, 4, 5), "resamples"),
        (node("Pad", ["x", "p"], ["y"], mode="reflect"), {"p": [0, 0, 0, 0, 0, 0, 1 << 40, 0]}, (1, 3, 4, 5), "as a"),
        (node("Pad", ["x", "p"], ["y"]), {"p": [0, 0, 0, 0, 0, 0, 1 << 40, 0]}, (1, 3, 4, 5), "Pad node"),
        (node("Expand", ["x", "s"], ["y"]), {"s": np.array([1, 1, 1 << 40, 1])}, (1, 3, 1, 5), "Expand node 0"),
        (
            node("Add", ["x", "c"], ["y"]),
            {"c": np.ones((4096, 1, 1), np.float32)},
            (1, 1, 4096, 4096),
            "numbers for each samp",
        ),
        (
            node("Conv", ["x", "w"], ["y"], pads=[1 << 40] * 4),
            {"w": np.ones((2, 3, 1, 1), "f")},
            (1, 3, 4, 5),
            "Conv n",
        ),
        (
            node("Conv", ["x", "w"], ["y"], strides=[1 << 62] * 2),
            {"w": np.ones((2, 3, 1, 1), "f")},
            (1, 3, 4, 5),
            "node 0",
        ),
        (node("MaxPool", ["x"], ["y"], kernel_shape=[1 << 62] * 2), {}, (1, 3, 4, 5), "MaxPool node"),
        (node("AveragePool", ["x"], ["y"], kernel_shape=[1, 1], pads=[1 << 62] * 4), {}, (1, 3, 4, 5), "AveragePool n"),
        (
            node("ConvTranspose", ["x", "w"], ["y"], strides=[1 << 40] * 2),
            {"w": np.ones((3, 2, 1, 1), "f")},
            (1, 3, 4, 5),
            "node 0",
        ),
        (node("DepthToSpace", ["x"], ["y"], blocksize=1 << 40), {}, (1, 3, 4, 5), "DepthToSpace node"),
        *(
            (node("Split", ["x"], ["y"], axis=1, num_outputs=count), {}, (1, 3, 4, 5), f"num_outputs is {count}")
            for count in (-1, 0, 4, 1 << 31, 1 << 62)
        ),
        (node("Gelu", ["x"], ["y"], approximate="none"), {}, (1, 1 << 40, 1 << 40, 5), "input 'x' has shape"),
    ],
)
def test_layers_that_a_few_numbers_represent(
    last: Any, constants: dict[str, Any], shape: tuple[int, ...], reason: str
) -> None:
    numbers = {"m": np.array([-1]), "l": np.array([-(1 << 62)]), "two": np.array([2])}
    needed = {**{name: numbers[name] for name in last.input if name in numbers}, **constants}
    refused(model_of([last], needed, shape, opset=20), reason)


def test_loading_chains_takes_linear_time() -> None:
    def seconds(count: int) -> float:
        nodes = [node("Add", ["one" if i == 0 else f"c{i - 1}", "one"], [f"c{i}"]) for i in range(count)]
        nodes += [node("Cast", [f"c{count - 1}"], ["f"], to=1), node("Mul", ["x", "f"], ["y"])]
        model = model_of(nodes, {"one": np.array([1])})
        begin = time.process_time()
        load(model)
        return time.process_time() - begin

    seconds(10)
    short, long = seconds(500), seconds(2000)
    assert long < 12 * short + 0.5


def chain(count: int, kinds: list[tuple[str, list[str], dict[str, Any]]]) -> list[Any]:
    """Nodes one after the other, of these kinds in turn."""
    nodes = []
    for i in range(count):
        kind, more, attributes = kinds[i % len(kinds)]
        source, made = "x" if i == 0 else f"t{i - 1}", "y" if i == count - 1 else f"t{i}"
        nodes.append(node(kind, [source, *more], [made], **attributes))
    return nodes


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Concat", ["x"] * 1000, ["y"], axis=1)],
        [node("Sum", ["x"] * 300, ["y"])],
        [node("Max", ["x"] * 100, ["y"])],
        [
            node("Split", ["x"], [f"o{i}" for i in range(200)], axis=1),
            node("Sum", [f"o{i}" for i in range(200)], ["y"]),
        ],
        chain(300, [("Relu", [], {})]),
        chain(200, [("Softmax", [], {"axis": axis}) for axis in (1, 2, 3)]),
        chain(300, [("Reshape", ["s"], {}), ("Transpose", [], {"perm": [0, 3, 1, 2]})]),
        chain(200, [("Slice", ["one", "two", "axis"], {}), ("Pad", ["p", "v"], {})]),
        chain(300, [("Add", ["c"], {})]),
    ],
    ids=lambda nodes: f"{nodes[0].op_type}-{len(nodes)}",
)
def test_wide_and_long_graphs(nodes: list[Any]) -> None:
    constants = {
        "s": np.array([1, 200, 2, 2]),
        "one": np.array([1]),
        "two": np.array([2]),
        "axis": np.array([3]),
        "p": np.array([0, 0, 0, 1, 0, 0, 0, 0]),
        "v": np.float32(2),
        "c": np.ones((200, 1, 1), np.float32),
    }
    used = {name: value for name, value in constants.items() if any(name in n.input for n in nodes)}
    begin = time.process_time()
    load(model_of(nodes, used, (1, 200, 2, 2)))
    assert time.process_time() - begin < 5.0


def test_shapes_of_many_axes() -> None:
    nodes = [node("Reshape", ["x", "s"], ["y"])]
    refused(model_of(nodes, {"s": np.array([1] * 5000 + [60])}), "Reshape node 0: its output has 5001 axes")


# Files beside the model


def external(folder: Path, location: str, *, name: str = "w", copies: int = 1) -> Path:
    weights = [f"{name}{i}" for i in range(copies)]
    nodes = [node("Conv", ["x" if i == 0 else f"c{i - 1}", w], [f"c{i}"]) for i, w in enumerate(weights)]
    tensors = []
    for weight in weights:
        tensor = TensorProto(name=weight, data_type=TensorProto.FLOAT, dims=[3, 3, 1, 1])
        tensor.data_location = TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", location
        tensors.append(tensor)
    nodes.append(node("Relu", [nodes[-1].output[0]], ["y"]))
    path = folder / "m.onnx"
    path.write_bytes(model_of(nodes, tensors=tuple(tensors)).SerializeToString())
    return path


def test_pipes_and_devices_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for location in ("pipe", "folder"):
        with pytest.raises(ValueError, match="not a regular file"):
            load(external(tmp_path, location))
    (tmp_path / "zero").symlink_to("/dev/zero")
    with pytest.raises(ValueError, match="symbolic link"):
        load(external(tmp_path, "zero"))
    with pytest.raises(FileNotFoundError, match=r"'w0' is stored in 'none\.bin', which is not there"):
        load(external(tmp_path, "none.bin"))
    (tmp_path / "file.bin").write_bytes(b"\0" * 36)
    with pytest.raises((ValueError, OSError)):
        load(external(tmp_path, "file.bin/more"))


def test_bytes_that_many_tensors_share(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 36)
    load(external(tmp_path, "w.bin", copies=4))
    with pytest.raises(ValueError, match="its tensors need more than 4 times the bytes of all its files"):
        load(external(tmp_path, "w.bin", copies=5))


@pytest.mark.parametrize("number", ["1_0", "\u0664", " 4", "+4", "9" * 5000, "1e1", "-1"])
def test_offsets_that_are_no_numbers(tmp_path: Path, number: str) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 100)
    path = external(tmp_path, "w.bin")
    model = onnx.load(path, load_external_data=False)
    entry = model.graph.initializer[0].external_data.add()
    entry.key, entry.value = "offset", number
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="not a number of bytes"):
        load(path)


# Models that contradict themselves


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        (model_of([node("Relu", ["b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]), "topological"),
        (model_of([node("Relu", ["none"], ["y"])]), "none"),
        (model_of([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])]), "SSA"),
        (model_of([node("Relu", ["x"], ["x"])]), "SSA"),
        (model_of([node("Relu", ["x"], ["y"], more=1)]), "more"),
        (model_of([node("Relu", ["x", "x"], ["y"])]), "Relu"),
        (model_of([node("LeakyRelu", ["x"], ["y"], alpha="a")]), "alpha"),
        (model_of([node("LeakyRelu", ["x"], ["y"], alpha=float("nan"))]), "LeakyRelu node 0"),
        (model_of([node("Concat", ["x", "x"], ["y"], axis=1 << 62)]), "Concat node 0"),
        (model_of([node("Flatten", ["x"], ["y"], axis=-(1 << 62))]), "Flatten node 0"),
        (model_of([node("Relu", ["x"], ["y"])], opset=1 << 40), "version 1099511627776"),
        (
            model_of([node("Conv", ["x", "w"], ["y"], kernel_shape=[2, 2])], {"w": np.ones((2, 3, 1, 1), "f")}),
            "kernel_shape",
        ),
        (model_of([node("Conv", ["x", "w"], ["y"], group=2)], {"w": np.ones((2, 3, 1, 1), "f")}), "in 2 groups"),
        (model_of([node("Conv", ["x", "w"], ["y"], group=0)], {"w": np.ones((2, 3, 1, 1), "f")}), "in 0 groups"),
        (model_of([node("Mul", ["x", "c"], ["y"])], {"c": np.array(["1.5"], object)}), "not real numbers"),
        (model_of([node("Mul", ["x", "c"], ["y"])], {"c": np.array([1j], np.complex64)}), "not real numbers"),
        (model_of([node("DepthToSpace", ["x"], ["y"], blocksize=2)]), "DepthToSpace node 0"),
        (model_of([node("Reshape", ["x", "s"], ["y"])], {"s": np.array([1 << 40, 1 << 40, -1])}), "Reshape node 0"),
        (model_of([node("Gelu", ["x"], ["y"], approximate="none")], opset=17), "Gelu"),
    ],
)
def test_models_that_contradict_themselves(model: Any, reason: str) -> None:
    refused(model, reason)


def damaged(**changes: Any) -> Any:
    tensor = numpy_helper.from_array(np.ones((2, 3, 1, 1), np.float32), "w")
    for key, value in changes.items():
        if isinstance(value, list):
            del getattr(tensor, key)[:]
            getattr(tensor, key).extend(value)
        else:
            setattr(tensor, key, value)
    return model_of([node("Conv", ["x", "w"], ["y"])], tensors=(tensor,))


@pytest.mark.parametrize(
    "changes",
    [
        {"raw_data": b"\0" * 23},
        {"raw_data": b"\0" * 25},
        {"raw_data": b""},
        {"dims": [1 << 40, 1 << 40]},
        {"dims": [-2, -3, 1, 1]},
        {"dims": [2, 3, 1, -1]},
        {"data_type": 0},
        {"data_type": 99},
        {"data_type": TensorProto.STRING},
        {"data_type": TensorProto.DOUBLE},
        {"float_data": [1.0]},
    ],
)
def test_tensors_that_contradict_themselves(changes: dict[str, Any]) -> None:
    refused(damaged(**changes), "w")


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT16", "DOUBLE", "FLOAT8E4M3FN", "INT4", "UINT4"])
def test_weights_of_other_types(kind: str) -> None:
    numbers = np.array([1, 2, 3, 4, 5, 6], np.float32)
    tensor = helper.make_tensor("w", getattr(TensorProto, kind), [2, 3, 1, 1], numbers)
    model = model_of([node("Conv", ["x", "w"], ["y"])], tensors=(tensor,))
    model.ir_version = 10
    kernel = load(model).layers[1].get_weights()[0]
    np.testing.assert_array_equal(kernel.reshape(3, 2).T.reshape(-1), numbers)


def test_sparse_tensors_are_refused_and_not_left_out() -> None:
    model = model_of([node("Conv", ["x", "w", "b"], ["y"])], {"w": np.ones((2, 3, 1, 1), np.float32)})
    values = helper.make_tensor("b", TensorProto.FLOAT, [1], [5.0])
    indices = helper.make_tensor("i", INT, [1], [1])
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, indices, [2]))
    refused(model, "Conv node 0: its input 'b' is a sparse tensor")


def test_a_function_of_the_models_own_is_not_taken_for_an_operator() -> None:
    model = model_of([node("Relu", ["x"], ["y"])])
    model.ir_version = 10
    model.functions.append(
        helper.make_function("", "Relu", ["a"], ["b"], [node("Neg", ["a"], ["b"])], [helper.make_opsetid("", 17)])
    )
    refused(model, "Relu node 0: it is a function that the model defines itself")


def test_graphs_that_are_nested_deeply() -> None:
    small = helper.make_graph([node("Identity", ["x"], ["z"])], "g", [], [info("z", [1])])
    graph = small
    for _ in range(25):
        inner = node("If", ["c"], ["z"], then_branch=graph, else_branch=small)
        graph = helper.make_graph([inner], "g", [], [info("z", [1])])
    refused(model_of([node("If", ["c"], ["y"], then_branch=graph, else_branch=small)], {"c": np.array(True)}), "load")


def test_complaints_of_one_reason_are_told_together() -> None:
    nodes = [node("Sin", ["x"], [f"y{i}"]) for i in range(1000)]
    with pytest.raises(ValueError, match=r"1000 of its parts(?s:.*)1000 Sin nodes, 0, 1, 2 and 997 more") as caught:
        load(model_of(nodes, outputs=tuple(f"y{i}" for i in range(1000))))
    assert len(str(caught.value)) < 10_000


INPUTS = sorted((Path(__file__).parents[1] / "fuzz" / "regressions" / "onnx").glob("*"))


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.name)
def test_what_fuzzing_has_found(path: Path) -> None:
    """Serialized models; the first byte tells the fuzz target so."""
    model = onnx.ModelProto()
    model.ParseFromString(path.read_bytes()[1:])
    try:
        load(model)
    except ValueError as error:
        assert "Error:" not in str(error)
