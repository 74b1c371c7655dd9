"""The base class of every callback, and what a callback may ask of the model."""

from __future__ import annotations

import os
import re
import weakref
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from striate._names import nearest
from striate._own_classes import is_own

Logs = dict[str, Any]
"""Values by name: of a batch the running ones, of an epoch the final ones. A callback may add to an epoch's."""


class TrainedOptimizer(Protocol):
    """The part of an optimizer that callbacks may use."""

    learning_rate: float


class TrainedModel(Protocol):
    """The part of the trained model that callbacks may use."""

    stop_training: bool

    @property
    def optimizer(self) -> TrainedOptimizer: ...

    def get_weights(self) -> list[npt.NDArray[Any]]: ...

    def set_weights(self, weights: list[npt.NDArray[Any]]) -> None: ...

    def state_dict(self) -> Mapping[str, npt.NDArray[Any]]:
        """Weights by "layer/param", in network order."""
        ...

    def gradients(self) -> Mapping[str, npt.NDArray[np.float32]]:
        """Gradients of the last batch by "layer/param", in network order."""
        ...

    def save(self, path: str | os.PathLike[str]) -> None: ...

    def save_weights(self, path: str | os.PathLike[str]) -> None: ...


class Callback:
    """The base class of callbacks. Override the hooks that are needed.

    A batch hook that is not overridden is never called (see `wants`). Set `self.model.stop_training`
    to True to end the training after the current batch or epoch.

    Attributes:
        params: `epochs`, `steps` (batches an epoch, or None where unknown) and `verbose`; in `fit` also `validates`,
            whether there are data to validate on.
        model: the model that is trained. The callback does not keep it alive.
    """

    def __init__(self) -> None:
        self.params: dict[str, Any] = {}
        self._model: weakref.ref[TrainedModel] | None = None  # the trainer keeps callbacks, so that they do not keep it

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_model"}

    def __init_subclass__(cls) -> None:
        if not is_own(cls):
            return
        for name, value in vars(cls).items():
            method = callable(value) or isinstance(value, (staticmethod, classmethod))
            if not (method and _HOOK.match(name)) or any(name in vars(base) for base in cls.__mro__[1:]):
                continue
            if not _is_called(cls, name):
                raise TypeError(
                    f"{cls.__name__}.{name} would never be called; did you mean {_nearest_hook(name)!r}? "
                    "A method that you call yourself must not begin with 'on'"
                )

    @property
    def model(self) -> TrainedModel:
        # Not set where a subclass does not call this class's __init__.
        found: weakref.ref[TrainedModel] | None = getattr(self, "_model", None)
        if found is None:
            raise RuntimeError(f"{type(self).__name__} has no model yet; it gets one when it is passed to fit")
        model = found()
        if model is None:
            raise ReferenceError(f"the model of this {type(self).__name__} no longer exists; keep a reference to it")
        return model

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params

    def set_model(self, model: TrainedModel) -> None:
        self._model = weakref.ref(model)

    def wants(self, hook: str) -> bool:
        """Whether a batch hook, such as `"on_train_batch_end"`, needs to be called.

        Asked once the run has begun (after `on_train_begin` and its like). By default: whether it is overridden.
        """
        names = [hook, hook.replace("_train", "")] if "_train_batch" in hook else [hook]
        return any(getattr(getattr(self, name), "__func__", None) is not getattr(Callback, name) for name in names)

    def get_state(self) -> dict[str, Any]:
        """The state of the callback between epochs; `save_training` stores it.

        A dict of numbers, strings, None, arrays of float32, and lists and dicts of them, with strings as keys; by
        default nothing. Tuples and other arrays come back as lists.
        """
        return {}

    def set_state(self, state: dict[str, Any]) -> None:
        """Restore the state that `get_state` returned.

        The first `fit` after `load_training` calls it after `on_train_begin`, for callbacks of the same class (and the
        same `monitor`), in their order.

        Raises:
            KeyError, TypeError, ValueError: the state is damaged.
        """

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Called before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """Called after the last epoch, with its logs."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Called before the first batch of an epoch; epochs count from 0."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """Called after an epoch and its validation, whose values have names that begin with `val_`."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is trained on; batches count from 0 in each epoch."""
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch was trained on."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for `on_train_batch_begin`."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Another name for `on_train_batch_end`."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Called before an evaluation, a validation within training included."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """Called after an evaluation, with its values."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is evaluated."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch was evaluated."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Called before a prediction."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """Called after a prediction."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Called before a batch is predicted."""

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """Called after a batch was predicted."""


_HOOK = re.compile(r"on_|on[A-Z]")
# Words of other libraries' hooks.
_WORDS = {
    **dict.fromkeys(("start", "started", "begins", "before"), "begin"),
    **dict.fromkeys(("stop", "ends", "ended", "finish", "finished", "completed", "after"), "end"),
    **dict.fromkeys(("validation", "validate", "val", "valid", "evaluate", "evaluation", "eval", "testing"), "test"),
    **dict.fromkeys(("fit", "training"), "train"),
    **dict.fromkeys(("prediction", "predicting"), "predict"),
    **dict.fromkeys(("step", "iteration", "minibatch"), "batch"),
}


def _nearest_hook(name: str) -> str:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().split("_")
    meant = "_".join(_WORDS.get(word, word) for word in words)
    # An epoch is of training; a test and a prediction have none.
    meant = meant.replace("train_epoch", "epoch").replace("test_epoch", "test").replace("predict_epoch", "predict")
    hooks = [hook for hook in vars(Callback) if hook.startswith("on_")]
    return nearest(meant, hooks, cutoff=0.0)[0]


def _is_called(cls: type, name: str) -> bool:
    """Whether another method of the class or of the user's classes below it mentions the name."""
    methods = (item for base in cls.__mro__ if is_own(base) for item in vars(base).items())
    codes = (_code(value) for own, value in methods if own != name)
    return any(name in (*code.co_names, *code.co_consts) for first in codes if first for code in _within(first))


def _code(method: Any) -> CodeType | None:
    code = getattr(getattr(method, "__func__", method), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _within(code: CodeType) -> Iterator[CodeType]:
    """The code and that of the functions in it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _within(constant)
