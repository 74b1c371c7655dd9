"""Graphs of channels-last networks: their inputs and outputs are (N, H, W, C), as they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402
from striate.onnx import load  # noqa: E402

FILES = Path(__file__).parent / "files"
RNG = np.random.default_rng(0)
node = helper.make_node


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def model_of(
    nodes: list[Any], inputs: dict[str, list[Any]], outputs: list[str], constants: dict[str, Any], opset: int = 17
) -> Any:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(name, 1, shape) for name, shape in inputs.items()],
        [helper.make_empty_tensor_value_info(name) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    whole = onnx.shape_inference.infer_shapes(made)
    del whole.graph.value_info[:]
    return whole


def by_runtime(model: Any, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)


def listed(outputs: Any) -> list[np.ndarray]:
    return outputs if isinstance(outputs, list) else [outputs]


def turned(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(0, 2, 3, 1))


def check(model: Any, inputs: dict[str, np.ndarray], first: frozenset[str] = frozenset(), source: Any = None) -> Any:
    """Load, predict, compare with ONNX Runtime; `first` names the tensors that are (N, C, H, W) in the graph."""
    loaded = load(model if source is None else source)
    wants = by_runtime(model, inputs)
    arrays = [turned(array) if name in first else array for name, array in inputs.items()]
    gots = listed(loaded.predict(arrays if len(arrays) > 1 else arrays[0]))
    for info, got, want in zip(model.graph.output, gots, wants, strict=True):
        want = turned(want) if info.name in first else want
        assert got.shape == want.shape, info.name
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    return loaded


@pytest.mark.parametrize("path", sorted(FILES.glob("keras_*.onnx")), ids=lambda path: path.stem)
def test_what_keras_itself_exports(path: Path) -> None:
    model = onnx.load(path)
    inputs = {}
    for info in model.graph.input:
        shape = [dim.dim_value or 2 for dim in info.type.tensor_type.shape.dim]
        inputs[info.name] = normal(*shape)
    loaded = check(model, inputs, source=path)
    shapes = loaded.input_shape if isinstance(loaded.input_shape, list) else [loaded.input_shape]
    assert [shape[1:] for shape in shapes] == [array.shape[1:] for array in inputs.values()]


@pytest.mark.parametrize(
    "first", [node("Cast", ["x"], ["i"], to=1), node("Identity", ["x"], ["i"]), node("Mul", ["x", "k"], ["i"])]
)
def test_an_input_behind_other_operators(first: Any) -> None:
    nodes = [
        first,
        node("Transpose", ["i"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    model = model_of(nodes, {"x": [1, 5, 6, 3]}, ["y"], {"w": normal(2, 3, 1, 1), "k": np.float32(2)})
    loaded = check(model, {"x": normal(1, 5, 6, 3)})
    assert (loaded.input_shape, loaded.output_shape) == ((None, 5, 6, 3), (None, 5, 6, 2))
    assert "Permute" not in [type(layer).__name__ for layer in loaded.layers]


@pytest.mark.parametrize(
    "last",
    [
        node("Softmax", ["l"], ["y"], axis=3),
        node("Sigmoid", ["l"], ["y"]),
        node("Reshape", ["l", "s"], ["y"]),
        node("Slice", ["l", "zero", "four", "one"], ["y"]),
    ],
)
def test_an_output_behind_other_operators(last: Any) -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["l"], perm=[0, 2, 3, 1]),
        last,
    ]
    constants = {
        "w": normal(2, 3, 1, 1),
        "s": np.array([1, 30, 2, 1]),
        "zero": np.array([0]),
        "four": np.array([4]),
        "one": np.array([1]),
    }
    check(model_of(nodes, {"x": [1, 5, 6, 3]}, ["y"], constants), {"x": normal(1, 5, 6, 3)})


def test_each_input_and_output_has_a_layout_of_its_own() -> None:
    nodes = [
        node("Relu", ["last"], ["r"]),
        node("Transpose", ["r"], ["t"], perm=[0, 3, 1, 2]),
        node("Transpose", ["other"], ["o"], perm=[0, 3, 1, 2]),
        node("Concat", ["t", "first", "o"], ["all"], axis=1),
        node("Conv", ["all", "w"], ["c"]),
        node("Add", ["c", "c"], ["y_first"]),
        node("Transpose", ["c"], ["n"], perm=[0, 2, 3, 1]),
        node("Tanh", ["n"], ["y_last"]),
        node("GlobalAveragePool", ["c"], ["g"]),
        node("Flatten", ["g"], ["y_flat"]),
    ]
    inputs = {"last": [1, 5, 6, 3], "first": [1, 2, 5, 6], "other": [1, 5, 6, 1]}
    model = model_of(nodes, inputs, ["y_first", "y_last", "y_flat"], {"w": normal(4, 6, 2, 3)})
    arrays = {name: normal(*shape) for name, shape in inputs.items()}
    loaded = check(model, arrays, frozenset({"first", "y_first"}))
    assert loaded.input_shape == [(None, 5, 6, 3), (None, 5, 6, 2), (None, 5, 6, 1)]


def test_one_channel_is_moved_by_a_reshape() -> None:
    nodes = [
        node("Mul", ["x", "k"], ["m"]),
        node("Reshape", ["m", "to_first"], ["t"]),
        node("Conv", ["t", "w"], ["c"]),
        node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    constants = {"k": np.float32(0.5), "to_first": np.array([-1, 1, 5, 6]), "w": normal(2, 1, 2, 2)}
    loaded = check(model_of(nodes, {"x": ["N", 5, 6, 1]}, ["y"], constants), {"x": normal(2, 5, 6, 1)})
    assert loaded.input_shape == (None, 5, 6, 1)


def test_a_size_of_minus_one_is_open() -> None:
    model = model_of([node("Relu", ["x"], ["y"])], {"x": [-1, 3, "h", -1]}, ["y"], {})
    with pytest.raises(ValueError, match=r"not all known: \(1, 3, \?, \?\)"):
        load(model)
    loaded = load(model, {"x": (1, 3, 4, 5)})
    assert loaded.input_shape == (None, 4, 5, 3)
    assert load(model_of([node("Relu", ["x"], ["y"])], {"x": [-1, 3, 4, 5]}, ["y"], {})).input_shape == (None, 4, 5, 3)


@st.composite
def channels_last(draw: st.DrawFn) -> tuple[Any, dict[str, np.ndarray], frozenset[str]]:
    """A graph of blocks; each brings its tensors to (N, C, H, W) for a spatial operator, and back or not."""
    nodes: list[Any] = []
    constants: dict[str, np.ndarray] = {"k": np.float32(0.5)}
    count = 0

    def add(kind: str, inputs: list[str], **attributes: Any) -> str:
        nonlocal count
        count += 1
        nodes.append(node(kind, inputs, [f"t{count}"], **attributes))
        return f"t{count}"

    def indifferent(name: str, least: int = 0) -> str:
        for _ in range(draw(st.integers(least, 3))):
            kind = draw(st.sampled_from(["Relu", "Cast", "Identity", "Mul", "Sub", "Div", "Sigmoid", "Clip", "Twice"]))
            if kind in ("Mul", "Sub", "Div"):
                name = add(kind, [name, "k"])
            elif kind == "Twice":
                name = add("Add", [name, add("Tanh", [name])])
            else:
                name = add(kind, [name], **({"to": 1} if kind == "Cast" else {}))
        return name

    inputs, first = {}, set()
    maps = []
    for number in range(draw(st.integers(1, 3))):
        name, is_first = f"x{number}", draw(st.booleans())
        inputs[name] = [1, 3, 5, 6] if is_first else [1, 5, 6, 3]
        found = indifferent(name)
        if is_first:
            first.add(name)
        else:
            found = add("Transpose", [found], perm=[0, 3, 1, 2])
        maps.append(indifferent(found))
    together = maps[0] if len(maps) == 1 else add("Concat", maps, axis=1)
    outputs = []
    for _ in range(draw(st.integers(1, 3))):
        kind = draw(st.sampled_from(["Conv", "MaxPool", "BatchNormalization"]))
        if kind == "Conv":
            constants[f"w{count}"] = normal(draw(st.integers(2, 4)), 3 * len(maps), 2, 2)
            found = add("Conv", [together, f"w{count}"])
        elif kind == "MaxPool":
            found = add("MaxPool", [together], kernel_shape=[2, 2])
        else:
            numbers = [f"b{count}_{i}" for i in range(4)]
            constants |= {number: np.abs(normal(3 * len(maps))) + 1 for number in numbers}
            found = add("BatchNormalization", [together, *numbers])
        found = indifferent(found)
        if last := draw(st.booleans()):
            found = add("Transpose", [found], perm=[0, 2, 3, 1])
            if draw(st.booleans()):
                found = add("Softmax", [found], axis=draw(st.sampled_from([-1, 3])))
        found = indifferent(found, 1)
        if found not in outputs:
            outputs.append(found)
            if not last:
                first.add(found)
    model = model_of(nodes, inputs, outputs, constants)
    return model, {name: normal(*shape) for name, shape in inputs.items()}, frozenset(first)


@given(channels_last())
def test_transposes_among_operators_that_do_not_care(
    drawn: tuple[Any, dict[str, np.ndarray], frozenset[str]],
) -> None:
    model, inputs, first = drawn
    check(model, inputs, first)


def test_layouts_of_long_chains_take_linear_time() -> None:
    """Recursion, or a search over all nodes for each, would show here."""
    chain = [node("Identity", [f"t{i}"], [f"t{i + 1}"]) for i in range(20_000)]
    chain[0].input[0] = "x"
    wide = node("Sum", ["t20000"] * 3000, ["s"])
    nodes = [*chain, wide, node("Transpose", ["t20000"], ["f"], perm=[0, 3, 1, 2]), node("Relu", ["f"], ["y"])]
    loaded = load(model_of(nodes, {"x": [1, 4, 5, 2]}, ["y"], {}))
    assert (loaded.input_shape, loaded.output_shape) == ((None, 4, 5, 2), (None, 4, 5, 2))
