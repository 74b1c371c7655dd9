"""Several nodes that are one layer, tensors whose batch is not the first axis, and weights that nodes share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import onnxruntime

import onnx
from onnx import helper, numpy_helper
from striate.onnx import load

node = helper.make_node
RNG = np.random.default_rng(3)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def graph(nodes: Sequence[Any], shape: Sequence[int], constants: dict[str, Any], opset: int = 17) -> Any:
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    ends = [helper.make_tensor_value_info(name, 1, sizes) for name, sizes in (("x", shape), ("y", [None] * len(shape)))]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def same(model: Any, x: np.ndarray) -> list[str]:
    """Compares with ONNX Runtime; the kinds of the layers."""
    onnx.checker.check_model(model)
    (want,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    loaded = load(model)
    maps = x.ndim == 4 and loaded.input_shape[1:] != x.shape[1:]
    got = loaded.predict(np.ascontiguousarray(np.moveaxis(x, 1, -1)) if maps else x)
    got = np.moveaxis(got, -1, 1) if maps and got.ndim == 4 else got
    assert got.shape == want.shape
    assert np.abs(got - want).max() <= 2e-6 * max(np.abs(want).max(), 1)
    return [type(layer).__name__ for layer in loaded.layers[1:]]


@pytest.mark.parametrize("squared", ["Pow", "Mul"])
@pytest.mark.parametrize("shifted", [True, False])
def test_layer_normalisation(squared: str, shifted: bool) -> None:
    nodes = [
        node("ReduceMean", ["x"], ["mean"], axes=[-1]),
        node("Sub", ["x", "mean"], ["d"]),
        node("Pow", ["d", "two"], ["d2"]) if squared == "Pow" else node("Mul", ["d", "d"], ["d2"]),
        node("ReduceMean", ["d2"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["s"]),
        node("Div", ["d", "s"], ["q"]),
        node("Mul", ["q", "g"], ["scaled" if shifted else "y"]),
        *([node("Add", ["scaled", "b"], ["y"])] if shifted else []),
    ]
    constants = {"two": np.float32(2), "eps": np.float32(1e-5), "g": normal(8), "b": normal(8)}
    assert same(graph(nodes, [2, 5, 8], constants, 12), normal(2, 5, 8)) == ["LayerNormalization"]


def test_what_only_looks_like_layer_normalisation_is_computed_as_it_is() -> None:
    nodes = [
        node("ReduceMean", ["x"], ["mean"], axes=[-1]),
        node("Sub", ["x", "mean"], ["d"]),
        node("Pow", ["d", "two"], ["d2"]),
        node("ReduceMean", ["d2"], ["v"], axes=[-1]),
        node("Add", ["v", "eps"], ["ve"]),
        node("Sqrt", ["ve"], ["s"]),
        node("Div", ["d", "s"], ["q"]),
        node("Mul", ["q", "s"], ["y"]),  # the deviation is read twice
    ]
    assert "LayerNormalization" not in same(
        graph(nodes, [2, 5, 8], {"two": np.float32(2), "eps": np.float32(1e-5)}, 12), normal(2, 5, 8)
    )


@pytest.mark.parametrize(
    ("nodes", "layer"),
    [
        ([node("Sigmoid", ["x"], ["g"]), node("Mul", ["g", "x"], ["y"])], "silu"),
        ([node("HardSigmoid", ["x"], ["g"], alpha=1 / 6), node("Mul", ["x", "g"], ["y"])], "hard_swish"),
    ],
)
def test_gated_activations(nodes: list[Any], layer: str) -> None:
    loaded = load(graph(nodes, [2, 6], {}))
    assert [layer.get_config()["activation"] for layer in loaded.layers[1:]] == [layer]
    assert same(graph(nodes, [2, 6], {}), normal(2, 6)) == ["Activation"]


def test_gelu_by_tanh() -> None:
    nodes = [
        node("Mul", ["x", "x"], ["x2"]),
        node("Mul", ["x", "x2"], ["x3"]),
        node("Mul", ["x3", "cubic"], ["c"]),
        node("Add", ["x", "c"], ["s"]),
        node("Mul", ["s", "root"], ["r"]),
        node("Tanh", ["r"], ["t"]),
        node("Add", ["t", "one"], ["g"]),
        node("Mul", ["x", "g"], ["xg"]),
        node("Mul", ["xg", "half"], ["y"]),
    ]
    numbers = {"cubic": 0.044715, "root": np.sqrt(2 / np.pi), "one": 1.0, "half": 0.5}
    constants = {name: np.float32(number) for name, number in numbers.items()}
    names = [str(layer.name) for layer in load(graph(nodes, [2, 6], constants)).layers]
    assert len(names) == 8  # the layers of Gelu's tanh form
    same(graph(nodes, [2, 6], constants), normal(2, 6))


def test_a_product_with_a_bias_is_a_dense_layer() -> None:
    nodes = [
        node("Transpose", ["w"], ["wt"], perm=[1, 0]),
        node("MatMul", ["x", "wt"], ["p"]),
        node("Add", ["b", "p"], ["y"]),
    ]
    assert same(graph(nodes, [2, 5, 8], {"w": normal(3, 8), "b": normal(3)}), normal(2, 5, 8)) == ["Dense"]


def test_attention_with_heads_split_off_behind_a_moved_batch() -> None:
    """(N, T, 3, H, D) is turned to (3, N, H, T, D) and cut into query, key and value, as transformers write it."""
    nodes = [
        node("MatMul", ["x", "w"], ["qkv"]),
        node("Reshape", ["qkv", "apart"], ["five"]),
        node("Transpose", ["five"], ["turned"], perm=[2, 0, 3, 1, 4]),
    ]
    for index, name in enumerate("qkv"):
        if index < 2:
            ends = [f"{name}/begin", f"{name}/end", "first"]
            nodes.append(node("Slice", ["turned", *ends], [f"{name}/cut"]))
            nodes.append(node("Squeeze", [f"{name}/cut", "first"], [name]))
        else:
            nodes.append(node("Gather", ["turned", "two"], [name], axis=0))
    nodes += [
        node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]),
        node("MatMul", ["q", "kt"], ["s"]),
        node("Mul", ["s", "scale"], ["scaled"]),
        node("Softmax", ["scaled"], ["p"], axis=-1),
        node("MatMul", ["p", "v"], ["o"]),
        node("Transpose", ["o"], ["back"], perm=[0, 2, 1, 3]),
        node("Reshape", ["back", "joined"], ["y"]),
    ]
    constants: dict[str, Any] = {"w": normal(8, 24), "apart": np.array([0, 5, 3, 2, 4]), "joined": np.array([0, 5, 8])}
    constants |= {"first": np.array([0]), "two": np.array(2), "scale": np.float32(0.5)}
    constants |= {"q/begin": np.array([0]), "q/end": np.array([1]), "k/begin": np.array([1]), "k/end": np.array([2])}
    kinds = same(graph(nodes, [3, 5, 8], constants), normal(3, 5, 8))
    assert kinds.count("MatMul") == 2


def test_a_batch_that_was_moved_is_refused_where_it_matters() -> None:
    turned = node("Transpose", ["x"], ["t"], perm=[1, 0, 2])
    with pytest.raises(ValueError, match="Softmax node 1: the batch is axis 1 of its input; expected axis 0"):
        load(graph([turned, node("Softmax", ["t"], ["y"])], [2, 5, 8], {}))
    with pytest.raises(ValueError, match="output 'y': a Transpose moves the batch to axis 1"):
        load(graph([turned, node("Identity", ["t"], ["y"])], [2, 5, 8], {}))
    back = [turned, node("Squeeze", ["u", "zero"], ["s"]), node("Transpose", ["s"], ["y"], perm=[1, 0, 2])]
    back.insert(1, node("Unsqueeze", ["t", "zero"], ["u"]))
    assert same(graph(back, [2, 5, 8], {"zero": np.array([0])}), normal(2, 5, 8)) == ["Activation"]


def test_a_sequence_of_parts() -> None:
    nodes = [
        node("SplitToSequence", ["x", "size"], ["parts"], axis=1),
        node("SequenceAt", ["parts", "one"], ["b"]),
        node("SequenceAt", ["parts", "zero"], ["a"]),
        node("Concat", ["b", "a"], ["y"], axis=1),
    ]
    same(graph(nodes, [2, 6], {"size": np.array(3), "zero": np.array(0), "one": np.array(1)}), normal(2, 6))


def test_a_quotient_that_is_0_where_the_divisor_is() -> None:
    nodes = [
        node("Mul", ["x", "k"], ["b"]),
        node("Equal", ["b", "zero"], ["none"]),
        node("Div", ["x", "b"], ["q"]),
        node("Where", ["none", "zero", "q"], ["y"]),
    ]
    model = graph(nodes, [2, 4], {"k": np.array([1, 0, 2, 0], np.float32), "zero": np.float32(0)})
    same(model, normal(2, 4))
    assert np.isfinite(load(model).predict(normal(2, 4))).all()


def test_two_convolutions_with_the_same_weights_are_one_layer() -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["a"], pads=[1, 1, 1, 1]),
        node("Conv", ["a", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
        node("Conv", ["c", "other", "b"], ["y"], pads=[1, 1, 1, 1]),
    ]
    weight = normal(3, 3, 3, 3)
    model = graph(nodes, [1, 3, 5, 6], {"w": weight, "b": normal(3), "other": weight})
    same(model, normal(1, 3, 5, 6))
    assert load(model).count_params() == 2 * (81 + 3)


@pytest.mark.parametrize("exponent", [0.0, 1.0, 2.0, 3.0, 0.5, -0.5, -1.0, -2.0, 1.7])
def test_powers(exponent: float) -> None:
    same(graph([node("Pow", ["x", "e"], ["y"])], [2, 5], {"e": np.float32(exponent)}), np.abs(normal(2, 5)) + 0.5)


def test_a_view_of_all_elements_in_their_order() -> None:
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[-1, -2]),
        node("Reshape", ["m", "flat"], ["f"]),
        node("Gather", ["f", "all"], ["y"]),
    ]
    indices = np.arange(6).reshape(1, 6, 1, 1)
    assert same(graph(nodes, [1, 6, 4, 5], {"flat": np.array([-1]), "all": indices}), normal(1, 6, 4, 5))
    with pytest.raises(ValueError, match="mixes samples"):
        load(graph(nodes, [1, 6, 4, 5], {"flat": np.array([-1]), "all": indices[:, ::-1]}))


def test_files_of_float16_are_computed_in_float32() -> None:
    half = onnx.TensorProto.FLOAT16
    tensors = [
        numpy_helper.from_array(normal(*shape).astype(np.float16), name)
        for name, shape in (("w", (4, 3, 3, 3)), ("b", (4,)), ("k", (1,)))
    ]
    nodes = [
        node("Cast", ["x"], ["c"], to=half),
        node("Conv", ["c", "w", "b"], ["a"]),
        node("Mul", ["a", "k"], ["m"]),
        node("Relu", ["m"], ["y"]),
    ]
    ends = [
        helper.make_tensor_value_info("x", half, [1, 3, 6, 5]),
        helper.make_tensor_value_info("y", half, [1, 4, 4, 3]),
    ]
    made = helper.make_graph(nodes, "g", ends[:1], ends[1:], tensors)
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    x = normal(1, 3, 6, 5).astype(np.float16)
    (want,) = onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": x})
    loaded = load(model)
    got = loaded.predict(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    assert loaded.layers[1].get_weights()[0].dtype == np.float32
    assert np.abs(np.moveaxis(got, -1, 1) - want.astype(np.float32)).max() < 2e-2


@pytest.mark.parametrize("kind", ["Greater", "Less", "GreaterOrEqual", "LessOrEqual", "Equal"])
def test_comparisons(kind: str) -> None:
    nodes = [
        node("Mul", ["x", "k"], ["b"]),
        node(kind, ["x", "b"], ["c"]),
        node("Not", ["c"], ["n"]),
        node("Greater", ["x", "zero"], ["p"]),
        node("And", ["n", "p"], ["both"]),
        node("Or", ["both", "mask"], ["any"]),
        node("Where", ["any", "x", "b"], ["w"]),
        node("Where", ["mask", "w", "seven"], ["v"]),
        node("Sign", ["x"], ["s"]),
        node("Add", ["v", "s"], ["y"]),
    ]
    constants: dict[str, Any] = {"k": np.array([1, 2, 0.5, 1, 2, -1], np.float32), "zero": np.float32(0)}
    constants |= {"mask": np.array([True, False, True, True, True, True]), "seven": np.float32(7)}
    x = np.array([[1, 2, 3, 0, 0, 1e-44], [-1, -2, -3, 1e-40, np.float32(1e38), -1e-30]], np.float32)
    same(graph(nodes, [2, 6], constants), x)


def test_given_sizes_override_those_that_the_file_states() -> None:
    model = graph([node("Conv", ["x", "w"], ["y"])], [1, 3, 6, 5], {"w": normal(4, 3, 3, 3)})
    assert load(model).input_shape == (None, 6, 5, 3)
    assert load(model, {"x": (1, 3, 9, 8)}).output_shape == (None, 7, 6, 4)
    with pytest.raises(ValueError, match=r"input 'x' has shape \[1, 3, 6, 5\], got \(3, 9, 8\)"):
        load(model, {"x": (3, 9, 8)})
