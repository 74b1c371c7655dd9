"""Subclasses of Model whose `call` draws the network."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, MaxPooling2D


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Block(st.Model):
    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.first = Conv2D(filters, 3, padding="same", activation="relu")
        self.second = Conv2D(filters, 3, padding="same")
        self.norm = BatchNormalization()

    def call(self, inputs: Any, training: Any = None) -> Any:
        return self.norm(self.second(self.first(inputs)), training=training) + inputs


class Classifier(st.Model):
    def __init__(self, classes: int = 10) -> None:
        super(Classifier, self).__init__(name="classifier")  # noqa: UP008, as scripts have it
        self.start = Conv2D(4, 3, activation="relu", padding="same")
        self.blocks = [Block(4), Block(4)]
        self.pool, self.flatten = MaxPooling2D(), Flatten()
        self.dropout = Dropout(0.5)
        self.scores = Dense(classes, activation="softmax")

    def call(self, inputs: Any, training: Any = False) -> Any:
        x = self.start(inputs / 255.0)
        for block in self.blocks:
            x = block(x, training=training)
        x = self.dropout(self.flatten(self.pool(x)), training=training)
        return self.scores(x)


def functional(model: Classifier) -> st.Model:
    inputs = Input((8, 8, 1))
    return st.Model(inputs, model.call(inputs))


def test_call_draws_the_network() -> None:
    (x, y), (x_test, y_test) = st.data.load_digits()
    st.utils.set_random_seed(0)
    model = Classifier()
    assert not model.built
    model.compile(st.optimizers.Adam(1e-2), "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=4, verbose=0)
    assert model.built and model.evaluate(x_test, y_test, verbose=0)[1] > 0.85
    assert model.input_shape == (None, 8, 8, 1) and model.output_shape == (None, 10)
    same = functional(model)  # over the same layers
    np.testing.assert_array_equal(same.predict(x_test[:20]), model.predict(x_test[:20]))
    np.testing.assert_array_equal(model(x_test[:20]), model.predict(x_test[:20]))
    assert model.scores.kernel.shape == (64, 10) and model.blocks[0].first in model.layers


def test_training_is_that_of_the_run() -> None:
    model, x = Classifier(), data(8, 8, 8, 1)
    model.build((None, 8, 8, 1))
    still = model.forward(x)
    np.testing.assert_array_equal(model.forward(x), still)
    moving = model.blocks[0].norm.moving_mean.numpy()
    first = model.forward(x, training=True)  # dropout drops, and moving averages move
    assert not np.array_equal(first, model.forward(x, training=True))
    assert not np.array_equal(moving, model.blocks[0].norm.moving_mean.numpy())
    fixed = st.Model(start := Input((8, 8, 1)), model(start, training=False))
    np.testing.assert_array_equal(fixed.forward(x, training=True), fixed.forward(x, training=True))


@pytest.mark.parametrize("branch", [lambda t: bool(t), lambda t: t is not None and t == True, lambda t: not t])  # noqa: E712
def test_branches_on_training_are_refused(branch: Any) -> None:
    class Branches(st.Model):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(2)

        def call(self, x: Any, training: bool = False) -> Any:
            return self.dense(x) if branch(training) else x

    with pytest.raises(TypeError, match=r"cannot branch on training.*Dropout\(0.5\)\(x, training=training\)"):
        Branches().predict(data(2, 3))


def test_freezing_a_part() -> None:
    model, x, y = Classifier(2), data(16, 8, 8, 1), np.arange(16) % 2
    model.build((None, 8, 8, 1))
    model.blocks[0].trainable = False
    before = [block.get_weights() for block in model.blocks]
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    after = [block.get_weights() for block in model.blocks]
    assert all(np.array_equal(a, b) for a, b in zip(before[0], after[0], strict=True))
    assert not np.array_equal(before[1][0], after[1][0])


def test_several_inputs_and_outputs() -> None:
    class Pair(st.Model):
        def __init__(self) -> None:
            super().__init__()
            self.tower, self.head = Dense(3, activation="relu"), Dense(1, name="head")

        def call(self, inputs: Any) -> Any:
            a, b = (inputs["a"], inputs["b"]) if isinstance(inputs, dict) else inputs
            return [self.head(self.tower(a) - self.tower(b)), self.tower(a)]

    a, b = data(5, 4), data(5, 4, seed=1)
    model = Pair()
    distance, left = model.predict([a, b])
    assert distance.shape == (5, 1) and left.shape == (5, 3) and model.count_params() == 4 * 3 + 3 + 3 + 1
    named = Pair()
    named.compile("sgd", {"head": "mse"})
    named.fit({"b": b, "a": a}, {"head": data(5, 1)}, verbose=0)
    assert named.input_names == ["b", "a"]
    shaped = Pair()
    shaped.build([(None, 4), (None, 4)])
    shaped.build([(None, 4), (None, 4)])
    shaped.set_weights(model.get_weights())
    np.testing.assert_array_equal(shaped.predict([a, b])[0], distance)
    with pytest.raises(ValueError, match=r"the model is built for the input shape \[\(None, 4\), \(None, 4\)\]"):
        shaped.build([(None, 5), (None, 4)])


def test_files_and_copies_are_plain_models(tmp_path: Any) -> None:
    x = data(9, 8, 8, 1)
    model = Classifier()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(9), verbose=0)
    model.save(tmp_path / "m.safetensors")
    for again in (
        st.load_model(tmp_path / "m.safetensors"),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        st.models.clone_model(model),
    ):
        assert type(again) is st.Model and again.name == "classifier"
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert st.Model.from_config(model.get_config()).count_params() == model.count_params()


def test_a_model_in_a_sequential_and_a_sequential_without_shape_on_symbols() -> None:
    x = data(3, 8, 8, 4)
    model = st.Sequential([Input((8, 8, 4)), Block(4), Flatten(), Dense(2)])
    assert model.predict(x).shape == (3, 2)
    tower = st.Sequential([Flatten(), Dense(5)])
    inputs = Input((8, 8, 4))
    assert st.Model(inputs, tower(inputs)).predict(x).shape == (3, 5)
    assert tower.input_shape == (None, 8, 8, 4)


def test_errors() -> None:
    class Forgot(st.Model):
        def __init__(self) -> None:
            self.dense = Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    class Array(st.Model):
        def call(self, x: Any) -> Any:
            return np.zeros(3)

    class Inputs(Block):
        def __init__(self) -> None:
            x = Input((3,))
            super(Block, self).__init__(x, Dense(1)(x))

    class Nothing(st.Model):
        pass

    with pytest.raises(RuntimeError, match=r"Forgot.__init__ must call super\(\).__init__\(\) first"):
        Forgot().compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"what Array.call returns must be what"):
        Array().predict(data(2, 3))
    with pytest.raises(TypeError, match=r"Inputs.call would never be called: .*leave either out"):
        Inputs()
    with pytest.raises(TypeError, match=r"Nothing has no network: define Nothing.call\(self, inputs\), or give inputs"):
        Nothing().predict(data(2, 3))
    with pytest.raises(TypeError, match=r"Nothing has no network"):
        Nothing().summary()
    with pytest.raises(TypeError, match=r"Nothing takes inputs and outputs"):
        Nothing(Input((3,)))
    with pytest.raises(TypeError, match=r"Model takes inputs and outputs"):
        st.Model()
    with pytest.raises(ValueError, match=r"\[block\] has no input shape yet: call build"):
        Block(3).summary()
    with pytest.raises(ValueError, match="inputs must have the same shape"):
        Block(3).predict(data(2, 8, 8, 4))
    with pytest.raises(ValueError, match="fixed sizes"):
        Block(3).build((None, None, None, 3))
