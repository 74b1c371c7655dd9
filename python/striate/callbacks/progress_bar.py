"""Show how training goes."""

from __future__ import annotations

import time

from striate.callbacks.base import Callback, Logs
from striate.progress import Bar, Display, choose_display, format_line, format_values


class ProgressBar(Callback):
    """Show a bar while an epoch runs and one line when it ends, such as
    `epoch 3/10  loss 0.1234  accuracy 0.9712  val_loss 0.1411  4.2 s`.

    The bar goes to stderr through tqdm (`pip install 'striate[cli]'`), the lines to stdout. `fit`, `evaluate` and
    `predict` add one by themselves.

    Args:
        verbose: "auto" (a bar in a terminal or notebook if tqdm is there, else lines; nothing where the output is no
            terminal), 0 nothing, 1 a bar, 2 lines only; None takes what `fit` was told.
    """

    def __init__(self, verbose: str | int | None = None) -> None:
        super().__init__()
        self.verbose = verbose
        self._display = Display.NOTHING
        self._bar: Bar | None = None
        self._training = False
        self._start = 0.0

    def wants(self, hook: str) -> bool:
        hooks = ("on_train_batch_end",) if self._training else ("on_test_batch_end", "on_predict_batch_end")
        return self._display is Display.BAR and hook in hooks

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._training = True
        self._choose()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False
        self._close()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._open(self._title(epoch))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(self._title(epoch), logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._choose()
            self._open("evaluate")

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._finish("evaluate", logs)

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._choose()
            self._open("predict")

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._close()

    def _choose(self) -> None:
        given = self.params.get("verbose", "auto") if self.verbose is None else self.verbose
        self._display = choose_display(given)

    def _title(self, epoch: int) -> str:
        epochs = self.params.get("epochs")
        return f"epoch {epoch + 1}/{epochs}" if epochs else f"epoch {epoch + 1}"

    def _open(self, title: str) -> None:
        self._close()
        self._start = time.perf_counter()
        if self._display is Display.BAR:
            self._bar = Bar(title, self.params.get("steps"))

    def _show(self, batch: int, logs: Logs | None) -> None:
        if self._bar is not None and self._bar.is_due():
            self._bar.show(batch + 1, format_values(logs or {}))

    def _finish(self, title: str, logs: Logs | None) -> None:
        self._close()
        if self._display is not Display.NOTHING:
            print(format_line(title, logs or {}, time.perf_counter() - self._start), flush=True)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
