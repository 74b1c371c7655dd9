"""Networks for pixels and boxes on the maps of others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate as st
from striate import models


@pytest.mark.parametrize("name", ["resnet50", "mobilenet_v3_small", "densenet121", "convnext_tiny", "resnet18"])
def test_maps_of_ready_networks(name: str) -> None:
    backbone = getattr(models, name)((128, 96, 3), seed=0)
    model = models.deeplabv3(backbone, 3, filters=8, seed=0)
    assert model.output_shape == (None, 128, 96, 3)
    detector = models.pyramid_detector(backbone, 2, filters=8, seed=0)
    rows = 16 + 16 // 4 + 16 // 16
    assert detector.output_shape == (None, rows, 12, 7)
    x = np.random.default_rng(0).normal(size=(1, 128, 96, 3)).astype(np.float32)
    assert np.isfinite(model.predict(x)).all() and np.isfinite(detector.predict(x)).all()
    logit = detector.predict(x)[..., 4]
    assert np.median(logit) < -2  # objects are rare at first


def test_the_backbones_weights_are_part_of_the_result() -> None:
    backbone = models.resnet18((64, 64, 3), stem="imagenet", width=4, seed=0)
    model = models.deeplabv3(backbone, 2, filters=4, seed=1)
    kernel = backbone.get_layer("stem").get_weights()[0]
    np.testing.assert_array_equal(model.get_layer("stem").get_weights()[0], kernel)
    names = [layer.name for layer in model.layers]
    assert "logits" in names and "stage4_block1_conv1" not in names


def test_pixels_are_learned() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(32, 32, 32, 1)).astype(np.float32) * 0.1
    y = np.zeros((32, 32, 32), np.int64)
    for image, label in zip(x, y, strict=True):
        top, left = rng.integers(0, 3, 2) * 8
        image[top : top + 16, left : left + 16] += 1
        label[top : top + 16, left : left + 16] = 1
    backbone = models.resnet18((32, 32, 1), stem="small", width=8, seed=0)
    model = models.deeplabv3(backbone, 2, stride=4, filters=16, rates=(1, 2), dropout=0.0, seed=0)
    model.compile(st.optimizers.Adam(3e-3), st.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, batch_size=8, epochs=8, verbose=0)
    assert (model.predict(x).argmax(-1) == y).mean() > 0.9


def test_boxes_are_learned() -> None:
    (x, boxes), _ = scenes()
    backbone = models.resnet18((64, 64, 1), stem="small", width=8, rescale=1 / 255, seed=0)
    model = models.pyramid_detector(backbone, 1, strides=(4, 8), filters=16, seed=0)
    model.compile(st.optimizers.Adam(3e-3), st.losses.DetectionLoss(strides=(4, 8)))
    history = model.fit(x, boxes, batch_size=8, epochs=6, verbose=0).history
    assert history["loss"][-1] < 0.6 * history["loss"][0]


def scenes() -> Any:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 60, (32, 64, 64, 1)).astype(np.uint8)
    targets = []
    for image in x:
        top, left = rng.integers(0, 44, 2)
        height, width = rng.integers(10, 20, 2)
        image[top : top + height, left : left + width] = 220
        box = np.array([[left, top, left + width, top + height]], np.float32)
        targets.append((box, np.array([0])))
    return (x, targets), None


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda b: models.deeplabv3(3), "expects a model such as models.resnet50"),
        (lambda b: models.deeplabv3(b, classes=0), "expects classes to be a whole number of at least 1, got 0"),
        (lambda b: models.deeplabv3(b, stride=64), "has no map of stride 64"),
        (lambda b: models.pyramid_detector(b, strides=(8, 32)), "strides that double from each to the next"),
        (lambda b: models.pyramid_detector(b), "expects a height in multiples of 128 and a width in multiples of 32"),
        (
            lambda b: models.pyramid_detector(st.Model(b.inputs, [b.outputs[0], b.layers[3].output])),
            "expects a backbone with one input",
        ),
    ],
)
def test_what_does_not_fit_is_named(build: Any, message: str) -> None:
    backbone = models.resnet18((64, 64, 3), width=2, seed=0)
    with pytest.raises((ValueError, TypeError), match=message):
        build(backbone)
