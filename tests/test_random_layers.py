"""Layers that change images at random: what is drawn and done, by the definition in float64, and the gradients."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import striate as st
from reference import augmentation
from striate import layers
from striate.layers import Conv2D, Flatten, Input

SHAPE = (9, 12, 3)
SEED, STREAM = 11, 2  # the layer is the second of the model
FILLS = ("reflect", "wrap", "constant", "nearest")

Drawn = dict[str, Any]


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def numbers(image: int, step: int) -> np.ndarray:
    return augmentation.uniforms(SEED, augmentation.LAYERS, image, step, 2, STREAM)


def flip(layer: Any, u: np.ndarray) -> Drawn:
    return {"flip_x": "vertical" != layer.mode and u[0] < 0.5, "flip_y": "horizontal" != layer.mode and u[1] < 0.5}


def rotation(layer: Any, u: np.ndarray) -> Drawn:
    low, high = pair(layer.factor)
    return {"angle": 360 * (low + u[0] * (high - low))}


def translation(layer: Any, u: np.ndarray) -> Drawn:
    (top, bottom), (left, right) = pair(layer.height_factor), pair(layer.width_factor)
    return {
        "shift_y": SHAPE[0] * (top + u[0] * (bottom - top)),
        "shift_x": SHAPE[1] * (left + u[1] * (right - left)),
    }


def zoom(layer: Any, u: np.ndarray) -> Drawn:
    low, high = pair(layer.height_factor)
    down = 1 / (1 + low + u[0] * (high - low))
    if layer.width_factor is None:
        return {"zoom": down}
    low, high = pair(layer.width_factor)
    return {"zoom": (1 / (1 + low + u[1] * (high - low)), down)}


def pair(factor: Any) -> tuple[float, float]:
    values = np.atleast_1d(factor)
    return (-abs(values[0]), abs(values[0])) if len(values) == 1 else tuple(values)


MOVES: list[tuple[Callable[..., layers.Layer], Callable[[Any, np.ndarray], Drawn]]] = [
    (lambda **more: layers.RandomRotation(0.2, **more), rotation),
    (lambda **more: layers.RandomRotation((0.05, 0.3), **more), rotation),
    (lambda **more: layers.RandomTranslation(0.3, (-0.5, 0.1), **more), translation),
    (lambda **more: layers.RandomZoom(0.4, **more), zoom),
    (lambda **more: layers.RandomZoom((-0.5, 0.2), (0.1, 0.6), **more), zoom),
]
FLIPS = [lambda mode=mode: layers.RandomFlip(mode) for mode in ("horizontal", "vertical", "horizontal_and_vertical")]
SHADES = [
    lambda **more: layers.RandomBrightness((-0.1, 0.4), **more),
    lambda **more: layers.RandomContrast((0.5, 0.9), **more),
]
ALL = [*[lambda make=make: make() for make, _ in MOVES], *FLIPS, *SHADES]


def model_of(layer: layers.Layer, shape: tuple[int, ...] = SHAPE) -> st.Sequential:
    return st.Sequential([Input(shape), layer], seed=SEED)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize(("make", "draw"), MOVES)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_images_are_moved_by_what_is_drawn(make: Any, draw: Any, fill: str, interpolation: str) -> None:
    layer = make(fill_mode=fill, fill_value=2.5, interpolation=interpolation)
    model, x = model_of(layer), data(4, *SHAPE)
    for step in range(2):
        y = model.forward(x, training=True)
        for i, image in enumerate(x):
            matrix = augmentation.affine(*SHAPE[:2], **draw(layer, numbers(i, step)))
            columns, rows = augmentation.places(matrix, *SHAPE[:2])
            if interpolation == "bilinear":
                want = augmentation.sample(image, columns, rows, fill, 2.5)
                np.testing.assert_allclose(y[i], want, rtol=0, atol=2e-5)
                continue
            sure = np.all([np.abs(place % 1 - 0.5) > 1e-4 for place in (columns, rows)], axis=0)
            want = augmentation.nearest(image, columns, rows, fill, 2.5)
            np.testing.assert_array_equal(y[i][sure], want[sure].astype(np.float32))


@pytest.mark.parametrize("make", FLIPS)
def test_images_are_mirrored(make: Any) -> None:
    layer = make()
    model, x = model_of(layer), data(16, *SHAPE)
    x[0, 0, 0] = np.inf
    y = model.forward(x, training=True)
    for i, image in enumerate(x):
        drawn = flip(layer, numbers(i, 0))
        want = image[:: -1 if drawn["flip_y"] else 1, :: -1 if drawn["flip_x"] else 1]
        np.testing.assert_array_equal(y[i], want)
    assert any((a == b).all() for a, b in zip(x, y, strict=True))
    assert not all((a == b).all() for a, b in zip(x, y, strict=True))


def test_directions_are_those_of_keras() -> None:
    x = data(1, 6, 6, 2)
    turned = model_of(layers.RandomRotation((0.25, 0.25)), (6, 6, 2)).forward(x, training=True)
    np.testing.assert_allclose(turned[0], np.rot90(x[0]), atol=1e-5)  # counterclockwise
    layer = layers.RandomTranslation((1 / 6, 1 / 6), (-1 / 3, -1 / 3), fill_mode="constant", fill_value=7.0)
    shifted = model_of(layer, (6, 6, 2)).forward(x, training=True)
    np.testing.assert_allclose(shifted[0, 1:, :4], x[0, :5, 2:], atol=1e-5)  # down, and to the left
    np.testing.assert_allclose(shifted[0, :1], 7.0, atol=1e-5)
    layer = layers.RandomZoom((1.0, 1.0), (0.0, 0.0), fill_mode="constant")
    smaller = model_of(layer, (6, 6, 2)).forward(x, training=True)
    assert not smaller[0, 0].any() and not smaller[0, 5].any() and smaller[0, 1:5].all()
    zoomed_in = model_of(layers.RandomZoom((-0.5, -0.5)), (5, 5, 2)).forward(x[:, :5, :5], training=True)
    np.testing.assert_allclose(zoomed_in[0, ::2, ::2], x[0, 1:4, 1:4], atol=1e-5)


@pytest.mark.parametrize("value_range", [(0, 255), (-0.5, 1)])
def test_brightness_and_contrast(value_range: tuple[float, float]) -> None:
    low, high = value_range
    x = (low + (high - low) * np.random.default_rng(0).random((5, *SHAPE))).astype(np.float32)
    drawn = [numbers(i, 0)[0] for i in range(len(x))]
    brighter = model_of(layers.RandomBrightness((-0.1, 0.4), value_range)).forward(x, training=True)
    contrasted = model_of(layers.RandomContrast((0.5, 0.9), value_range)).forward(x, training=True)
    for i, u in enumerate(drawn):
        image = x[i].astype(np.float64)
        added = (high - low) * (-0.1 + 0.5 * u)
        np.testing.assert_allclose(brighter[i], (image + added).clip(low, high), rtol=1e-5, atol=1e-5)
        mean, factor = image.mean(axis=(0, 1)), 0.5 + 1.4 * u
        want = ((image - mean) * factor + mean).clip(low, high)
        np.testing.assert_allclose(contrasted[i], want, rtol=1e-5, atol=1e-5 * high)
    assert tuple(layers.RandomContrast(0.25).value_range) == (0, 255)


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) * b).sum(axis=(1, 2, 3))


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("make", [*[make for make, _ in MOVES], lambda **_: layers.RandomFlip()])
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_gradients_of_moves(make: Any, fill: str, interpolation: str) -> None:
    """A move is linear in the image: <dy, move(x)> = <gradient, x>."""
    model = model_of(make(fill_mode=fill, interpolation=interpolation))
    for step in range(2):
        x, dy = data(3, *SHAPE, seed=step), data(3, *SHAPE, seed=step + 7)
        y = model.forward(x, training=True)
        np.testing.assert_allclose(product(model.backward(dy), x), product(dy, y), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("make", SHADES)
def test_gradients_of_shades(make: Any) -> None:
    rng = np.random.default_rng(0)
    x, dy = rng.random((3, *SHAPE)).astype(np.float32), data(3, *SHAPE, seed=1)
    for value_range, cut in (((0.0, 1.0), True), ((-9.0, 9.0), False)):
        model = model_of(make(value_range=value_range))
        y = model.forward(x, training=True)
        gradient = model.backward(dy)
        inside = (y > value_range[0]) & (y < value_range[1])
        assert inside.all() != cut
        for i, u in enumerate(numbers(i, 0)[0] for i in range(len(x))):
            through = np.where(inside[i], dy[i], 0).astype(np.float64)
            factor = 0.5 + 1.4 * u if isinstance(model.layers[0], layers.RandomContrast) else 1.0
            want = factor * through + (1 - factor) * through.mean(axis=(0, 1))
            np.testing.assert_allclose(gradient[i], want, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("make", ALL)
def test_prediction_changes_nothing(make: Any) -> None:
    model, x = model_of(make()), data(3, *SHAPE)
    for y in (model.predict(x), model.forward(x), model.backward(x)):
        np.testing.assert_array_equal(y, x)
    symbol = Input(SHAPE)
    fixed = st.Model(symbol, make()(symbol, training=False))
    np.testing.assert_array_equal(fixed.forward(x, training=True), x)


@pytest.mark.parametrize("make", ALL)
def test_between_convolutions(make: Any) -> None:
    """Maps with zeros around them, which the convolutions ask for: the same values and gradients."""
    x = np.abs(data(5, *SHAPE))
    inputs = Input(SHAPE)
    before = Conv2D(4, 3, padding="same")(inputs)
    changed = make()(before)
    last = Conv2D(2, 3, padding="same")
    model = st.Model(inputs, [before, changed, last(changed), Conv2D(1, 5)(before)], seed=3)
    a, b, c, _ = model.forward(x, training=True)
    maps = Input((*SHAPE[:2], 4))
    np.testing.assert_allclose(st.Model(maps, last(maps)).predict(b), c, rtol=1e-5, atol=1e-5)
    assert not np.array_equal(a, b)
    grads = [data(5, *out.shape[1:], seed=i) for i, out in enumerate((a, b, c))]
    zero = np.zeros((5, 5, 8, 1), np.float32)
    total = model.backward([grads[0], grads[1], grads[2], zero])
    model.forward(x, training=True)  # another step draws other changes: the backward pass uses those of its own
    again = model.backward([grads[0], grads[1], grads[2], zero])
    assert total.shape == again.shape == x.shape and not np.array_equal(total, again)


@pytest.mark.parametrize("make", ALL)
def test_the_same_bits_for_any_number_of_threads(make: Any) -> None:
    x = np.abs(data(70, 16, 16, 4))
    before, results = st.get_num_threads(), []
    try:
        for threads in (1, 3):
            st.set_num_threads(threads)
            model = st.Sequential([Input((16, 16, 4)), make(), Conv2D(3, 3, padding="same")], seed=1)
            results.append([model.forward(x, training=True), model.backward(np.ones((70, 16, 16, 3), np.float32))])
    finally:
        st.set_num_threads(before)
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


def test_layers_steps_and_seeds_draw_for_themselves() -> None:
    x = data(2, *SHAPE)

    def outputs(seed: int) -> list[np.ndarray]:
        inputs = Input(SHAPE)
        model = st.Model(inputs, [layers.RandomRotation(0.5)(inputs), layers.RandomRotation(0.5)(inputs)], seed=seed)
        return [y for _ in range(2) for both in model.forward(x, training=True) for y in both]

    first = outputs(1)
    assert all(np.array_equal(a, b) for a, b in zip(first, outputs(1), strict=True))
    different = [*first, *outputs(2)]
    assert all(not np.allclose(a, b) for i, a in enumerate(different) for b in different[:i])


def test_at_the_front_of_a_network(tmp_path: Any) -> None:
    (x, y), (x_test, y_test) = st.data.load_digits()
    model = st.Sequential(
        [
            Input((8, 8, 1)),
            layers.Rescaling(1 / 255),
            layers.RandomTranslation(0.1, 0.1, fill_mode="constant"),
            layers.RandomRotation(0.03),
            layers.RandomZoom((-0.1, 0.1)),
            layers.RandomBrightness(0.1, value_range=(0, 1)),
            layers.RandomContrast(0.2, value_range=(0, 1)),
            Conv2D(16, 3, activation="relu"),
            Flatten(),
            layers.Dense(10),
        ],
        seed=0,
    )
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(st.optimizers.Adam(1e-2), loss, metrics=["accuracy"])
    model.fit(x, y, epochs=6, verbose=0)
    assert model.evaluate(x_test, y_test, verbose=0)[1] > 0.85
    model.save(tmp_path / "m.safetensors")
    for again in (st.load_model(tmp_path / "m.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert [type(layer) for layer in again.layers] == [type(layer) for layer in model.layers]
        np.testing.assert_array_equal(again.predict(x_test[:9]), model.predict(x_test[:9]))
    assert again.layers[1].get_config()["fill_mode"] == "constant"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.RandomFlip("both"), "mode must be horizontal, vertical or horizontal_and_vertical, got 'both'"),
        (
            lambda: layers.RandomRotation(1.5),
            r"\(lowest, highest\) within -1 .. 1, got -1.5",
        ),
        (lambda: layers.RandomRotation((0.2, 0.1)), "got 0.2 .. 0.1"),
        (lambda: layers.RandomRotation((0.1, 0.2, 0.3)), "got 3 numbers"),
        (
            lambda: layers.RandomRotation(0.1, fill_mode="mirror"),
            "fill_mode must be reflect, wrap",
        ),
        (lambda: layers.RandomRotation(0.1, fill_mode="auto"), "got 'auto'"),
        (lambda: layers.RandomRotation(0.1, interpolation="cubic"), "interpolation must be bilinear or nearest"),
        (lambda: layers.RandomRotation(0.1, fill_value=np.inf), "fill_value must be finite"),
        (lambda: layers.RandomZoom(1.0), "height_factor must be .* within -0.99 .. 1, got -1 .. 1"),
        (lambda: layers.RandomZoom(0.1, 2.0), "width_factor must be"),
        (lambda: layers.RandomTranslation(0.1, float("nan")), "width_factor must be"),
        (lambda: layers.RandomBrightness(0.1, value_range=(1, 0)), "value_range must be two numbers"),
        (lambda: layers.RandomContrast(1.5), r"factor must be one number or \(below, above\) within 0 .. 1"),
        (lambda: layers.RandomFlip(data_format="channels_first"), "channels_last"),
        (lambda: layers.RandomFlip()(Input((5,))), r"expects 4-D input \(N, H, W, C\)"),
    ],
)
def test_errors(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
