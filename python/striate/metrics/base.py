"""The base class of every metric."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from striate._arrays import DoubleArray
from striate._described import given_arguments
from striate._own_classes import is_own

IntArray = npt.NDArray[np.int64]


class Metric(ABC):
    """A measure of the quality of predictions: a number or an array, computed over a whole epoch.

    A metric keeps exact sufficient statistics (counts, sums, or for `AUC` the scores), never a mean of batch values:
    the same examples give the same bits however they are cut into batches.

    A custom metric subclasses this and defines the three methods below::

        class Bias(Metric):
            def __init__(self, name="bias"):
                super().__init__(name)
                self.reset_state()

            def reset_state(self):
                self.total, self.count = 0.0, 0

            def update_state(self, y_true, y_pred, sample_weight=None):
                self.total += float((y_pred - y_true).sum())
                self.count += y_true.size

            def result(self):
                return self.total / max(self.count, 1)

    Args:
        name: the key in logs and `History` (and, after `val_`, of the validation value). Default: the metric's own,
            or the class name in snake case.
        from_logits: whether `y_pred` holds logits rather than probabilities. None leaves it to the loss of the model
            that the metric is compiled with (see `bind`), and means False where there is no model.
    """

    default_name: ClassVar[str | None] = None
    _loss_ignores: int | None = None
    _columns_apart: bool = False
    _given: dict[str, Any] | None

    def __init_subclass__(cls) -> None:
        if is_own(cls) and "reset_states" in vars(cls) and "reset_state" not in vars(cls):
            raise TypeError(f"{cls.__name__}.reset_states would never be called; did you mean 'reset_state'?")

    def __new__(cls, *args: Any, **kwargs: Any) -> Any:
        made = super().__new__(cls)
        made._given = given_arguments(cls, args, kwargs)
        return made

    def __init__(self, name: str | None = None, *, from_logits: bool | None = None) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"{type(self).__name__}: name must be a string, got {type(name).__name__}")
        self.name: str = name or type(self).default_name or _snake_case(type(self).__name__)
        self._given_from_logits = from_logits
        self._bound_from_logits = False

    def get_config(self) -> dict[str, Any]:
        """The arguments that the metric was made with, enough to make an equal one.

        Raises:
            NotImplementedError: the class takes arguments that cannot be passed by name; define it then.
        """
        if self._given is None:
            kind = type(self).__name__
            raise NotImplementedError(f"{kind} must define get_config(): its arguments cannot be passed by name")
        return dict(self._given)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Metric:
        """A metric from what `get_config` returned."""
        return cls(**config)

    @property
    def from_logits(self) -> bool:
        """Whether scores are logits: as set by the user, else as given to `bind`, else False."""
        return self._bound_from_logits if self._given_from_logits is None else self._given_from_logits

    def bind(self, from_logits: bool, output_shape: Sequence[int | None]) -> None:
        """Prepare the metric for an output of a model. The trainer calls it once, when a model is compiled.

        Args:
            from_logits: whether the loss takes the output as logits; used where the user left `from_logits` None.
            output_shape: shape of the output with the batch axis first, such as `(None, 10)`.

        Raises:
            ValueError: if the metric cannot be computed on an output of that shape.
        """
        self._bound_from_logits = bool(from_logits)

    def bind_loss(self, ignore_class: int | None, multi_label: bool) -> None:
        """Pass the metric how the loss of its output treats labels. The trainer calls it after `bind`.

        Args:
            ignore_class: the label that the loss leaves out; the metrics of this package leave it out too.
            multi_label: whether the loss treats each of several columns as a separate label, as binary cross-entropy
                does; metrics then do, unless their arguments say otherwise.
        """
        self._loss_ignores, self._columns_apart = ignore_class, multi_label

    def check_targets(  # noqa: B027
        self, y_true: npt.NDArray[Any], output_shape: Sequence[int], sample_weight: npt.NDArray[Any] | None
    ) -> None:
        """Check targets before the first step. The Trainer calls it with all rows, in parts; by default all targets are
        accepted.

        Args:
            y_true: what `update_state` will get.
            output_shape: shape of the predictions without the batch.
            sample_weight: what `update_state` will get.

        Raises:
            ValueError: `update_state` would not take them.
        """

    @property
    def ignored_labels(self) -> tuple[int, ...]:
        """The labels of items that do not count: the metric's own `ignore_class`, and the one of the loss."""
        labels = (getattr(self, "ignore_class", None), self._loss_ignores)
        return tuple(dict.fromkeys(label for label in labels if label is not None))

    @abstractmethod
    def update_state(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> None:
        """Add a batch. `sample_weight` is `(N,)`, or has the shape of the labels for one weight for each pixel.

        In a training or an evaluation the arrays are read-only: they are the caller's and other metrics' too.
        """

    @abstractmethod
    def result(self) -> float | DoubleArray:
        """The value over all that was added since `reset_state`."""

    @abstractmethod
    def reset_state(self) -> None:
        """Reset the state, as at the start of an epoch."""

    def merge_state(self, metrics: Iterable[Metric]) -> None:
        """Add the data that other metrics of the same class and arguments have accumulated, in their order.

        Training with `shards`, or in several processes, keeps a metric for each shard. A custom metric must define this
        method to be used there.

        Raises:
            NotImplementedError: the class does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} must define merge_state(metrics)")

    def __call__(
        self, y_true: npt.ArrayLike, y_pred: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> float | DoubleArray:
        """Add a batch and return the value so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


def _snake_case(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
