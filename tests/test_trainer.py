"""Training: the loop, what it reports, what it takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate as st
from digit_training import digits, network, same_weights, sparse
from striate import _meters
from striate.callbacks import Callback
from striate.layers import Add, Conv2D, Dense, Input

rng = np.random.default_rng(11)


def line(seed: int = 0) -> st.Sequential:
    return st.Sequential([Input((3,)), Dense(1)], seed=seed)


def softmax_loss(logits: np.ndarray, labels: np.ndarray, weights: np.ndarray | None = None) -> float:
    logits = logits.astype(np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(1)) - shifted[np.arange(len(labels)), labels]
    return float((losses * (1 if weights is None else weights)).mean())


SPARSE = "sparse_categorical_crossentropy"


def test_learns_digits() -> None:
    x, y = digits(1000)
    model = network()
    model.compile(st.optimizers.Adam(3e-3), sparse(), metrics=["accuracy"])
    history = model.fit(x, y, epochs=8, validation_split=0.2, verbose=0)
    assert list(history.history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 8 for values in history.history.values())
    assert history.epoch == list(range(8))
    assert history.history["val_accuracy"][-1] > 0.9
    assert history.history["loss"][-1] < history.history["loss"][0] / 4


def test_evaluate_is_exact() -> None:
    x, y = digits(101)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy", "top_k_accuracy"])
    logits = model.predict(x)
    for batch_size in (1, 32, 101, 500):
        report = model.evaluate(x, y, batch_size=batch_size, return_dict=True, verbose=0)
        assert report["loss"] == pytest.approx(softmax_loss(logits, y), rel=1e-5)
        assert report["accuracy"] == (logits.argmax(1) == y).mean()
        assert list(report) == ["loss", "accuracy", "top_k_accuracy"]
    assert model.evaluate(x, y, verbose=0) == list(model.evaluate(x, y, verbose=0, return_dict=True).values())
    plain = network()
    plain.compile("sgd", sparse())
    assert isinstance(plain.evaluate(x, y, verbose=0), float)


def test_loss_and_metrics_of_an_epoch_are_of_the_predictions_before_each_step() -> None:
    """One pass by hand, step by step."""
    x, y = rng.normal(size=(50, 3)).astype(np.float32), rng.normal(size=(50, 1)).astype(np.float32)
    model, twin = line(), line()
    model.compile(st.optimizers.SGD(0.1), "mse", metrics=["mae"])
    twin.compile(st.optimizers.SGD(0.1), "mse")
    history = model.fit(x, y, batch_size=16, shuffle=False, verbose=0).history
    squares, absolutes = [], []
    for first in range(0, 50, 16):
        part = slice(first, first + 16)
        error = twin.predict(x[part]).astype(np.float64) - y[part]
        squares.append((error**2).sum())
        absolutes.append(np.abs(error).sum())
        loss = twin.train_on_batch(x[part], y[part])
        assert loss == pytest.approx((error**2).mean(), rel=1e-5)
    assert history["loss"][0] == pytest.approx(sum(squares) / 50, rel=1e-5)
    assert history["mae"][0] == pytest.approx(sum(absolutes) / 50, rel=1e-5)
    assert same_weights(model, twin)


def test_gradient_descent_by_hand() -> None:
    x, y = rng.normal(size=(20, 3)), rng.normal(size=(20, 1))
    model = line()
    kernel, bias = (w.astype(np.float64) for w in model.get_weights())
    model.compile(st.optimizers.SGD(0.1), "mse")
    model.fit(x, y, batch_size=20, epochs=5, verbose=0)
    for _ in range(5):
        error = 2 * (x @ kernel + bias - y) / 20
        kernel, bias = kernel - 0.1 * x.T @ error, bias - 0.1 * error.sum(0)
    assert np.allclose(model.get_weights()[0], kernel, atol=1e-5)
    assert np.allclose(model.get_weights()[1], bias, atol=1e-5)


def test_same_seed_same_bits_whatever_is_measured() -> None:
    x, y = digits(100)

    def trained(seed: int | None, **more: Any) -> st.Model:
        model = network()
        trainer = st.Trainer(model, "adam", sparse(), seed=seed, metrics=more.pop("metrics", None))
        trainer.fit(x, y, epochs=2, verbose=0, **more)
        return model

    one = trained(5)
    assert same_weights(one, trained(5))
    assert same_weights(one, trained(5, metrics=["accuracy"], validation_data=(x, y)))
    assert same_weights(one, trained(5, callbacks=[Counting()]))
    assert not same_weights(one, trained(6))
    assert same_weights(trained(None), trained(network().seed))


def test_fit_twice_goes_on() -> None:
    x, y = digits(100)
    once, twice = network(), network()
    for model in (once, twice):
        model.compile("adam", sparse())
    once.fit(x, y, epochs=3, verbose=0)
    twice.fit(x, y, epochs=2, verbose=0)
    twice.fit(x, y, epochs=3, initial_epoch=2, verbose=0)
    assert same_weights(once, twice)
    assert once.optimizer.iterations == 12


def test_rows_are_shuffled_anew_each_epoch() -> None:
    seen: list[np.ndarray] = []

    def watch(images: np.ndarray, indices: np.ndarray, epoch: int) -> np.ndarray:
        seen.append(np.r_[epoch, indices])
        return images

    x, y = digits(50)
    model = network()
    model.compile("sgd", sparse())
    model.fit(x, y, batch_size=16, epochs=2, verbose=0, augment=watch)
    orders = [np.concatenate([s[1:] for s in seen if s[0] == epoch]) for epoch in (0, 1)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(50))
        assert not np.array_equal(order, np.arange(50))
    assert not np.array_equal(*orders)
    seen.clear()
    model.fit(x, y, batch_size=16, epochs=1, verbose=0, augment=watch, shuffle=False)
    assert np.array_equal(np.concatenate([s[1:] for s in seen]), np.arange(50))


def test_validation_split_takes_the_last_rows() -> None:
    x, y = digits(100)
    split, given = network(), network()
    for model in (split, given):
        model.compile("adam", sparse(), metrics=["accuracy"])
    one = split.fit(x, y, epochs=2, validation_split=0.25, verbose=0).history
    two = given.fit(x[:75], y[:75], epochs=2, validation_data=(x[75:], y[75:]), verbose=0).history
    assert one == two
    assert same_weights(split, given)


def test_validation_options() -> None:
    x, y = digits(60)
    model = network()
    model.compile("sgd", sparse())
    history = model.fit(x, y, epochs=4, validation_data=(x, y), validation_freq=2, verbose=0).history
    assert (len(history["loss"]), len(history["val_loss"])) == (4, 2)
    history = model.fit(x, y, epochs=3, validation_data=(x, y), validation_freq=[3], verbose=0).history
    assert len(history["val_loss"]) == 1
    limited = model.fit(x, y, validation_data=(x, y), validation_steps=1, validation_batch_size=20, verbose=0)
    model2_loss = model.evaluate(x[:20], y[:20], verbose=0)
    assert limited.history["val_loss"][0] == pytest.approx(model2_loss, rel=1e-6)
    weighted = model.fit(x, y, validation_data=(x, y, np.zeros(60)), verbose=0)
    assert weighted.history["val_loss"] == [0.0]


def test_steps_per_epoch() -> None:
    x, y = digits(100)
    model = network()
    model.compile("sgd", sparse())
    model.fit(x, y, batch_size=10, epochs=3, steps_per_epoch=4, verbose=0)
    assert model.optimizer.iterations == 12
    with pytest.raises(ValueError, match="steps_per_epoch=11 needs 110 rows"):
        model.fit(x, y, batch_size=10, steps_per_epoch=11, verbose=0)


def test_sample_and_class_weights() -> None:
    x, y = digits(90)
    weights = rng.uniform(0, 2, 90)
    model = network()
    model.compile("sgd", sparse())
    want = softmax_loss(model.predict(x), y, weights)
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx(want, rel=1e-5)
    assert model.test_on_batch(x, y, weights) == pytest.approx(want, rel=1e-5)
    by_class = {label: float(1 + label) for label in range(10)}
    one, two, three = network(), network(), network()
    for each in (one, two, three):
        each.compile("adam", sparse())
    one.fit(x, y, class_weight=by_class, verbose=0)
    two.fit(x, y, sample_weight=1.0 + y, verbose=0)
    three.fit(x, y, class_weight=by_class, sample_weight=np.ones(90), verbose=0)
    assert same_weights(one, two) and same_weights(one, three)
    one_hot = network()
    one_hot.compile("adam", st.losses.CategoricalCrossentropy(from_logits=True))
    one_hot.fit(x, np.eye(10)[y], class_weight=by_class, verbose=0)
    for a, b in zip(one_hot.get_weights(), one.get_weights(), strict=True):
        assert np.allclose(a, b, atol=1e-4)


def test_weighted_metrics() -> None:
    x, y = digits(90)
    weights = (y == 3).astype(np.float64)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"], weighted_metrics=[st.metrics.Accuracy(name="of_threes")])
    report = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)
    right = model.predict(x).argmax(1) == y
    assert report["accuracy"] == right.mean()
    assert report["of_threes"] == right[y == 3].mean()


def test_weights_per_pixel() -> None:
    x = rng.normal(size=(6, 4, 4, 1)).astype(np.float32)
    y = (x > 0).astype(np.uint8)
    weights = rng.uniform(0, 1, (6, 4, 4))
    model = st.Sequential([Input((4, 4, 1)), Conv2D(1, 1, activation="sigmoid")], seed=0)
    model.compile("sgd", "binary_crossentropy")
    p = model.predict(x).astype(np.float64)[..., 0]
    target = y[..., 0]
    losses = -(target * np.log(p) + (1 - target) * np.log(1 - p))
    assert model.evaluate(x, y, sample_weight=weights, verbose=0) == pytest.approx((losses * weights).mean(), rel=1e-4)
    assert model.evaluate(x, y[..., 0], verbose=0) == pytest.approx(losses.mean(), rel=1e-4)


def test_targets_with_or_without_a_last_axis() -> None:
    x, y = rng.normal(size=(20, 3)), rng.normal(size=20)
    one, two = line(), line()
    for model, target in ((one, y), (two, y[:, None])):
        model.compile("sgd", "mse", metrics=["mae"])
        model.fit(x, target, verbose=0)
    assert same_weights(one, two)
    labels, (images, _) = rng.integers(0, 10, (20, 1)), digits(20)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"])
    assert model.evaluate(images, labels, verbose=0) == model.evaluate(images, labels[:, 0], verbose=0)


def test_kinds_of_targets() -> None:
    x, y = digits(40)
    model = network()
    model.compile("sgd", sparse())
    want = model.evaluate(x, y, verbose=0)
    for dtype in ("u1", "i1", "i2", "i4", "i8", "u8", "f4", "f8", ">i4", ">f8"):
        assert model.evaluate(x, y.astype(dtype), verbose=0) == want, dtype
    assert model.evaluate(x, y.tolist(), verbose=0) == want
    binary = st.Sequential([Input((3,)), Dense(1, activation="sigmoid")], seed=0)
    binary.compile("sgd", "binary_crossentropy")
    z, answer = rng.normal(size=(40, 3)), rng.integers(0, 2, 40)
    want = binary.evaluate(z, answer.astype(np.float32), verbose=0)
    for dtype in ("?", "u1", "i4", "i8", "f8"):
        assert binary.evaluate(z, answer.astype(dtype), verbose=0) == want, dtype


def test_uint8_images_stay_as_they_are() -> None:
    x, y = digits(60)
    assert x.dtype == np.uint8
    small, large = network(), network()
    for model, images in ((small, x), (large, x.astype(np.float64))):
        model.compile("adam", sparse())
        model.fit(images, y, epochs=2, verbose=0)
    assert same_weights(small, large)


def test_dataset_in_place_of_arrays() -> None:
    x, y = digits(40)
    dataset = st.data.ImageDataset(x, y, [str(i) for i in range(10)], [f"{i}.png" for i in range(40)])
    one, two = network(), network()
    for model in (one, two):
        model.compile("adam", sparse(), metrics=["accuracy"])
    first = one.fit(dataset, verbose=0, validation_data=dataset).history
    second = two.fit(x, y, verbose=0, validation_data=(x, y)).history
    assert first == second
    assert one.evaluate(dataset, verbose=0) == two.evaluate(x, y, verbose=0)
    assert np.array_equal(one.predict(dataset), two.predict(x))
    with pytest.raises(ValueError, match="the dataset has its own labels"):
        one.fit(dataset, y)


def test_predictions_larger_than_the_buffer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics that are updated in pieces have the same value."""
    x, y = digits(100)
    reports = []
    for most in (_meters._MOST_BYTES, 40 * 32, 1):
        monkeypatch.setattr(_meters, "_MOST_BYTES", most)
        model = network()
        model.compile("adam", sparse(), metrics=["accuracy", st.metrics.F1Score(average="macro")])
        history = model.fit(x, y, epochs=2, validation_split=0.3, verbose=0).history
        reports.append((history, model.evaluate(x, y, batch_size=16, verbose=0)))
    assert reports[0] == reports[1] == reports[2]


class Counting(Callback):
    """Writes down every hook."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []
        self.losses: list[float] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.calls.append("train begin")

    def on_train_end(self, logs: Any = None) -> None:
        self.calls.append("train end")

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(f"epoch {epoch}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(f"end {epoch} " + " ".join(logs))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.calls.append(f"batch {batch}")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.losses.append(logs["loss"])

    def on_test_begin(self, logs: Any = None) -> None:
        self.calls.append("test begin")

    def on_test_end(self, logs: Any = None) -> None:
        self.calls.append("test end " + " ".join(logs))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(f"test batch {batch}")

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(f"predict batch {batch}")


def test_hooks_in_their_order() -> None:
    x, y = digits(64)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"])
    counting = Counting()
    history = model.fit(x, y, validation_split=0.5, batch_size=16, verbose=0, callbacks=counting)
    assert counting.calls == [
        "train begin",
        "epoch 0",
        "batch 0",
        "batch 1",
        "test begin",
        "test batch 0",
        "test batch 1",
        "test end loss accuracy",
        "end 0 loss accuracy val_loss val_accuracy",
        "train end",
    ]
    assert counting.losses[-1] == pytest.approx(history.history["loss"][0])
    counting.calls.clear()
    model.predict(x, batch_size=32, callbacks=[counting])
    model.evaluate(x, y, batch_size=64, verbose=0, callbacks=[counting])
    assert counting.calls[:2] == ["predict batch 0", "predict batch 1"]
    assert counting.calls[2:] == ["test begin", "test batch 0", "test end loss accuracy"]


def test_stopping_from_a_callback() -> None:
    x, y = digits(64)

    class Stop(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            if batch == 1:
                self.model.stop_training = True

    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"])
    history = model.fit(x, y, batch_size=16, epochs=5, verbose=0, callbacks=[Stop()], validation_data=(x, y))
    assert model.optimizer.iterations == 2
    assert len(history.history["loss"]) == 1
    assert history.history["val_accuracy"][0] == model.evaluate(x, y, verbose=0)[1]
    model.fit(x, y, batch_size=16, verbose=0)
    assert model.optimizer.iterations == 6


def test_callback_that_fails_leaves_the_model_usable() -> None:
    x, y = digits(64)

    class Fail(Counting):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            raise RuntimeError("enough")

    model = network()
    model.compile("sgd", sparse())
    failing = Fail()
    with pytest.raises(RuntimeError, match="enough"):
        model.fit(x, y, verbose=0, callbacks=[failing])
    assert failing.calls[-1] == "train end"
    model.fit(x, y, verbose=0)


def test_evaluating_from_callbacks() -> None:
    x, y = digits(64)

    class Evaluate(Callback):
        values: list[float]

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            assert logs is not None
            logs["extra"] = model.evaluate(x[:10], y[:10], verbose=0)[0]
            model.train_on_batch(x[:2], y[:2])

    class TooEarly(Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            model.evaluate(x[:10], y[:10], verbose=0)

    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"])
    history = model.fit(x, y, epochs=3, verbose=0, callbacks=[Evaluate()], validation_split=0.2).history
    assert len(history["extra"]) == 3
    with pytest.raises(RuntimeError, match="in the middle of an epoch: evaluate from on_epoch_end"):
        model.fit(x, y, verbose=0, callbacks=[TooEarly()])
    model.fit(x, y, verbose=0)


def test_learning_rate_and_schedules() -> None:
    x, y = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    model = line()
    schedule = st.optimizers.schedules.ExponentialDecay(0.1, decay_steps=4, decay_rate=0.5)
    model.compile(st.optimizers.SGD(schedule), "mse")
    history = model.fit(x, y, batch_size=10, epochs=3, verbose=0).history
    assert history["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125])
    assert model.optimizer.learning_rate == pytest.approx(0.0125)
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    history = model.fit(x, y, verbose=0).history
    assert "learning_rate" not in history
    assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    fixed = st.optimizers.Adam(0.5)
    fixed.learning_rate = 0.25
    model.compile(fixed, "mse")
    assert model.optimizer.learning_rate == 0.25
    for wrong in (True, "0.1", b"1", None, [0.1, 0.2]):
        with pytest.raises(TypeError, match="learning_rate is set to a number, got"):
            fixed.learning_rate = wrong
    assert model.optimizer.learning_rate == 0.25
    assert schedule(0) == pytest.approx(0.1) and schedule(4) == pytest.approx(0.05)


def test_several_outputs() -> None:
    inputs = Input((3,))
    a = Dense(1, name="a")(inputs)
    b = Dense(4, name="b")(inputs)
    model = st.Model(inputs, [a, b], seed=0)
    x, y, z = rng.normal(size=(30, 3)), rng.normal(size=(30, 1)), rng.integers(0, 4, 30)
    model.compile("sgd", {"a": "mse", "b": sparse()}, loss_weights=[2.0, 0.5], metrics={"b": ["accuracy"]})
    report = model.evaluate(x, [y, z], verbose=0, return_dict=True)
    assert list(report) == ["loss", "a_loss", "b_loss", "b_accuracy"]
    first, second = model.predict(x)
    assert report["a_loss"] == pytest.approx(((first - y) ** 2).mean(), rel=1e-5)
    assert report["b_loss"] == pytest.approx(softmax_loss(second, z), rel=1e-5)
    assert report["loss"] == pytest.approx(2 * report["a_loss"] + 0.5 * report["b_loss"], rel=1e-5)
    history = model.fit(x, {"b": z, "a": y}, epochs=3, verbose=0, validation_data=(x, [y, z])).history
    assert history["loss"][-1] < history["loss"][0]
    assert "val_b_accuracy" in history
    assert len(model.loss) == 2


def test_several_inputs() -> None:
    a, b = Input((3,), name="a"), Input((3,), name="b")
    model = st.Model([a, b], Dense(1)(Add()([a, b])), seed=0)
    model.compile("sgd", "mse")
    x, z, y = rng.normal(size=(30, 3)), rng.normal(size=(30, 3)), rng.normal(size=30)
    first = model.evaluate([x, z], y, verbose=0)
    model.fit({"a": x, "b": z}, y, epochs=5, verbose=0)
    assert model.evaluate([x, z], y, verbose=0) < first


def test_metrics_by_name_object_and_class() -> None:
    x, y = digits(50)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy", st.metrics.Recall(average="macro"), st.metrics.ConfusionMatrix])
    report = model.evaluate(x, y, verbose=0, return_dict=True)
    assert list(report) == ["loss", "accuracy", "recall", "confusion_matrix"]
    assert report["confusion_matrix"].sum() == 50
    assert model.fit(x, y, verbose=0).history["confusion_matrix"][0].shape == (10, 10)


def test_metrics_see_logits_as_logits() -> None:
    x, y = rng.normal(size=(200, 3)), rng.integers(0, 2, 200)
    logits = st.Sequential([Input((3,)), Dense(1)], seed=0)
    scores = st.Sequential([Input((3,)), Dense(1, activation="sigmoid")], seed=0)
    logits.compile("sgd", st.losses.BinaryCrossentropy(from_logits=True), metrics=["accuracy", "precision", "auc"])
    scores.compile("sgd", "binary_crossentropy", metrics=["accuracy", "precision", "auc"])
    assert logits.evaluate(x, y, verbose=0) == pytest.approx(scores.evaluate(x, y, verbose=0), rel=1e-5)


def test_loss_called_as_a_function() -> None:
    logits, labels = rng.normal(size=(20, 4)), rng.integers(0, 4, 20)
    assert sparse()(labels, logits) == pytest.approx(softmax_loss(logits, labels), rel=1e-5)
    y, p = rng.normal(size=20), rng.normal(size=20)
    weights = rng.uniform(size=20)
    assert st.losses.MeanSquaredError()(y, p) == pytest.approx(((y - p) ** 2).mean(), rel=1e-5)
    assert st.losses.MeanAbsoluteError()(y, p, weights) == pytest.approx((np.abs(y - p) * weights).mean(), rel=1e-5)
    with pytest.raises(ValueError, match="MeanSquaredError"):
        st.losses.MeanSquaredError()(np.zeros((20, 2)), p)


def test_trainer_of_ones_own() -> None:
    x, y = digits(100)
    model = network()
    counting = Counting()
    trainer = st.Trainer(model, optimizer="adam", loss=sparse(), metrics=["accuracy"], callbacks=[counting], seed=1)
    history = trainer.fit(x, y, epochs=2, verbose=0)
    assert counting.calls.count("train end") == 1
    assert trainer.evaluate(x, y, verbose=0, return_dict=True)["accuracy"] > history.history["accuracy"][0] - 0.2
    assert np.array_equal(trainer.predict(x), model.predict(x))
    assert trainer.model is model
    assert [metric.name for metric in trainer.metrics] == ["accuracy"]
    with pytest.raises(ValueError, match="not compiled"):
        model.fit(x, y)


def test_compile_again_starts_the_optimizer_anew() -> None:
    x, y = digits(64)
    model = network()
    model.compile("adam", sparse())
    model.fit(x, y, verbose=0)
    trained = model.get_weights()
    model.compile(st.optimizers.Adam(1e-4), sparse())
    assert model.optimizer.iterations == 0
    assert all(np.array_equal(a, b) for a, b in zip(trained, model.get_weights(), strict=True))


def test_single_samples_and_whole_sets() -> None:
    x, y = rng.normal(size=(7, 3)), rng.normal(size=(7, 1))
    for batch_size, steps in ((1, 7), (2, 4), (7, 1), (100, 1)):
        model = line()
        model.compile("sgd", "mse")
        model.fit(x, y, batch_size=batch_size, verbose=0)
        assert model.optimizer.iterations == steps


def test_verbose_lines(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = digits(64)
    model = network()
    model.compile("sgd", sparse(), metrics=["accuracy"])
    model.fit(x, y, epochs=2, verbose=2)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "loss" in lines[0] and "accuracy" in lines[0]
    model.fit(x, y)
    model.evaluate(x, y)
    model.predict(x)
    assert capsys.readouterr().out == ""  # no terminal, no words
