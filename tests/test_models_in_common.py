"""Models over the same layers, and models used as layers: copies, which say so where sharing would differ."""

from __future__ import annotations

import copy
import gc
import os
import random
import sys
import time

import numpy as np
import pytest

import striate as st
from striate import _kin, losses
from striate.layers import BatchNormalization, Concatenate, Dense, Dropout, Input

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype(np.float32)
Y = RNG.integers(0, 3, 64)
STALE = "is a copy of a layer of another model"


def compiled(model, loss=None):
    model.compile("sgd", loss or losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def base_model(*more):
    return st.Sequential([Input((8,)), Dense(5, activation="relu", name="feat"), *more], seed=2)


def headed(base, **call):
    start = Input((8,))
    return st.Model(start, Dense(3, name="head")(base(start, **call)), seed=3)


def autoencoder():
    i = Input((8,))
    code = Dense(4, activation="relu", name="code")(i)
    auto = st.Model(i, Dense(8, name="out")(code), seed=1)
    return auto, st.Model(i, code, seed=1), i, code


# Reported cases


def test_a_base_that_is_thawed_after_it_was_drawn():
    base = base_model()
    base.trainable = False
    model = compiled(headed(base, training=False))
    model.fit(X, Y, verbose=0)
    base.trainable = True
    compiled(model)
    message = r"fit: trainable was set to True .* model.get_layer\('feat'\).trainable = True"
    with pytest.raises(ValueError, match=message):
        model.fit(X, Y, verbose=0)
    with pytest.raises(ValueError, match="train_on_batch: trainable was set"):
        model.train_on_batch(X, Y)
    model.evaluate(X, Y, verbose=0)
    before = model.get_weights()[0]
    model.get_layer("feat").trainable = True
    model.fit(X, Y, verbose=0)
    assert np.abs(model.get_weights()[0] - before).max() > 0


def test_a_base_that_is_frozen_after_it_was_drawn():
    base = base_model()
    model = headed(base)
    base.trainable = False
    with pytest.raises(ValueError, match="fit: trainable was set to False"):
        compiled(model).fit(X, Y, verbose=0)
    before = model.get_weights()[0]
    model.get_layer("feat").trainable = False
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(model.get_weights()[0], before)


def test_an_encoder_over_the_layers_of_a_trained_autoencoder():
    auto, encoder, i, code = autoencoder()
    start = encoder.predict(X)
    compiled(auto, "mse").fit(X, X, epochs=2, verbose=0)
    calls = (
        lambda: encoder.predict(X),
        lambda: encoder.predict_on_batch(X),
        lambda: encoder(X),
        lambda: encoder.forward(X),
        lambda: encoder.feature_maps(X, "code"),
        lambda: encoder.get_weights(),
        lambda: encoder.state_dict(),
        lambda: encoder.get_layer("code").get_weights(),
        lambda: compiled(encoder, "mse").fit(X, start, verbose=0),
        lambda: compiled(encoder, "mse").evaluate(X, start, verbose=0),
        lambda: encoder.save("never.safetensors"),
        lambda: encoder.save_weights("never.safetensors"),
        lambda: encoder.export("never.onnx"),
    )
    for call in calls:
        with pytest.raises(ValueError, match=STALE):
            call()
    k, b = auto.get_layer("code").get_weights()
    right = np.maximum(X @ k + b, 0)
    np.testing.assert_allclose(st.Model(i, code).predict(X), right, rtol=1e-5, atol=1e-6)  # built again
    encoder.set_weights([k, b])
    np.testing.assert_allclose(encoder.predict(X), right, rtol=1e-5, atol=1e-6)


# What stays as it is


def test_copies_work_as_long_as_nothing_was_changed():
    auto, encoder, _, _ = autoencoder()
    compiled(auto, "mse")
    auto.evaluate(X, X, verbose=0)
    np.testing.assert_array_equal(encoder.predict(X), auto.feature_maps(X, "code")["code"])


def test_frozen_layers_serve_many_models():
    base = base_model(BatchNormalization(), Dropout(0.5))
    base.trainable = False
    one, two = compiled(headed(base)), compiled(headed(base))
    one.fit(X, Y, verbose=0)
    two.fit(X, Y, verbose=0)
    one.fit(X, Y, verbose=0)
    base.predict(X)
    base.get_weights()


def test_the_model_that_was_changed_last_goes_on():
    base = base_model()
    model = compiled(headed(base))
    for _ in range(2):
        model.fit(X, Y, verbose=0)
        model.predict(X)
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)
    base.set_weights(model.get_weights()[:2])
    base.predict(X)
    model.fit(X, Y, verbose=0)
    base.set_weights([value + 1 for value in model.get_weights()[:2]])
    base.predict(X)  # written last
    with pytest.raises(ValueError, match=STALE):
        model.predict(X)
    base.set_weights([np.zeros((8, 5)), np.zeros(5)])
    model.set_weights([np.zeros((8, 5)), np.zeros(5), np.zeros((5, 3)), np.zeros(3)])
    base.predict(X)
    model.predict(X)


def test_weights_that_are_set_last_count():
    auto, encoder, _, _ = autoencoder()
    values = encoder.get_weights()
    encoder.set_weights([value + 1 for value in values])
    auto.get_layer("code").set_weights([value + 2 for value in values])
    auto.predict(X)
    with pytest.raises(ValueError, match=STALE):
        encoder.predict(X)
    encoder.get_layer("code").set_weights([value + 3 for value in values])
    encoder.predict(X)
    with pytest.raises(ValueError, match=STALE):
        auto.predict(X)


def test_a_model_that_is_built_again_takes_the_weights_that_were_changed_last():
    auto, encoder, i, code = autoencoder()  # the layers belong to auto, encoder has copies
    compiled(encoder, "mse").fit(X, np.ones((64, 4)), epochs=2, verbose=0)
    encoder.get_layer("code").trainable = False
    again = st.Model(i, code)
    np.testing.assert_array_equal(again.predict(X), encoder.predict(X))
    assert not again.get_layer("code").trainable
    with pytest.raises(ValueError, match=STALE):
        auto.predict(X)


def test_deep_copies_are_independent():
    base = base_model()
    model = compiled(headed(copy.deepcopy(base)))
    base.trainable = False
    model.fit(X, Y, verbose=0)
    base.predict(X)
    compiled(base, "mse")
    base.set_weights([np.zeros((8, 5)), np.zeros(5)])
    model.predict(X)
    twin = copy.deepcopy(headed(base))
    base.set_weights([np.ones((8, 5)), np.ones(5)])
    twin.predict(X)


def test_a_sequential_of_models_and_one_that_grows():
    base = base_model()
    model = st.Sequential([base, Dense(4, name="more")], seed=1)
    model.add(Dense(3, name="head"))
    compiled(model).fit(X, Y, verbose=0)
    model.predict(X)
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)
    model.pop()
    model.add(Dense(3, name="head2"))
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)
    model.predict(X)


# Models that are gone


def tune(base, keep=None):
    """Train a copy of the layer "feat" in a model that is gone afterwards, unless `keep` takes it."""
    model = compiled(st.Model(base.inputs, Dense(3, name="head")(base.get_layer("feat").output), seed=5))
    start = model.get_weights()
    model.fit(X, Y, verbose=0)
    if keep is not None:
        keep.append(model)
    return start, model.get_weights()


@pytest.mark.parametrize("collected", [True, False])
def test_a_model_that_is_gone_counts_as_one_that_is_kept(collected):
    base = base_model()
    before = base.get_weights()
    base.predict(X)
    _, tuned = tune(base)
    if collected:
        gc.collect()
    message = STALE + ".* set_weights or load_weights.* new layers for each model.* fold"
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            base.predict(X)
    again = st.Model(base.inputs, base.outputs)  # has the tuned weights
    for value, right in zip(again.get_weights(), tuned[:2], strict=True):
        np.testing.assert_array_equal(value, right)
    again.predict(X)
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)
    base.set_weights(before)  # the old ones, on purpose
    base.predict(X)
    with pytest.raises(ValueError, match=STALE):
        again.predict(X)


def test_old_weights_count_after_they_were_set_or_loaded(tmp_path):
    base = base_model()
    old = base.get_weights()
    base.save_weights(tmp_path / "old.safetensors")
    tune(base)
    gc.collect()
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)
    base.load_weights(tmp_path / "old.safetensors")
    base.predict(X)
    keep = []
    tune(base, keep)
    st.interop.load_keras_weights(base, old)
    base.predict(X)
    with pytest.raises(ValueError, match=STALE):
        keep[0].predict(X)


@pytest.mark.parametrize("collected", [True, False])
def test_folds_over_the_same_symbols_go_on_with_the_weights_before(collected):
    base = base_model()
    before = base.get_weights()
    keep = None if collected else []
    for _ in range(4):
        start, trained = tune(base, keep)
        for value, right in zip(start[:2], before, strict=True):
            np.testing.assert_array_equal(value, right)
        before = trained[:2]
        if collected:
            gc.collect()
    with pytest.raises(ValueError, match=STALE):
        base.predict(X)


def test_trainable_of_a_model_that_is_gone_counts():
    base = base_model()
    headed(base).get_layer("feat").trainable = False
    gc.collect()
    with pytest.raises(ValueError, match="fit: trainable was set to False"):
        compiled(base).fit(X, np.zeros(64, np.int64), verbose=0)
    assert not headed(base).get_layer("feat").trainable


def test_many_extractors_leave_nothing_behind():
    base = base_model()
    compiled(base)
    for step in range(2000):
        extractor = st.Model(base.inputs, base.get_layer("feat").output)
        if step % 500 == 0:
            extractor.predict(X)
            base.train_on_batch(X, Y)
        del extractor
    gc.collect()
    family = base.get_layer("feat")._kin.family
    assert list(family.members.values()) == [base.get_layer("feat")._kin]
    assert family.kept is None
    base.predict(X)


def test_what_a_family_keeps_is_bounded():
    base = base_model()
    for _ in range(5):
        tune(base)
        gc.collect()
    family = base.get_layer("feat")._kin.family
    assert len(family.members) == 1
    assert family.kept is not None
    assert [value.shape for value in family.kept] == [(8, 5), (5,)]
    again = st.Model(base.inputs, base.outputs)
    assert family.kept is None
    again.predict(X)
    del again
    gc.collect()
    assert family.kept is not None


def test_weights_that_memory_did_not_suffice_to_keep_stay_refused(monkeypatch):
    base = base_model()
    before = base.get_weights()
    keep = []
    tune(base, keep)
    kin = keep[0].get_layer("feat")._kin
    gc.collect()

    def fail(frame, event, _):
        if frame.f_code is _kin.Kin.values.__code__ and frame.f_locals["self"] is kin:
            raise MemoryError

    told = []
    monkeypatch.setattr("sys.unraisablehook", lambda given: told.append(given.exc_type))
    tracing = sys.gettrace()
    sys.settrace(fail)
    try:
        keep.clear()
        gc.collect()
    finally:
        sys.settrace(tracing)
    assert told == [MemoryError]
    again = st.Model(base.inputs, base.outputs)
    for model in (base, again):
        with pytest.raises(ValueError, match=r"They are lost: memory ran out.* set_weights or load_weights"):
            model.predict(X)
    again.set_weights(before)
    again.predict(X)


def at_random(seed, keep, collect):
    """Build, train, write and drop models over the same symbols; returns values, and errors of refused calls."""
    drawn, kept, seen = random.Random(seed), [], []
    i = Input((8,))
    code = Dense(4, name="code")(i)
    out = Dense(3, name="out")(code)
    models = [compiled(st.Model(i, out, seed=1), "mse")]
    first = models[0].get_weights()
    for _ in range(60):
        number = drawn.randrange(len(models))
        model, share = models[number], drawn.random()
        count = 2 * (len(model.layers) - 1)
        action = drawn.choice(["build", "drop", "fit", "step", "predict", "set", "set old", "set layer", "trainable"])
        try:
            if action == "build":
                models.append(compiled(st.Model(i, drawn.choice([code, out]), seed=2), "mse"))
                seen.append([value.sum() for value in models[-1].get_weights()])
            elif action == "drop" and len(models) > 1:
                if keep:
                    kept.append(model)
                del models[number], model
                if collect:
                    gc.collect(0)
            elif action == "fit":
                model.fit(X, np.full((64, model.output_shape[1]), share), verbose=0)
            elif action == "step":
                seen.append(model.train_on_batch(X, np.full((64, model.output_shape[1]), share)))
            elif action == "predict":
                seen.append(model.predict(X).sum())
            elif action.startswith("set layer"):
                model.get_layer("code").set_weights([value * share for value in first[:2]])
            elif action.startswith("set"):
                scale = 1.0 if action == "set old" else share
                model.set_weights([value * scale for value in first[:count]])
            elif action == "trainable":
                model.get_layer("code").trainable = share < 0.5
            seen.append(action)
        except ValueError as error:
            seen.append((action, str(error).split("] ", 1)[1]))
    return seen


@pytest.mark.parametrize("part", range(8))
def test_it_makes_no_difference_when_models_are_freed(part):
    seed = f"{os.environ.get('STRIATE_SEED', '0')} {part}"
    wanted = at_random(seed, keep=True, collect=False)
    assert at_random(seed, keep=False, collect=False) == wanted
    assert at_random(seed, keep=False, collect=True) == wanted


def test_frozen_bases_and_ensembles_are_not_refused_after_models_are_gone():
    base = base_model(BatchNormalization(), Dropout(0.5))
    base.trainable = False
    for _ in range(3):
        compiled(headed(base)).fit(X, Y, verbose=0)
        gc.collect()
        base.predict(X)
    members = [
        st.Sequential([Input((8,)), Dense(3, name=f"of_{number}")], name=f"member_{number}", seed=number)
        for number in range(3)
    ]
    start = Input((8,))
    ensemble = st.Model(start, Concatenate()([member(start) for member in members]))
    ensemble.predict(X)
    del ensemble
    gc.collect()
    for member in members:
        member.predict(X)


def test_a_gan_is_refused_before_it_trains_the_wrong_thing():
    generator = st.Sequential([Input((8,)), Dense(8, name="made")], seed=0)
    judge = st.Sequential([Input((8,)), Dense(1, name="judged")], seed=1)
    judge.compile("sgd", losses.BinaryCrossentropy(from_logits=True))
    noise = Input((8,))
    both = st.Model(noise, judge(generator(noise)), seed=2)
    both.compile("sgd", losses.BinaryCrossentropy(from_logits=True))
    judge.train_on_batch(X, np.ones((64, 1)))
    with pytest.raises(ValueError, match=STALE):
        both.train_on_batch(X, np.ones((64, 1)))


# Modes of calls on symbols


def test_the_mode_of_a_call_is_fixed_where_it_can_be():
    x = Input((8,))
    assert Dense(3)(x, training=True).shape == (None, 3)
    norm = BatchNormalization(name="norm")
    with pytest.raises(ValueError, match=r"\[norm\] training=False cannot be fixed .*trainable = False"):
        norm(x, training=False)
    with pytest.raises(ValueError, match="training=True cannot be fixed"):
        norm(x, training=True)
    with pytest.raises(ValueError, match="training=True cannot be fixed"):
        Dropout(0.5)(x, training=True)
    with pytest.raises(ValueError, match="training=False cannot be fixed"):
        base_model(Dropout(0.5))(x, training=False)
    norm.trainable = False
    model = st.Model(x, Dense(3)(norm(x, training=False)))
    with pytest.raises(ValueError, match="stays frozen"):
        norm.trainable = True
    with pytest.raises(ValueError, match="stays frozen"):
        model.trainable = True


def test_thawing_a_model_changes_no_layer_if_one_stays_frozen():
    base = base_model(BatchNormalization(name="norm"))
    base.trainable = False
    model = headed(base, training=False)
    with pytest.raises(ValueError, match=r"\[norm\] .* stays frozen"):
        model.trainable = True
    assert [layer.trainable for layer in model.layers] == [True, False, False, True]
    model.get_layer("feat").trainable = True
    compiled(model).fit(X, Y, verbose=0)


def test_a_call_on_arrays_has_a_mode():
    model = base_model(Dropout(0.5))
    np.testing.assert_array_equal(model(X), model.predict(X))
    assert not np.array_equal(model(X, training=True), model(X))


def test_programs_without_copies_pay_nothing():
    auto, encoder, _, _ = autoencoder()
    assert _kin.families > 0
    alone = base_model()
    alone.predict_on_batch(X)
    related = alone._related
    began = time.process_time()
    for _ in range(1000):
        alone.predict_on_batch(X[:1])
    assert time.process_time() - began < 1.0
    assert alone._related is related and related.layers == []
    encoder.predict(X)
    assert len(encoder._related.layers) == 1 and len(auto._layers) == 3
