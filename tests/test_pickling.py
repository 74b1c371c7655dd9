"""Pickles and deep copies: the same model, which trains on as the one that was copied would have."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import striate as st
from striate.layers import Activation, Add, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Rescaling

COPIES = {
    "pickle": lambda value: pickle.loads(pickle.dumps(value)),
    "deepcopy": copy.deepcopy,
}


def chain(**arguments):
    layers = [Conv2D(4, 3, activation="relu"), BatchNormalization(), Flatten(), Dropout(0.3), Dense(3)]
    return st.Sequential([Input((6, 6, 1)), *layers], **arguments)


def branched():
    start = Input((6, 6, 1), name="picture")
    left, right = Conv2D(2, 3)(start), Conv2D(2, 3)(start)
    joined = Flatten()(Add()([left, right]))
    return st.Model(start, [Dense(3, name="kind")(joined), Dense(1, name="size")(joined)], name="two heads", seed=4)


def data():
    rng = np.random.default_rng(0)
    return rng.normal(size=(12, 6, 6, 1)).astype(np.float32), np.arange(12) % 3


def same(first, second):
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "optimizer",
    [st.optimizers.Adam(st.optimizers.schedules.ExponentialDecay(0.01, 3, 0.5)), "sgd"],
    ids=["Adam", "SGD"],
)
def test_a_copy_trains_on_as_the_model_does(how, optimizer):
    x, y = data()
    model = chain(seed=3, winograd=False)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(copy.deepcopy(optimizer), loss, metrics=["accuracy", st.metrics.TopKAccuracy(2)])
    model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    twin = COPIES[how](model)
    assert type(twin) is st.Sequential and twin.name == model.name and twin.winograd is False
    same(twin.state_dict(), model.state_dict())
    assert twin.optimizer.iterations == model.optimizer.iterations == 6
    first = model.fit(x, y, batch_size=5, epochs=2, verbose=0)
    before = twin.state_dict()
    second = twin.fit(x, y, batch_size=5, epochs=2, verbose=0)
    assert first.history == second.history
    same(twin.state_dict(), model.state_dict())
    assert any((before[name] != value).any() for name, value in twin.state_dict().items())


@pytest.mark.parametrize("how", COPIES)
def test_a_model_with_branches(how):
    x, y = data()
    model = branched()
    model.compile("adam", {"kind": st.losses.SparseCategoricalCrossentropy(from_logits=True), "size": "mse"})
    twin = COPIES[how](model)
    assert (twin.name, twin.input_names, twin.output_names) == ("two heads", ["picture"], ["kind", "size"])
    targets = {"kind": y, "size": x.mean((1, 2))}
    assert model.fit(x, targets, verbose=0).history == twin.fit(x, targets, verbose=0).history


@pytest.mark.parametrize("how", COPIES)
def test_what_is_frozen_stays_frozen(how):
    model = chain(seed=1)
    model.layers[0].trainable = False
    twin = COPIES[how](model)
    assert [layer.trainable for layer in twin.layers] == [False, True, True, True, True]
    with pytest.raises(ValueError, match="not compiled"):
        twin.fit(*data())


@pytest.mark.parametrize("how", COPIES)
def test_a_sequential_that_waits_for_its_input(how):
    x, y = data()
    model = st.Sequential([Rescaling(0.5), Flatten(), Dense(3), Activation("softmax")], seed=8, name="waits")
    model.compile("sgd", "sparse_categorical_crossentropy")
    twin = COPIES[how](model)
    assert repr(twin) == "<Sequential 'waits', not built>"
    assert model.fit(x, y, verbose=0).history == twin.fit(x, y, verbose=0).history


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize(
    "item",
    [
        Conv2D(3, (2, 3), strides=2, name="c"),
        Dense(2, trainable=False),
        st.losses.Huber(delta=2.0),
        st.losses.SparseCategoricalCrossentropy(from_logits=True),
        st.losses.Dice(from_logits=True, axis=(0, 1, 2)) + 0.5 * st.losses.BinaryCrossentropy(from_logits=True),
        st.losses.DetectionLoss(strides=(8,)),
        st.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        st.optimizers.AdamW(st.optimizers.schedules.CosineDecay(0.1, 10), clipnorm=1.0),
        st.optimizers.schedules.PiecewiseConstantDecay([3, 5], [0.1, 0.01, 0.001]),
    ],
    ids=lambda item: type(item).__name__,
)
def test_parts(how, item):
    twin = COPIES[how](item)
    assert type(twin) is type(item) and twin is not item and twin.get_config() == item.get_config()


def test_callbacks_and_history():
    x, y = data()
    model = chain(seed=3)
    model.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    stopping = st.callbacks.EarlyStopping("loss", patience=3)
    history = model.fit(x, y, epochs=2, verbose=0, callbacks=[stopping])
    assert pickle.loads(pickle.dumps(history)).history == history.history
    assert pickle.loads(pickle.dumps(stopping)).patience == 3
