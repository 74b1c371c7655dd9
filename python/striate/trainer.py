"""Training: the loop over epochs and batches."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate import _core
from striate._checks import batch_of, flag, positive
from striate._cut import Cut, CutFit, CutTest, Work, go_on, ready_backups
from striate._data import Data
from striate._feeding import Augment, Change, Feed, make_feed
from striate._keras_names import STEPS
from striate._own_classes import refuse_methods
from striate._prepared import Callbacks, Prepared, callback_list
from striate._sharing import by_one_thread
from striate._sources import source_of
from striate._streaming import Stream, StreamFeed, Waits, steps_of, steps_shown
from striate._walk import Steps, Walk
from striate.callbacks import CallbackList, History
from striate.optimizers import Optimizer

if TYPE_CHECKING:
    from striate.network import Network


class Trainer(Prepared):
    """Trains a model: owns the loop, the optimizer, the losses and the metrics.

    `Model.compile`, `fit` and `evaluate` are a thin face on it.

    Args:
        model: the model.
        optimizer: an object of `striate.optimizers`, or a name.
        loss: an object of `striate.losses`, or a name; for several outputs a list, or a dict by the names of the output
            layers, or one for all. An output that the dict lacks, or whose loss is None, is not trained; it needs
            targets only where it has a metric.
        metrics: a list of objects of `striate.metrics` or names; for several outputs a list of lists, or a dict.
        callbacks: objects of `striate.callbacks`, for every `fit`.
        seed: seed of the order of the rows and of dropout; None takes the model's.
        loss_weights: weights of the losses of several outputs in their sum: a list or a dict.
        weighted_metrics: like `metrics`, computed with the sample weights.

    Raises:
        ValueError: a name is unknown, or a loss does not fit its output.
    """

    def __init_subclass__(cls) -> None:
        refuse_methods(cls, ("train_step", "test_step", "predict_step"), f"the C++ core trains; {STEPS}")

    def __init__(
        self,
        model: Network,
        optimizer: str | Optimizer = "rmsprop",
        loss: Any = None,
        metrics: Any = None,
        callbacks: Callbacks = None,
        seed: int | None = None,
        loss_weights: Any = None,
        weighted_metrics: Any = None,
    ) -> None:
        self._begin(lambda: model, optimizer, loss, metrics, loss_weights, weighted_metrics, callbacks, seed)

    @classmethod
    def _of_model(
        cls, model: Network, optimizer: Any, loss: Any, metrics: Any, loss_weights: Any, weighted_metrics: Any
    ) -> Trainer:
        """The trainer that a model keeps; it does not keep the model in turn."""
        trainer = cls.__new__(cls)
        trainer._begin(weakref.ref(model), optimizer, loss, metrics, loss_weights, weighted_metrics, None, None)
        return trainer

    # The loop

    @by_one_thread(trains=True)
    def fit(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        epochs: int = 1,
        verbose: str | int = "auto",
        callbacks: Callbacks = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Mapping[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Sequence[int] = 1,
        augment: Augment | None = None,
        shards: int | None = None,
    ) -> History:
        """Train for a number of epochs.

        Ctrl-C stops at the end of a step; the model keeps what it has learned.

        After `striate.distributed.init()` all processes that were started together call it with the same arguments and
        train one model, see there.

        Args:
            x: inputs (N, ...), float32 or uint8 (other numbers are converted once); a list, or a dict by name, for
                several inputs. Or, without `y`: an ImageDataset; rows that are read on demand, see
                `striate.data.rows`; or an iterable of batches (x, y) or (x, y, sample_weight): Keras's `PyDataset`, a
                list, a generator with `steps_per_epoch`, PyTorch's `DataLoader`, a `tf.data.Dataset`. Threads read the
                next batches while the core works on one. The same rows in the same order give the bits of arrays.
            y: targets (N, ...), as the loss wants them; never broadcast. For `DetectionLoss` a list with one
                `(boxes (M, 4), labels (M,))` for each image.
            batch_size: samples a step; None for 32. N is gradient descent, 1 stochastic gradient descent. Batches of an
                iterable have their own size.
            epochs: passes over the data; the number of the last one, where `initial_epoch` is not 0.
            verbose: "auto", 0 nothing, 1 a progress bar, 2 one line for each epoch.
            callbacks: objects of `striate.callbacks`.
            validation_split: share of the rows, the last ones, that is kept for validation.
            validation_data: (x, y), (x, y, sample_weight), or what `x` can be without `y` but a list, to evaluate after
                each epoch.
            shuffle: whether each epoch takes the rows, or the batches of a `PyDataset` or list, in a new random order.
                Other iterables have their own.
            class_weight: a dict of class number and weight, such as {0: 1.0, 1: 2.5}; it multiplies the sample weights.
            sample_weight: (N,), or with further axes of the targets; for several outputs also a list or a dict with an
                array, or None, for each.
            initial_epoch: number of the first epoch, from 0.
            steps_per_epoch: steps of an epoch, if fewer than the data have. With it, an iterable resumes in an epoch
                where it was at the end of the one before; it must be given for a generator.
            validation_steps: steps of a validation, if fewer than its data have.
            validation_batch_size: samples a step of a validation; None for `batch_size`.
            validation_freq: validate every so many epochs, or after the epochs of a list (counted from 1).
            augment: a `striate.data.Augment`: the core changes each batch in a thread while it works on the one before;
                boxes, targets (N, H, W) or (N, H, W, C) of the images' size, and weights of pixels, move with the
                pixels. Or a function that is called with (images, indices, epoch) for each batch, indices being the
                rows' numbers, in a thread of Python's, and returns images of the same shape and type.
            shards: parts that each batch is cut in. Their gradients are computed one after the other, or in several
                processes, and added in a fixed order: the bits depend on `shards`, not on the number of processes.
                Batch normalisation takes the statistics of a shard. None for what a loaded training or backup had, or
                else the number of processes. Batches of an iterable cannot be cut.

        Returns:
            A `History`: its `history` maps a name ("loss", the metrics, "val_loss", ..., "learning_rate" with a
            schedule) to a list with a value for each epoch. The loss is the mean over the epoch's samples (or marked
            pixels), as they were trained on, whatever `batch_size`; of a loss that sums over the batch, such as `Dice`
            without `axis`, it is that of the sums over the epoch. The metrics are exact over all samples.

        Raises:
            ValueError: shapes, lengths or arguments do not fit.
            TypeError: an array holds no numbers.
            RuntimeError: another thread is training the model.
            striate.distributed.DistributedError: another process failed; all raise it after the same step.
        """
        batch_size = batch_of(batch_size, "fit")
        epochs = positive(epochs, "fit: epochs")
        given = callback_list(callbacks)
        cut = Cut(shards, [*self.callbacks, *given], self._saved_shards, batch_size)
        try:  # everything is checked before the first callback runs
            data = self._data_or_stream(x, y, sample_weight, "fit")
            data, validation = self._validation(data, validation_split, validation_data)
            cut.check(data, validation)
            if class_weight is not None:
                data = data.weighted(class_weight, self.model._network)
            due = _validation_epochs(validation_freq)
            shuffle = flag(shuffle, "fit: shuffle")
            steps = steps_of(steps_per_epoch, data, batch_size, "fit: steps_per_epoch")
            test_batch = positive(validation_batch_size or batch_size, "fit: validation_batch_size")
            test_steps: int | None = 0
            if validation is not None:
                test_steps = steps_of(validation_steps, validation, test_batch, "fit: validation_steps")
            with self._alone():
                for part in (validation, data):
                    if part is not None:
                        first = part.first() if isinstance(part, Stream) else part
                        self._bind(first)
                        self._meters.check(first)
            if not cut.plain:
                assert steps is not None and test_steps is not None
                work = Work(
                    data, first, validation, due, shuffle, batch_size, steps, test_batch, test_steps, epochs,
                    initial_epoch, verbose, given, augment,
                )  # fmt: skip
                sharded = CutFit(self, cut, work)
        except Exception as error:
            cut.failed(error)
            raise
        if not cut.plain:
            return sharded.run()
        feed: Feed | StreamFeed | None = None
        if isinstance(data, Stream):
            change = None if augment is None else Change(augment, first)
            feed = StreamFeed(self._settle(), data, batch_size, bool(self._meters), change, steps_per_epoch is not None)
        elif augment is not None:
            feed = make_feed(self._settle(), data, batch_size, augment)
        model = self.model
        model.stop_training = False
        watched = CallbackList(
            [*self.callbacks, *given],
            add_history=True,
            add_progbar=True,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=steps_shown(steps, data),
            validates=validation is not None,
        )
        ready_backups(self, watched)
        self._watched, self._shards, self._saved_shards = watched.callbacks, 1, None
        logs: dict[str, Any] = {}
        waits = Waits(feed)
        try:
            watched.on_train_begin()
            for epoch in range(go_on(self, watched, initial_epoch), epochs):
                watched.on_epoch_begin(epoch)
                waits.begin()
                logs = self._train_epoch(data, feed, batch_size, steps, shuffle, watched)
                waits.end(watched.history)
                if validation is not None and due(epoch + 1):
                    values = self._test(validation, test_batch, test_steps, watched)
                    logs.update({f"val_{name}": value for name, value in values.items()})
                if self.optimizer.follows_schedule:
                    logs["learning_rate"] = float(self.optimizer.learning_rate)
                watched.on_epoch_end(epoch, logs)
                if model.stop_training:
                    break
        finally:
            try:
                if feed is not None:
                    feed.close()
            finally:
                try:
                    self._release()
                finally:
                    watched.on_train_end(logs)
        assert watched.history is not None
        return watched.history

    def _train_epoch(
        self,
        data: Data | Stream,
        feed: Feed | StreamFeed | None,
        batch_size: int,
        steps: int | None,
        shuffle: bool,
        watched: CallbackList,
    ) -> dict[str, Any]:
        if isinstance(feed, StreamFeed):
            epoch = self._epochs
            self._epochs += 1
            with self._alone():
                feed.begin(self.seed, epoch, steps, shuffle)
                logs = self._pass(feed, watched, "train")
            if feed.ended_early:
                self.model.stop_training = True
                warnings.warn(
                    f"fit: the {feed.kind} ended before the {steps} batches of steps_per_epoch; training ends with it",
                    stacklevel=4,
                )
            return logs
        assert isinstance(data, Data) and steps is not None
        order = _core.permutation(self.seed, self._epochs, data.rows) if shuffle else None
        epoch = self._epochs
        self._epochs += 1
        rows = min(steps * batch_size, data.rows)
        with self._alone():
            if feed is not None:
                order = np.arange(data.rows) if order is None else order
                self._bind(feed.buffers)
                feed.begin(order[:rows], epoch)
                walk = self._walk(feed, self._with_rate(feed.step), watched, "train", feed)
            else:
                core = self._bind(data)
                core.set_rows(order)
                walk = self._walk(core, self._with_rate(core.train_step), watched, "train")
            return walk.run(data, order, rows, batch_size)

    def _test(self, data: Data | Stream, batch_size: int, steps: int | None, watched: CallbackList) -> dict[str, Any]:
        watched.on_test_begin()
        with self._alone():
            if isinstance(data, Stream):
                feed = StreamFeed(self._settle(), data, batch_size, bool(self._meters))
                feed.begin(0, 0, steps, False)
                logs = self._pass(feed, watched, "test")
            else:
                assert steps is not None
                core = self._bind(data)
                core.set_rows(None)
                walk = self._walk(core, core.test_step, watched, "test")
                logs = walk.run(data, None, min(steps * batch_size, data.rows), batch_size)
        watched.on_test_end(logs)
        return logs

    def _pass(self, feed: StreamFeed, watched: CallbackList, what: str) -> dict[str, Any]:
        """One pass over batches that the feed has begun."""
        core = self._settle()
        self._bound = None
        step = self._with_rate(core.train_step) if what == "train" else core.test_step
        try:
            return self._walk(core, step, watched, what).run_stream(feed)
        finally:
            feed.end()

    def _walk(
        self,
        steps: Steps,
        step: Callable[[int, int], float],
        watched: CallbackList,
        what: str,
        feed: Feed | None = None,
    ) -> Walk:
        model = self.model
        return Walk(self._settle(), model, self._meters, self._losses, steps, step, watched, what, feed)

    def _with_rate(self, step: Callable[[int, int], float]) -> Callable[[int, int], float]:
        """The training step, after the learning rate was set where a schedule of the user's says it."""
        optimizer, core = self.optimizer, self._settle()
        if optimizer._own is None:
            return step

        def following(first: int, count: int) -> float:
            if optimizer._own is not None:  # no callback has set a rate
                core.learning_rate = optimizer._own.rate(core.iteration)
            return step(first, count)

        return following

    def _validation(self, data: Data | Stream, split: float, given: Any) -> tuple[Data | Stream, Data | Stream | None]:
        """What to train on, and what to validate on."""
        who = "fit: validation_data"
        if given is not None:
            # A list may be (x, y) of a model with several inputs and outputs: it is never one of batches.
            is_list = isinstance(given, (list, tuple))
            if hasattr(given, "images") or (not is_list and source_of(given, None, None, who) is not None):
                given = (given,)
            if not isinstance(given, (tuple, list)) or not 1 <= len(given) <= 3:
                raise TypeError(
                    "fit: validation_data must be (x, y), (x, y, sample_weight), an ImageDataset, rows or an iterable "
                    f"of batches, got {type(given).__name__}; join a list of batches with np.concatenate"
                )
            x, y, weight = (*given, None, None)[:3]
            return data, self._data_or_stream(x, y, weight, who)
        if not isinstance(split, (int, float, np.floating)) or isinstance(split, bool) or not 0.0 <= split < 1.0:
            raise ValueError(f"fit: validation_split must be at least 0 and less than 1, got {split!r}")
        if split == 0.0:
            return data, None
        if data.rows is None:
            raise ValueError(
                "fit: validation_split is for arrays and rows, whose number is known; pass validation_data"
            )
        cut = math.floor(data.rows * (1.0 - split))
        if cut in (0, data.rows):
            raise ValueError(f"fit: validation_split={split} leaves {cut} of {data.rows} rows to train on")
        return data.part(0, cut), data.part(cut, data.rows)

    @by_one_thread(trains=False)
    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = 32,
        verbose: str | int = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Callbacks = None,
        return_dict: bool = False,
        distributed: bool = False,
    ) -> Any:
        """Loss and metrics on arrays, as in inference.

        Args:
            x: inputs, as for `fit`.
            y: targets, as for `fit`.
            batch_size: samples that are computed together; None for 32.
            verbose: "auto", 0 nothing, 1 a progress bar, 2 a line.
            sample_weight: as for `fit`.
            steps: batches, if fewer than the data have.
            callbacks: objects of `striate.callbacks`.
            return_dict: whether the values come with their names.
            distributed: whether the processes of `striate.distributed.init()` share the work. All of them call it with
                the same arguments and weights, and get the same values; callbacks run in process 0 alone. Rows are cut
                in the shards of the training before, so that the values have the bits of its validation. False: each
                process evaluates for itself.

        Returns:
            The loss, or a list of the loss and the metrics, or a dict. They do not depend on `batch_size`: the loss is
            computed from sums over all samples, as in `fit`.

        Raises:
            ValueError: shapes or lengths do not fit, or differ between the processes.
            TypeError: an array holds no numbers.
            striate.distributed.DistributedError: another process failed.
        """
        cut = CutTest(self) if flag(distributed, "evaluate: distributed") else None
        try:
            batch_size = batch_of(batch_size, "evaluate")
            data = self._data_or_stream(x, y, sample_weight, "evaluate")
            self._meters.check(data.first() if isinstance(data, Stream) else data)
            steps = steps_of(steps, data, batch_size, "evaluate: steps")
            if cut is not None:
                cut.check(data)
        except Exception as error:
            if cut is not None:
                cut.failed(error)
            raise
        main = cut is None or cut.main
        watched = CallbackList(
            callback_list(callbacks) if main else [],
            add_progbar=True,
            model=self.model,
            verbose=verbose if main else 0,
            epochs=1,
            steps=steps_shown(steps, data),
        )
        try:
            if cut is None or cut.plain:
                logs = self._test(data, batch_size, steps, watched)
            else:
                assert steps is not None
                logs = cut.run(data, batch_size, steps, watched)
        finally:
            self._release()
        return _values(logs, return_dict)

    def predict(
        self,
        x: Any,
        batch_size: int | None = 32,
        verbose: str | int = 0,
        callbacks: Any = None,
        steps: int | None = None,
    ) -> Any:
        """The outputs for an array of inputs; see `Model.predict`."""
        return self.model.predict(x, batch_size, verbose, callbacks, steps)

    @by_one_thread(trains=True)
    def train_on_batch(
        self,
        x: Any,
        y: Any,
        sample_weight: Any = None,
        class_weight: Mapping[int, float] | None = None,
        return_dict: bool = False,
    ) -> Any:
        """One step on one batch.

        Args:
            x, y, sample_weight, class_weight: as for `fit`.
            return_dict: whether the values come with their names.

        Returns:
            The loss before the step, or, with metrics, a list of the loss and the metrics of this batch, as they are in
            training, or a dict.
        """
        data = self._data(x, y, sample_weight, "train_on_batch")
        if class_weight is not None:
            data = data.weighted(class_weight, self.model._network)
        return _values(self._on_batch(data, train=True), return_dict)

    @by_one_thread(trains=False)
    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None, return_dict: bool = False) -> Any:
        """Loss and metrics on one batch, as in inference; returned as by `train_on_batch`."""
        data = self._data(x, y, sample_weight, "test_on_batch")
        return _values(self._on_batch(data, train=False), return_dict)

    def _on_batch(self, data: Data, train: bool) -> dict[str, Any]:
        try:
            with self._alone():
                if self._meters:
                    self._meters.check(data)
                core = self._bind(data)
                core.set_rows(None)
                what = "train" if train else "test"
                step = self._with_rate(core.train_step) if train else core.test_step
                walk = self._walk(core, step, CallbackList(), what)
                return walk.run(data, None, data.rows, data.rows)
        finally:
            self._release()

    @property
    def value_names(self) -> list[str]:
        """The names of what `evaluate` returns, in order."""
        self._settle()
        names = self.model.output_names
        losses = [f"{name}_loss" for name, loss in zip(names, self._losses, strict=True) if loss is not None]
        return ["loss", *(losses if len(names) > 1 else []), *self._meters.names]


def _values(logs: dict[str, Any], return_dict: bool) -> Any:
    """The only value, a list of several, or all with their names."""
    values = list(logs.values())
    return logs if return_dict else values[0] if len(values) == 1 else values


def _validation_epochs(freq: int | Sequence[int]) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(freq, (list, tuple, set, frozenset, range)):
        wanted = frozenset(int(epoch) for epoch in freq)
        return lambda epoch: epoch in wanted
    every = positive(freq, "fit: validation_freq")  # type: ignore[arg-type]
    return lambda epoch: epoch % every == 0
