"""Batches that are changed before the training step sees them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import AnyArray, FloatArray, array_of
from striate._data import Data
from striate._threads import threads_for
from striate.detection.targets import pack, unpack

Augment = Callable[[AnyArray, NDArray[np.int64], int], AnyArray]


class Feed(Protocol):
    """What an epoch's walk needs of either feed."""

    buffers: Data
    """What the core is bound to."""

    @property
    def waited(self) -> float:
        """Seconds that steps have waited for their batches, in all epochs."""

    @property
    def step(self) -> Callable[[int, int], float]:
        """A function that trains on rows [first, first + count) of the order. Call it for consecutive rows."""

    def part(self, first: int, count: int) -> float:
        """Train this process's part of a batch. The batch has `count` rows over all processes; this part begins at
        row `first` of this process's order.
        """

    def begin(self, order: NDArray[np.int64], epoch: int) -> None:
        """Begin an epoch that takes the rows in this order."""

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None:
        """As the core's: predictions of step (first, count) go to rows from first - base on."""

    def moved(self) -> Data | None:
        """Targets and weights of the steps since `set_predictions`, where any moved with the images: metrics must not
        hold predictions of moved images against targets that stayed.
        """

    def close(self) -> None: ...


def make_feed(core: _core.Trainer, data: Data, batch_size: int, augment: Augment) -> Feed:
    """The core's own feed for a `striate.data.Augment`; one that calls Python for anything else."""
    from striate.data.augmentation import Augment as Changes

    change = Change(augment, data)
    # A class derived from it may have changed what a call does.
    if type(change.augment) is Changes:
        return CoreFeed(core, data, batch_size, change.augment._change())
    return PythonFeed(core, data, batch_size, change)


class CoreFeed:
    """A thread of the core's changes each batch while the core works on the one before."""

    def __init__(self, core: _core.Trainer, data: Data, batch_size: int, change: _core.Augmentation) -> None:
        images = data.inputs[0]

        def follows(values: AnyArray | None) -> str:
            return "pixels" if values is not None and _is_map(values, images) else "nothing"

        ways = ["boxes" if place in data.boxes else follows(array) for place, array in enumerate(data.targets)]
        weighted = [follows(array) for array in data.weights]
        self._feed = _core.Feed(data.inputs, data.targets, data.weights, batch_size, change, ways, weighted)
        self.buffers = Data(*self._feed.buffers, data.boxes)
        self.step: Callable[[int, int], float] = partial(core.fed_step, self._feed)
        if {*ways, *weighted} != {"nothing"}:
            self.step = self._remembered
        self._core = core
        self._batch_size = batch_size
        self._moved: list[Data] = []
        self._watched = False

    @property
    def waited(self) -> float:
        """Seconds that steps have waited for their batches."""
        return self._feed.waited

    def begin(self, order: NDArray[np.int64], epoch: int) -> None:
        self._feed.begin(np.ascontiguousarray(order), epoch)

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None:
        self._core.set_predictions(buffers, base)
        self._watched = bool(buffers)
        self._moved = []

    def moved(self) -> Data | None:
        return _joined(self._moved, self.buffers)

    def part(self, first: int, count: int) -> float:
        loss = self._core.fed_part(self._feed, first, count)
        begin, end = self._core.own_rows(count)
        if self.step == self._remembered and end > begin:
            self._remember(first, end - begin)
        return loss

    def close(self) -> None:
        self._feed.close()

    def _remembered(self, first: int, count: int) -> float:
        """A step whose targets, moved, are kept for the metrics."""
        loss = self._core.fed_step(self._feed, first, count)
        self._remember(first, count)
        return loss

    def _remember(self, first: int, count: int) -> None:
        if self._watched:
            start = first // self._batch_size % 2 * self._batch_size  # batches take turns in the buffers
            batch = self.buffers._replace(inputs=[])
            self._moved.append(batch.map(lambda array: array[start : start + count].copy()))


class PythonFeed:
    """Gathers batches, passes their images through `augment`, one batch ahead in a thread of Python's, and trains on
    them. The core is bound to buffers of one batch.
    """

    def __init__(self, core: _core.Trainer, data: Data, batch_size: int, change: Change) -> None:
        self._core = core
        self._data = data
        self._change = change
        self._batch_size = batch_size
        # Rows of the data, so that the targets in them are good ones when the buffers are bound.
        first = np.arange(batch_size) % data.rows
        self.buffers = data.map(lambda array: array[first])
        # Without a thread, batches are made when they are due.
        self._thread = (
            ThreadPoolExecutor(1, "striate-augment") if threads_for(1, "augment runs between the steps") else None
        )
        self._next: Callable[[], Data] | None = None
        self._order: NDArray[np.int64] = np.arange(0)
        self._epoch = 0
        self._predictions: Sequence[FloatArray] = ()
        self._moved: list[Data] = []
        self._moves = change.moves(data)
        self._base = 0
        self.waited = 0.0
        """Seconds that steps have waited for their batches."""

    def begin(self, order: NDArray[np.int64], epoch: int) -> None:
        self._order, self._epoch = order, epoch
        self._submit(0)

    def set_predictions(self, buffers: Sequence[FloatArray], base: int) -> None:
        self._predictions, self._base = buffers, base
        self._moved = []

    def moved(self) -> Data | None:
        return _joined(self._moved, self._data)

    def step(self, first: int, count: int) -> float:
        self._take(first, count)
        return self._core.train_step(0, count)

    def part(self, first: int, count: int) -> float:
        begin, end = self._core.own_rows(count)
        if end > begin:
            self._take(first, end - begin)
        return self._core.train_part(0, count)

    def _take(self, first: int, count: int) -> None:
        """Put the next batch into the buffers."""
        assert self._next is not None
        began = time.perf_counter()
        batch = self._next()
        self.waited += time.perf_counter() - began
        self._submit(first + count)
        for buffer, array in zip(self._arrays(self.buffers), self._arrays(batch), strict=True):
            buffer[:count] = array
        if self._predictions:
            if self._moves:
                self._moved.append(batch._replace(inputs=[]))
            self._core.set_predictions(self._predictions, self._base - first)

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=True, cancel_futures=True)

    def _submit(self, first: int) -> None:
        rows = self._order[first : first + self._batch_size]
        if not len(rows):
            self._next = None
        elif self._thread is None:
            self._next = partial(self._gather, rows)
        else:
            self._next = self._thread.submit(self._gather, rows).result

    def _gather(self, rows: NDArray[np.int64]) -> Data:
        return self._change(self._data.map(lambda array: array[rows]), rows, self._epoch)

    @staticmethod
    def _arrays(data: Data) -> list[AnyArray]:
        return [*data.inputs, *(array for array in (*data.targets, *data.weights) if array is not None)]


class Change:
    """What `augment` of `fit` does to a batch: to its images, and to targets and weights that move with them.

    Args:
        augment: the function or `Augment`.
        data: the data, or a batch of them.

    Raises:
        TypeError, ValueError: it cannot be used for them.
    """

    def __init__(self, augment: Augment, data: Data) -> None:
        if not callable(augment):
            raise TypeError(f"fit: augment must be called with (images, indices, epoch), got {type(augment).__name__}")
        if len(data.inputs) != 1:
            raise ValueError("fit: augment is for models with one input")
        self.augment = augment.for_boxes() if data.boxes and hasattr(augment, "for_boxes") else augment

    def __call__(self, batch: Data, rows: NDArray[np.int64], epoch: int) -> Data:
        """The batch of these rows, changed.

        Raises:
            ValueError: the function returned images of another shape or type.
        """
        images = batch.inputs[0]
        changed = array_of(self.augment(images, rows, epoch), "fit: what augment returns")
        if changed.shape != images.shape or changed.dtype != images.dtype:
            raise ValueError(
                f"fit: augment must return images of the same shape and type, {images.dtype} {images.shape}, "
                f"got {changed.dtype} {changed.shape}"
            )
        moved = batch._replace(inputs=[]).map(lambda array: self._along(array, images, rows, epoch))
        targets = [
            self._with_boxes(array, images, rows, epoch) if place in batch.boxes and array is not None else other
            for place, (array, other) in enumerate(zip(batch.targets, moved.targets, strict=True))
        ]
        return moved._replace(inputs=[changed], targets=targets)

    def moves(self, data: Data) -> bool:
        """Whether targets or weights move with the images."""
        extras = [array for array in (*data.targets, *data.weights) if array is not None]
        return any(self._follows(array, data.inputs[0]) for array in extras) or (
            bool(data.boxes) and hasattr(self.augment, "boxes")
        )

    def _with_boxes(self, packed: FloatArray, images: AnyArray, rows: NDArray[np.int64], epoch: int) -> FloatArray:
        """Packed boxes, moved with the pixels by an `augment` that can."""
        if not hasattr(self.augment, "boxes"):
            return packed
        size = (images.shape[1], images.shape[2])
        moved = self.augment.boxes(unpack(packed), rows, size, epoch)
        return pack(moved, size, np.iinfo(np.int64).max, packed.shape[1], "fit: augment.boxes")[0]

    def _along(self, values: AnyArray, images: AnyArray, rows: NDArray[np.int64], epoch: int) -> AnyArray:
        """Maps of the images' size, moved with their pixels by an `augment` that can; anything else as it is."""
        if not self._follows(values, images):
            return values
        moved: AnyArray = self.augment.masks(values, rows, epoch)  # type: ignore[union-attr]
        return moved

    def _follows(self, values: AnyArray, images: AnyArray) -> bool:
        return _is_map(values, images) and hasattr(self.augment, "masks")


def _is_map(values: AnyArray, images: AnyArray) -> bool:
    """Whether there is a value for each pixel of the images."""
    return images.ndim == 4 and values.ndim in (3, 4) and values.shape[:3] == images.shape[:3]


def _joined(batches: list[Data], like: Data) -> Data | None:
    return joined(batches)._replace(boxes=like.boxes) if batches else None


def joined(batches: Sequence[Data]) -> Data:
    """Targets and weights of batches, one after the other; there is at least one batch."""
    targets = [_whole(arrays) for arrays in zip(*(batch.targets for batch in batches), strict=True)]
    weights = [_whole(arrays) for arrays in zip(*(batch.weights for batch in batches), strict=True)]
    return batches[0]._replace(inputs=[], targets=targets, weights=weights)


def _whole(parts: Sequence[AnyArray | None]) -> AnyArray | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays) if arrays else None
