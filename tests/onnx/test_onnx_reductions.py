"""Reductions, places of extremes, norms and powers beside ONNX Runtime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from onnx import helper, numpy_helper  # noqa: E402
from striate.onnx import load  # noqa: E402
from striate.onnx.backend import Backend  # noqa: E402

SHAPE = (2, 4, 5, 3)
REDUCING = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin")
REDUCING += ("ReduceProd", "ReduceSum", "ReduceSumSquare")
FLOAT, INT64 = 1, 7


def model_of(
    nodes: list[Any], constants: dict[str, Any] | None = None, shape: Any = SHAPE, opset: int = 18, kind: int = FLOAT
) -> Any:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", FLOAT, shape)],
        [helper.make_tensor_value_info("y", kind, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    return onnx.shape_inference.infer_shapes(made)


def compare(model: Any, x: np.ndarray, tolerance: float = 1e-5) -> None:
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (want,) = session.run(None, {"x": x})
    (got,) = Backend.run_model(model, [x])
    assert got.shape == want.shape and got.dtype == want.dtype
    np.testing.assert_allclose(got, want, rtol=tolerance, atol=tolerance * float(np.abs(want[np.isfinite(want)]).max()))


def drawn(shape: tuple[int, ...] = SHAPE, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axes", [[1], [-1], [2, 3], [1, 3], [3, 1, 2]], ids=str)
@pytest.mark.parametrize("kind", REDUCING)
def test_reductions_over_any_axes(kind: str, axes: list[int], keep: int) -> None:
    x = np.abs(drawn()) if kind == "ReduceLogSum" else drawn()
    given = helper.make_node(kind, ["x", "axes"], ["y"], keepdims=keep)
    compare(model_of([given], {"axes": np.array(axes)}), x)
    if kind != "ReduceSum":  # an attribute before version 18
        compare(model_of([helper.make_node(kind, ["x"], ["y"], axes=axes, keepdims=keep)], opset=13), x)


def test_sums_of_exponentials_of_large_numbers() -> None:
    node = helper.make_node("ReduceLogSumExp", ["x", "axes"], ["y"])
    compare(model_of([node], {"axes": np.array([1])}), 300 * drawn())
    compare(model_of([helper.make_node("LogSoftmax", ["x"], ["y"], axis=1)]), 300 * drawn())


@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("opset", [11, 13])
def test_logarithms_of_a_softmax(axis: int, opset: int) -> None:
    compare(model_of([helper.make_node("LogSoftmax", ["x"], ["y"], axis=axis)], opset=opset), drawn())


@pytest.mark.parametrize("last", [0, 1])
@pytest.mark.parametrize("keep", [0, 1])
@pytest.mark.parametrize("axis", [1, 2, -1])
@pytest.mark.parametrize("kind", ["ArgMax", "ArgMin"])
def test_places_of_extremes(kind: str, axis: int, keep: int, last: int) -> None:
    node = helper.make_node(kind, ["x"], ["y"], axis=axis, keepdims=keep, select_last_index=last)
    model = model_of([node], kind=INT64)
    compare(model, drawn())
    compare(model, np.round(drawn()))  # several are the largest
    compare(model, 1e-42 * np.round(drawn(seed=1)).astype(np.float32))


def test_places_are_cast_and_classes_are_found() -> None:
    nodes = [
        helper.make_node("Softmax", ["x"], ["p"], axis=1),
        helper.make_node("ArgMax", ["p"], ["a"], axis=1),
        helper.make_node("Cast", ["a"], ["b"], to=6),
        helper.make_node("Cast", ["b"], ["y"], to=1),
    ]
    model = model_of(nodes)
    x = drawn()
    compare(model, x)
    classes = load(model).predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1)))
    assert classes.dtype == np.float32
    np.testing.assert_array_equal(classes[..., 0], x.argmax(axis=1))
    halved = [*nodes[:3], helper.make_node("Div", ["b", "two"], ["h"]), helper.make_node("Cast", ["h"], ["y"], to=1)]
    with pytest.raises(ValueError, match="it divides whole numbers"):
        load(model_of(halved, {"two": np.int32(2)}))


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("LpNormalization", {"axis": 1, "p": 2}),
        ("LpNormalization", {"axis": -1, "p": 1}),
        ("GlobalLpPool", {"p": 2}),
        ("GlobalLpPool", {"p": 1}),
        ("LRN", {"size": 3, "alpha": 0.5, "beta": 0.6, "bias": 2.0}),
        ("LRN", {"size": 5, "alpha": 0.5}),
        ("LRN", {"size": 9}),
        ("Softsign", {}),
        ("Shrink", {"lambd": 0.5, "bias": 0.25}),
        ("Shrink", {}),
    ],
    ids=str,
)
def test_norms_and_activations(kind: str, attributes: dict[str, Any]) -> None:
    compare(model_of([helper.make_node(kind, ["x"], ["y"], **attributes)]), drawn())


@pytest.mark.parametrize("axis", [-1, 1, 2])
def test_normalisation_by_the_root_mean_square(axis: int) -> None:
    scale = drawn(SHAPE[axis:], seed=1)
    node = helper.make_node("RMSNormalization", ["x", "s"], ["y"], axis=axis, epsilon=1e-3)
    model, x = model_of([node], {"s": scale}, opset=23), drawn()
    (got,) = Backend.run_model(model, [x])
    axes = tuple(range(axis % 4, 4))
    want = x / np.sqrt(np.mean(x.astype(np.float64) ** 2, axis=axes, keepdims=True) + 1e-3) * scale
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("repeats", [(1, 2, 1, 1), (1, 1, 3, 2), (1, 2, 2, 2)], ids=str)
def test_tiles(repeats: tuple[int, ...]) -> None:
    compare(model_of([helper.make_node("Tile", ["x", "r"], ["y"])], {"r": np.array(repeats)}), drawn())


def test_powers() -> None:
    x, node = drawn(), helper.make_node("Pow", ["x", "e"], ["y"])
    whole = np.array([-2, 0, 3], np.float32)  # along the last axis
    compare(model_of([node], {"e": whole}), x)
    compare(model_of([node], {"e": np.array([2, 3, 5], np.int64)}), x)
    compare(model_of([node], {"e": np.array([0.5, 1.7, -0.3], np.float32)}), np.abs(x) + 0.1)
    compare(model_of([helper.make_node("Pow", ["e", "x"], ["y"])], {"e": np.array([0.5, 2, 3], np.float32)}), x)
    both = [helper.make_node("Abs", ["x"], ["a"]), helper.make_node("Pow", ["a", "x"], ["y"])]
    compare(model_of(both), x, 1e-4)
    with pytest.raises(ValueError, match="its base holds numbers that are not above 0"):
        load(model_of([helper.make_node("Pow", ["e", "x"], ["y"])], {"e": np.array([-1.0], np.float32)}))


def test_bounds_in_the_wrong_order() -> None:
    node = helper.make_node("Clip", ["x", "low", "high"], ["y"])
    compare(model_of([node], {"low": np.float32(2), "high": np.float32(1)}), drawn())


@pytest.mark.parametrize(("a", "b"), [((3, 1, 3, 4), (1, 2, 4, 2)), ((4,), (2, 4, 3)), ((4,), (4,)), ((2, 3, 4), (4,))])
def test_products_of_any_axes(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    infos = [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in (("a", a), ("b", b))]
    node = helper.make_node("MatMul", ["a", "b"], ["y"])
    graph = helper.make_graph([node], "graph", infos, [helper.make_tensor_value_info("y", FLOAT, None)])
    model = onnx.shape_inference.infer_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]))
    left, right = drawn(a), drawn(b, seed=1)
    (got,) = Backend.run_model(model, [left, right])
    np.testing.assert_allclose(got, np.matmul(left, right), rtol=1e-5, atol=1e-5)
