"""A convolution, 2 x 2 maxima and ReLU in one node of the plan, beside the same layers one after the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from numeric import normal, relative_error
from striate import layers as L


def network(shape: tuple[int, ...], tail: str, behind: bool, fusion: bool, **conv: Any) -> striate.Sequential:
    """A convolution, first or not, and what `tail` spells (r: ReLU, p: pool; a: ReLU as its activation)."""
    stack: list[L.Layer] = [L.Input(shape)]
    if behind:
        stack.append(L.Conv2D(shape[-1], 1, activation="tanh"))
    stack.append(L.Conv2D(activation="relu" if "a" in tail else None, name="pooled", **conv))
    stack += [L.ReLU() if letter == "r" else L.MaxPooling2D(2) for letter in tail.replace("a", "")]
    return striate.Sequential([*stack, L.Flatten(), L.Dense(3)], seed=2, fusion=fusion)


def results(model: striate.Sequential, x: np.ndarray, y: np.ndarray) -> dict[str, np.ndarray]:
    """Of prediction, of a training step, and of a raw pass, which has a gradient to the input besides."""
    model.compile(striate.optimizers.SGD(0.0), "mse")
    found = {"prediction": model.predict_on_batch(x), "loss": np.array(model.train_on_batch(x, y))}
    found |= {f"{name}, step": gradient.copy() for name, gradient in model.gradients().items()}
    found["output"] = model.forward(x, training=True)
    return found | {"input": model.backward(y)} | {f"{name}, raw": g for name, g in model.gradients().items()}


def compare(shape: tuple[int, ...], batch: int, tail: str, behind: bool, **conv: Any) -> None:
    rng = np.random.default_rng(3)
    x, y = normal(rng, (batch, *shape)), normal(rng, (batch, 3))
    fused, plain = (results(network(shape, tail, behind, fusion, **conv), x, y) for fusion in (True, False))
    assert fused.keys() == plain.keys()
    for name, value in plain.items():
        if name in ("prediction", "loss", "output"):  # the maxima have the same bits, so that the same places win
            np.testing.assert_array_equal(fused[name], value, err_msg=name)
        else:
            assert relative_error(fused[name], value) < 1e-5, name


TAILS = ["pr", "rp", "ap", "p"]


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("size", [12, 13])
def test_by_winograd(tail: str, behind: bool, size: int) -> None:
    compare((size, size + 1, 16), 5, tail, behind, filters=32, kernel_size=3, padding="same")
    compare((size, size, 16), 40, tail, behind, filters=48, kernel_size=3)


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("channels", [1, 3, 5])
def test_first_layers(tail: str, behind: bool, channels: int) -> None:
    compare((28, 28, channels), 3, tail, behind, filters=32, kernel_size=3)
    compare((17, 22, channels), 2, tail, behind, filters=6, kernel_size=5, padding="same", strides=2)


def test_large_weights() -> None:
    compare((9, 9, 120), 2, "pr", True, filters=75, kernel_size=3, padding="same")  # no multiple of 16: no Winograd


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_weights_that_are_frozen(behind: bool, bias: bool) -> None:
    model = network((10, 10, 2), "pr", behind, True, filters=4, kernel_size=3, use_bias=bias)
    model.get_layer("pooled").trainable = False
    model.compile("sgd", "mse")
    before = {name: value.copy() for name, value in model.state_dict().items()}
    model.train_on_batch(np.ones((2, 10, 10, 2), np.float32), np.ones((2, 3), np.float32))
    after = model.state_dict()
    assert {name for name in before if np.array_equal(before[name], after[name])} == {
        name for name in before if name.startswith("pooled")
    }


@given(st.data())
def test_any(data: st.DataObject) -> None:
    draw = data.draw
    groups = draw(st.sampled_from([1, 1, 2]))
    shape = (draw(st.integers(5, 20)), draw(st.integers(5, 20)), groups * draw(st.integers(1, 4)))
    conv = {
        "filters": groups * draw(st.integers(1, 20)),
        "kernel_size": (draw(st.integers(1, 3)), draw(st.integers(1, 3))),
        "padding": draw(st.sampled_from(["same", "valid"])),
        "groups": groups,
        "use_bias": draw(st.booleans()),
    }
    conv |= draw(st.sampled_from([{}, {"strides": 2}, {"dilation_rate": 2, "padding": "same"}]))
    if conv.get("strides") == 2:
        shape = (shape[0] + 3, shape[1] + 3, shape[2])
    compare(shape, draw(st.integers(1, 4)), draw(st.sampled_from(TAILS)), draw(st.booleans()), **conv)
