"""Estimators of scikit-learn: its own checks, and the ways its users combine them."""

from __future__ import annotations

import pickle
import subprocess
import sys

import numpy as np
import pytest

import striate as st
from striate.layers import Conv2D, Dense, Flatten, GlobalAveragePooling2D, Input

pytest.importorskip("sklearn", minversion="1.6")
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from striate.sklearn import StriateClassifier, StriateRegressor

MINI_BATCHES = (
    "a mini-batch holds other samples when some are repeated or left out; with one batch the two agree: "
    "test_weights_are_repetitions"
)
EXPECTED_FAILURES = {"check_sample_weight_equivalence_on_dense_data": MINI_BATCHES}
CHECKED = [StriateClassifier(epochs=20, random_state=0), StriateRegressor(epochs=20, random_state=0)]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CHECKED, expected_failed_checks=lambda estimator: EXPECTED_FAILURES)
def test_scikit_learns_own_checks(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def digits():
    (x, y), (x_test, y_test) = st.data.load_digits()
    return x[:400], y[:400], x_test[:200], y_test[:200]


def small(input_shape, outputs, filters=4, seed=None):
    layers = [Input(input_shape), Conv2D(filters, 3, activation="relu"), GlobalAveragePooling2D(), Dense(outputs)]
    return st.Sequential(layers, seed=seed)


def test_pictures_as_they_are_and_as_rows(digits):
    x, y, x_test, y_test = digits
    pictures = StriateClassifier(epochs=15, random_state=1).fit(x, y)
    assert pictures.model_.name == "pictures" and pictures.model_.input_shape == (None, 8, 8, 1)
    assert pictures.score(x_test, y_test) > 0.9
    rows = StriateClassifier(epochs=15, random_state=1, image_shape=(8, 8, 1)).fit(x.reshape(-1, 64), y)
    flat = StriateClassifier(epochs=15, random_state=1).fit(x[..., 0], y)
    expected = pictures.predict_proba(x_test)
    np.testing.assert_array_equal(rows.predict_proba(x_test.reshape(-1, 64)), expected)
    np.testing.assert_array_equal(flat.predict_proba(x_test[..., 0]), expected)
    np.testing.assert_allclose(expected.sum(axis=1), 1, rtol=1e-5)
    assert rows.n_features_in_ == 64 and list(rows.classes_) == list(range(10))
    with pytest.raises(ValueError, match=r"image_shape \(8, 8, 2\) does not fit X of shape \(400, 64\)"):
        StriateClassifier(image_shape=(8, 8, 2)).fit(x.reshape(-1, 64), y)


def test_the_model_works_alone(digits, tmp_path):
    x, y, x_test, _ = digits
    estimator = StriateClassifier(epochs=1, random_state=1).fit(x, y)
    estimator.model_.save(tmp_path / "m.safetensors")
    scores = st.load_model(tmp_path / "m.safetensors").predict(x_test)
    np.testing.assert_array_equal(estimator.classes_[scores.argmax(axis=1)], estimator.predict(x_test))


def test_pipeline_grid_search_and_cross_validation():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = StriateClassifier(epochs=40, learning_rate=0.01, random_state=0)
    assert cross_val_score(estimator, x, names, cv=3).mean() > 0.9
    pipeline = make_pipeline(StandardScaler(), estimator)
    search = GridSearchCV(pipeline, {"striateclassifier__units": [2, (16, 16)]}, cv=2).fit(x, names)
    assert set(search.predict(x)) == set(names)
    assert search.best_estimator_[-1].model_.layers[1].name == "normalization"
    assert search.best_score_ > 0.9


def test_grid_search_over_a_function_of_ones_own(digits):
    x, y, _, _ = digits
    estimator = StriateClassifier(small, epochs=1, random_state=0)
    search = GridSearchCV(estimator, {"model_args": [{"filters": 2}, {"filters": 3}]}, cv=2, refit=True).fit(x, y)
    filters = search.best_params_["model_args"]["filters"]
    assert search.best_estimator_.model_.layers[0].get_config()["filters"] == filters
    scaler = FunctionTransformer(lambda values: values / np.float32(255))
    assert make_pipeline(scaler, clone(estimator)).fit(x, y).predict(x).shape == (400,)


def test_searching_in_other_processes():
    x, y = load_iris(return_X_y=True)
    estimator = StriateClassifier(st.Sequential([Input((4,)), Dense(3)], seed=1), epochs=2)
    alone = GridSearchCV(estimator, {"learning_rate": [0.1, 0.001]}, cv=2).fit(x, y)
    others = GridSearchCV(estimator, {"learning_rate": [0.1, 0.001]}, cv=2, n_jobs=2).fit(x, y)
    np.testing.assert_array_equal(alone.cv_results_["mean_test_score"], others.cv_results_["mean_test_score"])


def test_random_state_clone_and_pickle(digits):
    x, y, x_test, _ = digits
    estimator = StriateClassifier(small, epochs=2, random_state=7, optimizer=st.optimizers.SGD(0.01, momentum=0.9))
    first = clone(estimator).fit(x, y)
    second = clone(estimator).fit(x, y)
    other = clone(estimator).set_params(random_state=8).fit(x, y)
    restored = pickle.loads(pickle.dumps(first))
    np.testing.assert_array_equal(first.predict_proba(x_test), second.predict_proba(x_test))
    np.testing.assert_array_equal(first.predict_proba(x_test), restored.predict_proba(x_test))
    assert (first.predict_proba(x_test) != other.predict_proba(x_test)).any()
    assert estimator.optimizer.iterations == 0 and list(first.history_) == ["loss"]


def test_a_model_of_ones_own_is_copied(digits):
    x, y, _, _ = digits
    model = small((8, 8, 1), 10, seed=3)
    model.compile(
        st.optimizers.SGD(0.05), st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    before = model.state_dict()
    estimator = StriateClassifier(model, epochs=1, validation_split=0.25).fit(x, y)
    for name, value in model.state_dict().items():
        np.testing.assert_array_equal(value, before[name])
    assert list(estimator.history_) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert estimator.model_.optimizer.get_config()["learning_rate"] == pytest.approx(0.05)
    again = StriateClassifier(model, epochs=1, validation_split=0.25, learning_rate=0.2).fit(x, y)
    assert again.model_.optimizer.learning_rate == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("ending", "loss"),
    [
        (Dense(1, activation="sigmoid"), None),
        (Dense(1), None),
        (Dense(1), st.losses.BinaryFocalCrossentropy(from_logits=True)),
        (Dense(2, activation="softmax"), None),
        (Dense(2), None),
        (Dense(2, activation="softmax"), "categorical_crossentropy"),
    ],
)
def test_every_ending_of_two_classes(ending, loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 2)).astype(np.float32)
    y = np.where(x[:, 0] > 0, "right", "left")
    model = st.Sequential([Input((2,)), ending], seed=1)
    estimator = StriateClassifier(model, loss=loss, epochs=30, learning_rate=0.1).fit(x, y)
    shares = estimator.predict_proba(x)
    assert shares.shape == (120, 2) and (shares >= 0).all() and estimator.score(x, y) > 0.95
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(estimator.predict(x), np.where(shares[:, 1] > 0.5, "right", "left"))


def test_regression_learns_in_the_units_of_y():
    x, y = load_diabetes(return_X_y=True)
    estimator = StriateRegressor(epochs=20, learning_rate=0.01, random_state=0).fit(x, 1e3 * y)
    assert estimator.score(x, 1e3 * y) > 0.5
    np.testing.assert_allclose(estimator.model_.predict(x)[:, 0], estimator.predict(x), rtol=1e-6)
    two = StriateRegressor(epochs=5, random_state=0).fit(x, np.stack([y, -y], axis=1))
    assert two.predict(x).shape == (442, 2) and two.predict(x).dtype == np.float64
    own = st.Sequential([Input((10,)), Dense(1)], seed=0)
    assert StriateRegressor(own, loss="mae", epochs=1).fit(x, y).predict(x).shape == (442,)


@pytest.mark.parametrize("kind", [StriateClassifier, StriateRegressor])
def test_weights_are_repetitions(kind):
    rng = np.random.default_rng(1)
    x, y, weight = rng.normal(size=(40, 3)), np.arange(40) % 2, rng.integers(0, 4, 40)
    estimator = kind(units=4, epochs=25, batch_size=1000, random_state=0)
    weighted = clone(estimator).fit(x, y, sample_weight=5 * weight)
    repeated = clone(estimator).fit(np.repeat(x, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.model_.predict(x), repeated.model_.predict(x), atol=1e-4)


def test_class_weight():
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(300, 1)), np.array(["often"] * 270 + ["rare"] * 30)
    x[270:] += 1
    plain = StriateClassifier(units=(), epochs=30, random_state=0).fit(x, y)
    balanced = StriateClassifier(units=(), epochs=30, random_state=0, class_weight="balanced").fit(x, y)
    assert (balanced.predict(x) == "rare").sum() > 2 * (plain.predict(x) == "rare").sum()


def test_arrays_of_torch(digits):
    torch = pytest.importorskip("torch")
    x, y, _, _ = digits
    estimator = StriateClassifier(small, epochs=1, random_state=0)
    expected = clone(estimator).fit(x, y).predict_proba(x)
    np.testing.assert_array_equal(estimator.fit(torch.from_numpy(x), y).predict_proba(torch.from_numpy(x)), expected)


def test_errors(digits):
    x, y, _, _ = digits
    with pytest.raises(ValueError, match=r"y has 10 classes, but the model's output is \(None, 3\)"):
        StriateClassifier(small((8, 8, 1), 3)).fit(x, y)
    with pytest.raises(ValueError, match="at least 2 classes to tell apart, got 1 class: 4"):
        StriateClassifier().fit(x, np.full(400, 4))
    with pytest.raises(TypeError, match=r"model must be a striate\.Model, or a function .*, got str"):
        StriateClassifier("cnn").fit(x, y)
    with pytest.raises(TypeError, match=r"model must return a striate\.Model, got NoneType"):
        StriateClassifier(lambda shape, outputs: None).fit(x, y)
    with pytest.raises(ValueError, match="model_args are passed to the function given as model"):
        StriateClassifier(model_args={"filters": 2}).fit(x, y)
    with pytest.raises(ValueError, match="model_args need a function"):
        StriateRegressor(small((8, 8, 1), 1), model_args={"filters": 2}).fit(x, y)
    with pytest.raises(ValueError, match="y has 1 numbers for each sample, but the model's output is"):
        StriateRegressor(small((8, 8, 1), 2)).fit(x, y)
    with pytest.raises(ValueError, match=r"one output \(N, numbers\), got \(None, 6, 6, 2\)"):
        StriateClassifier(st.Sequential([Input((8, 8, 1)), Conv2D(2, 3)])).fit(x, y)
    with pytest.raises(ValueError, match=r"[Ss]ample weights"):
        StriateClassifier(lambda *_: st.Sequential([Flatten(), Dense(10)])).fit(x, y, np.zeros(400))


def test_scikit_learn_is_imported_only_where_it_is_asked_for():
    script = "import sys, striate; striate.data, striate.Sequential; assert 'sklearn' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)
    script = "import sys; sys.modules['sklearn.base'] = None; sys.modules['sklearn'] = None; import striate.sklearn"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert "ImportError" in done.stderr and "pip install --upgrade 'striate[sklearn]'" in done.stderr.replace('"', "'")
