"""Show how training goes."""

from __future__ import annotations

import time

from striate.callbacks.base import Callback, Logs
from striate.progress import (
    Display,
    NotebookBar,
    TerminalBar,
    choose_display,
    format_left,
    format_line,
    format_values,
    in_notebook,
)

_DELAY = 1.0  # seconds in which a prediction in a notebook needs no bar


class ProgressBar(Callback):
    """Show a bar while an epoch runs and one line when it ends, such as
    `epoch 3/10  loss 0.1234  accuracy 0.9712  val_loss 0.1411  4.2 s  29.4 s left`, with the time left for all epochs.

    The bar goes to stderr through tqdm (`pip install 'striate[cli]'`), the lines to stdout. In a notebook, one bar for
    all epochs is part of the cell's output, with the last epoch's line below it; it needs no other package. `fit`,
    `evaluate` and `predict` add one by themselves.

    Args:
        verbose: "auto" (a bar in a notebook, and in a terminal if tqdm is there, else lines; nothing where the output
            is not a terminal), 0 nothing, 1 a bar, 2 lines only; None takes what `fit` was told.
    """

    def __init__(self, verbose: str | int | None = None) -> None:
        super().__init__()
        self.verbose = verbose
        self._display = Display.NOTHING
        self._bar: TerminalBar | None = None
        self._page: NotebookBar | None = None
        self._training = False
        self._start = self._began = 0.0
        self._first: int | None = None
        self._epoch = 0
        self._line = ""

    def wants(self, hook: str) -> bool:
        hooks = ("on_train_batch_end",) if self._training else ("on_test_batch_end", "on_predict_batch_end")
        return self._display is Display.BAR and hook in hooks

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self._training, self._first, self._line = True, None, ""
        self._choose()

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._training = False
        self._close()
        if self._page is not None and self._first is not None:
            self._page.show(self._epoch + 1, self._line)
        self._page = None

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch
        if self._first is None:
            self._first, self._began = epoch, time.perf_counter()
        self._open(self._title(epoch), self.params.get("epochs"))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._finish(self._title(epoch), logs, self._left(epoch + 1))

    def on_test_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._choose()
            self._open("evaluate", self.params.get("steps"))

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._finish("evaluate", logs, None)
            self._page = None

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._choose()
            self._open("predict", self.params.get("steps"))

    def on_predict_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._show(batch, None)

    def on_predict_end(self, logs: Logs | None = None) -> None:
        if not self._training:
            self._close()
            if self._page is not None:
                self._page.clear()
            self._page = None

    def _choose(self) -> None:
        given = self.params.get("verbose", "auto") if self.verbose is None else self.verbose
        self._display = choose_display(given)
        self._page = None

    def _title(self, epoch: int) -> str:
        epochs = self.params.get("epochs")
        return f"epoch {epoch + 1}/{epochs}" if epochs else f"epoch {epoch + 1}"

    def _left(self, done: float) -> float | None:
        """Seconds that the epochs after `done` take, if they are as long as those of this run before."""
        epochs = self.params.get("epochs")
        if not epochs or self._first is None or not self._first < done < epochs:
            return None
        each = (time.perf_counter() - self._began) / (done - self._first)
        return float(each * (epochs - done))

    def _open(self, title: str, total: int | None) -> None:
        self._close()
        self._start = time.perf_counter()
        if self._display is not Display.BAR:
            return
        if not in_notebook():
            self._bar = TerminalBar(title, self.params.get("steps"))
        elif self._page is None:
            self._page = NotebookBar(total, 0.0 if self._training else _DELAY)
            self._line = title

    def _show(self, batch: int, logs: Logs | None) -> None:
        bar = self._bar or self._page
        if bar is None or not bar.is_due():
            return
        steps = self.params.get("steps")
        text = format_values(logs or {})
        if self._training and steps:
            left = self._left(self._epoch + (batch + 1) / steps)
            text = "  ".join(part for part in (text, "" if left is None else format_left(left)) if part)
        if self._bar is not None:
            self._bar.show(batch + 1, text)
        elif self._page is not None and self._training:
            done = self._epoch + ((batch + 1) / steps if steps else 0.0)
            title = self._title(self._epoch)
            self._page.show(done, "  ".join(part for part in (title, text) if part))
        elif self._page is not None:
            self._page.show(batch + 1, "  ".join(part for part in (self._line, text) if part))

    def _finish(self, title: str, logs: Logs | None, left: float | None) -> None:
        self._close()
        if self._display is Display.NOTHING:
            return
        self._line = format_line(title, logs or {}, time.perf_counter() - self._start, left)
        if self._page is None:
            print(self._line, flush=True)
        elif self._training:
            self._page.show(self._epoch + 1, self._line)
        else:
            self._page.show(self.params.get("steps") or 1, self._line)

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None
