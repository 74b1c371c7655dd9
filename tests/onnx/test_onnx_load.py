"""Reading ONNX models: layouts, versions, what is refused, and files that mean harm."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx")

from onnx.reference import ReferenceEvaluator  # noqa: E402

from onnx import TensorProto, helper, numpy_helper  # noqa: E402
from striate import layers  # noqa: E402
from striate.onnx import load  # noqa: E402
from striate.onnx.backend import Backend  # noqa: E402

# Of each axis: kernel, stride, rows before and after.
Axes = tuple[tuple[int, int, int, int], ...]
RNG = np.random.default_rng(0)


def normal(*shape: int) -> np.ndarray:
    return RNG.standard_normal(shape).astype(np.float32)


def info(name: str, shape: list[Any] | None, kind: int = TensorProto.FLOAT) -> Any:
    return helper.make_tensor_value_info(name, kind, shape)


def network(
    nodes: list[Any],
    constants: dict[str, np.ndarray] | None = None,
    x: list[Any] | None = None,
    outputs: tuple[str, ...] = ("y",),
    opset: int = 17,
) -> Any:
    """A model from x to y."""
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()]
    graph = helper.make_graph(nodes, "graph", [info("x", x or [1, 3, 4, 5])], [info(y, None) for y in outputs], tensors)
    domains = {"": opset, **{node.domain: 1 for node in nodes if node.domain}}
    opsets = [helper.make_opsetid(domain, version) for domain, version in domains.items()]
    made = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    return with_shapes(made)


def with_shapes(model: Any) -> Any:
    """The model with the shapes of its outputs, as far as they follow."""
    whole = onnx.shape_inference.infer_shapes(model)
    for output in whole.graph.output:
        if not output.type.tensor_type.HasField("shape"):
            output.CopyFrom(info(output.name, [None] * 4))
    return whole


def same_as_reference(model: Any, x: np.ndarray, channels_last: bool = True) -> Any:
    """Load, predict, compare with onnx's reference; the model."""
    loaded = load(model)
    wants = ReferenceEvaluator(model).run(None, {"x": x})
    maps = x.ndim == 4 and channels_last
    gots = loaded.predict(np.ascontiguousarray(x.transpose(0, 2, 3, 1)) if maps else x)
    for got, want in zip(gots if isinstance(gots, list) else [gots], wants, strict=True):
        got = got.transpose(0, 3, 1, 2) if got.ndim == 4 and channels_last else got
        assert got.shape == want.shape
        np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5 * np.abs(want).max())
    return loaded


def by_runtime(model: Any, x: np.ndarray) -> np.ndarray:
    """What ONNX Runtime makes of x."""
    runtime = pytest.importorskip("onnxruntime")
    session = runtime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


# Layouts


def test_a_dense_layer_behind_flatten_has_its_rows_permuted() -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1], name="/features/conv"),
        helper.make_node("Flatten", ["c"], ["f"]),
        helper.make_node("Gemm", ["f", "m", "v"], ["y"], transB=1, name="head"),
    ]
    constants = {"w": normal(4, 3, 3, 3), "b": normal(4), "m": normal(6, 80), "v": normal(6)}
    model = same_as_reference(network(nodes, constants, ["N", 3, 4, 5]), normal(2, 3, 4, 5))
    assert kinds(model) == ["InputLayer", "Conv2D", "Reshape", "Dense"]  # no Permute
    assert [layer.name for layer in model.layers[1::2]] == ["features_conv", "head"]
    assert model.input_shape == (None, 4, 5, 3)


def test_an_input_that_is_only_transposed_is_taken_as_it_is() -> None:
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["t", "w"], ["c"]),
        helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 3, 1]),
    ]
    model = same_as_reference(network(nodes, {"w": normal(4, 5, 2, 2)}), normal(1, 3, 4, 5), channels_last=False)
    assert kinds(model) == ["InputLayer", "Conv2D"]
    assert (model.input_shape, model.output_shape) == ((None, 3, 4, 5), (None, 2, 3, 4))


def test_channels_are_shuffled_as_shufflenet_does() -> None:
    nodes = [
        helper.make_node("Reshape", ["x", "apart"], ["a"]),
        helper.make_node("Transpose", ["a"], ["t"], perm=[0, 2, 1, 3, 4]),
        helper.make_node("Reshape", ["t", "whole"], ["s"]),
        helper.make_node("Conv", ["s", "w"], ["y"], group=2),
    ]
    constants = {
        "apart": np.array([0, 3, 2, 4, 4]),
        "whole": np.array([0, 6, 4, 4]),
        "w": normal(4, 3, 1, 1),
    }
    model = same_as_reference(network(nodes, constants, [1, 6, 4, 4]), normal(1, 6, 4, 4))
    assert kinds(model).count("Permute") == 1


@st.composite
def moves(draw: st.DrawFn) -> tuple[list[int], list[Any], dict[str, np.ndarray]]:
    """A shape, and nodes that move its elements about."""
    shape = draw(st.lists(st.sampled_from([1, 2, 3, 4, 6]), min_size=2, max_size=3))
    start, name, nodes, constants = [1, *shape], "x", [], {}
    shape = list(start)
    for i in range(draw(st.integers(1, 5))):
        kind = draw(st.sampled_from(["Reshape", "Transpose", "Flatten", "Relu", "Slice", "Concat", "Softmax", "Pad"]))
        new, extra, attributes = f"t{i}", [], {}
        if kind == "Reshape":
            left, shape = int(np.prod(shape)), [1]
            while left > 1 and len(shape) < 4:
                shape.append(draw(st.sampled_from([d for d in range(1, left + 1) if left % d == 0])))
                left //= shape[-1]
            shape += [left]
            constants[f"c{i}"], extra = np.array(shape), [f"c{i}"]
        elif kind == "Transpose":
            order = [0, *draw(st.permutations(range(1, len(shape))))]
            attributes, shape = {"perm": order}, [shape[a] for a in order]
        elif kind == "Flatten":
            shape = [1, int(np.prod(shape))]
        elif kind in ("Slice", "Concat", "Softmax", "Pad"):
            axis = draw(st.integers(1, len(shape) - 1))
            shape = list(shape)
            if kind == "Slice":
                first = draw(st.integers(0, shape[axis] - 1))
                last = draw(st.integers(first + 1, shape[axis]))
                step = draw(st.integers(1, 2))
                constants |= {f"{k}{i}": np.array([v]) for k, v in zip("seak", (first, last, axis, step), strict=True)}
                extra = [f"{k}{i}" for k in "seak"]
                shape[axis] = -(-(last - first) // step)
            elif kind == "Pad":
                pads = np.zeros((2, len(shape)), np.int64)
                pads[:, axis] = draw(st.integers(0, 2)), draw(st.integers(0, 2))
                constants[f"p{i}"], extra = pads.reshape(-1), [f"p{i}"]
                shape[axis] += int(pads.sum())
            else:
                attributes = {"axis": axis}
                if kind == "Concat":
                    extra, shape[axis] = [name], 2 * shape[axis]
        nodes.append(helper.make_node(kind, [name, *extra], [new], **attributes))
        name = new
    nodes.append(helper.make_node("Identity", [name], ["y"]))
    return start, nodes, constants


@given(moves())
def test_elements_that_move_about(drawn: tuple[list[int], list[Any], dict[str, np.ndarray]]) -> None:
    shape, nodes, constants = drawn
    model = network(nodes, constants, shape)
    x = normal(*shape)
    (want,) = ReferenceEvaluator(model).run(None, {"x": x})
    (got,) = Backend.run_model(model, [x])
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@given(
    st.sampled_from(["Add", "Sub", "Mul", "Div", "PRelu"]),
    st.lists(st.booleans(), min_size=3, max_size=3),
    st.integers(0, 3),
    st.booleans(),
)
def test_constants_are_broadcast(kind: str, varies: list[bool], axes: int, first: bool) -> None:
    shape = [3, 4, 5]
    full = [n if v else 1 for n, v in zip(shape, varies, strict=True)]
    constant = normal(*full[3 - axes :]) + np.float32(3)
    swap = first and kind in ("Add", "Sub", "Mul")
    nodes = [helper.make_node(kind, ["c", "x"] if swap else ["x", "c"], ["y"])]
    same_as_reference(network(nodes, {"c": constant}), normal(1, *shape))


@given(st.sampled_from(["Add", "Sub", "Mul"]), st.lists(st.booleans(), min_size=3, max_size=3), st.booleans())
def test_tensors_are_broadcast(kind: str, reduced: list[bool], first: bool) -> None:
    axes = [i + 1 for i, r in enumerate(reduced) if r]
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=axes, keepdims=1)
        if axes
        else helper.make_node("Relu", ["x"], ["m"]),
        helper.make_node(kind, ["m", "x"] if first else ["x", "m"], ["y"]),
    ]
    same_as_reference(network(nodes), normal(2, 3, 4, 5))


# Arguments


@given(
    st.sampled_from(["MaxPool", "AveragePool"]),
    st.tuples(*[st.tuples(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))] * 2),
    st.booleans(),
    st.booleans(),
    st.integers(1, 2),
)
def test_pooling(
    kind: str, axes: tuple[tuple[int, int, int, int], ...], ceil: bool, include: bool, dilation: int
) -> None:
    kernel, strides = [a[0] for a in axes], [a[1] for a in axes]
    pads = [min(a[2], a[0] - 1) for a in axes] + [min(a[3], a[0] - 1) for a in axes]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "pads": pads, "ceil_mode": int(ceil)}
    if kind == "AveragePool":
        attributes["count_include_pad"] = int(include)
    attributes["dilations"] = [dilation, dilation]
    node = helper.make_node(kind, ["x"], ["y"], **attributes)
    x = normal(1, 3, 7, 6)
    model = network([node], x=list(x.shape), opset=19)
    want = by_runtime(model, x)
    (got,) = Backend.run_model(model, [x])
    assert got.shape == want.shape
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)


@given(
    st.tuples(*[st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(0, 2), st.integers(0, 2))] * 2),
    st.integers(0, 1),
    st.booleans(),
    st.sampled_from([1, 2]),
)
def test_transposed_convolution(
    axes: tuple[tuple[int, int, int, int], ...], extra: int, bias: bool, group: int
) -> None:
    kernel, strides = [a[0] for a in axes], [a[1] for a in axes]
    pads = [min(a[2], a[0] - 1) for a in axes] + [min(a[3], a[0] - 1) for a in axes]
    more = [min(extra, s - 1) for s in strides]
    attributes = {"kernel_shape": kernel, "strides": strides, "pads": pads, "output_padding": more, "group": group}
    constants = {"w": normal(4, 3, *kernel), "b": normal(3 * group)}
    node = helper.make_node("ConvTranspose", ["x", "w", "b"] if bias else ["x", "w"], ["y"], **attributes)
    x = normal(1, 4, 4, 3)
    model = network([node], constants, list(x.shape))
    want = by_runtime(model, x)
    (got,) = Backend.run_model(model, [x])
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("opset", [7, 9, 10, 11, 13, 18, 20])
def test_versions_of_the_operators(opset: int) -> None:
    """Arguments that were attributes once, and softmax over all axes from one on."""
    constants: dict[str, np.ndarray] = {
        "w": normal(4, 3, 3, 3),
        "scale": normal(4),
        "beta": normal(4),
        "mean": normal(4),
    }
    constants["variance"] = np.abs(normal(4)) + 1
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("BatchNormalization", ["c", "scale", "beta", "mean", "variance"], ["n"]),
    ]

    def add(kind: str, source: str, made: str, numbers: dict[str, Any], since: int, **more: Any) -> None:
        inputs, attributes = [source], dict(more)
        for key, value in numbers.items():
            if opset >= since:
                constants[f"{made}.{key}"] = np.asarray(value)
                inputs.append(f"{made}.{key}")
            else:
                attributes[key] = value
        nodes.append(helper.make_node(kind, inputs, [made], **attributes))

    add("Clip", "n", "clip", {"min": np.float32(-0.5), "max": np.float32(0.75)}, 11)
    add("Pad", "clip", "pad", {"pads": [0, 0, 1, 0, 0, 0, 0, 2]}, 11)
    if opset >= 10:
        add("Slice", "pad", "cut", {"starts": [1], "ends": [4], "axes": [1]}, 10)
    else:
        nodes.append(helper.make_node("Slice", ["pad"], ["cut"], starts=[1], ends=[4], axes=[1]))
    add("Unsqueeze", "cut", "five", {"axes": [2]}, 13)
    add("Squeeze", "five", "four", {"axes": [2]}, 13)
    add("ReduceMean", "four", "mean_of", {"axes": [2]}, 18, keepdims=1)
    add("ReduceSum", "mean_of", "sum_of", {"axes": [2]}, 13, keepdims=0)
    nodes.append(helper.make_node("Softmax", ["sum_of"], ["y"], axis=1))
    model, x = network(nodes, constants, [1, 3, 6, 8], opset=opset), normal(1, 3, 6, 8)
    np.testing.assert_allclose(load(model).predict(x.transpose(0, 2, 3, 1)), by_runtime(model, x), rtol=1e-5)


def test_sizes_that_the_model_leaves_open() -> None:
    nodes = [helper.make_node("GlobalAveragePool", ["x"], ["y"])]
    model = network(nodes, x=["N", 3, "h", "w"])
    with pytest.raises(
        ValueError, match=re.escape("the sizes of input 'x' are not all known: (1, 3, ?, ?); give them")
    ):
        load(model)
    assert load(model, {"x": (1, 3, 8, 9)}).input_shape == (None, 8, 9, 3)
    with pytest.raises(ValueError, match=re.escape("input 'x' has shape [None, 3, None, None], got (3, 8, 9)")):
        load(model, {"x": (3, 8, 9)})


def test_gelu_of_older_exporters() -> None:
    constants = {"r": np.float32(np.sqrt(2)), "h": np.float32(0.5), "o": np.float32(1)}
    start = [
        helper.make_node("Div", ["x", "r"], ["a"]),
        helper.make_node("Erf", ["a"], ["e"]),
        helper.make_node("Add", ["e", "o"], ["g"]),
    ]
    for ends in (
        [("Mul", ["x", "g"], "p"), ("Mul", ["p", "h"], "y")],
        [("Mul", ["g", "h"], "p"), ("Mul", ["x", "p"], "y")],
        [("Mul", ["h", "x"], "p"), ("Mul", ["p", "g"], "y")],
    ):
        nodes = [*start, *(helper.make_node(kind, inputs, [made]) for kind, inputs, made in ends)]
        assert kinds(same_as_reference(network(nodes, constants), normal(2, 3, 4, 5))) == ["InputLayer", "Activation"]


# What is refused


def test_everything_that_cannot_be_done_is_told_at_once() -> None:
    nodes = [
        helper.make_node("Sin", ["x"], ["a"], name="wave"),
        helper.make_node("Conv", ["a", "w"], ["b"]),
        helper.make_node("Cos", ["b"], ["c"], name="normal"),
        helper.make_node("MaxPool", ["c"], ["d", "places"], kernel_shape=[2, 2], name="pool"),
        helper.make_node("Relu", ["d"], ["y"]),
    ]
    with pytest.raises(ValueError) as caught:
        load(network(nodes, {"w": normal(4, 3, 1, 1)}, outputs=("y", "places")))
    lines = str(caught.value).splitlines()
    assert lines[0] == "cannot load the model: striate has no layers for 3 of its parts:"
    assert [line.split(":")[0].strip() for line in lines[1:]] == [
        "Sin node wave",
        "Cos node normal",
        "Behind them, and perhaps as a consequence",
        "MaxPool node pool",
        "The part of the graph that ends in 'x' has layers; onnx.utils.extract_model cuts it out.",
    ]


def test_nodes_with_one_reason_are_told_together() -> None:
    nodes = [helper.make_node("Sin", [f"x{i}" if i else "x"], [f"x{i + 1}"], name=f"wave{i}") for i in range(70)]
    nodes.append(helper.make_node("Cos", ["x70"], ["y"], name="last"))
    with pytest.raises(ValueError) as caught:
        load(network(nodes, {}))
    lines = str(caught.value).splitlines()
    assert lines[0] == "cannot load the model: striate has no layers for 71 of its parts:"
    assert lines[1].strip().startswith("70 Sin nodes, wave0, wave1, wave2 and 67 more: striate has no layer")
    assert lines[2].strip().startswith("Cos node last: ")


@pytest.mark.parametrize(
    ("nodes", "shape", "reason"),
    [
        ([helper.make_node("Reshape", ["x", "s"], ["y"])], [2, 3, 4, 5], "which mixes samples"),
        ([helper.make_node("Transpose", ["x"], ["y"], perm=[1, 0, 2, 3])], [2, 3, 4, 5], "moves the batch"),
        ([helper.make_node("Softmax", ["x"], ["y"], axis=0)], [2, 3, 4, 5], "along the batch"),
        ([helper.make_node("Conv", ["x", "x"], ["y"])], [2, 3, 4, 5], "its input 1 is not constant"),
        (
            [helper.make_node("Relu", ["x"], ["y"], domain="my.own")],
            [2, 3, 4, 5],
            "no layer for the operator of my.own",
        ),
        ([helper.make_node("Relu", ["x"], ["y"])], [2, 0, 4, 5], "it has shape (2, 0, 4, 5)"),
        ([helper.make_node("Relu", ["x"], ["y"])], [2, 3, 4, 5, 6], "at most 4 axes"),
        ([helper.make_node("Relu", ["s"], ["y"])], [2, 3, 4, 5], "does not depend on the inputs"),
        ([helper.make_node("Div", ["x", "z"], ["y"])], [2, 3, 4, 5], "a constant that is not finite"),
        ([helper.make_node("Expand", ["x", "s"], ["y"])], [1, 1, 4, 1], "it repeats the batch"),
    ],
)
def test_what_has_no_layers(nodes: list[Any], shape: list[int], reason: str) -> None:
    model = network(nodes, {"s": np.array([6, 4, 5, 1]), "z": np.float32(0)}, shape)
    with pytest.raises(ValueError, match=re.escape(reason)):
        load(model)


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (helper.make_node("Slice", ["x", "zero", "one", "zero"], ["y"]), "it takes 1 samples of a batch whose size"),
        (helper.make_node("Flatten", ["x"], ["y"], axis=0), "it joins all samples of a batch"),
    ],
)
def test_a_batch_of_any_size_is_not_one_sample(node: Any, reason: str) -> None:
    constants = {"zero": np.array([0]), "one": np.array([1])}
    with pytest.raises(ValueError, match=reason):
        load(network([node], constants, ["N", 3, 4, 5]))
    load(network([node], constants, [1, 3, 4, 5]))
    whole = helper.make_node("Slice", ["x", "zero", "all", "zero"], ["y"])
    load(network([whole], {**constants, "all": np.array([(1 << 63) - 1])}, ["N", 3, 4, 5]))


def test_bytes_are_cast_or_moved_and_nothing_else() -> None:
    def bytes_to(nodes: list[Any], kind: int) -> Any:
        graph = helper.make_graph(nodes, "g", [info("x", [1, 3, 4, 4], TensorProto.UINT8)], [info("y", None, kind)])
        return with_shapes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)]))

    x = RNG.integers(0, 256, (2, 3, 4, 4), np.uint8)
    cast = [helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Neg", ["f"], ["y"])]
    np.testing.assert_array_equal(
        load(bytes_to(cast, TensorProto.FLOAT)).predict(x.transpose(0, 2, 3, 1))[0, 0, 0],
        -x[0, :, 0, 0].astype(np.float32),
    )
    with pytest.raises(ValueError, match="it computes with bytes"):
        load(bytes_to([helper.make_node("Add", ["x", "x"], ["y"])], TensorProto.UINT8))


# Files


def test_errors_of_files(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_bytes(b"this is no model" * 10)
    whole = network([helper.make_node("Relu", ["x"], ["y"])]).SerializeToString()
    (tmp_path / "half.onnx").write_bytes(whole[: len(whole) // 2])
    for name in ("empty", "text", "half"):
        with pytest.raises(ValueError, match=f"cannot load '.*{name}.onnx'"):
            load(tmp_path / f"{name}.onnx")
    old = network([helper.make_node("Relu", ["x"], ["y"])], opset=17)
    old.opset_import[0].version = 5
    with pytest.raises(ValueError, match="version 5 of ONNX's operators"):
        load(old)


@given(st.data())
def test_damaged_files_are_errors_and_nothing_worse(data: st.DataObject) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Resize", ["c", "", "s"], ["y"])]
    constants = {"w": np.ones((2, 3, 2, 2), np.float32), "s": np.array([1, 1, 2, 2], np.float32)}
    content = bytearray(network(nodes, constants).SerializeToString())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    proto = onnx.ModelProto()
    try:
        proto.ParseFromString(bytes(content))
    except Exception:
        return
    try:
        load(proto)
    except (ValueError, MemoryError):
        pass


@pytest.mark.parametrize("kind", ["ConstantOfShape", "Expand", "Range"])
def test_a_few_numbers_do_not_become_a_large_constant(kind: str) -> None:
    inputs = {"ConstantOfShape": ["big"], "Expand": ["one", "big"], "Range": ["zero", "many", "one"]}[kind]
    constants = {
        "big": np.array([1 << 20, 1 << 20]),
        "one": np.int64(1),
        "zero": np.int64(0),
        "many": np.int64(1 << 40),
    }
    nodes = [helper.make_node(kind, inputs, ["c"]), helper.make_node("Add", ["x", "c"], ["y"])]
    with pytest.raises(ValueError, match=r"it takes [0-9]+ numbers as a constant, of which [0-9]+ are left"):
        load(network(nodes, constants))


def external(folder: Path, location: str, **entries: str) -> Path:
    """A model whose weight is stored elsewhere."""
    model = network([helper.make_node("Conv", ["x", "w"], ["y"])], {"w": np.ones((2, 3, 1, 1), np.float32)})
    (weight,) = model.graph.initializer
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, **entries}.items():
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    path = folder / "m.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def test_tensors_beside_the_model_are_read(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    content = np.arange(8, dtype=np.float32).tobytes()
    (tmp_path / "w.bin").write_bytes(content)
    (tmp_path / "sub" / "w.bin").write_bytes(content)
    for location in ("w.bin", "sub/w.bin", "./w.bin"):
        model = load(external(tmp_path, location, offset="8", length="24"))
        np.testing.assert_array_equal(model.layers[1].get_weights()[0].reshape(3, 2).T.reshape(-1), np.arange(2, 8))
    here = os.getcwd()
    os.chdir(tmp_path)
    try:
        load("m.onnx")
    finally:
        os.chdir(here)
    with pytest.raises(ValueError, match="load it from its file"):
        load(onnx.load(tmp_path / "m.onnx", load_external_data=False))


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("../secret.bin", "outside the model's folder"),
        ("sub/../../secret.bin", "outside the model's folder"),
        ("sub\\..\\..\\secret.bin", "outside the model's folder"),
        ("{outside}/secret.bin", "names no file within"),
        ("C:\\secret.bin", "names no file within"),
        ("\\\\server\\secret.bin", "names no file within"),
        ("", "names no file within"),
        ("a\0b", "names no file within"),
        ("link.bin", "symbolic link"),
        ("folder/secret.bin", "symbolic link"),
        (".", "."),
    ],
)
def test_nothing_outside_the_folder_is_read(tmp_path: Path, location: str, reason: str) -> None:
    outside, folder = tmp_path, tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    (outside / "secret.bin").write_bytes(b"\0" * 100)
    (folder / "link.bin").symlink_to(outside / "secret.bin")
    (folder / "folder").symlink_to(outside, target_is_directory=True)
    with pytest.raises((ValueError, OSError), match=reason):
        load(external(folder, location.replace("{outside}", str(outside))))


@pytest.mark.parametrize(
    "entries",
    [
        {"offset": "90"},
        {"offset": "-1"},
        {"offset": "x"},
        {"length": "1000"},
        {"length": "23"},
        {"offset": str(1 << 62)},
    ],
)
def test_places_that_the_file_has_not(tmp_path: Path, entries: dict[str, str]) -> None:
    (tmp_path / "w.bin").write_bytes(b"\0" * 100)
    with pytest.raises(ValueError, match="'w'"):
        load(external(tmp_path, "w.bin", **entries))


def test_a_missing_package_is_named() -> None:
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "import striate as st\n"
        "m = st.models.lenet(seed=0)\n"
        "for call in (lambda: st.onnx.load('m.onnx'), lambda: m.export('m.onnx')):\n"
        "    try: call()\n"
        "    except ImportError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "striate.onnx.load needs onnx: pip install 'striate[onnx]'",
        "Model.export needs onnx: pip install 'striate[onnx]'",
    ]


def test_layers_have_names_of_their_own() -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"], name="conv2d"), helper.make_node("Conv", ["a", "w"], ["y"])]
    model = load(network(nodes, {"w": normal(2, 3, 1, 1)}))
    assert isinstance(model.get_layer("conv2d"), layers.ReLU)
