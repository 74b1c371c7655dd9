"""What `Model.export` writes, beside ONNX Runtime, and read back."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import striate
from layer_cases import CASES
from layer_setups import LayerCase
from numeric import feed
from random_graphs import Graph, graphs
from striate import layers, models

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from striate.onnx import load  # noqa: E402
from striate.onnx._exporter import to_onnx  # noqa: E402

TOLERANCE = 1e-5  # relative to the largest


def far(got: np.ndarray, want: np.ndarray) -> float:
    assert got.shape == want.shape and got.dtype == want.dtype
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-30))


def listed(outputs: Any) -> list[np.ndarray]:
    return outputs if isinstance(outputs, list) else [outputs]


def by_runtime(proto: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    names = [info.name for info in session.get_inputs()]
    return session.run(None, dict(zip(names, inputs, strict=True)))


def check(model: Any, inputs: list[np.ndarray], data_format: str = "channels_last") -> None:
    proto = to_onnx(model, data_format)
    onnx.checker.check_model(proto, full_check=True)
    want = listed(model.predict(inputs if len(inputs) > 1 else inputs[0]))

    def turned(arrays: list[np.ndarray], *axes: int) -> list[np.ndarray]:
        return [a.transpose(axes) if a.ndim == 4 and data_format == "channels_first" else a for a in arrays]

    got = turned(by_runtime(proto, turned(inputs, 0, 3, 1, 2)), 0, 2, 3, 1)
    assert len(got) == len(want)
    for g, w in zip(got, want, strict=True):
        assert far(np.ascontiguousarray(g), w) < TOLERANCE
    back = load(proto)
    assert back.input_shape == model.input_shape and back.output_shape == model.output_shape
    for g, w in zip(listed(back.predict(inputs if len(inputs) > 1 else inputs[0])), want, strict=True):
        assert far(g, w) < TOLERANCE


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
@pytest.mark.parametrize("name", models.READY)
def test_ready_networks(name: str, data_format: str) -> None:
    of_imagenet = {"convnext_tiny", "densenet121", "efficientnet_b0", "mobilenet_v2", "mobilenet_v3_small", "resnet50"}
    small = {"input_shape": (64, 64, 3)} if name in of_imagenet else {}
    model = getattr(models, name)(seed=3, **small)
    x = np.random.default_rng(0).normal(size=(2, *model.input_shape[1:])).astype(np.float32)
    check(model, [x], data_format)


@settings(max_examples=100)
@given(graph=graphs())
def test_random_networks(graph: Graph) -> None:
    check(graph.model, graph.arrays(graph.model._network.input_shapes, 0))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer)
@given(data=st.data())
def test_layers(case: LayerCase, data: st.DataObject) -> None:
    """Every layer with what its row in layer_cases.py draws."""
    setup = data.draw(case.setups)
    inputs, weights = feed(case, setup, data.draw(st.integers(0, 1000)))
    symbols = [layers.Input(shape) for shape in setup.shapes]
    layer = getattr(layers, case.layer)(**setup.args)
    model = striate.Model(symbols, layer(symbols if len(symbols) > 1 else symbols[0]), seed=0)
    model.load_state_dict({f"{layer.name}/{name}": value for name, value in weights.items()})
    check(model, inputs)


def test_shared_layers_inputs_as_outputs_and_several_of_each() -> None:
    a, b = layers.Input((4, 4, 2), name="a"), layers.Input((4, 4, 2), name="b")
    shared = layers.Conv2D(2, 3, padding="same", name="shared")
    total = layers.Add(name="total")([shared(a), shared(b)])
    model = striate.Model([a, b], [total, layers.Flatten()(total), total, a], seed=0)
    proto = to_onnx(model)
    assert [info.name for info in proto.graph.input] == ["a", "b"]
    assert len(proto.graph.initializer) == 3  # kernel, bias, and the shape that Flatten makes
    rng = np.random.default_rng(0)
    check(model, [rng.normal(size=(3, 4, 4, 2)).astype(np.float32) for _ in range(2)])


def test_the_file(tmp_path: Path) -> None:
    model = models.lenet(seed=0)
    path = tmp_path / "m.onnx"
    model.export(path)
    onnx.checker.check_model(os.fspath(path), full_check=True)
    assert os.listdir(tmp_path) == ["m.onnx"]
    proto = onnx.load(path)
    assert proto.producer_name == "striate" and proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "N"
    with pytest.raises(FileExistsError, match="overwrite=True"):
        model.export(path, overwrite=False)
    with pytest.raises(ValueError, match="data_format must be"):
        model.export(path, data_format="nchw")
    with pytest.raises(FileNotFoundError):
        model.export(tmp_path / "none" / "m.onnx")
    model.export(os.fsencode(path))


def test_training_only_layers_are_left_out() -> None:
    model = striate.Sequential(
        [layers.Input((4, 4, 2)), layers.Dropout(0.5), layers.SpatialDropout2D(0.5), layers.ReLU()]
    )
    assert [node.op_type for node in to_onnx(model).graph.node] == ["Relu"]


def test_a_loaded_network_can_be_trained_on(tmp_path: Path) -> None:
    models.lenet((8, 8, 1), seed=0).export(tmp_path / "m.onnx")
    model = load(tmp_path / "m.onnx")
    (x, y), _ = striate.data.load_digits()
    model.compile("adam", loss=striate.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    before = model.evaluate(x[:256], y[:256], return_dict=True)["loss"]
    model.fit(x[:256], y[:256], epochs=2, verbose=0)
    assert model.evaluate(x[:256], y[:256], return_dict=True)["loss"] < before
