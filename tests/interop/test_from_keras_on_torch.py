"""Keras 3 models, with PyTorch as their backend, beside Keras's own outputs."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("torch")
    keras = pytest.importorskip("keras")

from striate.interop import from_keras

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's own
L = keras.layers
RNG = np.random.default_rng(5)


def randomised(model: Any) -> Any:
    """The model with weights as after a training."""
    model.set_weights(
        [RNG.uniform(0.5, 1.5, w.shape) if w.ndim == 1 else RNG.normal(0, 0.3, w.shape) for w in model.get_weights()]
    )
    return model


def same(model: Any, *shapes: tuple[int, ...], **options: Any) -> Any:
    inputs = [RNG.standard_normal((2, *shape)).astype(np.float32) for shape in shapes]
    made = from_keras(model, **options)
    given = inputs if len(inputs) > 1 else inputs[0]
    wants, gots = model.predict(given, verbose=0), made.predict(given)
    for want, got in zip(*(v if isinstance(v, list) else [v] for v in (wants, gots)), strict=True):
        assert got.shape == want.shape
        assert np.abs(got - want).max() <= 1e-5 * max(np.abs(want).max(), 1)
    assert made.count_params() == model.count_params()
    return made


def test_a_residual_network() -> None:
    x = inputs = keras.Input((13, 12, 3), name="image")
    x = L.Rescaling(1 / 255, -0.5)(x)
    x = L.ZeroPadding2D(((0, 1), (1, 0)))(x)
    x = L.Conv2D(8, 3, strides=2, use_bias=False, kernel_regularizer="l2", kernel_constraint="non_neg")(x)
    x = L.BatchNormalization(scale=False, momentum=0.8, name="bn")(x)
    y = L.Activation("swish")(L.DepthwiseConv2D(3, padding="same")(x))
    gate = L.Conv2D(8, 1, activation="sigmoid")(L.Reshape((1, 1, 8))(L.GlobalAveragePooling2D()(y)))
    x = L.Add()([x, L.Multiply()([y, gate])])
    x = L.Dropout(0.2, noise_shape=(None, 1, 1, 1), name="drop")(x)
    x = L.MaxPooling2D(3, 2, padding="same")(L.PReLU(shared_axes=[1, 2])(x))
    x = keras.ops.relu(x * 2.0 - 0.5)
    outputs = [L.Dense(4, name="head")(L.Dropout(0.3)(L.Flatten()(x))), L.UpSampling2D(2, interpolation="bilinear")(x)]
    model = randomised(keras.Model(inputs, outputs))
    model.get_layer("bn").trainable = False
    with pytest.warns(UserWarning, match="left out, which changes training alone: kernel_constraint of conv2d, drop"):
        made = same(model, (13, 12, 3))
    assert not made.get_layer("bn").trainable and made.get_layer("head").trainable
    assert "0.01" in str(made.get_layer("conv2d").get_config()["kernel_regularizer"])
    assert made.get_layer("bn").get_config()["momentum"] == 0.8


def test_shared_layers_models_within_models_and_files(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((6, 6, 2)), L.Conv2D(3, 3, name="conv"), L.ReLU()], name="tower")
    a, b = keras.Input((6, 6, 2)), keras.Input((6, 6, 2))
    joined = L.Concatenate()([inner(a), inner(b)])
    joined = L.SeparableConv2D(4, 3, padding="same", name="conv")(joined)
    model = randomised(keras.Model([a, b], L.LayerNormalization()(joined)))
    made = same(model, (6, 6, 2), (6, 6, 2))
    assert {"conv", "conv_2"} <= {layer.name for layer in made.layers}
    for name in ("m.keras", "m.h5"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of Keras's older format
            model.save(tmp_path / name)
        again = from_keras(tmp_path / name)
        assert all(np.array_equal(p, q) for p, q in zip(again.get_weights(), made.get_weights(), strict=True))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        from_keras(tmp_path / "none.keras")


def test_open_sizes() -> None:
    model = randomised(keras.Sequential([keras.Input((None, None, 3)), L.Conv2D(2, 3), L.GlobalAveragePooling2D()]))
    with pytest.raises(ValueError, match=r"has shape \(None, None, 3\); give all sizes"):
        from_keras(model)
    with pytest.raises(ValueError, match=r"got input_shape \(9, 8, 4\)"):
        from_keras(model, (9, 8, 4))
    same(model, (9, 8, 3), input_shape=(9, 8, 3))


def test_an_application() -> None:
    model = keras.applications.MobileNetV3Small(input_shape=(64, 64, 3), weights=None, classes=5)
    same(randomised(model), (64, 64, 3))


def test_what_has_no_layer_is_told_at_once() -> None:
    x = inputs = keras.Input((6, 4))
    x = L.LSTM(3, name="memory", return_sequences=True)(x)
    x = L.Lambda(lambda y: y + 1, name="own")(L.Dense(2)(x))
    with pytest.raises(ValueError, match=r"no layers for 2 of the parts .*\n  memory \(LSTM\): .*\n  own \(Lambda\): "):
        from_keras(keras.Model(inputs, x))
    with pytest.raises(TypeError, match=r"expects a keras.Model or a file, got int"):
        from_keras(3)

    class Own(keras.Model):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return x

    with pytest.raises(ValueError, match="must be a functional model, or a sequential one that is built"):
        from_keras(Own())
