"""Every metric beside scikit-learn, on drawn cases: ties, weights, missing classes, any cut into batches."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from striate import metrics

sk = pytest.importorskip("sklearn.metrics")

AVERAGES = ("micro", "macro", "weighted", None)
FORMS = ("sparse", "sparse column", "one-hot")


def drawn(*strategies):
    """`given`, with fewer cases than its default: there are many such tests, and scikit-learn is slow to call."""
    return lambda test: settings(max_examples=60, deadline=None)(given(*strategies)(test))


@dataclass
class Case:
    """N drawn items of C classes (1 column of scores for C = 2 in a binary case)."""

    labels: np.ndarray  # (N,)
    scores: np.ndarray  # (N,) or (N, C)
    weight: np.ndarray | None
    cuts: list[int]
    classes: int

    def measure(self, metric, labels=None, scores=None):
        """The metric's result, after checking that batches of any size give the same bits."""
        labels = self.labels if labels is None else labels
        scores = self.scores if scores is None else scores
        metric.reset_state()
        metric.update_state(labels, scores, self.weight)
        whole = metric.result()
        metric.reset_state()
        for start, end in zip([0, *self.cuts], [*self.cuts, len(labels)], strict=True):
            part = None if self.weight is None else self.weight[start:end]
            metric.update_state(labels[start:end], scores[start:end], part)
        np.testing.assert_array_equal(metric.result(), whole)
        return whole

    def in_form(self, form):
        if form == "sparse column":
            return self.labels[:, None]
        return np.eye(self.classes, dtype=np.float32)[self.labels] if form == "one-hot" else self.labels


def score_arrays(shape):
    """Probabilities with many ties and few."""
    coarse = hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0]))
    fine = hnp.arrays(np.float32, shape, elements=st.floats(0.0, 1.0, width=32))
    return coarse | fine


@st.composite
def cases(draw, classes=None, binary=False, zero_weights=True):
    count = draw(st.integers(1, 24))
    classes = 2 if binary else draw(st.integers(2, 6)) if classes is None else classes
    used = draw(st.lists(st.integers(0, classes - 1), min_size=1, unique=True))
    labels = draw(hnp.arrays(np.int64, count, elements=st.sampled_from(used)))
    scores = draw(score_arrays(count if binary else (count, classes)))
    values = st.floats(0.0 if zero_weights else 0.01, 3.0)
    weight = draw(st.none() | hnp.arrays(np.float64, count, elements=values))
    assume(weight is None or weight.sum() > 0.1)
    cuts = sorted(draw(st.lists(st.integers(0, count), max_size=4)))
    return Case(labels, scores, weight, cuts, classes)


def close(actual, expected):
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6)


def specificity(labels, pred, weight, average, classes):
    """From its definition, class by class."""
    weight = np.ones(len(labels)) if weight is None else weight
    negative = np.array([weight[labels != c].sum() for c in classes])
    kept = np.array([weight[(labels != c) & (pred != c)].sum() for c in classes])
    each = np.divide(kept, negative, out=np.zeros(len(negative)), where=negative > 0)
    if average is None:
        return each
    if average == "micro":
        return kept.sum() / negative.sum() if negative.sum() else 0.0
    support = [weight[labels == c].sum() for c in classes]
    return np.average(each, weights=None if average == "macro" else support)


def overlap(name, labels, pred, weight, average, classes):
    """Dice and IoU from their definitions: without a value where a class neither occurs nor is predicted."""
    weight = np.ones(len(labels)) if weight is None else weight
    both = np.array([weight[(labels == c) & (pred == c)].sum() for c in classes])
    true, found = (np.array([weight[which == c].sum() for c in classes]) for which in (labels, pred))
    above, below = (2 * both, true + found) if name == "dice" else (both, true + found - both)
    below[(true == 0) & (found == 0)] = 0
    if average == "micro":
        return above.sum() / below.sum() if below.sum() else np.nan
    each = np.divide(above, below, out=np.full(len(below), np.nan), where=below > 0)
    if average is None:
        return each
    shares = np.where(np.isnan(each), 0.0, 1.0 if average == "macro" else true)
    return np.nansum(each * shares) / shares.sum() if shares.sum() else np.nan


def reference(name, labels, pred, weight, average, classes):
    occur = np.union1d(labels, pred)
    if name in ("dice", "mean_iou"):
        return overlap(name, labels, pred, weight, average, range(classes))
    if name == "specificity":
        return specificity(labels, pred, weight, average, range(classes) if average in (None, "micro") else occur)
    function = {
        "precision": sk.precision_score,
        "recall": sk.recall_score,
        "f1": sk.f1_score,
    }[name]
    chosen = range(classes) if average is None else occur
    return function(labels, pred, labels=chosen, average=average, sample_weight=weight, zero_division=0)


RATIOS = {
    "precision": metrics.Precision,
    "recall": metrics.Sensitivity,
    "specificity": metrics.Specificity,
    "f1": metrics.F1Score,
    "dice": metrics.DiceScore,
    "mean_iou": metrics.MeanIoU,
}


@pytest.mark.parametrize("name", RATIOS)
@drawn(cases(), st.sampled_from(AVERAGES), st.sampled_from(FORMS))
def test_ratio_of_several_classes(name, case, average, form):
    pred = case.scores.argmax(axis=1)
    metric = RATIOS[name](average=average)
    expected = reference(name, case.labels, pred, case.weight, average, case.classes)
    close(case.measure(metric, case.in_form(form)), expected)


@pytest.mark.parametrize("name", RATIOS)
@drawn(cases(), st.sampled_from(AVERAGES))
def test_ratio_of_predicted_labels(name, case, average):
    pred = case.scores.argmax(axis=1)
    metric = RATIOS[name](num_classes=case.classes, average=average)
    expected = reference(name, case.labels, pred, case.weight, average, case.classes)
    close(case.measure(metric, scores=pred), expected)


@pytest.mark.parametrize("name", RATIOS)
@drawn(cases(binary=True), st.sampled_from(["binary", *AVERAGES]), st.booleans(), st.floats(0.1, 0.9))
def test_ratio_of_one_score(name, case, average, column, threshold):
    pred = (case.scores > np.float32(threshold)).astype(int)
    settings = {"threshold" if name in ("f1", "dice", "mean_iou") else "thresholds": threshold}
    metric = RATIOS[name](average=average, **settings)
    scores = case.scores[:, None] if column else case.scores
    if average == "binary":
        expected = reference(name, case.labels, pred, case.weight, None, 2)[1]
    else:
        expected = reference(name, case.labels, pred, case.weight, average, 2)
    close(case.measure(metric, scores=scores), expected)


@drawn(cases(), st.data())
def test_class_id_picks_the_value_of_one_class(case, data):
    chosen = data.draw(st.integers(0, case.classes - 1))
    pred = case.scores.argmax(axis=1)
    for name, metric in RATIOS.items():
        expected = reference(name, case.labels, pred, case.weight, None, case.classes)[chosen]
        close(case.measure(metric(class_id=chosen)), expected)


@drawn(cases(), st.lists(st.floats(0.05, 0.95), min_size=1, max_size=3), st.sampled_from(AVERAGES))
def test_thresholds_over_several_labels_an_item(case, thresholds, average):
    marks = case.scores[::-1] > 0.4  # multi-hot truth
    result = case.measure(metrics.Precision(thresholds, average=average), marks.astype(int))
    for threshold, value in zip(thresholds, result, strict=True):
        pred = case.scores > np.float32(threshold)
        expected = sk.precision_score(marks, pred, average=average, sample_weight=case.weight, zero_division=0)
        close(value, expected)


@drawn(cases(), st.sampled_from(FORMS))
def test_accuracy_of_several_classes(case, form):
    expected = sk.accuracy_score(case.labels, case.scores.argmax(axis=1), sample_weight=case.weight)
    own = metrics.CategoricalAccuracy if form == "one-hot" else metrics.SparseCategoricalAccuracy
    for metric in (metrics.Accuracy(), own()):
        close(case.measure(metric, case.in_form(form)), expected)


@drawn(cases(binary=True), st.booleans())
def test_accuracy_of_one_score(case, column):
    scores = case.scores[:, None] if column else case.scores
    expected = sk.accuracy_score(case.labels, case.scores > 0.5, sample_weight=case.weight)
    for metric in (metrics.Accuracy(), metrics.BinaryAccuracy()):
        close(case.measure(metric, scores=scores), expected)


@drawn(cases(), st.sampled_from([None, "true", "pred", "all"]), st.sampled_from(FORMS))
def test_confusion_matrix(case, normalize, form):
    expected = sk.confusion_matrix(
        case.labels,
        case.scores.argmax(axis=1),
        labels=range(case.classes),
        sample_weight=case.weight,
        normalize=normalize,
    )
    close(case.measure(metrics.ConfusionMatrix(normalize=normalize), case.in_form(form)), expected)


@drawn(cases(classes=5), st.integers(1, 4))
def test_top_k_accuracy(case, k):
    case.scores = case.scores.argsort(axis=1).argsort(axis=1) / 5.0  # scikit-learn breaks ties the other way
    expected = sk.top_k_accuracy_score(case.labels, case.scores, k=k, labels=range(5), sample_weight=case.weight)
    close(case.measure(metrics.TopKAccuracy(k)), expected)


@drawn(cases())
def test_top_1_accuracy_is_accuracy_with_ties_too(case):
    assert case.measure(metrics.TopKAccuracy(1)) == case.measure(metrics.Accuracy())


@drawn(cases(binary=True, zero_weights=False), st.sampled_from(["ROC", "PR"]), st.booleans())
def test_auc_of_one_score(case, curve, column):
    scores = case.scores[:, None] if column else case.scores
    both = len(set(case.labels)) == 2
    if curve == "ROC":
        expected = sk.roc_auc_score(case.labels, case.scores, sample_weight=case.weight) if both else np.nan
    elif case.labels.any():
        expected = sk.average_precision_score(case.labels, case.scores, sample_weight=case.weight)
    else:
        expected = 0.0
    close(case.measure(metrics.AUC(curve=curve), scores=scores), expected)


@drawn(cases(zero_weights=False), st.sampled_from(["ROC", "PR"]), st.sampled_from(AVERAGES), st.sampled_from(FORMS))
def test_auc_of_several_classes_against_the_rest(case, curve, average, form):
    present = np.unique(case.labels)
    assume(len(present) > 1 or (curve == "PR" and average != "micro"))
    assume(case.classes > 2 or average is None)
    one_hot = np.eye(case.classes, dtype=int)[case.labels]
    function = sk.roc_auc_score if curve == "ROC" else sk.average_precision_score
    # scikit-learn cannot leave out the classes that the labels miss, so it is given the others alone.
    chosen = slice(None) if average == "micro" else present
    expected = function(one_hot[:, chosen], case.scores[:, chosen], average=average, sample_weight=case.weight)
    if average is None:
        missing = np.nan if curve == "ROC" else 0.0
        each = np.full(case.classes, missing)
        each[present] = expected
        expected = each
    close(case.measure(metrics.AUC(curve=curve, average=average), case.in_form(form)), expected)


@drawn(cases(classes=2, zero_weights=False), st.sampled_from(["ROC", "PR"]))
def test_auc_of_two_scores_is_that_of_class_1(case, curve):
    assume(len(set(case.labels)) == 2)
    function = sk.roc_auc_score if curve == "ROC" else sk.average_precision_score
    expected = function(case.labels, case.scores[:, 1], sample_weight=case.weight)
    close(case.measure(metrics.AUC(curve=curve)), expected)


@drawn(cases(zero_weights=False), st.sampled_from(["macro", "weighted", "micro"]))
def test_auc_of_several_labels_an_item(case, average):
    marks = case.scores[::-1] > 0.4
    assume(len(marks) > 1)
    marks[0], marks[1] = True, False  # each label needs both a positive and a negative
    expected = sk.roc_auc_score(marks, case.scores, average=average, sample_weight=case.weight)
    close(case.measure(metrics.AUC(multi_label=True, average=average), marks.astype(int)), expected)


@drawn(st.integers(0, 2**32 - 1), st.integers(3, 6), st.floats(0.5, 5.0))
def test_auc_of_logits_is_that_of_their_softmax(seed, classes, scale):
    random = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(classes), random.integers(0, classes, 30)])
    logits = random.normal(0, scale, (len(labels), classes))
    powers = np.exp(logits)
    expected = sk.roc_auc_score(labels, powers / powers.sum(axis=1, keepdims=True), multi_class="ovr")
    metric = metrics.AUC(from_logits=True)
    close(metric(labels, logits), expected)


finite = st.floats(-1e3, 1e3, width=32)


@drawn(st.data(), st.integers(1, 12), st.integers(1, 4), st.booleans())
def test_errors_of_regression(data, count, width, weighted):
    true = data.draw(hnp.arrays(np.float32, (count, width), elements=finite))
    pred = data.draw(hnp.arrays(np.float32, (count, width), elements=finite))
    weight = data.draw(hnp.arrays(np.float64, count, elements=st.floats(0.01, 3.0))) if weighted else None
    case = Case(true, pred, weight, sorted(data.draw(st.lists(st.integers(0, count), max_size=4))), width)
    # In float64, as scikit-learn would otherwise square in float32.
    exact = true.astype(np.float64), pred.astype(np.float64)
    squared = sk.mean_squared_error(*exact, sample_weight=weight)
    absolute = sk.mean_absolute_error(*exact, sample_weight=weight)
    np.testing.assert_allclose(case.measure(metrics.MeanSquaredError()), squared, rtol=1e-9)
    np.testing.assert_allclose(case.measure(metrics.MeanAbsoluteError()), absolute, rtol=1e-9)
    np.testing.assert_allclose(case.measure(metrics.RootMeanSquaredError()), np.sqrt(squared), rtol=1e-9)


@drawn(cases())
def test_classification_report(case):
    pred = case.scores.argmax(axis=1)
    report = metrics.classification_report(case.labels, case.scores, sample_weight=case.weight)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # labels that do not occur
        expected = sk.classification_report(
            case.labels, pred, output_dict=True, sample_weight=case.weight, zero_division=0
        )
    close(report["accuracy"], expected["accuracy"])
    for own, other in {"macro": "macro avg", "weighted": "weighted avg"}.items():
        close(report[own]["precision"], expected[other]["precision"])
        close(report[own]["sensitivity"], expected[other]["recall"])
        close(report[own]["f1"], expected[other]["f1-score"])
        close(report[own]["support"], expected[other]["support"])
    outside = specificity(case.labels, pred, case.weight, None, range(case.classes))
    for c in range(case.classes):
        figures = report["classes"][str(c)]
        there = expected.get(str(c), {"precision": 0.0, "recall": 0.0, "f1-score": 0.0, "support": 0.0})
        close(figures["precision"], there["precision"])
        close(figures["sensitivity"], there["recall"])
        close(figures["f1"], there["f1-score"])
        close(figures["support"], there["support"])
        close(figures["specificity"], outside[c])
