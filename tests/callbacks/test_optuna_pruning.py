"""Trials of Optuna: pruned ones end, others report each epoch."""

from __future__ import annotations

import numpy as np
import pytest

import striate as st
from striate.layers import Dense, Input

optuna = pytest.importorskip("optuna")


def fit(trial: optuna.Trial, monitor: str = "loss") -> float:
    model = st.Sequential([Input((4,)), Dense(1)], seed=0)
    model.compile("sgd", "mse")
    x, y = np.ones((8, 4), np.float32), np.ones((8, 1), np.float32)
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=st.callbacks.OptunaPruning(trial, monitor))
    return history.history["loss"][-1]


def test_trials_report_and_are_pruned() -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(pruner=optuna.pruners.NopPruner())
    study.optimize(fit, n_trials=1)
    assert sorted(study.trials[0].intermediate_values) == [0, 1, 2]
    strict = optuna.create_study(pruner=optuna.pruners.ThresholdPruner(upper=-1.0))
    strict.optimize(fit, n_trials=1)
    assert strict.trials[0].state.name == "PRUNED" and list(strict.trials[0].intermediate_values) == [0]


def test_a_value_that_an_epoch_lacks_is_refused() -> None:
    study = optuna.create_study()
    with pytest.raises(ValueError, match="there is no 'val_loss'; an epoch has loss"):
        study.optimize(lambda trial: fit(trial, "val_loss"), n_trials=1)
