"""Ordinary lines of scripts written for Keras: they run, and compute what Keras computes."""

from __future__ import annotations

import copy
import json
import pickle
import warnings
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import _switches, activations, backend, layers, metrics, models, utils
from striate.layers import Average, BatchNormalization, Conv2D, Dense, Dropout, Flatten, Input, LeakyReLU, Rescaling


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def regression(metrics: Any = None, seed: int = 0) -> st.Sequential:
    model = st.Sequential([Input((4,)), Dense(3, activation="tanh"), Dense(1)], seed=seed)
    model.compile(st.optimizers.SGD(0.1), "mse", metrics=metrics)
    return model


# Layers and symbols


@pytest.mark.parametrize(
    ("first", "shape"),
    [
        (lambda: Conv2D(4, 3, input_shape=(9, 8, 2)), (9, 8, 2)),
        (lambda: Flatten(input_shape=[5, 6]), (5, 6)),
        (lambda: Dense(4, input_dim=5), (5,)),
        (lambda: Dense(4, batch_input_shape=(None, 7)), (7,)),
        (lambda: Dense(4, batch_shape=(32, 7), batch_size=32, dtype="float32"), (7,)),
        (lambda: layers.InputLayer(input_shape=(3, 4)), (3, 4)),
        (lambda: Input(batch_shape=(None, 8, 8, 1)), (8, 8, 1)),
        (lambda: Input(shape=(6,), sparse=False, dtype=np.dtype(np.float32)), (6,)),
    ],
)
def test_shapes_of_the_input_where_keras_takes_them(first: Any, shape: tuple[int, ...]) -> None:
    model = st.Sequential([first(), Flatten(), Dense(2)])
    assert model.built and model.input_shape == (None, *shape)
    later = st.Sequential([Input((10,)), Dense(10)])
    later.add(Dense(3, input_dim=99))  # of a later layer, Keras ignores it
    assert later.output_shape == (None, 3)


def test_arguments_that_all_layers_have() -> None:
    assert layers.ReLU(trainable=False).trainable is False
    frozen = st.Sequential([Dense(3, trainable=False, autocast=True, kernel_regularizer=None, input_dim=2)])
    assert frozen.trainable_weights == [] and len(frozen.non_trainable_weights) == 2
    np.testing.assert_allclose(
        st.Sequential([LeakyReLU(alpha=0.1, input_shape=(2,))]).predict(np.float32([[-2, 3]])), [[-0.2, 3]]
    )
    with pytest.raises(TypeError, match="'unit'"):
        Dense(3, unit=4)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="LeakyReLU has negative_slope"):
        layers.ReLU(alpha=0.1)  # type: ignore[call-arg]

    class Wide(Dense):
        def __init__(self, **more: Any) -> None:
            super().__init__(7, **more)

    assert st.Sequential([Wide(input_shape=(2,), name="wide")]).count_params() == 21


CHANNELS = np.array([0.5, -1.0, 2.0])
ARITHMETIC = [
    lambda x: x / 255.0,
    lambda x: x - 1,
    lambda x: 2 * x,
    lambda x: 1 - x,
    lambda x: 1 + x,
    lambda x: -x,
    lambda x: +x,
    lambda x: x**2,
    lambda x: x**3,
    lambda x: x - CHANNELS,
    lambda x: CHANNELS * x,
    lambda x: CHANNELS - x,
    lambda x: x / CHANNELS.astype(np.float32),
    lambda x: (x - x * x) * x + np.float32(0.5),
    lambda x: sum([x, x, x]),
]


@pytest.mark.parametrize("compute", ARITHMETIC)
def test_arithmetic_of_symbols(compute: Any) -> None:
    x, values = Input((4, 5, 3)), data(2, 4, 5, 3)
    model = st.Model(x, compute(x))
    np.testing.assert_allclose(model.predict(values), compute(values.astype(np.float64)), rtol=1e-5, atol=1e-6)
    # The gradient, along one direction, against a difference in float64.
    along, out = data(2, 4, 5, 3, seed=1).astype(np.float64), data(2, 4, 5, 3, seed=2)
    model.forward(values, training=True)
    got = float((model.backward(out) * along).sum())
    ahead, behind = (compute(values.astype(np.float64) + step * along) for step in (1e-6, -1e-6))
    assert got == pytest.approx(float(((ahead - behind) * out).sum()) / 2e-6, rel=1e-4, abs=1e-3)


@pytest.mark.parametrize(
    ("compute", "kind", "message"),
    [
        (lambda x: 1 / x, TypeError, "no layer that divides by a Symbol"),
        (lambda x: x / x, TypeError, "no layer that divides a Symbol by another"),
        (lambda x: x**0.5, TypeError, "power of a Symbol must be a whole number"),
        (lambda x: x + "1", TypeError, "got str"),
        (lambda x: x + None, TypeError, "got NoneType"),
        (lambda x: x * np.ones(2), ValueError, r"got an array of shape \(2,\)"),
        (lambda x: x + np.ones((5, 3)), ValueError, "one number for each channel"),
        (lambda x: x + np.inf, ValueError, "must be finite"),
        (lambda x: x / 0, ZeroDivisionError, "division by zero"),
    ],
)
def test_arithmetic_that_there_is_no_layer_for(compute: Any, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        compute(Input((4, 5, 3)))


@pytest.mark.parametrize("shape", [(1, 1, 3), (4, 5, 1), (1, 5, 3), (4, 1, 1), (1, 1, 1)])
@pytest.mark.parametrize(("layer", "function"), [("Add", np.add), ("Subtract", np.subtract), ("Multiply", np.multiply)])
def test_axes_of_length_1_are_repeated(layer: str, function: Any, shape: tuple[int, ...]) -> None:
    whole, small = Input((4, 5, 3)), Input(shape)
    model = st.Model([whole, small], getattr(layers, layer)()([whole, small]))
    a, b = data(2, 4, 5, 3), data(2, *shape, seed=1)
    want = function(a.astype(np.float64), b)
    np.testing.assert_allclose(model.predict([a, b]), want, rtol=1e-6, atol=1e-6)
    model.forward([a, b], training=True)
    out = data(2, 4, 5, 3, seed=2)
    found = model.backward(out)[1]
    each = {"Add": out, "Subtract": -out, "Multiply": out * a.astype(np.float64)}[layer]
    axes = tuple(axis for axis in (1, 2, 3) if b.shape[axis] == 1 and a.shape[axis] != 1)
    np.testing.assert_allclose(found, each.sum(axis=axes, keepdims=True), rtol=1e-5, atol=1e-5)


def test_vectors_of_length_1_and_shapes_that_do_not_fit() -> None:
    a, b = Input((6,)), Input((1,))
    x, y = data(3, 6), data(3, 1)
    np.testing.assert_allclose(st.Model([a, b], a * b).predict([x, y]), x * y, rtol=1e-6)
    with pytest.raises(ValueError, match="shape"):
        layers.Add()([Input((4, 5, 3)), Input((4, 5, 2))])
    with pytest.raises(ValueError, match="shape"):
        layers.Add()([Input((4, 5, 3)), Input((3,))])


@pytest.mark.parametrize("shapes", [[(4, 5, 3)] * 2, [(4, 5, 3), (1, 1, 3), (4, 5, 1)], [(7,)] * 3, [(3, 4)] * 2])
@pytest.mark.parametrize("layer", [layers.Maximum, layers.Minimum])
def test_extremes(layer: Any, shapes: list[tuple[int, ...]]) -> None:
    inputs = [Input(shape) for shape in shapes]
    model = st.Model(inputs, layer(name="extreme")(inputs))
    values = [data(2, *shape, seed=seed).round(1) for seed, shape in enumerate(shapes)]  # some are equal
    pick = np.argmax if layer is layers.Maximum else np.argmin
    alike = np.stack(np.broadcast_arrays(*values))
    chosen = pick(alike, axis=0)
    np.testing.assert_array_equal(model.predict(values), np.take_along_axis(alike, chosen[None], 0)[0])
    assert model.get_layer("extreme").output_shape == (None, *max(shapes, key=np.prod))
    model.forward(values, training=True)
    out = data(*alike.shape[1:], seed=9)
    for place, found in enumerate(model.backward(out)):
        each = np.where(chosen == place, out, 0.0).astype(np.float64)
        axes = tuple(axis for axis in range(1, each.ndim) if found.shape[axis] != each.shape[axis])
        np.testing.assert_allclose(found, each.sum(axis=axes, keepdims=True), rtol=1e-5, atol=1e-6)


def test_averages() -> None:
    inputs = [Input((4, 4, 2)), Input((4, 4, 2)), Input((1, 1, 2))]
    model = st.Model(inputs, Average(name="mean")(inputs))
    values = [data(2, 4, 4, 2), data(2, 4, 4, 2, seed=1), data(2, 1, 1, 2, seed=2)]
    np.testing.assert_allclose(
        model.predict(values), sum(v.astype(np.float64) for v in values) / 3, rtol=1e-5, atol=1e-6
    )
    assert isinstance(model.get_layer("mean"), Average) and isinstance(copy.deepcopy(model), st.Model)
    assert Average.from_config(Average(name="m").get_config()).name == "m"


def test_activations_as_functions() -> None:
    x, values = Input((5,)), data(3, 5)
    for name in activations.__all__:
        if name == "get":
            continue
        function = getattr(activations, name)
        model = st.Model(x, function(x))
        want = st.Model(x, layers.Activation(name)(x)).predict(values)
        np.testing.assert_array_equal(model.predict(values), want)
        np.testing.assert_array_equal(st.Model(x, layers.Activation(function)(x)).predict(values), want)
        assert activations.get(name) is function
    assert activations.get(None) is activations.linear
    with pytest.raises(ValueError, match="did you mean 'relu'"):
        activations.get("relo")


# Weights as variables


def test_weights_as_variables() -> None:
    model = st.Sequential([Input((6, 6, 2)), Conv2D(3, 3, name="c"), BatchNormalization(), Flatten(), Dense(2)], seed=0)
    assert [w.path for w in model.weights] == list(model.state_dict())
    assert [w.name for w in model.non_trainable_weights] == ["moving_mean", "moving_variance"]
    assert len(model.trainable_weights) + 2 == len(model.weights) == len(model.variables)
    kernel = model.layers[0].kernel
    assert (kernel.name, kernel.path, kernel.shape, kernel.dtype, len(kernel)) == (
        "kernel",
        "c/kernel",
        (3, 3, 2, 3),
        "float32",
        3,
    )
    for weight, value in zip(model.weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)
        np.testing.assert_array_equal(np.asarray(weight, np.float64), value)
    kernel.assign(np.zeros(kernel.shape))
    assert not model.get_weights()[0].any()
    model.layers[0].trainable = False
    assert [w.path for w in model.trainable_weights][:1] == ["batch_normalization/gamma"] and not kernel.trainable
    assert sum(int(np.prod(w.shape)) for w in model.weights) == model.count_params()
    with pytest.raises(ValueError, match=r"expects c/kernel of shape \(3, 3, 2, 3\)"):
        kernel.assign(np.zeros(3))
    assert layers.Dense(2).weights == []
    backend.set_value(kernel, np.ones(kernel.shape))
    assert backend.get_value(kernel).sum() == kernel.numpy().size


# Architecture without weights


def branched() -> st.Model:
    x = Input((8, 8, 1), name="image")
    a = Conv2D(4, 3, padding="same", activation="relu")(x)
    return st.Model(x, Dense(3)(Flatten()(layers.Add()([a, Conv2D(4, 1)(x)]))), name="branched", seed=1)


@pytest.mark.parametrize(
    "make", [branched, lambda: st.Sequential([Input((8, 8, 1)), Conv2D(2, 3), Flatten(), Dense(3)])]
)
def test_the_architecture_alone(make: Any) -> None:
    model, x = make(), data(2, 8, 8, 1)
    model.compile("adam", "mse")
    for made in (
        type(model).from_config(model.get_config()),
        models.model_from_json(model.to_json()),
        models.clone_model(model),
        type(model).from_config(json.loads(json.dumps(model.get_config()))),
    ):
        assert type(made) is type(model) and made.name == model.name and not made.compiled
        assert [layer.name for layer in made.layers] == [layer.name for layer in model.layers]
        assert not np.array_equal(made.get_weights()[0], model.get_weights()[0])  # drawn anew
        made.set_weights(model.get_weights())
        np.testing.assert_array_equal(made.predict(x), model.predict(x))
    doubled = models.clone_model(
        model, lambda layer: Conv2D(5, 3) if layer.name == "nothing" else type(layer).from_config(layer.get_config())
    )
    assert doubled.count_params() == model.count_params()
    for text in (
        "",
        "{}",
        "[1]",
        '{"class": "Own", "config": {}}',
        '{"class": "Model", "config": {"name": "x", "architecture": {}}}',
    ):
        with pytest.raises(ValueError, match=r"not what Model\.to_json wrote"):
            models.model_from_json(text)


def test_the_architecture_before_the_input_is_known() -> None:
    model = models.Sequential([Conv2D(2, 3, activation="relu"), Flatten(), Dense(3)], name="open")
    for made in (models.Sequential.from_config(model.get_config()), models.clone_model(model)):
        made.build((None, 8, 8, 1))
        assert made.name == "open" and made.output_shape == (None, 3)
        made.build(input_shape=(None, 8, 8, 1))
        with pytest.raises(ValueError, match="built for the input shape"):
            made.build((None, 9, 9, 1))
    with pytest.raises(ValueError, match="fixed sizes"):
        model.build((None, None, None, 1))
    with pytest.raises(ValueError, match="no layer 'Convolution'"):
        models.Sequential.from_config({"name": "x", "layers": [{"class": "Convolution", "config": {}}]})


def test_a_clone_with_other_layers() -> None:
    model = st.Sequential([Input((8, 8, 1)), Conv2D(2, 3, activation="relu"), Dropout(0.5), Flatten(), Dense(3)])

    def other(layer: layers.Layer) -> layers.Layer:
        return (
            Dropout(0.1, name=layer.name) if isinstance(layer, Dropout) else type(layer).from_config(layer.get_config())
        )

    assert models.clone_model(model, other).layers[1].rate == 0.1
    with pytest.raises(TypeError, match="must return a layer, got str"):
        models.clone_model(model, lambda layer: "layer")  # type: ignore[arg-type, return-value]


# Training


def test_a_batch_with_metrics() -> None:
    x, y = data(6, 4), data(6, 1, seed=1)
    model = regression(["mae", "mse"])
    assert model.metrics_names == ["loss", "mae", "mse"]
    p = model.predict(x).astype(np.float64)
    want = [((p - y) ** 2).mean(), np.abs(p - y).mean(), ((p - y) ** 2).mean()]
    assert model.test_on_batch(x, y) == pytest.approx(want, rel=1e-5)
    assert model.test_on_batch(x, y, return_dict=True) == pytest.approx(
        dict(zip(model.metrics_names, want, strict=True))
    )
    weights = np.array([1, 2, 0, 0, 1, 3], np.float32)
    assert model.test_on_batch(x, y, weights)[0] == pytest.approx((weights[:, None] * (p - y) ** 2).mean(), rel=1e-5)
    assert model.train_on_batch(x, y) == pytest.approx(want, rel=1e-5)
    # The next batch has values of its own, and the step was made.
    after = model.predict(x[:2]).astype(np.float64)
    assert not np.allclose(after, p[:2])
    assert model.test_on_batch(x[:2], y[:2])[1] == pytest.approx(np.abs(after - y[:2]).mean(), rel=1e-5)
    assert model.optimizer.iterations == 1
    assert isinstance(regression().train_on_batch(x, y), float)
    assert list(regression().train_on_batch(x, y, return_dict=True)) == ["loss"]
    assert model.evaluate(x, y, verbose=0) == pytest.approx(model.test_on_batch(x, y))


def test_batches_train_as_fit_does() -> None:
    x, y = data(12, 4), data(12, 1, seed=1)
    ours, fitted = regression(["mae"]), regression()
    for _ in range(2):
        for first in range(0, 12, 4):
            ours.train_on_batch(x[first : first + 4], y[first : first + 4])
    fitted.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_values_of_several_outputs_have_names() -> None:
    x = Input((4,))
    model = st.Model(x, [Dense(1, name="a")(x), Dense(1, name="b")(x)])
    model.compile("sgd", ["mse", None], metrics={"b": ["mae"]})
    y = [data(5, 1, seed=1), data(5, 1, seed=2)]
    assert model.metrics_names == ["loss", "a_loss", "b_mae"]
    logs = model.evaluate(data(5, 4), y, return_dict=True, verbose=0)
    assert list(logs) == model.metrics_names
    assert model.train_on_batch(data(5, 4), y) == pytest.approx(list(logs.values()))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("AUC", metrics.AUC),
        ("Precision", metrics.Precision),
        ("MeanIoU", metrics.MeanIoU),
        ("BinaryAccuracy", metrics.BinaryAccuracy),
        ("SparseCategoricalAccuracy", metrics.SparseCategoricalAccuracy),
        ("sparse_top_k_categorical_accuracy", metrics.SparseTopKCategoricalAccuracy),
        ("TopKCategoricalAccuracy", metrics.TopKCategoricalAccuracy),
        ("RootMeanSquaredError", metrics.RootMeanSquaredError),
    ],
)
def test_metrics_by_the_names_of_their_classes(name: str, kind: type) -> None:
    made = metrics.get(name)
    assert type(made) is kind and made.name == name


def test_switches_are_said_once() -> None:
    _switches._said.clear()
    model = regression()
    with pytest.warns(UserWarning, match="compile: run_eagerly=True changes nothing: the C"):
        model.compile("sgd", "mse", run_eagerly=True)
    with pytest.warns(UserWarning, match="fit: workers=4 changes nothing"):
        model.fit(data(8, 4), data(8, 1), verbose=0, workers=4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.compile("sgd", "mse", run_eagerly=True, steps_per_execution=1, jit_compile=True, auto_scale_loss=True)
        model.fit(data(8, 4), data(8, 1), verbose=0, workers=8, use_multiprocessing=False, max_queue_size=10)
        model.evaluate(data(8, 4), data(8, 1), verbose=0, workers=8)
    with pytest.raises(TypeError, match=r"fit\(\) has no argument 'epoch'; did you mean 'epochs'"):
        model.fit(data(8, 4), data(8, 1), epoch=3)


def test_the_learning_rate_is_a_variable() -> None:
    model = regression()
    rate = model.optimizer.learning_rate
    assert rate == pytest.approx(0.1) and isinstance(rate, float) and rate.numpy() == rate
    rate.assign(0.5)
    assert model.optimizer.learning_rate == 0.5
    backend.set_value(model.optimizer.learning_rate, 0.25)
    assert backend.get_value(model.optimizer.learning_rate) == 0.25
    assert type(pickle.loads(pickle.dumps(rate))) is float and json.dumps(rate) == "0.1"
    with pytest.raises(ValueError, match="finite number"):
        rate.assign(-1)
    x, y = data(8, 4), data(8, 1, seed=1)
    before, p = model.get_weights(), model.predict(x).astype(np.float64)
    model.train_on_batch(x, y)
    np.testing.assert_allclose(model.get_weights()[3], before[3] - 0.25 * 2 * (p - y).mean(axis=0), rtol=1e-4)


def test_the_history_stays_with_the_model() -> None:
    model = regression()
    assert model.history is None
    history = model.fit(data(8, 4), data(8, 1), verbose=0, epochs=2)
    assert model.history is history and history.epoch == [0, 1] and model.compiled


# Files and utilities


@pytest.mark.parametrize("ending", [".keras", ".h5", ".hdf5", ".tf", ".pt", ".KERAS"])
def test_endings_of_other_formats(ending: str, tmp_path: Any) -> None:
    model = regression()
    for write in (model.save, model.save_weights, st.callbacks.ModelCheckpoint):
        with pytest.raises(ValueError, match=r"writes a safetensors file, not .*'best\.safetensors'"):
            write(tmp_path / f"best{ending}")
    assert list(tmp_path.iterdir()) == []


def test_modules_that_scripts_import_from(tmp_path: Any) -> None:
    from striate.models import Model, Sequential, load_model
    from striate.utils import to_categorical

    assert Model is st.Model and Sequential is st.Sequential and load_model is st.load_model
    assert to_categorical([0, 2]).tolist() == [[1, 0, 0], [0, 0, 1]]
    assert (
        backend.image_data_format() == "channels_last" and backend.epsilon() == 1e-7 and backend.floatx() == "float32"
    )
    utils.set_random_seed(7)
    first, numbers = Sequential([Dense(3, input_dim=2)]).get_weights()[0], np.random.rand(2)
    utils.clear_session()
    utils.set_random_seed(7)
    np.testing.assert_array_equal(Sequential([Dense(3, input_dim=2)]).get_weights()[0], first)
    np.testing.assert_array_equal(np.random.rand(2), numbers)
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    np.testing.assert_allclose(utils.normalize(x), [[0.6, 0.8], [0, 0]])
    pytest.importorskip("PIL")
    picture = np.random.default_rng(0).integers(0, 256, (5, 6, 3)).astype(np.uint8)
    utils.save_img(tmp_path / "p.png", picture, scale=False)
    read = utils.img_to_array(utils.load_img(tmp_path / "p.png"))
    assert read.dtype == np.float32 and np.array_equal(read, picture)
    assert utils.img_to_array(utils.load_img(tmp_path / "p.png", "grayscale", target_size=(3, 2))).shape == (3, 2, 1)
    scaled = np.asarray(utils.array_to_img(np.array([[[0.0], [0.5]], [[1.0], [0.25]]])))
    assert scaled.tolist() == [[0, 127], [255, 63]]


def test_an_ordinary_script() -> None:
    """Written as for Keras, with the imports changed."""
    (x_train, y_train), (x_test, y_test) = st.data.load_digits()
    x_train, x_test = x_train[:1200].astype("float32"), x_test[:200].astype("float32")
    y_train, y_test = utils.to_categorical(y_train[:1200], 10), utils.to_categorical(y_test[:200], 10)
    utils.set_random_seed(0)
    model = models.Sequential()
    model.add(Rescaling(1.0 / x_train.max(), input_shape=x_train.shape[1:]))
    model.add(Conv2D(16, kernel_size=(3, 3), padding="same"))
    model.add(LeakyReLU(alpha=0.1))
    model.add(layers.MaxPooling2D(pool_size=(2, 2)))
    model.add(Flatten())
    model.add(Dense(10, activation=activations.softmax))
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy", "TopKCategoricalAccuracy"])
    model.fit(x_train, y_train, batch_size=32, epochs=12, verbose=0, validation_data=(x_test, y_test))
    score = model.evaluate(x_test, y_test, verbose=0)
    assert score[1] > 0.85 and score[2] >= score[1]


def test_the_output_of_a_layer_is_that_of_its_first_call() -> None:
    x, other = Input((4,)), Input((4,))
    inner = st.Model(x, Dense(3, name="d")(x))
    layer = inner.get_layer("d")
    whole = st.Model(other, inner(other) * 2)
    assert layer.output is inner.outputs[0] and layer.input is x
    assert st.Model(inner.input, layer.output).predict(data(2, 4)).shape == (2, 3) and whole.output_shape == (None, 3)


def test_data_sets_by_their_batches() -> None:
    class Squares(utils.PyDataset):
        def __len__(self) -> int:
            return 3

        def __getitem__(self, index: int) -> Any:
            x = data(4, 4, seed=index)
            return x, (x**2).sum(axis=1, keepdims=True)

    batches = Squares(workers=2, use_multiprocessing=False, max_queue_size=4)
    model = regression()
    model.fit(batches, epochs=2, verbose=0)
    assert model.optimizer.iterations == 6 and model.predict(batches).shape == (12, 1)
    assert utils.Sequence is utils.PyDataset
    with pytest.raises(NotImplementedError, match=r"PyDataset must define __len__\(\)"):
        len(utils.PyDataset())
    with pytest.raises(NotImplementedError, match=r"must define __getitem__\(index\)"):
        utils.PyDataset()[0]
