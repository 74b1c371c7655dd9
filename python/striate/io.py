"""Model files: one safetensors file with the weights, the architecture as JSON in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from striate import _core
from striate._architecture import maker, network_of, own_types
from striate._building import is_chain
from striate._custom_objects import UnknownName, custom_object
from striate._files import PathLike, check_content, check_free, encoded, text
from striate._meters import restored
from striate._saving import (
    ARCHITECTURE,
    CLASS,
    NAME,
    OUTPUTS,
    TRAINING,
    load_weights,
    metadata_of,
    save_model,
    save_weights,
)
from striate._training_files import load_training_file, save_training_file
from striate.layers import Layer
from striate.model import Model
from striate.sequential import Sequential
from striate.trainer import Trainer

__all__ = ["load_model", "load_training", "load_weights", "save_model", "save_training", "save_weights"]


def load_model(path: PathLike, custom_objects: Mapping[str, Any] | None = None, compile: bool = True) -> Model:
    """Read a model that `Model.save`, in Python or in C++, wrote.

    Loading executes no code from the file. Sizes and names in the file are checked before use.

    Args:
        path: the file.
        custom_objects: a dict of name and class or function, for the custom layers, losses, metrics and schedules in
            the file. Those registered with `striate.utils.register_keras_serializable` are found without it.
        compile: whether to compile the model with the saved loss, metrics and optimizer. The optimizer's state is not
            in the file; `load_training` restores it.

    Returns:
        The model; a `Sequential` if it was one.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: it cannot be read.
        ValueError: the file is damaged or not a model, or it names a custom object that `custom_objects` lacks.
    """
    if isinstance(custom_objects, bool):
        raise TypeError(
            f"load_model: custom_objects must be a dict of name and class or function, got {custom_objects}; pass "
            f"compile by its name: compile={custom_objects}"
        )
    core, extra, _kept = _read(encoded(path), custom_objects)
    cls = Sequential if extra.get(CLASS) == "Sequential" and is_chain(core) else Model
    model = cls._of_core(core, extra.get(NAME, "model"))
    model._named_outputs = extra.get(OUTPUTS) == "dict"
    if compile and TRAINING in extra:
        try:
            _compile(model, json.loads(extra[TRAINING]), custom_objects)
        except UnknownName as error:
            raise ValueError(
                f"cannot load '{text(path)}': {error}; load_model(path, compile=False) reads the rest"
            ) from error
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(
                f"cannot load '{text(path)}': what the model was compiled with is damaged ({error}); "
                "load_model(path, compile=False) reads the rest"
            ) from error
    return model


def _read(place: bytes, custom_objects: Mapping[str, Any] | None) -> tuple[_core.Model, Mapping[str, str], list[Layer]]:
    """The network in a file, the rest of the metadata, and the layers of the user's, which must be kept."""
    try:
        return *_core.load_model(place), []
    except ValueError:
        check_content(place)
        metadata = metadata_of(place)
        if not own_types(metadata.get(ARCHITECTURE, "")):
            raise
    architecture = metadata.pop(ARCHITECTURE)
    seed = json.loads(architecture)["seed"]
    try:
        core, kept = network_of(architecture, seed, maker(custom_objects))
    except UnknownName as error:
        raise ValueError(f"cannot load '{text(place)}': {error}") from error
    _core.load_weights(core, place, False, False)
    return core, metadata, kept


def save_training(training: Trainer | Model, path: PathLike, overwrite: bool = True) -> None:
    """Write the state from which training resumes with bit-identical results, in Python or in C++.

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
    save_training_file(_trainer(training, "save_training"), place, overwrite)


def load_training(training: Trainer | Model, path: PathLike) -> None:
    """Go on from where `save_training`, in Python or in C++, was called.

    The callbacks of the next `fit` go on, too, from what those of the same class (and the same `monitor`) remembered
    when the file was written: `EarlyStopping`, `ModelCheckpoint`, `ReduceLROnPlateau`, `TensorBoard`, and any with a
    `get_state`. `History` and `GradientFlow` record one call of `fit`; `CSVLogger(append=True)` appends to its file.

    Args:
        training: a trainer, or a compiled model, of the same architecture and with an optimizer of the same class; its
            arguments, losses and metrics may be others. It gets the seed of the one that was saved.
        path: the file.

    Raises:
        FileNotFoundError: the file does not exist.
        OSError: it cannot be read.
        ValueError: it is damaged, or of other training, or the model is not compiled; all is then as it was.
        RuntimeError: another thread is training the model.
    """
    load_training_file(_trainer(training, "load_training"), encoded(path))


def _trainer(training: Trainer | Model, who: str) -> Trainer:
    return training if isinstance(training, Trainer) else training._compiled(who)


def _compile(model: Model, saved: Mapping[str, Any], custom_objects: Mapping[str, Any] | None) -> None:
    from striate import losses, optimizers

    def loss(entry: Mapping[str, Any] | None) -> Any:
        if entry is None:
            return None
        name = str(entry["class"])
        if name == "FunctionLoss":
            function = custom_object(str(entry["config"]["function"]), custom_objects, "loss")
            return losses.FunctionLoss(function, str(entry["config"]["name"]))
        kind = getattr(losses, name) if name in losses.__all__ else custom_object(name, custom_objects, "loss")
        return kind.from_config(entry["config"])

    kind = str(saved["optimizer"]["class"])
    if kind not in optimizers.__all__:
        raise ValueError(f"there is no {kind!r}")
    model.compile(
        getattr(optimizers, kind).from_config(saved["optimizer"]["config"], custom_objects),
        [loss(entry) for entry in saved["losses"]],
        saved["loss_weights"],
        restored(saved["metrics"], custom_objects),
        restored(saved["weighted_metrics"], custom_objects),
    )
