"""Whether an installed striate works: run with the Python it was installed for, outside the source tree.

    python smoke.py

Needs NumPy alone, as striate does. On every instruction set of the machine it trains on the bundled digits, predicts,
and reads back what it saved; then it checks what a wheel may lack: data, types, metadata. Prints a line and exits with
0, or raises.
"""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

import striate as st


def train() -> str:
    """Trains a small network; the accuracy on the test digits and what the core says of itself."""
    layers = st.layers
    (x, y), (x_test, y_test) = st.data.load_digits()
    model = st.Sequential(
        [
            layers.Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(16, 3, padding="same"),
            layers.BatchNormalization(),
            layers.ReLU(),
            layers.MaxPooling2D(2),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dense(10),
        ],
        seed=0,
    )
    model.compile("adam", loss=st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    model.fit(x, y, epochs=8, verbose=0)
    predictions = model.predict(x_test)
    accuracy = float((predictions.argmax(axis=-1) == y_test).mean())
    assert accuracy > 0.9, f"accuracy {accuracy} on {st.isa()}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "é.safetensors"
        model.save(path)
        np.testing.assert_array_equal(st.load_model(path).predict(x_test), predictions)
        try:
            st.load_model(Path(folder) / "absent.safetensors")
        except FileNotFoundError:
            pass
        else:
            raise AssertionError("a file that is not there was loaded")
    return f"{st.isa()} {accuracy:.4f}"


def main() -> None:
    package = Path(st.__file__).parent
    for name in ("py.typed", "_core.pyi", "data/digits.npz", "data/DIGITS-ATTRIBUTION.md"):
        assert (package / name).is_file(), f"{name} is missing in {package}"
    metadata = importlib.metadata.distribution("striate")
    assert metadata.version == st.__version__, (metadata.version, st.__version__)
    required = [line for line in metadata.requires or [] if "extra ==" not in line]
    assert len(required) == 1 and required[0].startswith("numpy"), required
    if sys.platform != "win32":  # the library and its CMake package, for programs in C and C++
        folder = subprocess.run(
            [sys.executable, "-m", "striate", "--cmake-dir"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        library = "libstriate.dylib" if sys.platform == "darwin" else "libstriate.so"
        for file in (Path(folder) / "striateTargets.cmake", Path(folder).parents[1] / library):
            assert file.is_file(), f"{file} is missing"
    results = []
    for isa in st.available_isas():
        environment = {**os.environ, "STRIATE_ISA": isa}
        child = subprocess.run(
            [sys.executable, __file__, "--train"], env=environment, check=True, stdout=subprocess.PIPE, text=True
        )
        results.append(child.stdout.strip())
        assert results[-1].startswith(isa + " "), results
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"striate {st.__version__}, Python {version}, NumPy {np.__version__}: accuracy " + ", ".join(results))


if __name__ == "__main__":
    if sys.argv[1:] == ["--train"]:
        print(train())
    else:
        main()
