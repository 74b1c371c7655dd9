"""Layers of the user's that are made of other layers."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, Layer, ReLU


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Residual(Layer):
    def __init__(self, filters: int, rate: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.filters, self.rate = filters, rate
        self.steps = [Conv2D(filters, 3, padding="same"), BatchNormalization(), ReLU()]
        self.dropout = Dropout(rate)

    def build(self, input_shape: Any) -> None:
        self.shortcut = None if input_shape[-1] == self.filters else Conv2D(self.filters, 1)

    def call(self, inputs: Any, training: Any = None) -> Any:
        x = inputs
        for step in self.steps:
            x = step(x, training=training)
        return self.dropout(x, training=training) + (inputs if self.shortcut is None else self.shortcut(inputs))


def written_out(x: Any, filters: int, rate: float = 0.0) -> Any:
    y = ReLU()(BatchNormalization()(Conv2D(filters, 3, padding="same")(x)))
    return Dropout(rate)(y) + (x if x.shape[-1] == filters else Conv2D(filters, 1)(x))


def test_the_network_is_that_of_the_layers() -> None:
    inputs, x = Input((6, 6, 3)), data(2, 6, 6, 3)
    made = st.Model(inputs, Residual(4)(Residual(4)(inputs)), seed=3)
    written = st.Model(inputs, written_out(written_out(inputs, 4), 4), seed=3)
    assert [type(layer) for layer in made.layers] == [type(layer) for layer in written.layers]
    np.testing.assert_array_equal(made.predict(x), written.predict(x))


def test_a_block_in_a_sequential_that_is_trained(tmp_path: Any) -> None:
    x, y = data(64, 8, 8, 1), np.arange(64) % 4
    block = Residual(4, 0.2, name="block")
    model = st.Sequential([Input((8, 8, 1)), block, Flatten(), Dense(4)], seed=0)
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    history = model.fit(x, y, epochs=3, verbose=0).history["loss"]
    assert history[-1] < history[0]
    assert len(block.weights) == 2 + 4 + 2 and block.count_params() == 40 + 16 + 8
    for again in (copy.deepcopy(model), st.models.clone_model(model)):
        again.set_weights(model.get_weights())
        np.testing.assert_array_equal(again.predict(x), model.predict(x))
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(st.load_model(tmp_path / "m.safetensors").predict(x), model.predict(x))
    assert block.name == "block" and block.output.shape == (None, 8, 8, 4)
    assert Residual.from_config(block.get_config()).filters == 4


def test_weights_and_freezing() -> None:
    class Outer(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.inner = {"first": Residual(2), "others": (Residual(2),)}
            self.again = self.inner["first"]

        def call(self, x: Any) -> Any:
            return self.inner["others"][0](self.again(x))  # type: ignore[index, operator]

    outer, inputs = Outer(), Input((5, 5, 2))
    assert outer.weights == [] and outer.trainable
    model = st.Model(inputs, outer(inputs))
    assert [weight.path for weight in outer.weights] == [weight.path for weight in model.weights]
    doubled = [2 * value for value in outer.get_weights()]
    outer.set_weights(doubled)
    for got, want in zip(model.get_weights(), doubled, strict=True):
        np.testing.assert_array_equal(got, want)
    outer.trainable = False
    assert not model.trainable_weights and not outer.trainable and not outer.inner["first"].trainable  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match=r"\[outer\] set_weights expects 12 arrays \(conv2d/kernel"):
        outer.set_weights([])


def test_training_is_that_of_the_run() -> None:
    inputs, x = Input((4, 4, 2)), data(3, 4, 4, 2)
    model = st.Model(inputs, Residual(2, 0.5)(inputs))
    assert not np.array_equal(model.forward(x, training=True), model.forward(x, training=True))
    fixed = st.Model(inputs, Residual(2, 0.5)(inputs, training=False))
    np.testing.assert_array_equal(fixed.forward(x, training=True), fixed.forward(x))


def test_several_inputs_and_outputs() -> None:
    class Both(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.dense = Dense(3)

        def call(self, inputs: Any) -> Any:
            a, b = (self.dense(one) for one in inputs)
            return a + b, a - b

    a, b = Input((4,)), Input((4,))
    total, difference = Both()([a, b])
    model = st.Model([a, b], [total, difference])
    x, y = data(2, 4), data(2, 4, seed=1)
    found = model.predict([x, y])
    alone, dense = Input((4,)), next(layer for layer in model.layers if isinstance(layer, Dense))
    want = 2 * st.Model(alone, dense(alone)).predict(y)
    np.testing.assert_allclose(found[0] - found[1], want, rtol=1e-4, atol=1e-5)


def test_errors() -> None:
    class Computes(Layer):
        def call(self, x: Any) -> Any:
            return np.maximum(np.asarray(x), 0)

    class Linear(Layer):
        def __init__(self) -> None:
            super().__init__()
            self.kernel_ = self.add_weight(shape=(3, 3), name="kernel")

        def call(self, x: Any) -> Any:
            return x @ self.kernel_

    class Constant(Layer):
        def call(self, x: Any) -> Any:
            return 3

    class Forgot(Layer):
        def __init__(self) -> None:
            self.dense = Dense(1)

        def call(self, x: Any) -> Any:
            return self.dense(x)

    x = Input((3,))
    with pytest.raises(TypeError, match=r"no values yet.*defines backward\(self, dy\) beside call"):
        Computes()(x)
    with pytest.raises(TypeError, match=r"\[linear\] add_weight is for .*: define backward"):
        Linear()
    with pytest.raises(TypeError, match=r"\[constant\] call must return a Symbol, the output of a layer, got int"):
        Constant()(x)
    with pytest.raises(RuntimeError, match=r"Forgot.__init__ must call super\(\).__init__\(\) first"):
        Forgot()(x)
    with pytest.raises(TypeError, match="set trainable once the layers are made"):
        Constant(trainable=False)
    with pytest.raises(TypeError, match=r"\[residual\] is called on what Input\(\) .*, got ndarray"):
        Residual(2)(data(2, 4, 4, 2))
    with pytest.raises(TypeError, match=r"Nothing must define call\(self, x\): on symbols"):
        type("Nothing", (Layer,), {"__module__": "user"})
