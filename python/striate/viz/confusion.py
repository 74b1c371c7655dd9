"""The confusion matrix: which class is taken for which."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from striate._arrays import array_of
from striate._extras import require
from striate.viz._figure import INK, finish, names_for, new_figure, shorten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_CLASSES_WITH_NUMBERS = 25


def plot_confusion_matrix(
    matrix: ArrayLike,
    class_names: Sequence[str] | None = None,
    normalize: bool = False,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a confusion matrix: rows are true classes, columns predicted ones.

    The colour is always the share of the row, so that a rare class is read as easily as a common one; its scale rises
    steeply at first (square root), so that a handful of mistakes shows. The numbers are counts, or shares in percent
    with `normalize`. Above 25 classes only colours are drawn.

    Args:
        matrix: (classes, classes) counts, `matrix[i, j]` being the examples of class i that were called j.
        class_names: one name for each class; by default 0, 1, 2, ….
        normalize: write each row in percent of its sum instead of counts.
        path: file to write the picture to; None writes no file.
        title: the heading; by default the share of right answers.

    Raises:
        ValueError: the matrix is not square, is empty or has negative or non-finite entries, or names are missing.
        ImportError: matplotlib is not installed.
    """
    counts = np.asarray(array_of(matrix, "plot_confusion_matrix: matrix"), dtype=np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ValueError(f"plot_confusion_matrix expects a square (classes, classes) matrix, got shape {counts.shape}")
    if not np.isfinite(counts).all() or (counts < 0).any():
        raise ValueError("plot_confusion_matrix expects counts, finite and not negative")
    classes = len(counts)
    names = [shorten(name, 18) for name in names_for(classes, class_names, "plot_confusion_matrix")[:classes]]
    sums = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, sums, out=np.zeros_like(counts), where=sums > 0)

    numbers = classes <= _MOST_CLASSES_WITH_NUMBERS
    longest = max(len(name) for name in names)
    side = float(np.clip(0.52 * classes, 3.2, 11.0))
    figure = new_figure(side + 1.9 + 0.07 * longest, side + 1.2 + 0.05 * longest, "plot_confusion_matrix")
    axes = figure.add_subplot()
    norm = require("matplotlib.colors", "plot", "striate.viz.plot_confusion_matrix").PowerNorm(0.5, 0.0, 100.0)
    picture = axes.imshow(100.0 * shares, cmap="Blues", norm=norm)
    bar = figure.colorbar(picture, ax=axes, fraction=0.046, pad=0.02, ticks=[0, 1, 5, 10, 25, 50, 75, 100])
    bar.set_label("share of the true class (%)")
    bar.ax.tick_params(labelsize=8)

    step = max(1, classes // 40)
    ticks = range(0, classes, step)
    axes.set_xticks(
        ticks, [names[i] for i in ticks], rotation=45 if longest > 3 else 0, ha="right" if longest > 3 else "center"
    )
    axes.set_yticks(ticks, [names[i] for i in ticks])
    axes.tick_params(length=0, labelsize=9 if classes <= 25 else 7)
    if longest > 3:
        for label in axes.get_xticklabels():
            label.set_rotation_mode("anchor")
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    axes.set_xticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(classes + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=1.0 if numbers else 0.3)
    axes.tick_params(which="minor", length=0)
    axes.spines[:].set_visible(False)
    if numbers:
        size = 9.0 if classes <= 12 else 6.5
        for row, column in zip(*np.nonzero(counts), strict=True):
            text = f"{100 * shares[row, column]:.1f}" if normalize else f"{counts[row, column]:.10g}"
            color = "white" if shares[row, column] > 0.3 else INK
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=color)
    total, right = counts.sum(), float(np.trace(counts))
    if title is None:
        share = 100.0 * right / total if total else 0.0
        title = f"Confusion matrix: {right:.10g} of {total:.10g} right ({share:.2f} %)"
    axes.set_title(title, fontsize=12, pad=10)
    return finish(figure, path)
