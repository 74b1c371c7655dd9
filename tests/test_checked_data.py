"""What a loss or a metric cannot take is found before the first step; what a loss leaves out, metrics leave out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers, losses, metrics

NAMES = ("accuracy", "mean_iou", "dice", "f1", "precision", "recall", "specificity", "auc", "confusion_matrix")


class Steps(st.callbacks.Callback):
    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.count += 1


def maps(metric: Any, loss: Any = None, weighted: Any = None) -> st.Sequential:
    model = st.Sequential([st.Input((8, 8, 1)), layers.Conv2D(3, 1)], seed=0)
    loss = loss or losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(st.optimizers.SGD(0.0), loss, metrics=metric, weighted_metrics=weighted)
    return model


def columns(metric: Any, loss: Any = "binary_crossentropy", activation: str | None = "sigmoid") -> st.Sequential:
    model = st.Sequential([st.Input((5,)), layers.Dense(3, activation=activation)], seed=0)
    model.compile(st.optimizers.SGD(0.0), loss, metrics=[metric])
    return model


def refused(model: st.Model, x: Any, y: Any, message: str, **more: Any) -> None:
    steps = Steps()
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0, callbacks=steps, batch_size=2, **more)
    assert steps.count == 0


RNG = np.random.default_rng(0)
X, Y = RNG.random((9, 8, 8, 1)).astype(np.float32), RNG.integers(0, 3, (9, 8, 8))
Y[0, 0, 0] = Y[3, :4] = 255


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("make", [losses.SparseCategoricalCrossentropy, losses.Dice, losses.Tversky])
def test_metrics_leave_out_what_the_loss_leaves_out(name: str, make: Any) -> None:
    model = maps([name], make(from_logits=True, ignore_class=255))
    logs = model.evaluate(X, Y, batch_size=2, verbose=0, return_dict=True)
    kept, scores = Y != 255, model.predict(X)
    metric = metrics.get(name)
    metric.bind(True, (None, 3))
    np.testing.assert_allclose(logs[name], metric(Y[kept], scores[kept]), rtol=1e-12)
    model.fit(X, Y, verbose=0, validation_data=(X, Y))


def test_the_metrics_own_class_is_left_out_too() -> None:
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    model = maps([metrics.MeanIoU(ignore_class=0), metrics.TopKAccuracy(2, ignore_class=1)], loss)
    logs, scores = model.evaluate(X, Y, verbose=0, return_dict=True), model.predict(X)
    kept = (Y != 255) & (Y != 0)
    right = metrics.MeanIoU(3, ignore_class=0)(Y[kept], scores[kept])
    assert logs["mean_iou"] == right
    kept = (Y != 255) & (Y != 1)
    assert logs["top_k_accuracy"] == metrics.TopKAccuracy(2)(Y[kept], scores[kept])
    # A class of the output that the loss leaves out has no share in means.
    y = np.where(Y == 255, 0, Y)
    model = maps([metrics.MeanIoU()], losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0))
    assert model.evaluate(X, y, verbose=0)[1] == metrics.MeanIoU(3, ignore_class=0)(y, scores)


def test_sums_leave_out_what_all_their_losses_leave_out() -> None:
    entropy = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255)
    dice = losses.Dice(from_logits=True, ignore_class=255)
    maps(["accuracy"], entropy + dice).fit(X, Y, verbose=0)
    assert (entropy + losses.Dice(from_logits=True)).ignored_class is None


@pytest.mark.parametrize("name", NAMES)
def test_labels_are_checked_before_the_first_step(name: str) -> None:
    # The output has 3 columns without a loss of labels: only the metric knows.
    a = st.Input((8, 8, 1))
    outputs = [layers.Conv2D(3, 1, name="one")(a), layers.Conv2D(3, 1, name="two")(a)]
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    good = np.where(Y == 255, 0, Y)
    for options in ({"metrics": {"two": [name]}}, {"weighted_metrics": {"two": [name]}}):
        model = st.Model(a, outputs, seed=0)
        model.compile("sgd", {"one": loss}, **options)
        message = "holds the label 255, expected 0 to 2"
        for more in ({}, {"steps_per_epoch": 1}, {"augment": st.data.Augment()}, {"sample_weight": np.ones(9)}):
            refused(model, X, [good, Y], message, **more)
        refused(model, X, [good, good], message, validation_data=(X, [good, Y]))
        with pytest.raises(ValueError, match=message):
            model.evaluate(X, [good, Y], verbose=0)
        model.fit(X, [good, good], verbose=0, validation_data=(X, [good, good]))


def test_validation_labels_are_checked_by_the_loss_before_the_first_step() -> None:
    good, bad = np.zeros((9, 8, 8), int), np.full((9, 8, 8), 3)
    message = "labels must be within 0 to 2"
    refused(maps(None), X, good, message, validation_data=(X, bad))
    refused(maps(None), X, np.concatenate([good[:5], bad[5:]]), message, validation_split=0.3)
    weights = np.ones(9)
    weights[-1] = np.nan
    refused(maps(None), X, good, "sample weights must be finite", validation_data=(X, good, weights))


def test_shapes_that_a_metric_cannot_take() -> None:
    x, y = RNG.random((6, 5)).astype(np.float32), RNG.integers(0, 3, 6)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    refused(columns("mse", loss, None), x, y, r"y_true of shape \(6,\) does not fit y_pred of shape \(6, 3\)")
    refused(columns("binary_accuracy", loss, None), x, y, "does not fit")
    marks = np.array([[1, 1, 0]] * 6)
    refused(columns("confusion_matrix"), x, marks, "each row must be one-hot")
    refused(columns("categorical_accuracy"), x, marks, "each row must be one-hot")


@pytest.mark.parametrize("logits", [False, True])
def test_columns_of_binary_crossentropy_are_labels_of_their_own(logits: bool) -> None:
    from sklearn import metrics as sk

    x, y = RNG.random((40, 5)).astype(np.float32) * 4 - 2, RNG.integers(0, 2, (40, 3))
    y[:, 2] = RNG.random(40) < 0.1
    for loss in (losses.BinaryCrossentropy(from_logits=logits), losses.BinaryFocalCrossentropy(from_logits=logits)):
        for name, right in (
            ("accuracy", lambda p, s: (p == y).mean()),
            ("precision", lambda p, s: sk.precision_score(y, p, average="micro")),
            ("recall", lambda p, s: sk.recall_score(y, p, average="micro")),
            ("f1", lambda p, s: sk.f1_score(y, p, average="micro")),
            ("auc", lambda p, s: sk.roc_auc_score(y, s, average="micro")),
            (metrics.Precision(average="macro"), lambda p, s: sk.precision_score(y, p, average="macro")),
            (metrics.Recall(class_id=2), lambda p, s: sk.recall_score(y[:, 2], p[:, 2])),
            (metrics.AUC(average=None), lambda p, s: sk.roc_auc_score(y, s, average=None)),
            (metrics.AUC(multi_label=True), lambda p, s: sk.roc_auc_score(y, s, average="macro")),
        ):
            model = columns(name, loss, None if logits else "sigmoid")
            scores = model.predict(x)
            got = model.evaluate(x, y, batch_size=7, verbose=0)[1]
            expected = right((scores > (0.0 if logits else 0.5)).astype(int), scores)
            np.testing.assert_allclose(got, expected, rtol=1e-9)
            model.fit(x, y, verbose=0, validation_data=(x, y))


def test_class_weights_need_one_class_for_each_item() -> None:
    x = RNG.random((6, 5)).astype(np.float32)
    with pytest.raises(ValueError, match="class_weight needs one class for each item"):
        columns("accuracy").fit(x, np.ones((6, 3)), class_weight={0: 2.0}, verbose=0)
    columns("accuracy").fit(x, np.eye(3)[[0, 1, 2, 0, 1, 2]], class_weight={0: 2.0}, verbose=0)


def test_metrics_of_ones_own_see_what_they_saw() -> None:
    class Share(metrics.Metric):
        def __init__(self) -> None:
            super().__init__("share")
            self.reset_state()

        def reset_state(self) -> None:
            self.seen: list[Any] = []

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
            self.seen.append(y_true.shape)

        def result(self) -> float:
            return float(len(self.seen))

    share = Share()
    model = maps([share], losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=255))
    assert model.evaluate(X, Y, verbose=0)[1] == 1
    assert share.seen == [Y.shape] and share.ignored_labels == (255,)


def test_missing_targets_are_refused():
    x, y = np.zeros((6, 3), np.float32), np.zeros((6, 2))
    y[4, 1] = np.nan
    model = st.Sequential([st.Input((3,)), st.layers.Dense(2)], seed=0)
    model.compile("sgd", "mse")
    before = model.get_weights()
    for call in (
        lambda: model.fit(x, y, verbose=0),
        lambda: model.fit(x, np.zeros((6, 2)), validation_data=(x, y), verbose=0),
        lambda: model.evaluate(x, y, verbose=0),
        lambda: model.train_on_batch(x, y),
        lambda: model.test_on_batch(x, y.astype(np.float32)),
        lambda: st.losses.Huber()(y, np.zeros((6, 2))),
    ):
        with pytest.raises(
            ValueError, match=r"expects numbers as targets, got NaN in row 4 of y; .* sample_weight of 0"
        ):
            call()
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # What the message says works: the row counts for nothing.
    weights = np.array([1, 1, 1, 1, 0, 1], np.float32)
    model.fit(x, np.nan_to_num(y), sample_weight=weights, verbose=0)
