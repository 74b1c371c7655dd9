"""The base class of losses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._data import loss_value
from striate._described import Described, arguments_of
from striate._own_classes import is_own, refuse_methods, refuse_own
from striate._own_code import core_loss

# What replaces a loss of the user's.
_INSTEAD = (
    "use a loss of striate.losses, or a sum of them such as 0.5 * Dice(from_logits=True) + "
    "BinaryCrossentropy(from_logits=True)"
)


class Loss(Described):
    """The base class of losses.

    A custom loss defines two methods on NumPy arrays::

        class Quartic(Loss):
            def call(self, y_true, y_pred):
                return ((y_pred - y_true) ** 4).mean(axis=-1)

            def gradient(self, y_true, y_pred):
                return 4 * (y_pred - y_true) ** 3 / y_pred.shape[-1]

    `call` returns a value for each sample, (N,), or for each place in it, such as (N, H, W); the loss is their mean,
    with sample weights the mean of the weighted values. `gradient` returns the gradient of the sum of the values, of
    the shape of `y_pred`. Weights of pixels, such as those of `class_weight`, need a value for each pixel that depends
    on that pixel alone. Targets have the output's shape, float32, or are integers of that shape without the last axis,
    int64. `striate.testing.check_gradient` compares the two methods. They must not fork the process.

    Files name its class, with the arguments that it was made with or what its `get_config` returns; `load_model` is
    given the class as `custom_objects={"Quartic": Quartic}`. `compile` also takes a function, see `FunctionLoss`.

    Args:
        name: name in messages and in `History`.
        reduction: "sum_over_batch_size", the mean.

    Attributes:
        name: name in messages and in `History`.
        of_boxes: whether its targets are lists of boxes, as `DetectionLoss`'s are.
    """

    of_boxes: ClassVar[bool] = False
    _columns_apart: ClassVar[bool] = False
    _logits = False
    _sum: ClassVar[Any]  # the class `WeightedSum`

    def __init_subclass__(cls) -> None:
        if not is_own(cls):
            return
        if any(base is not Loss and issubclass(base, Loss) and not is_own(base) for base in cls.__mro__):
            refuse_own(cls, Loss, ("call", "__call__", "forward", "gradient"), _INSTEAD)
        else:
            refuse_methods(cls, ("__call__", "forward", "backward"), "define call and gradient")
            if cls.call is Loss.call or cls.gradient is Loss.gradient:
                raise TypeError(
                    f"{cls.__name__} must define call(self, y_true, y_pred), which returns values, and "
                    "gradient(self, y_true, y_pred), which returns their gradient"
                )
            if not hasattr(cls, "name"):
                cls.name = _core.snake_case(cls.__name__)

    def __init__(
        self,
        arguments: Mapping[str, Any] | None = None,
        *,
        name: str | None = None,
        reduction: str | None = "sum_over_batch_size",
    ) -> None:
        if arguments is None:  # of a class of the user's
            if reduction not in (None, "sum_over_batch_size", "mean"):
                raise ValueError(f"{type(self).__name__}: reduction must be 'sum_over_batch_size', got {reduction!r}")
            if name is not None:
                self.name = name
            return
        kind, given = arguments_of(arguments)
        self.name = given.pop("name")
        if given.pop("reduction") != "sum_over_batch_size":
            raise ValueError(f"{kind}: reduction must be 'sum_over_batch_size', the mean over the batch")
        if kind.endswith("Crossentropy") and given.pop("axis") != -1:
            raise ValueError(f"{kind}: axis must be -1: the classes are the last axis")
        self._core: _core.Loss = _core.make_loss(kind, given)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss values of a custom loss. A built-in loss has no `call`; the C++ core computes it."""
        name = type(self).__name__
        raise NotImplementedError(f"{name}.call is computed by the C++ core; call the object: {name}()(y_true, y_pred)")

    def gradient(self, y_true: Any, y_pred: Any) -> Any:
        """The gradient of the sum of `call`'s values. A built-in loss has no `gradient`; the C++ core computes it."""
        raise NotImplementedError(f"{type(self).__name__}.gradient is computed by the C++ core and cannot be called")

    def _evaluate(self, y_true: Any, y_pred: Any, wants_gradient: bool) -> tuple[Any, Any]:
        return self.call(y_true, y_pred), self.gradient(y_true, y_pred) if wants_gradient else None

    @property
    def core(self) -> _core.Loss:
        """The core's loss."""
        return self._core if self._computes() else core_loss(self._evaluate, type(self).__name__)

    @property
    def from_logits(self) -> bool:
        """Whether it takes the network's output as scores rather than probabilities."""
        return self._core.from_logits if self._computes() else self._logits

    @from_logits.setter
    def from_logits(self, value: bool) -> None:
        if self._computes():
            raise AttributeError(f"{type(self).__name__}.from_logits is fixed when the object is made")
        self._logits = bool(value)

    @property
    def takes_probabilities(self) -> bool:
        """Whether it is defined on probabilities; with `from_logits=True` it computes them from scores."""
        return self._computes() and "from_logits" in self._core.config()

    @property
    def ignored_class(self) -> int | None:
        """The label that the loss ignores."""
        label: int | None = self._core.config().get("ignore_class") if self._computes() else None
        return label

    @property
    def multi_label(self) -> bool:
        """Whether each column of an output is a separate label, as in binary cross-entropy."""
        return self._columns_apart

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of predictions (N, ...) for these targets, as `evaluate` computes it.

        Raises:
            ValueError: the shapes do not fit, or a target is out of its range.
        """
        return loss_value(self, y_true, y_pred, sample_weight)

    def __add__(self, other: Loss) -> Loss:
        """The sum of two losses: `0.5 * Dice(from_logits=True) + SparseCategoricalCrossentropy(from_logits=True)`."""
        if not isinstance(other, Loss):
            return NotImplemented
        terms = [*self._terms(), *other._terms()]
        made: Loss = self._sum([loss for loss, _ in terms], [weight for _, weight in terms])
        return made

    def __radd__(self, other: Any) -> Loss:
        # sum() begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, weight: float) -> Loss:
        """The loss times a number."""
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)):
            return NotImplemented
        terms = self._terms()
        made: Loss = self._sum([loss for loss, _ in terms], [float(weight) * each for _, each in terms])
        return made

    __rmul__ = __mul__

    def _terms(self) -> list[tuple[Loss, float]]:
        """The losses of a sum with their weights, or the loss itself."""
        return [(self, 1.0)]
