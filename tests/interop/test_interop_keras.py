"""Weights from Keras: lists, and files as Keras writes them (written here with h5py, and by Keras where it is)."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate
from striate import layers
from striate.interop import load_keras_weights
from striate.models import unet

RNG = np.random.default_rng(0)


def network(**names: str) -> Any:
    x = inputs = layers.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, name=names.get("first"))(x)
    x = layers.BatchNormalization()(x)
    x = layers.SeparableConv2D(6, 3)(x)
    x = layers.Conv2D(4, 1, name=names.get("second"))(x)
    x = layers.Dropout(0.5)(layers.Flatten()(x))
    return striate.Model(inputs, layers.Dense(5)(x), seed=0)


def filled(model: Any) -> list[np.ndarray]:
    return [RNG.uniform(0.5, 1.5, value.shape).astype(np.float32) for value in model.get_weights()]


def same(model: Any, values: list[np.ndarray]) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(model.get_weights(), values, strict=True))


def by_layer(model: Any, values: list[np.ndarray]) -> list[tuple[str, str, list[np.ndarray]]]:
    """Kind, name and weights of each layer that has any."""
    rest, found = list(values), []
    for layer in model.layers:
        count = len(layer.get_weights())
        if count:
            kind = striate._core.snake_case(type(layer).__name__)
            found.append((kind, layer.name, [rest.pop(0) for _ in range(count)]))
    return found


def write_keras3(path: Path, model: Any, values: list[np.ndarray], named: bool = True) -> None:
    """As Keras 3 writes: groups by kind and number, the layer's name an attribute."""
    h5py = pytest.importorskip("h5py")
    seen: dict[str, int] = {}
    with h5py.File(path, "w") as file:
        for kind, name, arrays in by_layer(model, values):
            number = seen.get(kind, 0)
            seen[kind] = number + 1
            group = file.create_group(f"layers/{kind}_{number}/vars" if number else f"layers/{kind}/vars")
            if named:
                group.attrs["name"] = name
            for i, array in enumerate(arrays):
                group[str(i)] = array
        file.create_group("layers/flatten/vars")
        file.create_group("optimizer/vars")["0"] = np.float32(1)


def write_keras2(path: Path, model: Any, values: list[np.ndarray]) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path, "w") as file:
        found = by_layer(model, values)
        file.attrs["layer_names"] = [name.encode() for _, name, _ in found] + [b"dropout"]
        file.create_group("dropout").attrs["weight_names"] = np.zeros(0, "S1")
        for _, name, arrays in found:
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/w{i}:0".encode() for i in range(len(arrays))]
            for i, array in enumerate(arrays):
                group[f"{name}/w{i}:0"] = array


def test_lists() -> None:
    model = network()
    values = filled(model)
    load_keras_weights(model, values)
    assert same(model, values)
    with pytest.raises(ValueError, match="load_keras_weights expects 13 arrays"):
        load_keras_weights(model, values[1:])


@pytest.mark.parametrize("named", [True, False])
def test_files_of_keras_3(tmp_path: Path, named: bool) -> None:
    model = unet((16, 16, 1), base=2, depth=2, seed=0)
    values, path = filled(model), tmp_path / "m.weights.h5"
    write_keras3(path, model, values, named)
    load_keras_weights(model, path)
    assert same(model, values)
    # Where the names are others, each kind's layers come in their order.
    source = network(first="a", second="b")
    values = filled(source)
    write_keras3(path, source, values, named)
    model = network()
    load_keras_weights(model, os.fsencode(path))
    assert same(model, values)


def test_files_of_keras_2(tmp_path: Path) -> None:
    model = network()
    values, path = filled(model), tmp_path / "m.h5"
    write_keras2(path, model, values)
    load_keras_weights(model, str(path))
    assert same(model, values)
    other = network(first="a", second="b")
    load_keras_weights(other, path)
    assert same(other, values)


def test_layers_that_do_not_fit_are_skipped_with_a_warning(tmp_path: Path) -> None:
    source, model = network(), network(second="other")
    values, path = filled(source), tmp_path / "m.weights.h5"
    write_keras3(path, source, values)
    before = model.get_layer("other").get_weights()
    with pytest.warns(UserWarning, match=r"skipped: \[other\] has weights of shapes .*; the model has no layer for '"):
        load_keras_weights(model, path, skip_mismatch=True)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_layer("other").get_weights(), strict=True))
    first = model.layers[1]
    assert np.array_equal(first.get_weights()[0], values[0])
    with pytest.raises(ValueError, match="skip_mismatch needs a file"):
        load_keras_weights(model, values, skip_mismatch=True)
    with pytest.raises(ValueError, match="no layer fits"):
        load_keras_weights(unet((16, 16, 1), base=2, depth=1, seed=0), path, skip_mismatch=True)


def test_errors(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    model = network()
    before, path = model.get_weights(), tmp_path / "m.weights.h5"
    with pytest.raises(FileNotFoundError, match="there is no file"):
        load_keras_weights(model, path)
    path.write_bytes(b"no file of weights")
    with pytest.raises(ValueError, match="is not a file of weights"):
        load_keras_weights(model, path)
    with h5py.File(path, "w") as file:
        file["something"] = np.zeros(3)
    with pytest.raises(ValueError, match="holds no layers with weights"):
        load_keras_weights(model, path)
    small = striate.Sequential([layers.Input((4,)), layers.Dense(3)])
    write_keras3(path, small, filled(small))
    with pytest.raises(ValueError, match=r"has 0 layers 'conv2d'; expected one, for \[conv2d\]"):
        load_keras_weights(model, path)
    wide = striate.Sequential([layers.Input((5,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"\[dense\] has weights of shapes \[\(5, 3\), \(3,\)\]"):
        load_keras_weights(wide, path)
    write_keras3(path, model, before)
    with pytest.raises(ValueError, match="has 5 layers with weights, the model 1"):
        load_keras_weights(small, path)
    assert same(model, before)


def test_files_do_not_lead_elsewhere(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    model = striate.Sequential([layers.Input((4,)), layers.Dense(3)])
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["0"], file["1"] = np.zeros((4, 3), np.float32), np.zeros(3, np.float32)
    (tmp_path / "raw").write_bytes(b"\0" * 48)
    path = tmp_path / "m.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_group("layers/dense")["vars"] = h5py.ExternalLink("other.h5", "/")
    with pytest.raises(ValueError, match="refers to another file"):
        load_keras_weights(model, path)
    with h5py.File(path, "w") as file:
        group = file.create_group("layers/dense/vars")
        group.create_dataset("0", (4, 3), np.float32, external=[(str(tmp_path / "raw"), 0, 48)])
        group["1"] = np.zeros(3, np.float32)
    with pytest.raises(ValueError, match="outside of itself"):
        load_keras_weights(model, path)


KERAS = """
import sys, numpy as np, keras
from keras import layers as L
x = inputs = keras.Input((8, 8, 3))
x = L.Conv2D(4, 3)(x); x = L.BatchNormalization()(x); x = L.SeparableConv2D(6, 3)(x); x = L.Conv2D(4, 1)(x)
x = L.Dense(5)(L.Dropout(0.5)(L.Flatten()(x)))
model = keras.Model(inputs, x)
rng = np.random.default_rng(0)
model.set_weights([rng.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
model.save_weights(sys.argv[1] + ".weights.h5")
data = rng.standard_normal((2, 8, 8, 3)).astype(np.float32)
np.savez(sys.argv[1] + ".npz", x=data, y=np.asarray(model.predict(data, verbose=0)), *model.get_weights())
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_what_keras_itself_writes(tmp_path: Path, backend: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip(backend)
    pytest.importorskip("h5py")
    environment = {**os.environ, "KERAS_BACKEND": backend}
    code = [sys.executable, "-c", KERAS, str(tmp_path / "m")]
    done = subprocess.run(code, capture_output=True, text=True, env=environment)
    if "No module named 'keras'" in done.stderr:
        pytest.skip("Keras is not installed")
    assert done.returncode == 0, done.stderr
    with np.load(tmp_path / "m.npz") as file:
        x, y = file["x"], file["y"]
        values = [file[f"arr_{i}"] for i in range(len(file.files) - 2)]
    for source in (tmp_path / "m.weights.h5", values):
        model = network()
        load_keras_weights(model, source)
        np.testing.assert_allclose(model.predict(x), y, rtol=1e-4, atol=1e-4 * np.abs(y).max())
