"""Going on with a training that was ended from outside."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np

from striate._files import PathLike, text
from striate.callbacks.base import Callback, Logs
from striate.callbacks.history import History
from striate.callbacks.state import count

FILE = "training.safetensors"


class BackupAndRestore(Callback):
    """Keep a backup of the training after each epoch; the next `fit` with the same folder resumes from it.

    The same command, started again after it was killed, ends with the same bits as if it had not been: weights,
    optimizer, callbacks' states and `History`. So it is with `striate.distributed`, on another number of processes too:
    the backup keeps `shards`.

    Args:
        backup_dir: a folder for this training alone; it is made if there is none.
        save_freq: "epoch". An epoch that was not finished is trained again: its rows, draws and so its bits are the
            same.
        double_checkpoint: changes nothing, taken for scripts written for Keras: a backup is replaced at once or not at
            all.
        delete_checkpoint: whether the backup is removed when training has ended by itself.

    Raises:
        ValueError: `save_freq` is something else.
    """

    def __init__(
        self,
        backup_dir: PathLike,
        save_freq: str | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        super().__init__()
        if save_freq != "epoch":
            raise ValueError(
                f"BackupAndRestore: save_freq must be 'epoch', got {save_freq!r}; an epoch that was not finished is "
                "trained again, with the same bits"
            )
        self.backup_dir = text(backup_dir)
        self.delete_checkpoint = delete_checkpoint
        self.next_epoch: int | None = None
        """The epoch at which a restored training resumes; None if nothing was restored."""
        self._save: Callable[[str], None] | None = None
        self._load: Callable[[str], None] | None = None
        self._history: History | None = None
        self._finished = False

    @property
    def path(self) -> str:
        """The file of the backup."""
        return os.path.join(self.backup_dir, FILE)

    @property
    def exists(self) -> bool:
        """Whether there is a backup."""
        return os.path.exists(self.path)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_save": None, "_load": None, "_history": None}

    def use(self, save: Callable[[str], None], load: Callable[[str], None], history: History | None) -> None:
        """Set how the training is saved and loaded. The trainer calls it before `on_train_begin`."""
        self._save, self._load, self._history = save, load, history

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.next_epoch, self._finished = None, False
        os.makedirs(self.backup_dir, exist_ok=True)
        if self._load is not None and self.exists:
            self._load(self.path)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.next_epoch = epoch + 1
        self._finished = epoch + 1 >= self.params.get("epochs", 0) or self.model.stop_training
        if self._save is not None:
            self._save(self.path)

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self._finished and self.delete_checkpoint and self.exists:
            os.remove(self.path)

    def get_state(self) -> dict[str, Any]:
        history = self._history
        if history is None or self.next_epoch is None:
            return {}
        values = {name: [np.asarray(value).tolist() for value in each] for name, each in history.history.items()}
        return {"next_epoch": self.next_epoch, "epochs": history.epoch, "history": values, "wait": history.wait}

    def set_state(self, state: dict[str, Any]) -> None:
        self.next_epoch = count(state, "next_epoch")
        if self._history is None:
            return
        self._history.epoch = [int(epoch) for epoch in state["epochs"]]
        self._history.wait = [float(share) for share in state["wait"]]
        self._history.history = {
            str(name): [float(value) if np.ndim(value) == 0 else np.array(value) for value in values]
            for name, values in state["history"].items()
        }
