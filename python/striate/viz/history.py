"""Curves of a training run: the loss and each metric, epoch by epoch."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate._extras import require
from striate.viz._figure import BLUE, GREY, INK, VERMILLION, finish, new_figure, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_RATES = ("learning_rate", "lr")
_LESS_IS_BETTER = ("loss", "error", "entropy", "huber")
_MORE_IS_BETTER = ("accuracy", "precision", "recall", "sensitivity", "specificity", "f1", "auc", "iou", "dice", "top_k")


def plot_history(history: Any, path: str | os.PathLike[str] | None = None, title: str = "Training") -> Figure:
    """Draw the loss and every metric against the epoch, training and validation in one panel each.

    Args:
        history: what `fit` returned, or its `.history`: name -> one value for each epoch, validation under `val_` +
            name. A `learning_rate` gets a panel of its own; `epoch` and `seconds` are left out.
        path: file to write the picture to; None writes no file.
        title: the heading above all panels.

    Returns:
        The figure. Each validation curve has its best epoch ringed, with the value written beside it. A loss that falls
        to less than a twentieth has a logarithmic scale.

    Raises:
        ValueError: there is nothing to draw.
        ImportError: matplotlib is not installed.
    """
    logs: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    if not isinstance(logs, Mapping):
        raise TypeError(f"plot_history expects a History or a dict name -> list, got {type(history).__name__}")
    panels = _panels(logs)
    if not panels:
        raise ValueError("plot_history found no curve: the history is empty (did fit run for at least one epoch?)")
    columns = min(len(panels), 3)
    rows = -(-len(panels) // columns)
    figure = new_figure(5.0 * columns, 3.4 * rows + 0.4, "plot_history")
    figure.suptitle(title, fontsize=13)
    for index, name in enumerate(panels):
        axes = figure.add_subplot(rows, columns, index + 1)
        _draw(axes, name, logs)
        axes.set_title(name.replace("_", " "), fontsize=11)
        axes.set_xlabel("epoch")
    return finish(figure, path)


def _panels(logs: Mapping[str, Sequence[float]]) -> list[str]:
    names = [name.removeprefix("val_") for name in logs if name not in ("epoch", "seconds", "time") and len(logs[name])]
    ordered = list(dict.fromkeys(names))
    return sorted(ordered, key=lambda name: (name in _RATES, name != "loss"))


def _draw(axes: Axes, name: str, logs: Mapping[str, Sequence[float]]) -> None:
    locator = require("matplotlib.ticker", "plot", "striate.viz.plot_history").MaxNLocator(
        integer=True, nbins=8, min_n_ticks=1
    )
    drawn, longest = 0, 1
    for key, label, color, style in ((name, "training", BLUE, "-"), (f"val_{name}", "validation", VERMILLION, "--")):
        values = np.asarray(logs.get(key, ()), dtype=np.float64)
        if values.size == 0:
            continue
        drawn, longest = drawn + 1, max(longest, len(values))
        epochs = np.arange(1, len(values) + 1)
        if values.ndim > 1:  # one value for each class
            lines = axes.plot(epochs, values.reshape(len(values), -1), style, color=color, linewidth=0.9, alpha=0.7)
            lines[0].set_label(f"{label}, one line for each class")
            continue
        marker = "o" if len(values) <= 30 else ""
        axes.plot(epochs, values, style, color=color, marker=marker, markersize=3.5, linewidth=1.8, label=label)
        if key.startswith("val_"):
            _ring_best(axes, name, values, color)
    label = "step size" if name in _RATES else name.replace("_", " ")
    if name not in _RATES and any(word in name for word in _LESS_IS_BETTER) and _spans_decades(axes):
        axes.set_yscale("log")
        label += " (logarithmic)"
    axes.set_ylabel(label)
    axes.set_xlim(1 - 0.04 * max(longest, 4), longest + 0.04 * max(longest, 4))
    axes.xaxis.set_major_locator(locator)
    tidy(axes)
    if drawn > 1:
        axes.legend(frameon=False)


def _spans_decades(axes: Axes) -> bool:
    """Whether what is drawn falls so far that its tail would be flat on a linear scale."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=np.float64) for line in axes.lines])
    values = values[np.isfinite(values)]
    return bool(values.size) and bool(values.min() > 0) and bool(values.max() > 20 * values.min())


def _ring_best(axes: Axes, name: str, values: np.ndarray[Any, Any], color: str) -> None:
    less = any(word in name for word in _LESS_IS_BETTER)
    if not np.isfinite(values).any() or not (less or any(word in name for word in _MORE_IS_BETTER)):
        return
    best = int(np.nanargmin(values) if less else np.nanargmax(np.where(np.isfinite(values), values, -np.inf)))
    axes.plot([best + 1], [values[best]], "o", markersize=10, markerfacecolor="none", markeredgecolor=color)
    # The curve is above its smallest value and below its largest: the label goes to the other side.
    axes.margins(y=0.16)
    axes.annotate(
        f"{values[best]:.4g}",
        (best + 1, float(values[best])),
        xytext=(0, -9 if less else 9),
        textcoords="offset points",
        ha="right" if best + 1 > 0.85 * values.size else "left" if best + 1 < 0.15 * values.size else "center",
        va="top" if less else "bottom",
        color=INK if color != GREY else GREY,
        fontsize=9,
        zorder=4,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8, "alpha": 0.85},
    )
