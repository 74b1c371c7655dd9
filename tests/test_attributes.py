"""Attributes that are set and would change nothing: they work, or say what does."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import striate as st
from striate import losses, optimizers
from striate.layers import Conv2D, Dense, Flatten, Input, LeakyReLU

X, Y = np.ones((8, 4, 4, 1), np.float32), np.ones((8, 3), np.float32)


def network():
    model = st.Sequential([Input((4, 4, 1)), Conv2D(2, 3, activation="relu", name="c"), Flatten(), Dense(3)], seed=0)
    model.compile(optimizers.AdamW(0.01), "mse")
    return model


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("trainabel", "did you mean 'trainable'"),
        ("stop_trainig", "did you mean 'stop_training'"),
        ("weights", "cannot be set"),
        ("trainable_weights", "cannot be set"),
        ("metrics_names", "cannot be set"),
        ("train_step", "a loop over train_on_batch"),
        ("call", "Draw the network"),
        ("lr", "model.optimizer.learning_rate"),
        ("run_eagerly", "the C\\+\\+ core computes every step"),
        ("metrics", "compile"),
        ("optimizer", "cannot be set; call compile"),
        ("loss", "cannot be set; call compile"),
        ("layers", "cannot be set; Sequential has add"),
        ("input_shape", "cannot be set"),
    ],
)
def test_of_models(name, message):
    with pytest.raises(AttributeError, match=message):
        setattr(network(), name, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("units", "units is fixed when the object is made"),
        ("activation", "activation is fixed"),
        ("kernel", "set_weights"),
        ("bias", "set_weights"),
        ("activity_regularizer", "kernel_regularizer"),
        ("trainble", "did you mean 'trainable'"),
        ("name", "cannot be set"),
        ("call", "call the layer on a symbol"),
    ],
)
def test_of_layers(name, message):
    with pytest.raises(AttributeError, match=message):
        setattr(network().layers[-1], name, 1)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("lr", "learning_rate"),
        ("weight_decay", "weight_decay is fixed when the object is made"),
        ("beta_1", "beta_1 is fixed"),
        ("learning_rat", "did you mean 'learning_rate'"),
        ("momentum", "has no attribute 'momentum'"),
        ("iterations", "cannot be set; it counts"),
        ("follows_schedule", "cannot be set"),
    ],
)
def test_of_optimizers(name, message):
    with pytest.raises(AttributeError, match=message):
        setattr(network().optimizer, name, 1)


def test_of_losses_schedules_and_trainers():
    with pytest.raises(AttributeError, match="delta is fixed"):
        losses.Huber().delta = 2.0
    with pytest.raises(AttributeError, match="from_logits"):
        losses.BinaryCrossentropy().from_logits = True
    with pytest.raises(AttributeError, match="strides"):
        losses.DetectionLoss().strides = (4,)
    with pytest.raises(AttributeError, match="decay_steps is fixed"):
        optimizers.CosineDecay(0.1, 10).decay_steps = 20
    trainer = st.Trainer(network(), "sgd", "mse")
    for name in ("optimizer", "losses", "metrics", "model", "seed"):
        with pytest.raises(AttributeError):
            setattr(trainer, name, "adam")


def test_booleans_are_booleans():
    for value in ("False", "yes", None, 2):
        with pytest.raises(TypeError, match="trainable must be True or False"):
            network().layers[0].trainable = value
        with pytest.raises(TypeError, match="trainable must be True or False"):
            Dense(3, trainable=value)
    with pytest.raises(TypeError, match="fit: shuffle must be True or False, got 'False'"):
        network().fit(X, Y, shuffle="False", verbose=0)
    network().trainable = np.bool_(False)
    assert Dense(3, trainable=0).trainable is False


def test_what_can_be_set_works():
    model = network()
    model.class_names = ["a", "b", "c"]  # a note of the user's
    model.layers[0].note = "first"
    model.name = "mine"
    model.optimizer.name = "own"
    model.optimizer.learning_rate = 0.5
    model.stop_training = True
    model.fusion = False
    assert model.class_names == ["a", "b", "c"] and model.optimizer.learning_rate == 0.5
    before = model.layers[0].get_weights()[0]
    model.fit(X, Y, verbose=0)
    assert not np.array_equal(before, model.layers[0].get_weights()[0])
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = model.layers[0].get_weights()[0]
    model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(before, model.layers[0].get_weights()[0])


def test_arguments_can_be_read():
    model = network()
    assert model.layers[0].filters == 2 and model.layers[0].activation == "relu" and model.layers[-1].units == 3
    assert model.optimizer.weight_decay == 0.004 and model.optimizer.beta_1 == 0.9
    for read, message in (
        (lambda: model.add_loss, "sums of losses"),
        (lambda: model.layers[1].kernel, "get_weights"),
        (lambda: Conv2D(2, 3).kernel, "once a model is built"),
        (lambda: model.layers[0].units, "no attribute 'units'"),
        (lambda: model.optimizer.lr, "has no attribute 'lr'; set learning_rate"),
        (lambda: model.nothing, "has no attribute 'nothing'"),
    ):
        with pytest.raises(AttributeError, match=message):
            read()


def test_the_list_of_layers_says_that_it_is_a_copy():
    model = network()
    for change in (
        lambda found: found.pop(),
        lambda found: found.append(Dense(2)),
        lambda found: found.insert(0, Dense(2)),
        lambda found: found.remove(found[0]),
        lambda found: found.__setitem__(0, Dense(2)),
        lambda found: found.__delitem__(0),
        lambda found: found.reverse(),
    ):
        for owner in (model, st.Model(x := Input((3,)), Dense(2)(x)), st.Sequential([Dense(2)])):
            with pytest.raises(TypeError, match=r"model.layers is a copy"):
                change(owner.layers)
    mine = list(model.layers)
    mine.pop()
    assert isinstance(model.layers, list) and len(model.layers) == 3 == len(pickle.loads(pickle.dumps(model.layers)))
    assert type(model.layers[:2]) is list and type([*model.layers, 1]) is list


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Conv2D(4, 3, activity_regularizer="l2"), "kernel_regularizer"),
        (lambda: Dense(4, kernel_constraint="nonneg"), "constraints"),
        (lambda: Dense(4, dtype="float16"), "float32"),
        (lambda: LeakyReLU(0.2, alpha=0.1), "multiple values"),
        (lambda: LeakyReLU(alpha=0.1, negative_slope=0.2), "LeakyReLU has negative_slope"),
        (lambda: Dense(4, input_shape=5), "input_shape must be a tuple"),
        (lambda: Dense(4, unit=5), "unexpected keyword argument 'unit'"),
    ],
)
def test_arguments_of_layers_that_there_are_none_of(make, message):
    with pytest.raises(TypeError, match=message):
        make()
