"""The ready networks: sizes as published, and that they learn, save and refuse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import models

SMALL: dict[str, Callable[..., Any]] = {
    "cnn": lambda **more: models.cnn((8, 8, 1), 10, filters=(8, 16), units=32, **{"dropout": 0.0, **more}),
    "lenet": lambda **more: models.lenet((8, 8, 1), 10, **more),
    "vgg": lambda **more: models.vgg((8, 8, 1), 10, filters=((8, 8), (16,)), units=(32,), **more),
    "resnet18": lambda **more: models.resnet18((8, 8, 1), 10, width=8, **more),
}


def trainable(model: Any) -> int:
    """Parameters that training changes: all but the moving averages."""
    return sum(value.size for name, value in model.state_dict().items() if "moving_" not in name)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        # 156 + 2,416 + 48,120 + 10,164 + 850, as in every account of LeNet-5 with full connection to C3.
        (lambda: models.lenet((28, 28, 1), 10), 61_706),
        # torchvision's resnet18 has 11,689,512 for 1,000 classes.
        (lambda: models.resnet18((224, 224, 3), 1000), 11_689_512),
        # The usual CIFAR form of ResNet-18 has 11,173,962.
        (lambda: models.resnet18((32, 32, 3), 10), 11_173_962),
        # VGG's first two stacks have 38,720 and 221,440; 2 x 2 x 128 inputs to 100 units and 10 classes.
        (
            lambda: models.vgg((8, 8, 3), 10, ((64, 64), (128, 128)), units=(100,), batch_normalization=False),
            38_720 + 221_440 + 51_300 + 1_010,
        ),
    ],
)
def test_parameters_are_as_published(build: Callable[[], Any], parameters: int) -> None:
    assert trainable(build()) == parameters


@pytest.mark.parametrize(("side", "stem"), [(32, "small"), (96, "imagenet")])
def test_resnet_stem_follows_the_picture(side: int, stem: str) -> None:
    automatic, named = (models.resnet18((side, side, 3), 2, stem=s, width=2) for s in ("auto", stem))
    assert [layer.name for layer in automatic.layers] == [layer.name for layer in named.layers]
    assert automatic.get_layer("stem").get_weights()[0].shape[0] == (7 if stem == "imagenet" else 3)


def test_resnet_halves_as_published() -> None:
    model = models.resnet18((224, 224, 3), 2, width=2)
    sides = [model.get_layer(f"stage{stage}_block2_relu").output_shape[1:] for stage in range(1, 5)]
    assert sides == [(56, 56, 2), (28, 28, 4), (14, 14, 8), (7, 7, 16)]


def test_resnet_receptive_field_is_the_published_one() -> None:
    # Araujo, Norris and Sim (Distill, 2019) give 435 pixels for ResNet-18.
    field = models.resnet18((224, 224, 3), 2, width=2).receptive_field("stage4_block2_conv2")
    assert tuple(np.ravel(field[0])) in {(435,), (435, 435)}
    assert tuple(np.ravel(field[1])) in {(32,), (32, 32)}


@pytest.mark.parametrize("name", SMALL)
def test_networks_learn_real_digits(name: str) -> None:
    (x, y), _ = st.data.load_digits()
    model = SMALL[name](rescale=1 / 255, seed=3)
    model.compile(
        optimizer=st.optimizers.Adam(3e-3),
        loss=st.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    history = model.fit(x[:640], y[:640], batch_size=32, epochs=3, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]
    assert model.evaluate(x[640:900], y[640:900], return_dict=True, verbose=0)["accuracy"] > 0.7


@pytest.mark.parametrize("name", SMALL)
def test_networks_are_saved_whole(name: str, tmp_path: Path) -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 1), dtype=np.uint8)
    model = SMALL[name](rescale=1 / 255, dropout=0.2, seed=1)
    model.save(tmp_path / "m.safetensors")
    loaded = st.load_model(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(loaded.predict(x), model.predict(x))
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]


@pytest.mark.parametrize("name", SMALL)
def test_seed_decides_the_weights(name: str) -> None:
    first, again, other = (SMALL[name](seed=seed).state_dict() for seed in (5, 5, 6))
    assert all(np.array_equal(first[key], again[key]) for key in first)
    assert any(not np.array_equal(first[key], other[key]) for key in first)


def test_rescale_takes_bytes() -> None:
    x = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), dtype=np.uint8)
    with_scale, without = models.lenet((8, 8, 1), seed=2, rescale=1 / 255), models.lenet((8, 8, 1), seed=2)
    without.set_weights(with_scale.get_weights())
    np.testing.assert_allclose(with_scale.predict(x), without.predict(x.astype(np.float32) / 255), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", SMALL)
def test_dropout_is_there_when_asked_for(name: str) -> None:
    kinds = [[type(layer).__name__ for layer in SMALL[name](dropout=rate).layers] for rate in (0.0, 0.5)]
    assert "Dropout" not in kinds[0]
    assert "Dropout" in kinds[1]


def test_published_forms_of_lenet() -> None:
    model = models.lenet((28, 28, 1), activation="tanh", pooling="average")
    assert "AveragePooling2D" in [type(layer).__name__ for layer in model.layers]
    assert model.get_layer("conv2").output_shape[1:] == (10, 10, 16)


@pytest.mark.parametrize("classes", [1, 2, 17])
def test_output_has_a_logit_a_class(classes: int) -> None:
    for build in (models.cnn, models.lenet, models.vgg):
        assert build((16, 12, 3), classes).output_shape == (None, classes)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (
            lambda: models.lenet((28, 28)),
            r"models\.lenet expects input_shape \(height, width, channels\).*got \(28, 28\)",
        ),
        (lambda: models.cnn((28, 0, 1)), r"models\.cnn expects input_shape .* got \(28, 0, 1\)"),
        (lambda: models.cnn((28, 28, 1), classes=0), r"models\.cnn expects classes .* got 0"),
        (lambda: models.vgg((32, 32, 3), classes=True), r"models\.vgg expects classes .* got True"),
        (lambda: models.cnn(dropout=1.0), r"models\.cnn expects dropout in \[0, 1\), got 1\.0"),
        (lambda: models.cnn(filters=()), r"models\.cnn expects filters such as \(32, 64\)"),
        (
            lambda: models.cnn((8, 8, 1), filters=(8, 8, 8, 8)),
            "at least 16 pixels a side, got 8 x 8; give fewer filters",
        ),
        (lambda: models.lenet((3, 9, 1)), "needs at least 4 x 4 pixels, got 3 x 9"),
        (lambda: models.lenet(pooling="min"), 'expects pooling "max" or "average", got \'min\''),
        (lambda: models.vgg(filters=(64, 128)), r"models\.vgg expects filters as a sequence a stack"),
        (lambda: models.vgg(units=(0,)), r"models\.vgg expects units such as \(256,\)"),
        (lambda: models.vgg((4, 4, 3)), "at least 8 pixels a side, got 4 x 4; give fewer stacks"),
        (lambda: models.resnet18(stem="large"), 'expects stem "auto", "imagenet" or "small", got \'large\''),
        (lambda: models.resnet18(padding="valid"), 'expects padding "same" or "torch", got \'valid\''),
        (lambda: models.resnet18(width=0), "expects width to be a whole number of at least 1, got 0"),
    ],
)
def test_arguments_that_do_not_fit_are_named(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
