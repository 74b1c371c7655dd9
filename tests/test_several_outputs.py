"""Models of several outputs: no loss for one, weights of samples for each, losses that do not count in the sum."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers

RNG = np.random.default_rng(0)
X, Y = RNG.random((20, 4)).astype(np.float32), RNG.random(20) + 3


def two(**options: Any) -> st.Model:
    a = st.Input((4,))
    model = st.Model(a, [layers.Dense(1, name="o1")(a), layers.Dense(1, name="o2")(a)], seed=0)
    model.compile("sgd", **options)
    return model


def error(model: st.Model, output: int) -> float:
    return float(np.mean((model.predict(X)[output][:, 0] - Y) ** 2))


def test_an_output_of_weight_0_logs_its_loss() -> None:
    model = two(loss="mse", loss_weights=[2.0, 0.0])
    logs = model.evaluate(X, [Y, Y], batch_size=3, verbose=0, return_dict=True)
    assert logs["o2_loss"] == pytest.approx(error(model, 1), rel=1e-5)
    assert logs["o1_loss"] == pytest.approx(error(model, 0), rel=1e-5)
    assert logs["loss"] == pytest.approx(2 * logs["o1_loss"])


@pytest.mark.parametrize("loss", [{"o1": "mse"}, {"o1": "mse", "o2": None}, ["mse", None]])
def test_an_output_without_a_loss_is_not_trained(loss: Any, tmp_path: Path) -> None:
    model = two(loss=loss)
    before = model.state_dict()
    for y in ([Y, None], {"o1": Y}, [Y, Y], Y):
        history = model.fit(X, y, verbose=0, validation_data=(X, y)).history
        assert set(history) == {"loss", "val_loss", "o1_loss", "val_o1_loss"}
        assert history["loss"] == history["o1_loss"]
    after = model.state_dict()
    assert not np.array_equal(after["o1/kernel"], before["o1/kernel"])
    np.testing.assert_array_equal(after["o2/kernel"], before["o2/kernel"])
    assert model.loss == [model.loss[0], None]  # type: ignore[index]
    model.save(tmp_path / "model")
    again = st.load_model(tmp_path / "model")
    assert again.evaluate(X, {"o1": Y}, verbose=0) == model.evaluate(X, {"o1": Y}, verbose=0)


@pytest.mark.parametrize("weights", [{"o1": 3.0}, {"o1": 3.0, "o2": 7.0}, [3.0, None], [3.0, 7.0]])
def test_an_output_without_a_loss_needs_no_loss_weight(weights: Any) -> None:
    model = two(loss={"o1": "mse"}, loss_weights=weights)
    logs = model.evaluate(X, Y, verbose=0, return_dict=True)
    assert logs["loss"] == pytest.approx(3 * logs["o1_loss"])
    for wrong in ({"o2": 1.0}, {"o1": 1.0, "o3": 1.0}):
        with pytest.raises(ValueError, match="loss_weights must have the keys"):
            two(loss={"o1": "mse"}, loss_weights=wrong)


def test_metrics_of_an_output_without_a_loss() -> None:
    model = two(loss={"o1": "mse"}, metrics={"o2": ["mse"]})
    logs = model.fit(X, [Y, Y], verbose=0).history
    assert set(logs) == {"loss", "o1_loss", "o2_mse"}
    assert model.evaluate(X, {"o1": Y, "o2": Y}, verbose=0, return_dict=True)["o2_mse"] == pytest.approx(
        error(model, 1), rel=1e-5
    )
    with pytest.raises(ValueError, match=r"fit: y must have the keys \['o1', 'o2'\], got \['o1'\]"):
        model.fit(X, {"o1": Y}, verbose=0)
    with pytest.raises(TypeError, match="fit: y must be an array, got None"):
        model.fit(X, [Y, None], verbose=0)
    with pytest.raises(ValueError, match=r"y_true of shape \(20, 7\) does not fit y_pred of shape \(20, 1\)"):
        model.fit(X, [Y, np.zeros((20, 7))], verbose=0)


def test_sample_weights_for_each_output() -> None:
    rng = np.random.default_rng(1)
    weight = rng.uniform(0, 2, 20).astype(np.float32)
    for given, first, second in (
        ({"o1": weight, "o2": np.zeros(20)}, weight, np.zeros(20)),
        ([weight, np.zeros(20)], weight, np.zeros(20)),
        ({"o2": weight}, np.ones(20), weight),
        ([None, weight], np.ones(20), weight),
        (weight, weight, weight),
        (weight.tolist(), weight, weight),
    ):
        model = two(loss="mse", weighted_metrics=["mae"])
        predictions = model.predict(X)
        logs = model.evaluate(X, [Y, Y], batch_size=7, sample_weight=given, verbose=0, return_dict=True)
        for name, output, w in (("o1", 0, first), ("o2", 1, second)):
            difference = predictions[output][:, 0] - Y
            assert logs[f"{name}_loss"] == pytest.approx(np.mean(w * difference**2), rel=1e-5)
            mean = np.average(np.abs(difference), weights=w) if w.any() else 0.0
            assert logs[f"{name}_mae"] == pytest.approx(mean, rel=1e-5)
        model.fit(X, [Y, Y], sample_weight=given, validation_data=(X, [Y, Y], given), verbose=0)
        model.fit(X, [Y, Y], sample_weight=given, validation_split=0.25, verbose=0)


def test_weights_of_pixels_for_one_output_and_of_samples_for_the_other() -> None:
    losses = {name: st.losses.SparseCategoricalCrossentropy(from_logits=True) for name in ("mask", "label")}

    def build() -> st.Model:
        image = st.Input((6, 6, 1))
        mask = layers.Conv2D(2, 3, padding="same", name="mask")(image)
        model = st.Model(image, [mask, layers.Dense(3, name="label")(layers.Flatten()(image))], seed=3)
        model.compile("sgd", losses)
        return model

    rng = np.random.default_rng(2)
    x, y = rng.random((5, 6, 6, 1)).astype(np.float32), [rng.integers(0, 2, (5, 6, 6)), rng.integers(0, 3, 5)]
    weights = {"mask": rng.uniform(0, 2, (5, 6, 6)), "label": rng.uniform(0, 2, 5)}
    values = [
        build().fit(x, y, 2, verbose=0, sample_weight=weights, augment=augment).history
        for augment in (None, st.data.Augment(seed=0), lambda images, indices, epoch: images)
    ]
    assert values[0] == values[1] == values[2]
    model = build()
    predictions = model.predict(x)
    logs = model.evaluate(x, y, 2, sample_weight=weights, verbose=0, return_dict=True)
    for place, name in enumerate(("mask", "label")):
        right = losses[name](y[place], predictions[place], weights[name])
        assert logs[f"{name}_loss"] == pytest.approx(right, rel=1e-5)


def test_what_does_not_fit_is_refused() -> None:
    cases: list[tuple[Any, str]] = [
        ({"o3": "mse"}, "loss: the model has no output 'o3'"),
        (["mse"], "loss must have one for each of the 2 outputs"),
        ([None, None], "loss must name a loss for at least one of the outputs"),
        ({}, "loss must name a loss for at least one of the outputs"),
    ]
    for loss, message in cases:
        with pytest.raises(ValueError, match=message):
            two(loss=loss)
    model = two(loss="mse")
    wrong: list[tuple[Any, str]] = [
        ({"o3": np.ones(20)}, "sample_weight: the model has no output 'o3'"),
        ([np.ones(20), np.ones(19)], "sample_weight has 19 rows, x has 20"),
        ([np.ones(20), -np.ones(20)], "sample weights must be finite and not negative"),
        ([np.ones(20), np.full(20, np.nan)], "sample weights must be finite and not negative"),
    ]
    for weight, message in wrong:
        with pytest.raises(ValueError, match=message):
            model.fit(X, [Y, Y], sample_weight=weight, verbose=0)
    with pytest.raises(ValueError, match="weights for each output"):
        model.fit(X, [Y, Y], class_weight={0: 1.0}, verbose=0)
    with pytest.raises(ValueError, match="the output 'o1' has a loss"):
        two(loss={"o1": "mse"}).fit(X, [None, Y], verbose=0)


def test_names_that_clash_are_refused() -> None:
    for name in ("loss", "val_loss", "learning_rate"):
        with pytest.raises(
            ValueError, match=f"two values would be named 'o1_{name}'|two values would be named '{name}'"
        ):
            model = st.Sequential([st.Input((4,)), layers.Dense(1)])
            model.compile("sgd", "mse", metrics=[st.metrics.MeanSquaredError(name=name)])
    with pytest.raises(ValueError, match="two values would be named 'o1_loss'"):
        two(loss="mse", metrics={"o1": [st.metrics.MeanSquaredError(name="loss")]})


def test_a_dict_of_outputs(tmp_path: Path) -> None:
    a = st.Input((4,), name="a")
    first, named = layers.Dense(1)(a), layers.Dense(2, name="named")(a)
    model = st.Model(inputs={"a": a}, outputs={"score": first, "named": named}, seed=0)
    assert model.output_names == ["score", "named"]
    plain = st.Model(a, [first, named])
    want = plain.predict(X)
    model.compile("sgd", {"named": "mse", "score": "mse"}, metrics={"score": ["mae"]})
    logs = model.evaluate({"a": X}, {"named": np.ones((20, 2)), "score": Y}, return_dict=True, verbose=0)
    assert "score_mae" in logs
    model.save(tmp_path / "m.safetensors")
    for one in (
        model,
        st.load_model(tmp_path / "m.safetensors"),
        copy.deepcopy(model),
        st.models.clone_model(model),
    ):
        one.set_weights(model.get_weights())
        for found in (one.predict({"a": X}), one(X), one.predict_on_batch(X), one.forward(X)):
            assert list(found) == ["score", "named"]
            np.testing.assert_allclose(found["score"], want[0], rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(found["named"], want[1], rtol=1e-5, atol=1e-6)
    b = st.Input((4,))
    outer = st.Model(b, layers.concatenate(list(model(b).values())))
    np.testing.assert_allclose(outer.predict(X), np.concatenate(want, axis=1), rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"inputs\['b'\] must have this name: Input\(..., name='b'\)"):
        st.Model({"b": a}, first)
