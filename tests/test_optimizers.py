"""Every optimizer, driven by its row in optimizer_cases.py: steps, clipping, decay, schedules, frozen layers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from numeric import gradient_error, normal
from optimizer_cases import OPTIMIZER_CASES, SCHEDULE_CASES, OptimizerCase
from reference import optimizers as reference
from reference import small_network
from striate import layers, optimizers

EACH_CASE = pytest.mark.parametrize("case", OPTIMIZER_CASES, ids=lambda case: case.optimizer)
SEEDS = st.integers(0, 2**32 - 1)
STEPS = 6

Arrays = dict[str, np.ndarray]


def network(seed: int, width: int = 7) -> striate.Sequential:
    stack = [layers.Input((3,)), layers.Dense(width, activation="tanh", name="a"), layers.Dense(2, name="b")]
    return striate.Sequential(stack, seed=seed)


def batch(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return normal(rng, (5, 3)), normal(rng, (5, 2), 3.0)


def raw_gradients(model: Any, x: np.ndarray, y: np.ndarray) -> Arrays:
    """Of the mean squared error, by a pass of its own that no optimizer sees."""
    error = model.forward(x, training=True) - y
    model.backward(2 * error / error.size)
    return {name: g.astype(np.float64) for name, g in model.gradients().items()}


def follow(model: Any, ours: Any, case: OptimizerCase, args: dict[str, Any], seed: int) -> None:
    """Steps of striate's optimizer beside those of the reference, which is given striate's gradients."""
    model.compile(optimizer=ours, loss="mse")
    theirs = case.reference(**args)
    rng = np.random.default_rng(seed)
    start = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
    weights = dict(start)
    path = dict.fromkeys(start, 0.0)
    largest = {name: 1e-3 + float(np.linalg.norm(w)) for name, w in start.items()}
    for step in range(1, STEPS + 1):
        x, y = batch(rng)
        before, weights = weights, theirs.apply(weights, raw_gradients(model, x, y))
        model.train_on_batch(x, y)
        for name, got in model.state_dict().items():
            path[name] += float(np.linalg.norm(weights[name] - before[name]))
            largest[name] = max(largest[name], float(np.linalg.norm(weights[name])))
            rounding = 2e-7 * step * largest[name]
            error = (got - weights[name])[theirs.decided(name, got)]
            assert error.size >= 0.9 * got.size - 1
            assert np.linalg.norm(error) <= 1e-4 * path[name] + rounding, (name, step)
    assert min(path.values()) > 0


@EACH_CASE
@given(data=st.data())
def test_steps(case: OptimizerCase, data: st.DataObject) -> None:
    args, seed = data.draw(case.args), data.draw(SEEDS)
    follow(network(seed), getattr(optimizers, case.optimizer)(**args), case, args, seed)


@EACH_CASE
def test_defaults(case: OptimizerCase) -> None:
    follow(network(1), getattr(optimizers, case.optimizer)(), case, {}, 1)
    follow(network(2), case.optimizer.lower(), case, {}, 2)


@EACH_CASE
@given(data=st.data())
def test_learning_rate_by_schedule(case: OptimizerCase, data: st.DataObject) -> None:
    schedule = data.draw(st.sampled_from(SCHEDULE_CASES))
    rate, args = data.draw(schedule.args), data.draw(case.args)
    # Steps of a schedule for a few steps of training.
    rate = {**rate, **{key: 3 for key in ("decay_steps", "first_decay_steps", "warmup_steps") if key in rate}}
    ours = getattr(striate.optimizers.schedules, schedule.schedule)(**rate)
    optimizer = getattr(optimizers, case.optimizer)(**{**args, "learning_rate": ours})
    stepper = case.reference(**{**args, "learning_rate": lambda step: schedule.reference(step, **rate)})
    model = network(5)
    model.compile(optimizer=optimizer, loss="mse")
    rng = np.random.default_rng(6)
    for step in range(STEPS):
        assert optimizer.iterations == step
        assert optimizer.learning_rate == pytest.approx(schedule.reference(step, **rate), rel=1e-6, abs=1e-12)
        x, y = batch(rng)
        # From striate's own weights each time: a rate of 1 would blow a difference up.
        before = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
        weights = stepper.apply(before, raw_gradients(model, x, y))
        model.train_on_batch(x, y)
        for name, got in model.state_dict().items():
            moved = float(np.linalg.norm(weights[name] - before[name]))
            assert np.linalg.norm(got - weights[name]) <= 2e-4 * moved + 3e-7 * (np.linalg.norm(before[name]) + 1e-3)


def test_learning_rate_can_be_set() -> None:
    model = network(1)
    model.compile(optimizer=optimizers.SGD(0.1), loss="mse")
    x, y = batch(np.random.default_rng(0))
    for rate in (0.1, 0.025, 0.0):
        model.optimizer.learning_rate = rate
        assert model.optimizer.learning_rate == rate
        before, gradients = model.state_dict(), raw_gradients(model, x, y)
        model.train_on_batch(x, y)
        for name, after in model.state_dict().items():
            np.testing.assert_allclose(after, before[name] - rate * gradients[name], rtol=1e-6, atol=1e-7)


@EACH_CASE
@pytest.mark.parametrize("clipping", [{}, {"clipnorm": 0.1}, {"global_clipnorm": 0.1}])
def test_frozen_layers_stay(case: OptimizerCase, clipping: dict[str, float]) -> None:
    model = network(3)
    frozen = model.get_layer("a")
    frozen.trainable = False
    args = {"learning_rate": 0.01, "weight_decay": 0.1, **clipping}
    model.compile(optimizer=getattr(optimizers, case.optimizer)(**args), loss="mse")
    x, y = batch(np.random.default_rng(0))
    before = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
    gradients = {n: g for n, g in raw_gradients(model, x, y).items() if n.startswith("b/")}
    want = {**before, **case.reference(**args).apply(before, gradients)}
    model.train_on_batch(x, y)
    for name, after in model.state_dict().items():
        if name.startswith("a/"):
            assert np.array_equal(after, before[name]), name
        else:
            np.testing.assert_allclose(after, want[name], rtol=2e-5, atol=1e-6)


def test_decay_leaves_moving_averages_alone() -> None:
    stack = [layers.Input((3,)), layers.BatchNormalization(momentum=0.9, name="norm"), layers.Dense(2)]
    model = striate.Sequential(stack, seed=0)
    model.compile(optimizer=optimizers.SGD(0.1, weight_decay=5.0), loss="mse")
    x, y = batch(np.random.default_rng(0))
    model.train_on_batch(x, y)
    state = model.state_dict()
    np.testing.assert_allclose(state["norm/moving_mean"], 0.1 * x.mean(axis=0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(state["norm/moving_variance"], 0.9 + 0.1 * x.var(axis=0), rtol=1e-5)


@EACH_CASE
def test_threads_give_the_same_bits(case: OptimizerCase) -> None:
    before = striate.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 4, 8):
            striate.set_num_threads(threads)
            model = striate.Sequential([layers.Input((301,)), layers.Dense(407), layers.Dense(3)], seed=1)
            model.compile(optimizer=getattr(optimizers, case.optimizer)(0.01, global_clipnorm=0.1), loss="mse")
            rng = np.random.default_rng(1)
            for _ in range(3):
                model.train_on_batch(normal(rng, (9, 301)), normal(rng, (9, 3)))
            results.append([w.tobytes() for w in model.get_weights()])
    finally:
        striate.set_num_threads(before)
    assert all(result == results[0] for result in results[1:])


@EACH_CASE
@given(data=st.data())
def test_config_makes_an_equal_optimizer(case: OptimizerCase, data: st.DataObject) -> None:
    optimizer = getattr(optimizers, case.optimizer)(**data.draw(case.args))
    again = type(optimizer).from_config(optimizer.get_config())
    assert again.get_config() == optimizer.get_config()


def test_each_optimizer_has_a_row() -> None:
    assert {case.optimizer for case in OPTIMIZER_CASES} == set(striate._core.optimizer_types())


# Twenty steps of Adam on a small network of convolution, pooling and dense layer


def small_model() -> striate.Sequential:
    return striate.Sequential(
        [
            layers.Input((9, 9, 2)),
            layers.Conv2D(5, 3, activation="relu", name="conv"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(4, name="dense"),
        ],
        seed=7,
    )


def small_batches() -> list[tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(8)
    return [(normal(rng, (16, 9, 9, 2)), rng.integers(0, 4, 16)) for _ in range(20)]


def train_small(epsilon: float) -> tuple[Arrays, list[float], Arrays]:
    model = small_model()
    start = {name: w.astype(np.float64) for name, w in model.state_dict().items()}
    loss = striate.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizers.Adam(1e-2, epsilon=epsilon), loss=loss)
    losses = [model.train_on_batch(x, y) for x, y in small_batches()]
    return start, losses, model.state_dict()


def assert_followed(start: Arrays, got: Arrays, want: Arrays) -> None:
    assert set(got) == set(want)
    for name, w in want.items():
        assert np.linalg.norm(got[name] - w) <= 1e-4 * np.linalg.norm(w), name
        assert np.linalg.norm(w - start[name]) > 0.05, name


def test_small_network_reference() -> None:
    rng = np.random.default_rng(0)
    shapes = {"conv/kernel": (3, 3, 2, 3), "conv/bias": (3,), "dense/kernel": (27, 4), "dense/bias": (4,)}
    weights = {name: 0.3 * rng.standard_normal(shape) for name, shape in shapes.items()}
    x, labels = rng.standard_normal((5, 9, 9, 2)), rng.integers(0, 4, 5)
    for name, g in small_network.loss_and_gradients(weights, x, labels)[1].items():

        def f(w: np.ndarray, name: str = name) -> float:
            return small_network.loss({**weights, name: w}, x, labels)

        assert gradient_error(g, f, weights[name], rng) < 1e-6, name


def test_adam_follows_the_reference() -> None:
    start, losses, got = train_small(epsilon=1e-7)
    adam, weights = reference.Adam(1e-2), dict(start)
    for (x, y), loss in zip(small_batches(), losses, strict=True):
        want, gradients = small_network.loss_and_gradients(weights, x.astype(np.float64), y)
        assert loss == pytest.approx(want, rel=1e-4)
        weights = adam.apply(weights, gradients)
    assert_followed(start, got, weights)


def test_adam_follows_pytorch() -> None:
    torch = pytest.importorskip("torch")
    # PyTorch adds epsilon after the bias correction, Keras before: small enough, it makes no difference.
    start, losses, got = train_small(epsilon=1e-12)
    tensors = {name: torch.tensor(w, requires_grad=True) for name, w in start.items()}
    adam = torch.optim.Adam(tensors.values(), lr=1e-2, eps=1e-12)
    for (x, y), loss in zip(small_batches(), losses, strict=True):
        kernel = tensors["conv/kernel"].permute(3, 2, 0, 1)
        image = torch.tensor(x, dtype=torch.float64).permute(0, 3, 1, 2)
        z = torch.nn.functional.conv2d(image, kernel, tensors["conv/bias"])
        pooled = torch.nn.functional.max_pool2d(torch.relu(z), 2).permute(0, 2, 3, 1)
        logits = pooled.flatten(1) @ tensors["dense/kernel"] + tensors["dense/bias"]
        value = torch.nn.functional.cross_entropy(logits, torch.tensor(y))
        assert loss == pytest.approx(value.item(), rel=1e-4)
        adam.zero_grad()
        value.backward()
        adam.step()
    assert_followed(start, got, {name: t.detach().numpy() for name, t in tensors.items()})
