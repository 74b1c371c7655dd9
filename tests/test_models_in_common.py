"""Models that have layers in common have their weights in common, as in Keras."""

from __future__ import annotations

import copy
import gc
import threading

import numpy as np
import pytest

import striate as st
from striate import losses, optimizers
from striate.layers import BatchNormalization, Concatenate, Conv2D, Dense, Dropout, Flatten, Input, Subtract

RNG = np.random.default_rng(0)
X = RNG.normal(size=(64, 8)).astype(np.float32)
Y = RNG.integers(0, 3, 64)


def compiled(model, loss=None):
    model.compile("sgd", loss or losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def base_model(*more):
    return st.Sequential([Input((8,)), Dense(5, activation="relu", name="feat"), *more], seed=2)


def headed(base, name="head", **call):
    start = Input((8,))
    return st.Model(start, Dense(3, name=name)(base(start, **call)), seed=3)


def autoencoder():
    i = Input((8,))
    code = Dense(4, activation="relu", name="code")(i)
    auto = st.Model(i, Dense(8, name="out")(code), seed=1)
    return auto, st.Model(i, code, seed=1), i, code


def same(a, b):
    for one, other in zip(a, b, strict=True):
        np.testing.assert_array_equal(one, other)


# In float64, with NumPy: what training must give


class Reference:
    """Dense layers by name, trained by gradient descent in float64."""

    def __init__(self, **layers):
        self.layers = {name: [np.array(w, np.float64) for w in weights] for name, weights in layers.items()}

    def forward(self, names, x):
        seen = []
        for name in names:
            k, b = self.layers[name]
            seen.append(x)
            x = x @ k + b
        return seen, x

    def step(self, names, x, y, trained, rate):
        """One step on the mean squared error, of the layers in `trained` alone."""
        seen, out = self.forward(names, np.asarray(x, np.float64))
        slope = 2 * (out - y) / out.size
        for name, given in zip(reversed(names), reversed(seen), strict=True):
            k, b = self.layers[name]
            change = given.T @ slope, slope.sum(0)
            slope = slope @ k.T
            if name in trained:
                self.layers[name] = [k - rate * change[0], b - rate * change[1]]

    def check(self, model):
        for layer in model.layers:
            if layer.name in self.layers:
                for got, want in zip(layer.get_weights(), self.layers[layer.name], strict=True):
                    np.testing.assert_allclose(got, want, rtol=2e-5, atol=2e-6)


def linear(units, name, size):
    return st.Sequential([Input((size,)), Dense(units, name=name)], name=f"model_{name}", seed=len(name))


# Reported cases


@pytest.mark.parametrize("call", [{}, {"training": False}])
def test_a_base_is_frozen_then_thawed(call):
    base = base_model()
    base.trainable = False
    model = compiled(headed(base, **call))
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    same(model.get_weights()[:2], before[:2])
    assert np.abs(model.get_weights()[2] - before[2]).max() > 0
    base.trainable = True
    assert model.get_layer("feat").trainable
    compiled(model).fit(X, Y, verbose=0)
    assert np.abs(model.get_weights()[0] - before[0]).max() > 0
    same(base.get_weights(), model.get_weights()[:2])


def test_a_base_that_is_frozen_after_it_was_drawn():
    base = base_model()
    model = headed(base)
    base.trainable = False
    before = base.get_weights()
    compiled(model).fit(X, Y, verbose=0)
    same(base.get_weights(), before)


def test_trainable_is_what_it_was_at_compile():
    base = base_model()
    model = compiled(headed(base))
    before = base.get_weights()
    base.trainable = False
    with pytest.warns(UserWarning, match="trainable of a layer was set after compile"):
        model.fit(X, Y, verbose=0)
    model.train_on_batch(X, Y)  # told once
    assert np.abs(base.get_weights()[0] - before[0]).max() > 0
    base.trainable = True
    model.fit(X, Y, verbose=0)


def test_a_loaded_model_is_frozen_and_thawed(tmp_path):
    base = base_model()
    base.trainable = False
    compiled(headed(base)).save(tmp_path / "model.safetensors")
    model = st.load_model(tmp_path / "model.safetensors")
    assert not model.get_layer("feat").trainable and model.get_layer("head").trainable
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    same(model.get_weights()[:2], before[:2])
    model.get_layer("feat").trainable = True
    compiled(model).fit(X, Y, verbose=0)
    assert np.abs(model.get_weights()[0] - before[0]).max() > 0


def test_an_encoder_over_the_layers_of_an_autoencoder():
    auto, encoder, i, code = autoencoder()
    encoder.predict(X)
    compiled(auto, "mse").fit(X, X, epochs=3, verbose=0)
    k, b = auto.get_layer("code").get_weights()
    right = np.maximum(X @ k + b, 0)
    for model in (encoder, st.Model(i, code), st.Model(auto.input, auto.get_layer("code").output)):
        np.testing.assert_allclose(model.predict(X), right, rtol=1e-5, atol=1e-6)
        same(model.get_weights(), [k, b])
    compiled(encoder, "mse").fit(X, np.ones((64, 4)), verbose=0)
    same(auto.get_layer("code").get_weights(), encoder.get_weights())


def test_a_gan_in_keras_manner():
    """The judge is compiled, then frozen, then used within the GAN."""
    generator, judge = linear(8, "made", 4), linear(1, "judged", 8)
    judge.compile(optimizers.SGD(0.1), "mse")
    judge.trainable = False
    noise = Input((4,))
    both = st.Model(noise, judge(generator(noise)), seed=2)
    both.compile(optimizers.SGD(0.1), "mse")
    wanted = Reference(made=generator.get_weights(), judged=judge.get_weights())
    z, ones = RNG.normal(size=(64, 4)).astype(np.float32), np.ones((64, 1), np.float32)
    for step in range(6):
        fake = generator.predict(z)
        if step == 0:
            with pytest.warns(UserWarning, match="after compile"):
                judge.train_on_batch(X, ones)
        else:
            judge.train_on_batch(X, ones)
        judge.train_on_batch(fake, 0 * ones)
        both.train_on_batch(z, ones)
        wanted.step(["judged"], X, ones, ["judged"], 0.1)
        wanted.step(["judged"], fake, 0 * ones, ["judged"], 0.1)
        wanted.step(["made", "judged"], z, ones, ["made"], 0.1)
        for model in (generator, judge, both):
            wanted.check(model)


def test_two_heads_over_one_trunk():
    trunk = linear(5, "trunk", 8)
    start = Input((8,))
    seen = trunk(start)
    one, two = st.Model(start, Dense(3, name="one")(seen), seed=4), st.Model(start, Dense(2, name="two")(seen), seed=5)
    targets = {"one": RNG.normal(size=(64, 3)), "two": RNG.normal(size=(64, 2))}
    wanted = Reference(trunk=trunk.get_weights(), one=one.layers[-1].get_weights(), two=two.layers[-1].get_weights())
    for model in (one, two):
        model.compile(optimizers.SGD(0.1), "mse")
    for _ in range(4):
        for model, name in ((one, "one"), (two, "two")):
            model.train_on_batch(X, targets[name])
            wanted.step(["trunk", name], X, targets[name], ["trunk", name], 0.1)
            for each in (one, two, trunk):
                wanted.check(each)


def test_siamese_branches_over_two_models():
    """A network called twice in one model, and once in another: one set of weights."""
    tower = linear(5, "tower", 8)
    a, b = Input((8,)), Input((8,))
    pair = st.Model([a, b], Subtract()([tower(a), tower(b)]), seed=1)
    assert pair.count_params() == tower.count_params() == 45
    pair.compile(optimizers.SGD(0.1), "mse")
    other = RNG.normal(size=(64, 8)).astype(np.float32)
    target = RNG.normal(size=(64, 5))
    k, bias = (w.astype(np.float64) for w in tower.get_weights())
    for _ in range(3):
        pair.train_on_batch([X, other], target)
        slope = 2 * ((X.astype(np.float64) - other) @ k - target) / target.size
        k = k - 0.1 * (X.astype(np.float64) - other).T @ slope
        np.testing.assert_allclose(tower.get_weights()[0], k, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(tower.get_weights()[1], bias, atol=1e-6)  # it cancels
    np.testing.assert_allclose(pair.predict([X, other]), tower.predict(X) - tower.predict(other), atol=1e-5)


def test_batch_normalization_of_a_base_in_inference_mode():
    """`base(x, training=False)`: moving averages are used and stay; scale and shift are trained."""
    base = base_model(BatchNormalization(name="norm"))
    compiled(base, "mse").fit(X, RNG.normal(size=(64, 5)), epochs=3, verbose=0)
    before = base.get_layer("norm").get_weights()
    model = compiled(headed(base, training=False))
    expected = model.forward(X)
    np.testing.assert_array_equal(model.forward(X, training=True), expected)
    model.fit(X, Y, epochs=2, verbose=0)
    gamma, beta, mean, variance = base.get_layer("norm").get_weights()
    same([mean, variance], before[2:])
    assert np.abs(gamma - before[0]).max() > 0 and np.abs(beta - before[1]).max() > 0
    compiled(base, "mse").fit(X, RNG.normal(size=(64, 5)), verbose=0)  # as itself it goes on as before
    assert np.abs(base.get_layer("norm").get_weights()[2] - mean).max() > 0


def test_the_mode_of_a_call_is_kept_in_files_and_copies(tmp_path):
    base = st.Sequential([Input((6, 6, 2)), Conv2D(3, 3), BatchNormalization(), Dropout(0.5), Flatten()], seed=1)
    start = Input((6, 6, 2))
    model = compiled(st.Model(start, Dense(3)(base(start, training=False))))
    model.save(tmp_path / "model.safetensors")
    x = RNG.normal(size=(4, 6, 6, 2)).astype(np.float32)
    again = Input((6, 6, 2))
    for other in (
        st.load_model(tmp_path / "model.safetensors"),
        copy.deepcopy(model),
        st.Model(again, model(again)),
        st.Model.from_config(model.get_config()),
    ):
        np.testing.assert_array_equal(other.forward(x, training=True), other.forward(x))
    assert not np.array_equal(base.forward(x, training=True), base.forward(x))


def test_a_mode_that_predict_could_not_have_is_refused():
    x = Input((8,))
    assert Dense(3)(x, training=True).shape == (None, 3)
    with pytest.raises(ValueError, match="training=True cannot be fixed"):
        BatchNormalization(name="norm")(x, training=True)
    with pytest.raises(ValueError, match="training=True cannot be fixed"):
        base_model(BatchNormalization())(x, training=True)
    model = base_model(Dropout(0.5))
    np.testing.assert_array_equal(model(X), model.predict(X))
    assert not np.array_equal(model(X, training=True), model(X))


# What weights belong to


def test_setting_weights_of_one_sets_those_of_all(tmp_path):
    auto, encoder, _, _ = autoencoder()
    values = [value + 1 for value in encoder.get_weights()]
    encoder.set_weights(values)
    same(auto.get_weights()[:2], values)
    auto.get_layer("code").set_weights([value + 1 for value in values])
    same(encoder.get_weights(), [value + 1 for value in values])
    auto.get_layer("code").bias.assign(np.zeros(4))
    assert not encoder.get_weights()[1].any()
    encoder.save_weights(tmp_path / "code.safetensors")
    encoder.set_weights([0 * value for value in values])
    encoder.load_weights(tmp_path / "code.safetensors")
    same(auto.get_weights()[:2], encoder.get_weights())
    auto.load_state_dict({name: 0 * value for name, value in auto.state_dict().items()})
    assert not any(value.any() for value in encoder.get_weights())


def test_weights_outlive_the_models():
    base = base_model()
    feat = base.get_layer("feat")
    model = compiled(headed(base))
    model.fit(X, Y, verbose=0)
    trained = model.get_weights()[:2]
    del model, base
    gc.collect()
    same(feat.get_weights(), trained)
    start = Input((8,))
    same(st.Model(start, feat(start), seed=99).get_weights(), trained)


def test_copies_are_independent():
    base = base_model()
    model = compiled(headed(base))
    twin, clone = copy.deepcopy(model), st.models.clone_model(model)
    before = twin.get_weights()
    model.fit(X, Y, verbose=0)
    same(twin.get_weights(), before)
    assert not np.array_equal(clone.get_weights()[0], model.get_weights()[0])
    base.trainable = False
    assert twin.get_layer("feat").trainable and not model.get_layer("feat").trainable
    twin.fit(X, Y, verbose=0)
    assert np.abs(twin.get_weights()[0] - before[0]).max() > 0
    apart = copy.deepcopy(base)
    apart.set_weights([0 * value for value in apart.get_weights()])
    assert base.get_weights()[0].any()


def test_a_file_holds_a_shared_weight_once(tmp_path):
    tower = linear(5, "tower", 8)
    a, b = Input((8,)), Input((8,))
    pair = st.Model([a, b], Subtract()([tower(a), tower(b)]))
    pair.save(tmp_path / "pair.safetensors")
    loaded = st.load_model(tmp_path / "pair.safetensors")
    assert list(loaded.state_dict()) == ["tower/kernel", "tower/bias"]
    same(loaded.get_weights(), tower.get_weights())
    loaded.set_weights([0 * value for value in loaded.get_weights()])
    assert tower.get_weights()[0].any()


def test_weights_of_another_shape_are_refused():
    layer = Conv2D(4, 3, name="conv")
    start = Input((8, 8, 2))
    st.Model(start, layer(start))
    wide = Input((5, 9, 2))
    assert st.Model(wide, layer(wide)).count_params() == 76  # another size of map
    deep = Input((8, 8, 3))
    with pytest.raises(ValueError, match=r"\[conv\] has a kernel of shape \(3, 3, 2, 4\) .* needs \(3, 3, 3, 4\)"):
        st.Model(deep, layer(deep))


def test_a_sequential_of_models_and_one_that_grows():
    base = base_model()
    model = st.Sequential([base, Dense(4, name="more")], seed=1)
    model.add(Dense(3, name="head"))
    compiled(model).fit(X, Y, verbose=0)
    same(base.get_weights(), model.get_weights()[:2])
    trained = model.get_weights()
    model.pop()
    model.add(Dense(3, name="head2"))
    same(model.get_weights()[:4], trained[:4])
    model.fit(X, Y, verbose=0)
    same(base.get_weights(), model.get_weights()[:2])
    assert np.abs(base.get_weights()[0] - trained[0]).max() > 0


def test_an_ensemble_sees_its_members():
    members = [
        st.Sequential([Input((8,)), Dense(3, name=f"of_{number}")], name=f"member_{number}", seed=number)
        for number in range(3)
    ]
    start = Input((8,))
    ensemble = st.Model(start, Concatenate()([member(start) for member in members]))
    for member in members:
        compiled(member).fit(X, Y, verbose=0)
    want = np.concatenate([member.predict(X) for member in members], axis=1)
    np.testing.assert_array_equal(ensemble.predict(X), want)
    with pytest.raises(ValueError, match="two layers are named 'of_0'"):
        st.Model(start, Concatenate()([members[0](start), linear(3, "of_0", 8)(start)]))


def test_layers_without_names_have_one_in_every_model():
    one, two = (st.Sequential([Input((8,)), Dense(3)], seed=number) for number in range(2))
    start = Input((8,))
    both = st.Model(start, Concatenate()([one(start), two(start)]))
    assert list(both.state_dict()) == ["dense/kernel", "dense/bias", "dense_1/kernel", "dense_1/bias"]
    same(both.get_weights(), [*one.get_weights(), *two.get_weights()])
    same(both.get_layer("dense_1").get_weights(), two.get_weights())


def test_optimizer_state_is_each_trainings_own():
    """Two models with Adam over one layer: as two Adams that update the same array in turn."""
    layer = Dense(1, use_bias=False, name="one")
    start = Input((4,))
    first, second = st.Model(start, layer(start)), st.Model(start, layer(start))
    for model in (first, second):
        model.compile(optimizers.Adam(0.05), "mse")
    w = layer.get_weights()[0].astype(np.float64)
    x, y = RNG.normal(size=(16, 4)).astype(np.float32), [RNG.normal(size=(16, 1)) for _ in range(2)]
    moments = [[np.zeros_like(w), np.zeros_like(w)] for _ in range(2)]
    for step in range(1, 6):
        for which, model in enumerate((first, second)):
            model.train_on_batch(x, y[which])
            slope = 2 * x.astype(np.float64).T @ (x @ w - y[which]) / 16
            m, v = moments[which] = [
                0.9 * moments[which][0] + 0.1 * slope,
                0.999 * moments[which][1] + 0.001 * slope**2,
            ]
            w = w - 0.05 * np.sqrt(1 - 0.999**step) / (1 - 0.9**step) * m / (np.sqrt(v) + 1e-7)
            np.testing.assert_allclose(layer.get_weights()[0], w, rtol=1e-4, atol=1e-5)


def test_one_thread_at_a_time_trains_shared_weights():
    base = base_model()
    one, two = compiled(headed(base, "one")), compiled(headed(base, "two"))
    inside, go_on, seen = threading.Event(), threading.Event(), []

    class Hold(st.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            inside.set()
            go_on.wait(20)

    thread = threading.Thread(target=lambda: one.fit(X, Y, verbose=0, callbacks=[Hold()]))
    thread.start()
    assert inside.wait(20)
    with pytest.raises(RuntimeError, match="has the layer 'feat' in common with"):
        two.fit(X, Y, verbose=0)
    seen.append(two.predict(X))  # predicting is allowed
    go_on.set()
    thread.join()
    two.fit(X, Y, verbose=0)
    assert np.isfinite(seen[0]).all()


def test_many_extractors_leave_nothing_behind():
    base = base_model()
    compiled(base)
    for step in range(500):
        extractor = st.Model(base.inputs, base.get_layer("feat").output)
        if step % 250 == 0:
            extractor.predict(X)
            base.train_on_batch(X, Y)
        del extractor
    gc.collect()
    from striate import _sharing

    assert len(_sharing._of_stores) < 50
