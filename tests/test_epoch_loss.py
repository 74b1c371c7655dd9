"""The loss of an epoch and of an evaluation: over all samples or marked pixels, whatever the batches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate as st
from loss_cases import LOSS_CASES, LossCase, LossSetup
from striate import layers, losses


def maps(loss: Any, channels: int = 3, **more: Any) -> st.Sequential:
    model = st.Sequential([st.Input((4, 4, 1)), layers.Conv2D(channels, 1)], seed=0)
    model.compile(st.optimizers.SGD(0.0), loss, **more)
    return model


def marked(rng: np.random.Generator, rows: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Maps of three classes; the first samples have no marked pixels, the others a few."""
    x, y = rng.random((rows, 4, 4, 1)).astype(np.float32), rng.integers(0, 3, (rows, 4, 4))
    y[: rows // 2] = 255
    y[rng.random(y.shape) < 0.3] = 255
    return x, y


ENTROPY = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
FOCAL = losses.CategoricalFocalCrossentropy(from_logits=True, ignore_class=255)
DICE = losses.Dice(from_logits=True, ignore_class=255)
LOSSES = {
    "cross-entropy": ENTROPY,
    "focal": FOCAL,
    "dice": DICE,
    "dice of classes": losses.Dice(from_logits=True, ignore_class=255, axis=(0, 1, 2)),
    "dice of images": losses.Dice(from_logits=True, ignore_class=255, axis=(1, 2, 3)),
    "dice of images and classes": losses.Dice(from_logits=True, ignore_class=255, axis=(1, 2), smooth=1.0),
    "tversky": losses.Tversky(0.3, 0.7, from_logits=True, ignore_class=255),
    "sum": ENTROPY + 0.5 * DICE + 2.0 * FOCAL,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", LOSSES)
def test_ignored_pixels_and_overlap_whatever_the_batches(name: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    x, y = marked(rng)
    weight = rng.uniform(0, 2, len(x)).astype(np.float32) if weighted else None
    model = maps(LOSSES[name])
    right = LOSSES[name](y, model.predict(x), sample_weight=weight)
    for batch in (1, 2, 4, 5, 9):
        data = {"batch_size": batch, "verbose": 0, "sample_weight": weight}
        assert model.evaluate(x, y, **data) == pytest.approx(right, rel=1e-6)
        history = model.fit(x, y, validation_data=(x, y, weight), **data).history  # with a rate of 0
        assert history["loss"] == pytest.approx([right], rel=1e-6)
        assert history["val_loss"] == pytest.approx([right], rel=1e-6)


def test_cross_entropy_is_the_mean_over_the_marked_pixels() -> None:
    x, y = marked(np.random.default_rng(1), rows=8)
    model = maps(ENTROPY)
    scores = model.predict(x).astype(np.float64)
    log_p = scores - np.log(np.exp(scores).sum(-1, keepdims=True))
    right = -np.take_along_axis(log_p, np.where(y == 255, 0, y)[..., None], -1)[..., 0][y != 255].mean()
    assert [model.evaluate(x, y, batch_size=b, verbose=0) for b in (2, 4, 8)] == pytest.approx([right] * 3, rel=1e-6)


@pytest.mark.parametrize("case", LOSS_CASES, ids=lambda case: case.name)
def test_each_loss_of_two_batches_is_that_of_both_together(case: LossCase) -> None:
    rng = np.random.default_rng(2)
    setup = LossSetup(case.large.args, (5, *((60, 44) if case.targets == "boxes" else (3, 4)), 7))
    y, p = case.draw_targets(setup, rng), case.draw_predictions(setup, rng)
    linear = st._core.make_layer("Activation", {"activation": "linear"}, "output")
    symbol = st._core.input(setup.shape[1:], "p")
    network = st._core.Model([symbol], [st._core.apply(linear, [symbol])], 0)
    core = st._core.Trainer(network, st._core.make_optimizer("SGD", {}), [case.make(setup.args)._core], [], 0)
    core.bind([p], [np.ascontiguousarray(y)], [])
    core.begin_epoch()
    whole = core.test_step(0, 5)
    assert core.epoch_loss == whole
    core.begin_epoch()
    parts = [core.test_step(0, 2), core.test_step(2, 3)]
    assert core.epoch_loss == pytest.approx(whole, rel=1e-6)
    assert core.epoch_loss != parts[1]


def test_running_losses_of_callbacks_are_those_of_the_samples_so_far() -> None:
    x, y = marked(np.random.default_rng(3), rows=8)
    model, seen = maps(ENTROPY), list[float]()
    watch = st.callbacks.LambdaCallback(on_test_batch_end=lambda batch, logs: seen.append(logs["loss"]))
    value = model.evaluate(x, y, batch_size=2, verbose=0, callbacks=[watch])
    assert seen[:2] == [0.0, 0.0]  # nothing is marked
    assert seen[-1] == value
    assert seen[2] == pytest.approx(ENTROPY(y[:6], model.predict(x[:6])), rel=1e-6)


def test_class_weights_and_augmented_batches() -> None:
    x, y = marked(np.random.default_rng(4), rows=8)
    values = []
    for augment in (None, st.data.Augment(seed=1), lambda images, indices, epoch: images):
        for batch in (3, 8):
            history = maps(DICE).fit(x, y, batch, verbose=0, augment=augment, class_weight={0: 2.0, 1: 0.5}).history
            values.append(history["loss"][0])
    assert values == pytest.approx([values[0]] * len(values), rel=1e-6)


def test_dice_of_an_image_without_the_object_learns() -> None:
    # The default adds 1 above and below where there is no target; 0 is Keras's constant.
    x, y = np.full((1, 4, 4, 1), 0.5, np.float32), np.zeros((1, 4, 4, 1), np.float32)
    moved = {}
    for smooth in (None, 1.0, 0.0):
        model = maps(losses.Dice(from_logits=True, axis=(1, 2), smooth=smooth), 1)
        model.compile(st.optimizers.SGD(1.0), losses.Dice(from_logits=True, axis=(1, 2), smooth=smooth))
        total = 16 / (1 + np.exp(-float(model.predict(x)[0, 0, 0, 0])))
        before = model.get_weights()[1].copy()
        value = model.train_on_batch(x, y)
        assert value == pytest.approx(1 if smooth == 0 else 1 - 1 / (total + 1), rel=1e-6)
        moved[smooth] = float(np.abs(model.get_weights()[1] - before).max())
    assert moved[0.0] == 0 and moved[None] == moved[1.0] > 1e-3


@pytest.mark.parametrize("loss", [losses.Dice, losses.Tversky])
def test_smooth_must_be_a_number_of_at_least_0(loss: type[losses.Loss]) -> None:
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="smooth must be a number of at least 0"):
            loss(smooth=wrong)  # type: ignore[call-arg]
