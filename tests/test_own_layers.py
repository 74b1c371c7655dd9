"""Layers of the user's in Python: beside those of the core, in files and pickles, and what happens when they fail."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers, losses, optimizers, testing, utils
from striate.layers import Add, BatchNormalization, Concatenate, Conv2D, Dense, Flatten, Input, Layer, MaxPooling2D


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


class Twice(Layer):
    """Without weights, and without an __init__."""

    def call(self, x: Any) -> Any:
        return 2 * x

    def backward(self, dy: Any) -> Any:
        return 2 * dy


class Swish(Layer):
    """Keeps what `backward` needs."""

    def call(self, x: Any) -> Any:
        self.x, self.s = x, 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dy: Any) -> Any:
        return dy * self.s * (1 + self.x * (1 - self.s))


class Linear(Layer):
    """`Dense` again, as in Keras's guides."""

    def __init__(self, units: int = 32, use_bias: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units, self.use_bias = units, use_bias

    def build(self, input_shape: Any) -> None:
        self.w = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")
        if self.use_bias:
            self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="bias")

    def call(self, x: Any) -> Any:
        y = x @ self.w
        return y + self.b if self.use_bias else y

    def backward(self, dy: Any, x: Any) -> Any:
        gradients = {"kernel": x.T @ dy}
        if self.use_bias:
            gradients["bias"] = dy.sum(axis=0)
        return dy @ self.w.T, gradients

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


class Difference(Layer):
    """Two inputs, the same in training and inference but for a factor."""

    def call(self, inputs: Any, training: bool = False) -> Any:
        a, b = inputs
        return (a - b) * (3.0 if training else 1.0)

    def backward(self, dy: Any) -> Any:
        return [3 * dy, -3 * dy]

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape[0]


X, Y = data(12, 8, 8, 2), data(12, 3, seed=1)
KNOWN = {"Twice": Twice, "Swish": Swish, "Linear": Linear, "Difference": Difference}


def branched(own: bool, seed: int = 0) -> st.Model:
    """A network with layers of the user's beside layers of all kinds: halos, parts of a concatenation, sums."""
    x = Input((8, 8, 2))
    a = Conv2D(4, 3, padding="same")(x)
    a = (Swish(name="swish") if own else layers.Activation("silu", name="swish"))(a)
    b = Conv2D(4, 3, padding="same")(a)  # a halo around the output of the own layer
    both = Concatenate()([b, Twice(name="twice")(a) if own else layers.Rescaling(2.0, name="twice")(a)])
    c = Add()([Conv2D(8, 1)(BatchNormalization()(both)), both])
    c = Flatten()(MaxPooling2D(2)(c))
    out = (Linear(3, name="out") if own else Dense(3, name="out"))(c)
    model = st.Model(x, out, seed=seed)
    model.compile(optimizers.Adam(0.01), "mse")
    return model


def test_beside_the_layers_of_the_core() -> None:
    ours, theirs = branched(True), branched(False)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()  # drawn alike: by place and seed
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-4, atol=1e-5)
    for training in (False, True):
        np.testing.assert_allclose(ours.forward(X, training), theirs.forward(X, training), rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(ours.backward(Y), theirs.backward(Y), rtol=1e-3, atol=1e-5)
        for name, gradient in theirs.gradients().items():
            np.testing.assert_allclose(ours.gradients()[name], gradient, rtol=1e-3, atol=1e-4)
    found = ours.fit(X, Y, batch_size=5, epochs=3, verbose=0, validation_split=0.25).history
    want = theirs.fit(X, Y, batch_size=5, epochs=3, verbose=0, validation_split=0.25).history
    np.testing.assert_allclose(list(found.values()), list(want.values()), rtol=1e-3)
    maps = ours.feature_maps(X, ["swish"])["swish"]
    np.testing.assert_allclose(ours.predict(X[:1]), ours.predict(X)[:1], rtol=1e-4, atol=1e-5)
    assert maps.shape == (12, 8, 8, 4)
    assert "swish (Swish)" in "".join(_lines(ours)) and ours.count_params() == theirs.count_params()


def _lines(model: st.Model) -> list[str]:
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    return lines


def test_gradients_are_checked() -> None:
    x = data(5, 4)
    for layer, arrays in (
        (Swish(), [data(2, 3, 3, 2)]),
        (Linear(3), [x]),
        (Linear(2, use_bias=False), [x]),
        (Difference(), [x, data(5, 4, seed=1)]),
    ):
        assert testing.check_gradient(layer, *arrays) < 1e-6

    class Wrong(Linear):
        def backward(self, dy: Any, x: Any) -> Any:
            dx, gradients = super().backward(dy, x)
            return dx, {**gradients, "bias": dy.mean(axis=0)}

    with pytest.raises(AssertionError, match=r"Wrong: weight 'bias'\[\d\]: the gradient is"):
        testing.check_gradient(Wrong(3), x)
    with pytest.raises(TypeError, match="the core computes Dense"):
        testing.check_gradient(Dense(3), x)


def test_several_inputs_and_training() -> None:
    a, b = Input((4,)), Input((4,))
    model = st.Model([a, b], Difference()([Dense(4)(a), b]), seed=0)
    x, y = data(6, 4), data(6, 4, seed=1)
    w, c = (value.astype(np.float64) for value in model.get_weights())
    np.testing.assert_allclose(model.predict([x, y]), x @ w + c - y, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.forward([x, y], training=True), 3 * (x @ w + c - y), rtol=1e-5, atol=1e-5)
    of_a, of_b = model.backward(data(6, 4, seed=2))
    np.testing.assert_allclose(of_b, -3 * data(6, 4, seed=2), rtol=1e-5)
    np.testing.assert_allclose(of_a, 3 * data(6, 4, seed=2) @ w.T, rtol=1e-4, atol=1e-5)


def test_shared_within_a_model_and_frozen() -> None:
    def model(layer: Layer) -> st.Model:
        a, b = Input((4,)), Input((4,))
        made = st.Model([a, b], Add()([layer(a), layer(b)]), seed=3)
        made.compile(optimizers.SGD(0.1), "mse")
        return made

    inputs = [data(6, 4), data(6, 4, seed=1)]
    ours, theirs = model(Linear(3)), model(Dense(3))
    theirs.set_weights(ours.get_weights())
    for _ in range(3):
        assert ours.train_on_batch(inputs, Y[:6]) == pytest.approx(theirs.train_on_batch(inputs, Y[:6]), rel=1e-5)
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-4)
    before = ours.get_weights()
    ours.get_layer("linear").trainable = False
    ours.compile("sgd", "mse")
    ours.train_on_batch(inputs, Y[:6])
    for one, other in zip(before, ours.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_call_keeps_is_that_of_the_same_call() -> None:
    """A layer that keeps what `backward` needs, called twice in a model, in two models, and in between."""

    def model(layer: Layer) -> st.Model:
        a, b = Input((4,)), Input((4,))
        made = st.Model([a, b], Concatenate()([layer(a), layer(b)]), seed=3)
        made.compile(optimizers.SGD(0.1), "mse")
        return made

    inputs, out = [data(6, 4), data(6, 4, seed=1)], data(6, 8, seed=2)
    swish = Swish()
    ours, theirs = model(swish), model(layers.Activation("silu"))
    other = st.Sequential([Input((4,)), swish])
    for one in (ours, theirs):
        one.forward(inputs, training=True)
    ours.predict([x + 1 for x in inputs])
    other.forward(data(6, 4, seed=5), training=True)
    for found, want in zip(ours.backward(out), theirs.backward(out), strict=True):
        np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-6)


def test_models_have_a_layer_in_common() -> None:
    layer = Linear(3)
    first = st.Sequential([Input((4,)), layer], seed=0)
    second = st.Sequential([Input((4,)), layer], seed=1)
    first.compile("sgd", "mse")
    x = data(12, 4)
    before = second.predict(x)
    first.train_on_batch(x, Y)
    assert not np.allclose(second.predict(x), before)
    np.testing.assert_array_equal(second.predict(x), first.predict(x))
    x = Input((4,))
    inference = st.Model(x, Difference()([x, Twice()(x)], training=False))
    values = data(3, 4)
    np.testing.assert_allclose(inference.forward(values, training=True), -values, rtol=1e-6)


def test_files_pickles_and_clones(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = branched(True)
    model.fit(X, Y, batch_size=4, verbose=0)
    model.save(path)
    with pytest.raises(
        ValueError, match=r"cannot load .*: the layer '(Linear|Swish|Twice)' is not one of striate's.*custom_obj"
    ):
        st.load_model(path)
    with utils.custom_object_scope(KNOWN):
        scoped = st.load_model(path)
    loaded = st.load_model(path, KNOWN)
    again = pickle.loads(pickle.dumps(model))
    for other in (loaded, scoped, again, copy.deepcopy(model)):
        assert isinstance(other.get_layer("out"), Linear) and other.get_layer("out").units == 3
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
    again.train_on_batch(X, Y)
    model.train_on_batch(X, Y)
    for a, b in zip(again.get_weights(), model.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()  # the optimizer's state went along
    clone = st.models.clone_model(model)
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone.predict(X), model.predict(X))
    made = st.models.model_from_json(model.to_json(), KNOWN)
    made.set_weights(model.get_weights())
    np.testing.assert_array_equal(made.predict(X), model.predict(X))
    chain = st.Sequential([Linear(4, input_shape=(5,), trainable=False), Linear(2, name="last")], seed=0)
    chain.save(path)
    loaded = st.load_model(path, KNOWN)
    assert type(loaded) is st.Sequential and loaded.layers[0].trainable is False and loaded.layers[1].name == "last"
    np.testing.assert_array_equal(loaded.predict(data(3, 5)), chain.predict(data(3, 5)))
    damaged = path.read_bytes().replace(b'"Linear', b'"Lineal')
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"the layer 'Lineal'|damaged|cannot load"):
        st.load_model(path, KNOWN)


@pytest.mark.parametrize("where", ["call", "backward"])
def test_an_error_leaves_everything_as_it_was(where: str) -> None:
    class Failing(Twice):
        left = 100

        def call(self, x: Any) -> Any:
            return self._maybe("call", super().call(x))

        def backward(self, dy: Any) -> Any:
            return self._maybe("backward", super().backward(dy))

        def _maybe(self, what: str, value: Any) -> Any:
            Failing.left -= 1
            if what == where and Failing.left <= 0:
                raise RuntimeError("out")
            return value

    def model(layer: Layer) -> st.Sequential:
        made = st.Sequential([Input((8, 8, 2)), Conv2D(4, 3), BatchNormalization(), layer, Flatten(), Dense(3)], seed=0)
        made.compile(optimizers.Adam(0.01), "mse")
        return made

    failing, whole = model(Failing()), model(Twice())
    for one in (failing, whole):
        one.train_on_batch(X, Y)
    before = failing.get_weights()
    Failing.left = 1
    with pytest.raises(RuntimeError, match="out"):
        failing.train_on_batch(X, Y)
    if where == "call":
        with pytest.raises(RuntimeError, match="out"):
            failing.predict(X)
        with pytest.raises(RuntimeError, match="out"):
            failing.evaluate(X, Y, verbose=0)
    assert failing.optimizer.iterations == 1
    for a, b in zip(before, failing.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()
    Failing.left = 100
    for one in (failing, whole):
        one.train_on_batch(X, Y)
    for a, b in zip(failing.get_weights(), whole.get_weights(), strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("methods", "kind", "message"),
    [
        (
            {"call": lambda self, x: x[:, :1], "backward": lambda self, dy: dy},
            ValueError,
            r"gradient of the input must have",
        ),
        ({"call": lambda self, x: x.sum(), "backward": None}, ValueError, r"call must return an array \(N, ...\)"),
        ({"call": lambda self, x: "x", "backward": None}, TypeError, "call must hold real numbers, got str"),
        (
            {"call": lambda self, x: x, "backward": lambda self, dy: None},
            TypeError,
            "must hold real numbers, got NoneType",
        ),
        (
            {"call": lambda self, x: x, "compute_output_shape": lambda self, shape: (None, 7), "backward": None},
            ValueError,
            r"call must return the shape \(12, 7\), got \(12, 3\)",
        ),
    ],
)
def test_what_methods_must_return(methods: dict[str, Any], kind: type[Exception], message: str) -> None:
    whole = {**methods, "backward": methods["backward"] or (lambda self, dy: dy), "__module__": "user"}
    own = type("Own", (Layer,), whole)
    with pytest.raises(kind, match=message):
        model = st.Sequential([Input((4,)), Dense(3), own()], seed=0)
        model.forward(data(12, 4), training=True)
        model.backward(np.zeros((12, *model.output_shape[1:]), np.float32))


def test_weights_must_have_gradients_and_values() -> None:
    class Careless(Linear):
        def backward(self, dy: Any, x: Any) -> Any:
            return dy @ self.w.T

    model = st.Sequential([Input((4,)), Careless(3)], seed=0)
    model.compile("sgd", "mse")
    with pytest.raises(TypeError, match=r"backward must return .* a dict with kernel, bias; got ndarray"):
        model.train_on_batch(data(12, 4), Y)
    with pytest.raises(RuntimeError, match="has values within call and backward"):
        np.asarray(model.layers[0].w)
    assert model.layers[0].weights[0].numpy().shape == (4, 3) and model.layers[0].get_weights()[1].shape == (3,)
    with pytest.raises(TypeError, match="the core knows the weights of Dense"):
        Dense(3).add_weight(shape=(3,))


def test_classes_that_are_refused() -> None:
    for methods in ({}, {"backward": lambda self, dy: dy}):
        with pytest.raises(TypeError, match=r"must define call\(self, x\): on symbols, .*, with backward\(self, dy\)"):
            type("Own", (Layer,), {**methods, "__module__": "user"})
    with pytest.raises(TypeError, match="has the name of a built-in layer"):
        type("Dense", (Twice,), {"__module__": "user"})
    with pytest.raises(TypeError, match=r"Own.call would never be called"):
        type("Own", (Dense,), {"call": lambda self, x: x, "__module__": "user"})

    class Silent(Twice):
        def __init__(self) -> None:
            pass

    with pytest.raises(RuntimeError, match=r"Silent.__init__ must call super\(\).__init__\(\) first"):
        Silent()(Input((3,)))
    with pytest.raises(TypeError, match="takes name, trainable and the like, got 'rate'"):
        Twice(rate=3)


def test_nothing_is_kept_alive() -> None:
    model = st.Sequential([Input((8, 8, 2)), Twice(), Flatten(), Linear(3)], seed=0)
    model.compile("adam", losses.FunctionLoss(lambda t, p: (np.abs(p - t), np.sign(p - t))))
    model.fit(X, Y, verbose=0)
    layer, core = weakref.ref(model.layers[0]), weakref.ref(model)
    del model
    gc.collect()
    assert layer() is None and core() is None


def test_the_same_bits_on_any_number_of_threads() -> None:
    results, before = [], st.get_num_threads()
    for threads in (1, 2, 4):
        st.set_num_threads(threads)
        model = branched(True)
        model.fit(X, Y, batch_size=5, epochs=2, verbose=0)
        results.append(model.get_weights())
    st.set_num_threads(before)
    for other in results[1:]:
        assert all(a.tobytes() == b.tobytes() for a, b in zip(results[0], other, strict=True))
