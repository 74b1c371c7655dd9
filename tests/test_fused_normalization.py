"""Batch normalisation, an activation and 2 x 2 maxima in one node of the plan, beside the same layers in turn.

A value that is an output is made as it is, so a network whose normalised map is an output too does not fuse.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from numeric import normal, relative_error
from striate import layers as L

TAIL: dict[str, Callable[[], Any]] = {
    "r": L.ReLU,
    "6": lambda: L.ReLU(6.0),
    "s": lambda: L.Activation("silu"),
    "h": lambda: L.Activation("hard_swish"),
}


def network(
    shape: tuple[int, ...],
    tail: str,
    fused: bool,
    norm: dict[str, Any] | None = None,
    pool: dict[str, Any] | None = None,
) -> striate.Model:
    """A layer before, batch normalisation, what `tail` spells by the letters of TAIL, and a layer behind."""
    x = inputs = L.Input(shape)
    x = L.Dense(shape[-1], name="before")(x) if len(shape) == 1 else L.Conv2D(shape[-1], 1, name="before")(x)
    x = normalised = L.BatchNormalization(**(norm or {}), name="normalised")(x)
    for letter in tail:
        x = L.MaxPooling2D(2, **(pool or {}))(x) if letter == "p" else TAIL[letter]()(x)
    x = L.Dense(3, name="behind")(x if len(shape) == 1 else L.Flatten()(x))
    return striate.Model(inputs, x if fused else [x, normalised], seed=1)


def prepared(model: striate.Model, seed: int) -> striate.Model:
    """Weights that are the same for every network of one shape; gamma is negative, zero or positive."""
    rng = np.random.default_rng(seed)
    state = model.state_dict()
    for name, value in sorted(state.items()):
        state[name] = normal(rng, value.shape, 0.7)
        if name.endswith("moving_variance"):
            state[name] = np.abs(state[name]) + np.float32(0.5)
        if name.endswith("gamma"):
            state[name].flat[0] = 0
    model.load_state_dict(state)
    return model


def results(model: striate.Model, x: np.ndarray, training: bool, seed: int = 9) -> dict[str, np.ndarray]:
    """The output, the gradients of the input and of all weights, and the moving averages afterwards."""
    y = model.forward(x, training)
    several = isinstance(y, list)
    first = y[0] if several else y
    g = normal(np.random.default_rng(seed), first.shape)
    dx = model.backward([g, *(np.zeros_like(other) for other in y[1:])] if several else g)
    return {
        "output": first,
        "input": dx,
        **model.gradients(),
        **{f"{k} after": v for k, v in model.state_dict().items()},
    }


def compare(
    shape: tuple[int, ...],
    tail: str,
    batch: int,
    training: bool,
    seed: int = 0,
    frozen: bool = False,
    **args: Any,
) -> None:
    x = normal(np.random.default_rng(seed + 1), (batch, *shape))
    found = []
    for fused in (True, False):
        model = prepared(network(shape, tail, fused, **args), seed)
        if frozen:
            model.get_layer("normalised").trainable = False
        found.append(results(model, x, training))
    got, want = found
    assert got.keys() == want.keys()
    for name in want:
        # A bias before batch statistics has the gradient 0: a sum of many that are not, and rounded as those are.
        floor = float(np.linalg.norm(want["input"])) if name == "before/bias" else 1e-6
        assert relative_error(got[name], want[name], floor) < 2e-5, name


@given(
    size=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    channels=st.sampled_from([1, 2, 3, 5, 8, 16, 17, 33]),
    batch=st.integers(2, 4),
    tail=st.sampled_from([*TAIL, "p", "rp", "pr", "rpr", "sp", "p6"]),
    padding=st.sampled_from(["valid", "same"]),
    training=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_same_results(
    size: tuple[int, int], channels: int, batch: int, tail: str, padding: str, training: bool, seed: int
) -> None:
    compare((*size, channels), tail, batch, training, seed, pool={"padding": padding})


@pytest.mark.parametrize("tail", ["r", "6", "s", "h", "rp", "p"])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(
    "norm", [{"scale": False}, {"center": False}, {"scale": False, "center": False}, {"momentum": 0.5}]
)
def test_arguments(tail: str, training: bool, norm: dict[str, Any]) -> None:
    compare((7, 6, 12), tail, 3, training, norm=norm)


@pytest.mark.parametrize("tail", ["r", "6", "s", "h", "rp", "p"])
@pytest.mark.parametrize("training", [False, True])
def test_frozen(tail: str, training: bool) -> None:
    compare((7, 6, 12), tail, 3, training, frozen=True)


def test_behind_a_dense_layer() -> None:
    compare((20,), "r", 16, True)


@pytest.mark.parametrize("pool", [{"strides": 1}, {"strides": (2, 1)}, {"strides": 3}])
def test_other_windows(pool: dict[str, Any]) -> None:
    compare((8, 8, 5), "rp", 3, True, pool=pool)


def test_ties_choose_the_first() -> None:
    """Equal values in all windows: the gradient goes to their first place."""
    inputs = L.Input((4, 6, 9))
    norm = L.BatchNormalization(name="normalised", trainable=False)
    model = striate.Model(inputs, L.MaxPooling2D(2)(L.ReLU()(norm(inputs))), seed=0)
    y = model.forward(np.ones((2, 4, 6, 9), np.float32), training=True)
    dx = model.backward(np.ones_like(y))
    want = np.zeros_like(dx)
    want[:, ::2, ::2] = 1 / np.sqrt(1.001)
    np.testing.assert_allclose(dx, want, rtol=1e-6)


@pytest.mark.parametrize("tail", ["r", "rp", "p"])
def test_nan_passes(tail: str) -> None:
    x = L.Input((4, 4, 9))
    y = L.BatchNormalization()(x)
    for letter in tail:
        y = L.ReLU()(y) if letter == "r" else L.MaxPooling2D(2)(y)
    model = striate.Model(x, y, seed=0)
    given_x = np.full((1, 4, 4, 9), -1, np.float32)
    given_x[0, 1, 1, 4] = np.nan
    nan = np.isnan(model.predict(given_x))
    assert nan.sum() == 1
    assert nan[0, :, :, 4].any()


def test_watched_values_are_made() -> None:
    model = prepared(network((6, 6, 4), "rp", True), 2)
    x = normal(np.random.default_rng(3), (2, 6, 6, 4))
    alone = model.predict(x)
    maps = model.feature_maps(x)
    normalised, rectified, pooled = (maps[name] for name in ("normalised", "re_lu", "max_pooling2d"))
    np.testing.assert_array_equal(rectified, np.maximum(normalised, 0))
    np.testing.assert_array_equal(pooled, rectified.reshape(2, 3, 2, 3, 2, 4).max(axis=(2, 4)))
    np.testing.assert_allclose(model.predict(x), alone, rtol=1e-6)


@pytest.mark.parametrize("tail", ["r", "rp", "p"])
def test_threads_do_not_matter(tail: str) -> None:
    x = normal(np.random.default_rng(3), (8, 33, 31, 17))
    before = striate.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3, 7):
            striate.set_num_threads(threads)
            found.append(results(prepared(network((33, 31, 17), tail, True), 4), x, True))
    finally:
        striate.set_num_threads(before)
    for other in found[1:]:
        for name, value in found[0].items():
            np.testing.assert_array_equal(other[name], value, err_msg=name)
