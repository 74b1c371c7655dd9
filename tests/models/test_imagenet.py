"""Networks of ImageNet's pictures: as many weights as published, and torchvision's outputs with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import interop, models

# Parameters for 1,000 classes, as torchvision documents them.
NETWORKS = {
    "resnet50": 25_557_032,
    "mobilenet_v2": 3_504_872,
    "mobilenet_v3_small": 2_542_856,
    "efficientnet_b0": 5_288_548,
    "densenet121": 7_978_856,
    "convnext_tiny": 28_589_128,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameters_are_as_published(name: str) -> None:
    model = getattr(models, name)(seed=0)
    state = model.state_dict()
    assert sum(value.size for key, value in state.items() if "moving_" not in key) == NETWORKS[name]
    assert model.output_shape == (None, 1000)
    sizes = [layer.output_shape[1:3] for layer in model.layers if len(layer.output_shape) == 4]
    assert min(size for size in sizes if size != (1, 1)) == (7, 7)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_state_is_read_again(name: str) -> None:
    build = getattr(models, name)
    model = build((32, 40, 1), 3, seed=0)
    x = np.random.default_rng(0).normal(size=(2, 32, 40, 1)).astype(np.float32)
    again = build((32, 40, 1), 3, seed=1, weights=model.state_dict())
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


@pytest.mark.parametrize("name", ["mobilenet_v3_small", "efficientnet_b0"])
def test_networks_learn_real_digits(name: str) -> None:
    (x, y), _ = st.data.load_digits()
    images = np.repeat(np.repeat(x[:192], 4, axis=1), 4, axis=2)
    model = getattr(models, name)((32, 32, 1), 10, rescale=1 / 255, dropout=0.0, seed=3)
    model.compile(st.optimizers.Adam(3e-3), st.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(images, y[:192], batch_size=32, epochs=5, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]


def torchvision_module(name: str) -> Any:
    """torchvision's network with weights that are not those it begins with."""
    torch = pytest.importorskip("torch")
    vision = pytest.importorskip("torchvision")
    torch.manual_seed(0)
    module = getattr(vision.models, name)(weights=None).eval()
    for part in module.modules():
        if isinstance(part, (torch.nn.BatchNorm2d, torch.nn.LayerNorm)):
            torch.nn.init.uniform_(part.weight, 0.5, 1.0)
            torch.nn.init.normal_(part.bias, std=0.1)
        if isinstance(part, torch.nn.BatchNorm2d):
            part.running_mean.normal_(std=0.1)
            part.running_var.uniform_(0.7, 1.5)
        if hasattr(part, "layer_scale"):
            torch.nn.init.uniform_(part.layer_scale, 0.05, 0.2)
    return module


@pytest.mark.parametrize("name", NETWORKS)
def test_torchvisions_weights_give_its_outputs(name: str) -> None:
    module = torchvision_module(name)
    import torch

    pixels = np.random.default_rng(0).integers(0, 256, (2, 96, 128, 3), dtype=np.uint8)
    model = getattr(models, name)((96, 128, 3), weights=module.state_dict(), rescale="imagenet")
    unit = (pixels / np.float32(255) - models.IMAGENET_MEANS) / models.IMAGENET_DEVIATIONS
    with torch.no_grad():
        want = module(torch.from_numpy(unit.transpose(0, 3, 1, 2).astype(np.float32))).numpy()
    got = model.predict(pixels)
    assert np.abs(got - want).max() < 1e-4 * max(float(np.abs(want).max()), 1.0)
    missing = module.load_state_dict(interop.to_torch_state_dict(model), strict=False)
    assert not missing.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)


def test_pictures_are_prepared_as_torchvision_does(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    transforms = pytest.importorskip("torchvision").transforms
    rng = np.random.default_rng(0)
    for shape in ((301, 250), (97, 333)):
        picture = image.fromarray(rng.integers(0, 256, (*shape, 3), dtype=np.uint8))
        for bicubic in (False, True):
            mode = transforms.InterpolationMode.BICUBIC if bicubic else transforms.InterpolationMode.BILINEAR
            want = transforms.CenterCrop(224)(transforms.Resize(232, mode)(picture))
            got = models.imagenet_pixels(picture, shorter=232, bicubic=bicubic)
            np.testing.assert_array_equal(got, np.asarray(want))


def test_pictures_of_files_and_arrays(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    image.fromarray(pixels).save(tmp_path / "a.png")
    got = models.imagenet_pixels(pixels, 32)
    assert got.shape == (32, 32, 3) and got.dtype == np.uint8
    np.testing.assert_array_equal(models.imagenet_pixels(tmp_path / "a.png", 32), got)
    np.testing.assert_array_equal(models.imagenet_pixels(pixels, 40, 40), pixels[:, 10:50])
    with pytest.raises(ValueError, match="expects 1 <= size <= shorter, got size=9 and shorter=8"):
        models.imagenet_pixels(pixels, 9, 8)
    with pytest.raises(ValueError, match=r"expects an array \(H, W, 3\) of uint8, got \(40, 60\) of uint8"):
        models.imagenet_pixels(pixels[..., 0])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: models.resnet50((31, 64, 3)), r"models\.resnet50 needs at least 32 x 32 pixels, got 31 x 64"),
        (lambda: models.mobilenet_v2((32, 32)), r"models\.mobilenet_v2 expects input_shape"),
        (lambda: models.densenet121(classes=0), r"models\.densenet121 expects classes .* got 0"),
        (lambda: models.convnext_tiny(dropout=1.0), r"models\.convnext_tiny expects dropout in \[0, 1\), got 1\.0"),
        (lambda: models.efficientnet_b0((32, 32, 1), rescale="imagenet"), "expects 3 channels to normalise"),
        (lambda: models.resnet50(rescale="torch"), "expects rescale to be a number or 'imagenet', got 'torch'"),
        (lambda: models.mobilenet_v3_small((32, 32, 3), weights={"a.weight": np.zeros(1)}), "kernel has shape"),
    ],
)
def test_arguments_that_do_not_fit_are_named(build: Any, message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        build()
