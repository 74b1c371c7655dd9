"""Every loss, driven by its row in loss_cases.py: value, gradient, weights, joint form with an activation."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import striate
from loss_cases import LOSS_CASES, LossCase, LossSetup
from numeric import AWAY, gradient_error, normal
from reference.activations import ACTIVATIONS
from striate import layers, losses

EACH_CASE = pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
SEEDS = st.integers(0, 2**32 - 1)


def make(case: LossCase, args: dict[str, Any]) -> losses.Loss:
    return case.make(args)


def has_overlap(case: LossCase) -> bool:
    """Whether it has sums over whole masks."""
    return case.overlap or any(term.overlap for term in case.terms)


def feed(case: LossCase, setup: LossSetup, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Targets and predictions, away from corners."""
    for attempt in range(100):
        rng = np.random.default_rng([seed, attempt])
        y, p = case.draw_targets(setup, rng), case.draw_predictions(setup, rng)
        if case.corner(y, p, setup.args) > AWAY:
            return y, p
    raise AssertionError("no targets and predictions away from corners")


def weights_of(y: np.ndarray, per_pixel: bool, rng: np.random.Generator) -> np.ndarray:
    """Sample weights, some of them zero."""
    shape = y.shape if per_pixel else y.shape[:1]
    return (rng.integers(0, 4, shape) * rng.uniform(0.5, 1.5, shape)).astype(np.float32)


class Probe:
    """A network whose outputs are one weight: fed with unit vectors, it gives the predictions, and their gradient."""

    def __init__(self, loss: losses.Loss, predictions: np.ndarray, activation: str | None = None) -> None:
        self.shape = predictions.shape
        self.x = np.eye(self.shape[0], dtype=np.float32)
        stack = [
            layers.Input((self.shape[0],)),
            layers.Dense(int(np.prod(self.shape[1:])), use_bias=False, name="predictions"),
            layers.Reshape(self.shape[1:]),
        ]
        if activation:
            stack.append(layers.Activation(activation))
        self.model = striate.Sequential(stack, seed=0)
        self.model.set_weights([predictions.reshape(self.shape[0], -1)])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "compile: the output")  # the weights are probabilities
            self.model.compile(optimizer=striate.optimizers.SGD(learning_rate=0.0), loss=loss)

    def value(self, y: np.ndarray, weight: np.ndarray | None = None) -> float:
        return self.model.test_on_batch(self.x, y, sample_weight=weight)

    def gradient(self, y: np.ndarray, weight: np.ndarray | None = None) -> tuple[float, np.ndarray]:
        value = self.model.train_on_batch(self.x, y, sample_weight=weight)
        return value, self.model.gradients()["predictions/kernel"].reshape(self.shape)


@EACH_CASE
@given(data=st.data())
def test_values(case: LossCase, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    y, p = feed(case, setup, data.draw(SEEDS))
    want = case.value(y, p, setup.args)
    got = make(case, setup.args)(y, p)
    assert isinstance(got, float)
    assert got == pytest.approx(want, rel=1e-5, abs=1e-6)


def floor(case: LossCase) -> float:
    """A gradient that is smaller counts as one of this norm. Those of overlaps are differences of terms of about 0.1,
    whose rounding in float32 is 6e-9, where both parts of the ratio grow alike.
    """
    return 6e-5 if has_overlap(case) else 1e-6


@EACH_CASE
@given(data=st.data())
def test_gradients(case: LossCase, data: st.DataObject) -> None:
    setup, seed = data.draw(case.setups), data.draw(SEEDS)
    y, p = feed(case, setup, seed)
    probe = Probe(make(case, setup.args), p)
    value, gradient = probe.gradient(y)
    assert value == pytest.approx(case.value(y, p, setup.args), rel=1e-5, abs=1e-6)
    assert probe.value(y) == pytest.approx(value, rel=1e-6, abs=1e-7)
    rng = np.random.default_rng(seed)
    assert gradient_error(gradient, lambda q: case.value(y, q, setup.args), p, rng, floor=floor(case)) <= 1e-4


@EACH_CASE
@given(data=st.data())
def test_sample_weights(case: LossCase, data: st.DataObject) -> None:
    setup, seed = data.draw(case.setups), data.draw(SEEDS)
    if has_overlap(case):
        setup = LossSetup({**setup.args, "axis": (1, 2, 3)}, setup.shape)
    y, p = feed(case, setup, seed)
    rng = np.random.default_rng(seed)
    pixels = y if case.targets == "labels" else y[..., 0]
    per_pixel = case.per_image is None and data.draw(st.booleans())
    weight = weights_of(pixels, per_pixel, rng)
    want = case.value(y, p, setup.args, weight)
    assert make(case, setup.args)(y, p, sample_weight=weight) == pytest.approx(want, rel=1e-5, abs=1e-6)
    probe = Probe(make(case, setup.args), p)
    value, gradient = probe.gradient(y, weight)
    assert value == pytest.approx(want, rel=1e-5, abs=1e-6)
    assert gradient_error(gradient, lambda q: case.value(y, q, setup.args, weight), p, rng, floor=floor(case)) <= 1e-4
    if not per_pixel:
        assert not gradient[weight == 0].any()


@pytest.mark.parametrize("case", [case for case in LOSS_CASES if case.joint], ids=lambda case: case.name)
@given(data=st.data())
def test_joint_form(case: LossCase, data: st.DataObject) -> None:
    # Behind its activation a cross-entropy gives what it gives for scores, and the gradient of the scores.
    setup, seed = data.draw(case.setups), data.draw(SEEDS)
    args, joint = {**setup.args, "from_logits": False}, case.joint_activation(setup)
    rng = np.random.default_rng(seed)
    y, scores = case.draw_targets(setup, rng), normal(rng, setup.shape, 2.0)
    probe = Probe(make(case, args), scores, joint)
    value, gradient = probe.gradient(y)

    def loss(x: np.ndarray) -> float:
        return case.value(y, ACTIVATIONS[joint](x.astype(np.float64)), args)

    assert value == pytest.approx(loss(scores), rel=1e-5, abs=1e-6)
    assert probe.value(y) == pytest.approx(value, rel=1e-6, abs=1e-7)
    assert gradient_error(gradient, loss, scores, rng, floor=floor(case)) <= 1e-4


@pytest.mark.parametrize("behind_activation", [False, True])
def test_large_scores_lose_nothing(behind_activation: bool) -> None:
    # Softmax or sigmoid of these is 0 or 1 in float32; their cross-entropy is the difference of the scores.
    def value(loss: str, y: np.ndarray, scores: np.ndarray, activation: str) -> tuple[float, np.ndarray]:
        made = getattr(losses, loss)(from_logits=not behind_activation)
        return Probe(made, scores, activation if behind_activation else None).gradient(y)

    scores = np.array([[150.0, -150.0, 0.0], [-80.0, 90.0, 30.0]], np.float32)
    got, gradient = value("SparseCategoricalCrossentropy", np.array([1, 0]), scores, "softmax")
    assert got == pytest.approx((300 + 170) / 2)
    np.testing.assert_allclose(gradient, [[0.5, -0.5, 0], [-0.5, 0.5, 0]], atol=1e-7)
    got, gradient = value("CategoricalCrossentropy", np.eye(3, dtype=np.float32)[[1, 0]], scores, "softmax")
    assert got == pytest.approx((300 + 170) / 2)
    np.testing.assert_allclose(gradient, [[0.5, -0.5, 0], [-0.5, 0.5, 0]], atol=1e-7)
    got, gradient = value("BinaryCrossentropy", np.array([[0.0, 1, 1], [1, 1, 0]], np.float32), scores, "sigmoid")
    assert got == pytest.approx((150 + 150 + np.log(2) + 80 + 0 + 30) / 6)
    np.testing.assert_allclose(gradient, np.array([[1, -1, -0.5], [-1, 0, 1]]) / 6, atol=1e-7)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, np.float32])
def test_labels_of_any_kind(dtype: type) -> None:
    y, p = np.array([0, 2, 1]), normal(np.random.default_rng(0), (3, 4))
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    assert loss(y.astype(dtype), p) == loss(y, p)


def test_targets_without_the_last_axis_fit_one_output() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 7).astype(np.float32), rng.uniform(0.1, 0.9, (7, 1)).astype(np.float32)
    for name in ("BinaryCrossentropy", "MeanSquaredError"):
        loss = getattr(losses, name)()
        assert loss(y, p) == loss(y[:, None], p)


def test_ignored_everywhere_is_zero() -> None:
    p = normal(np.random.default_rng(0), (3, 4))
    probe = Probe(losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1), p)
    value, gradient = probe.gradient(np.full(3, -1))
    assert value == 0.0
    assert not gradient.any()


@pytest.mark.parametrize("weighted", [False, True])
def test_threads_give_the_same_bits(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    before = striate.get_num_threads()
    results = []
    try:
        for threads in (1, 2, 3, 4, 8):
            striate.set_num_threads(threads)
            outcome: list[Any] = []
            for case in LOSS_CASES:
                rng = np.random.default_rng(1)
                overlaps = {"axis": (1, 2, 3)} if has_overlap(case) else {}
                setup = LossSetup({**case.large.args, **overlaps}, case.large.shape)
                y, p = case.draw_targets(setup, rng), case.draw_predictions(setup, rng)
                weight = weights_of(y, False, rng) if weighted else None
                outcome.append(make(case, setup.args)(y, p, sample_weight=weight))
            results.append(outcome)
    finally:
        striate.set_num_threads(before)
    assert all(result == results[0] for result in results[1:])


@EACH_CASE
@given(data=st.data())
def test_config_makes_an_equal_loss(case: LossCase, data: st.DataObject) -> None:
    setup = data.draw(case.setups)
    y, p = feed(case, setup, 0)
    loss = make(case, setup.args)
    again = type(loss).from_config(loss.get_config())
    assert again.get_config() == loss.get_config()
    assert again(y, p) == loss(y, p)


def test_sums_of_losses() -> None:
    dice, entropy = losses.Dice(from_logits=True), losses.SparseCategoricalCrossentropy(from_logits=True)
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 3, (2, 5, 4)), normal(rng, (2, 5, 4, 3))
    value = 0.5 * dice(y, p) + entropy(y, p)
    for loss in (
        0.5 * dice + entropy,
        entropy + dice * 0.5,
        sum([entropy, np.float32(0.5) * dice]),
        0.5 * (dice + 2 * entropy),
        losses.WeightedSum([0.5 * dice + entropy]),
    ):
        assert isinstance(loss, losses.WeightedSum)
        assert loss(y, p) == pytest.approx(value, rel=1e-6)
    text = "0.5 * Dice(axis=None, from_logits=True, ignore_class=None, smooth=None) + Sparse"
    assert repr(0.5 * dice + entropy).startswith(text)
    assert losses.WeightedSum(["mse", "mae"])(p, p + 1) == pytest.approx(2.0)


def test_sums_that_do_not_fit_are_refused() -> None:
    dice = losses.Dice()
    entropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    with pytest.raises(
        ValueError, match="Dice does not take logits and SparseCategoricalCrossentropy takes them; give"
    ):
        dice + entropy
    with pytest.raises(ValueError, match="expected 1 weights, one for each loss, got 2"):
        losses.WeightedSum([dice], [1.0, 2.0])
    with pytest.raises(ValueError, match="weights must be finite numbers, got nan"):
        dice * float("nan")
    with pytest.raises(ValueError, match="needs at least one loss"):
        losses.WeightedSum([])
    for wrong in ("2", None, True, [1.0]):
        with pytest.raises(TypeError):
            wrong * dice  # type: ignore[operator]
    with pytest.raises(TypeError):
        dice + 1  # type: ignore[operator]
    mixed = losses.CategoricalCrossentropy() + losses.SparseCategoricalCrossentropy()
    with pytest.raises(ValueError, match="CategoricalCrossentropy cannot take the class labels that another of its"):
        mixed(np.zeros(2, int), np.full((2, 3), 0.5, np.float32))


def test_what_labels_must_be() -> None:
    p = np.full((2, 3, 3, 4), 0.25, np.float32)
    for loss in (losses.Dice(), losses.Tversky(), losses.CategoricalFocalCrossentropy()):
        kind = type(loss).__name__
        with pytest.raises(ValueError, match=rf"\[{kind}\] labels must be within 0 to 3 .* got 4"):
            loss(np.full((2, 3, 3), 4), p)
        ignoring = type(loss)(ignore_class=4)
        assert np.isfinite(ignoring(np.full((2, 3, 3), 4), p))
        with pytest.raises(ValueError, match=rf"\[{kind}\] ignore_class needs class labels"):
            ignoring(np.zeros_like(p), p)
        with pytest.raises(ValueError, match=r"expects class labels, whole numbers, got 0\.5"):
            loss(np.full((2, 3, 3), 0.5), p)


@pytest.mark.parametrize("loss", [losses.Dice, losses.Tversky])
@pytest.mark.parametrize("masks", [np.full((2, 3, 3, 1), 255, np.uint8), np.full((2, 3, 3, 1), -0.5, np.float32)])
def test_masks_of_overlap_are_within_0_to_1(loss: Any, masks: np.ndarray) -> None:
    with pytest.raises(ValueError, match=rf"\[{loss.__name__}\] targets must be within 0 to 1, got"):
        loss()(masks, np.full((2, 3, 3, 1), 0.5, np.float32))


def test_each_loss_has_a_row() -> None:
    assert {case.loss for case in LOSS_CASES} == set(striate._core.loss_types())
