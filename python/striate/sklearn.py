"""Networks as estimators of scikit-learn: for pipelines, grid searches and cross-validation.

`StriateClassifier` and `StriateRegressor` take tables (N, features), pictures (N, height, width, channels) or (N,
height, width), or pictures as rows of pixels with `image_shape`. Without the argument `model` they choose a network.
scikit-learn comes with `pip install 'striate[sklearn]'`.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from striate import layers, losses, models
from striate._arrays import AnyArray, FloatArray, array_of
from striate._batches import check_no_batches
from striate._checks import positive
from striate._extras import require
from striate.callbacks import Callback
from striate.model import Model
from striate.optimizers import Optimizer

__all__ = ["StriateClassifier", "StriateRegressor"]

_WHO = "striate.sklearn"
_base: Any = require("sklearn.base", "sklearn", _WHO)
_utils: Any = require("sklearn.utils", "sklearn", _WHO)
_multiclass: Any = require("sklearn.utils.multiclass", "sklearn", _WHO)
_validation: Any = require("sklearn.utils.validation", "sklearn", _WHO)
_class_weight: Any = require("sklearn.utils.class_weight", "sklearn", _WHO)
if not hasattr(_validation, "validate_data"):
    raise ImportError(f"{_WHO} needs scikit-learn 1.6 or newer: pip install --upgrade 'striate[sklearn]'")

Network: TypeAlias = "Model | Callable[..., Model] | None"


class _Estimator(_base.BaseEstimator):  # type: ignore[misc]
    """What classifier and regressor share."""

    def __init__(
        self,
        model: Network = None,
        *,
        model_args: Mapping[str, Any] | None = None,
        image_shape: Sequence[int] | None = None,
        units: int | Sequence[int] = 64,
        optimizer: str | Optimizer = "adam",
        learning_rate: float | None = None,
        loss: Any = None,
        epochs: int = 50,
        batch_size: int = 32,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.model_args = model_args
        self.image_shape = image_shape
        self.units = units
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.loss = loss
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation_split = validation_split
        self.callbacks = callbacks
        self.verbose = verbose
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # Arrays

    def _checked(self, x: Any, reset: bool, **others: Any) -> Any:
        """What scikit-learn makes of the arrays: finite numbers, of the features that were fitted."""
        if hasattr(x, "__dlpack__"):
            x = array_of(x, "X")
        elif not hasattr(x, "shape"):
            check_no_batches(x, "X")
        dtypes = (np.float32, np.uint8)
        return _validation.validate_data(self, x, reset=reset, dtype=dtypes, allow_nd=True, **others)

    def _shaped(self, x: AnyArray) -> AnyArray:
        """Rows of pixels as pictures, and a last axis for one channel."""
        if self.image_shape is not None:
            shape = tuple(self.image_shape)
            if int(np.prod(x.shape[1:])) != int(np.prod(shape)):
                raise ValueError(f"{type(self).__name__}: image_shape {shape} does not fit X of shape {x.shape}")
            return x.reshape(len(x), *shape)
        return x[..., np.newaxis] if x.ndim == 3 else x

    # Networks

    def _network(self, x: AnyArray, outputs: int, weight: FloatArray | None) -> Model:
        """The network that is trained."""
        given, shape = self.model, x.shape[1:]
        seed = int(_utils.check_random_state(self.random_state).randint(2**31 - 1))
        arguments = dict(self.model_args or {})
        if isinstance(given, Model):
            if arguments:
                raise ValueError(f"{type(self).__name__}: model_args need a function as model, got a Model")
            return copy.deepcopy(given)
        if given is None:
            if arguments:
                raise ValueError(
                    f"{type(self).__name__}: model_args are passed to the function given as model; pass model= too"
                )
            return _default(x, outputs, self.units, weight, seed)
        if not callable(given):
            raise TypeError(
                f"{type(self).__name__}: model must be a striate.Model, or a function (input_shape, outputs) that "
                f"returns one, got {type(given).__name__}"
            )
        if "seed" not in arguments and "seed" in inspect.signature(given).parameters:
            arguments["seed"] = seed
        made = given(shape, outputs, **arguments)
        if not isinstance(made, Model):
            raise TypeError(f"{type(self).__name__}: model must return a striate.Model, got {type(made).__name__}")
        made._ensure_built(x, "X")
        return made

    def _compile(self, model: Model, loss: Any) -> None:
        """Compile what is not compiled yet; an argument of the estimator wins over what the model was compiled with."""
        if model._trainer is None or self.loss is not None:
            model.compile(copy.deepcopy(self.optimizer), loss if self.loss is None else copy.deepcopy(self.loss))
        if self.learning_rate is not None:
            model.optimizer.learning_rate = self.learning_rate

    def _train(self, model: Model, x: AnyArray, y: AnyArray, weight: FloatArray | None) -> None:
        history = model.fit(
            x,
            y,
            batch_size=positive(self.batch_size, "batch_size"),
            epochs=positive(self.epochs, "epochs"),
            verbose=self.verbose,
            callbacks=copy.deepcopy(self.callbacks),
            validation_split=self.validation_split,
            sample_weight=weight,
        )
        self.model_ = model
        self.history_ = history.history

    def _weights(self, sample_weight: Any, x: AnyArray) -> FloatArray | None:
        if sample_weight is None:
            return None
        checked: FloatArray = _validation._check_sample_weight(
            sample_weight, x, dtype=np.float32, ensure_non_negative=True
        )
        return checked

    def _mean_one(self, weight: FloatArray | None) -> FloatArray | None:
        """The weights with a mean of 1: only their ratios count."""
        if weight is None:
            return None
        total = float(weight.sum(dtype=np.float64))
        if not total > 0:
            raise ValueError(f"{type(self).__name__}: the sample weights sum to {total:g}; some must be above 0")
        return (weight * (len(weight) / total)).astype(np.float32)

    def _outputs(self, x: Any) -> FloatArray:
        _validation.check_is_fitted(self, "model_")
        inputs = self._shaped(self._checked(x, reset=False))
        scores: FloatArray = self.model_.predict(inputs, batch_size=positive(self.batch_size, "batch_size"))
        return scores


class StriateClassifier(_base.ClassifierMixin, _Estimator):  # type: ignore[misc]
    """A network for classification, as an estimator of scikit-learn.

    Args:
        model: None for a network that fits the data: for tables, normalised features and hidden layers of `units`; for
            pictures, normalised channels and `striate.models.cnn`. A function `(input_shape, outputs, **model_args)`
            that returns a model, such as `striate.models.resnet18`; it is passed `seed` too, if it has an argument of
            that name. Or a model: each `fit` trains a copy of it, beginning with its weights.
            A custom model ends in a score or a probability for each class; in one, for two classes.
        model_args: further arguments of that function.
        image_shape: (height, width, channels) of the pictures that the rows of X are; None leaves X as it is.
        units: number of units of the chosen network: of its hidden layer, or, for tables, of several.
        optimizer: a name or an object of `striate.optimizers`, for a model that is not compiled.
        learning_rate: the optimizer's, in place of its own.
        loss: a name or an object of `striate.losses`; None takes the cross-entropy that fits the model's output, or
            what the model was compiled with.
        epochs: passes over the data.
        batch_size: samples a step, and of a prediction.
        validation_split: share of the samples, the last ones, that is kept for validation; see `history_`.
        callbacks: objects of `striate.callbacks`; each `fit` uses copies.
        verbose: 0 nothing, 1 a progress bar, 2 one line for each epoch.
        random_state: seed of the first weights, the order of the samples and dropout.
        class_weight: a dict of class to weight, or "balanced".

    Attributes:
        classes_: the classes, sorted.
        model_: the trained `striate.Model`.
        history_: dict of name to a value for each epoch.
        n_features_in_: features of X; of pictures, their height.

    Raises:
        ValueError: when fitted, if arrays or arguments do not fit.
    """

    def __init__(
        self,
        model: Network = None,
        *,
        model_args: Mapping[str, Any] | None = None,
        image_shape: Sequence[int] | None = None,
        units: int | Sequence[int] = 64,
        optimizer: str | Optimizer = "adam",
        learning_rate: float | None = None,
        loss: Any = None,
        epochs: int = 50,
        batch_size: int = 32,
        validation_split: float = 0.0,
        callbacks: Sequence[Callback] | None = None,
        verbose: int = 0,
        random_state: Any = None,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        super().__init__(
            model,
            model_args=model_args,
            image_shape=image_shape,
            units=units,
            optimizer=optimizer,
            learning_rate=learning_rate,
            loss=loss,
            epochs=epochs,
            batch_size=batch_size,
            validation_split=validation_split,
            callbacks=callbacks,
            verbose=verbose,
            random_state=random_state,
        )
        self.class_weight = class_weight

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> StriateClassifier:
        """Train a new network.

        Args:
            X: (N, features), (N, height, width), or (N, height, width, channels).
            y: (N,), numbers or strings.
            sample_weight: (N,), at least 0; only their ratios count.

        Returns:
            The estimator.
        """
        X, y = self._checked(X, reset=True, y=y)
        _multiclass.check_classification_targets(y)
        weight = self._weights(sample_weight, X)
        self.classes_, labels = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"StriateClassifier needs at least 2 classes to tell apart, got 1 class: {self.classes_[0]}"
            )
        if self.class_weight is not None:
            by_class = _class_weight.compute_sample_weight(self.class_weight, y).astype(np.float32)
            weight = by_class if weight is None else weight * by_class
        weight, x, count = self._mean_one(weight), self._shaped(X), len(self.classes_)
        model = self._network(x, count, weight)
        outputs = _width(model, type(self).__name__)
        if outputs != count and (outputs, count) != (1, 2):
            raise ValueError(
                f"StriateClassifier: y has {count} classes, but the model's output is {model.output_shape}"
            )
        squashed = _ends_in(model, "softmax", "sigmoid")
        kind = losses.BinaryCrossentropy if outputs == 1 else losses.SparseCategoricalCrossentropy
        self._compile(model, kind(from_logits=not squashed))
        loss = model.loss
        assert isinstance(loss, losses.Loss)
        self._logits = not squashed and loss.from_logits
        target: AnyArray = labels.astype(np.int64)
        if loss.core.target_dtype == "float32":
            one_hot = np.eye(count, dtype=np.float32)[labels]
            target = labels.astype(np.float32)[:, np.newaxis] if outputs == 1 else one_hot
        self._train(model, x, target, weight)
        return self

    def predict_proba(self, X: Any) -> FloatArray:
        """The probability of each class, in the order of `classes_`: (N, classes)."""
        scores = self._outputs(X)
        if scores.shape[1] == 1:
            positive_share = 0.5 * (1 + np.tanh(0.5 * scores)) if self._logits else scores
            return np.hstack([1 - positive_share, positive_share])
        if not self._logits:
            return scores
        raised = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares: FloatArray = raised / raised.sum(axis=1, keepdims=True)
        return shares

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each sample: (N,)."""
        best: NDArray[Any] = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[best])


class StriateRegressor(_base.RegressorMixin, _Estimator):  # type: ignore[misc]
    """A network that predicts numbers, as an estimator of scikit-learn.

    The chosen network learns y brought to mean 0 and variance 1; its last layer is then scaled, so that `model_` gives
    y as it was. A custom model learns y as it is.

    Args:
        model: as for `StriateClassifier`; a custom model ends in as many numbers as y has.
        loss: a name or an object of `striate.losses`; None takes the mean squared error, or what the model was compiled
            with.
        model_args, image_shape, units, optimizer, learning_rate: as for `StriateClassifier`.
        epochs, batch_size, validation_split, callbacks, verbose, random_state: as for `StriateClassifier`.

    Attributes:
        model_: the trained `striate.Model`.
        history_: dict of name to a value for each epoch; of the chosen network, for the scaled y.
        n_features_in_: features of X; of pictures, their height.

    Raises:
        ValueError: when fitted, if arrays or arguments do not fit.
    """

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> StriateRegressor:
        """Train a new network.

        Args:
            X: (N, features), (N, height, width), or (N, height, width, channels).
            y: (N,), or (N, outputs).
            sample_weight: (N,), at least 0; only their ratios count.

        Returns:
            The estimator.
        """
        X, y = self._checked(X, reset=True, y=y, multi_output=True, y_numeric=True)
        weight = self._mean_one(self._weights(sample_weight, X))
        target: NDArray[np.float64] = np.asarray(y, np.float64)
        self._flat = target.ndim == 1
        target = target.reshape(len(target), -1)
        x = self._shaped(X)
        model = self._network(x, target.shape[1], weight)
        if (outputs := _width(model, type(self).__name__)) != target.shape[1]:
            raise ValueError(
                f"StriateRegressor: y has {target.shape[1]} numbers for each sample, but the model's output is "
                f"{model.output_shape} with {outputs}"
            )
        self._compile(model, "mean_squared_error")
        if self.model is not None:
            self._train(model, x, target.astype(np.float32), weight)
            return self
        mean, variance = _moments(target, weight)
        scale = np.sqrt(variance)
        self._train(model, x, ((target - mean) / scale).astype(np.float32), weight)
        last = model.layers[-1]
        kernel, bias = last.get_weights()
        last.set_weights([kernel * scale, bias * scale + mean])
        return self

    def predict(self, X: Any) -> NDArray[np.float64]:
        """The numbers for each sample: (N,), or (N, outputs) where y had that shape; float64, as scikit-learn's."""
        values = self._outputs(X).astype(np.float64)
        return values[:, 0] if self._flat else values

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _moments(x: AnyArray, weight: FloatArray | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and variance of each channel; the variance of a constant is 1, so that it becomes 0."""
    each = x.reshape(len(x), -1, x.shape[-1])
    if weight is None:
        mean, variance = each.mean(axis=(0, 1), dtype=np.float64), each.var(axis=(0, 1), dtype=np.float64)
    else:
        mean = np.average(each.mean(axis=1, dtype=np.float64), axis=0, weights=weight)
        variance = np.average(np.square(each - mean).mean(axis=1), axis=0, weights=weight)
    return mean, np.where(variance > 0, variance, 1.0)


def _default(x: AnyArray, outputs: int, units: int | Sequence[int], weight: FloatArray | None, seed: int) -> Model:
    """The network that is chosen for the data: it normalises them itself, so that it can be saved and used alone."""
    sizes = [units] if isinstance(units, (int, np.integer)) else list(units)
    shape = x.shape[1:]
    mean, variance = _moments(x, weight)
    start = layers.Input(shape)
    tail = layers.Normalization(mean=mean.tolist(), variance=variance.tolist(), name="normalization")(start)
    blocks = min(int(np.log2(min(shape[:2]))), 2) if len(shape) == 3 else 0
    if blocks:
        if len(sizes) != 1:
            raise ValueError(f"the network for pictures has one hidden layer, got units {sizes}")
        body = models.cnn(shape, outputs, filters=(32, 64)[:blocks], units=sizes[0], seed=seed)
        return Model(start, body(tail), name="pictures", seed=seed)
    if len(shape) > 1:
        tail = layers.Flatten()(tail)
    for size in sizes:
        tail = layers.Dense(size, activation="relu", kernel_initializer="he_normal")(tail)
    return Model(start, layers.Dense(outputs, name="output")(tail), name="table", seed=seed)


def _width(model: Model, who: str) -> int:
    """The numbers that a model gives for a sample."""
    shape = model.output_shape
    if isinstance(shape, list) or len(shape) != 2:
        raise ValueError(f"{who} needs a model with one output (N, numbers), got {shape}")
    return int(shape[1])


def _ends_in(model: Model, *activations: str) -> bool:
    core = model.outputs[0].layer._core
    return core.type.lower() in activations or core.config().get("activation") in activations
