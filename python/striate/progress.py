"""How progress is shown: which display fits the place the output goes to, the bar, and the line of an epoch."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Mapping
from enum import Enum
from html import escape
from typing import Any, TextIO

import numpy as np

from striate._extras import require

REFRESH = 0.1
"""Seconds between two pictures of the bar."""


class Display(Enum):
    """The display of progress."""

    NOTHING = 0
    BAR = 1
    LINES = 2


def choose_display(verbose: str | int) -> Display:
    """The display for a `verbose` argument.

    Args:
        verbose: "auto": a bar in a notebook; a bar in a terminal if tqdm is there, else one line for each epoch;
            nothing if stdout or stderr is not a terminal (a pipe, a file, a test). 0 (or False): nothing. 1 (or True):
            a bar. 2: one line for each epoch.

    Raises:
        ValueError: another value.
        ImportError: 1 outside a notebook, and tqdm is missing.
    """
    if verbose == "auto":
        if in_notebook():
            return Display.BAR
        if _is_terminal(sys.stdout) and _is_terminal(sys.stderr):
            return Display.BAR if importlib.util.find_spec("tqdm") else Display.LINES
        return Display.NOTHING
    if isinstance(verbose, str) or verbose not in (0, 1, 2):
        raise ValueError(f"verbose must be 'auto', 0, 1 or 2, got {verbose!r}")
    display = Display(int(verbose))
    if display is Display.BAR and not in_notebook():
        require("tqdm", "cli", "the progress bar (verbose=1)")
    return display


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and stream.isatty()


def in_notebook() -> bool:
    """Whether this runs in a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def format_line(title: str, values: Mapping[str, Any], seconds: float, left: float | None = None) -> str:
    """A line such as `epoch 3/10  loss 0.1234  accuracy 0.9712  4.2 s  29.4 s left`; `left` are the seconds that the
    whole run still takes."""
    rest = "" if left is None else format_left(left)
    return "  ".join(part for part in (title, format_values(values), format_seconds(seconds), rest) if part)


def format_left(seconds: float) -> str:
    """`29.4 s left`."""
    return f"{format_seconds(seconds)} left"


def format_values(values: Mapping[str, Any]) -> str:
    """Names and values with two spaces between; arrays of more than ten numbers are left out."""
    return "  ".join(f"{name} {text}" for name, value in values.items() if (text := format_value(value)))


def format_value(value: Any) -> str:
    """A number to four places, or in scientific form where those would not show it; a short array in brackets."""
    if np.ndim(value) == 0:
        number = float(value)
        plain = number == 0.0 or not np.isfinite(number) or 1e-3 <= abs(number) < 1e6
        return f"{number:.4f}" if plain else f"{number:.4e}"
    if np.ndim(value) == 1 and np.size(value) <= 10:
        return f"[{' '.join(format_value(entry) for entry in value)}]"
    return ""


def format_seconds(seconds: float) -> str:
    """`4.2 s`, `3 min 07 s` or `2 h 05 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes = int(seconds) // 60
    return f"{minutes} min {int(seconds) % 60:02d} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60:02d} min"


class TerminalBar:
    """A tqdm bar of one epoch on stderr that leaves nothing behind.

    Args:
        title: what runs, at its left.
        total: number of steps, or None where unknown.
    """

    def __init__(self, title: str, total: int | None) -> None:
        tqdm = require("tqdm", "cli", "the progress bar").tqdm
        # tqdm would start a thread to watch for bars that do not move.
        quiet = type("Bar", (tqdm,), {"monitor_interval": 0})
        self._tqdm = quiet(total=total, desc=title, leave=False, unit="batch", mininterval=0.0, dynamic_ncols=True)
        self._next = time.perf_counter() + REFRESH

    def is_due(self) -> bool:
        return time.perf_counter() >= self._next

    def show(self, done: int, text: str) -> None:
        self._tqdm.set_postfix_str(text, refresh=False)
        self._tqdm.update(done - self._tqdm.n)
        self._next = time.perf_counter() + REFRESH

    def close(self) -> None:
        self._tqdm.close()


class NotebookBar:
    """One output of a notebook's cell that is drawn anew: a bar of a whole run and a line of text below it.

    It needs IPython alone, which every notebook has.

    Args:
        total: steps of the run, or None where unknown.
        delay: seconds before it is drawn first.
    """

    def __init__(self, total: float | None, delay: float = 0.0) -> None:
        self._total, self._done, self._text = total, 0.0, ""
        self._handle: Any = None
        self._next = time.perf_counter() + delay

    def is_due(self) -> bool:
        return time.perf_counter() >= self._next

    def show(self, done: float, text: str) -> None:
        """Draw the bar with `done` of all steps done and `text` below it."""
        self._done, self._text = done, text
        if self._handle is None:
            self._handle = require("IPython.display", "cli", "the progress bar").display(self, display_id=True)
        else:
            self._handle.update(self)
        self._next = time.perf_counter() + REFRESH

    def clear(self) -> None:
        """Leave an empty output, where it was drawn at all."""
        if self._handle is not None:
            self._total, self._text = 0.0, ""
            self._handle.update(self)

    def _repr_html_(self) -> str:
        if self._total == 0:
            return ""
        share = "" if self._total is None else f' value="{self._done:g}" max="{self._total:g}"'
        return (
            f'<div><progress{share} style="width:min(100%,420px);vertical-align:middle"></progress>'
            f'<div style="font-family:monospace;white-space:pre-wrap">{escape(self._text)}</div></div>'
        )

    def __repr__(self) -> str:
        return self._text
