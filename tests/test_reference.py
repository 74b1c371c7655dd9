"""The references themselves, beside Keras, where it is installed: value for value in float64."""

from __future__ import annotations

import os
import warnings
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from layer_cases import CASES, LayerCase, Setup
from numeric import feed
from reference.padding import pair


@pytest.fixture(scope="module")
def keras() -> ModuleType:
    # JAX is the one of Keras's backends that pads transposed convolutions as TensorFlow does.
    os.environ.setdefault("KERAS_BACKEND", "jax")
    os.environ.setdefault("JAX_ENABLE_X64", "1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("keras")


def keras_takes(setup: Setup) -> bool:
    """Keras refuses strides together with dilation, which striate allows."""
    a = setup.args
    return max(pair(a.get("strides") or 1)) == 1 or max(pair(a.get("dilation_rate", 1))) == 1


def as_keras_takes(case: LayerCase, setup: Setup) -> Setup:
    """Keras's depthwise convolutions step alike in both directions."""
    if case.layer in ("DepthwiseConv2D", "SeparableConv2D") and "strides" in setup.args:
        return Setup({**setup.args, "strides": pair(setup.args["strides"])[0]}, setup.shapes, setup.batch)
    return setup


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer)
@given(data=st.data())
def test_layers(keras: ModuleType, case: LayerCase, data: st.DataObject) -> None:
    setup = as_keras_takes(case, data.draw(case.setups))
    assume(keras_takes(setup))
    inputs, weights = feed(case, setup, data.draw(st.integers(0, 1000)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        layer: Any = getattr(keras.layers, case.layer)(**setup.args, dtype="float64")
        x = [keras.ops.convert_to_tensor(i, dtype="float64") for i in inputs]
        layer(x if len(x) > 1 else x[0])
        assert {w.name for w in layer.weights if w.name in weights} == set(weights)
        for w in layer.weights:
            if w.name in weights:
                w.assign(weights[w.name])
        for training in case.modes:
            want = np.asarray(layer(x if len(x) > 1 else x[0], **({"training": True} if training else {})))
            got = case.value(inputs, {n: w.astype(np.float64) for n, w in weights.items()}, setup.args, training)
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-5)
