"""What a training or an evaluation works on: arrays that fit the network and its losses."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._arrays import (
    AnyArray,
    FloatArray,
    as_float32,
    class_weights_for,
    for_core,
    inputs_for,
    labels_for,
    numbers,
    with_last_axis,
)
from striate._batches import check_no_batches, is_batch
from striate._outputs import sample_weights_for, targets_for
from striate.detection.decoding import image_size
from striate.detection.targets import pack


class Loss(Protocol):
    """What is needed of a `striate.losses.Loss`."""

    of_boxes: ClassVar[bool]

    @property
    def core(self) -> _core.Loss: ...


class Data(NamedTuple):
    """Arrays for the core, all with the same number of rows."""

    inputs: list[AnyArray]
    targets: list[AnyArray | None]
    """Of each output; None where it has neither a loss nor a metric."""
    weights: list[FloatArray | None]
    """None, one for all outputs, or one (or None) for each."""
    boxes: frozenset[int] = frozenset()
    """Which targets are packed boxes (see `detection.targets`)."""

    @property
    def rows(self) -> int:
        return len(self.inputs[0])

    def part(self, start: int, stop: int) -> Data:
        """Rows [start, stop), without copying."""
        return self.map(lambda array: array[start:stop])

    def map(self, change: Callable[[AnyArray], AnyArray]) -> Data:
        """The same with each array changed."""
        inputs = [change(array) for array in self.inputs]
        targets = [None if array is None else change(array) for array in self.targets]
        weights = [None if array is None else change(array) for array in self.weights]
        return self._replace(inputs=inputs, targets=targets, weights=weights)

    def weights_of(self, output: int) -> FloatArray | None:
        """The sample weights of an output."""
        return self.weights[output if len(self.weights) > 1 else 0] if self.weights else None

    def weighted(self, class_weight: Mapping[int, float], network: _core.Model) -> Data:
        """The same with weights by class."""
        if len(self.targets) != 1:
            raise ValueError(
                "class_weight is for models with one output; use sample_weight, a list or a dict with weights for each "
                "output"
            )
        if self.boxes:
            raise ValueError("class_weight is for labels, not for boxes; weigh images by sample_weight")
        target, given = self.targets[0], self.weights_of(0)
        assert target is not None  # the only output has a loss
        by_class = class_weights_for(class_weight, target, network.output_shapes[0][-1])
        if given is not None:
            missing = by_class.ndim - given.ndim
            by_class = by_class * given.reshape(given.shape + (1,) * max(missing, 0))
        return self._replace(weights=[np.ascontiguousarray(by_class, np.float32)])


def unpack(x: Any, y: Any, who: str) -> tuple[Any, Any]:
    """Inputs and targets, from two arrays or from an ImageDataset."""
    if hasattr(x, "images") and hasattr(x, "labels"):
        if y is not None:
            raise ValueError(f"{who}: the dataset has its own labels; leave y out")
        dataset = x
        x, y = dataset.images, dataset.labels
        if y is None:
            raise ValueError(f"{who}: the dataset has no labels")
        if hasattr(dataset, "crowds"):
            marks = zip(y, dataset.crowds, dataset.ignored, strict=True)
            y = [(boxes, labels, crowd | ignored) for (boxes, labels), crowd, ignored in marks]
    if y is None:
        check_no_batches(x, f"{who}: x")
        if isinstance(x, (list, tuple)) and x and all(map(is_batch, x)):
            raise TypeError(
                f"{who}: x is a list of {len(x)} batches; join them with np.concatenate to one x and one y, or pass "
                f"them one by one to {'test' if who == 'evaluate' else 'train'}_on_batch(x, y)"
            )
        raise TypeError(f"{who}: y must be an array of targets, got None")
    return x, y


def make_data(
    x: Any,
    y: Any,
    sample_weight: Any,
    network: _core.Model,
    losses: Sequence[Loss | None],
    who: str,
    measured: Collection[int] = (),
    warn: Callable[[str], None] | None = None,
) -> Data:
    """Check and convert what the user passed.

    Args:
        measured: outputs that have a metric, and so need targets even without a loss.
        warn: takes warnings; None: they are given.

    Raises:
        ValueError: shapes or lengths do not fit.
        TypeError: an array holds no numbers.
    """
    names = [network.layer(network.node(node)[0])[1] for node in network.input_nodes]
    inputs = inputs_for(x, network.input_shapes, names, f"{who}: x")
    names = [network.layer(network.node(node)[0])[1] for node in network.output_nodes]
    needed = [loss is not None or place in measured for place, loss in enumerate(losses)]
    given = targets_for(y, names, needed, f"{who}: y")
    targets = [
        None if item is None and not need else _target(item, loss, shape, name, who, warn or _warn)
        for item, need, loss, shape, name in zip(given, needed, losses, network.output_shapes, names, strict=True)
    ]
    rows = len(inputs[0])
    for array in targets:
        if array is not None and len(array) != rows:
            raise ValueError(f"{who}: x has {rows} rows, y has {len(array)}")
    weights = sample_weights_for(sample_weight, names, rows)
    boxes = frozenset(place for place, loss in enumerate(losses) if loss is not None and loss.of_boxes)
    return Data(inputs, targets, weights, boxes)


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=6)


def _boxes(
    value: Any, loss: Loss, output: tuple[int, ...], layer: str, who: str, warn: Callable[[str], None]
) -> AnyArray:
    most, _ = loss.core.target_shape(output, layer)
    size = image_size(output, loss.core.config()["strides"])
    packed, fixed = pack(value, size, output[-1] - 5, most, f"{who}: y")
    corners = packed[packed[..., 4] != -1.0][:, :4]
    if corners.size and corners.max() <= 1.0 and min(size) > 2:
        warn(
            f"{who}: y: all corners of the boxes are within 0 .. 1; boxes are in pixels: multiply x by the width, "
            f"{size[1]}, and y by the height, {size[0]}"
        )
    if any(fixed.values()):
        warn(
            f"{who}: y: of the boxes {fixed['degenerate']} without extent and {fixed['outside']} outside their image "
            f"were dropped, {fixed['clipped']} that reach beyond it were cut at its edge"
        )
    return packed


def _target(
    value: Any, loss: Loss | None, output: tuple[int, ...], layer: str, who: str, warn: Callable[[str], None]
) -> AnyArray:
    if loss is None:  # only metrics see it, and they check it
        return for_core(numbers(value, f"{who}: y"))
    if loss.of_boxes:
        return _boxes(value, loss, output, layer, who, warn)
    kind = type(loss).__name__
    wanted = loss.core.target_shape(output, layer)
    labels = loss.core.target_dtype != "float32"
    given = numbers(value, f"{who}: y")
    if not labels and loss.core.takes_labels(output) and given.shape[1:] in (output[:-1], (*output[:-1], 1)):
        wanted, labels = output[:-1], True
    array = with_last_axis(given, wanted)
    if array.shape[1:] != wanted:
        fix = ""
        if labels and array.shape[1:] == output:
            fix = "; for one-hot targets use CategoricalCrossentropy, or y.argmax(axis=-1)"
        elif not labels and kind.startswith("Categorical") and array.shape[1:] in (output[:-1], (*output[:-1], 1)):
            fix = "; for integer labels use SparseCategoricalCrossentropy, or striate.data.to_categorical(y)"
        elif not labels and kind == "BinaryCrossentropy" and output[-1] > 1 and array.shape[1:] == output[:-1]:
            fix = (
                "; for one class of several use SparseCategoricalCrossentropy, for several labels pass 0 or 1 for each "
                f"of the {output[-1]} outputs"
            )
        elif not labels and len(output) == 1 and array.ndim == 2:
            fix = f"; for this y the model must have {array.shape[-1]} output{'s' * (array.shape[-1] != 1)}"
        raise ValueError(
            f"{who}: [{kind}] expects y of shape {_batched(wanted)} for the output {_batched(output)} of [{layer}], "
            f"got {array.shape}{fix}"
        )
    if labels:
        return labels_for(array, kind)
    if array.dtype.kind == "f" and (missing := np.isnan(array)).any():
        row = int(np.argwhere(missing)[0][0])
        raise ValueError(
            f"{who}: [{kind}] expects numbers as targets, got NaN in row {row} of y; where a target is missing, put 0 "
            "in its place and give the row a sample_weight of 0"
        )
    return for_core(array)


def _batched(shape: tuple[int, ...]) -> str:
    return "(" + ", ".join(["N", *map(str, shape)]) + ("," if not shape else "") + ")"


def loss_value(loss: Loss, y_true: ArrayLike, y_pred: ArrayLike, sample_weight: ArrayLike | None) -> float:
    """What a loss gives for targets and predictions: a network that passes its input on, evaluated."""
    who = type(loss).__name__
    predictions = as_float32(numbers(y_pred, f"{who}: y_pred"))
    if predictions.ndim == 1:
        predictions = predictions[:, np.newaxis]
    symbol = _core.input(predictions.shape[1:], "y_pred")
    linear = _core.make_layer("Activation", {"activation": "linear"}, "output")
    network = _core.Model([symbol], [_core.apply(linear, [symbol])], 0)
    network.device = "cpu"  # a few numbers, once
    core = _core.Trainer(network, _core.make_optimizer("SGD", {}), [loss.core], [], 0)
    data = make_data(predictions, y_true, sample_weight, network, [loss], who)
    core.bind(data.inputs, data.targets, data.weights)
    return core.test_step(0, data.rows)
