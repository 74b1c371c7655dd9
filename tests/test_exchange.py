"""A C++ program and Python exchange models and training: the same bits, whichever of them went on.

`STRIATE_EXCHANGE` names the program that the C++ tests' build makes of tests/cpp/exchange.cpp. Without it these tests
are skipped; `.ci/run` sets it.
"""

from __future__ import annotations

import os
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import striate as st
from isa_outputs import models
from layer_cases import CASES
from striate.data import Augment

if "STRIATE_EXCHANGE" not in os.environ:
    pytest.skip("STRIATE_EXCHANGE does not name the C++ program", allow_module_level=True)
PROGRAM = Path(os.environ["STRIATE_EXCHANGE"])

# Each ready network, small: (model, classes of an image or of its pixels; 0 for what it is asked to give itself).
NETWORKS: dict[str, tuple[Callable[[], st.Model], int]] = {
    "lenet": (lambda: st.models.lenet((12, 12, 1), 4, dropout=0.3, rescale=1 / 255, seed=1), 4),
    "cnn": (lambda: st.models.cnn((12, 12, 2), 3, filters=(16, 32), units=24, seed=2), 3),
    "vgg": (lambda: st.models.vgg((16, 16, 3), 5, filters=((16,), (32, 32)), units=(20,), dropout=0.2, seed=3), 5),
    "resnet18": (lambda: st.models.resnet18((16, 16, 3), 4, width=16, seed=4), 4),
    "unet": (lambda: st.models.unet((16, 16, 1), 3, base=8, depth=2, activation="softmax", seed=5), 3),
    "detector": (lambda: st.models.detector((64, 32, 3), 2, base=8, seed=6), 0),
}
OPTIMIZERS = ("Adam", "AdamW", "RMSprop", "SGD", "Lion", "Adadelta")


def write(path: Path, array: NDArray[Any]) -> None:
    kind = {np.dtype(np.float32): 0, np.dtype(np.uint8): 1, np.dtype(np.int64): 2}[array.dtype]
    path.write_bytes(struct.pack(f"=qq{array.ndim}q", kind, array.ndim, *array.shape) + array.tobytes())


def read(path: Path) -> NDArray[np.float32]:
    content = path.read_bytes()
    kind, axes = struct.unpack_from("=qq", content)
    assert kind == 0
    shape = struct.unpack_from(f"={axes}q", content, 16)
    return np.frombuffer(content, np.float32, offset=16 + 8 * axes).reshape(shape)


def run(*arguments: object) -> str:
    done = subprocess.run([PROGRAM, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def data(model: st.Model, classes: int) -> tuple[NDArray[Any], NDArray[Any], str]:
    """Ten images (bytes or numbers), targets, and the name of the loss that fits."""
    rng = np.random.default_rng(0)
    shape = model.input_shape[1:]
    as_bytes = model.layers[1].name.startswith("rescaling")
    x = rng.integers(0, 256, (10, *shape), np.uint8) if as_bytes else rng.standard_normal((10, *shape), np.float32)
    if not classes:
        return x, rng.standard_normal((10, *model.output_shape[1:]), np.float32), "MeanSquaredError"
    if len(model.output_shape) == 4:
        return x, rng.integers(0, classes, (10, *shape[:2])), "SparseCategoricalCrossentropy"
    return x, np.eye(classes, dtype=np.float32)[rng.integers(0, classes, 10)], "MeanSquaredError"


def compiled(model: st.Model, loss: str, optimizer: str) -> st.Model:
    metrics = ["accuracy"] if loss == "SparseCategoricalCrossentropy" else None
    model.compile(getattr(st.optimizers, optimizer)(), loss=getattr(st.losses, loss)(), metrics=metrics)
    return model


def test_every_layer_on_other_devices(tmp_path: Path) -> None:
    """On devices that have all, none or some of the kernels, each layer computes what it does on the CPU."""
    paths = []
    for key, model, _ in models():
        paths.append(tmp_path / f"{key.replace('/', '_')}.safetensors")
        model.save(paths[-1])
    assert {path.name.split("_")[0] for path in paths} == {case.layer for case in CASES}
    run("devices", *paths)


@pytest.mark.parametrize("name", NETWORKS)
def test_predictions(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name][0]()
    x, _, _ = data(model, NETWORKS[name][1])
    model.save(tmp_path / "model.safetensors")
    write(tmp_path / "x", x)
    run("predict", tmp_path / "model.safetensors", tmp_path / "x", tmp_path / "out")
    np.testing.assert_array_equal(read(tmp_path / "out"), model.predict(x))


@pytest.mark.parametrize("augmented", [False, True])
@pytest.mark.parametrize("name, optimizer", list(zip(NETWORKS, OPTIMIZERS, strict=True)))
def test_training(name: str, optimizer: str, augmented: bool, tmp_path: Path) -> None:
    """Two epochs in Python and two in C++, and a last one in Python again, are five in Python."""
    augment = Augment(flip_horizontal=0.5, rotation=20, brightness=0.1, noise=0.05, seed=3) if augmented else None
    make, classes = NETWORKS[name]
    whole = make()
    x, y, loss = data(whole, classes)
    compiled(whole, loss, optimizer)
    whole.fit(x, y, batch_size=4, epochs=2, augment=augment, verbose=0)
    paths = [tmp_path / part for part in ("model", "state", "x", "y", "model2", "state2")]
    model, state, x_path, y_path, model_2, state_2 = paths
    whole.save(model)
    st.save_training(whole, state)
    write(x_path, x)
    write(y_path, y)
    printed = run("train", model, state, x_path, y_path, loss, optimizer, 2, model_2, state_2, int(augmented))

    history = whole.fit(x, y, batch_size=4, epochs=2, augment=augment, verbose=0).history
    logs = np.array([line.split() for line in printed.splitlines()], float)
    np.testing.assert_allclose(logs[:, 0], history["loss"], rtol=1e-12)
    if loss == "SparseCategoricalCrossentropy":
        np.testing.assert_array_equal(logs[:, 1], history["accuracy"])
    again = compiled(st.load_model(model_2, compile=False), loss, optimizer)
    st.load_training(again, state_2)
    np.testing.assert_array_equal(again.predict(x), whole.predict(x))
    for one in (whole, again):
        one.fit(x, y, batch_size=4, epochs=1, augment=augment, verbose=0)
    for key, value in whole.state_dict().items():
        np.testing.assert_array_equal(again.state_dict()[key], value, err_msg=key)
