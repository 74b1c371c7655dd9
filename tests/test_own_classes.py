"""Classes and functions of the user's that the core would never call: refused, with what to use instead."""

from __future__ import annotations

import numpy as np
import pytest

import striate as st
from striate import callbacks, layers, losses, metrics, optimizers
from striate.layers import Dense, Input

X, Y = np.ones((16, 4), np.float32), np.ones((16, 1), np.float32)


def network():
    return st.Sequential([Input((4,)), Dense(1)], seed=0)


def function(*_):
    raise AssertionError("called")


@pytest.mark.parametrize(
    ("bases", "method", "instead"),
    [
        (st.Sequential, "call", "Draw the network with"),
        (st.Sequential, "train_step", "Draw the network with"),
        (st.Model, "train_step", "Draw the network with"),
        (st.Model, "test_step", "a loop over train_on_batch"),
        (st.Model, "compute_loss", "a loop over train_on_batch"),
        (st.Trainer, "train_step", "a loop over train_on_batch"),
        (layers.Dense, "build", "compose layers"),
        (layers.Dense, "forward", "compose layers"),
        (layers.Dense, "backward", "compose layers"),
        (st.Model, "forward", "Draw the network with"),
        (st.Sequential, "training_step", "a loop over train_on_batch"),
        (losses.MeanSquaredError, "forward", "a sum of them"),
        (optimizers.SGD, "step", "use an optimizer"),
        (optimizers.SGD, "zero_grad", "use an optimizer"),
        (layers.Dense, "call", "compose layers"),
        (layers.BatchNormalization, "compute_output_shape", "compose layers"),
        (losses.MeanSquaredError, "call", "use a loss of striate.losses"),
        (losses.MeanSquaredError, "__call__", "a sum of them"),
        (optimizers.Optimizer, "update_step", "use an optimizer"),
        (optimizers.Adam, "apply_gradients", "use an optimizer"),
        (optimizers.SGD, "learning_rate", "with a schedule"),
    ],
)
def test_methods_that_would_never_be_called(bases, method, instead):
    with pytest.raises(TypeError, match=rf"Own\.{method} would never be called.*{instead}"):
        type("Own", (bases,), {method: function, "__module__": "user"})


@pytest.mark.parametrize("base", [optimizers.Optimizer, optimizers.LearningRateSchedule], ids=lambda b: b.__name__)
def test_bases_that_compute_nothing(base):
    with pytest.raises(TypeError, match=f"Own derives from {base.__name__} itself, which computes nothing"):
        type("Own", (base,), {"__module__": "user"})


def test_subclasses_that_only_choose_arguments_work():
    class Wide(Dense):
        def __init__(self):
            super().__init__(7, activation="relu")

        def describe(self):
            return f"{self.units} wide"

    class Twice(losses.MeanSquaredError):
        pass

    class Fast(optimizers.SGD):
        def __init__(self):
            super().__init__(0.5, momentum=0.9)
            self.note = "anything"

    class Named(st.Model):
        def fit_twice(self, x, y):
            return [self.fit(x, y, verbose=0) for _ in range(2)]

    x = Input((4,))
    wide = Wide()
    model = Named(x, Dense(1)(wide(x)))
    model.compile(Fast(), Twice())
    assert len(model.fit_twice(X, Y)) == 2
    assert wide.describe() == "7 wide" and model.optimizer.momentum == 0.9 and model.optimizer.note == "anything"


def test_functions_as_losses_and_rates():
    with pytest.raises(TypeError, match=r"must return \(values, gradient\), got ndarray"):
        model = network()
        model.compile("sgd", lambda t, p: (t - p) ** 2)
        model.fit(X, Y, verbose=0)
    with pytest.raises(TypeError, match=r"must be a number or a schedule .*LearningRateScheduler"):
        optimizers.SGD(lambda step: 0.1)


def test_own_activations_and_initializers():
    def relu(value):
        return 3 * value

    with pytest.raises(ValueError, match=r"\[dense\] the function 'relu' would never be called"):
        Dense(3, activation=relu)
    assert Dense(3, activation=np.tanh).activation == "tanh"
    with pytest.raises(TypeError, match=r"Own.__call__ would never be called: .*set_weights"):
        type("Own", (st.initializers.Initializer,), {"__call__": function, "__module__": "user"})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("on_epoch_ends", "on_epoch_end"),
        ("on_tran_begin", "on_train_begin"),
        ("on_epoch_start", "on_epoch_begin"),
        ("on_train_start", "on_train_begin"),
        ("on_train_batch_start", "on_train_batch_begin"),
        ("on_batch_start", "on_batch_begin"),
        ("on_test_start", "on_test_begin"),
        ("on_train_epoch_end", "on_epoch_end"),
        ("on_validation_end", "on_test_end"),
        ("on_validation_epoch_end", "on_test_end"),
        ("on_validation_batch_start", "on_test_batch_begin"),
        ("on_val_end", "on_test_end"),
        ("on_fit_end", "on_train_end"),
        ("on_evaluate_end", "on_test_end"),
        ("on_step_end", "on_batch_end"),
        ("onEpochEnd", "on_epoch_end"),
        ("onTrainBatchStart", "on_train_batch_begin"),
        ("on_epoch_finished", "on_epoch_end"),
        ("on_predict_epoch_end", "on_predict_end"),
    ],
)
@pytest.mark.parametrize("wrap", [None, staticmethod, classmethod])
def test_hooks_with_wrong_names(name, meant, wrap):
    for base in (callbacks.Callback, callbacks.EarlyStopping):
        with pytest.raises(TypeError, match=f"Own.{name} would never be called; did you mean '{meant}'"):
            type("Own", (base,), {name: wrap(function) if wrap else function, "__module__": "user"})


def test_methods_of_callbacks_that_are_called():
    seen = []

    class Base(callbacks.Callback):
        on_color = "green"  # no method
        once = None

        def on_epoch_end(self, epoch, logs=None):
            self.on_value(logs["loss"])
            for number in (1, 2):
                (lambda: self.onNumber(number))()
            self.on_name()

        def on_value(self, value):
            raise AssertionError("overridden")

        def onNumber(self, number):
            seen.append(number)

        def on_name(self):
            seen.append("name")

        def online(self):
            """Begins with other letters."""

    class Own(Base):
        def on_value(self, value):
            seen.append(value)

    model = network()
    model.compile("sgd", "mse")
    loss = model.fit(X, Y, callbacks=[Own()], verbose=0).history["loss"]
    assert seen == [*loss, 1, 2, "name"]
    with pytest.raises(TypeError, match=r"Only\.on_value would never be called"):

        class Only(callbacks.Callback):
            def on_value(self):
                self.on_value()


def test_methods_of_metrics_with_wrong_names():
    with pytest.raises(TypeError, match="did you mean 'reset_state'"):
        type("Own", (metrics.Accuracy,), {"reset_states": function, "__module__": "user"})


def test_own_metrics_and_callbacks_are_called():
    called = []

    class Bias(metrics.Metric):
        def __init__(self):
            super().__init__("bias")

        def reset_state(self):
            self.total = 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total += float(np.sum(y_true))

        def result(self):
            return self.total

    class Own(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            called.append(epoch)

    model = network()
    model.compile("sgd", "mse", metrics=[Bias()])
    assert model.fit(X, Y, callbacks=[Own()], verbose=0).history["bias"] == [16.0]
    assert called == [0]
