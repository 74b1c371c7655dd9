"""Models: how they are built, what they are made of, their weights, and what they compute."""

from __future__ import annotations

import copy
import gc
import weakref
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers
from striate.layers import (
    Activation,
    Add,
    BatchNormalization,
    Concatenate,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    InputLayer,
    MaxPooling2D,
    Normalization,
    ReLU,
    Rescaling,
    Softmax,
)

rng = np.random.default_rng(3)


def images(count: int = 5, side: int = 8, channels: int = 1) -> np.ndarray:
    return rng.normal(size=(count, side, side, channels)).astype(np.float32)


def small(seed: int | None = 0, **more: Any) -> st.Sequential:
    return st.Sequential(
        [
            Input((8, 8, 1)),
            Conv2D(4, 3, padding="same"),
            BatchNormalization(),
            ReLU(),
            MaxPooling2D(2),
            Flatten(),
            Dense(3),
        ],
        seed=seed,
        **more,
    )


def test_sequential_and_functional_are_the_same_network() -> None:
    sequential = small(seed=5)
    inputs = Input((8, 8, 1))
    x = MaxPooling2D(2)(ReLU()(BatchNormalization()(Conv2D(4, 3, padding="same")(inputs))))
    functional = st.Model(inputs, Dense(3)(Flatten()(x)), seed=5)
    x = images()
    assert np.array_equal(sequential.predict(x), functional.predict(x))
    assert list(sequential.state_dict()) == list(functional.state_dict())


def test_what_a_model_is_made_of() -> None:
    model = small(name="net")
    assert model.name == "net"
    assert [layer.name for layer in model.layers] == [
        "conv2d",
        "batch_normalization",
        "re_lu",
        "max_pooling2d",
        "flatten",
        "dense",
    ]
    assert model.input_shape == (None, 8, 8, 1)
    assert model.output_shape == (None, 3)
    assert model.get_layer("conv2d").output_shape == (None, 8, 8, 4)
    assert model.get_layer(index=-1) is model.layers[-1]
    assert model.count_params() == 40 + 16 + (4 * 16 * 3 + 3)
    assert [layer.count_params() for layer in model.layers] == [40, 16, 0, 0, 0, 195]
    assert repr(model) == "<Sequential 'net': (None, 8, 8, 1) -> (None, 3)>"
    assert model.input.shape == (None, 8, 8, 1)
    assert model.output.shape == (None, 3)
    assert model.get_layer("re_lu").input is model.get_layer("batch_normalization").output


def test_functional_model_lists_its_inputs() -> None:
    inputs = Input((4,), name="numbers")
    model = st.Model(inputs, Dense(2)(inputs))
    assert [type(layer) for layer in model.layers] == [InputLayer, Dense]
    assert model.input_names == ["numbers"]
    assert model.output_names == ["dense"]


def test_layers_are_the_users_own_objects() -> None:
    dense = Dense(3, name="head")
    with pytest.raises(ValueError, match=r"\[head\] has no weights yet"):
        dense.get_weights()
    model = st.Sequential([Input((4,)), dense])
    assert model.layers[0] is dense
    assert [w.shape for w in dense.get_weights()] == [(4, 3), (3,)]


def test_several_inputs_and_outputs() -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    both = Add()([a, b])
    model = st.Model([a, b], [both, a - b, a * b], seed=0)
    x, y = rng.normal(size=(2, 6, 3)).astype(np.float32)
    for given in ([x, y], (x, y), {"b": y, "a": x}):
        total, difference, product = model.predict(given)
        assert np.array_equal(total, x + y)
        assert np.array_equal(difference, x - y)
        assert np.array_equal(product, x * y)
    assert model.input_shape == [(None, 3), (None, 3)]
    assert model.output_shape == [(None, 3)] * 3
    assert [out.shape for out in model.forward([x, y])] == [(6, 3)] * 3
    gradients = model.backward([np.ones((6, 3)), np.zeros((6, 3)), np.zeros((6, 3))])
    assert np.array_equal(gradients[0], np.ones((6, 3)))


def test_weights_in_keras_order() -> None:
    model = small()
    shapes = [w.shape for w in model.get_weights()]
    assert shapes == [(3, 3, 1, 4), (4,), (4,), (4,), (4,), (4,), (64, 3), (3,)]
    names = list(model.state_dict())
    assert names[2:6] == [f"batch_normalization/{n}" for n in ("gamma", "beta", "moving_mean", "moving_variance")]
    assert names[:2] == ["conv2d/kernel", "conv2d/bias"]
    gamma, beta, mean, variance = model.get_layer("batch_normalization").get_weights()
    assert (gamma == 1).all() and (beta == 0).all() and (mean == 0).all() and (variance == 1).all()


def test_weights_go_in_and_out() -> None:
    one, other = small(seed=1), small(seed=2)
    x = images()
    assert not np.array_equal(one.predict(x), other.predict(x))
    other.set_weights(one.get_weights())
    assert np.array_equal(one.predict(x), other.predict(x))
    third = small(seed=3)
    third.load_state_dict({name: value.astype(np.float64) for name, value in one.state_dict().items()})
    assert np.array_equal(one.predict(x), third.predict(x))
    third.get_layer("dense").set_weights([np.zeros((64, 3)), np.array([1, 2, 3])])
    assert np.array_equal(third.predict(x), np.tile(np.float32([1, 2, 3]), (5, 1)))


def test_get_weights_gives_copies() -> None:
    model = small()
    before = model.predict(images(1))
    for weight in model.get_weights():
        weight[...] = 7
    assert np.array_equal(model.predict(images(1)).shape, before.shape)
    assert (model.get_weights()[1] == 0).all()


def test_wrong_weights_change_nothing() -> None:
    model = small()
    before = model.get_weights()
    wrong = [np.ones_like(w) for w in before]
    wrong[-1] = np.ones(4, np.float32)
    with pytest.raises(ValueError, match=r"dense/bias of shape \(3,\), got \(4,\)"):
        model.set_weights(wrong)
    for now, then in zip(model.get_weights(), before, strict=True):
        assert np.array_equal(now, then)


def test_seed_decides_the_weights() -> None:
    assert np.array_equal(small(4).get_weights()[0], small(4).get_weights()[0])
    assert not np.array_equal(small(4).get_weights()[0], small(5).get_weights()[0])
    st.set_seed(9)
    first = [small(None).get_weights()[0], small(None).get_weights()[0]]
    st.set_seed(9)
    again = [small(None).get_weights()[0], small(None).get_weights()[0]]
    assert np.array_equal(first, again)
    assert not np.array_equal(first[0], first[1])
    assert small(2**64 - 1).seed == 2**64 - 1


def test_sequential_grows_and_shrinks() -> None:
    model = st.Sequential(seed=0)
    assert repr(model) == "<Sequential 'sequential', not built>"
    model.add(Input((8, 8, 1)))
    model.add(Conv2D(2, 3))
    model.add(Flatten())
    assert model.output_shape == (None, 72)
    kernel = model.get_weights()[0]
    model.add(Dense(3))
    assert model.output_shape == (None, 3)
    assert np.array_equal(model.get_weights()[0], kernel)
    model.pop()
    assert model.output_shape == (None, 72)
    assert np.array_equal(model.get_weights()[0], kernel)
    assert [layer.name for layer in model.layers] == ["conv2d", "flatten"]


def test_trained_weights_stay_when_a_layer_is_added() -> None:
    model = st.Sequential([Input((4,)), Dense(3)], seed=0)
    model.compile("sgd", "mse")
    model.fit(rng.normal(size=(20, 4)), rng.normal(size=(20, 3)), verbose=0)
    trained = model.get_weights()
    model.add(Dense(2))
    assert np.array_equal(model.get_weights()[0], trained[0])
    model.fit(rng.normal(size=(20, 4)), rng.normal(size=(20, 2)), verbose=0)
    assert not np.array_equal(model.get_weights()[0], trained[0])


def test_sequential_without_input_takes_the_shape_from_the_data() -> None:
    model = st.Sequential([Conv2D(2, 3), Flatten(), Dense(3)], seed=0)
    assert [type(layer) for layer in model.layers] == [Conv2D, Flatten, Dense]
    with pytest.raises(ValueError, match="has no input shape yet: begin it with Input"):
        model.get_weights()
    assert model.predict(images(2, 6, 3)).shape == (2, 3)
    assert model.input_shape == (None, 6, 6, 3)
    fitted = st.Sequential([Dense(3)], seed=0)
    fitted.compile("sgd", "mse")
    fitted.fit(rng.normal(size=(8, 4)), rng.normal(size=(8, 3)), verbose=0)
    assert fitted.input_shape == (None, 4)


def test_failed_build_can_be_repeated() -> None:
    model = st.Sequential([Conv2D(2, 3), Flatten(), Dense(3)], seed=0)
    with pytest.raises(ValueError, match=r"\[conv2d\] expects 4-D input"):
        model.predict(np.zeros((2, 7)))
    assert model.predict(images(2)).shape == (2, 3)


def test_model_within_a_model() -> None:
    backbone = st.Sequential([Input((8, 8, 1)), Conv2D(4, 3), GlobalAveragePooling2D()], seed=1)
    inputs = Input((8, 8, 1))
    whole = st.Model(inputs, Dense(2)(backbone(inputs)), seed=2)
    assert np.array_equal(whole.get_weights()[0], backbone.get_weights()[0])
    x = images()
    stacked = st.Sequential([Rescaling(0.5), backbone, Dense(2)], seed=3)
    assert stacked.predict(x).shape == (5, 2)
    assert np.array_equal(stacked.get_weights()[0], backbone.get_weights()[0])
    first = st.Sequential([backbone, Dense(2)], seed=3)
    assert first.input_shape == (None, 8, 8, 1)
    whole.compile("sgd", "mse")
    twin = copy.deepcopy(backbone)
    before = backbone.predict(x)
    whole.fit(x, rng.normal(size=(5, 2)), verbose=0)
    assert np.array_equal(backbone.get_weights()[0], whole.get_weights()[0])  # see test_models_in_common
    assert np.array_equal(twin.predict(x), before)
    assert not np.array_equal(whole.get_weights()[0], twin.get_weights()[0])


def test_part_of_a_model_has_its_weights() -> None:
    model = small()
    model.compile("sgd", "mse")
    model.fit(images(20), rng.normal(size=(20, 3)), verbose=0)
    features = st.Model(model.input, model.get_layer("flatten").output)
    x = images()
    dense = model.get_layer("dense")
    kernel, bias = dense.get_weights()
    assert np.allclose(features.predict(x) @ kernel + bias, model.predict(x), atol=1e-5)
    assert features.get_layer("conv2d") is model.get_layer("conv2d")
    assert model.get_layer("conv2d").get_weights()[0].shape == (3, 3, 1, 4)


def test_layer_of_another_model_with_other_shapes() -> None:
    dense = Dense(3, name="shared")
    st.Sequential([Input((4,)), dense])
    with pytest.raises(ValueError, match=r"\[shared\] has a kernel of shape \(4, 3\) .* needs \(5, 3\)"):
        st.Sequential([Input((5,)), dense])
    assert [w.shape for w in dense.get_weights()] == [(4, 3), (3,)]


def test_frozen_layers_stay_as_they_are() -> None:
    model = small()
    model.layers[0].trainable = False
    model.get_layer("batch_normalization").trainable = False
    model.compile("sgd", "mse")
    before = model.state_dict()
    model.fit(images(20), rng.normal(size=(20, 3)), epochs=2, verbose=0)
    changed = {name for name, value in model.state_dict().items() if not np.array_equal(value, before[name])}
    assert changed == {"dense/kernel", "dense/bias"}
    model.trainable = True
    assert model.layers[0].trainable
    model.compile("sgd", "mse")
    model.fit(images(20), rng.normal(size=(20, 3)), verbose=0)
    assert not np.array_equal(model.state_dict()["conv2d/kernel"], before["conv2d/kernel"])


def test_frozen_before_there_is_a_model() -> None:
    dense = Dense(2, trainable=False)
    model = st.Sequential([Input((3,)), dense, Dense(1)], seed=0)
    assert not dense.trainable and model.trainable
    model.compile("sgd", "mse")
    before = dense.get_weights()[0]
    model.fit(rng.normal(size=(8, 3)), rng.normal(size=(8, 1)), verbose=0)
    assert np.array_equal(dense.get_weights()[0], before)


def test_predict_in_batches_is_predict_at_once() -> None:
    model = small()
    x = images(101)
    whole = model.predict(x, batch_size=101)
    for size in (1, 7, 32, 1000):
        assert np.allclose(model.predict(x, batch_size=size), whole, atol=1e-6)
    assert np.array_equal(model.predict_on_batch(x), whole)
    assert whole.dtype == np.float32 and whole.flags.c_contiguous


def test_kinds_of_arrays() -> None:
    model = small()
    x = rng.integers(0, 2, (6, 8, 8, 1)).astype(np.float32)
    want = model.predict(x)
    for dtype in ("f2", "f8", "u1", "i1", "i4", "i8", "u2", "?", ">f4", ">f8", ">i4"):
        assert np.array_equal(model.predict(x.astype(dtype)), want), dtype
    assert np.array_equal(model.predict(x[..., 0]), want)  # Keras too adds the last axis of 1
    assert np.array_equal(model.predict(x.tolist()), want)
    strided = np.zeros((12, 8, 16, 1), np.float32)
    strided[::2, :, ::2] = x
    assert np.array_equal(model.predict(strided[::2, :, ::2]), want)
    assert np.array_equal(model.predict(np.asfortranarray(x)), want)
    x.flags.writeable = False
    assert np.array_equal(model.predict(x), want)
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    assert np.array_equal(model.predict(unaligned), want)


def test_nan_and_infinity_pass_through() -> None:
    model = st.Sequential([Input((2,)), ReLU()])
    x = np.float32([[np.nan, np.inf], [-np.inf, -1]])
    assert np.array_equal(model.predict(x), np.float32([[np.nan, np.inf], [0, 0]]), equal_nan=True)
    assert np.array_equal(model.predict(np.array([[1e300, -1.0]])), np.float32([[np.inf, 0]]))


def test_forward_and_backward() -> None:
    model = st.Sequential([Input((3,)), Dense(2, name="d")], seed=0)
    kernel, bias = model.get_weights()
    x, g = rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=(4, 2)).astype(np.float32)
    assert np.allclose(model.forward(x), x @ kernel + bias, atol=1e-6)
    assert np.allclose(model.backward(g), g @ kernel.T, atol=1e-6)
    gradients = model.gradients()
    assert list(gradients) == ["d/kernel", "d/bias"]
    assert np.allclose(gradients["d/kernel"], x.T @ g, atol=1e-5)
    assert np.allclose(gradients["d/bias"], g.sum(0), atol=1e-6)
    with pytest.raises(ValueError, match=r"backward\(\) needs a forward\(\) before it"):
        model.backward(g)


def test_forward_in_training_uses_the_batch() -> None:
    model = st.Sequential([Input((4, 4, 2)), BatchNormalization()], seed=0)
    x = 5 + 3 * images(16, 4, 2)
    still = model.forward(x)
    assert abs(still.mean() - 5) < 1
    moving = model.forward(x, training=True)
    assert np.allclose(moving.mean(axis=(0, 1, 2)), 0, atol=1e-5)
    assert np.allclose(moving.std(axis=(0, 1, 2)), 1, atol=1e-3)
    assert np.array_equal(model(x, training=False), model.predict(x))


def test_dropout_works_in_training_alone() -> None:
    model = st.Sequential([Input((1000,)), Dropout(0.25)], seed=0)
    x = np.ones((1, 1000), np.float32)
    assert np.array_equal(model.predict(x), x)
    dropped = model.forward(x, training=True)
    assert set(np.unique(dropped)) == {np.float32(0), np.float32(4 / 3)}
    assert 0.2 < (dropped == 0).mean() < 0.3


def test_activation_arguments() -> None:
    x = rng.normal(size=(5, 4)).astype(np.float32)

    def relu(value: Any) -> Any:
        return value

    with pytest.raises(ValueError, match=r"function 'relu' would never be called: .* pass one by its name"):
        Dense(3, activation=relu)
    relu.__module__ = "keras.src.activations.activations"
    want = st.Sequential([Input((4,)), Dense(3), Activation("relu")], seed=1).predict(x)
    for activation in ("relu", relu, layers.ReLU(), layers.ReLU, layers.Activation("relu")):
        assert np.array_equal(st.Sequential([Input((4,)), Dense(3, activation=activation)], seed=1).predict(x), want)
    soft = st.Sequential([Input((4,)), Dense(3, activation=Softmax())], seed=1).predict(x)
    assert np.allclose(soft.sum(1), 1, atol=1e-6)
    assert Dense(3, activation=layers.ReLU(6.0)).get_config()["activation"] == "relu6"


def test_initializer_arguments() -> None:
    from striate.initializers import Constant, HeNormal, Zeros

    model = st.Sequential(
        [Input((4,)), Dense(3, kernel_initializer=Constant(0.5), bias_initializer="constant(0.25)")], seed=1
    )
    assert (model.get_weights()[0] == 0.5).all() and (model.get_weights()[1] == 0.25).all()
    kernels = [
        st.Sequential([Input((40,)), Dense(30, kernel_initializer=given)], seed=1).get_weights()[0]
        for given in ("he_normal", "HeNormal", HeNormal(), HeNormal)
    ]
    assert all(np.array_equal(kernel, kernels[0]) for kernel in kernels)
    assert (st.Sequential([Input((4,)), Dense(3, kernel_initializer=Zeros)], seed=1).get_weights()[0] == 0).all()
    assert abs(HeNormal(seed=1)((1000, 100)).std() - (2 / 1000) ** 0.5) < 1e-3
    assert np.array_equal(HeNormal(seed=1)((4, 5)), HeNormal(seed=1)((4, 5)))


def test_normalization_adapts() -> None:
    x = 5 + 3 * images(50, 4, 2)
    norm = Normalization()
    norm.adapt(x)
    out = st.Sequential([Input((4, 4, 2)), norm]).predict(x)
    assert np.allclose(out.mean(axis=(0, 1, 2)), 0, atol=1e-5) and np.allclose(out.std(axis=(0, 1, 2)), 1, atol=1e-4)
    back = Normalization(mean=x.mean((0, 1, 2)).tolist(), variance=x.var((0, 1, 2)).tolist(), invert=True)
    assert np.allclose(st.Sequential([Input((4, 4, 2)), back]).predict(out), x, atol=1e-4)
    with pytest.raises(ValueError, match=r"adapt.* comes before"):
        norm.adapt(x)


def test_shared_layer_has_one_set_of_weights() -> None:
    a, b = Input((4,)), Input((4,))
    dense = Dense(3)
    model = st.Model([a, b], Concatenate()([dense(a), dense(b)]), seed=0)
    assert model.count_params() == 15
    x, y = rng.normal(size=(2, 5, 4)).astype(np.float32)
    out = model.predict([x, y])
    assert np.array_equal(out[:, :3], model.predict([x, x])[:, 3:])


def test_gradients_after_a_training_step() -> None:
    model = small()
    model.compile("sgd", "mse")
    assert model.gradients() == {} or all((g == 0).all() for g in model.gradients().values())
    model.train_on_batch(images(), rng.normal(size=(5, 3)))
    gradients = model.gradients()
    assert list(gradients) == [n for n in model.state_dict() if "moving" not in n]
    assert all(np.abs(gradients[name]).max() > 0 for name in ("conv2d/kernel", "dense/kernel"))


def test_a_model_goes_when_it_is_let_go() -> None:
    """Models are large: they must not wait for the cycle collector."""
    gc.collect()
    gc.disable()
    try:
        model = small()
        model.compile("adam", "mse", metrics=["mae"])
        model.fit(images(20), rng.normal(size=(20, 3)), verbose=0)
        x = images(4)
        model.evaluate(x, np.zeros((4, 3)), verbose=0)
        model.predict(x)
        gone = weakref.ref(model), weakref.ref(x), weakref.ref(model._network)
        del model, x
        assert [ref() for ref in gone] == [None, None, None]
    finally:
        gc.enable()


def test_symbols_are_no_arrays() -> None:
    symbol = Input((3,))
    assert repr(symbol) == "<Symbol (None, 3) of input_layer>"
    assert symbol.dtype == "float32"
    with pytest.raises(TypeError, match="has no values"):
        np.asarray(symbol)
    with pytest.raises(TypeError, match="no values to go over"):
        list(symbol)
    with pytest.raises(TypeError, match="combines with Symbols, numbers, and one number for each channel, got str"):
        symbol * "2"


def test_fusion_and_winograd_are_choices_of_the_program(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = images()
    fused, plain = small(fusion=True), small(fusion=False, winograd=False)
    assert (fused.fusion, plain.fusion, plain.winograd) == (True, False, False)
    assert fused._network.arena_bytes(5, True) != plain._network.arena_bytes(5, True)
    want = plain.predict(x)
    np.testing.assert_allclose(fused.predict(x), want, rtol=1e-5, atol=1e-6)
    fused.fusion = False  # the plan that is kept is another one
    np.testing.assert_array_equal(fused.predict(x), want)
    assert fused._network.arena_bytes(5, True) == plain._network.arena_bytes(5, True)

    plain.save(tmp_path / "m.safetensors")
    monkeypatch.setenv("STRIATE_FUSION", "0")
    assert (small().fusion, small().winograd, small(fusion=True).fusion) == (False, True, True)
    assert not st.load_model(tmp_path / "m.safetensors").fusion
    monkeypatch.setenv("STRIATE_FUSION", "")
    monkeypatch.setenv("STRIATE_WINOGRAD", "0")
    loaded = st.load_model(tmp_path / "m.safetensors")
    assert (loaded.fusion, loaded.winograd) == (True, False)
    loaded.winograd = True
    assert loaded.winograd
    monkeypatch.setenv("STRIATE_WINOGRAD", "no")
    with pytest.raises(ValueError, match=r"STRIATE_WINOGRAD must be 0 or 1, got 'no'"):
        small()


def test_fusion_stays_when_a_sequential_grows() -> None:
    model = st.Sequential([Input((8, 8, 1)), Flatten()], fusion=False, winograd=False)
    model.add(Dense(3))
    assert (model.fusion, model.winograd) == (False, False)
    with pytest.raises(TypeError, match="fusion must be True or False, got 1"):
        st.Sequential(fusion=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="winograd must be True or False, got None"):
        model.winograd = None  # type: ignore[assignment]


def test_a_trainer_follows_the_choice_of_its_model() -> None:
    model = small()
    model.compile("sgd", "mse")
    x, y = images(), np.zeros((5, 3), np.float32)
    before = model.test_on_batch(x, y)
    model.fusion = False
    np.testing.assert_allclose(model.test_on_batch(x, y), before, rtol=1e-5)
