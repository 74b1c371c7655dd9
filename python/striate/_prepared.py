"""What a trainer is made of: optimizer, losses and metrics, and the core's trainer for the model as it is now."""

from __future__ import annotations

import warnings
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from striate import _core, losses, optimizers
from striate._checks import next_seed
from striate._compiling import check_losses, loss_scales, losses_for, warn_of_activations
from striate._data import Data, make_data, unpack
from striate._meters import Meters, described
from striate._sharing import ThreadTurn, building, trainers
from striate._sources import source_of
from striate._streaming import Stream
from striate.callbacks import Callback
from striate.losses import Loss
from striate.optimizers import Optimizer

if TYPE_CHECKING:
    from striate.metrics import Metric
    from striate.network import Network

Callbacks: TypeAlias = "Callback | Sequence[Callback] | None"


def callback_list(callbacks: Callbacks) -> list[Callback]:
    """The argument `callbacks` as a list: None gives an empty list, a single callback a list of one."""
    return [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else list(callbacks)


class Prepared:
    """A model's training before its loop: made from `compile`'s arguments, and again after the model was rebuilt."""

    def _begin(
        self,
        model: Callable[[], Network | None],
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
        self.callbacks = callback_list(callbacks)
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
        self._told_of_trainable = False
        self._meters = Meters(None, None, [], [], [])
        self._epochs_before = 0  # done, until there is a core's trainer to count them
        self._watched: list[Callback] = []  # of the running or last fit
        self._states: list[tuple[str, dict[str, Any]]] = []  # of callbacks, from a file, for the next fit
        self._shards = 1  # of the running or last fit
        self._saved_shards: int | None = None  # of a loaded training, for the next fit
        self._free_turn()
        self._of_thread = ThreadTurn(
            "another thread is using this trainer; wait until it has ended, or give each thread its own Trainer"
        )
        trainers.add(self)
        if self.model._is_built():
            self._settle()
        else:  # what can be known without the network
            for item in loss if isinstance(loss, (list, tuple)) else [] if isinstance(loss, Mapping) else [loss]:
                if item is not None:
                    losses.get(item)

    @property
    def model(self) -> Network:
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
    def epochs(self) -> int:
        """The number of epochs, over all calls of `fit`."""
        return self._epochs

    @property
    def losses(self) -> list[Loss | None]:
        """The loss of each output; None for an output that is not trained."""
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
        cores = [None if one is None else one.core for one in made]
        core = _core.Trainer(network, self.optimizer._core, cores, scales, self.seed)
        core.epochs = self._epochs
        if self._core is not None:
            core.train_as(self._core)
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
        """The part of the training that a model file stores: optimizer, losses and metrics."""
        self._settle()
        _, metrics, loss_weights, weighted = self._given
        return {
            "optimizer": {"class": type(self.optimizer).__name__, "config": self.optimizer.get_config()},
            "losses": [
                None if one is None else {"class": type(one).__name__, "config": one.get_config()}
                for one in self._losses
            ],
            "loss_weights": loss_weights,
            "metrics": described(metrics),
            "weighted_metrics": described(weighted),
        }

    def _state(self) -> dict[str, Any]:
        """What a pickle of the model keeps of the training."""
        loss, metrics, loss_weights, weighted_metrics = self._given
        given = {
            "optimizer": self.optimizer,
            "loss": loss,
            "loss_weights": loss_weights,
            "metrics": metrics,
            "weighted_metrics": weighted_metrics,
        }
        if not self.model._is_built():
            return {"given": given}
        core = self._settle()
        slots = [core.slot(index) for index in range(core.slot_count)]
        return {"given": given, "epochs": self._epochs, "iteration": core.iteration, "slots": slots}

    def _go_on(self, state: Mapping[str, Any]) -> None:
        """Go on from what `_state` returned."""
        if "slots" not in state:
            return
        self._epochs = state["epochs"]
        core = self._settle()
        core.iteration = state["iteration"]
        for index, value in enumerate(state["slots"]):
            core.set_slot(index, value)

    # Data

    def _data(self, x: Any, y: Any, sample_weight: Any, who: str) -> Data:
        x, y = unpack(x, y, who)
        self.model._ensure_built(x, f"{who}: x")
        self._settle()
        if who in ("fit", "train_on_batch"):
            self._tell_of_trainable(who)
        return make_data(x, y, sample_weight, self.model._network, self._losses, who, self._meters.outputs)

    def _data_or_stream(self, x: Any, y: Any, sample_weight: Any, who: str) -> Data | Stream:
        """Arrays for the core, or what gives them batch by batch."""
        source = source_of(x, y, sample_weight, who)
        if source is None:
            return self._data(x, y, sample_weight, who)
        stream = Stream(source, who)
        self.model._ensure_built(stream.example(), f"{who}: x")
        self._settle()
        if who == "fit":
            self._tell_of_trainable(who)
        stream.settle(self.model._network, self._losses, self._meters, self.model.output_names)
        return stream

    def _tell_of_trainable(self, who: str) -> None:
        """Warn, once, where `trainable` was set after `compile`."""
        if not self._told_of_trainable and self._settle().trainable_changed:
            self._told_of_trainable = True
            warnings.warn(
                f"[{self.model.name}] {who}: trainable of a layer was set after compile. This training keeps to what "
                "it was then, as Keras's does; call compile again to train by what it is now",
                UserWarning,
                stacklevel=4,
            )

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
            "and give each thread its own model"
        )

    def _release(self) -> None:
        """Release the user's arrays, which the core keeps until it is bound to others, and predictions."""
        with self._turn.take_if_free() as taken:
            if taken:
                self._bound = None
                self._meters.forget()
                if self._core is not None:
                    self._core.release()
