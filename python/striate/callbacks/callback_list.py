"""Many callbacks as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from striate.callbacks.base import Callback, Logs, TrainedModel
from striate.callbacks.history import History
from striate.callbacks.progress_bar import ProgressBar

BatchHook = Callable[[int, Logs | None], None]
BATCH_HOOKS = tuple(f"on_{what}_batch_{when}" for what in ("train", "test", "predict") for when in ("begin", "end"))


class CallbackList:
    """Calls every callback in order, at every hook of `Callback`.

    Of a batch hook only the callbacks that want it are kept, chosen when the run begins (`on_train_begin` and so on),
    so that a loop can skip its own work too::

        if callbacks.has_train_batch_end:
            callbacks.on_train_batch_end(batch, {"loss": loss})

    Args:
        callbacks: a callback, several, or None.
        add_history: whether to add a `History` at the end if there is none; it is the attribute `history`.
        add_progbar: whether to add a `ProgressBar` if there is none, unless `verbose` is 0.
        model: the model that is trained.
        params: `epochs`, `steps` and `verbose`, for every callback.
    """

    def __init__(
        self,
        callbacks: Callback | Iterable[Callback] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: TrainedModel | None = None,
        **params: Any,
    ) -> None:
        given = [] if callbacks is None else [callbacks] if isinstance(callbacks, Callback) else list(callbacks)
        for callback in given:
            if not isinstance(callback, Callback):
                kind = callback.__name__ if isinstance(callback, type) else type(callback).__name__
                fix = f"; pass an object: {kind}(...)" if isinstance(callback, type) else ""
                raise TypeError(f"callbacks must be striate.callbacks.Callback objects, got {kind}{fix}")
        self.callbacks: list[Callback] = given
        if add_progbar and params.get("verbose", "auto") != 0 and self._first(ProgressBar) is None:
            self.append(ProgressBar())
        if add_history and self._first(History) is None:
            self.append(History())
        self.history: History | None = self._first(History)
        self._choose_batch_hooks()
        if model is not None:
            self.set_model(model)
        if params:
            self.set_params(params)

    def __iter__(self) -> Iterator[Callback]:
        return iter(self.callbacks)

    def append(self, callback: Callback) -> None:
        self.callbacks.append(callback)

    def set_params(self, params: dict[str, Any]) -> None:
        self.params = params
        for callback in self.callbacks:
            callback.set_params(params)

    def set_model(self, model: TrainedModel) -> None:
        for callback in self.callbacks:
            callback.set_model(model)

    @property
    def has_train_batch_begin(self) -> bool:
        return bool(self._hooks["on_train_batch_begin"])

    @property
    def has_train_batch_end(self) -> bool:
        return bool(self._hooks["on_train_batch_end"])

    @property
    def has_test_batch_begin(self) -> bool:
        return bool(self._hooks["on_test_batch_begin"])

    @property
    def has_test_batch_end(self) -> bool:
        return bool(self._hooks["on_test_batch_end"])

    @property
    def has_predict_batch_begin(self) -> bool:
        return bool(self._hooks["on_predict_batch_begin"])

    @property
    def has_predict_batch_end(self) -> bool:
        return bool(self._hooks["on_predict_batch_end"])

    def on_train_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_begin(logs)
        self._choose_batch_hooks()

    def on_train_end(self, logs: Logs | None = None) -> None:
        # Each one is called, also after an error of another: some have weights to restore, or files to finish.
        errors: list[BaseException] = []
        for callback in self.callbacks:
            try:
                callback.on_train_end(logs)
            except BaseException as error:
                errors.append(error)
        if errors:
            raise errors.pop(0)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = {} if logs is None else logs  # one dict, so that what one callback adds the next ones see
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_begin(logs)
        self._choose_batch_hooks()

    def on_test_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_end(logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_begin(logs)
        self._choose_batch_hooks()

    def on_predict_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_predict_end(logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_train_batch_begin"]:
            hook(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_train_batch_end"]:
            hook(batch, logs)

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_test_batch_begin"]:
            hook(batch, logs)

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_test_batch_end"]:
            hook(batch, logs)

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_predict_batch_begin"]:
            hook(batch, logs)

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for hook in self._hooks["on_predict_batch_end"]:
            hook(batch, logs)

    def _choose_batch_hooks(self) -> None:
        self._hooks: dict[str, list[BatchHook]] = {
            name: [getattr(callback, name) for callback in self.callbacks if callback.wants(name)]
            for name in BATCH_HOOKS
        }

    def _first(self, kind: type[Any]) -> Any:
        return next((callback for callback in self.callbacks if isinstance(callback, kind)), None)
