"""Precision against recall."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from striate._arrays import array_of
from striate.viz._figure import CLASS_COLORS, INK, finish, names_for, new_figure, shorten, tidy

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WHAT = "plot_precision_recall"
_MOST_NAMED = 10


def plot_precision_recall(
    recall: ArrayLike,
    precision: ArrayLike,
    class_names: Sequence[str] | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw precision against recall, a line for each class, as returned by `MeanAveragePrecision.curves()`.

    The legend names the average precision, the mean of each line. Past 10 classes the lines are thin and unnamed, and
    their mean is drawn over them.

    Args:
        recall: (R,), rising from 0 to 1 in equal steps.
        precision: (classes, R), or (R,) for one line; a class of NaN is left out.
        class_names: one name for each class; by default 0, 1, 2, ….
        path: file to write the picture to; None writes no file.
        title: the heading; by default the mean of the average precisions.

    Raises:
        ValueError: an array has another shape than the ones above, or names are missing.
        ImportError: matplotlib is not installed.
    """
    x, y = (
        np.asarray(array_of(values, f"plot_precision_recall: {name}"), np.float64)
        for name, values in (("recall", recall), ("precision", precision))
    )
    y = y[np.newaxis] if y.ndim == 1 else y
    if x.ndim != 1 or y.ndim != 2 or y.shape[1] != len(x) or len(x) < 2 or not len(y):
        raise ValueError(f"{_WHAT} expects recall (R,) and precision (classes, R), got {x.shape} and {y.shape}")
    names = names_for(len(y), class_names, _WHAT)
    drawn = np.flatnonzero(~np.isnan(y).any(axis=1)).tolist()
    few = len(drawn) <= _MOST_NAMED

    figure = new_figure(5.6, 4.4, _WHAT)
    axes = figure.add_subplot()
    for number in drawn:
        label = f"{shorten(names[number], 18)}  {y[number].mean():.3f}" if few else None
        color = CLASS_COLORS[number % len(CLASS_COLORS)]
        # Beyond as many classes as there are colours, the same colour comes back dashed.
        style = "-" if number < len(CLASS_COLORS) or not few else "--"
        axes.plot(
            x, y[number], style, color=color, linewidth=1.8 if few else 0.6, alpha=1.0 if few else 0.6, label=label
        )
    if drawn and not few:
        axes.plot(x, y[drawn].mean(axis=0), color=INK, linewidth=2.2, label="mean of the classes")
    axes.set(xlim=(0.0, 1.0), ylim=(0.0, 1.03), xlabel="recall: share of the objects that are found")
    axes.set_ylabel("precision: share of the findings that are right")
    tidy(axes)
    if drawn:
        heading = "average precision" if few else None
        axes.legend(title=heading, loc="lower left", fontsize=8, title_fontsize=8, framealpha=0.9)
    if title is None:
        title = f"Precision and recall: mean {y[drawn].mean():.3f}" if drawn else "Precision and recall: no objects"
    axes.set_title(title, fontsize=12, pad=10)
    return finish(figure, path)
