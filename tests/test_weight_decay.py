"""Weight decay that leaves biases and normalisation out, as Keras's exclude_from_weight_decay."""

from __future__ import annotations

import copy
import gc
import weakref

import numpy as np
import pytest

import striate as st
from numeric import normal
from optimizer_cases import OPTIMIZER_CASES, OptimizerCase
from striate import optimizers
from striate.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, PReLU

EACH_CASE = pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.optimizer)
CLIPPING = pytest.mark.parametrize("clipping", [{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}, {"clipvalue": 0.01}])


def network(seed=0):
    x = [Input((3,)), Dense(150, name="a"), PReLU(name="p"), BatchNormalization(name="norm"), Dense(140, name="b")]
    model = st.Sequential([*x, Dense(2, name="c")], seed=seed)
    rng = np.random.default_rng(1)
    model.load_state_dict({name: np.abs(normal(rng, value.shape)) + 0.1 for name, value in model.state_dict().items()})
    return model


def data():
    rng = np.random.default_rng(0)
    return normal(rng, (5, 3)), normal(rng, (5, 2))


def after_steps(model, optimizer, steps=3):
    model.compile(optimizer, "mse")
    for _ in range(steps):
        model.train_on_batch(*data())
    return model.state_dict()


@EACH_CASE
@CLIPPING
def test_excluded_weights_move_as_without_decay_and_others_as_with_it(case: OptimizerCase, clipping):
    """One step from the same weights: each weight is that of the optimizer with, or without, decay."""
    make = getattr(optimizers, case.optimizer)
    chosen = make(0.01, weight_decay=0.3, **clipping)
    chosen.exclude_from_weight_decay(var_list=["b/kernel"], var_names=["bias", "gamma", "beta"])
    got = after_steps(network(), chosen, 1)
    decayed = after_steps(network(), make(0.01, weight_decay=0.3, **clipping), 1)
    plain = after_steps(network(), make(0.01, weight_decay=None, **clipping), 1)
    out = {name for name in got if name.rpartition("/")[2] in ("bias", "gamma", "beta")} | {"b/kernel"}
    assert out < {name for name in got if "moving" not in name}
    for name, value in got.items():
        # Norms are summed over other pieces of the gradients, which may round otherwise.
        tolerance = 1e-6 if "global_clipnorm" in clipping else 0
        np.testing.assert_allclose(value, (plain if name in out else decayed)[name], rtol=tolerance)
        if "moving" not in name:
            assert not np.array_equal(plain[name], decayed[name])


def test_reported_case():
    model = st.Sequential([Input((4, 4, 2)), BatchNormalization(), Conv2D(1, 1, bias_initializer="ones")], seed=0)
    optimizer = optimizers.AdamW(0.1, weight_decay=0.5)
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model.compile(optimizer, "mse")
    model.train_on_batch(np.zeros((4, 4, 4, 2)), np.ones((4, 4, 4, 1)))
    assert (model.layers[0].get_weights()[0] == 1.0).all()
    assert (model.layers[1].get_weights()[1] == 1.0).all()


def test_default_is_every_weight():
    model = network()
    before = model.state_dict()
    x, _ = data()
    model.compile(optimizers.SGD(0.5, weight_decay=0.1), "mse")
    model.train_on_batch(x, model.forward(x, training=True))
    changed = {name for name, value in model.state_dict().items() if not np.array_equal(value, before[name])}
    assert {name for name in before if "moving" not in name} <= changed


def test_layers_and_parts_of_names():
    for arguments, out in (
        ({"var_list": ["a/"]}, {"a/kernel", "a/bias"}),
        ({"var_names": ["ia"]}, {"a/bias", "b/bias", "c/bias"}),
        ({"var_names": ["alpha", "gamma"]}, {"p/alpha", "norm/gamma"}),
        ({}, set()),
    ):
        if arguments == {"var_list": ["a/"]}:
            model = network()
            optimizer = optimizers.SGD(0.01, weight_decay=0.3)
            optimizer.exclude_from_weight_decay(var_list=[model.get_layer("a")])
            layer = after_steps(model, optimizer, 1)
        optimizer = optimizers.SGD(0.01, weight_decay=0.3)
        optimizer.exclude_from_weight_decay(**arguments)
        got = after_steps(network(), optimizer, 1)
        plain = after_steps(network(), optimizers.SGD(0.01), 1)
        same = {name for name in got if np.array_equal(got[name], plain[name]) and "moving" not in name}
        assert same == out
        if arguments == {"var_list": ["a/"]}:
            assert all(np.array_equal(layer[name], got[name]) for name in got)


def test_after_compile_and_before_the_first_step():
    model = network()
    model.compile(optimizers.AdamW(0.01, weight_decay=0.3), "mse")
    model.optimizer.learning_rate = 0.02
    model.optimizer.exclude_from_weight_decay(var_names=["bias"])
    assert model.optimizer.learning_rate == 0.02
    x, y = data()
    for _ in range(3):
        model.train_on_batch(x, y)
    want = optimizers.AdamW(0.02, weight_decay=0.3)
    want.exclude_from_weight_decay(var_names=["bias"])
    for name, value in after_steps(network(), want).items():
        np.testing.assert_array_equal(model.state_dict()[name], value)
    with pytest.raises(ValueError, match="before the first step, and 3 were done"):
        model.optimizer.exclude_from_weight_decay(var_names=["gamma"])


def test_names_that_match_nothing_are_refused():
    for names, message in (
        ({"var_names": ["bais"]}, "'bais' matches no weight of any layer; did you mean 'bias'"),
        ({"var_list": ["b/kernal"]}, "'b/kernal' matches no weight of the model; did you mean 'b/kernel'"),
        ({"var_list": ["dense_7/"]}, "'dense_7/' matches no weight of the model"),
    ):
        optimizer = optimizers.AdamW()
        optimizer.exclude_from_weight_decay(**names)
        with pytest.raises(ValueError, match=message):
            network().compile(optimizer, "mse")
        model = network()
        model.compile(optimizers.AdamW(), "mse")
        with pytest.raises(ValueError, match=message):
            model.optimizer.exclude_from_weight_decay(**names)
        assert "exclude_from_weight_decay" not in model.optimizer.get_config()
        model.train_on_batch(*data())
    chosen = optimizers.AdamW()
    chosen.exclude_from_weight_decay(var_names=["depthwise", "alpha"])  # of no layer here, but of some layer
    st.Sequential([Input((3,)), Dense(2)]).compile(chosen, "mse")


def test_arguments_of_another_kind_are_refused():
    optimizer = optimizers.AdamW()
    for names, error, message in (
        ({"var_names": "bias"}, TypeError, r"must be a list, got the string 'bias'; write \['bias'\]"),
        ({"var_list": "a/bias"}, TypeError, "must be a list"),
        ({"var_names": [3]}, TypeError, "var_names takes strings, got 3"),
        ({"var_names": ["bias|gamma"]}, ValueError, "regular expressions"),
        ({"var_names": [""]}, ValueError, "parts of names"),
        ({"var_names": ["a,b"]}, ValueError, "parts of names"),
        ({"var_list": ["bias"]}, TypeError, "names such as 'conv2d/bias'"),
        ({"var_list": [np.zeros(3)]}, TypeError, "var_list takes names"),
        ({"var_list": [Dense(3)]}, ValueError, "has no weights yet"),
    ):
        with pytest.raises(error, match=message):
            optimizer.exclude_from_weight_decay(**names)
    with pytest.raises(TypeError, match="exclude_from_weight_decay"):
        st._core.make_optimizer("SGD", {"exclude_from_weight_decay": 3})


@EACH_CASE
def test_names_are_kept_in_configs_pickles_and_files(case: OptimizerCase, tmp_path):
    optimizer = getattr(optimizers, case.optimizer)(0.01, weight_decay=0.3)
    assert "exclude" not in repr(optimizer) and "exclude_from_weight_decay" not in optimizer.get_config()
    optimizer.exclude_from_weight_decay(["b/kernel"], ["bias", "gamma"])
    assert optimizer.get_config()["exclude_from_weight_decay"] == ["b/kernel", "bias", "gamma"]
    assert "exclude_from_weight_decay=['b/kernel', 'bias', 'gamma']" in repr(optimizer)
    model = network()
    model.compile(optimizer, "mse")
    model.save(tmp_path / "m.safetensors")
    kept = (type(optimizer).from_config(optimizer.get_config()), copy.deepcopy(optimizer))
    loaded = st.load_model(tmp_path / "m.safetensors")
    for other in (*kept, loaded.optimizer, copy.deepcopy(model).optimizer):
        assert other.get_config() == optimizer.get_config()
    want = after_steps(model, kept[0])
    for name, value in after_steps(loaded, loaded.optimizer).items():
        np.testing.assert_array_equal(value, want[name])


def test_training_that_is_resumed_leaves_out_the_same_weights(tmp_path):
    def made():
        optimizer = optimizers.AdamW(0.01, weight_decay=0.3)
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model = network()
        model.compile(optimizer, "mse")
        return model

    model = made()
    model.fit(*data(), epochs=2, batch_size=2, verbose=0)
    st.save_training(model, tmp_path / "state")
    model.fit(*data(), epochs=4, initial_epoch=2, batch_size=2, verbose=0)
    again = made()
    st.load_training(again, tmp_path / "state")
    again.fit(*data(), epochs=4, initial_epoch=2, batch_size=2, verbose=0)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, again.state_dict()[name])


def test_an_optimizer_does_not_keep_its_trainer():
    model = st.Sequential([Input((4, 4, 1)), Flatten(), Dense(2)])
    optimizer = optimizers.AdamW()
    model.compile(optimizer, "mse")
    trainer = weakref.ref(model._trainer)
    gc.disable()
    try:
        del model
        assert trainer() is None
    finally:
        gc.enable()
