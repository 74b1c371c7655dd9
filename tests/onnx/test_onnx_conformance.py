"""ONNX's own tests against striate's backend. What striate has no layers for is told by name, with the reason."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnx")

import onnx.backend.base

from striate.onnx import report
from striate.onnx.backend import Backend, BackendRep

# Name, or the beginning of several -> striate's reason. Every other test passes.
NODES = {
    "test_convtranspose_3d": "maps are (N, C, H, W)",
    "test_batchnorm_epsilon_training_mode": "it is in training mode",
    "test_batchnorm_example_training_mode": "it is in training mode",
    "test_maxpool_with_argmax_2d_precomputed_pads": "output 1 is used",
    "test_maxpool_with_argmax_2d_precomputed_strides": "output 1 is used",
    "test_resize_downsample_scales_cubic_align_corners": "as in ONNX Runtime and PyTorch",
    "test_resize_downsample_scales_linear_align_corners": "as in ONNX Runtime and PyTorch",
}
NETWORKS = {
    "test_Conv3d": "maps are (N, C, H, W)",
    "test_Embedding": "it holds int64",
    "test_MaxPool1d_stride_padding_dilation": "as a matrix that resamples",
    "test_PReLU_3d": "at most 4 dimensions",
    "test_operator_add_": "it holds double",
    "test_operator_addconstant": "it holds double",
    "test_operator_non_float_params": "it holds int64",
    "test_gradient_of_": "no layer for the operator",
    "test_sequence_model": "SequenceEmpty|SequenceConstruct|SequenceLength|sizes of input|it holds double",
    "test_strnorm_model_": "it holds string",
}
# Tests of operators that striate reads and that do not pass: part of the reason -> what they test. The others pass.
OUT_OF_SCOPE = {
    r"it holds u?int\d+|it holds bool|computes with bytes": "arithmetic of whole numbers",
    r"it holds (double|string)": "other types",
    r"it holds float[48]|casts to another type": "types of few bits",
    r"it holds (sequence|optional)_type|SplitToSequence node|output 'seq'": "sequences",
    r"it is in training mode|Dropout node 0: output 1 is used": "training",
    r"has shape \(.*\b0\b.*\)|nothing is left of an axis": "empty tensors",
    r"a transposed convolution of a tensor of shape \(1, 1, 3, 4, 5\)": "three dimensions",
    r"MaxPool node 0: output 1 is used": "places of maxima as a second output",
    r"align_corners maps": "what ONNX Runtime and PyTorch compute otherwise",
}
# Left to `python -m striate.onnx.report`: alexnet, vgg19 and zfnet512 have a quarter to half a gigabyte of weights.
LIGHT = ["densenet121", "inception_v1", "inception_v2", "resnet50", "shufflenet", "squeezenet"]


def check(case: report.Case, known: dict[str, str]) -> None:
    result = report.run(case)
    reasons = [reason for name, reason in known.items() if case.name.startswith(name)]
    if not reasons:
        assert result.outcome == "passed", result.reason
        return
    assert result.outcome == "skipped"
    assert any(part in result.reason for reason in reasons for part in reason.split("|")), result.reason


@pytest.fixture(scope="module")
def nodes() -> dict[str, report.Case]:
    return {case.name: case for case in report.node_cases()}


@pytest.mark.parametrize("operator", report.OPERATORS)
def test_nodes(nodes: dict[str, report.Case], operator: str) -> None:
    chosen = [case for case in nodes.values() if case.group == operator]
    assert chosen
    for case in chosen:
        check(case, NODES)


def test_all_operators() -> None:
    """Every test of an operator passes, or is out of scope by the table."""
    from striate.onnx._importer import CONVERTERS

    results = [report.run(case) for case in report.node_cases([*CONVERTERS])]
    counts = dict.fromkeys(OUT_OF_SCOPE, 0)
    unknown = []
    for result in results:
        if result.outcome == "passed":
            continue
        rules = [rule for rule in OUT_OF_SCOPE if re.search(rule, result.reason)]
        if result.outcome == "failed" or not rules:
            unknown.append((result.case.name, result.outcome, result.reason))
            continue
        counts[rules[0]] += 1
    assert not unknown
    assert min(counts.values()) > 0  # no rule is left over
    assert sum(result.outcome == "passed" for result in results) >= 470


def test_functions_and_layer_normalisation() -> None:
    kinds = ["Erf", "Exp", "LayerNormalization", "Log", "Reciprocal", "Sign", "Sqrt"]
    results = [report.run(case) for case in report.node_cases(kinds)]
    assert {result.case.group for result in results} == {*kinds}
    assert [result.case.name for result in results if result.outcome != "passed"] == []


def test_numbers_of_other_types_are_read_or_refused() -> None:
    """bfloat16 comes as an array of a type that NumPy does not know."""
    outcomes = [report.run(case).outcome for case in report.node_cases(["Cast", "Greater", "Where"])]
    assert outcomes.count("passed") >= 6 and "failed" not in outcomes


def test_how_many_there_are(nodes: dict[str, report.Case]) -> None:
    missing = [name for name in nodes if name in NODES]
    assert len(missing) == len(NODES)
    assert len(nodes) - len(missing) >= 95


@pytest.mark.parametrize("kind", ["pytorch-converted", "pytorch-operator", "simple"])
def test_networks(kind: str) -> None:
    for case in report.network_cases([kind]):
        check(case, NETWORKS)


@pytest.mark.parametrize("name", LIGHT)
def test_well_known_networks(name: str) -> None:
    (case,) = (case for case in report.network_cases(["light"]) if case.name == f"light_{name}")
    check(case, NETWORKS)


def model_of(node: Any, inputs: list[Any], outputs: list[Any], version: int = 17) -> Any:
    helper = onnx.helper
    graph = helper.make_graph([node], "graph", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", version)])


def tensor(name: str, shape: list[Any]) -> Any:
    return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)


def test_the_interface_of_a_backend() -> None:
    assert issubclass(Backend, onnx.backend.base.Backend) and issubclass(BackendRep, onnx.backend.base.BackendRep)
    assert Backend.supports_device("CPU") and not Backend.supports_device("CUDA:1")
    node = onnx.helper.make_node("Relu", ["x"], ["y"])
    x = np.array([[-1.0, 2.0]], np.float32)
    model = model_of(node, [tensor("x", [1, 2])], [tensor("y", [1, 2])])
    for outputs in (
        Backend.prepare(model).run([x]),
        Backend.prepare(model).run({"x": x}),
        Backend.run_model(model, [x]),
        Backend.run_node(node, [x]),
    ):
        assert isinstance(outputs, tuple)
        assert outputs[0].tolist() == [[0.0, 2.0]]
    with pytest.raises(ValueError, match="runs on CPU"):
        Backend.prepare(model, "CUDA")
    with pytest.raises(ValueError, match="no array for the input 'x'"):
        Backend.prepare(model).run([])
    with pytest.raises(ValueError, match=re.escape("input 'x' must have shape (1, 2), got (1, 3)")):
        Backend.prepare(model).run([np.zeros((1, 3), np.float32)])
    assert Backend.is_compatible(model)
    other = model_of(onnx.helper.make_node("Sin", ["x"], ["y"]), [tensor("x", [1, 2])], [tensor("y", [1, 2])])
    assert not Backend.is_compatible(other)


def test_weights_that_come_as_inputs_may_change() -> None:
    infos = [tensor("x", [1, 1, 2, 2]), tensor("w", [1, 1, 1, 1])]
    prepared = Backend.prepare(
        model_of(onnx.helper.make_node("Conv", ["x", "w"], ["y"]), infos, [tensor("y", [1, 1, 2, 2])])
    )
    x = np.arange(4, dtype=np.float32).reshape(1, 1, 2, 2)
    for factor in (2.0, -1.0, -1.0):
        (y,) = prepared.run([x, np.full((1, 1, 1, 1), factor, np.float32)])
        np.testing.assert_array_equal(y, factor * x)


def test_the_report_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(["Relu", "Conv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["tests", "passed", "failed", "skipped"]
    assert [line.split()[0] for line in lines[1:3]] == ["Relu", "Conv"]
    assert report.main(["Nonsense"]) == 2
    assert "no operator, kind, file or folder 'Nonsense'" in capsys.readouterr().err
