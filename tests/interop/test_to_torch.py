"""Models as PyTorch modules: each layer, whole networks, and weights there and back."""

from __future__ import annotations

import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import striate
from layer_cases import CASES
from layer_setups import LayerCase, Setup
from numeric import feed
from striate import interop, layers, models

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")
from torch import nn


def turned(x: np.ndarray) -> Any:
    """Maps with the channels first."""
    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(x, -1, 1) if x.ndim == 4 else x))


# Changes of pictures in training; torchvision has its own.
NO_MODULE = ("RandomBrightness", "RandomContrast", "RandomFlip", "RandomRotation", "RandomTranslation", "RandomZoom")


def difference(model: Any, *inputs: np.ndarray) -> float:
    with torch.no_grad():
        got = interop.to_torch(model).eval()(*map(turned, inputs)).numpy()
    got = np.moveaxis(got, 1, -1) if got.ndim == 4 else got
    want = model.predict(list(inputs) if len(inputs) > 1 else inputs[0])
    assert got.shape == want.shape
    return float(np.abs(got - want).max() / max(np.abs(want).max(), 1e-6))


@pytest.mark.parametrize(
    ("case", "setup"), [pytest.param(c, s, id=f"{c.layer}-{i}") for c in CASES for i, s in enumerate(c.large)]
)
def test_each_layer(case: LayerCase, setup: Setup) -> None:
    if case.layer in NO_MODULE:
        pytest.skip("PyTorch has no such module")
    arrays, weights = feed(case, Setup(setup.args, setup.shapes, 2), seed=4)
    inputs = [layers.Input(shape) for shape in setup.shapes]
    layer = getattr(layers, case.layer)(**setup.args)
    model = striate.Model(inputs, layer(inputs if len(inputs) > 1 else inputs[0]), seed=0)
    model.load_state_dict({f"{layer.name}/{name}": value for name, value in weights.items()})
    assert difference(model, *arrays) < 1e-4


@pytest.mark.parametrize(
    "model",
    [
        models.lenet((28, 28, 1), seed=0),
        models.resnet18((32, 32, 3), width=8, padding="torch", seed=0),
        models.unet((16, 24, 1), base=4, depth=2, seed=0),
    ],
    ids=["lenet", "resnet18", "unet"],
)
def test_networks(model: Any) -> None:
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape[1:])).astype(np.float32)
    assert difference(model, x) < 1e-4
    module = interop.to_torch(model)
    assert sum(p.numel() for p in module.parameters()) == sum(
        value.size for name, value in model.state_dict().items() if "moving_" not in name
    )
    again = pickle.loads(pickle.dumps(module)).eval()
    assert torch.equal(again(turned(x)), module.eval()(turned(x)))


def test_frozen_layers_and_dotted_names() -> None:
    first = layers.Conv2D(4, 3, name="block.0.conv", trainable=False)
    model = striate.Sequential([layers.Input((8, 8, 3)), first, layers.ReLU(), layers.Flatten(), layers.Dense(2)])
    module = interop.to_torch(model)
    named = dict(module.named_parameters())
    assert not named["block.0.conv.weight"].requires_grad and named["dense.weight"].requires_grad


def test_weights_go_there_and_back() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.PReLU(4), nn.Flatten(), nn.Linear(4 * 36, 5))
    model = striate.Sequential(
        [
            *(
                layers.Input((8, 8, 3)),
                layers.Conv2D(4, 3, name="0"),
                layers.BatchNormalization(epsilon=1e-5, name="1"),
            ),
            *(layers.PReLU(shared_axes=[1, 2], name="2"), layers.Flatten(), layers.Dense(5, name="4")),
        ]
    )
    interop.load_torch_state_dict(model, module)
    state = interop.to_torch_state_dict(model)
    missing, unexpected = nn.Sequential(*module).load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"1.num_batches_tracked"}
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items() if name in state)
    assert "head.weight" in interop.to_torch_state_dict(model, {"4": "head"})
    with pytest.raises(ValueError, match="no layer with weights is called '3'"):
        interop.to_torch_state_dict(model, {"3": "head"})


def test_what_has_no_module() -> None:
    class Own(layers.Layer):
        def call(self, x: np.ndarray, training: bool = False) -> np.ndarray:
            return x

        def backward(self, gradient: np.ndarray) -> np.ndarray:
            return gradient

    model = striate.Sequential([layers.Input((3,)), Own(name="mine")])
    with pytest.raises(ValueError, match=r"to_torch: there is no module for \[mine\]"):
        interop.to_torch(model)
    model = striate.Sequential([layers.Input((3,)), layers.Dense(2, name="forward")])
    with pytest.raises(ValueError, match="'forward' cannot be the name of a module"):
        interop.to_torch(model)
