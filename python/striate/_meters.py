"""The metrics of a model: which output each looks at, and the predictions that they are computed from."""

from __future__ import annotations

import copy
import json
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate import metrics as metrics_module
from striate._arrays import AnyArray, FloatArray
from striate._custom_objects import custom_object
from striate._data import Data
from striate._described import plain
from striate._names import suggestion
from striate.detection.boxes import Detections
from striate.detection.decoding import decode
from striate.detection.targets import unpack
from striate.losses import Loss
from striate.metrics import FunctionMetric, Metric

# Boxes that score less change average precision by nothing that could be seen.
_LEAST_SCORE = 0.01
# Predictions of an epoch that are kept until its end; beyond, metrics are updated in pieces.
_MOST_BYTES = 256 * 1024 * 1024
# Predictions that a metric may copy at once while it checks targets.
_CHECKED_BYTES = 16 * 1024 * 1024


class _Meter(NamedTuple):
    name: str
    output: int
    metric: Metric
    weighted: bool


class Meters:
    """The metrics of all outputs.

    Raises:
        ValueError: a metric cannot be computed on its output, or two have the same name.
    """

    def __init__(
        self,
        metrics: Any,
        weighted: Any,
        losses: Sequence[Loss | None],
        names: Sequence[str],
        shapes: Sequence[tuple[int, ...]],
    ) -> None:
        self._shapes = list(shapes)
        self._strides = [loss.core.config()["strides"] if loss is not None and loss.of_boxes else () for loss in losses]
        self._memory: list[FloatArray] = []
        self._meters: list[_Meter] = []
        self._blank: list[Metric] = []  # of a shard: metrics that have seen nothing
        for given, use_weights in ((metrics, False), (weighted, True)):
            for output, several in enumerate(_by_output(given, names)):
                for item in several:
                    metric = metrics_module.get(item)
                    name = metric.name if len(names) == 1 else f"{names[output]}_{metric.name}"
                    _check_kind(metric, losses[output])
                    _bind(metric, losses[output], shapes[output])
                    self._meters.append(_Meter(name, output, metric, use_weights))
        taken = {"loss", "learning_rate"}
        if len(names) > 1:
            taken |= {f"{name}_loss" for name, loss in zip(names, losses, strict=True) if loss is not None}
        taken |= {f"val_{name}" for name in (*taken, *(meter.name for meter in self._meters))}
        for meter in self._meters:
            if meter.name in taken:
                raise ValueError(
                    f"two values would be named {meter.name!r}; give each metric a different name: name=..."
                )
            taken.add(meter.name)

    def __bool__(self) -> bool:
        return bool(self._meters)

    @property
    def metrics(self) -> list[Metric]:
        return [meter.metric for meter in self._meters]

    @property
    def names(self) -> list[str]:
        return [meter.name for meter in self._meters]

    @property
    def outputs(self) -> set[int]:
        """The outputs that have a metric."""
        return {meter.output for meter in self._meters}

    def check(self, data: Data) -> None:
        """Check targets and weights before the first step, as `update` would after the last one.

        Raises:
            ValueError: a metric cannot take them.
        """
        for output, (strides, shape) in enumerate(zip(self._strides, self._shapes, strict=True)):
            meters = [meter for meter in self._meters if meter.output == output]
            target, weights = data.targets[output], data.weights_of(output)
            if strides or target is None or not meters:
                continue  # boxes are checked where they are packed
            rows = max(1, _CHECKED_BYTES // (8 * int(np.prod(shape, dtype=np.int64))))
            for first in range(0, len(target), rows):
                part = slice(first, first + rows)
                for meter in meters:
                    weight = _sealed(weights[part]) if meter.weighted and weights is not None else None
                    meter.metric.check_targets(_sealed(target[part]), shape, weight)

    def buffers(self, rows: int | None, batch_size: int) -> list[FloatArray]:
        """One float32 array (count, ...) for the predictions of each output; an empty list without metrics.

        `count` is `rows`, but at most the number of whole batches that fit into the memory limit. With `rows` None
        (unknown number of rows) it is that limit.
        """
        if not self._meters:
            return []
        row_bytes = 4 * sum(int(np.prod(shape, dtype=np.int64)) for shape in self._shapes)
        most = max(_MOST_BYTES // max(row_bytes, 1) // batch_size, 1) * batch_size
        count = most if rows is None else min(rows, most)
        if not self._memory or len(self._memory[0]) < count:
            self._memory = [np.empty((count, *shape), np.float32) for shape in self._shapes]
        return [array[:count] for array in self._memory]

    def steps_at_once(self, batch_size: int) -> int:
        """How many steps' predictions may be kept at once, whatever share of them this process computes."""
        row_bytes = 4 * sum(int(np.prod(shape, dtype=np.int64)) for shape in self._shapes)
        return max(_MOST_BYTES // max(row_bytes, 1) // batch_size, 1)

    def check_merging(self) -> None:
        """Check that the metrics can be kept for each shard.

        Raises:
            ValueError: a class of the user's does not define `merge_state`.
        """
        for metric in self.metrics:
            if type(metric).merge_state is Metric.merge_state:
                raise ValueError(
                    f"metrics: {type(metric).__name__} {metric.name!r} must define merge_state(metrics) to be used "
                    "with shards or in several processes, which keep a metric for each shard"
                )

    def shard(self) -> Meters:
        """The same metrics with states of their own, as after `reset`."""
        made = copy.copy(self)
        blank = [_twin(meter.metric) for meter in self._meters]
        for metric in blank:
            metric.reset_state()
        made._blank = blank
        made._meters = [meter._replace(metric=_twin(one)) for meter, one in zip(self._meters, blank, strict=True)]
        made.reset()
        return made

    def states(self) -> list[dict[str, Any]]:
        """What the metrics of a shard have seen, to be pickled: no functions that they were made with."""
        return [_changed(meter.metric, blank) for meter, blank in zip(self._meters, self._blank, strict=True)]

    def merge(self, shards: Sequence[Sequence[Mapping[str, Any]]]) -> None:
        """Reset, and add what the metrics of all shards have seen, in order."""
        self.reset()
        for place, meter in enumerate(self._meters):
            others = [_twin(meter.metric) for _ in shards]
            for other, states in zip(others, shards, strict=True):
                vars(other).update(states[place])
            meter.metric.merge_state(others)

    def forget(self) -> None:
        """Let go of the buffers."""
        self._memory = []

    def reset(self) -> None:
        for meter in self._meters:
            meter.metric.reset_state()

    def update(self, data: Data, rows: slice | NDArray[np.int64], predictions: Sequence[FloatArray]) -> None:
        """Add these rows of the data with their predictions, which no metric can write into."""
        for output, strides in enumerate(self._strides):
            meters = [meter for meter in self._meters if meter.output == output]
            whole, weights = data.targets[output], data.weights_of(output)
            if not meters or whole is None:
                continue
            target, made = _sealed(whole[rows]), _sealed(predictions[output])
            weights = None if weights is None else _sealed(weights[rows])
            if strides:
                self._update_boxes(meters, target, made, strides)
                continue
            for meter in meters:
                meter.metric.update_state(target, made, weights if meter.weighted else None)

    @staticmethod
    def _update_boxes(meters: Sequence[_Meter], packed: Any, made: FloatArray, strides: Sequence[int]) -> None:
        found = [
            Detections(_sealed(image.boxes), _sealed(image.labels), _sealed(image.scores))
            for image in decode(made, strides, score_threshold=_LEAST_SCORE)
        ]
        targets = unpack(packed)
        objects = [(_sealed(boxes), _sealed(labels)) for boxes, labels, _ in targets]
        ignored = [_sealed(marks) for _, _, marks in targets]
        for meter in meters:
            assert isinstance(meter.metric, metrics_module.MeanAveragePrecision)
            meter.metric.update_state(objects, found, ignored=ignored)

    def results(self) -> dict[str, Any]:
        """Value by name: a float, or an array for a metric that gives one."""
        found = {meter.name: meter.metric.result() for meter in self._meters}
        return {name: float(value) if np.ndim(value) == 0 else value for name, value in found.items()}


def _twin(metric: Metric) -> Metric:
    """A metric with the same attributes."""
    made: Metric = object.__new__(type(metric))
    vars(made).update(vars(metric))
    return made


def _changed(metric: Metric, blank: Metric) -> dict[str, Any]:
    """The attributes that differ from those of a metric that has seen nothing: what `update_state` has set."""
    before = vars(blank)
    return {name: value for name, value in vars(metric).items() if name not in before or value is not before[name]}


def _sealed(array: AnyArray) -> AnyArray:
    """The same memory, read-only: it may be the caller's, and other metrics read it."""
    view: AnyArray = array.view()
    view.flags.writeable = False
    return view


def _bind(metric: Metric, loss: Loss | None, shape: tuple[int, ...]) -> None:
    """Tell a metric of its output and of the loss."""
    metric.bind(loss is not None and loss.from_logits, (None, *shape))
    metric.bind_loss(
        None if loss is None else loss.ignored_class, loss is not None and loss.multi_label and shape[-1] > 1
    )


def _check_kind(metric: Metric, loss: Loss | None) -> None:
    boxes = isinstance(metric, metrics_module.MeanAveragePrecision)
    of_boxes = loss is not None and loss.of_boxes
    if boxes != of_boxes:
        kind = "no loss" if loss is None else type(loss).__name__
        raise ValueError(
            f"metrics: {type(metric).__name__} {metric.name!r} cannot be used for an output that is trained with "
            f"{kind}; use {'MeanAveragePrecision' if of_boxes else 'DetectionLoss'}"
        )


def _by_output(given: Any, names: Sequence[str]) -> list[list[Any]]:
    """The metrics of each output, as the user wrote them."""
    if given is None:
        return [[] for _ in names]
    if isinstance(given, Mapping):
        for name in given:
            if name not in names:
                raise ValueError(f"metrics: the model has no output {name!r}; {suggestion(str(name), names)}")
        return [_list(given.get(name)) for name in names]
    items = _list(given)
    if items and all(item is None or isinstance(item, (list, tuple)) for item in items):
        if len(items) != len(names):
            raise ValueError(f"metrics: the model has {len(names)} outputs, got {len(items)} lists")
        return [_list(item) for item in items]
    if len(names) > 1:
        for item in items:
            if isinstance(item, Metric):
                raise ValueError(
                    f"metrics: the model has {len(names)} outputs, and one {type(item).__name__} cannot serve all; "
                    "give a list for each output, or a dict by the outputs' names"
                )
    return [list(items) for _ in names]


_CLASS, _FUNCTION = "striate.metric", "striate.function"


def described(given: Any) -> Any:
    """What the user gave as metrics, as JSON holds it: names, classes with arguments, and names of functions.

    A metric whose arguments cannot be written is left out, with a warning.
    """
    if isinstance(given, Mapping):
        return {str(name): described(value) for name, value in given.items()}
    if isinstance(given, (list, tuple)):
        entries = [described(item) for item in given]
        return [entry for item, entry in zip(given, entries, strict=True) if item is None or entry is not None]
    if given is None or isinstance(given, str):
        return given
    if isinstance(given, type):
        return {_CLASS: given.__name__, "config": {}}
    if isinstance(given, FunctionMetric):
        name = getattr(given.function, "__name__", type(given.function).__name__)
        return {_FUNCTION: name, "name": given.name}
    if not isinstance(given, Metric):
        return {_FUNCTION: getattr(given, "__name__", type(given).__name__), "name": None}
    try:
        return {_CLASS: type(given).__name__, "config": json.loads(json.dumps(given.get_config(), default=plain))}
    except (NotImplementedError, TypeError, ValueError) as error:
        warnings.warn(f"the metric {given.name!r} is left out of the file: {error}", stacklevel=5)
        return None


def restored(entry: Any, custom_objects: Mapping[str, Any] | None) -> Any:
    """The metrics of `described`.

    Raises:
        ValueError: a class or function is neither the library's nor among `custom_objects`.
    """
    if isinstance(entry, Mapping) and _CLASS in entry:
        name = str(entry[_CLASS])
        found = getattr(metrics_module, name) if name in metrics_module.__all__ else None
        if not (isinstance(found, type) and issubclass(found, Metric)):
            found = custom_object(name, custom_objects, "metric")
        return found.from_config(dict(entry["config"]))
    if isinstance(entry, Mapping) and _FUNCTION in entry:
        function = custom_object(str(entry[_FUNCTION]), custom_objects, "metric")
        return FunctionMetric(function, None if entry["name"] is None else str(entry["name"]))
    if isinstance(entry, Mapping):
        return {name: restored(value, custom_objects) for name, value in entry.items()}
    return [restored(item, custom_objects) for item in entry] if isinstance(entry, list) else entry


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value]
