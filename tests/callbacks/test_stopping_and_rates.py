"""EarlyStopping, ReduceLROnPlateau, LearningRateScheduler, TerminateOnNaN."""

from __future__ import annotations

import math

import numpy as np
import pytest

from striate.callbacks import (
    EarlyStopping,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from striate.callbacks.monitor import Monitor


def losses(*values, name="val_loss"):
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("settings", "values", "epochs_run"),
    [
        ({}, [3, 2, 2, 1], 3),  # patience 0: the first epoch without improvement
        ({"patience": 2}, [3, 2, 2.5, 2.1, 1], 4),
        ({"patience": 2}, [3, 2, 2.5, 1.9, 2, 2, 2], 6),  # an improvement starts the wait anew
        ({"min_delta": 0.5, "patience": 1}, [3, 2.6, 2.4, 2.3, 2.2], 2),
        ({"min_delta": -0.5, "patience": 1}, [3, 2.6, 2.4, 2.3, 2.2], 2),  # its sign does not matter
        ({"min_delta": 0.5, "patience": 2}, [3, 2.6, 2.4, 2.3, 2.2], 5),  # 2.4 improves on 3 by more than 0.5
        ({"mode": "max"}, [1, 2, 2, 3], 3),
        ({"baseline": 1.0, "patience": 2}, [3, 2, 1.5, 1.4, 1.3], 5),  # improves without end, though never on 1
        ({"baseline": 1.0, "patience": 2}, [3, 2, 2, 2, 1.3], 3),  # below the baseline the wait was not reset
        ({"start_from_epoch": 3}, [1, 2, 3, 3, 3, 3], 5),
        ({"patience": 1}, [math.nan, math.nan, math.nan], 2),
    ],
)
def test_early_stopping_stops(train, model, settings, values, epochs_run):
    stopping = EarlyStopping(**settings)
    callbacks = train([stopping], losses(*values))
    assert len(callbacks.history.epoch) == epochs_run
    assert model.stop_training == (stopping.stopped_epoch > 0)


def test_early_stopping_remembers_the_best(train, model, capsys):
    stopping = EarlyStopping(patience=2, restore_best_weights=True, verbose=1)
    train([stopping], losses(3, 1, 2, 2, 2), steps=3)
    assert (stopping.best, stopping.best_epoch, stopping.stopped_epoch) == (1, 1, 3)
    np.testing.assert_array_equal(model.weight, [6, 6])  # after the second epoch's three batches
    assert capsys.readouterr().out.splitlines() == [
        "epoch 4: early stopping",
        "restoring the weights of the best epoch, 2",
    ]


def test_early_stopping_restores_at_the_end_of_a_full_run_too(train, model):
    train([EarlyStopping(patience=9, restore_best_weights=True)], losses(1, 2, 3))
    np.testing.assert_array_equal(model.weight, [1, 1])


def test_early_stopping_keeps_the_last_weights_unless_asked(train, model):
    train([EarlyStopping()], losses(1, 2, 3))
    np.testing.assert_array_equal(model.weight, [2, 2])


def test_early_stopping_can_be_used_again(train):
    stopping = EarlyStopping(patience=1)
    train([stopping], losses(1, 2))
    again = train([stopping], losses(5, 4, 3))
    assert len(again.history.epoch) == 3 and stopping.stopped_epoch == 0


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("loss", "min"),
        ("val_loss", "min"),
        ("val_accuracy", "max"),
        ("acc", "max"),
        ("val_auc", "max"),
        ("val_f1", "max"),
        ("f1_score", "max"),
        ("val_mean_iou", "max"),
        ("dice", "max"),
        ("val_dice_loss", "min"),
        ("sparse_categorical_accuracy", "max"),
        ("top_k_accuracy", "max"),
        ("val_rmse", "min"),
        ("mean_absolute_error", "min"),
        ("val_f1", "max"),
        ("val_o1_loss", "min"),
        ("val_r2", "max"),
    ],
)
def test_the_direction_follows_from_the_name(name, mode):
    assert Monitor("EarlyStopping", name).mode == mode


@pytest.mark.parametrize("callback", [EarlyStopping, ReduceLROnPlateau, lambda name: ModelCheckpoint("m", name)])
def test_a_name_that_tells_no_direction_needs_a_mode(callback):
    with pytest.raises(ValueError, match="the name 'val_bias' does not tell whether a higher or a lower value is bett"):
        callback("val_bias")
    assert Monitor("EarlyStopping", "val_bias", "max").mode == "max"


def test_epochs_without_a_validation_are_neither_warned_of_nor_counted(train):
    stopping = EarlyStopping(patience=2)
    logs = [{"loss": 1.0} | ({"val_loss": 1.0} if epoch % 3 == 0 else {}) for epoch in range(9)]
    callbacks = train([stopping], logs, validates=True)
    assert len(callbacks.history.epoch) == 7 and stopping.best_epoch == 0
    with pytest.warns(UserWarning, match="watches 'val_accuracy', but the logs hold loss, val_loss"):
        train([EarlyStopping("val_accuracy")], logs, validates=True)


def test_a_value_that_is_not_there_is_warned_of_once(train):
    with pytest.warns(UserWarning, match="EarlyStopping watches 'val_loss', but the logs hold loss; pass val") as seen:
        callbacks = train([EarlyStopping()], [{"loss": 1.0}, {"loss": 2.0}, {"loss": 3.0}])
    assert len(seen) == 1 and len(callbacks.history.epoch) == 3


def test_an_array_cannot_be_watched(train):
    with pytest.raises(ValueError, match="watches 'f1', which is an array and not one number; give its metric an aver"):
        train([EarlyStopping("f1")], [{"f1": np.array([0.1, 0.2])}])


def test_reduce_on_plateau(train, model, capsys):
    reduce = ReduceLROnPlateau(factor=0.5, patience=2, verbose=1)
    logs = losses(3, 2, 2, 2, 2, 2, 1)
    train([reduce], logs)
    # The second and fourth epoch after the best one reduce; the rate in the logs is the one the epoch ran with.
    assert [epoch["learning_rate"] for epoch in logs] == [0.1, 0.1, 0.1, 0.1, 0.05, 0.05, 0.025]
    assert model.optimizer.learning_rate == 0.025
    assert capsys.readouterr().out.splitlines() == [
        "epoch 4: learning rate reduced to 0.05",
        "epoch 6: learning rate reduced to 0.025",
    ]


def test_reduce_on_plateau_cools_down(train):
    logs = losses(1, 1, 1, 1, 1, 1, 1)
    train([ReduceLROnPlateau(factor=0.5, patience=1, cooldown=2)], logs)
    # Reduced after epoch 1; the cooldown ends in epoch 3, which counts again.
    assert [epoch["learning_rate"] for epoch in logs] == [0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]


def test_reduce_on_plateau_stops_at_the_lowest_rate(train, model, capsys):
    model.optimizer.learning_rate = float(np.float32(0.1))
    train([ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.05, verbose=1)], losses(*[1] * 6))
    assert model.optimizer.learning_rate == 0.05
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_reduce_on_plateau_ignores_small_changes(train, model):
    train([ReduceLROnPlateau(patience=2)], losses(1.0, 0.99995, 0.99992))
    assert model.optimizer.learning_rate == pytest.approx(0.01)


def test_schedule_by_epoch(train, model, capsys):
    logs = losses(1, 1, 1)
    train([LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1), verbose=1)], logs)
    assert [epoch["learning_rate"] for epoch in logs] == [0.1, 0.05, 0.1 / 3]
    assert capsys.readouterr().out.splitlines()[1] == "epoch 2: learning rate 0.05"


def test_schedule_by_epoch_and_rate(train):
    logs = losses(1, 1, 1, 1)
    train([LearningRateScheduler(lambda epoch, rate: rate if epoch < 2 else rate * 0.5)], logs)
    assert [epoch["learning_rate"] for epoch in logs] == [0.1, 0.1, 0.05, 0.025]


def test_schedule_with_an_error_of_its_own(train):
    def broken(epoch, rate):
        return rate + None

    with pytest.raises(TypeError, match="unsupported operand"):
        train([LearningRateScheduler(broken)], losses(1))


def test_wrong_schedules(train):
    with pytest.raises(TypeError, match="schedule must be a function, got float"):
        LearningRateScheduler(0.1)
    with pytest.raises(TypeError, match="schedule must give a number, got NoneType"):
        train([LearningRateScheduler(lambda epoch: None)], losses(1))
    with pytest.raises(ValueError, match=r"schedule gave -0.1 for epoch 0, expected 0 or more"):
        train([LearningRateScheduler(lambda epoch: -0.1)], losses(1))
    with pytest.raises(ValueError, match="schedule gave nan"):
        train([LearningRateScheduler(lambda epoch: math.nan)], losses(1))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, np.float32("nan")])
def test_terminate_on_nan(train, model, capsys, bad):
    callbacks = train([TerminateOnNaN()], losses(1, 1), steps=4, batch_logs=lambda b: {"loss": bad if b == 2 else 1.0})
    assert model.weight[0] == 3 and callbacks.history.epoch == [0]
    assert f"batch 2: the loss is {float(bad)}, training stops" in capsys.readouterr().out


def test_terminate_on_nan_lets_numbers_pass(train, model):
    train([TerminateOnNaN()], losses(1, 1), steps=4)
    assert model.weight[0] == 8 and not model.stop_training


def test_wrong_settings():
    with pytest.raises(ValueError, match="EarlyStopping: mode must be 'auto', 'min' or 'max', got 'maximum'"):
        EarlyStopping(mode="maximum")
    with pytest.raises(ValueError, match="EarlyStopping: patience must be at least 0, got -1"):
        EarlyStopping(patience=-1)
    with pytest.raises(TypeError, match="EarlyStopping: monitor must be the name of a value in the logs, got int"):
        EarlyStopping(3)
    with pytest.raises(ValueError, match=r"ReduceLROnPlateau: factor must be from 0 to below 1, got 1\.0"):
        ReduceLROnPlateau(factor=1.0)


@pytest.mark.parametrize(
    ("make", "wrong"),
    [
        (EarlyStopping, {"min_delta": math.nan}),
        (EarlyStopping, {"baseline": math.nan}),
        (EarlyStopping, {"patience": -1}),
        (EarlyStopping, {"patience": math.nan}),
        (EarlyStopping, {"start_from_epoch": -1}),
        (ReduceLROnPlateau, {"min_delta": math.inf}),
        (ReduceLROnPlateau, {"factor": math.nan}),
        (ReduceLROnPlateau, {"patience": -1}),
        (ReduceLROnPlateau, {"cooldown": 0.5}),
        (ReduceLROnPlateau, {"min_lr": math.nan}),
        (lambda **given: ModelCheckpoint("m", **given), {"initial_value_threshold": math.nan}),
    ],
)
def test_numbers_that_nothing_improves_on_are_refused(make, wrong):
    with pytest.raises((TypeError, ValueError), match=f"{next(iter(wrong))} must be"):
        make(**wrong)
