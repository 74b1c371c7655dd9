"""Training, evaluating and predicting on rows and batches that are read meanwhile: the bits of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from sources import KeptLoader, Loader, Pairs, Sequence, generator
from striate.data import Augment, rows
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (43, 8, 8, 3), dtype=np.uint8)
Y = RNG.integers(0, 4, 43)
W = RNG.random(43).astype(np.float32)
MASKS = RNG.integers(0, 3, (43, 8, 8))


def classifier(metrics: Any = ("accuracy",), dropout: float = 0.3) -> st.Model:
    layers = [Input((8, 8, 3)), Conv2D(5, 3), BatchNormalization(), Flatten(), Dropout(dropout), Dense(4)]
    model = st.Sequential(layers, seed=3)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss, metrics=list(metrics), weighted_metrics=[st.metrics.Accuracy(name="weighed")])
    return model


def segmenter() -> st.Model:
    model = st.Sequential([Input((8, 8, 3)), Conv2D(3, 3, padding="same")], seed=3)
    model.compile(
        "sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), metrics=["accuracy"]
    )
    return model


def fitted(model: st.Model, *data: Any, **options: Any) -> tuple[Any, list[bytes]]:
    history = model.fit(*data, verbose=0, **{"batch_size": 8, "epochs": 2, **options})
    return history.history, [weight.tobytes() for weight in model.get_weights()]


CHANGE = Augment(flip_horizontal=True, rotation=15, brightness=0.1, noise=0.02, crop=1, seed=5)


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("augment", [None, CHANGE, lambda images, indices, epoch: images[::-1] + np.uint8(epoch)])
def test_rows_give_the_bits_of_the_arrays(workers: int, shuffle: bool, augment: Any) -> None:
    options: dict[str, Any] = {"shuffle": shuffle, "augment": augment, "steps_per_epoch": 5}
    expected = fitted(classifier(), X, Y, sample_weight=W, validation_data=(X[:20], Y[:20]), **options)
    source = Pairs(X, Y, W)
    got = fitted(
        classifier(), rows(source, workers=workers), validation_data=rows((X[:20], Y[:20]), workers), **options
    )
    assert got == expected
    assert all(name.startswith("striate-") or name == "MainThread" for name in source.threads)


@pytest.mark.parametrize("kind", [Sequence, Loader, generator, lambda *columns: list(KeptLoader(*columns))])
@pytest.mark.parametrize("augment", [None, CHANGE])
def test_batches_give_the_bits_of_the_arrays(kind: Any, augment: Any) -> None:
    options: dict[str, Any] = {"shuffle": False, "augment": augment, "class_weight": {0: 2.0, 3: 0.5}}
    validation = (X[:20], Y[:20], W[:20])
    expected = fitted(classifier(), X, Y, sample_weight=W, validation_data=validation, **options)
    if kind is generator:
        options |= {"steps_per_epoch": 6, "validation_steps": 3}
    got = fitted(classifier(), kind(X, Y, W), validation_data=Loader(*validation), **options)
    assert got == expected


@pytest.mark.parametrize("augment", [None, CHANGE])
def test_masks_follow_their_images(augment: Any) -> None:
    expected = fitted(segmenter(), X, MASKS, augment=augment)
    assert fitted(segmenter(), rows(Pairs(X, MASKS), workers=2), augment=augment) == expected


def boxes_of(count: int) -> list[Any]:
    rng = np.random.default_rng(4)
    corners = rng.integers(0, 24, (count, 3, 2))
    many = rng.integers(0, 4, count)
    return [
        (np.concatenate([c[:m], c[:m] + 7], axis=1).astype(np.float32), rng.integers(0, 2, m))
        for c, m in zip(corners, many, strict=True)
    ]


def test_boxes_follow_their_images() -> None:
    images = np.random.default_rng(2).integers(0, 256, (22, 32, 32, 3), dtype=np.uint8)
    targets = boxes_of(22)

    def detector() -> st.Model:
        model = st.models.detector((32, 32, 3), 2, seed=1)
        model.compile("adam", st.losses.DetectionLoss(), metrics=[st.metrics.MeanAveragePrecision()])
        return model

    for augment in (None, Augment(flip_horizontal=True, shift=0.2, seed=2)):
        expected = fitted(detector(), images, targets, augment=augment)
        got = fitted(detector(), rows(Pairs(images, targets), workers=2), augment=augment)
        assert repr(got) == repr(expected)


def test_several_inputs_and_outputs_by_name() -> None:
    def model() -> st.Model:
        a, b = Input((4,), name="a"), Input((6,), name="b")
        both = st.layers.Concatenate()([Dense(3)(a), Dense(3)(b)])
        made = st.Model([a, b], [Dense(2, name="c")(both), Dense(1, name="d")(both)], seed=0)
        made.compile("sgd", {"c": "mse", "d": "mae"}, metrics={"c": ["mae"]})
        return made

    rng = np.random.default_rng(1)
    a, b, c, d = (rng.random((20, width)) for width in (4, 6, 2, 1))
    expected = fitted(model(), {"a": a, "b": b}, {"c": c, "d": d})
    named = [({"a": a[i], "b": b[i]}, {"c": c[i], "d": d[i]}) for i in range(20)]
    placed = [([a[i], b[i]], (c[i], d[i])) for i in range(20)]
    for source in (named, placed):
        assert fitted(model(), rows(source)) == expected
    np.testing.assert_array_equal(model().predict(rows(placed))[0], model().predict([a, b])[0])


@given(
    hs.integers(1, 50), hs.integers(1, 20), hs.integers(1, 4), hs.sampled_from(["float64", "float32", "uint8", "int16"])
)
def test_any_number_of_rows_workers_and_any_type(count: int, batch: int, workers: int, dtype: str) -> None:
    x = (np.random.default_rng(count).random((count, 5)) * 9).astype(dtype)
    y = x.sum(axis=1, keepdims=True)

    def model() -> st.Model:
        made = st.Sequential([Input((5,)), Dense(1)], seed=0)
        made.compile("sgd", "mse", metrics=["mae"])
        return made

    options: dict[str, Any] = {"batch_size": batch, "epochs": 1}
    expected = fitted(model(), x, y, **options)
    assert fitted(model(), rows(Pairs(x, y), workers=workers), **options) == expected
    assert fitted(model(), rows((x, y), workers=workers), **options) == expected
    net = model()
    assert net.evaluate(rows((x, y)), batch_size=batch, verbose=0) == net.evaluate(x, y, batch_size=batch, verbose=0)
    np.testing.assert_array_equal(net.predict(rows(Pairs(x), workers), batch), net.predict(x, batch))
    np.testing.assert_array_equal(net.predict(Loader(x, y, batch=batch)), net.predict(x, batch))


def test_a_training_goes_on_from_a_file_with_the_same_bits(tmp_path: Any) -> None:
    source = rows(Pairs(X, Y), workers=2)
    options: dict[str, Any] = {"batch_size": 8, "augment": CHANGE, "verbose": 0}
    whole = classifier()
    whole.fit(X, Y, epochs=3, **options)
    first = classifier()
    first.fit(source, epochs=1, **options)
    st.save_training(first, tmp_path / "state")
    again = classifier()
    st.load_training(again, tmp_path / "state")
    again.fit(source, epochs=3, initial_epoch=1, **options)
    for a, b in zip(again.get_weights(), whole.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
