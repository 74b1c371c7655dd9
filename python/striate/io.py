"""Model files: one safetensors file with the weights, the architecture as JSON in its metadata."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

from striate import _core, _kin
from striate._files import PathLike, check_free, encoded, text
from striate._sharing import by_one_thread
from striate.callbacks.state import parsed, states_of
from striate.model import Model
from striate.sequential import Sequential
from striate.trainer import Trainer

__all__ = ["load_model", "load_training", "load_weights", "save_model", "save_training", "save_weights"]

# The keys of the metadata that are not the core's.
_CLASS, _NAME, _TRAINING, _CALLBACKS = "striate.class", "striate.name", "striate.training", "striate.callbacks"
_SHOWN = 10  # names in a warning


def save_model(model: Model, path: PathLike, overwrite: bool = True) -> None:
    """Write a model to a file; see `Model.save`."""
    place = check_free(path, overwrite)
    extra = {_CLASS: "Sequential" if isinstance(model, Sequential) else "Model", _NAME: model.name}
    network = model._network
    if model._trainer is not None:
        extra[_TRAINING] = json.dumps(model._trainer.get_config())
    _core.save_model(network, place, extra, overwrite)


def save_weights(model: Model, path: PathLike, overwrite: bool = True) -> None:
    """Write a model's weights to a file; see `Model.save_weights`."""
    _core.save_weights(model._network, encoded(path), overwrite)


def load_weights(model: Model, path: PathLike, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Read a model's weights from a file; see `Model.load_weights`."""
    skipped = _core.load_weights(model._network, encoded(path), bool(skip_mismatch), bool(by_name))
    _kin.wrote([layer for layer in model._layers if layer.name not in dict(skipped)])
    if not skipped:
        return
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in skipped[:_SHOWN])
    more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
    warnings.warn(
        f"load_weights: these layers do not fit '{text(path)}' and are left as they were: {listed}{more}", stacklevel=3
    )


def load_model(path: PathLike, compile: bool = True) -> Model:
    """Read a model that `Model.save`, in Python or in C++, wrote.

    A file is data: nothing in it is executed, and what it claims is checked before it is believed.

    Args:
        path: the file.
        compile: whether the model is compiled as the one that was saved; its optimizer then begins anew.

    Returns:
        The model; a `Sequential` if it was one.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: it is damaged, or no model.
    """
    core, extra = _core.load_model(encoded(path))
    cls = Sequential if extra.get(_CLASS) == "Sequential" and is_chain(core) else Model
    model = cls._of_core(core, extra.get(_NAME, "model"))
    if compile and _TRAINING in extra:
        try:
            _compile(model, json.loads(extra[_TRAINING]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cannot load '{text(path)}': what the model was compiled with is damaged ({error}); "
                "load_model(path, compile=False) reads the rest"
            ) from error
    return model


def save_training(training: Trainer | Model, path: PathLike, overwrite: bool = True) -> None:
    """Write all that training goes on from, bit for bit, here or in a C++ program.

    A safetensors file of the weights and the optimizer's state (`optimizer/momentum/conv2d/kernel`); in its metadata
    the steps and epochs done, the seed, the optimizer with its arguments, and the learning rate where one was set; and
    what the callbacks of the running or last `fit` remember (`Callback.get_state`), such as the best value of
    `EarlyStopping`. A callback that calls this at an epoch's end must come after those. The file holds no architecture:
    `Model.save` writes that.

    Args:
        training: a trainer, or a compiled model.
        path: the file; it is replaced at once or not at all.
        overwrite: whether a file that is there may be replaced.

    Raises:
        FileExistsError: there is one, and `overwrite` is False.
        OSError: it cannot be written.
        ValueError: the model is not compiled, or a callback's `get_state` returned what could not be read back.
        RuntimeError: another thread is training the model.
    """
    place = check_free(path, overwrite)
    _save_training(_trainer(training, "save_training"), place, overwrite)


def load_training(training: Trainer | Model, path: PathLike) -> None:
    """Go on from where `save_training`, in Python or in C++, was called.

    The callbacks of the next `fit` go on, too, from what those of the same class (and the same `monitor`) remembered
    when the file was written: `EarlyStopping`, `ModelCheckpoint`, `ReduceLROnPlateau`, `TensorBoard`, and any with a
    `get_state`. `History` and `GradientFlow` record one call of `fit`; `CSVLogger(append=True)` goes on in its file.

    Args:
        training: a trainer, or a compiled model, of the same architecture and with an optimizer of the same class; its
            arguments, losses and metrics may be others. It gets the seed of the one that was saved.
        path: the file.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: it cannot be read.
        ValueError: it is damaged, or of other training, or the model is not compiled; all is then as it was.
        RuntimeError: another thread is training the model.
    """
    _load_training(_trainer(training, "load_training"), encoded(path))


@by_one_thread(trains=True)
def _save_training(trainer: Trainer, place: bytes, overwrite: bool) -> None:
    states, arrays = states_of(trainer._watched)
    trainer._settle().save_training(place, {_CALLBACKS: states}, arrays, overwrite)


@by_one_thread(trains=True)
def _load_training(trainer: Trainer, place: bytes) -> None:
    core = trainer._settle()
    extra, arrays = _core.load_training_extra(place)
    try:
        states = parsed(extra.get(_CALLBACKS, "[]"), arrays)
    except ValueError as error:
        raise ValueError(f"cannot load '{text(place)}': {error}") from error
    before, trainer._states = trainer._states, states
    try:
        core.load_training(place)
    except BaseException:  # all is as it was
        trainer._states = before
        raise
    _kin.wrote(trainer.model._layers)


def _trainer(training: Trainer | Model, who: str) -> Trainer:
    return training if isinstance(training, Trainer) else training._compiled(who)


def is_chain(core: _core.Model) -> bool:
    """Whether each layer follows the one before it, as in a `Sequential`."""
    nodes = core.nodes
    chained = all(inputs == ([node - 1] if node else []) for node, (_, inputs, _) in enumerate(nodes))
    return chained and len(core.layers) == len(nodes) > 1


def _compile(model: Model, saved: Mapping[str, Any]) -> None:
    from striate import losses, optimizers

    def made(module: Any, entry: Mapping[str, Any]) -> Any:
        if entry["class"] not in module.__all__:
            raise ValueError(f"there is no {entry['class']!r}")
        return getattr(module, entry["class"]).from_config(entry["config"])

    model.compile(
        made(optimizers, saved["optimizer"]),
        [None if entry is None else made(losses, entry) for entry in saved["losses"]],
        saved["loss_weights"],
        saved["metrics"],
        saved["weighted_metrics"],
    )
