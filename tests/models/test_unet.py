"""The U-Net, the losses and metrics of its maps, and prediction by tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from striate import losses, models
from striate.segmentation import predict_tiles, with_input_size

rng = np.random.default_rng(5)


def small(**more: Any) -> Any:
    return models.unet(**{"input_shape": (16, 24, 1), "classes": 3, "base": 4, "depth": 2, "seed": 1, **more})


def scenes(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Grey pictures (N, 16, 24, 1) with a bright and a middling bar on noise, and their classes."""
    random = np.random.default_rng(seed)
    y = np.zeros((count, 16, 24), np.uint8)
    for mask in y:
        top, left = random.integers(0, 12), random.integers(0, 18)
        mask[top : top + 4] = 1
        mask[:, left : left + 4] = 2
    return (y[..., None] * 0.4 + random.normal(0, 0.15, (*y.shape, 1))).astype(np.float32), y


def test_parameters_are_as_published() -> None:
    # Counted from the paper's figure 1, without biases, plus gamma and beta of every normalisation (2 a filter).
    def twice(before: int, after: int) -> int:
        return 9 * before * after + 9 * after * after + 4 * after

    width = [64, 128, 256, 512]
    down = sum(twice(a, b) for a, b in zip([1, *width], [*width, 1024], strict=True))
    up = sum(2 * f * f * 4 + 2 * f + twice(2 * f, f) for f in width)
    model = models.unet((32, 32, 1), 2, base=64)
    total = sum(value.size for name, value in model.state_dict().items() if "moving_" not in name)
    assert total == down + up + 64 * 2 + 2


@pytest.mark.parametrize("up", ["transpose", "upsample"])
def test_every_scale_is_joined_with_its_own(up: str) -> None:
    model = models.unet((32, 48, 3), 5, base=2, depth=3, up=up, seed=0)
    assert model.output_shape == (None, 32, 48, 5)
    for scale in range(1, 4):
        joined = model.get_layer(f"up{scale}_join").output_shape
        assert joined == (None, 32 // 2 ** (scale - 1), 48 // 2 ** (scale - 1), 2 * 2**scale)
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds.count("MaxPooling2D") == kinds.count("Concatenate") == 3
    assert kinds.count("UpSampling2D") == (3 if up == "upsample" else 0)
    assert kinds.count("Conv2DTranspose") == (0 if up == "upsample" else 3)


@pytest.mark.parametrize("up", ["transpose", "upsample"])
def test_it_learns_and_is_saved_whole(up: str, tmp_path: Path) -> None:
    model = small(up=up, dropout=0.1)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    each = st.metrics.MeanIoU(average=None, name="each")
    model.compile(st.optimizers.Adam(0.01), loss, metrics=["mean_iou", each])
    model.fit(*scenes(48), batch_size=8, epochs=6, verbose=0)
    x, y = scenes(16, seed=1)
    found = model.evaluate(x, y, return_dict=True, verbose=0)
    assert found["mean_iou"] > 0.85
    np.testing.assert_allclose(found["each"].mean(), found["mean_iou"])
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(st.load_model(tmp_path / "m.safetensors").predict(x), model.predict(x))


def test_ignored_pixels_count_for_nothing() -> None:
    x, y = scenes(4)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = small()
    model.compile("sgd", loss, metrics=[st.metrics.MeanIoU(ignore_class=255), st.metrics.Precision(ignore_class=255)])
    marked = y.copy()
    marked[:, :, 12:] = 255
    found = model.evaluate(x, marked, return_dict=True, verbose=0)
    logits = model.predict(x)[:, :, :12]
    assert found["mean_iou"] == st.metrics.MeanIoU()(y[:, :, :12], logits)
    assert found["precision"] == st.metrics.Precision()(y[:, :, :12], logits)


@pytest.mark.parametrize(
    ("classes", "activation", "loss"),
    [
        (3, None, losses.SparseCategoricalCrossentropy(from_logits=True)),
        (3, "softmax", losses.SparseCategoricalCrossentropy()),
        (3, "softmax", losses.CategoricalFocalCrossentropy()),
        (3, "softmax", losses.Dice()),
        (3, "softmax", losses.Dice(axis=[0, 1, 2])),
        (3, "softmax", losses.Tversky(alpha=0.7, beta=0.3)),
        (1, None, losses.BinaryFocalCrossentropy(from_logits=True)),
        (1, "sigmoid", losses.Dice()),
        (1, "sigmoid", losses.Tversky()),
    ],
    ids=lambda value: repr(value),
)
def test_losses_of_maps(classes: int, activation: str | None, loss: Any) -> None:
    x, y = scenes(16)
    target = y if type(loss).__name__.startswith("Sparse") else st.data.to_categorical(y, 3)
    if classes == 1:
        target = (y > 0).astype(np.uint8)  # (N, H, W) fits an output (N, H, W, 1)
    model = small(classes=classes, activation=activation)
    model.compile(st.optimizers.Adam(0.01), loss, metrics=["dice", "sensitivity", "precision", "mean_iou"])
    history = model.fit(x, target, batch_size=8, epochs=6, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert history["dice"][-1] > history["dice"][0]


def test_labels_do_for_one_hot_targets() -> None:
    x, y = scenes(6)
    one_hot = st.data.to_categorical(y, 3)
    for loss in (losses.Dice(axis=(1, 2)), losses.Tversky(), losses.CategoricalFocalCrossentropy()):
        model = small(activation="softmax")
        model.compile("adam", loss)
        of_one_hot = model.evaluate(x, one_hot, verbose=0)
        for labels in (y, y[..., None], y.astype(np.float32)):
            assert model.evaluate(x, labels, verbose=0) == pytest.approx(of_one_hot, rel=1e-6)
        # One after the other, in one model.
        assert np.isfinite(model.train_on_batch(x, y))
        assert np.isfinite(model.train_on_batch(x, one_hot))
    with pytest.raises(ValueError, match=r"\[Dice\] expects y of shape \(N, 16, 24, 3\) .*, got \(6, 16, 12\)"):
        losses.Dice()(y[:, :, :12], model.predict(x))


def test_a_sum_of_losses_is_saved_with_the_model(tmp_path: Path) -> None:
    x, y = scenes(16)
    loss = 0.5 * losses.Dice(from_logits=True, axis=(0, 1, 2)) + losses.SparseCategoricalCrossentropy(from_logits=True)
    model = small()
    model.compile(st.optimizers.Adam(0.01), loss, metrics=["mean_iou"])
    history = model.fit(x, y, batch_size=8, epochs=4, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    model.save(tmp_path / "m.safetensors")
    again = st.load_model(tmp_path / "m.safetensors")
    assert repr(again.loss) == repr(loss)
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize("name", ["MeanIoU", "DiceScore", "Sensitivity", "Precision"])
def test_metrics_of_maps_are_scikit_learns(name: str) -> None:
    skm = pytest.importorskip("sklearn.metrics")
    function = {"MeanIoU": "jaccard", "DiceScore": "f1", "Sensitivity": "recall", "Precision": "precision"}[name]
    truth = rng.integers(0, 4, (3, 9, 7))
    scores = rng.normal(size=(3, 9, 7, 4)) + 1.5 * np.eye(4)[truth]
    score = getattr(skm, f"{function}_score")
    for average in (None, "macro", "micro", "weighted"):
        expected = score(truth.ravel(), scores.argmax(-1).ravel(), average=average)
        metric = getattr(st.metrics, name)(average=average)
        metric.update_state(truth[:1], scores[:1])
        metric.update_state(truth[1:].astype(np.uint8), scores[1:].astype(np.float32))
        np.testing.assert_allclose(metric.result(), expected, atol=1e-12)


def test_metrics_by_name_are_scikit_learns_over_the_whole_epoch() -> None:
    skm = pytest.importorskip("sklearn.metrics")
    x, y = scenes(10)
    model = small()
    names = ["mean_iou", "dice", "sensitivity", "precision", "accuracy"]
    kinds = {"iou": st.metrics.MeanIoU, "overlap": st.metrics.DiceScore, "recall": st.metrics.Sensitivity}
    each = [kind(average=None, name=f"each_{name}") for name, kind in kinds.items()]
    loss = losses.Dice(from_logits=True) + losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(st.optimizers.Adam(0.01), loss, metrics=[*names, *each])
    history = model.fit(x, y, batch_size=4, epochs=3, verbose=0).history
    assert all(len(history[name]) == 3 for name in names) and np.shape(history["each_iou"]) == (3, 3)

    found = model.evaluate(x, y, batch_size=3, return_dict=True, verbose=0)  # the last batch is a short one
    truth, guess = y.ravel(), model.predict(x).argmax(axis=-1).ravel()
    scores = {"mean_iou": skm.jaccard_score, "dice": skm.f1_score, "sensitivity": skm.recall_score,
              "precision": skm.precision_score}  # fmt: skip
    for name, score in scores.items():
        expected = score(truth, guess, average="macro", zero_division=0)
        assert found[name] == pytest.approx(expected, abs=1e-6)
    assert found["accuracy"] == pytest.approx((truth == guess).mean(), abs=1e-6)
    for name, score in (("iou", skm.jaccard_score), ("overlap", skm.f1_score), ("recall", skm.recall_score)):
        expected = score(truth, guess, average=None, zero_division=0)
        np.testing.assert_allclose(found[f"each_{name}"], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base": 0}, r"models\.unet expects base and depth of at least 1, got 0 and 2"),
        ({"depth": 0}, "base and depth of at least 1, got 4 and 0"),
        ({"up": "bilinear"}, 'expects up "transpose" or "upsample", got \'bilinear\''),
        ({"input_shape": (30, 8, 1)}, "must be multiples of 4, got 30 x 8; give it 32 x 8, or a smaller depth"),
        ({"input_shape": (32, 32)}, r"models\.unet expects input_shape \(height, width, channels\)"),
        ({"classes": 0}, r"models\.unet expects classes .* got 0"),
    ],
)
def test_arguments_that_do_not_fit_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_another_input_size_keeps_the_weights() -> None:
    model = small()
    wide = with_input_size(model, 32, 40)
    assert wide.input_shape == (None, 32, 40, 1)
    for one, other in zip(model.get_weights(), wide.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    x = rng.random((2, 16, 24, 1), dtype=np.float32)
    np.testing.assert_array_equal(with_input_size(wide, 16, 24).predict(x), model.predict(x))
    flat = st.Sequential([st.Input((4, 4, 1)), st.layers.Flatten(), st.layers.Dense(2)])
    with pytest.raises(ValueError, match="needs a model whose output is a map of its input's size"):
        predict_tiles(flat, np.zeros((9, 9)))


def pixelwise(height: int, width: int) -> Any:
    """Every output pixel depends on its own input pixel alone."""
    layers = [st.Input((height, width, 2)), st.layers.Conv2D(5, 1, activation="tanh"), st.layers.Conv2D(3, 1)]
    return st.Sequential(layers, seed=0)


@given(
    size=hs.tuples(hs.integers(1, 40), hs.integers(1, 40)),
    tile=hs.tuples(hs.integers(1, 12), hs.integers(1, 12)),
    share=hs.floats(0, 0.5),
    batch=hs.integers(1, 5),
)
def test_tiles_of_a_pixelwise_network_are_the_whole_picture(
    size: tuple[int, int], tile: tuple[int, int], share: float, batch: int
) -> None:
    picture = np.random.default_rng(0).normal(size=(*size, 2)).astype(np.float32)
    model = pixelwise(8, 8)
    found = predict_tiles(model, picture, tile, (int(tile[0] * share), int(tile[1] * share)), batch)
    whole = with_input_size(model, *size).predict(picture[None])[0]
    assert found.shape == (*size, 3) and found.dtype == np.float32
    np.testing.assert_allclose(found, whole, rtol=1e-5, atol=1e-6)


def test_tiles_of_a_network_with_a_receptive_field() -> None:
    model = st.Sequential([st.Input((16, 16, 1)), st.layers.Conv2D(4, 3, padding="same")], seed=0)
    picture = rng.normal(size=(50, 37, 1)).astype(np.float32)
    whole = with_input_size(model, 52, 39).predict(np.pad(picture, ((1, 1), (1, 1), (0, 0)), "symmetric")[None])[0]
    whole = whole[1:-1, 1:-1]

    def errors(overlap: int) -> np.ndarray:
        return np.abs(predict_tiles(model, picture, 16, overlap) - whole)

    # Only pixels at a tile's edge know too little, and the overlap takes their share away.
    assert errors(8).max() < 0.05 * errors(0).max()
    assert np.median(errors(8)) < 1e-6


def test_a_picture_of_the_tiles_size_is_what_predict_makes() -> None:
    model = small(rescale=1 / 255)
    pictures = rng.integers(0, 256, (2, 16, 24, 1), dtype=np.uint8)
    np.testing.assert_allclose(predict_tiles(model, pictures), model.predict(pictures), rtol=1e-6, atol=1e-6)
    grey = predict_tiles(model, pictures[0, ..., 0])
    np.testing.assert_array_equal(grey, predict_tiles(model, pictures[0]))
    assert grey.shape == (16, 24, 3)


def test_tiles_refuse_what_does_not_fit() -> None:
    model = small()
    picture = np.zeros((20, 20, 1), np.float32)
    for options, error, message in [
        ({"overlap": 9}, ValueError, r"at most half of a tile, got \(9, 9\) for tiles of \(16, 24\)"),
        ({"tile": 0}, ValueError, "predict_tiles: tile must be at least 1, got 0"),
        ({"tile": 1.5}, TypeError, "tile must be a whole number or a pair"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
    ]:
        with pytest.raises(error, match=message):
            predict_tiles(model, picture, **options)
    with pytest.raises(ValueError, match=r"expects a picture \(H, W, 1\) or a batch .* got shape \(20, 20, 3\)"):
        predict_tiles(model, np.zeros((20, 20, 3)))
    shrinking = st.Sequential([st.Input((8, 8, 1)), st.layers.MaxPooling2D(2)])
    with pytest.raises(ValueError, match="a map of its input's size"):
        predict_tiles(shrinking, picture)
