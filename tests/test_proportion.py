"""Time and memory grow with the file and the data, not faster: deep and wide networks, large strides, far padding."""

import json
import os
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.layers import (
    Add,
    AveragePooling2D,
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    DepthwiseConv2D,
    Input,
    MaxPooling2D,
)

DEEP = 20000 if os.environ.get("FULL") == "1" else 4000


def write(path: Path, layers: list[tuple[str, dict[str, Any]]], nodes: list[list[int]], outputs: list[int]) -> Path:
    """A model file without weights: a node for each layer, with these nodes as its inputs."""
    architecture = {
        "format": "striate",
        "version": 1,
        "seed": 0,
        "layers": [{"type": kind, "name": f"l{k}", "config": config} for k, (kind, config) in enumerate(layers)],
        "nodes": [{"layer": k, "inputs": inputs} for k, inputs in enumerate(nodes)],
        "inputs": [0],
        "outputs": outputs,
        "frozen": [],
    }
    header = json.dumps({"__metadata__": {"striate": json.dumps(architecture)}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header)
    return path


def seconds(call: Any) -> float:
    """Processor time, with a bound that a slow machine keeps and growth by squares does not."""
    before = time.process_time()
    call()
    return time.process_time() - before


RELU: tuple[str, dict[str, Any]] = ("ReLU", {})
LINEAR: tuple[str, dict[str, Any]] = ("Activation", {"activation": "linear"})


@pytest.mark.parametrize(("shape", "last"), [([1], RELU), ([2, 2, 1], RELU), ([1], LINEAR)])
def test_chain_of_thousands_of_layers(tmp_path: Path, shape: list[int], last: tuple[str, dict[str, Any]]) -> None:
    layers: list[tuple[str, dict[str, Any]]] = [("InputLayer", {"shape": shape}), RELU, *[last] * (DEEP - 1)]
    path = write(tmp_path / "chain.st", layers, [[], *([k] for k in range(DEEP))], [DEEP])
    x = np.linspace(-1, 1, 2 * int(np.prod(shape)), dtype=np.float32).reshape((2, *shape))

    def use() -> None:
        model = st.load_model(path)
        model.summary(print_fn=lambda line: None, batch_size=2)
        np.testing.assert_array_equal(model.predict(x, verbose=0), np.maximum(x, 0))
        model.compile("sgd", loss="mse")
        model.fit(x, x, verbose=0)
        assert all(layer.get_weights() == [] for layer in model.layers)
        model.trainable = False
        model.save(path)

    assert seconds(use) < 20 * DEEP / 4000


def test_chain_of_layers_with_weights_that_fuse(tmp_path: Path) -> None:
    depth = DEEP // 20
    symbol = given = Input((4, 4, 2))
    for _ in range(depth):
        symbol = Conv2D(2, 3, padding="same", activation="relu")(symbol)
        symbol = Add()([symbol, given])

    def use() -> None:
        model = st.Model(given, symbol, seed=0)
        model.predict(np.zeros((1, 4, 4, 2), np.float32), verbose=0)
        model.compile("sgd", loss="mse")
        model.fit(np.zeros((1, 4, 4, 2), np.float32), np.zeros((1, 4, 4, 2), np.float32), verbose=0)
        assert sum(layer.count_params() for layer in model.layers) == model.count_params()
        model.load_state_dict(model.state_dict())

    assert seconds(use) < 20 * depth / 200


@pytest.mark.parametrize("kind", ["Add", "Multiply", "Maximum", "Concatenate"])
def test_one_tensor_given_thousands_of_times(tmp_path: Path, kind: str) -> None:
    count = DEEP
    layers: list[tuple[str, dict[str, Any]]] = [("InputLayer", {"shape": [2]}), (kind, {})]
    path = write(tmp_path / "wide.st", layers, [[], [0] * count], [1])
    x = np.array([[1, -1]], np.float32)

    def use() -> None:
        model = st.load_model(path)
        y = model.predict(x, verbose=0)
        expected = {"Add": x * count, "Multiply": x**count, "Maximum": x, "Concatenate": np.tile(x, count)}[kind]
        np.testing.assert_array_equal(y, expected)
        model.compile("sgd", loss="mse")
        model.fit(x, y, verbose=0)

    assert seconds(use) < 20 * DEEP / 4000


def test_thousands_of_outputs(tmp_path: Path) -> None:
    count = DEEP // 4
    layers: list[tuple[str, dict[str, Any]]] = [("InputLayer", {"shape": [2]}), *[("ReLU", {})] * count]
    path = write(tmp_path / "outputs.st", layers, [[], *[[0]] * count], list(range(1, count + 1)))
    x = np.ones((1, 2), np.float32)

    def use() -> None:
        model = st.load_model(path)
        model.compile("sgd", loss="mse")
        model.fit(x, [x] * count, verbose=0)

    assert seconds(use) < 20 * count / 1000


def test_shapes_have_at_most_as_many_axes_as_arrays(tmp_path: Path) -> None:
    layers: list[tuple[str, dict[str, Any]]] = [("InputLayer", {"shape": [1]}), ("Reshape", {"target_shape": [1] * 31})]
    assert st.load_model(write(tmp_path / "most.st", layers, [[], [0]], [1])).output_shape == (None, *[1] * 31)
    layers[1] = ("Reshape", {"target_shape": [1] * 1000})
    with pytest.raises(ValueError, match=r"1000 axes and the batch; there may be at most 31"):
        st.load_model(write(tmp_path / "more.st", layers, [[], [0]], [1]))


@pytest.mark.parametrize("stride", [9, 1024, 65536, 2**31 - 1])
@pytest.mark.parametrize("layer", [Conv2D, DepthwiseConv2D])
def test_large_strides_of_convolutions(stride: int, layer: Any) -> None:
    """The gradient of what no tap reaches is 0, whatever the number of phases."""
    given = Input((20, 20, 1))
    arguments = (1, 2) if layer is Conv2D else (2,)
    model = st.Model(given, layer(*arguments, strides=stride, padding="same", use_bias=False)(given), seed=0)
    x = np.random.default_rng(0).random((2, 20, 20, 1), np.float32)

    def use() -> None:
        y = model.forward(x)
        (gradient,) = [model.backward(np.ones_like(y))]
        kernel = model.get_weights()[0].reshape(2, 2)
        size = -(-20 // stride)
        pad = max((size - 1) * stride + 2 - 20, 0) // 2
        expected, patches = np.zeros((20, 20)), np.zeros((2, size, size))
        for row in range(size):
            for column in range(size):
                for i in range(2):
                    for j in range(2):
                        place = row * stride - pad + i, column * stride - pad + j
                        if 0 <= min(place) and max(place) < 20:
                            expected[place] += kernel[i, j]
                            patches[:, row, column] += x[:, place[0], place[1], 0] * kernel[i, j]
        np.testing.assert_allclose(y[..., 0], patches, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(gradient[0, ..., 0], expected, rtol=1e-6)

    assert seconds(use) < 5


@pytest.mark.parametrize("stride", [9, 100, 1024])
def test_large_strides_of_transposed_convolutions(stride: int) -> None:
    """Bias and ReLU where no tap reaches; memory in proportion to the result."""
    given = Input((2, 2, 1))
    model = st.Model(given, Conv2DTranspose(1, 2, strides=stride, activation="relu")(given), seed=0)
    model.set_weights([np.array([[1, 2], [3, -4]], np.float32).reshape(2, 2, 1, 1), np.array([0.5], np.float32)])
    x = np.array([[1, 2], [3, 4]], np.float32).reshape(1, 2, 2, 1)
    expected = np.full((2 * stride, 2 * stride), 0.5, np.float32)
    for row in range(2):
        for column in range(2):
            place = slice(row * stride, row * stride + 2), slice(column * stride, column * stride + 2)
            expected[place] = np.maximum(x[0, row, column, 0] * np.array([[1, 2], [3, -4]]) + 0.5, 0)
    np.testing.assert_array_equal(model.predict(x, verbose=0)[0, ..., 0], expected)
    assert model._network.arena_bytes(1, False) < 2 * expected.nbytes + 2**16


def test_transposed_convolution_with_a_large_stride_in_little_memory() -> None:
    program = """
import resource, numpy as np, striate as st
from striate.layers import *
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
given = Input((1, 1, 1))
model = st.Model(given, Conv2DTranspose(1, 1, strides=1024)(given), seed=0)
print(model.predict(np.ones((1, 1, 1, 1), np.float32), verbose=0).shape)
"""
    environment = os.environ | {"STRIATE_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120, env=environment
    )
    assert process.stdout == "(1, 1024, 1024, 1)\n", process.stderr[-500:]


def test_padding_far_over_the_edge_is_refused() -> None:
    given = Input((4, 4, 1))
    for layer in (
        Conv2D(1, 3, dilation_rate=2**20, padding="same"),
        DepthwiseConv2D(3, dilation_rate=2**20, padding="same"),
        Conv2D(1, 2**20, padding="same"),
        Conv2DTranspose(1, 3, dilation_rate=2**20),
    ):
        with pytest.raises(ValueError, match="over the edge of a map"):
            layer(given)
    Conv2D(1, 3, dilation_rate=64, padding="same")(given)


def test_windows_of_pools() -> None:
    given = Input((4, 4, 1))
    for layer in (MaxPooling2D, AveragePooling2D):
        with pytest.raises(ValueError, match="places"):
            layer(2**16)
        with pytest.raises(ValueError, match="windows over a pixel"):
            layer(512, 1, padding="same")(Input((1024, 1024, 1)))
        model = st.Model(given, layer(2**15, padding="same")(given), seed=0)
        x = np.arange(16, dtype=np.float32).reshape(1, 4, 4, 1)
        expected = x.max() if layer is MaxPooling2D else x.mean()
        np.testing.assert_allclose(model.forward(x), np.full((1, 1, 1, 1), expected))
        gradient = model.backward(np.ones((1, 1, 1, 1), np.float32))
        np.testing.assert_allclose(gradient.sum(), 1.0)


def test_receptive_field_beyond_numbers() -> None:
    given = symbol = Input((1, 1, 1))
    for _ in range(40):
        symbol = MaxPooling2D(2, 2**31 - 1, padding="same")(symbol)
    lines: list[str] = []
    st.Model(given, symbol, seed=0).summary(print_fn=lines.append)
    assert any("inf" in line for line in lines)


def test_concatenate_in_place_beside_repeated_inputs() -> None:
    given = Input((2,))
    a, b = st.layers.ReLU()(given), st.layers.ELU()(given)
    model = st.Model(given, Concatenate()([a, b, a]), seed=0)
    np.testing.assert_array_equal(model.predict(np.ones((1, 2), np.float32), verbose=0), np.ones((1, 6)))
