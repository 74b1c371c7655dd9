"""Iterables of batches where an array is expected: refused at once, before any item is asked for.

`test_streaming.py` has those that are read."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest

import striate as st
from striate.layers import Dense, Flatten, Input

X = np.random.default_rng(0).random((40, 4, 4, 1)).astype(np.float32)
Y = np.arange(40) % 3


class Batches:
    """A Sequence of Keras: its items are slices, so that no index raises IndexError."""

    def __init__(self):
        self.asked = 0

    def __len__(self):
        return 5

    def __getitem__(self, number):
        self.asked += 1
        assert self.asked < 1000, "asked for item after item"
        return X[number * 8 : number * 8 + 8]


class Loader:
    """A DataLoader of PyTorch: it can be iterated over, and has a length."""

    def __len__(self):
        return 5

    def __iter__(self):
        return (X[i : i + 8] for i in range(0, 40, 8))


def endless():
    while True:
        yield X[:8]


SOURCES = {"Sequence": Batches, "loader": Loader, "generator": endless, "list of sequences": lambda: [Batches()]}


def model(built=True):
    made = st.Sequential([*([Input((4, 4, 1))] if built else []), Flatten(), Dense(3)], seed=0)
    made.compile("sgd", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    return made


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("built", [True, False])
def test_calls_of_a_model_refuse_batches_and_say_how_they_are_passed(source, built):
    make, net = SOURCES[source], model(built)
    calls = {
        "fit: x must be .*pass it as x alone": (lambda: net.fit(make(), Y),),
        "fit: y must be .*pass it as x alone": (lambda: net.fit(X, make()),),
        "evaluate: x must be .*pass it as x alone": (lambda: net.evaluate(make(), Y),),
        "predict: x must be .*not in a list": (lambda: net.predict([make()]),),
        "sample_weight must be": (lambda: net.fit(X, Y, sample_weight=make()),),
        "validation_data: x must be": (lambda: net.fit(X, Y, validation_data=(make(), Y)),),
        "predict_on_batch: x must be": (lambda: net.predict_on_batch(make()),),
        "train_on_batch: x must be": (lambda: net.train_on_batch(make(), Y),),
        "feature_maps: x must be": (lambda: net.feature_maps(make()),),
    }
    for message, each in calls.items():
        for call in each:
            with pytest.raises(TypeError, match=message):
                call()


@pytest.mark.parametrize("source", SOURCES)
def test_functions_of_arrays_refuse_batches(source):
    make, net = SOURCES[source], model()
    calls = (
        lambda: net.set_weights([make(), np.zeros(3)]),
        lambda: net.layers[1].set_weights([make(), np.zeros(3)]),
        lambda: net.grad_cam(make()),
        lambda: st.losses.MeanSquaredError()(make(), X),
        lambda: st.metrics.Accuracy().update_state(make(), Y),
        lambda: st.metrics.Accuracy().update_state(Y, Y, sample_weight=make()),
        lambda: st.data.to_categorical(make()),
        lambda: st.data.split(make(), Y),
        lambda: st.data.augment(make()),
        lambda: st.data.Augment()(make(), np.arange(40), 0),
        lambda: st.data.Augment()(X, make(), 0),
        lambda: st.detection.iou(make(), np.zeros((1, 4))),
        lambda: st.detection.nms(np.zeros((1, 4)), make()),
        lambda: st.detection.decode(make(), (8,)),
        lambda: st.layers.Normalization().adapt(make()),
    )
    for call in calls:
        with pytest.raises(TypeError, match=r"must be an array \(N, ...\), got"):
            call()


def test_set_weights_asks_an_iterable_for_no_more_than_it_needs():
    net = model()
    before = net.get_weights()
    for weights in (Batches(), endless()):
        with pytest.raises(ValueError, match=r"expects 2 arrays .* got 3"):
            net.set_weights(weights)
    net.set_weights(value + 1 for value in before)
    assert all((now == old + 1).all() for now, old in zip(net.get_weights(), before, strict=True))


def test_a_list_of_batches_is_told_from_a_missing_y():
    batches = [(X[i : i + 8], Y[i : i + 8]) for i in range(0, 40, 8)]
    with pytest.raises(TypeError, match=r"fit: y must be an array of targets, got None"):
        model().fit(X.tolist())
    with pytest.raises(TypeError, match=r"validation_data must be .* got list; join a list of batches"):
        model().fit(X, Y, validation_data=batches)


def test_what_is_no_iterable_of_batches_is_converted_as_before():
    flat = st.Sequential([Input((3,)), Dense(1)], seed=0)
    rows = [[0, 1, 2], [3, 4, 5]]
    expected = flat.predict(np.array(rows))
    for given in (
        rows,
        tuple(map(tuple, rows)),
        deque(rows),
        [range(3), range(3, 6)],
        [np.arange(3.0), np.arange(3, 6)],
    ):
        np.testing.assert_array_equal(flat.predict(given), expected)
    with pytest.raises(TypeError, match="got dict with the keys"):
        st.data.to_categorical({"a": 1})
    with pytest.raises(TypeError, match="hold real numbers"):
        flat.predict(object())


def test_sparse_matrices_name_the_conversion():
    sparse = pytest.importorskip("scipy.sparse")
    flat = st.Sequential([Input((3,)), Dense(1)], seed=0)
    with pytest.raises(TypeError, match=r"sparse csr_\w+; convert it with toarray\(\)"):
        flat.predict(sparse.csr_matrix(np.eye(3)))
