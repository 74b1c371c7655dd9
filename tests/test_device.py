"""Where models compute: the argument and the attribute, errors, and a GPU beside the CPU.

What needs a GPU runs on the emulated plugin, or a real one: `STRIATE_CUDA_PLUGIN` names it. Without it these tests are
skipped; `.ci/run` sets it.
"""

from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D

PLUGIN = os.environ.get("STRIATE_CUDA_PLUGIN", "")
needs_plugin = pytest.mark.skipif(not PLUGIN, reason="STRIATE_CUDA_PLUGIN does not name the plugin")
needs_emulator = pytest.mark.skipif("emulated" not in PLUGIN, reason="needs the emulated plugin")


def network(**options: object) -> st.Sequential:
    layers = [
        Input((9, 8, 2)),
        Conv2D(6, 3, padding="same", use_bias=False),  # before a normalisation, its gradient would be rounding
        BatchNormalization(),
        MaxPooling2D(2),
        Dropout(0.3),
        Flatten(),
        Dense(5),
    ]
    model = st.Sequential(layers, seed=3, **options)  # type: ignore[arg-type]
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal((20, 9, 8, 2), np.float32), rng.integers(0, 5, 20)


def child(code: str, **variables: str) -> str:
    """What a Python program prints, in a process with these variables in its environment."""
    environment = {name: value for name, value in os.environ.items() if name != "STRIATE_DEVICE"}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    program = f"import striate as st\nfrom test_device import *\n{code}"
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, env=environment | variables)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def error(code: str, **variables: str) -> str:
    """The kind and the message of the exception that a piece of code ends with."""
    lines = "\n".join("    " + line for line in code.splitlines())
    return child(f"try:\n{lines}\nexcept Exception as e:\n    print(f'{{type(e).__name__}}: {{e}}')", **variables)


def test_default_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("STRIATE_DEVICE", raising=False)
    model = network()
    assert model.device == "cpu"
    assert network(device="cpu").device == "cpu"
    model.device = "cpu"
    assert st.Sequential().device == "cpu"


@pytest.mark.parametrize("name", ["gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "", "cuda:99999"])
def test_names_that_are_no_device(name: str) -> None:
    model = network()
    if name == "":  # that of the environment
        model.device = name
        return
    with pytest.raises(ValueError, match="device must be 'cpu', 'cuda' or 'cuda:' with the number of a GPU"):
        model.device = name
    with pytest.raises(ValueError, match="device must be"):
        st.Sequential([Dense(1)], device=name)


def test_kinds_that_are_no_device() -> None:
    with pytest.raises(TypeError, match=r"\[sequential.*\] device must be a string such as 'cpu' or 'cuda', got 1"):
        network().device = 1  # type: ignore[assignment]


def test_without_a_plugin() -> None:
    variables = {"STRIATE_CUDA_PLUGIN": "/nowhere/libstriate_cuda.so"}
    got = error("network(device='cuda')", **variables)
    assert got.startswith("RuntimeError: there is no CUDA plugin")
    if sys.platform != "win32":
        assert "/nowhere/libstriate_cuda.so" in got
        assert "install the package striate-cuda, or set STRIATE_CUDA_PLUGIN to the path" in got
    assert error("network()", STRIATE_DEVICE="cuda", **variables).startswith("RuntimeError: there is no CUDA plugin")
    assert "STRIATE_DEVICE: device must be" in error("network()", STRIATE_DEVICE="tpu", **variables)
    assert "CUDA             none" in child("st.show_config()", **variables)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no plugins for Windows")
def test_another_library_as_plugin() -> None:
    path = st._core.__file__
    assert path is not None
    got = error("network(device='cuda')", STRIATE_CUDA_PLUGIN=path)
    assert got.startswith(f"RuntimeError: '{path}' is no CUDA plugin of striate")


@needs_emulator
def test_plugin_of_another_version() -> None:
    other = Path(PLUGIN).parent / "tests" / "libstriate_cuda_other.so"
    got = error("network(device='cuda')", STRIATE_CUDA_PLUGIN=str(other))
    assert got.startswith(
        f"RuntimeError: the CUDA plugin '{other}' is of striate 0.0.0, this is striate {st.__version__}"
    )


@needs_emulator
@pytest.mark.parametrize(
    "variables, expected",
    [
        ({"EMULATOR_DRIVER": "0"}, "RuntimeError: cuda:0: there is no NVIDIA driver on this machine"),
        ({"EMULATOR_DRIVER": "12090"}, "RuntimeError: cuda:0: the NVIDIA driver is for CUDA 12.9, which is older than"),
        ({"EMULATOR_DEVICES": "0"}, "RuntimeError: cuda:0: the devices cannot be counted: "),
        ({"EMULATOR_CHIP": "61"}, "RuntimeError: cuda:0: emulated GPU has compute capability 6.1, for which there is"),
    ],
)
def test_machines_that_cannot(variables: dict[str, str], expected: str) -> None:
    assert error("network(device='cuda')", **variables).startswith(expected)


@needs_emulator
def test_fewer_devices() -> None:
    assert error("network(device='cuda:1')").startswith(
        "ValueError: there is no device cuda:1; this machine has 1 CUDA device(s)"
    )
    assert child("print(network(device='cuda:1').device)", EMULATOR_DEVICES="2") == "cuda:1"


@needs_emulator
def test_description() -> None:
    shown = child("st.show_config()")
    assert "13.0 (emulated), emulated GPU, sm_90, 4 GiB, driver for CUDA 13.0" in shown


@needs_emulator
def test_out_of_memory() -> None:
    got = error("network(device='cuda').predict(data()[0])", EMULATOR_MEMORY="4096")
    assert got.startswith("MemoryError: cuda:0: out of memory: 0.")
    assert "MiB were asked for" in got
    assert "use a smaller batch" in got


LOST = """
import ctypes
x, y = data()
model = network(device='cuda')
model.fit(x, y, verbose=0)
kept = model.get_weights()
model.fit(x, y, verbose=0)
plugin = ctypes.CDLL(PLUGIN)
plugin.emulator_fail(3, 719)
"""


@needs_emulator
def test_lost_device() -> None:
    """Every later use is an error that says so; the model goes on with the CPU."""
    code = """
for step in range(3):
    try:
        model.predict(x)
    except RuntimeError as e:
        print(e)
for step in range(2):
    try:
        model.device = 'cpu'
    except RuntimeError as e:
        print(e)
print(model.device, all((a == b).all() for a, b in zip(kept, model.get_weights())))
print(model.predict(x).shape)
"""
    lines = child(LOST + code).splitlines()
    assert len(lines) == 6
    assert all("CUDA error 719" in line for line in lines[:3])
    assert lines[3].startswith("cuda:0 was lost, and with it what training changed there since weights were last read")
    assert lines[4:] == ["cpu True", "(20, 5)"]


@needs_emulator
def test_the_step_that_failed() -> None:
    """STRIATE_CUDA_SYNC waits for each step, so that an error names its layer."""
    code = """
try:
    model.predict(x)
except RuntimeError as e:
    print(e)
"""
    got = child(LOST.replace("fail(3,", "fail(24,") + code, STRIATE_CUDA_SYNC="1")
    assert got.startswith("["), got
    assert "]" in got
    assert "CUDA error 719" in got


@needs_plugin
def test_child_of_a_fork() -> None:
    code = """
import os
x, y = data()
model = network(device='cuda')
model.predict(x)
read, write = os.pipe()
if os.fork() == 0:
    try:
        model.predict(x)
    except RuntimeError as e:
        os.write(write, str(e).encode())
    os._exit(0)
os.wait()
print(os.read(read, 1000).decode())
print(model.predict(x).shape)
"""
    lines = child(code).splitlines()
    assert lines[0].startswith("cuda:0 cannot be used after fork()")
    assert "'spawn'" in lines[0]
    assert lines[1] == "(20, 5)"


@needs_plugin
def test_the_same_as_on_the_cpu() -> None:
    x, y = data()
    models = [network(device=name) for name in ("cpu", "cuda")]
    losses = [model.fit(x, y, epochs=3, verbose=0, shuffle=False).history["loss"] for model in models]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)
    for a, b in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(models[1].predict(x), models[0].predict(x), rtol=1e-4, atol=1e-5)


@needs_plugin
def test_the_same_bits_each_time() -> None:
    x, y = data()

    def trained() -> list[np.ndarray]:
        model = network(device="cuda")
        model.fit(x, y, epochs=2, verbose=0)
        return [*model.get_weights(), model.predict(x)]

    for a, b in zip(trained(), trained(), strict=True):
        np.testing.assert_array_equal(a, b)


@needs_plugin
def test_recorded_steps_give_the_same_bits() -> None:
    """STRIATE_CUDA_SYNC launches each step by itself."""
    code = """
import hashlib
x, y = data()
model = network(device='cuda')
model.fit(x, y, epochs=4, batch_size=8, verbose=0)
print(hashlib.sha256(b''.join(w.tobytes() for w in [*model.get_weights(), model.predict(x)])).hexdigest())
"""
    assert child(code) == child(code, STRIATE_CUDA_SYNC="1")


@needs_plugin
def test_moves_in_the_middle_of_a_training(tmp_path: Path) -> None:
    x, y = data()
    steady, moving = network(device="cpu"), network(device="cuda")
    for device in ("cpu", "cuda", "cpu", "cuda"):
        moving.device = device
        assert moving.device == ("cuda:0" if device == "cuda" else "cpu")
        for model in (steady, moving):
            model.fit(x, y, verbose=0, shuffle=False)
    moving.save(tmp_path / "model.safetensors")
    loaded = st.load_model(tmp_path / "model.safetensors")
    assert loaded.device == st.Sequential().device
    for a, b, c in zip(steady.get_weights(), moving.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-5)
        np.testing.assert_array_equal(b, c)


@needs_plugin
def test_copies_stay_on_the_device() -> None:
    model = network(device="cuda")
    for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert other.device == "cuda:0"
        np.testing.assert_array_equal(other.predict(data()[0]), model.predict(data()[0]))


@needs_plugin
def test_layers_that_models_share() -> None:
    x, y = data()
    model = network(device="cuda")
    head = st.Model(model.input, model.layers[-2].output, device="cpu")
    before = head.predict(x)
    model.fit(x, y, verbose=0)
    after = head.predict(x)
    assert not np.array_equal(before, after)
    head.device = "cuda"
    np.testing.assert_allclose(head.predict(x), after, rtol=1e-4, atol=1e-5)
    model.device = "cpu"  # its copy of the weights goes
    np.testing.assert_allclose(head.predict(x), after, rtol=1e-4, atol=1e-5)
    model.fit(x, y, verbose=0)
    assert not np.allclose(head.predict(x), after, rtol=1e-4, atol=1e-5)


@needs_plugin
def test_environment() -> None:
    assert child("print(network().device, network(device='cpu').device)", STRIATE_DEVICE="cuda") == "cuda:0 cpu"


@needs_plugin
def test_kernels_on_the_device() -> None:
    """What a GPU lacks: the losses of overlap and of detection, and products and choices of maps by one another."""
    places = st_cuda_places()
    on_cpu = {name for name, place in places.items() if place == "CPU"}
    assert on_cpu == {
        "overlap",
        "overlap_merge",
        "overlap_backward",
        "detection_assign",
        "detection_loss",
        "detection_merge",
        "matmul",
        "take",
        "take_backward",
    }
    unused = {name for name, place in places.items() if place == "not used"}
    assert {name for name in unused if not name.startswith("winograd")} == {
        "pooled_conv",
        "maxima_weights",
        "warp",
        "warp_backward",
        "nearest_pixels",
        "shade",
        "gather",
        "gather_bytes",
        "fma_peak",
    }
    shown = subprocess.run([sys.executable, "-m", "striate.cuda.report"], capture_output=True, text=True, check=True)
    assert f"GPU: {len(places) - len(on_cpu) - len(unused)} of {len(places)} kernels" in shown.stdout
    assert all(name in shown.stdout for name in places)


def st_cuda_places() -> dict[str, str]:
    from striate.cuda import kernel_places

    return kernel_places()
