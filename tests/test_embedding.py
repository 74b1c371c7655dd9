"""The C ABI, as other languages call it: by ctypes, in the library that a wheel brings."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import striate as st
from striate import layers
from striate.__main__ import cmake_dir

try:
    FOLDER = cmake_dir()
except FileNotFoundError:
    pytest.skip("this striate is a source tree's, without a shared library", allow_module_level=True)

FLOATS = ctypes.POINTER(ctypes.c_float)


@pytest.fixture(scope="module")
def library() -> ctypes.CDLL:
    [path] = (p for p in FOLDER.parents[1].iterdir() if p.suffix in (".so", ".dylib"))
    lib = ctypes.CDLL(str(path))
    lib.striate_version.restype = lib.striate_last_error.restype = ctypes.c_char_p
    lib.striate_load.restype = ctypes.c_void_p
    lib.striate_load.argtypes = [ctypes.c_char_p]
    lib.striate_free.argtypes = [ctypes.c_void_p]
    for name in ("input", "output"):
        getattr(lib, f"striate_{name}_count").argtypes = [ctypes.c_void_p]
        getattr(lib, f"striate_{name}_shape").argtypes = [
            ctypes.c_void_p, ctypes.c_int, ctypes.POINTER(ctypes.c_int64), ctypes.c_int
        ]  # fmt: skip
    for name in ("striate_predict", "striate_predict_bytes"):
        getattr(lib, name).argtypes = [
            ctypes.c_void_p, ctypes.c_int64, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64
        ]  # fmt: skip
    return lib


@pytest.fixture(scope="module")
def model() -> st.Model:
    """Two inputs, two outputs."""
    a, b = layers.Input((6, 6, 3)), layers.Input((4,))
    maps = layers.Conv2D(8, 3, activation="relu")(a)
    joined = layers.Concatenate()([layers.GlobalAveragePooling2D()(maps), b])
    return st.Model([a, b], [layers.Dense(5)(joined), maps], seed=1)


@pytest.fixture(scope="module")
def loaded(library: ctypes.CDLL, model: st.Model, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    path = tmp_path_factory.mktemp("model") / "é.safetensors"
    model.save(path)
    handle = library.striate_load(bytes(path))
    assert handle, library.striate_last_error()
    yield handle
    library.striate_free(handle)


def pointers(*arrays: np.ndarray) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))


def predict(library: ctypes.CDLL, handle: int, x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    outputs = [np.full((len(x), 5), np.nan, np.float32), np.full((len(x), 4, 4, 8), np.nan, np.float32)]
    assert library.striate_predict(handle, len(x), pointers(x, y), pointers(*outputs), 4) == 0
    return outputs


def test_version(library: ctypes.CDLL) -> None:
    assert library.striate_version().decode() == st.__version__


def test_shapes(library: ctypes.CDLL, loaded: int) -> None:
    assert library.striate_input_count(loaded) == library.striate_output_count(loaded) == 2
    shape = (ctypes.c_int64 * 4)(-1, -1, -1, -1)
    assert library.striate_input_shape(loaded, 0, shape, 4) == 3 and list(shape) == [6, 6, 3, -1]
    assert library.striate_output_shape(loaded, 1, shape, 2) == 3 and list(shape) == [4, 4, 3, -1]
    assert library.striate_output_shape(loaded, 0, None, 0) == 1
    assert library.striate_input_shape(loaded, 2, shape, 4) == -1
    assert b"index 2 is out of range; there are 2" in library.striate_last_error()


def test_predictions_are_pythons_bits(library: ctypes.CDLL, loaded: int, model: st.Model) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((11, 6, 6, 3), np.float32), rng.standard_normal((11, 4), np.float32)
    wanted = model.predict([x, y], batch_size=4)
    for got, want in zip(predict(library, loaded, x, y), wanted, strict=True):
        np.testing.assert_array_equal(got, want)
    # From several threads at once.
    results: list[list[np.ndarray]] = []
    threads = [threading.Thread(target=lambda: results.append(predict(library, loaded, x, y))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 4
    for result in results:
        np.testing.assert_array_equal(result[0], wanted[0])


def test_bytes(library: ctypes.CDLL, tmp_path: Path) -> None:
    image = layers.Input((8, 8, 1))
    model = st.Model(image, layers.Dense(3)(layers.Flatten()(layers.Rescaling(1 / 255)(image))), seed=0)
    model.save(tmp_path / "m.safetensors")
    x = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 1), np.uint8)
    out = np.empty((5, 3), np.float32)
    handle = library.striate_load(bytes(tmp_path / "m.safetensors"))
    assert library.striate_predict_bytes(handle, 5, pointers(x), pointers(out), 32) == 0
    library.striate_free(handle)
    np.testing.assert_array_equal(out, model.predict(x))


def test_errors(library: ctypes.CDLL, loaded: int, tmp_path: Path) -> None:
    def failed(text: str) -> None:
        assert text in library.striate_last_error().decode()

    assert not library.striate_load(bytes(tmp_path / "absent"))
    failed("absent")
    assert not library.striate_load(None)
    failed("no path")
    (tmp_path / "bad").write_bytes(b"\xff" * 40)
    assert not library.striate_load(bytes(tmp_path / "bad"))
    failed("bad")
    x, y, out = np.zeros((1, 6, 6, 3), np.float32), np.zeros((1, 4), np.float32), np.zeros((1, 5), np.float32)
    null = (ctypes.c_void_p * 2)(out.ctypes.data, None)
    assert library.striate_predict(None, 1, pointers(x, y), null, 1) == -1
    failed("no model")
    assert library.striate_predict(loaded, 0, pointers(x, y), null, 1) == -1
    failed("count must be at least 1")
    assert library.striate_predict(loaded, 1, pointers(x, y), null, 1) == -1
    failed("output 1 is null")
    assert library.striate_predict(loaded, 1, None, None, 1) == -1
    failed("no inputs")
    assert library.striate_set_num_threads(0) == -1
    assert library.striate_last_error()
    # A thread of its own has failed in nothing.
    seen: list[bytes] = []
    thread = threading.Thread(target=lambda: seen.append(library.striate_last_error()))
    thread.start()
    thread.join()
    assert seen == [b""]


def test_cmake_dir() -> None:
    done = subprocess.run([sys.executable, "-m", "striate", "--cmake-dir"], capture_output=True, text=True, check=True)
    assert Path(done.stdout.strip()) == FOLDER
    assert (FOLDER.parents[2] / "include" / "striate" / "striate.hpp").is_file()
