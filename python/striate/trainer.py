"""Training: the loop over epochs and batches."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate import _core, _kin, losses, optimizers
from striate._checks import batch_of, flag, next_seed, positive
from striate._compiling import check_losses, loss_scales, warn_of_activations
from striate._data import Data, make_data, unpack
from striate._feeding import Augment, Feed, make_feed
from striate._keras_names import STEPS
from striate._meters import Meters, by_name
from striate._outputs import losses_for
from striate._own_classes import refuse_methods
from striate._sharing import ThreadTurn, building, by_one_thread, trainers
from striate._walk import Walk
from striate.callbacks import Callback, CallbackList, History
from striate.callbacks.state import restore
from striate.losses import Loss
from striate.optimizers import Optimizer

if TYPE_CHECKING:
    from striate.metrics import Metric
    from striate.model import Model

Callbacks = Callback | Sequence[Callback] | None


class Trainer:
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
        seed: of the order of the rows and of dropout; None takes the model's.
        loss_weights: of several outputs' losses in their sum: a list or a dict.
        weighted_metrics: like `metrics`, computed with the sample weights.

    Raises:
        ValueError: a name is unknown, or a loss does not fit its output.
    """

    def __init_subclass__(cls) -> None:
        refuse_methods(cls, ("train_step", "test_step", "predict_step"), f"the C++ core trains; {STEPS}")

    def __init__(
        self,
        model: Model,
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
        cls, model: Model, optimizer: Any, loss: Any, metrics: Any, loss_weights: Any, weighted_metrics: Any
    ) -> Trainer:
        """The trainer that a model keeps; it does not keep the model in turn."""
        trainer = cls.__new__(cls)
        trainer._begin(weakref.ref(model), optimizer, loss, metrics, loss_weights, weighted_metrics, None, None)
        return trainer

    def _begin(
        self,
        model: Callable[[], Model | None],
        optimizer: Any,
        loss: Any,
        metrics: Any,
        loss_weights: Any,
        weighted_metrics: Any,
        callbacks: Callbacks,
        seed: int | None,
    ) -> None:
        self._model = model
        self._optimizer = optimizers.get(optimizer)
        self.callbacks = (
            [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
        )
        self._seed = self.model.seed if seed is None else next_seed(seed, "Trainer")
        if loss is None:
            raise ValueError("a model is trained with a loss; pass loss=, such as 'sparse_categorical_crossentropy'")
        self._given = (loss, metrics, loss_weights, weighted_metrics)
        self._core: _core.Trainer | None = None
        self._network: _core.Model | None = None
        self._updates: _core.Optimizer | None = None  # the optimizer that the core's trainer works with
        self._bound: Data | None = None
        self._losses: list[Loss | None] = []
        self._warned = False
        self._meters = Meters(None, None, [], [], [])
        self._epochs_before = 0  # done, until there is a core's trainer to count them
        self._watched: list[Callback] = []  # of the running or last fit
        self._states: list[tuple[str, dict[str, Any]]] = []  # of callbacks, from a file, for the next fit
        self._free_turn()
        self._of_thread = ThreadTurn(
            "another thread is using this trainer; wait until it has ended, or give this thread a Trainer of its own"
        )
        trainers.add(self)
        if self.model._is_built():
            self._settle()
        else:  # what can be known without the network
            for item in loss if isinstance(loss, (list, tuple)) else [] if isinstance(loss, Mapping) else [loss]:
                if item is not None:
                    losses.get(item)

    @property
    def model(self) -> Model:
        """The model that is trained."""
        model = self._model()
        if model is None:
            raise ReferenceError("the model of this trainer is gone; keep the model as long as you train it")
        return model

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer that it was made with."""
        return self._optimizer

    @property
    def seed(self) -> int:
        """The seed of the order of the rows and of dropout."""
        return self._seed if self._core is None else self._core.seed

    @property
    def _epochs(self) -> int:
        """Epochs done, over all calls of fit. The core counts them, so that a state is loaded all at once."""
        return self._epochs_before if self._core is None else self._core.epochs

    @_epochs.setter
    def _epochs(self, value: int) -> None:
        self._epochs_before = value
        if self._core is not None:
            self._core.epochs = value

    @property
    def losses(self) -> list[Loss | None]:
        """One for each output; None for one that is not trained."""
        self._settle()
        return list(self._losses)

    @property
    def metrics(self) -> list[Metric]:
        """The metrics, weighted ones last."""
        self._settle()
        return self._meters.metrics

    def _settle(self) -> _core.Trainer:
        """The core's trainer for the model as it is now."""
        network = self.model._network
        if self._core is not None and self._network is network and self._updates is self.optimizer._core:
            return self._core
        with building:  # another thread may ask for the losses
            return self._settle_for(network)

    def _settle_for(self, network: _core.Model) -> _core.Trainer:
        if self._core is not None and self._network is network and self._updates is self.optimizer._core:
            return self._core
        loss, metrics, loss_weights, weighted_metrics = self._given
        names, shapes = self.model.output_names, network.output_shapes
        made = losses_for(loss, names)
        check_losses(network, made, names)
        scales = loss_scales(loss_weights, made, names)
        cores = [None if one is None else one._core for one in made]
        core = _core.Trainer(network, self.optimizer._core, cores, scales, self.seed)
        core.epochs = self._epochs
        meters = Meters(metrics, weighted_metrics, made, names, shapes)
        if not self._warned:
            self._warned = True
            warn_of_activations(network, made, names)
        self.optimizer._work_for(core, weakref.WeakMethod(self._settle))
        # The network comes last: settling that was interrupted before is done again.
        self._losses, self._meters, self._updates = made, meters, self.optimizer._core
        self._bound, self._core, self._network = None, core, network
        return core

    def get_config(self) -> dict[str, Any]:
        """What a model file keeps of the training: optimizer, losses, and the metrics that were given by name."""
        self._settle()
        _, metrics, loss_weights, weighted = self._given
        return {
            "optimizer": {"class": type(self.optimizer).__name__, "config": self.optimizer.get_config()},
            "losses": [
                None if one is None else {"class": type(one).__name__, "config": one.get_config()}
                for one in self._losses
            ],
            "loss_weights": loss_weights,
            "metrics": by_name(metrics),
            "weighted_metrics": by_name(weighted),
        }

    # Data

    def _data(self, x: Any, y: Any, sample_weight: Any, who: str) -> Data:
        x, y = unpack(x, y, who)
        self.model._ensure_built(x, f"{who}: x")
        self._settle()
        related = self.model._check_kin(who)
        if who in ("fit", "train_on_batch"):
            _kin.check_trainable(related, f"[{self.model.name}] {who}")
        return make_data(x, y, sample_weight, self.model._network, self._losses, who, self._meters.outputs)

    def _bind(self, data: Data) -> _core.Trainer:
        core = self._settle()
        if self._bound is not data:
            self._bound = None
            core.bind(data.inputs, data.targets, data.weights)
            self._bound = data
        return core

    def _alone(self) -> _core.Taken:
        """Exclusive use of the core's trainer, for a `with` statement: while it works on bound arrays, no callback and
        no other thread may bind others. No interrupt can leave it taken: the object gives it back when it is freed.
        """
        return self._turn.take()

    def _free_turn(self) -> None:
        """A turn that nothing has, also in a child of a fork where another thread of the parent had it."""
        self._turn = _core.Turn(
            "the trainer is in the middle of an epoch: evaluate from on_epoch_end rather than after a batch, "
            "and give each thread a model of its own"
        )

    def _release(self) -> None:
        """Release the user's arrays, which the core keeps until it is bound to others, and predictions."""
        with self._turn.take_if_free() as taken:
            if taken:
                self._bound = None
                self._meters.forget()
                if self._core is not None:
                    self._core.release()

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
    ) -> History:
        """Train for a number of epochs.

        Ctrl-C stops at the end of a step; the model keeps what it has learned.

        Args:
            x: inputs (N, ...), float32 or uint8 (other numbers are converted once); a list, or a dict by name, for
                several inputs; or an ImageDataset, without `y`.
            y: targets (N, ...), as the loss wants them; never broadcast. For `DetectionLoss` a list with one
                `(boxes (M, 4), labels (M,))` an image.
            batch_size: samples a step; None for 32. N is gradient descent, 1 stochastic gradient descent.
            epochs: passes over the data; the number of the last one, where `initial_epoch` is not 0.
            verbose: "auto", 0 nothing, 1 a progress bar, 2 a line an epoch.
            callbacks: objects of `striate.callbacks`.
            validation_split: share of the rows, the last ones, that is kept for validation.
            validation_data: (x, y), (x, y, sample_weight) or an ImageDataset to evaluate after each epoch.
            shuffle: whether each epoch takes the rows in a new random order.
            class_weight: class -> weight, multiplied to the sample weights.
            sample_weight: (N,), or with further axes of the targets; for several outputs also a list or a dict with an
                array, or None, for each.
            initial_epoch: number of the first epoch, from 0.
            steps_per_epoch: steps of an epoch, if fewer than the data have.
            validation_steps: steps of a validation, if fewer than its data have.
            validation_batch_size: samples a step of a validation; None for `batch_size`.
            validation_freq: validate every so many epochs, or after the epochs of a list (counted from 1).
            augment: a `striate.data.Augment`: the core changes each batch in a thread while it works on the one before;
                boxes, targets (N, H, W) or (N, H, W, C) of the images' size, and weights of pixels, move with the
                pixels. Or a function that is called with (images, indices, epoch) for each batch, indices being the
                rows' numbers, in a thread of Python's, and returns images of the same shape and type.

        Returns:
            A `History`: its `history` maps a name ("loss", the metrics, "val_loss", ..., "learning_rate" with a
            schedule) to a list with a value for each epoch. The loss is the mean over the epoch's samples (or marked
            pixels), as they were trained on, whatever `batch_size`; of a loss that sums over the batch, such as `Dice`
            without `axis`, it is that of the sums over the epoch. The metrics are exact over all samples.

        Raises:
            ValueError: shapes, lengths or arguments do not fit.
            TypeError: an array holds no numbers.
            RuntimeError: another thread is training the model.
        """
        batch_size = batch_of(batch_size, "fit")
        epochs = positive(epochs, "fit: epochs")
        data = self._data(x, y, sample_weight, "fit")
        data, validation = self._validation(data, validation_split, validation_data)
        if class_weight is not None:
            data = data.weighted(class_weight, self.model._network)
        due = _validation_epochs(validation_freq)
        shuffle = flag(shuffle, "fit: shuffle")
        steps = _steps(steps_per_epoch, data.rows, batch_size, "fit: steps_per_epoch")
        test_batch = positive(validation_batch_size or batch_size, "fit: validation_batch_size")
        test_steps = 0
        if validation is not None:
            test_steps = _steps(validation_steps, validation.rows, test_batch, "fit: validation_steps")
        with self._alone():  # everything is checked before the first callback runs
            for part in (validation, data):
                if part is not None:
                    self._bind(part)
                    self._meters.check(part)
        feed = None if augment is None else make_feed(self._settle(), data, batch_size, augment)
        model = self.model
        model.stop_training = False
        watched = CallbackList(
            [*self.callbacks, *_callback_list(callbacks)],
            add_history=True,
            add_progbar=True,
            model=model,
            verbose=verbose,
            epochs=epochs,
            steps=steps,
            validates=validation is not None,
        )
        self._watched = watched.callbacks
        logs: dict[str, Any] = {}
        self._epochs = max(self._epochs, initial_epoch)
        try:
            watched.on_train_begin()
            restore(watched, self._states)
            self._states = []
            for epoch in range(initial_epoch, epochs):
                watched.on_epoch_begin(epoch)
                logs = self._train_epoch(data, feed, batch_size, steps, shuffle, watched)
                if validation is not None and due(epoch + 1):
                    values = self._test(validation, test_batch, test_steps, watched)
                    logs.update({f"val_{name}": value for name, value in values.items()})
                if self.optimizer.follows_schedule:
                    logs["learning_rate"] = self.optimizer.learning_rate
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
        data: Data,
        feed: Feed | None,
        batch_size: int,
        steps: int,
        shuffle: bool,
        watched: CallbackList,
    ) -> dict[str, Any]:
        order = _core.permutation(self.seed, self._epochs, data.rows) if shuffle else None
        epoch = self._epochs
        self._epochs += 1
        rows = min(steps * batch_size, data.rows)
        with self._alone():
            if feed is not None:
                order = np.arange(data.rows) if order is None else order
                self._bind(feed.buffers)
                feed.begin(order[:rows], epoch)
                walk = Walk(self, feed, feed.step, watched, "train", feed)
            else:
                core = self._bind(data)
                core.set_rows(order)
                walk = Walk(self, core, core.train_step, watched, "train")
            return walk.run(data, order, rows, batch_size)

    def _test(self, data: Data, batch_size: int, steps: int, watched: CallbackList) -> dict[str, Any]:
        watched.on_test_begin()
        with self._alone():
            core = self._bind(data)
            core.set_rows(None)
            walk = Walk(self, core, core.test_step, watched, "test")
            logs = walk.run(data, None, min(steps * batch_size, data.rows), batch_size)
        watched.on_test_end(logs)
        return logs

    def _validation(self, data: Data, split: float, given: Any) -> tuple[Data, Data | None]:
        """What to train on, and what to validate on."""
        if given is not None:
            if hasattr(given, "images"):
                given = (given,)
            if not isinstance(given, (tuple, list)) or not 1 <= len(given) <= 3:
                raise TypeError(
                    "fit: validation_data must be (x, y), (x, y, sample_weight) or an ImageDataset, "
                    f"got {type(given).__name__}; join batches with np.concatenate"
                )
            x, y, weight = (*given, None, None)[:3]
            return data, self._data(x, y, weight, "fit: validation_data")
        if not isinstance(split, (int, float, np.floating)) or isinstance(split, bool) or not 0.0 <= split < 1.0:
            raise ValueError(f"fit: validation_split must be at least 0 and less than 1, got {split!r}")
        if split == 0.0:
            return data, None
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

        Returns:
            The loss, or a list of the loss and the metrics, or a dict. They do not depend on `batch_size`: the loss is
            computed from sums over all samples, as in `fit`.

        Raises:
            ValueError: shapes or lengths do not fit.
            TypeError: an array holds no numbers.
        """
        batch_size = batch_of(batch_size, "evaluate")
        data = self._data(x, y, sample_weight, "evaluate")
        self._meters.check(data)
        steps = _steps(steps, data.rows, batch_size, "evaluate: steps")
        watched = CallbackList(
            _callback_list(callbacks), add_progbar=True, model=self.model, verbose=verbose, epochs=1, steps=steps
        )
        try:
            logs = self._test(data, batch_size, steps, watched)
        finally:
            self._release()
        if return_dict:
            return logs
        values = list(logs.values())
        return values[0] if len(values) == 1 else values

    def predict(self, x: Any, batch_size: int | None = 32, verbose: str | int = 0, callbacks: Any = None) -> Any:
        """The outputs for an array of inputs; see `Model.predict`."""
        return self.model.predict(x, batch_size, verbose, callbacks)

    @by_one_thread(trains=True)
    def train_on_batch(
        self, x: Any, y: Any, sample_weight: Any = None, class_weight: Mapping[int, float] | None = None
    ) -> float:
        """One step on one batch.

        Returns:
            The loss before the step.
        """
        data = self._data(x, y, sample_weight, "train_on_batch")
        if class_weight is not None:
            data = data.weighted(class_weight, self.model._network)
        return self._on_batch(data, train=True)

    @by_one_thread(trains=False)
    def test_on_batch(self, x: Any, y: Any, sample_weight: Any = None) -> float:
        """The loss on one batch, as in inference."""
        data = self._data(x, y, sample_weight, "test_on_batch")
        return self._on_batch(data, train=False)

    def _on_batch(self, data: Data, train: bool) -> float:
        try:
            with self._alone():
                core = self._bind(data)
                return core.train_step(0, data.rows) if train else core.test_step(0, data.rows)
        finally:
            self._release()


def _callback_list(callbacks: Callbacks) -> list[Callback]:
    return [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else list(callbacks)


def _steps(given: int | None, rows: int, batch_size: int, what: str) -> int:
    most = -(-rows // batch_size)
    if given is None:
        return most
    if positive(given, what) > most:
        raise ValueError(f"{what}={given} needs {given * batch_size} rows in batches of {batch_size}, got {rows}")
    return int(given)


def _validation_epochs(freq: int | Sequence[int]) -> Callable[[int], bool]:
    """Whether to validate after an epoch, counted from 1."""
    if isinstance(freq, (list, tuple, set, frozenset, range)):
        wanted = frozenset(int(epoch) for epoch in freq)
        return lambda epoch: epoch in wanted
    every = positive(freq, "fit: validation_freq")  # type: ignore[arg-type]
    return lambda epoch: epoch % every == 0
