"""Event files for TensorBoard."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from striate._extras import require
from striate._files import text
from striate.callbacks._events import EventFile
from striate.callbacks.base import Callback, Logs
from striate.callbacks.state import count


class TensorBoard(Callback):
    """Write the values of training for TensorBoard, through tensorboardX (`pip install 'striate[tensorboard]'`).

    Training values go to `log_dir/train`, those of validation to `log_dir/validation` under the same names, so that
    TensorBoard draws them in one picture: `epoch_loss`, `epoch_accuracy` and so on. Show them with
    `tensorboard --logdir LOG_DIR`.

    The learning rate is written with them, as `epoch_learning_rate`. Values are in the files as soon as their epoch, or
    batch, ends. Each training writes new files.

    Args:
        log_dir: the folder.
        histogram_freq: every how many epochs to write a histogram of each layer's weights; 0 for never.
        write_graph: whether to write the network as a graph, when training begins.
        write_images: whether to write, with the histograms, each layer's weights as a picture: dark below zero, bright
            above.
        write_steps_per_second: whether to write how many batches a second were trained, as `epoch_steps_per_second`.
        update_freq: "epoch"; "batch", or a number of batches, to write the running values too, as `batch_loss`.

    Raises:
        ImportError: when training begins, if tensorboardX is missing.
        OSError: the files cannot be written.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "logs",
        histogram_freq: int = 0,
        write_graph: bool = True,
        write_images: bool = False,
        write_steps_per_second: bool = False,
        update_freq: str | int = "epoch",
    ) -> None:
        super().__init__()
        every = 0 if update_freq == "epoch" else 1 if update_freq == "batch" else update_freq
        if isinstance(every, bool) or not isinstance(every, int) or (every < 1 and update_freq != "epoch"):
            raise ValueError(f"TensorBoard: update_freq must be 'epoch', 'batch' or a number, got {update_freq!r}")
        if histogram_freq < 0:
            raise ValueError(f"TensorBoard: histogram_freq must be at least 0, got {histogram_freq}")
        self.log_dir, self.histogram_freq, self.update_freq = text(log_dir), histogram_freq, update_freq
        self.write_graph, self.write_images = write_graph, write_images
        self.write_steps_per_second = write_steps_per_second
        self._every = every
        self._files: dict[str, EventFile] = {}
        self._batches = 0

    def get_state(self) -> dict[str, Any]:
        return {"batches": self._batches}

    def set_state(self, state: dict[str, Any]) -> None:
        self._batches = count(state, "batches")

    def wants(self, hook: str) -> bool:
        return hook == "on_train_batch_end" and self._every > 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        require("tensorboardX", "tensorboard", "striate.callbacks.TensorBoard")
        self._files = {}
        self._batches = 0
        network = getattr(self.model, "_network", None)
        if self.write_graph and network is not None:
            from striate.callbacks._summaries import graph_of

            file = self._file("train")
            file.add([file.graph(graph_of(network))])

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self._batches % self._every == 0:
            self._write("train", "batch", logs or {}, self._batches - 1)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        validation = {name[4:]: value for name, value in logs.items() if name.startswith("val_")}
        training = {name: value for name, value in logs.items() if not name.startswith("val_")}
        training.setdefault("learning_rate", self.model.optimizer.learning_rate)
        if self.write_steps_per_second and self.params.get("steps"):
            training["steps_per_second"] = self.params["steps"] / max(time.perf_counter() - self._began, 1e-9)
        self._write("train", "epoch", training, epoch)
        self._write("validation", "epoch", validation, epoch)
        if self.histogram_freq and epoch % self.histogram_freq == 0:
            self._write_weights(epoch)

    def _file(self, kind: str) -> EventFile:
        if kind not in self._files:
            self._files[kind] = EventFile(os.path.join(self.log_dir, kind))
        return self._files[kind]

    def _write(self, kind: str, prefix: str, values: Mapping[str, Any], step: int) -> None:
        named: dict[str, Any] = {}
        for name, value in values.items():
            if np.ndim(value) == 0:
                named[f"{prefix}_{name}"] = value
            elif np.ndim(value) == 1:
                named.update((f"{prefix}_{name}/{index}", entry) for index, entry in enumerate(np.asarray(value)))
        if named:
            file = self._file(kind)
            file.add(file.scalar(name, float(value), step) for name, value in named.items())

    def _write_weights(self, epoch: int) -> None:
        file = self._file("train")
        for name, weight in self.model.state_dict().items():
            events = []
            finite = np.asarray(weight)[np.isfinite(weight)]
            if finite.size:  # a histogram of nothing, or of NaN, cannot be drawn
                events.append(file.histogram(name, finite, epoch))
            if self.write_images and np.size(weight):
                from striate.callbacks._summaries import picture_of

                require("PIL.Image", "tensorboard", "striate.callbacks.TensorBoard(write_images=True)")
                events.append(file.image(name, picture_of(weight), epoch))
            file.add(events)
