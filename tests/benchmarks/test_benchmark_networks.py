"""The well-known networks of the benchmarks beside PyTorch: one training step with equal weights."""

from __future__ import annotations

import copy
import dataclasses
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import torch_architectures
from networks import NETWORKS, build_striate, build_torch, striate_loss

# Name -> side of the pictures, batch size (smaller than in the benchmarks), and the number of trainable weights of the
# published network, where it has the same number of classes.
CASES = {
    "mobilenet_v2": (64, 8, 3_504_872),
    "efficientnet_b0": (64, 8, 5_288_548),
    "resnet50": (64, 8, 25_557_032),
    "resnext": (16, 8, None),
    "convnext_tiny": (32, 4, 28_589_128),
    "densenet40": (32, 8, None),
}


def varied(model: st.Model, rng: np.random.Generator) -> None:
    """Weights that all matter: scales that are not 1, shifts that are not 0, branches of ConvNeXt that count."""
    weights = model.state_dict()
    for name, value in weights.items():
        kind = name.rpartition("/")[2]
        if kind in ("beta", "bias"):
            weights[name] = rng.uniform(-0.1, 0.1, value.shape).astype(np.float32)
        elif kind == "gamma":
            weights[name] = rng.uniform(0.8, 1.2, value.shape).astype(np.float32)
        elif kind == "depthwise_kernel" and value.shape[:2] == (1, 1):
            weights[name] = rng.uniform(0.1, 0.3, value.shape).astype(np.float32)
    model.load_state_dict(weights)


def step_of(module: Any, x: np.ndarray, y: np.ndarray, dtype: Any) -> tuple[float, Any]:
    """The loss of a training step in PyTorch, and the module with its gradients."""
    module = copy.deepcopy(module).to(dtype)
    pictures = torch.from_numpy(torch_architectures.mirrored(x)).to(dtype)
    loss = torch.nn.functional.cross_entropy(module(pictures), torch.from_numpy(y))
    loss.backward()
    return loss.item(), module


@pytest.mark.parametrize("name", CASES)
def test_a_training_step_is_that_of_pytorch(name: str) -> None:
    side, batch, published = CASES[name]
    network = dataclasses.replace(NETWORKS[name], input_shape=(side, side, 3), batch=batch)
    rng = np.random.default_rng(0)
    model, module = build_striate(network), build_torch(network).train()
    varied(model, rng)
    torch_architectures.copy_weights(model, module)
    if published is not None:
        assert sum(parameter.numel() for parameter in module.parameters()) == published
    x = rng.standard_normal((batch, *network.input_shape), dtype=np.float32)
    y = rng.integers(0, network.classes, batch)
    model.compile(st.optimizers.SGD(1e-3), striate_loss(network))
    loss = model.train_on_batch(x, y)
    gradients = model.gradients()

    right, exact = step_of(module, x, y, torch.float64)
    _, rounded = step_of(module, x, y, torch.float32)
    assert loss == pytest.approx(right, rel=1e-5)
    whole = np.sqrt(sum(parameter.grad.square().sum().item() for parameter in exact.parameters()))
    ours = theirs = 0.0
    for (weight, parameter), other in zip(torch_architectures.pairs(model, exact), rounded.parameters(), strict=True):
        expected = parameter.grad.numpy()
        error = np.linalg.norm(
            torch_architectures.in_torch_layout(weight, gradients[weight], parameter.shape) - expected
        )
        assert error <= 0.1 * np.linalg.norm(expected) + 1e-3 * whole, weight
        ours += error**2
        theirs += np.linalg.norm(other.grad.numpy() - expected) ** 2
    # Rounding decides on which side of a kink of ReLU some values are; PyTorch's own float32 has the same error.
    assert np.sqrt(ours) <= 4 * np.sqrt(theirs) + 1e-5 * whole


def test_networks_that_differ_are_refused() -> None:
    network = NETWORKS["densenet40"]
    model = build_striate(network)
    with pytest.raises(ValueError, match="trainable weights, the module has"):
        torch_architectures.copy_weights(model, build_torch(NETWORKS["resnext"]))
    wider = dataclasses.replace(network, rows=(network.rows[0], ("dense", 11)))
    with pytest.raises(ValueError, match=r"dense/kernel has shape \(448, 10\)"):
        torch_architectures.copy_weights(model, build_torch(wider))
