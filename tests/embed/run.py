"""Builds the programs of this folder that embed striate, runs them, and compares what they predict with Python's bits.

    python tests/embed/run.py [--static-build BUILD] [--work FOLDER]

- static: find_package after cmake --install, a static library, C++17. Its stripped size is printed, and at most 2 MB.
- shared: C99 and the C ABI, with the shared library of the striate that is installed for this Python.
- subdirectory: add_subdirectory of this source tree.
- module: an extension module by pybind11 that links the installed striate's library.

Needs a striate installed as by `pip install .`, cmake, ninja, pybind11 and a C++ compiler. BUILD is a build folder of
this tree whose static library is taken; without it one is built.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import striate as st

HERE = Path(__file__).resolve().parent
SOURCE = HERE.parents[1]
MOST_BYTES = 2 * 1024 * 1024


def call(*command: object, **keywords: object) -> None:
    print("+", *command, flush=True)
    subprocess.run(list(map(str, command)), check=True, **keywords)  # type: ignore[call-overload]


def build(name: str, work: Path, *options: str) -> Path:
    """The build folder of one of the consumers."""
    folder = work / name
    call("cmake", "-S", HERE / name, "-B", folder, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Release", *options)
    call("cmake", "--build", folder)
    return folder


def check(program: Path, model: Path, x: np.ndarray, wanted: np.ndarray) -> None:
    done = subprocess.run([program, model], input=x.tobytes(), capture_output=True, check=True)
    np.testing.assert_array_equal(np.frombuffer(done.stdout, np.float32), wanted.ravel())
    refused = subprocess.run([program, HERE / "run.py"], input=b"", capture_output=True)
    assert refused.returncode == 1 and b"cannot load" in refused.stderr, refused


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--static-build", type=Path)
    parser.add_argument("--work", type=Path)
    arguments = parser.parse_args()
    work = arguments.work or Path(tempfile.mkdtemp())
    work.mkdir(parents=True, exist_ok=True)

    model = st.models.resnet18((32, 32, 3), 10, width=32, seed=0)
    path = work / "model.safetensors"
    model.save(path)
    x = np.random.default_rng(0).standard_normal((1, 32, 32, 3), np.float32)
    wanted = model.predict(x)

    static = arguments.static_build
    if static is None:
        static = work / "striate"
        call("cmake", "-S", SOURCE, "-B", static, "-G", "Ninja", "-DSTRIATE_TESTS=OFF")
        call("cmake", "--build", static)
    call("cmake", "--install", static, "--prefix", work / "prefix", "--component", "development")
    program = build("static", work, f"-DCMAKE_PREFIX_PATH={work / 'prefix'}") / "classify"
    check(program, path, x, wanted)
    call("strip", program)
    size = program.stat().st_size
    print(f"static inference program, stripped: {size / 1e6:.2f} MB")
    assert size <= MOST_BYTES, size

    installed = subprocess.run(
        [sys.executable, "-m", "striate", "--cmake-dir"], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()
    check(build("shared", work, f"-Dstriate_DIR={installed}") / "classify", path, x, wanted)

    options = (f"-DSTRIATE_SOURCE={SOURCE}", "-DSTRIATE_ONLY_ISAS=scalar", "-DSTRIATE_WERROR=ON")
    program = build("subdirectory", work, *options) / "classify"
    st_isa = {**os.environ, "STRIATE_ISA": "scalar"}
    scalar = subprocess.run(
        [sys.executable, "-c", "import sys, numpy as np, striate as st; "
         "x = np.frombuffer(sys.stdin.buffer.read(), np.float32).reshape(1, 32, 32, 3); "
         "sys.stdout.buffer.write(st.load_model(sys.argv[1]).predict(x).tobytes())", path],
        input=x.tobytes(), stdout=subprocess.PIPE, check=True, env=st_isa,
    ).stdout  # fmt: skip
    check(program, path, x, np.frombuffer(scalar, np.float32))

    folder = build("module", work, f"-DPython_EXECUTABLE={sys.executable}")
    sys.path.insert(0, str(folder))
    import consumer  # type: ignore[import-not-found]

    np.testing.assert_array_equal(consumer.predict(str(path), x), wanted)
    try:
        consumer.predict(str(HERE / "run.py"), x)
    except consumer.Refused as error:
        print("refused:", error)
    else:
        raise AssertionError("a file that is no model was loaded")
    if arguments.work is None:
        shutil.rmtree(work)


if __name__ == "__main__":
    main()
