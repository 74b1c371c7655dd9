"""Fuzz `striate.onnx.load`: python tests/fuzz/fuzz_onnx.py [libFuzzer flags] CORPUS_DIR

The first byte of an input chooses: the others are a serialized model, or they draw a model of random nodes, attributes
and tensors. What loads and is small is also run. Documented exceptions are fine, all others are findings; so are
complaints that tell of an error within striate.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import atheris

with atheris.instrument_imports(include=["striate.onnx"]):
    import striate.onnx._importer  # noqa: F401
    from striate.onnx import load

import numpy as np

import onnx

sys.path.insert(0, str(Path(__file__).parents[1] / "onnx"))
from random_models import Source

INTERNAL = re.compile(r"\b(Assertion|Attribute|Name|UnboundLocal|Recursion|NotImplemented)Error\b")
SMALL = 1 << 18  # numbers of all layers together, of a model that is run


def run(model: Any) -> None:
    """Predict with a small model."""
    shapes = [layer.output_shape for layer in model.layers]
    flat = [shape for item in shapes for shape in (item if isinstance(item, list) else [item])]
    if sum(int(np.prod(shape[1:], dtype=object)) for shape in flat) <= SMALL:
        inputs = model.input_shape if isinstance(model.input_shape, list) else [model.input_shape]
        arrays = [np.ones((2, *shape[1:]), np.float32) for shape in inputs]
        model.predict_on_batch(arrays if len(arrays) > 1 else arrays[0])


def test_one_input(data: bytes) -> None:
    if not data:
        return
    if data[0] % 2:
        model = Source(atheris.FuzzedDataProvider(data[1:])).model()
    else:
        model = onnx.ModelProto()
        try:
            model.ParseFromString(data[1:])
        except Exception:  # protobuf's
            return
    try:
        run(load(model))
    except (ValueError, TypeError, OSError, MemoryError) as error:
        if INTERNAL.search(str(error)):
            raise RuntimeError(f"an error within striate: {error}") from error


def main() -> None:
    flags = [sys.argv[0], "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", *sys.argv[1:]]
    atheris.Setup(flags, test_one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
