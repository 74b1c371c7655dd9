"""Metrics, schedules and losses of the user's in Python: what they compute, and how files name them."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import losses, metrics, optimizers, utils
from striate.layers import Dense, Input
from striate.optimizers.schedules import CosineDecay, LearningRateSchedule


def data(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


X, Y = data(20, 4), data(20, 1, seed=1)


def network(seed: int = 0) -> st.Sequential:
    return st.Sequential([Input((4,)), Dense(3, activation="tanh"), Dense(1)], seed=seed)


# Metrics


def largest_error(y_true: Any, y_pred: Any) -> float:
    return float(np.abs(y_true - y_pred).max())


def error(y_true: Any, y_pred: Any) -> Any:
    assert not y_true.flags.writeable and not y_pred.flags.writeable
    return np.abs(y_true - y_pred)[:, 0]


def test_metrics_from_functions() -> None:
    model = network()
    model.compile("sgd", "mse", metrics=[largest_error, error, lambda t, p: (t - p) ** 2], weighted_metrics=["mae"])
    p = model.predict(X).astype(np.float64)
    logs = model.evaluate(X, Y, batch_size=3, verbose=0, return_dict=True)
    assert logs["largest_error"] == pytest.approx(np.abs(Y - p).max(), rel=1e-6)
    assert logs["error"] == pytest.approx(np.abs(Y - p).mean(), rel=1e-6)
    assert logs["function"] == pytest.approx(((Y - p) ** 2).mean(), rel=1e-6)
    # The values are those of the whole epoch, whatever the batch.
    whole = model.evaluate(X, Y, batch_size=20, verbose=0, return_dict=True)
    assert logs.pop("loss") == pytest.approx(whole.pop("loss")) and logs == whole
    history = model.fit(X, Y, epochs=2, verbose=0, validation_data=(X, Y)).history
    assert history["val_largest_error"][-1] == model.evaluate(X, Y, verbose=0)[1]


def test_functions_in_pieces_and_with_weights() -> None:
    weights = np.linspace(0, 2, 20)
    for name, function in (("largest_error", largest_error), ("error", error)):
        metric = metrics.get(function)
        assert isinstance(metric, metrics.FunctionMetric) and metric.name == name
        for part in (slice(0, 7), slice(7, 20)):
            arrays = [Y[part], X[part, :1]]
            for array in arrays:
                array.flags.writeable = False
            metric.update_state(*arrays)
        assert metric.result() == pytest.approx(
            function(*map(_sealed, (Y, X[:, :1]))).mean() if name == "error" else largest_error(Y, X[:, :1])
        )
        metric.reset_state()
        assert metric.result() == 0.0
    metric = metrics.FunctionMetric(lambda t, p: np.abs(t - p), "weighted")
    metric.update_state(Y, X[:, :1], weights)
    assert metric.result() == pytest.approx(np.average(np.abs(Y - X[:, :1])[:, 0], weights=weights))
    with pytest.raises(ValueError, match="cannot be weighted"):
        metrics.get(largest_error)(Y, X[:, :1], weights)
    with pytest.raises(ValueError, match="one for each of the 20 samples"):
        metrics.get(lambda t, p: np.ones(3))(Y, X[:, :1])
    with pytest.raises(ValueError, match="must return numbers, got str"):
        metrics.get(lambda t, p: "good")(Y, X[:, :1])


def _sealed(array: np.ndarray) -> np.ndarray:
    view = array.view()
    view.flags.writeable = False
    return view


def test_losses_as_metrics() -> None:
    model = st.Sequential([Input((4,)), Dense(3, activation="softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["sparse_categorical_crossentropy", losses.Huber()])
    labels = np.arange(20) % 3
    with pytest.raises(ValueError, match="Huber"):
        model.evaluate(X, labels, verbose=0)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["SparseCategoricalCrossentropy"])
    logs = model.evaluate(X, labels, verbose=0, return_dict=True)
    p = model.predict(X).astype(np.float64)
    want = -np.log(p[np.arange(20), labels]).mean()
    assert logs == pytest.approx({"loss": want, "SparseCategoricalCrossentropy": want}, rel=1e-5)


class Bias(metrics.Metric):
    """A metric of the user's."""

    def __init__(self, scale: float = 1.0, name: str = "bias") -> None:
        super().__init__(name)
        self.scale = scale
        self.reset_state()

    def reset_state(self) -> None:
        self.total, self.count = 0.0, 0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self.total += float((np.asarray(y_pred) - y_true).sum())
        self.count += np.size(y_true)

    def result(self) -> float:
        return self.scale * self.total / max(self.count, 1)


def test_metrics_are_kept_in_files(tmp_path: Path) -> None:
    model = st.Sequential([Input((4,)), Dense(3)], seed=0)
    labels = np.arange(20) % 3
    given = [metrics.F1Score(average="macro", name="f1"), metrics.TopKAccuracy(k=2), metrics.Accuracy, "acc"]
    model.compile(
        "sgd", losses.SparseCategoricalCrossentropy(from_logits=True), metrics=given, weighted_metrics=["accuracy"][:0]
    )
    model.save(tmp_path / "m.safetensors")
    loaded = st.load_model(tmp_path / "m.safetensors")
    assert loaded.metrics_names == model.metrics_names == ["loss", "f1", "top_k_accuracy", "accuracy", "acc"]
    assert loaded.metrics[0].average == "macro" and loaded.metrics[1].k == 2  # type: ignore[attr-defined]
    assert loaded.evaluate(X, labels, verbose=0) == model.evaluate(X, labels, verbose=0)


def test_own_metrics_in_files(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    model = network()
    model.compile("sgd", "mse", metrics=[Bias(2.0), largest_error, metrics.FunctionMetric(error, "mine")])
    model.save(path)
    with pytest.raises(
        ValueError, match=r"the metric 'Bias' is not one of striate's.*custom_objects=\{'Bias': \.\.\.\}"
    ):
        st.load_model(path)
    assert not st.load_model(path, compile=False).compiled
    known = {"Bias": Bias, "largest_error": largest_error, "error": error}
    loaded = st.load_model(path, known)
    assert loaded.metrics_names == ["loss", "bias", "largest_error", "mine"]
    assert loaded.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    with utils.custom_object_scope(known):
        assert st.load_model(path).metrics_names == loaded.metrics_names
    with pytest.raises(ValueError, match="'Bias'"):
        st.load_model(path)
    with pytest.raises(TypeError, match="custom_objects must be a dict"):
        st.load_model(path, False)  # type: ignore[arg-type]

    class Loose(Bias):
        def __init__(self, *anything: Any) -> None:
            super().__init__(name="loose")

    model.compile("sgd", "mse", metrics=[Loose(3), "mae"])
    with pytest.warns(UserWarning, match=r"the metric 'loose' is left out of the file: Loose must define get_config"):
        model.save(path)
    assert st.load_model(path).metrics_names == ["loss", "mae"]


def test_registered_names(tmp_path: Path) -> None:
    @utils.register_keras_serializable(package="mine")
    def twice(y_true: Any, y_pred: Any) -> Any:
        return 2 * np.abs(y_true - y_pred)

    model = network()
    model.compile("sgd", "mse", metrics=[twice])
    model.save(tmp_path / "m.safetensors")
    assert st.load_model(tmp_path / "m.safetensors").metrics_names == ["loss", "twice"]
    with pytest.raises(ValueError, match="another object is registered as 'twice'"):
        utils.register_keras_serializable(name="twice")(largest_error)


@pytest.mark.parametrize(
    "name",
    [n for n in metrics.__all__ if isinstance(getattr(metrics, n), type) and n not in ("Metric", "FunctionMetric")],
)
def test_the_config_of_each_metric(name: str) -> None:
    kind = getattr(metrics, name)
    made = kind(name="other")
    again = kind.from_config(made.get_config())
    assert type(again) is kind and again.name == "other" and again.get_config() == {"name": "other"}
    assert copy.deepcopy(made).get_config() == pickle.loads(pickle.dumps(made)).get_config() == {"name": "other"}


# Schedules


class Warmup(LearningRateSchedule):
    """As it is in Keras's guides: without a call of super().__init__."""

    def __init__(self, rate: float, steps: int) -> None:
        self.rate_, self.steps = rate, steps

    def __call__(self, step: int) -> float:
        return self.rate_ * min(1.0, (step + 1) / self.steps)


def expected(rates: list[float], batch: int = 5) -> np.ndarray:
    """The kernel of a linear model after gradient descent with these rates, in float64."""
    model = st.Sequential([Input((4,)), Dense(1, use_bias=False)], seed=0)
    w = model.get_weights()[0].astype(np.float64)
    for step, rate in enumerate(rates):
        part = slice(step * batch % 20, step * batch % 20 + batch)
        w -= rate * 2 * X[part].T @ (X[part] @ w - Y[part]) / batch
    return w


def linear(schedule: Any) -> st.Sequential:
    model = st.Sequential([Input((4,)), Dense(1, use_bias=False)], seed=0)
    model.compile(optimizers.SGD(schedule), "mse")
    return model


def test_a_schedule_is_followed_step_by_step() -> None:
    model = linear(Warmup(0.3, 6))
    assert model.optimizer.learning_rate == pytest.approx(0.05) and model.optimizer.follows_schedule
    history = model.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0).history
    rates = [0.3 * min(1.0, (step + 1) / 6) for step in range(9)]
    np.testing.assert_allclose(model.get_weights()[0], expected(rates[:8]), rtol=1e-5)
    assert history["learning_rate"] == pytest.approx([rates[4], rates[8]])
    model.train_on_batch(X[:5], Y[:5])
    np.testing.assert_allclose(model.get_weights()[0], expected(rates), rtol=1e-5)
    model.optimizer.learning_rate = 0.5  # for good
    assert not model.optimizer.follows_schedule
    model.train_on_batch(X[5:10], Y[5:10])
    np.testing.assert_allclose(model.get_weights()[0], expected([*rates, 0.5]), rtol=1e-5)
    assert model.optimizer.learning_rate == 0.5


def test_a_subclass_of_a_schedule_of_the_library() -> None:
    class Halved(CosineDecay):
        def __call__(self, step: int) -> float:
            return 0.5 * super().__call__(step)

    model = linear(Halved(0.4, 8))
    model.fit(X, Y, batch_size=5, epochs=2, shuffle=False, verbose=0)
    np.testing.assert_allclose(
        model.get_weights()[0], expected([0.5 * CosineDecay(0.4, 8)(s) for s in range(8)]), rtol=1e-5
    )


def test_schedules_with_augmentation_and_callbacks() -> None:
    seen: list[float] = []

    class Rates(st.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            seen.append(float(self.model.optimizer.learning_rate))

    x = data(8, 6, 6, 1)
    for augment in (lambda images, rows, epoch: images, st.data.Augment(flip_horizontal=True)):
        seen.clear()
        model = st.Sequential([Input((6, 6, 1)), st.layers.Flatten(), Dense(1)], seed=0)
        model.compile(optimizers.SGD(Warmup(0.3, 6)), "mse")
        model.fit(x, data(8, 1), batch_size=2, verbose=0, augment=augment, callbacks=Rates())
        assert seen == pytest.approx([0.1, 0.15, 0.2, 0.25])  # of the next step
    with pytest.raises(ValueError, match="schedule"):
        linear(Warmup(0.3, 6)).fit(X, Y, verbose=0, callbacks=st.callbacks.LearningRateScheduler(lambda epoch: 0.1))


@pytest.mark.parametrize(
    ("value", "kind", "message"),
    [
        (-1.0, ValueError, "returned -1.0 for step 3"),
        (np.nan, ValueError, "nan"),
        ("0.1", TypeError, "got str"),
        (None, TypeError, "NoneType"),
    ],
)
def test_rates_that_are_none(value: Any, kind: type[Exception], message: str) -> None:
    class Wrong(LearningRateSchedule):
        def __call__(self, step: int) -> Any:
            return 0.1 if step < 3 else value

    model = linear(Wrong())
    with pytest.raises(kind, match=message):
        model.fit(X, Y, batch_size=5, shuffle=False, verbose=0)
    np.testing.assert_allclose(model.get_weights()[0], expected([0.1] * 3), rtol=1e-5)  # no step was half done
    assert model.optimizer.iterations == 3


def test_own_schedules_in_files_and_pickles(tmp_path: Path) -> None:
    path, state = tmp_path / "m.safetensors", tmp_path / "t.safetensors"
    model = linear(Warmup(rate=0.3, steps=6))
    model.fit(X, Y, batch_size=5, epochs=1, shuffle=False, verbose=0)
    model.save(path)
    st.save_training(model, state)
    with pytest.raises(ValueError, match=r"the schedule 'Warmup' is not one of striate's"):
        st.load_model(path)
    loaded = st.load_model(path, custom_objects={"Warmup": Warmup})
    assert loaded.optimizer.learning_rate == pytest.approx(0.05) and loaded.optimizer.get_config()["learning_rate"] == {
        "type": "Warmup",
        "rate": 0.3,
        "steps": 6,
    }
    st.load_training(loaded, state)
    copied = pickle.loads(pickle.dumps(model))
    rates = [0.3 * min(1.0, (step + 1) / 6) for step in range(8)]
    for other in (loaded, copied, copy.deepcopy(model)):
        assert other.optimizer.learning_rate == pytest.approx(0.25) and other.optimizer.follows_schedule
        other.fit(X, Y, batch_size=5, epochs=1, shuffle=False, verbose=0)
        np.testing.assert_allclose(other.get_weights()[0], expected(rates), rtol=1e-5)
    model.optimizer.learning_rate = 0.7
    st.save_training(model, state)
    st.load_training(other, state)
    assert other.optimizer.learning_rate == pytest.approx(0.7) and not other.optimizer.follows_schedule
