"""Graphs of random nodes beside ONNX Runtime: refused, or the same numbers."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

from random_models import Seeded, Source  # noqa: E402

from striate.onnx.backend import Backend, BackendRep  # noqa: E402

FULL = bool(os.environ.get("FULL"))
SEED = int(os.environ.get("STRIATE_SEED", "0"), 16)
SMALL = 1 << 16  # numbers of all layers together


def by_runtime(model: Any, x: np.ndarray) -> np.ndarray | None:
    """What ONNX Runtime makes of x, without its rewrites of the graph; None if it refuses the model."""
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": x})[0]
    except Exception:  # the classes are not public
        return None


def prepared(model: Any) -> BackendRep | None:
    """The model as a network of one input; None if it is refused, or large."""
    try:
        found = Backend.prepare(model)
    except ValueError as error:
        assert "Assertion" not in str(error) and "AttributeError" not in str(error)
        return None
    if found._built is None:
        return None
    shapes = [layer.output_shape for layer in found._built.model.layers]
    return found if sum(int(np.prod(shape[1:], dtype=object)) for shape in shapes) <= SMALL else None


def test_random_models() -> None:
    compared = 0
    for number in range(20_000 if FULL else 300):
        model = Source(Seeded(SEED * 1_000_003 + number)).model()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # NumPy's, of means of nothing
            found = prepared(model)
        if found is None:
            continue
        (port,) = found._built.inputs  # type: ignore[union-attr]
        x = np.random.default_rng(number).standard_normal(port.shape).astype(np.float32)
        x = x if port.dtype == np.float32 else np.abs(x * 50).astype(np.uint8)
        want = by_runtime(model, x)
        if want is None:
            continue
        (got,) = found.run([x])
        compared += 1
        assert got.shape == want.shape, onnx.printer.to_text(model)
        with np.errstate(all="ignore"):
            usual = np.isfinite(want) & (np.abs(want) < 1e30)
            top = 1e-4 * np.abs(want[usual]).max(initial=1e-6)
            np.testing.assert_allclose(
                got[usual], want[usual], rtol=1e-4, atol=top, err_msg=onnx.printer.to_text(model)
            )
    assert compared > 10
