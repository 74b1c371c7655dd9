"""The losses there are, and sums of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from striate import _core
from striate._names import suggestion
from striate._own_code import core_loss
from striate.losses._base import Loss


class MeanSquaredError(Loss):
    """The mean of `(y - output)²`.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "mean_squared_error") -> None:
        super().__init__(locals())


class MeanAbsoluteError(Loss):
    """The mean of `|y - output|`.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "mean_absolute_error") -> None:
        super().__init__(locals())


class Huber(Loss):
    """Half the squared error up to `delta`, linear beyond (Huber, 1964).

    Args:
        delta: where the square ends.
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
    """

    def __init__(self, delta: float = 1.0, reduction: str = "sum_over_batch_size", name: str = "huber_loss") -> None:
        super().__init__(locals())


class KLDivergence(Loss):
    """The Kullback-Leibler divergence of the output from the targets: the sum over the last axis of `y log(y / p)`, in
    nats (Kullback and Leibler, 1951).

    Targets and outputs are probabilities, and are clipped to 1e-7 … 1.

    Args:
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
    """

    def __init__(self, reduction: str = "sum_over_batch_size", name: str = "kl_divergence") -> None:
        super().__init__(locals())


class BinaryCrossentropy(Loss):
    """The cross-entropy of binary targets: `-y log p - (1 - y) log(1 - p)`, in nats.

    Targets are 0 … 1 and have the output's shape; (N,) fits an output (N, 1).

    Args:
        from_logits: whether the output is scores, before the sigmoid.
        label_smoothing: targets are moved towards 1/2 by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
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
    """Binary cross-entropy in which samples with a high probability of the true class have less weight (Lin et al.,
    ICCV 2017).

    Args:
        apply_class_balancing: whether the classes are weighted by `alpha` and 1 - `alpha`.
        alpha: the weight of class 1.
        gamma: focusing exponent: examples with a high probability p of the target get the weight (1 - p)^gamma.
        from_logits: whether the output is scores, before the sigmoid.
        label_smoothing: targets are moved towards 1/2 by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
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
        name: name in messages and in `History`.
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
    """Categorical cross-entropy in which samples with a high probability of the true class have less weight (Lin et
    al., ICCV 2017).

    Targets are one-hot, of the output's shape, or integers 0 … C - 1, of its shape without the last axis.

    Args:
        alpha: the weight of the classes: a number, or one for each.
        gamma: focusing exponent: examples with a high probability p of the target get the weight (1 - p)^gamma.
        from_logits: whether the output is scores, before the softmax.
        label_smoothing: targets are moved towards 1 / C by this share.
        axis: -1.
        reduction: "sum_over_batch_size", the mean.
        name: name in messages and in `History`.
        ignore_class: integer targets of this value are left out of the loss; it may be negative. None: no such value.
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
        ignore_class: targets of this value are left out of the loss; it may be negative. None: no such value.
        reduction: "sum_over_batch_size", the mean.
        axis: -1.
        name: name in messages and in `History`.
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
        name: name in messages and in `History`.
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
        name: name in messages and in `History`.
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
    (or the last), and there to the pixels whose centres are within it and at most `radius` strides from its centre, and
    to the one its centre is in. Of several boxes the smallest has the pixel. The loss is the sum of

    - over all pixels, the focal loss of there being an object (Lin et al., ICCV 2017); `gamma=0, alpha=None` make it
      the binary cross-entropy;
    - over pixels with a box, `box_weight` times the generalised IoU loss (Rezatofighi et al., CVPR 2019) or the
      complete one (Zheng et al., AAAI 2020), and `class_weight` times the cross-entropy of the class,

    divided by the number of pixels with a box in the batch, or by 1 where there is none. Images without boxes count:
    they teach what background is.

    Targets are a list with one `(boxes (M, 4), labels (M,))` for each image: x1, y1, x2, y2 in pixels, and classes 0 …
    C - 1; or `(boxes, labels, ignored (M,))`, where nothing is learned within an ignored box, such as a crowd's. A box
    without extent, or wholly outside the image, is dropped, and one that reaches beyond is cut at the edge; a warning
    counts them. `detection.fix_targets` does the same and returns the numbers. Called directly, the loss takes outputs
    and such a list.

    Args:
        strides: pixels of the image between two of each map; each twice the one before.
        box_loss: "giou" or "ciou".
        gamma: focusing exponent: examples with a high probability p of the target get the weight (1 - p)^gamma.
        alpha: weight of pixels with an object, 1 - alpha of those without; None: 1 for both.
        box_weight: weight of the box loss.
        class_weight: weight of the classification loss.
        size_limit: the longest side of a box for a map, in its strides; the last map takes all that are longer.
        radius: how far from its centre a box has pixels, in strides.
        max_boxes: the most boxes that an image may have; memory for so many is kept.
        reduction: "sum_over_batch_size".
        name: name in messages and in `History`.
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
        """The stride of each output map in pixels of the image."""
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
        name: name in messages and in `History`.

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
            if not loss._computes():
                raise TypeError(
                    f"WeightedSum: {type(loss).__name__} is computed in Python and cannot be part of a sum; compute "
                    "the sum in a custom loss, where other losses can be called"
                )
            if loss.of_boxes:
                raise ValueError(
                    f"WeightedSum: {type(loss).__name__} cannot be part of a sum: its targets are boxes. It has "
                    "weights for its own parts; loss_weights of compile are for the losses of several outputs"
                )
        numbers = [1.0] * len(given) if weights is None else [float(weight) for weight in weights]
        if len(numbers) != len(given):
            raise ValueError(f"WeightedSum: expected {len(given)} weights, one for each loss, got {len(numbers)}")
        terms = [(one, number * w) for loss, number in zip(given, numbers, strict=True) for one, w in loss._terms()]
        self.losses = [loss for loss, _ in terms]
        self.weights = [weight for _, weight in terms]
        self.name = name
        entries = {
            str(number): {"class": type(loss).__name__, "config": loss._core.config()}
            for number, loss in enumerate(self.losses)
        }
        self._core = _core.make_loss("WeightedSum", {"losses": entries, "weights": self.weights})

    def _terms(self) -> list[tuple[Loss, float]]:
        return list(zip(self.losses, self.weights, strict=True))

    @property
    def takes_probabilities(self) -> bool:
        """Whether one of its losses takes probabilities."""
        return any(loss.takes_probabilities for loss in self.losses)

    @property
    def ignored_class(self) -> int | None:
        """The label that all of its losses ignore."""
        labels = {loss.ignored_class for loss in self.losses}
        return labels.pop() if len(labels) == 1 else None

    @property
    def multi_label(self) -> bool:
        """Whether one of its losses treats each column as a separate label."""
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


Loss._sum = WeightedSum


class FunctionLoss(Loss):
    """A loss that a function of `(y_true, y_pred)` computes; `compile(loss=function)` makes one.

    The function returns two arrays: values and gradient, as the methods `call` and `gradient` of `Loss` do.

    Args:
        function: the function.
        name: for messages and `History`; None for the function's name.

    Raises:
        TypeError: `function` cannot be called, or, when it is called, it does not return two arrays.
    """

    def __init__(self, function: Callable[[Any, Any], tuple[Any, Any]], name: str | None = None) -> None:
        if not callable(function):
            raise TypeError(f"FunctionLoss: function must be callable, got {type(function).__name__}")
        self.function = function
        self.name = name or getattr(function, "__name__", type(function).__name__)

    def _evaluate(self, y_true: Any, y_pred: Any, wants_gradient: bool) -> tuple[Any, Any]:
        found = self.function(y_true, y_pred)
        if not isinstance(found, tuple) or len(found) != 2:
            raise TypeError(
                f"the loss {self.name!r} must return (values, gradient), got {type(found).__name__}: there is no "
                "automatic differentiation; values have shape (N, ...), and the gradient of their sum that of y_pred"
            )
        return found

    @property
    def core(self) -> _core.Loss:
        """The loss object of the C++ core."""
        return core_loss(self._evaluate, self.name)

    def get_config(self) -> dict[str, Any]:
        """The function's name, as stored in files."""
        return {"function": getattr(self.function, "__name__", type(self.function).__name__), "name": self.name}

    def __reduce__(self) -> Any:
        return FunctionLoss, (self.function, self.name)

    def __repr__(self) -> str:
        return f"FunctionLoss({self.name})"


_BY_NAME: dict[str, type[Loss]] = {
    "mean_squared_error": MeanSquaredError,
    "mse": MeanSquaredError,
    "mean_absolute_error": MeanAbsoluteError,
    "mae": MeanAbsoluteError,
    "huber": Huber,
    "huber_loss": Huber,
    "kl_divergence": KLDivergence,
    "kld": KLDivergence,
    "kullback_leibler_divergence": KLDivergence,
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


def names() -> list[str]:
    """The names that `get` knows."""
    return [*_BY_NAME, *_BY_CLASS]


def get(identifier: str | Loss | type[Loss] | Callable[[Any, Any], Any]) -> Loss:
    """A loss from its name (`"mse"`, `"sparse_categorical_crossentropy"`, ...), its class, a function of
    `(y_true, y_pred)` that returns values and gradient, or itself.

    Raises:
        ValueError: there is none of that name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Loss):
        return identifier()
    if not isinstance(identifier, str):
        if callable(identifier) and not isinstance(identifier, type):
            return FunctionLoss(identifier)
        raise TypeError(f"a loss must be a name, a Loss, its class or a function, got {type(identifier).__name__}")
    names = {**_BY_NAME, **_BY_CLASS}
    cls = names.get(identifier) or names.get(identifier.lower())
    if cls is None:
        raise ValueError(f"there is no loss {identifier!r}; {suggestion(identifier, _BY_NAME)}")
    return cls()
