"""Losses, with Keras's names, arguments and defaults.

A loss is the mean over the batch (over pixels too, where the output is a map), with sample weights the mean of the
weighted values. Targets are never broadcast against the output: a shape that does not fit is an error that names both.
A `Softmax` or sigmoid in front of a cross-entropy is computed together with it, from the scores, so that nothing is
lost to rounding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._attributes import check_attribute
from striate._names import suggestion
from striate._own_classes import refuse_own

__all__ = [
    "BinaryCrossentropy",
    "BinaryFocalCrossentropy",
    "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy",
    "DetectionLoss",
    "Dice",
    "Huber",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "Tversky",
    "WeightedSum",
    "get",
]


# What replaces a loss of the user's.
_INSTEAD = (
    "use a loss of striate.losses, or a sum of them such as 0.5 * Dice(from_logits=True) + "
    "BinaryCrossentropy(from_logits=True)"
)


class Loss:
    """The base class of losses.

    Attributes:
        name: for messages and `History`.
        of_boxes: whether its targets are lists of boxes, as `DetectionLoss`'s are.
    """

    of_boxes: ClassVar[bool] = False
    _columns_apart: ClassVar[bool] = False
    name: str

    def __init_subclass__(cls) -> None:
        refuse_own(cls, Loss, ("call", "__call__", "forward"), _INSTEAD)

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        # Subclasses pass locals(): their signature is the one list of their arguments.
        given = {key: value for key, value in arguments.items() if key not in ("self", "__class__")}
        kind: str = arguments["__class__"].__name__
        self.name = given.pop("name")
        if given.pop("reduction") != "sum_over_batch_size":
            raise ValueError(f"{kind}: reduction must be 'sum_over_batch_size', the mean over the batch")
        if kind.endswith("Crossentropy") and given.pop("axis") != -1:
            raise ValueError(f"{kind}: axis must be -1: the classes are the last axis")
        self._core = _core.make_loss(kind, given)

    def __setattr__(self, name: str, value: Any) -> None:
        core = self.__dict__.get("_core")
        check_attribute(self, name, type(self).__name__, () if core is None else core.config(), {})
        super().__setattr__(name, value)

    @property
    def from_logits(self) -> bool:
        """Whether it takes the network's output as scores rather than probabilities."""
        return self._core.from_logits

    @property
    def takes_probabilities(self) -> bool:
        """Whether it is defined on probabilities, which it makes itself from scores with `from_logits=True`."""
        return "from_logits" in self._core.config()

    @property
    def ignored_class(self) -> int | None:
        """The label that it leaves out."""
        label: int | None = self._core.config().get("ignore_class")
        return label

    @property
    def multi_label(self) -> bool:
        """Whether each column of an output is a label of its own, as in binary cross-entropy."""
        return self._columns_apart

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal loss: `Huber.from_config(config)`."""
        return {**self._core.config(), "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Loss:
        """A loss from what `get_config` returned."""
        return cls(**config)

    def __call__(self, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """The loss of predictions (N, ...) for these targets, as `evaluate` computes it.

        Raises:
            ValueError: the shapes do not fit, or a target is out of its range.
        """
        from striate._data import loss_value

        return loss_value(self, y_true, y_pred, sample_weight)

    def __add__(self, other: Loss) -> WeightedSum:
        """The sum of two losses: `0.5 * Dice(from_logits=True) + SparseCategoricalCrossentropy(from_logits=True)`."""
        if not isinstance(other, Loss):
            return NotImplemented
        terms = [*_terms(self), *_terms(other)]
        return WeightedSum([loss for loss, _ in terms], [weight for _, weight in terms])

    def __radd__(self, other: Any) -> Loss:
        # sum() begins with 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, weight: float) -> WeightedSum:
        """The loss times a number."""
        if isinstance(weight, bool) or not isinstance(weight, (int, float, np.number)):
            return NotImplemented
        return WeightedSum([loss for loss, _ in _terms(self)], [float(weight) * w for _, w in _terms(self)])

    __rmul__ = __mul__

    def __reduce__(self) -> Any:
        from striate._pickling import rebuilt

        return rebuilt, (type(self), self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._core.config().items())})"


class MeanSquaredError(Loss):
    """The mean of `(y - output)²`.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "mean_squared_error") -> None:
        super().__init__(locals())


class MeanAbsoluteError(Loss):
    """The mean of `|y - output|`.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "mean_absolute_error") -> None:
        super().__init__(locals())


class Huber(Loss):
    """Half the squared error up to `delta`, linear beyond (Huber, 1964).

    Args:
        delta: where the square ends.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "sum_over_batch_size", name: str = "huber_loss") -> None:
        super().__init__(locals())


class BinaryCrossentropy(Loss):
    """The cross-entropy of yes-or-no targets: `-y log p - (1 - y) log(1 - p)`, in nats.

    Targets are 0 … 1 and have the output's shape; (N,) fits an output (N, 1).

    Args:
        from_logits: whether the output is scores, before the sigmoid.
        label_smoothing: targets are moved towards 1/2 by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    _columns_apart = True

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "binary_crossentropy",
    ) -> None:
        super().__init__(locals())


class BinaryFocalCrossentropy(Loss):
    """Binary cross-entropy in which what is right already counts less (Lin et al., ICCV 2017).

    Args:
        apply_class_balancing: whether the classes are weighted by `alpha` and 1 - `alpha`.
        alpha: the weight of class 1.
        gamma: how strongly what is right already is discounted: (1 - p)^gamma.
        from_logits: whether the output is scores, before the sigmoid.
        label_smoothing: targets are moved towards 1/2 by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    _columns_apart = True

    def __init__(
        self,
        apply_class_balancing: bool = False,
        alpha: float = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "binary_focal_crossentropy",
    ) -> None:
        super().__init__(locals())


class CategoricalCrossentropy(Loss):
    """The cross-entropy of one class out of C: `-sum(y log p)`, in nats.

    Targets are one-hot (or probabilities), of the output's shape (N, ..., C).

    Args:
        from_logits: whether the output is scores, before the softmax.
        label_smoothing: targets are moved towards 1 / C by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "categorical_crossentropy",
    ) -> None:
        super().__init__(locals())


class CategoricalFocalCrossentropy(Loss):
    """Categorical cross-entropy in which what is right already counts less (Lin et al., ICCV 2017).

    Targets are one-hot, of the output's shape, or integers 0 … C - 1, of its shape without the last axis.

    Args:
        alpha: the weight of the classes: a number, or one for each.
        gamma: how strongly what is right already is discounted: (1 - p)^gamma.
        from_logits: whether the output is scores, before the softmax.
        label_smoothing: targets are moved towards 1 / C by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
        ignore_class: integer targets of this value count for nothing; it may be negative.
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 0.25,
        gamma: float = 2.0,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str = "categorical_focal_crossentropy",
        ignore_class: int | None = None,
    ) -> None:
        super().__init__(locals())


class SparseCategoricalCrossentropy(Loss):
    """The cross-entropy of one class out of C, with integer targets: `-log p[y]`, in nats.

    Targets are 0 … C - 1, of the output's shape without its last axis: (N,) for an output (N, C), (N, H, W) for maps.

    Args:
        from_logits: whether the output is scores, before the softmax.
        ignore_class: targets of this value count for nothing; it may be negative.
        reduction: "sum_over_batch_size", the mean.
        axis: -1.
        name: for messages and `History`.
    """

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: int | None = None,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str = "sparse_categorical_crossentropy",
    ) -> None:
        super().__init__(locals())


class Dice(Loss):
    """1 minus the Dice coefficient `2 sum(y p) / (sum(y) + sum(p))` (Milletari et al., "V-Net", 3DV 2016).

    Targets have the output's shape (N, ..., C); where C is more than 1 they may also be integers 0 … C - 1, of that
    shape without the last axis. Sample weights (N,) weigh the samples' losses; weights of pixels (N, H, W), such as
    those of `class_weight`, weigh the pixels in the sums.

    Over an epoch, or in `evaluate`, sums over the batch go on over all samples, so that the value is that of the whole
    set; where samples stay apart, it is the mean of theirs.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
        axis: axes over which the sums run; None for all, the batch included, as in Keras; (1, 2) for a coefficient for
            each sample and class.
        from_logits: whether the output is scores: before the softmax over its channels, or, where there is one channel,
            before the sigmoid.
        ignore_class: integer targets of this value are left out of the sums; it may be negative.
        smooth: a number added above and below the fraction (as in MONAI and nnU-Net). None: 1 where the sums hold no
            target, such as an image without the object, whose false alarms then have a gradient; elsewhere 0, as in
            Keras. 0: Keras's value everywhere.
    """

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str = "dice",
        axis: Sequence[int] | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        smooth: float | None = None,
    ) -> None:
        super().__init__(locals())


class Tversky(Loss):
    """1 minus the Tversky index `sum(y p) / (sum(y p) + alpha sum(y (1 - p)) + beta sum((1 - y) p))` (Salehi et al.,
    2017), with alpha and beta in the places where Keras computes them.

    Targets and weights are those of `Dice`.

    Args:
        alpha: the weight of false negatives.
        beta: the weight of false positives.
        reduction: "sum_over_batch_size", the mean.
        name: for messages and `History`.
        axis: axes over which the sums run; None for all, the batch included, as in Keras.
        from_logits: whether the output is scores: before the softmax over its channels, or, where there is one channel,
            before the sigmoid.
        ignore_class: integer targets of this value are left out of the sums; it may be negative.
        smooth: a number added above and below the fraction (as in MONAI and nnU-Net). None: 1 where the sums hold no
            target, such as an image without the object, whose false alarms then have a gradient; elsewhere 0, as in
            Keras. 0: Keras's value everywhere.
    """

    def __init__(
        self,
        alpha: float = 0.5,
        beta: float = 0.5,
        reduction: str = "sum_over_batch_size",
        name: str = "tversky",
        axis: Sequence[int] | None = None,
        from_logits: bool = False,
        ignore_class: int | None = None,
        smooth: float | None = None,
    ) -> None:
        super().__init__(locals())


class DetectionLoss(Loss):
    """The loss of a detector without anchors, such as `models.detector`.

    The output (N, rows, columns, 5 + C) holds a map for each stride, one below the other (see `models.detector`). Each
    pixel tells of a box, of whether there is an object, and of its class; it learns of one box at most, as in Tian et
    al., "FCOS" (ICCV 2019): a box belongs to the first stride of which its longer side is at most `size_limit` times
    (or the last), and there to the pixels whose centres lie within it and at most `radius` strides from its centre, and
    to the one its centre is in. Of several boxes the smallest has the pixel. The loss is the sum of

    - over all pixels, the focal loss of there being an object (Lin et al., ICCV 2017); `gamma=0, alpha=None` make it
      the binary cross-entropy;
    - over pixels with a box, `box_weight` times the generalised IoU loss (Rezatofighi et al., CVPR 2019) or the
      complete one (Zheng et al., AAAI 2020), and `class_weight` times the cross-entropy of the class,

    divided by the number of pixels with a box in the batch, or by 1 where there is none. Images without boxes count:
    they teach what background is.

    Targets are a list with one `(boxes (M, 4), labels (M,))` an image: x1, y1, x2, y2 in pixels, and classes 0 … C - 1;
    or `(boxes, labels, ignored (M,))`, where nothing is learned within an ignored box, such as a crowd's. A box without
    extent, or wholly outside the image, is dropped, and one that reaches beyond is cut at the edge; a warning counts
    them. `detection.mend` does the same and returns the numbers. Called by itself, it takes outputs and such a list.

    Args:
        strides: pixels of the image between two of each map; each twice the one before.
        box_loss: "giou" or "ciou".
        gamma: how strongly what is right already is discounted: (1 - p)^gamma.
        alpha: weight of pixels with an object, 1 - alpha of those without; None: 1 for both.
        box_weight: of the boxes' loss.
        class_weight: of the classes' loss.
        size_limit: the longest side of a box for a map, in its strides; the last map takes all that are longer.
        radius: how far from its centre a box has pixels, in strides.
        max_boxes: the most boxes that an image may have; memory for so many is kept.
        reduction: "sum_over_batch_size".
        name: for messages and `History`.
    """

    of_boxes = True

    def __init__(
        self,
        strides: Sequence[int] = (8, 16),
        box_loss: str = "giou",
        gamma: float = 2.0,
        alpha: float | None = 0.25,
        box_weight: float = 2.0,
        class_weight: float = 1.0,
        size_limit: float = 4.0,
        radius: float = 1.5,
        max_boxes: int = 100,
        reduction: str = "sum_over_batch_size",
        name: str = "detection_loss",
    ) -> None:
        super().__init__(locals())

    @property
    def strides(self) -> tuple[int, ...]:
        """Pixels of the image between two of each map."""
        return tuple(self._core.config()["strides"])
        self.max_boxes: int = self._core.config()["max_boxes"]


class WeightedSum(Loss):
    """The sum of losses of one output, each times a weight; `0.5 * a + b` makes one.

    All losses read the same targets: integer labels where one of them wants such, as `SparseCategoricalCrossentropy`
    does beside `Dice`. Either all take scores (`from_logits=True`) or none; none before a `Softmax` or sigmoid that
    each can be computed with is computed from the scores.

    Args:
        losses: objects or names of losses.
        weights: a finite number for each; None for 1.
        name: for messages and `History`.

    Raises:
        ValueError: the numbers of losses and weights differ, a weight is not finite, or some losses take scores and
            others do not.
    """

    def __init__(
        self,
        losses: Sequence[str | Loss],
        weights: Sequence[float] | None = None,
        name: str = "weighted_sum",
    ) -> None:
        given = [get(loss) for loss in losses]
        for loss in given:
            if loss.of_boxes:
                raise ValueError(
                    f"WeightedSum: {type(loss).__name__} is no term of a sum: its targets are boxes; it weighs its own "
                    "parts, and loss_weights of compile weigh the losses of several outputs"
                )
        numbers = [1.0] * len(given) if weights is None else [float(weight) for weight in weights]
        if len(numbers) != len(given):
            raise ValueError(f"WeightedSum: expected {len(given)} weights, one for each loss, got {len(numbers)}")
        terms = [(one, number * w) for loss, number in zip(given, numbers, strict=True) for one, w in _terms(loss)]
        self.losses = [loss for loss, _ in terms]
        self.weights = [weight for _, weight in terms]
        self.name = name
        entries = {
            str(number): {"class": type(loss).__name__, "config": loss._core.config()}
            for number, loss in enumerate(self.losses)
        }
        self._core = _core.make_loss("WeightedSum", {"losses": entries, "weights": self.weights})

    @property
    def takes_probabilities(self) -> bool:
        """Whether one of its losses is."""
        return any(loss.takes_probabilities for loss in self.losses)

    @property
    def ignored_class(self) -> int | None:
        """The label that all of its losses leave out."""
        labels = {loss.ignored_class for loss in self.losses}
        return labels.pop() if len(labels) == 1 else None

    @property
    def multi_label(self) -> bool:
        """Whether one of its losses takes each column for a label of its own."""
        return any(loss.multi_label for loss in self.losses)

    def get_config(self) -> dict[str, Any]:
        """The losses by class and arguments, and their weights."""
        entries = [{"class": type(loss).__name__, "config": loss.get_config()} for loss in self.losses]
        return {"losses": entries, "weights": list(self.weights), "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> WeightedSum:
        """A sum from what `get_config` returned."""
        losses = []
        for entry in config["losses"]:
            kind = _BY_CLASS.get(entry["class"])
            if kind is None:
                raise ValueError(f"there is no loss {entry['class']!r}; {suggestion(str(entry['class']), _BY_CLASS)}")
            losses.append(kind.from_config(entry["config"]))
        return cls(losses, config["weights"], config["name"])

    def __repr__(self) -> str:
        return " + ".join(
            f"{loss!r}" if weight == 1.0 else f"{weight:g} * {loss!r}"
            for loss, weight in zip(self.losses, self.weights, strict=True)
        )


def _terms(loss: Loss) -> list[tuple[Loss, float]]:
    """The losses of a sum with their weights, or the loss itself."""
    return list(zip(loss.losses, loss.weights, strict=True)) if isinstance(loss, WeightedSum) else [(loss, 1.0)]


_BY_NAME: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "huber_loss": Huber,
    "binary_crossentropy": BinaryCrossentropy,
    "bce": BinaryCrossentropy,
    "binary_focal_crossentropy": BinaryFocalCrossentropy,
    "categorical_crossentropy": CategoricalCrossentropy,
    "categorical_focal_crossentropy": CategoricalFocalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "dice": Dice,
    "tversky": Tversky,
    "detection_loss": DetectionLoss,
}
_BY_CLASS = {cls.__name__: cls for cls in _BY_NAME.values()}


def get(identifier: str | Loss | type[Loss]) -> Loss:
    """A loss from its name (`"mse"`, `"sparse_categorical_crossentropy"`, ...), its class, or itself.

    Raises:
        ValueError: there is none of that name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()  # type: ignore[call-arg]
    if not isinstance(identifier, str):
        raise TypeError(
            f"a loss is a name or a striate.losses object, got {type(identifier).__name__}"
            + (f": the C++ core computes losses; {_INSTEAD}" if callable(identifier) else "")
        )
    names = {**_BY_NAME, **_BY_CLASS}
    cls = names.get(identifier) or names.get(identifier.lower())
    if cls is None:
        raise ValueError(f"there is no loss {identifier!r}; {suggestion(identifier, _BY_NAME)}")
    return cls()  # type: ignore[call-arg]
