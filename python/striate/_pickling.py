"""Models, layers, losses and optimizers in pickles: for `copy.deepcopy`, joblib and multiprocessing.

A pickle executes what is in it: open none of a stranger's. `Model.save` writes files that are only data.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from striate import _core

if TYPE_CHECKING:
    from striate.model import Model
    from striate.sequential import Sequential
    from striate.trainer import Trainer


def rebuilt(cls: Any, config: Mapping[str, Any]) -> Any:
    """A layer, a loss, an optimizer or a schedule from its arguments."""
    return cls.from_config(config)


def model_state(model: Model) -> dict[str, Any]:
    """All that a built model is: network, weights, how its plans are built, and its training so far."""
    return {
        "architecture": _core.architecture_json(model._network),
        "name": model.name,
        "seed": model.seed,
        "choices": dict(model._choices),
        "weights": model.get_weights(),
        "training": None if model._trainer is None else _training_state(model._trainer, built=True),
    }


def model_of(cls: type[Model], state: Mapping[str, Any]) -> Model:
    """The model of `model_state`."""
    from striate.io import is_chain
    from striate.model import Model
    from striate.sequential import Sequential

    core = _core.model_from_json(state["architecture"], state["seed"])
    if issubclass(cls, Sequential) and not is_chain(core):
        cls = Model  # an item of the Sequential was a model with branches
    model = cls._of_core(core, state["name"])
    model._choose(**state["choices"])
    model.set_weights(state["weights"])
    _resume(model, state["training"])
    return model


def unbuilt_state(model: Sequential) -> dict[str, Any]:
    """A Sequential that waits for its input's shape."""
    training = None if model._trainer is None else _training_state(model._trainer, built=False)
    return {
        "items": model._items,
        "name": model.name,
        "seed": model.seed,
        "choices": dict(model._choices),
        "training": training,
    }


def unbuilt_of(cls: type[Sequential], state: Mapping[str, Any]) -> Sequential:
    """The Sequential of `unbuilt_state`."""
    model = cls.__new__(cls)
    model._begin(state["name"], state["seed"])
    model._choices = dict(state["choices"])
    model._items, model._tails = list(state["items"]), []
    _resume(model, state["training"])
    return model


def _training_state(trainer: Trainer, built: bool) -> dict[str, Any]:
    loss, metrics, loss_weights, weighted_metrics = trainer._given
    state = {
        "optimizer": trainer.optimizer,
        "loss": loss,
        "loss_weights": loss_weights,
        "metrics": metrics,
        "weighted_metrics": weighted_metrics,
    }
    if built:
        core = trainer._settle()
        state["epochs"], state["iteration"] = trainer._epochs, core.iteration
        state["slots"] = [core.slot(index) for index in range(core.slot_count)]
    return state


def _resume(model: Model, training: Mapping[str, Any] | None) -> None:
    if training is None:
        return
    state = dict(training)
    epochs, iteration, slots = state.pop("epochs", 0), state.pop("iteration", 0), state.pop("slots", None)
    model.compile(**state)
    if slots is None:
        return
    trainer = model._compiled("unpickle")
    trainer._epochs = epochs
    core = trainer._settle()
    core.iteration = iteration
    for index, value in enumerate(slots):
        core.set_slot(index, value)
