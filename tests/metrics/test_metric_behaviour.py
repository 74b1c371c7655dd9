"""What metrics say of hand-made cases: definitions, logits, names, states, and what they refuse."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

import striate as st
from striate import layers, metrics


def test_ratios_of_a_hand_counted_case():
    # TP 3, FP 1, FN 2, TN 4
    true = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0]
    score = np.array([0.9, 0.8, 0.7, 0.2, 0.1, 0.6, 0.3, 0.2, 0.1, 0.0])
    assert metrics.Precision()(true, score) == 3 / 4
    assert metrics.Recall()(true, score) == metrics.Sensitivity()(true, score) == 3 / 5
    assert metrics.Specificity()(true, score) == 4 / 5
    assert metrics.F1Score()(true, score) == pytest.approx(2 / 3)
    assert metrics.Accuracy()(true, score) == 7 / 10
    assert metrics.DiceScore()(true, score) == pytest.approx(2 / 3)
    assert metrics.MeanIoU(average="binary")(true, score) == 3 / 6
    assert metrics.MeanIoU()(true, score) == pytest.approx((3 / 6 + 4 / 7) / 2)
    # Of the 25 pairs: 0.9, 0.8, 0.7 beat all 5; 0.2 beats 2 and ties 1; 0.1 beats 1 and ties 1.
    assert metrics.AUC()(true, score) == pytest.approx((15 + 2.5 + 1.5) / 25)
    np.testing.assert_array_equal(metrics.ConfusionMatrix()(true, score), [[4, 1], [2, 3]])


def test_top_k_calls_the_highest_scores_positive():
    scores = np.array([[0.1, 0.6, 0.3], [0.5, 0.1, 0.4], [0.4, 0.4, 0.2]])
    # Called: {1, 2}, {0, 2}, {0, 1}; the labels 2, 1, 0 are in two of the three pairs.
    assert metrics.Recall(top_k=2)([2, 1, 0], scores) == 2 / 3
    assert metrics.Precision(top_k=2)([2, 1, 0], scores) == 2 / 6
    assert metrics.Recall(0.45, top_k=2)([1, 0, 0], scores) == 2 / 3
    assert metrics.Recall(top_k=2, class_id=1)([2, 1, 0], scores) == 0.0


def test_a_score_at_the_threshold_is_negative():
    assert metrics.Accuracy()([0, 0], np.array([0.5, 0.5])) == 1.0
    assert metrics.Precision(0.0)([1], np.array([0.0])) == 0.0


def test_the_mean_over_an_epoch_is_not_the_mean_of_batches():
    metric = metrics.Precision()
    metric.update_state([1, 0, 0], np.array([0.9, 0.9, 0.9]))  # 1 of 3
    metric.update_state([1], np.array([0.9]))  # 1 of 1
    assert metric.result() == 2 / 4


@pytest.mark.parametrize(
    "metric",
    [
        metrics.Accuracy,
        metrics.BinaryAccuracy,
        metrics.Precision,
        metrics.Specificity,
        metrics.DiceScore,
        metrics.MeanIoU,
        metrics.ConfusionMatrix,
    ],
)
def test_logits_are_cut_at_zero(metric):
    random = np.random.default_rng(0)
    true, logits = random.integers(0, 2, 50), random.normal(0, 1, (50, 1))
    probability = 1 / (1 + np.exp(-logits))
    expected = metric()(true, probability)
    bound = metric()
    bound.bind(True, (None, 1))
    told = metric(from_logits=True)
    told.bind(False, (None, 1))  # the setting of the user is kept
    np.testing.assert_array_equal(bound(true, logits), expected)
    np.testing.assert_array_equal(told(true, logits), expected)
    assert not np.array_equal(metric(from_logits=False)(true, logits), expected)


def test_other_thresholds_move_with_logits():
    logits = np.linspace(-4, 4, 33)
    true = (np.arange(33) % 3 == 0).astype(int)
    probability = 1 / (1 + np.exp(-logits))
    cuts = [0.0, 0.2, 0.5, 0.7, 1.0]
    np.testing.assert_array_equal(
        metrics.Recall(cuts, from_logits=True)(true, logits), metrics.Recall(cuts)(true, probability)
    )


def test_auc_does_not_care_about_logits_of_one_score():
    random = np.random.default_rng(1)
    true, logits = random.integers(0, 2, 40), random.normal(0, 1, 40)
    assert metrics.AUC(from_logits=True)(true, logits) == metrics.AUC()(true, 1 / (1 + np.exp(-logits)))


def test_auc_of_confident_logits_survives_where_the_softmax_rounds_to_one():
    logits = np.array([[50.0, 0, 0], [60.0, 0, 0], [0, 1.0, 0]])  # both first probabilities are 1.0 in float64
    each = metrics.AUC(average=None, from_logits=True)([1, 0, 2], logits)
    assert each[0] == 1.0


def test_auc_class_0_of_one_score_mirrors_class_1_under_roc():
    true, score = [0, 0, 1, 1], np.array([0.1, 0.6, 0.4, 0.9])
    assert metrics.AUC(class_id=0)(true, score) == metrics.AUC()(true, score) == 0.75


def test_auc_keeps_no_view_of_the_callers_buffers():
    true, score = np.array([0, 1]), np.array([0.1, 0.9])
    metric = metrics.AUC()
    metric.update_state(true, score)
    true[:], score[:] = 0, 0.5
    metric.update_state(true, score)
    assert metric.result() == 1.0


def test_auc_that_is_not_defined_is_nan():
    assert math.isnan(metrics.AUC().result())
    assert math.isnan(metrics.AUC()([1, 1], np.array([0.2, 0.3])))
    assert math.isnan(metrics.AUC()([0, 1], np.array([0.2, math.nan])))
    assert metrics.AUC(curve="PR")([0, 0], np.array([0.2, 0.3])) == 0.0


def test_nothing_predicted_or_nothing_seen_is_zero():
    for cls in (metrics.Precision, metrics.Recall, metrics.Specificity, metrics.F1Score):
        assert cls().result() == 0.0
        assert cls(average="macro").result() == 0.0
    assert metrics.Precision()([1, 1], np.array([0.1, 0.2])) == 0.0
    assert metrics.Recall()([0, 0], np.array([0.9, 0.2])) == 0.0
    assert metrics.Accuracy().result() == metrics.MeanSquaredError().result() == 0.0


@pytest.mark.parametrize("cls", [metrics.MeanIoU, metrics.DiceScore])
def test_overlap_of_a_class_that_is_nowhere_is_nan(cls):
    true = np.array([[[0, 0, 1, 1]]])
    scores = np.eye(4)[true]
    np.testing.assert_array_equal(cls(4, average=None)(true, scores), [1, 1, np.nan, np.nan])
    assert np.isnan(cls(4, class_id=2)(true, scores))
    for average in ("macro", "micro", "weighted"):
        assert cls(4, average=average)(true, scores) == 1.0
        assert np.isnan(cls(4, average=average).result())  # before any data
    assert np.isnan(cls(2, average="macro", include_background=False)(0 * true, np.eye(2)[0 * true]))
    assert cls(average=None)(true, np.eye(4)[1 - true]).tolist()[:2] == [0, 0]  # always missed


def test_reset_forgets_all():
    true, score = np.array([0, 1, 1]), np.array([0.2, 0.9, 0.3])
    for name in ("accuracy", "precision", "auc", "mean_iou", "confusion_matrix", "mse"):
        metric = metrics.get(name)
        first = np.copy(metric(true, score))
        metric(1 - true, score)
        metric.reset_state()
        np.testing.assert_array_equal(metric(true, score), first)


def test_averages_leave_out_classes_that_do_not_occur():
    scores = np.eye(4)[[0, 1, 1]]
    assert metrics.Recall(average="macro")([0, 0, 1], scores) == (0.5 + 1.0) / 2
    np.testing.assert_array_equal(metrics.Recall(average=None)([0, 0, 1], scores), [0.5, 1, 0, 0])


def test_two_softmax_scores_are_a_binary_problem():
    scores = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.7, 0.3]])
    true = [0, 0, 1, 1]
    assert metrics.Sensitivity()(true, scores) == metrics.Sensitivity(class_id=1)(true, scores) == 0.5
    assert metrics.Specificity()(true, scores) == 0.5
    assert metrics.Specificity(class_id=0)(true, scores) == metrics.Sensitivity()(true, scores)


def test_specificity_does_not_mistake_rounding_for_a_true_negative():
    # Every item is of class 2, so class 2 has no negatives; by subtraction their weight would be about 1e-17, not 0.
    weight = np.array([0.1, 0.2, 0.3, 0.7])
    scores = np.eye(3)[[2, 2, 2, 2]]
    np.testing.assert_array_equal(metrics.Specificity(average=None)([2, 2, 2, 2], scores, weight), [1, 1, 0])


def test_weights_are_as_repeated_items():
    random = np.random.default_rng(2)
    true, scores = random.integers(0, 4, 30), random.random((30, 4))
    times = random.integers(0, 4, 30)
    for name in ("accuracy", "f1", "specificity", "auc", "confusion_matrix"):
        weighted = metrics.get(name)(true, scores, times)
        np.testing.assert_allclose(weighted, metrics.get(name)(true.repeat(times), scores.repeat(times, axis=0)))


def test_segmentation_from_scores_label_maps_and_one_hot_is_the_same():
    random = np.random.default_rng(3)
    true, scores = random.integers(0, 3, (2, 5, 4)), random.random((2, 5, 4, 3)).astype(np.float32)
    maps = scores.argmax(axis=-1)
    intersection = np.array([np.sum((true == c) & (maps == c)) for c in range(3)])
    union = np.array([np.sum((true == c) | (maps == c)) for c in range(3)])
    for labels, pred in ((true, scores), (true[..., None], scores), (np.eye(3)[true], scores), (true, maps)):
        iou = metrics.MeanIoU(num_classes=3)
        assert iou(labels, pred) == pytest.approx(np.mean(intersection / union))
        np.testing.assert_allclose(iou.per_class(), intersection / union)
        dice = metrics.DiceScore()
        assert dice(labels, pred) == pytest.approx(np.mean(2 * intersection / (intersection + union)))
        np.testing.assert_allclose(dice.per_class(), 2 * intersection / (intersection + union))
        assert metrics.Accuracy()(labels, pred) == np.mean(true == maps)
    flagged = metrics.MeanIoU(3, sparse_y_true=False, sparse_y_pred=False)(np.eye(3)[true], scores)
    assert flagged == metrics.MeanIoU(3, sparse_y_pred=True)(true, maps.astype(np.float32)) == iou.result()


def test_binary_segmentation():
    true = np.array([[[0, 1], [1, 1]]])
    scores = np.array([[[0.2, 0.9], [0.8, 0.1]]], np.float32)[..., None]
    assert metrics.DiceScore()(true, scores) == 2 * 2 / (2 + 3)
    assert metrics.MeanIoU()(true[..., None], scores) == (2 / 3 + 1 / 2) / 2
    assert metrics.MeanIoU(include_background=False)(true, scores) == 2 / 3


def test_ignored_pixels_do_not_count():
    true = np.array([[[0, 1, 255], [2, 255, 1]]])
    pred = np.array([[[0, 1, 2], [1, 0, 1]]])
    scores = np.eye(3)[pred]
    kept = true != 255
    assert metrics.MeanIoU(ignore_class=255)(true, scores) == metrics.MeanIoU()(true[kept], scores[kept])
    assert metrics.Accuracy(ignore_class=255)(true, scores) == 3 / 4
    assert metrics.TopKAccuracy(2, ignore_class=255)(true, scores, np.ones((1, 2, 3))) == 3 / 4
    weight = np.array([[[1.0, 2, 9], [3, 9, 4]]])
    assert metrics.Accuracy(ignore_class=255)(true, scores, weight) == 7 / 10
    matrix = metrics.ConfusionMatrix(ignore_class=255)(true, pred)
    np.testing.assert_array_equal(matrix, [[1, 0, 0], [0, 2, 0], [0, 1, 0]])


def test_an_ignored_class_is_no_part_of_the_mean_but_background_counts():
    true, pred = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 0, 2])
    each = metrics.DiceScore(average=None)(true, pred)
    assert metrics.DiceScore(include_background=False)(true, pred) == pytest.approx(each[1:].mean())
    # Ignored: pixels that truly are 0 are dropped, so the false positive for class 1 is gone.
    ignored = metrics.DiceScore(ignore_class=0)(true, pred)
    assert ignored == pytest.approx((2 / 3 + 1) / 2)


def test_a_weight_for_each_example_reaches_its_pixels():
    true, pred = np.array([[[0, 1]], [[1, 1]]]), np.array([[[0, 0]], [[1, 1]]])
    by_example = metrics.Accuracy()(true, pred, [3.0, 1.0])
    assert by_example == metrics.Accuracy()(true, pred, [[[3.0, 3.0]], [[1.0, 1.0]]]) == (3 + 2) / 8


def test_integer_predictions_grow_the_matrix():
    metric = metrics.ConfusionMatrix()
    metric.update_state([0, 1], [0, 1])
    metric.update_state([3], [1])
    np.testing.assert_array_equal(metric.result(), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 0], [0, 1, 0, 0]])


def test_a_small_batch_over_many_classes_counts_the_same():
    random = np.random.default_rng(4)
    true, pred, weight = random.integers(0, 60, 5000), random.integers(0, 60, 5000), random.random(5000)
    whole, parts = metrics.ConfusionMatrix(60), metrics.ConfusionMatrix(60)
    whole.update_state(true, pred, weight)  # more items than bins
    for start in range(0, 5000, 7):  # fewer
        parts.update_state(true[start : start + 7], pred[start : start + 7], weight[start : start + 7])
    np.testing.assert_array_equal(whole.result(), parts.result())


def test_empty_batches_and_infinite_scores_are_no_error():
    metric = metrics.Accuracy()
    metric.update_state(np.zeros((0,), int), np.zeros((0, 3)))
    metric.update_state([1], np.array([[-math.inf, math.inf, math.nan]]))
    assert metric.result() == 0.0  # NaN is the highest, as in argmax
    assert metrics.ConfusionMatrix(3)(np.zeros((0,), int), np.zeros((0, 3))).sum() == 0
    assert math.isnan(metrics.MeanSquaredError()([1.0], [math.nan]))


def test_read_only_and_strided_arrays_work():
    scores = np.arange(24, dtype=np.float32).reshape(4, 6)[:, ::2]
    scores.flags.writeable = False
    assert metrics.Accuracy()(np.array([9, 2, 9, 2, 9, 2, 9, 2])[1::2], scores) == 1.0
    assert metrics.AUC(average="micro")([0, 1, 2, 2], scores) > 0


def test_names():
    assert {name: metrics.get(name).name for name in ("acc", "mse", "f1", "sensitivity", "dice", "mean_iou")} == {
        name: name for name in ("acc", "mse", "f1", "sensitivity", "dice", "mean_iou")
    }
    expected = {
        "accuracy": metrics.Accuracy,
        "precision": metrics.Precision,
        "recall": metrics.Recall,
        "specificity": metrics.Specificity,
        "auc": metrics.AUC,
        "mae": metrics.MeanAbsoluteError,
        "rmse": metrics.RootMeanSquaredError,
        "top_k_accuracy": metrics.TopKAccuracy,
    }
    for name, cls in expected.items():
        assert type(metrics.get(name)) is cls
    own = metrics.F1Score(average="macro", name="mine")
    assert metrics.get(own) is own and own.name == "mine"
    assert type(metrics.get(metrics.AUC)) is metrics.AUC and metrics.AUC().name == "auc"
    assert metrics.MeanSquaredError().name == "mean_squared_error"
    with pytest.raises(ValueError, match=r"no metric is named 'acuracy'; did you mean 'accuracy'"):
        metrics.get("acuracy")
    with pytest.raises(TypeError, match="a metric must be a name, a Metric, its class or a function, got int"):
        metrics.get(3)


def test_a_metric_of_ones_own():
    class MeanBias(metrics.Metric):
        def __init__(self, name=None):
            super().__init__(name)
            self.reset_state()

        def reset_state(self):
            self.total, self.count = 0.0, 0

        def update_state(self, y_true, y_pred, sample_weight=None):
            self.total += float(np.sum(np.asarray(y_pred) - y_true))
            self.count += np.size(y_true)

        def result(self):
            return self.total / max(self.count, 1)

    metric = metrics.get(MeanBias)
    metric.bind(True, (None, 1))
    assert metric.name == "mean_bias" and metric.from_logits
    assert metric([1.0, 2.0], [2.0, 2.0]) == 0.5


class Writing(metrics.Metric):
    """Writes into all that it is given, where it can."""

    def __init__(self):
        super().__init__("writing")
        self.checked, self.seen = [], []

    def reset_state(self):
        pass

    def check_targets(self, y_true, output_shape, sample_weight):
        self.checked += self.tried(y_true, sample_weight)

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.seen += self.tried(y_true, y_pred, sample_weight)

    def tried(self, *arrays):
        for array in arrays:
            with pytest.raises(ValueError, match="read-only"):
                array[...] = 0
        return [array.shape for array in arrays]

    def result(self):
        return 0.0


@pytest.mark.parametrize("shuffle", [False, True])
def test_metrics_cannot_write_into_the_callers_arrays(shuffle):
    x, y, weight = np.ones((6, 2), np.float32), np.full((6, 1), 2.0, np.float32), np.full(6, 3.0, np.float32)
    model = st.Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    writing = Writing()
    model.compile(st.optimizers.SGD(0.0), "mse", weighted_metrics=[writing, "mae", "mse"])
    history = model.fit(x, y, sample_weight=weight, validation_data=(x, y, weight), shuffle=shuffle, verbose=0).history
    model.evaluate(x, y, sample_weight=weight, verbose=0)
    assert (y == 2).all() and (weight == 3).all() and y.flags.writeable and weight.flags.writeable
    assert writing.seen == [(6, 1), (6, 1), (6,)] * 3 and writing.checked == [(6, 1), (6,)] * 3
    assert history["mae"] == history["val_mae"] == [0.0]


BUILT_IN = sorted(set(metrics.__all__) - {"Metric", "MeanAveragePrecision", "FunctionMetric"})


@pytest.mark.parametrize("name", [one for one in BUILT_IN if isinstance(getattr(metrics, one), type)])
def test_metrics_of_the_library_do_not_write(name):
    kind = getattr(metrics, name)
    if not issubclass(kind, metrics.Metric):
        return
    labels, scores, weight = np.array([0, 1, 1, 0]), np.array([0.1, 0.9, 0.3, 0.6]), np.array([1.0, 2.0, 3.0, 1.0])
    if name in ("CategoricalAccuracy", "SparseCategoricalAccuracy") or "TopK" in name:
        scores = np.stack([1 - scores, scores], axis=1)
    if name == "CategoricalAccuracy":
        labels = np.eye(2)[labels]
    for made in (kind(), kind()) if "TopK" not in name else (kind(1), kind(1)):
        free = made(labels.copy(), scores.copy(), weight.copy())
        made.reset_state()
        for array in (labels, scores, weight):
            array.flags.writeable = False
        np.testing.assert_array_equal(made(labels, scores, weight), free)


def test_bind_fixes_the_number_of_classes():
    metric = metrics.Recall(average=None)
    metric.bind(False, (None, 4))
    np.testing.assert_array_equal(metric([0, 1], np.array([0, 1])), [1, 1, 0, 0])


def test_report():
    report = metrics.classification_report([0, 0, 1, 2], [0, 1, 1, 1], ["cat", "dog", "owl"])
    assert json.loads(json.dumps(report)) == report
    assert report["accuracy"] == 0.5 and report["support"] == 4
    assert report["classes"]["dog"] == {
        "precision": 1 / 3,
        "sensitivity": 1.0,
        "specificity": 1 / 3,
        "f1": 0.5,
        "support": 1.0,
    }
    assert report["classes"]["owl"]["precision"] == 0.0
    assert report["macro"]["sensitivity"] == pytest.approx((0.5 + 1 + 0) / 3)
    assert report["weighted"]["precision"] == pytest.approx((2 * 1 + 1 / 3 + 0) / 4)
    logits = metrics.classification_report([0, 1], np.array([-0.2, 0.2]), from_logits=True)
    assert logits["accuracy"] == 1.0 and list(logits["classes"]) == ["0", "1"]


WRONG = [
    (metrics.Accuracy(), [0, 1], np.zeros((3, 4)), r"y_true of shape \(2,\) does not fit y_pred of shape \(3, 4\)"),
    (metrics.Accuracy(), np.zeros((4, 1)), np.zeros((1, 4)), r"\(4, 1\) does not fit y_pred of shape \(1, 4\)"),
    (metrics.Accuracy(), np.zeros(1), np.zeros(5), r"y_true of shape \(1,\) does not fit y_pred of shape \(5,\)"),
    (metrics.AUC(), [0, 1, 1], np.zeros(2), r"y_true of shape \(3,\) does not fit y_pred of shape \(2,\)"),
    (metrics.MeanSquaredError(), np.zeros(4), np.zeros((4, 4)), r"\(4,\) does not fit y_pred of shape \(4, 4\)"),
    (metrics.MeanAbsoluteError(), np.zeros((4, 1)), np.zeros((1, 4)), r"\(4, 1\) does not fit y_pred of shape"),
    (metrics.Precision(0.5), np.zeros((2, 3)), np.zeros((2, 4)), r"\(2, 3\) does not fit y_pred of shape \(2, 4\)"),
    (metrics.AUC(multi_label=True), np.zeros(3), np.zeros(4), r"\(3,\) does not fit y_pred of shape \(4,\); several"),
    (metrics.Accuracy(), [0, 4], np.zeros((2, 4)), "holds the label 4, expected 0 to 3; .* pass ignore_class=4"),
    (metrics.MeanIoU(), [-1, 0], np.zeros((2, 4)), "holds the label -1, expected 0 to 3; .* pass ignore_class=-1"),
    (metrics.MeanIoU(3), [1, 0], [1, 3], "y_pred holds the label 3, expected 0 to 2$"),
    (metrics.Recall(), [0, 2], np.zeros(2), "y_true holds the label 2, expected 0 to 1"),
    (metrics.Accuracy(), [0.5, 1.0], np.zeros(2), "must hold whole class numbers, got 0.5"),
    (metrics.Accuracy(), [math.nan, 1.0], np.zeros(2), "must hold whole class numbers, got nan"),
    (metrics.Accuracy(), [[1, 1, 0]], np.zeros((1, 3)), "one-hot .* sums to 2; if items have several labels"),
    (metrics.SparseCategoricalAccuracy(), np.eye(3), np.eye(3), "use CategoricalAccuracy for one-hot labels"),
    (metrics.CategoricalAccuracy(), [0, 1], np.zeros((2, 3)), "use SparseCategoricalAccuracy for integer labels"),
    (metrics.TopKAccuracy(5), [0, 1], np.zeros((2, 4)), r"k=5 needs at least 5 classes, got scores of shape \(2, 4\)"),
    (metrics.TopKAccuracy(1), [0, 1], np.zeros(2), "needs C scores for each item"),
    (metrics.Precision(num_classes=3), [0, 1], np.zeros((2, 4)), r"made for 3 classes, got y_pred of shape \(2, 4\)"),
    (metrics.Precision(top_k=2), [0, 1], np.zeros(2), r"top_k needs C scores for each item, got y_pred of shape"),
    (metrics.Precision(0.5, ignore_class=0), [0, 1], np.zeros((2, 3)), "ignore_class does not go with thresholds"),
    (metrics.Accuracy(), 1, 1, r"y_true must have at least one axis \(the batch\), got the single number 1"),
    (metrics.Accuracy(), np.zeros(2), np.zeros((2, 0)), r"y_pred of shape \(2, 0\) has no classes"),
]


@pytest.mark.parametrize(("metric", "true", "pred", "message"), WRONG)
def test_wrong_batches(metric, true, pred, message):
    with pytest.raises(ValueError, match=message):
        metric.update_state(true, pred)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (
            np.ones(3),
            r"sample_weight of shape \(3,\) does not fit labels of shape \(2, 5\); give one weight for each example",
        ),
        (np.ones((2, 4)), r"sample_weight of shape \(2, 4\) does not fit labels of shape \(2, 5\)"),
        (np.ones((1, 5)), r"sample_weight of shape \(1, 5\) does not fit labels of shape \(2, 5\)"),
        ([1.0, -2.0], "sample_weight must be at least 0, got -2.0"),
        (2.0, "sample_weight must have at least one axis"),
    ],
)
def test_wrong_weights(weight, message):
    for metric in (metrics.Accuracy(), metrics.AUC(), metrics.F1Score()):
        with pytest.raises(ValueError, match=message):
            metric.update_state(np.zeros((2, 5)), np.zeros((2, 5, 3)), weight)


def test_wrong_kinds():
    with pytest.raises(TypeError, match="Accuracy 'accuracy': y_true must hold numbers, got dtype <U3"):
        metrics.Accuracy().update_state(["cat", "dog"], [0, 1])
    with pytest.raises(TypeError, match="TopKAccuracy: k must be an integer, got float"):
        metrics.TopKAccuracy(2.0)
    with pytest.raises(TypeError, match="Precision: name must be a string, got float"):
        metrics.Precision(name=0.5)
    with pytest.raises(TypeError, match="a threshold must be a number, got str"):
        metrics.BinaryAccuracy(threshold="half")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: metrics.Precision(average="mean"), "average must be one of 'auto', .* got 'mean'"),
        (lambda: metrics.Precision(1.5), "a threshold is a probability from 0 to 1 .* got 1.5"),
        (lambda: metrics.Precision([]), "thresholds is empty"),
        (lambda: metrics.Recall(class_id=-1), "class_id must be at least 0, got -1"),
        (lambda: metrics.Recall(class_id=3, num_classes=3), "class_id 3 is not one of 3 classes"),
        (lambda: metrics.MeanIoU(1), "num_classes must be at least 2, got 1"),
        (lambda: metrics.AUC(curve="roc"), "curve must be 'ROC' or 'PR', got 'roc'"),
        (lambda: metrics.AUC(average="binary"), "average must be one of .* got 'binary'"),
        (lambda: metrics.TopKAccuracy(0), "k must be at least 1, got 0"),
        (lambda: metrics.ConfusionMatrix(normalize="rows"), "normalize must be None, .* got 'rows'"),
        (lambda: metrics.classification_report([0], [0], ["a", "a"]), "class_names must be distinct"),
        (lambda: metrics.classification_report([0, 2], [0, 1], ["a", "b"]), "label 2, expected 0 to 1"),
    ],
)
def test_wrong_settings(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (metrics.Precision(average="binary"), r"average='binary' needs two classes, the model's output is \(None, 4\)"),
        (metrics.Recall(class_id=4), r"class_id 4 is not one of the classes of output \(None, 4\)"),
        (metrics.AUC(class_id=4), r"class_id 4 is not one of the classes of output \(None, 4\)"),
        (metrics.MeanIoU(3), r"made for 3 classes, got a model with output \(None, 4\)"),
        (metrics.ConfusionMatrix(5), r"made for 5 classes, got a model with output \(None, 4\)"),
        (metrics.TopKAccuracy(), r"k=5 needs at least 5 classes, got scores of shape \(None, 4\)"),
    ],
)
def test_bind_refuses_what_the_model_cannot_give(metric, message):
    with pytest.raises(ValueError, match=message):
        metric.bind(False, (None, 4))


def test_classes_found_too_late_are_refused_too():
    binary = metrics.Precision(average="binary")
    binary.update_state([0, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match="average='binary' needs two classes, got 3"):
        binary.result()
    changing = metrics.AUC()
    changing.update_state([0, 1], np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"AUC 'auc' has scores of shape \(2, 3\), now got y_pred \(2, 4\)"):
        changing.update_state([0, 1], np.zeros((2, 4)))
    chosen = metrics.Recall(class_id=3)
    chosen.update_state([0, 1], [0, 1])
    with pytest.raises(ValueError, match="class_id 3 is not one of 2 classes"):
        chosen.result()
