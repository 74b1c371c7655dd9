"""Modules and weights from PyTorch, beside PyTorch's own outputs."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import striate
from striate import interop, layers, models

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    torch = pytest.importorskip("torch")
from torch import nn
from torch.nn import functional as F

TOLERANCE = 1e-4


class Block(nn.Module):
    """A residual block; `pads` are those of a strided 3x3 convolution (left, right, top, bottom)."""

    def __init__(self, channels: int, filters: int, stride: int, pads: tuple[int, ...] = (1, 1, 1, 1)) -> None:
        super().__init__()
        self.pads = pads if stride > 1 else (1, 1, 1, 1)
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.conv2 = nn.Conv2d(filters, filters, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.shortcut: Any = nn.Identity()
        if stride > 1 or channels != filters:
            project = nn.Conv2d(channels, filters, 1, stride, bias=False)
            self.shortcut = nn.Sequential(project, nn.BatchNorm2d(filters))

    def forward(self, x: Any) -> Any:
        y = F.relu(self.bn1(self.conv1(F.pad(x, self.pads))))
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x))


class ResNet18(nn.Module):
    """ResNet-18, of fewer filters: as published, or with the stem for small pictures."""

    def __init__(
        self, width: int = 8, classes: int = 10, small: bool = False, pads: tuple[int, ...] = (1, 1, 1, 1)
    ) -> None:
        super().__init__()
        if small:
            start: list[Any] = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        else:
            start = [nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
        self.stem = nn.Sequential(*start)
        stages, channels = [], width
        for stage in range(4):
            filters = width << stage
            for block in range(2):
                stages.append(Block(channels, filters, 2 if stage and not block else 1, pads))
                channels = filters
        self.stages = nn.Sequential(*stages)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Any) -> Any:
        y = self.stages(self.stem(x))
        return self.fc(torch.flatten(F.adaptive_avg_pool2d(y, 1), 1))


def twice(channels: int, filters: int) -> Any:
    one = [nn.Conv2d(channels, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters, eps=1e-5), nn.ReLU()]
    two = [nn.Conv2d(filters, filters, 3, padding=1, bias=False), nn.BatchNorm2d(filters, eps=1e-5), nn.ReLU()]
    return nn.Sequential(*one, *two)


class UNet(nn.Module):
    """A U-Net, registered from top to bottom and up again."""

    def __init__(self, base: int = 4, depth: int = 2, classes: int = 3) -> None:
        super().__init__()
        self.down = nn.ModuleList([twice(base << (i - 1) if i else 1, base << i) for i in range(depth)])
        self.bottom = twice(base << (depth - 1), base << depth)
        ups = []
        for i in reversed(range(depth)):
            double = [
                nn.ConvTranspose2d(base << (i + 1), base << i, 2, 2, bias=False),
                nn.BatchNorm2d(base << i),
                nn.ReLU(),
            ]
            ups.append(nn.ModuleList([nn.Sequential(*double), twice(base << (i + 1), base << i)]))
        self.up = nn.ModuleList(ups)
        self.logits = nn.Conv2d(base, classes, 1)

    def forward(self, x: Any) -> Any:
        skips = []
        for part in self.down:
            skips.append(part(x))
            x = F.max_pool2d(skips[-1], 2)
        x = self.bottom(x)
        for double, part in self.up:
            x = part(torch.cat([skips.pop(), double(x)], 1))
        return self.logits(x)


def trained(module: Any, seed: int = 0) -> Any:
    """The module with statistics as after a training."""
    torch.manual_seed(seed)
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm1d, nn.GroupNorm, nn.LayerNorm)):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, std=0.2)
        if isinstance(part, (nn.BatchNorm2d, nn.BatchNorm1d)):
            part.running_mean.normal_(std=0.2)
            part.running_var.uniform_(0.5, 1.5)
    return module.eval()


def check(model: Any, module: Any, *shape: int) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    with torch.no_grad():
        want = module(torch.from_numpy(x)).numpy()
    got = model.predict(np.ascontiguousarray(np.moveaxis(x, 1, -1)))
    got = np.moveaxis(got, -1, 1) if got.ndim == 4 else got
    assert got.shape == want.shape
    assert np.abs(got - want).max() < TOLERANCE * np.abs(want).max()


# Modules


@pytest.fixture(scope="module")
def exporter() -> Iterator[None]:
    pytest.importorskip("onnx")
    pytest.importorskip("onnxscript")
    yield


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        pytest.param(lambda: ResNet18(), (3, 64, 64), id="ResNet-18"),
        pytest.param(lambda: UNet(), (1, 16, 24), id="U-Net"),
    ],
)
def test_modules(exporter: None, module: Any, shape: tuple[int, ...]) -> None:
    source = trained(module())
    source.train()
    model = interop.from_torch(source, shape)
    assert all(part.training for part in source.modules())
    assert "Permute" not in {type(layer).__name__ for layer in model.layers}
    assert model.input_shape == (None, *shape[1:], shape[0])
    check(model, source.eval(), 3, *shape)


def test_training_goes_on_as_in_pytorch(exporter: None) -> None:
    """Batch normalisation stays; layers have the modules' names; a step of SGD changes the loss alike; and back."""
    module = trained(ResNet18(classes=4))
    module.stem[1].momentum = 0.3
    module.stem[0].requires_grad_(False)
    model = interop.from_torch(module, (3, 32, 32))
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("BatchNormalization") == 20
    assert model.get_layer("stem.1").get_config()["momentum"] == pytest.approx(0.7)
    assert not model.get_layer("stem.0").trainable and model.get_layer("fc").trainable
    x, y = torch.randn(8, 3, 32, 32), torch.arange(8) % 4
    optimizer = torch.optim.SGD(module.train().parameters(), lr=0.05)
    model.compile(striate.optimizers.SGD(0.05), striate.losses.SparseCategoricalCrossentropy(from_logits=True))
    images = np.ascontiguousarray(x.numpy().transpose(0, 2, 3, 1))
    for _ in range(2):
        optimizer.zero_grad()
        loss = F.cross_entropy(module(x), y)
        loss.backward()
        optimizer.step()
        assert float(model.train_on_batch(images, y.numpy())) == pytest.approx(loss.item(), rel=1e-4)
    mean = module.state_dict()["stem.1.running_mean"].numpy()
    assert np.abs(model.get_layer("stem.1").get_weights()[2] - mean).max() < 1e-5
    for name in ("stem.1", "stages.7.bn2"):  # the last map has one pixel: variances of 8 values
        variance = module.state_dict()[f"{name}.running_var"].numpy()
        np.testing.assert_allclose(model.get_layer(name).get_weights()[3], variance, rtol=2e-4)
    check(model, module.eval(), 2, 3, 32, 32)
    fresh = ResNet18(classes=4)
    fresh.load_state_dict(interop.to_torch_state_dict(model), strict=False)
    check(model, fresh.eval(), 2, 3, 32, 32)


def test_parameters_that_are_no_layers_weights(exporter: None) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.scale = nn.Parameter(torch.full((4, 1, 1), 0.5))
            self.offset = nn.Parameter(torch.randn(4, 1, 1))

        def forward(self, x: Any) -> Any:
            return self.conv(self.conv(x)[:, :3]) * self.scale + self.offset

    module = Scaled()
    with pytest.warns(UserWarning, match="no layer trains the parameters offset: they are constants of the model"):
        model = interop.from_torch(module, (3, 5, 6))
    check(model, module, 2, 3, 5, 6)
    assert model.get_layer("scale").get_weights()[0].shape == (1, 1, 4, 1)
    assert model.count_params() == 12 + 4 + 4  # the convolution is one layer, called twice


def test_what_cannot_be_exported(exporter: None) -> None:
    with pytest.raises(TypeError, match=r"expects a torch.nn.Module, got int"):
        interop.from_torch(3, (1, 2))
    for shape in (3, (), (0, 2), (1.5, 2), ((3, 4), (True, 2))):
        with pytest.raises(TypeError, match="input_shape must"):
            interop.from_torch(nn.ReLU(), shape)
    with pytest.raises(ValueError, match=r"torch.onnx.export cannot export Linear"):
        interop.from_torch(nn.Linear(3, 4), (5,))


# Weights


def test_the_weights_of_a_residual_network() -> None:
    """striate's strided convolutions pad behind alone, and its shortcuts come before their blocks."""
    module = trained(ResNet18(small=True, pads=(0, 1, 0, 1)))
    model = models.resnet18((16, 16, 3), stem="small", width=8, seed=0)
    names = {}
    for stage in range(2, 5):
        block = f"stages.{2 * stage - 2}"
        names[f"stage{stage}_block1_shortcut"] = f"{block}.shortcut.0"
        names[f"stage{stage}_block1_shortcut_bn"] = f"{block}.shortcut.1"
    interop.load_torch_state_dict(model, module.state_dict(), names)
    check(model, module, 2, 3, 16, 16)
    before = model.get_weights()
    with pytest.raises(ValueError, match=r"\[stage2_block1_shortcut\] .* module 'stages.2.conv1' do not match"):
        interop.load_torch_state_dict(model, module)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))


def torchvision_names(state: dict[str, Any]) -> dict[str, Any]:
    """The weights of `ResNet18` under the names of torchvision's resnet18."""
    renamed = {}
    for name, value in state.items():
        parts = name.replace("stem.0", "conv1").replace("stem.1", "bn1").replace("shortcut", "downsample").split(".")
        if parts[0] == "stages":
            parts[:2] = [f"layer{int(parts[1]) // 2 + 1}", str(int(parts[1]) % 2)]
        renamed[".".join(parts)] = value
    return renamed


def test_torchvisions_weights_of_resnet18() -> None:
    """Sides are even: there, symmetric padding and Keras's differ."""
    module = trained(ResNet18())
    state = torchvision_names(module.state_dict())
    model = models.resnet18((64, 64, 3), stem="imagenet", width=8, padding="torch", weights=state)
    check(model, module, 2, 3, 64, 64)
    again = models.resnet18((64, 64, 3), stem="imagenet", width=8, padding="torch", weights=model.state_dict())
    check(again, module, 2, 3, 64, 64)
    with pytest.raises(ValueError, match="weights of PyTorch need padding=\"torch\", got 'same'"):
        models.resnet18((64, 64, 3), stem="imagenet", width=8, weights=state)


def test_layers_that_do_not_fit_are_skipped_with_a_warning() -> None:
    module = trained(ResNet18(classes=4))
    state = {**torchvision_names(module.state_dict()), "extra.weight": np.zeros(3)}
    model = models.resnet18((64, 64, 3), stem="imagenet", width=8, padding="torch", seed=0)
    head = model.get_layer("logits").get_weights()
    names = models.TORCHVISION_RESNET18
    with pytest.raises(ValueError, match=r"\[logits\] .* kernel has shape"):
        interop.load_torch_state_dict(model, state, names)
    with pytest.warns(UserWarning, match=r"skipped: \[logits\] .*; the model has no layer for 'extra' of the state"):
        interop.load_torch_state_dict(model, state, names, skip_mismatch=True)
    assert all(np.array_equal(a, b) for a, b in zip(head, model.get_layer("logits").get_weights(), strict=True))
    assert np.array_equal(model.get_layer("stem").get_weights()[0], state["conv1.weight"].numpy().transpose(2, 3, 1, 0))
    with pytest.raises(ValueError, match="no layer fits"):
        interop.load_torch_state_dict(model, {"a.weight": np.zeros(1)}, skip_mismatch=True)


def test_layers_are_matched_by_name_first() -> None:
    one, two = layers.Dense(3, name="b"), layers.Dense(3, name="a")
    model = striate.Sequential([layers.Input((3,)), one, two])
    module = nn.ModuleDict({"a": nn.Linear(3, 3), "b": nn.Linear(3, 3)})
    interop.load_torch_state_dict(model, module)
    assert np.array_equal(one.get_weights()[1], module["b"].bias.detach().numpy())
    assert np.array_equal(two.get_weights()[0], module["a"].weight.detach().numpy().T)


def test_the_weights_of_a_u_net() -> None:
    module = trained(UNet(base=4, depth=2, classes=3))
    model = models.unet((16, 24, 1), classes=3, base=4, depth=2, seed=0)
    interop.load_torch_state_dict(model, module)
    check(model, module, 2, 1, 16, 24)


def test_every_kind_of_layer_and_a_flattened_map() -> None:
    module = trained(
        nn.Sequential(
            *(nn.Conv2d(4, 8, 3, groups=2), nn.PReLU(8), nn.Conv2d(8, 16, 3, groups=8), nn.GroupNorm(4, 16, eps=1e-3)),
            *(nn.ConvTranspose2d(16, 6, 2, 2), nn.PReLU(), nn.LayerNorm([6, 8, 10], eps=1e-3), nn.Flatten()),
            *(nn.BatchNorm1d(480, eps=1e-3), nn.Dropout(), nn.Linear(480, 5)),
        )
    )
    model = striate.Sequential(
        [
            *(layers.Input((8, 9, 4)), layers.Conv2D(8, 3, groups=2), layers.PReLU(shared_axes=[1, 2])),
            *(layers.DepthwiseConv2D(3, depth_multiplier=2), layers.GroupNormalization(4)),
            *(layers.Conv2DTranspose(6, 2, strides=2), layers.PReLU(shared_axes=[1, 2])),
            *(layers.LayerNormalization(axis=[1, 2, 3]), layers.Flatten(), layers.BatchNormalization()),
            *(layers.Dropout(0.5), layers.Dense(5)),
        ]
    )
    state = {name: value.numpy() for name, value in module.state_dict().items()}
    interop.load_torch_state_dict(model, state)
    check(model, module, 3, 4, 8, 9)


def test_weights_that_do_not_match_are_told() -> None:
    model = striate.Sequential([layers.Input((4,)), layers.Dense(3, name="one"), layers.Dense(2, name="two")])
    module = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2), nn.Linear(2, 2))
    for state, names, message in (
        (3, None, "expects a torch.nn.Module, or the dict"),
        (module, None, "the model has no layer for '2' of the state"),
        (module[:1], None, r"there is no module left for \[two\]; the state has 1"),
        (nn.Sequential(nn.Linear(4, 3), nn.Linear(2, 2)), None, r"kernel has shape \(3, 2\), weight \(2, 2\)"),
        (
            nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2, bias=False)),
            None,
            "it has .'weight'.",
        ),
        (module, {"tow": "1"}, "no layer with weights is called 'tow'"),
        (module, {"two": "fc"}, "the state has no module 'fc'"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            interop.load_torch_state_dict(model, state, names)


def test_missing_packages_are_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = sys.modules['h5py'] = None\n"
        "from striate import interop\n"
        "for call in (lambda: interop.from_torch(1, (2,)), lambda: interop.load_keras_weights(None, 'm.weights.h5')):\n"
        "    try: call()\n"
        "    except (ImportError, AttributeError) as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0] == "striate.interop.from_torch needs torch: pip install 'striate[torch]'"
