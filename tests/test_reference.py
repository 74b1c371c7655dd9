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

from layer_cases import CASES
from layer_setups import LayerCase, Setup
from loss_cases import LOSS_CASES, LossCase
from numeric import feed
from optimizer_cases import OPTIMIZER_CASES, SCHEDULE_CASES, OptimizerCase, ScheduleCase
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
    """Keras refuses strides together with dilation, and pooling within margins, which striate allows."""
    a = setup.args
    if "pool_size" in a and not isinstance(a.get("padding", "valid"), str):
        return False
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


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.loss)
@given(data=st.data())
def test_losses(keras: ModuleType, case: LossCase, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    y, p = case.draw_targets(setup, rng), case.draw_predictions(setup, rng)
    args = dict(setup.args)
    weight = rng.integers(0, 3, setup.shape[0]).astype(np.float32) if data.draw(st.booleans()) else None
    rank = len(setup.shape) - (1 if "axis" not in args else len(args["axis"] or setup.shape))
    # Keras aligns weights with the last axis, striate with the first: of equal rank they mean the same.
    weight = None if weight is None or rank == 0 else weight.reshape(-1, *(1,) * (rank - 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = float(np.mean(getattr(keras.losses, case.loss)(**args, dtype="float64")(y, p, sample_weight=weight)))
    assert case.value(y, p, setup.args, weight) == pytest.approx(want, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.optimizer)
@given(data=st.data())
def test_optimizers(keras: ModuleType, case: OptimizerCase, data: st.DataObject) -> None:
    args = data.draw(case.args)
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    weights = {name: rng.standard_normal(shape) for name, shape in (("a", (3, 4)), ("b", (4,)))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = getattr(keras.optimizers, case.optimizer)(**args)
        variables = [keras.Variable(w, dtype="float64", name=name) for name, w in weights.items()]
        reference = case.reference(**args)
        for _ in range(5):
            gradients = {name: rng.standard_normal(w.shape) for name, w in weights.items()}
            optimizer.apply([keras.ops.convert_to_tensor(g) for g in gradients.values()], variables)
            weights = reference.apply(weights, gradients)
        for variable, want in zip(variables, weights.values(), strict=True):
            np.testing.assert_allclose(np.asarray(variable), want, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", SCHEDULE_CASES, ids=lambda case: case.schedule)
@given(data=st.data())
def test_schedules(keras: ModuleType, case: ScheduleCase, data: st.DataObject) -> None:
    args, step = data.draw(case.args), data.draw(st.integers(0, 200))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = float(getattr(keras.optimizers.schedules, case.schedule)(**args)(step))
    assert case.reference(step, **args) == pytest.approx(want, rel=1e-4, abs=1e-7)
