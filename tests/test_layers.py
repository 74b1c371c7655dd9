"""Every layer, driven by its row in layer_cases.py: values, gradients, shapes, threads, files, configs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from layer_cases import CASES
from layer_setups import Arrays, LayerCase, Setup
from numeric import feed, gradient_error, integers, normal, numeric_gradient, relative_error
from reference.batch_normalization import moving_statistics
from striate import layers

EACH_CASE = pytest.mark.parametrize("case", CASES, ids=lambda case: case.layer)
EACH_LARGE = pytest.mark.parametrize(
    "case, setup",
    [pytest.param(c, s, id=f"{c.layer}-{i}") for c in CASES for i, s in enumerate(c.large)],
)
SEEDS = st.integers(0, 2**32 - 1)
THREADS = (1, 2, 3, 4, 8)


class Probe:
    """A model of one layer, with the weights of `feed`."""

    def __init__(self, case: LayerCase, setup: Setup, weights: Arrays) -> None:
        self.case, self.setup = case, setup
        self.layer: layers.Layer = getattr(layers, case.layer)(**setup.args)
        if len(setup.shapes) == 1:
            self.model: Any = striate.Sequential([layers.Input(setup.shapes[0]), self.layer], seed=1)
        else:
            inputs = [layers.Input(shape) for shape in setup.shapes]
            self.model = striate.Model(inputs, self.layer(inputs), seed=1)
        self.load(weights)

    def load(self, weights: Arrays) -> None:
        state = {f"{self.layer.name}/{name}": value for name, value in weights.items()}
        assert set(self.model.state_dict()) == set(state)
        self.model.load_state_dict(state)

    def forward(self, inputs: list[np.ndarray], training: bool = False) -> np.ndarray:
        return self.model.forward(inputs if len(inputs) > 1 else inputs[0], training=training)

    def backward(self, cotangent: np.ndarray) -> list[np.ndarray]:
        result = self.model.backward(cotangent)
        return result if isinstance(result, list) else [result]

    def gradients(self) -> Arrays:
        return {name.rpartition("/")[2]: g for name, g in self.model.gradients().items()}


@pytest.fixture
def threads() -> Any:
    """Sets the number of threads, and puts it back."""
    before = striate.get_num_threads()
    yield striate.set_num_threads
    striate.set_num_threads(before)


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def loss_of(
    probe: Probe, inputs: list[np.ndarray], weights: Arrays, cotangent: np.ndarray, training: bool, at: int | str
) -> Callable[[np.ndarray], float]:
    """The sum of outputs times `cotangent` as a function of one input (by number) or of one weight (by name)."""
    weights64 = {name: w.astype(np.float64) for name, w in weights.items()}

    def loss(value: np.ndarray) -> float:
        x, w = list(inputs), dict(weights64)
        if isinstance(at, int):
            x[at] = value
        else:
            w[at] = value
        return float(np.sum(cotangent * probe.case.value(x, w, probe.setup.args, training)))

    return loss


def check_gradients(probe: Probe, inputs: list[np.ndarray], weights: Arrays, training: bool, seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = probe.forward(inputs, training)
    cotangent = normal(rng, y.shape)
    got: dict[int | str, np.ndarray] = dict(enumerate(probe.backward(cotangent)))
    trainable = {name for name in weights if not name.startswith("moving_")}
    gradients = probe.gradients()
    assert set(gradients) == trainable
    got.update(gradients)
    assert len(got) == len(inputs) + len(trainable)
    # A normalisation of few values whose deviation is small has derivatives that are larger than its values.
    bound = max(1e-4, 6 * probe.case.tolerance)
    for at, gradient in got.items():
        value = inputs[at] if isinstance(at, int) else weights[at]
        f = loss_of(probe, inputs, weights, cotangent, training, at)
        error = gradient_error(gradient, f, value, rng, floor=probe.case.floor * float(np.linalg.norm(cotangent)))
        if error > bound and value.size <= 4000:
            difference = gradient - numeric_gradient(f, value)
            place = np.unravel_index(np.abs(difference).argmax(), difference.shape)
            raise AssertionError(
                f"{probe.case.layer}: gradient of {at!r} is wrong by {error:.1e}, most at {tuple(map(int, place))}: "
                f"{gradient[place]} should be {gradient[place] - difference[place]}"
            )
        assert error <= bound, (probe.case.layer, at)


def test_each_layer_has_a_row() -> None:
    assert {case.layer for case in CASES} == set(striate._core.layer_types()) - {"InputLayer"}


@EACH_CASE
@given(data=st.data())
def test_values_and_shapes(case: LayerCase, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    inputs, weights = feed(case, setup, data.draw(SEEDS))
    probe = Probe(case, setup, weights)
    assert probe.model.count_params() == sum(w.size for w in weights.values())
    weights64 = {name: w.astype(np.float64) for name, w in weights.items()}
    for training in case.modes:
        probe.load(weights)
        want = case.value(inputs, weights64, setup.args, training)
        got = probe.forward(inputs, training)
        assert got.dtype == np.float32
        assert relative_error(got, want, case.floor) <= case.tolerance
    assert probe.model.output_shape == (None, *want.shape[1:])
    assert probe.layer.output_shape == (None, *want.shape[1:])
    assert tuple(probe.layer._core.infer([list(s) for s in setup.shapes])) == want.shape[1:]
    probe.load(weights)
    want = case.value(inputs, weights64, setup.args)
    got = probe.model.predict(inputs if len(inputs) > 1 else inputs[0], batch_size=2)
    assert relative_error(got, want, case.floor) <= case.tolerance


@EACH_CASE
@given(data=st.data())
def test_gradients(case: LayerCase, data: st.DataObject) -> None:
    setup, seed = data.draw(case.setups), data.draw(SEEDS)
    inputs, weights = feed(case, setup, seed)
    probe = Probe(case, setup, weights)
    for training in case.modes:
        probe.load(weights)
        check_gradients(probe, inputs, weights, training, seed)


@EACH_LARGE
def test_large_maps(case: LayerCase, setup: Setup) -> None:
    # One direction of one sum is enough here: small maps are looked at closely above.
    inputs, weights = feed(case, Setup(setup.args, setup.shapes, 2), seed=1)
    probe = Probe(case, setup, weights)
    for training in case.modes:
        want = case.value(inputs, {name: w.astype(np.float64) for name, w in weights.items()}, setup.args, training)
        assert relative_error(probe.forward(inputs, training), want, case.floor) <= case.tolerance


@pytest.mark.parametrize("case", [case for case in CASES if case.exact], ids=lambda case: case.layer)
@given(data=st.data())
def test_whole_numbers_are_exact(case: LayerCase, data: st.DataObject) -> None:
    drawn = data.draw(case.setups)
    setup = Setup({**drawn.args, "activation": None}, drawn.shapes, drawn.batch)
    inputs, weights = integers(case, setup, data.draw(SEEDS))
    probe = Probe(case, setup, weights)
    weights64 = {name: w.astype(np.float64) for name, w in weights.items()}
    want = case.value(inputs, weights64, setup.args)
    got = probe.forward(inputs)
    assert np.array_equal(got, want)
    # The layer is linear in each of its arguments, so that a difference is the slope: whole numbers here too.
    rng = np.random.default_rng(data.draw(SEEDS))
    cotangent = rng.integers(-2, 3, got.shape).astype(np.float32)
    slopes: dict[int | str, np.ndarray] = dict(enumerate(probe.backward(cotangent)))
    slopes.update(probe.gradients())
    for at, slope in slopes.items():
        value = inputs[at] if isinstance(at, int) else weights[at]
        f = loss_of(probe, inputs, weights, cotangent, False, at)
        step = rng.integers(-8, 9, value.shape).astype(np.float64)
        assert float(np.sum(slope * step)) == f(value + step) - f(value.astype(np.float64)), at


@EACH_LARGE
def test_threads_give_the_same_bits(case: LayerCase, setup: Setup, threads: Callable[[int], None]) -> None:
    inputs, weights = feed(case, setup, seed=2)
    results: list[list[np.ndarray]] = []
    for count in THREADS:
        threads(count)
        outcome = []
        for training in (False, True):
            probe = Probe(case, setup, weights)
            y = probe.forward(inputs, training)
            g = probe.backward(normal(np.random.default_rng(3), y.shape))
            outcome += [y, *g, *probe.gradients().values(), *probe.model.state_dict().values()]
        results.append(outcome)
    for count, result in zip(THREADS[1:], results[1:], strict=True):
        same = [same_bits(a, b) for a, b in zip(results[0], result, strict=True)]
        assert all(same), f"{count} threads differ from one in {same}"


@EACH_CASE
@given(data=st.data())
def test_saved_and_loaded(case: LayerCase, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    inputs, weights = feed(case, setup, data.draw(SEEDS))
    probe = Probe(case, setup, weights)
    path: Path = tmp_path_factory.mktemp("model") / "m.safetensors"
    probe.model.save(path)
    loaded = striate.load_model(path)
    state = probe.model.state_dict()
    assert list(loaded.state_dict()) == list(state)
    assert all(same_bits(value, state[name]) for name, value in loaded.state_dict().items())
    x = inputs if len(inputs) > 1 else inputs[0]
    assert same_bits(loaded.predict(x), probe.model.predict(x))


@EACH_CASE
@given(data=st.data())
def test_config_makes_an_equal_layer(case: LayerCase, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    inputs, weights = feed(case, setup, data.draw(SEEDS))
    cls = getattr(layers, case.layer)
    config = cls(**setup.args, name="this_one").get_config()
    again = cls.from_config(config)
    assert type(again) is cls and again.name == "this_one"
    assert again.get_config() == config
    rebuilt = Probe(case, Setup(config, setup.shapes, setup.batch), weights)
    assert same_bits(rebuilt.forward(inputs), Probe(case, setup, weights).forward(inputs))


@EACH_CASE
@given(data=st.data())
def test_gradient_reaches_the_layer_before(case: LayerCase, data: st.DataObject) -> None:
    # A training step does not ask for the gradient of the model's input; that of an earlier layer's weights needs this
    # layer's. The earlier one is a fixed scale and shift, on every input.
    setup, seed = data.draw(case.setups), data.draw(SEEDS)
    inputs, weights = feed(case, setup, seed)
    probe = Probe(case, setup, weights)
    y = probe.forward(inputs)
    cotangent = normal(np.random.default_rng(seed), y.shape)
    slopes = probe.backward(cotangent)

    starts = [layers.Input(shape) for shape in setup.shapes]
    unit = {"epsilon": 1e-3, "moving_variance_initializer": "constant(0.999)"}
    scales = [layers.BatchNormalization(name=f"scale_{i}", **unit) for i in range(len(starts))]
    scaled = [scale(start) for scale, start in zip(scales, starts, strict=True)]
    layer = getattr(layers, case.layer)(**setup.args, name="layer")
    model = striate.Model(starts, layer(scaled if len(scaled) > 1 else scaled[0]), seed=1)
    model.load_state_dict({**model.state_dict(), **{f"layer/{name}": w for name, w in weights.items()}})
    assert relative_error(model.forward(inputs), y, case.floor) <= case.tolerance
    model.backward(cotangent)
    gradients = model.gradients()
    for i, (x, slope) in enumerate(zip(inputs, slopes, strict=True)):
        axes = tuple(range(x.ndim - 1))
        each = np.abs(slope).sum(axis=axes) + 1e-3
        for name, want in (("beta", slope.sum(axis=axes)), ("gamma", (slope * x).sum(axis=axes))):
            size = each if name == "beta" else (np.abs(slope * x).sum(axis=axes) + 1e-3)
            assert (np.abs(gradients[f"scale_{i}/{name}"] - want) <= 1e-4 * size).all(), name


@given(
    setup=st.builds(
        lambda shape, batch, momentum, unbiased: Setup(
            {"momentum": momentum, "unbiased_variance": unbiased}, (shape,), batch
        ),
        st.sampled_from([(3, 5, 7), (1, 1, 17), (5,), (4, 33)]),
        st.integers(1, 4),
        st.sampled_from((0.99, 0.9, 0.0)),
        st.booleans(),
    ),
    seed=SEEDS,
)
def test_moving_statistics(setup: Setup, seed: int) -> None:
    case = next(case for case in CASES if case.layer == "BatchNormalization")
    inputs, weights = feed(case, setup, seed)
    probe = Probe(case, setup, weights)
    state = {name: w.astype(np.float64) for name, w in weights.items()}
    for step in range(3):
        x = inputs[0] * (step + 1)
        moving = state["moving_mean"], state["moving_variance"]
        state.update(moving_statistics(x, *moving, setup.args["momentum"], setup.args["unbiased_variance"]))
        probe.forward([x], training=True)
    for name, got in probe.model.state_dict().items():
        np.testing.assert_allclose(got, state[name.rpartition("/")[2]], rtol=2e-5, atol=1e-5)
    probe.forward(inputs, training=False)
    for name, got in probe.model.state_dict().items():
        np.testing.assert_allclose(got, state[name.rpartition("/")[2]], rtol=2e-5, atol=1e-5)


PASS_NAN = [
    ("ReLU", {}),
    ("ReLU", {"max_value": 1.0}),
    ("LeakyReLU", {}),
    ("PReLU", {}),
    ("ELU", {}),
    *[
        ("Activation", {"activation": name})
        for name in ("relu", "relu6", "leaky_relu", "hard_sigmoid", "sigmoid", "tanh")
    ],
    *[("Activation", {"activation": name}) for name in ("hard_swish", "gelu", "silu", "softplus", "elu", "linear")],
]


@pytest.mark.parametrize("name, args", PASS_NAN)
def test_nan_passes_through_activations(name: str, args: dict[str, Any]) -> None:
    x = normal(np.random.default_rng(0), (2, 3, 5, 19))
    places = np.zeros(x.shape, bool)
    places[0, 0, 0, 0] = places[1, 2, 4, 18] = places[1, 1, 2, 7] = True
    x[places] = np.nan
    model = striate.Sequential([layers.Input(x.shape[1:]), getattr(layers, name)(**args)])
    assert np.array_equal(np.isnan(model.predict(x)), places)


@pytest.mark.parametrize("name", ["MaxPooling2D", "GlobalMaxPooling2D", "AveragePooling2D"])
@pytest.mark.parametrize("at", [0, 1, 2, 3])
def test_nan_wins_in_pools(name: str, at: int) -> None:
    x = normal(np.random.default_rng(0), (2, 2, 2, 19))
    x[1, at // 2, at % 2, ::3] = np.nan
    model = striate.Sequential([layers.Input(x.shape[1:]), getattr(layers, name)()])
    y = model.predict(x).reshape(2, 19)
    assert np.isnan(y[1, ::3]).all()
    assert np.isnan(y).sum() == 7


def test_infinities_pass() -> None:
    x = np.array([[np.inf, -np.inf, 1.0, -1.0]], np.float32)
    for name, want in (("relu", [np.inf, 0, 1, 0]), ("relu6", [6, 0, 1, 0]), ("linear", x[0]), ("hard_sigmoid", None)):
        y = striate.Sequential([layers.Input((4,)), layers.Activation(name)]).predict(x)
        if want is not None:
            assert np.array_equal(y[0], np.asarray(want, np.float32))
    for name, limits in (("sigmoid", (1, 0)), ("tanh", (1, -1)), ("hard_sigmoid", (1, 0)), ("softplus", (np.inf, 0))):
        y = striate.Sequential([layers.Input((4,)), layers.Activation(name)]).predict(x)
        assert tuple(y[0, :2]) == limits, name


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "silu", "gelu", "elu", "softmax"])
def test_activations_over_their_whole_range(name: str) -> None:
    from reference.activations import ACTIVATIONS

    x = np.linspace(-120, 120, 4801, dtype=np.float32)[:, None] * np.array([1.0, 0.01], np.float32)
    y = striate.Sequential([layers.Input((2,)), layers.Activation(name)]).predict(x, batch_size=len(x))
    want = ACTIVATIONS[name](x.astype(np.float64))
    np.testing.assert_allclose(y, want, rtol=3e-6, atol=1e-7)


def test_bytes_are_read_as_numbers() -> None:
    x = np.random.default_rng(0).integers(0, 256, (3, 5, 7, 3), dtype=np.uint8)
    model = striate.Sequential([layers.Input((5, 7, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3)], seed=0)
    assert same_bits(model.predict(x), model.predict(x.astype(np.float32)))
