"""Segmented pictures: what is there, what was found, and where the two differ."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate._extras import require
from striate.viz._figure import (
    BLUE,
    CLASS_COLORS,
    INK,
    VERMILLION,
    as_images,
    bare,
    finish,
    names_for,
    new_figure,
    shorten,
    show_image,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WHAT = "plot_segmentation"
_SHADE = 0.55


def plot_segmentation(
    images: ArrayLike,
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    class_names: Sequence[str] | None = None,
    ignore_class: int | None = None,
    max_images: int = 6,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw each picture in a row: the picture, overlays of the truth and the prediction, and the difference.

    Class 0, the background, is left clear. In the difference, what was missed (an object where the background was
    predicted), what was invented (the reverse) and what was taken for another object have a colour each; the rest is
    the picture, faint. Beneath it is the share of pixels that are right.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), bytes or floats.
        y_true: (N, H, W) classes, or None if they are not known: then only pictures and predictions are drawn.
        y_pred: (N, H, W) classes, or scores (N, H, W, C), of which the highest counts; of C = 1 what is above 0 counts
            as class 1, so pass logits, or a mask.
        class_names: one name for each class; by default 0, 1, 2, ….
        ignore_class: pixels of this true class are left out of the difference.
        max_images: at most so many are drawn, the first of the array.
        path: file to write the picture to; None writes no file.
        title: the heading; by default the share of pixels that are right, of those shown.

    Raises:
        ValueError: lengths or sizes differ, or an array has another shape than the ones above.
        ImportError: matplotlib is not installed.
    """
    array, low, high = as_images(images, _WHAT)
    shape = array.shape[:3]
    scores = array_of(y_pred, f"{_WHAT}: y_pred")
    if scores.ndim == 4:
        scores = scores.argmax(axis=-1) if scores.shape[-1] > 1 else (scores[..., 0] > 0).astype(np.int64)
    found = _labels(scores, shape, "y_pred")
    truth = None if y_true is None else _labels(array_of(y_true, f"{_WHAT}: y_true"), shape, "y_true")
    if max_images < 1:
        raise ValueError(f"{_WHAT} needs max_images of at least 1, got {max_images}")
    count = min(len(array), max_images)
    found, truth = found[:count], None if truth is None else truth[:count]
    counted = np.ones(found.shape, np.bool_)
    if truth is not None and ignore_class is not None:
        counted = truth != ignore_class
    seen = [found.ravel()] if truth is None else [found.ravel(), truth[counted]]
    classes = np.unique(np.concatenate(seen))
    names = names_for(int(classes.max(initial=0)) + 1, class_names, _WHAT)

    heads = ["image", "prediction"] if truth is None else ["image", "truth", "prediction", "difference"]
    tall = min(2.0, max(0.4, shape[1] / shape[2]))
    figure = new_figure(2.3 * len(heads) + 0.2, (2.2 * tall + 0.35) * count + 0.9, _WHAT)
    grid: Any = figure.subplots(count, len(heads), squeeze=False)
    for index in range(count):
        row = list(grid[index])
        for axes in row:
            show_image(axes, array[index], low, high)
        masks = [found[index]] if truth is None else [truth[index], found[index]]
        for axes, mask in zip(row[1:], masks, strict=False):
            axes.imshow(_paint(mask, counted[index]), interpolation="nearest")
        if truth is not None:
            _difference(row[3], truth[index], found[index], counted[index])
        if index == 0:
            for axes, head in zip(row, heads, strict=True):
                axes.set_title(head, fontsize=10)
        for axes in row:
            bare(axes)
    patches = require("matplotlib.patches", "plot", f"striate.viz.{_WHAT}")
    keys = [
        patches.Patch(color=_color(label), label=shorten(names[label], 18)) for label in classes.tolist() if label > 0
    ]
    if truth is not None:
        for color, word in ((VERMILLION, "missed"), (BLUE, "invented"), (INK, "another class")):
            keys.append(patches.Patch(facecolor="white", edgecolor=color, linewidth=2.0, label=word))
        if title is None and counted.any():
            title = f"Segmentation: {100 * (truth == found)[counted].mean():.2f} % of the pixels shown are right"
    figure.legend(handles=keys, loc="outside lower center", ncols=min(6, max(1, len(keys))), fontsize=8, frameon=False)
    figure.suptitle(title or "Segmentation", fontsize=12)
    return finish(figure, path)


def _color(label: int) -> str:
    return CLASS_COLORS[(label - 1) % len(CLASS_COLORS)]


def _rgb(color: str) -> list[float]:
    return [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def _paint(mask: NDArray[np.int64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(H, W, 4): the classes' colours, clear where the background is and where pixels do not count."""
    out = np.zeros((*mask.shape, 4))
    for label in np.unique(mask[counted]).tolist():
        if label > 0:
            out[(mask == label) & counted] = [*_rgb(_color(label)), _SHADE]
    return out


def _difference(axes: Any, truth: NDArray[np.int64], found: NDArray[np.int64], counted: NDArray[np.bool_]) -> None:
    wrong = (truth != found) & counted
    out = np.ones((*truth.shape, 4))
    out[..., 3] = 0.6  # the picture shines through faintly
    for color, where in (
        (VERMILLION, wrong & (found == 0)),
        (BLUE, wrong & (truth == 0)),
        (INK, wrong & (found != 0) & (truth != 0)),
    ):
        out[where] = [*_rgb(color), 1.0]
    axes.imshow(out, interpolation="nearest")
    right = 100.0 * (1.0 - wrong.sum() / max(int(counted.sum()), 1))
    axes.set_xlabel(f"{right:.2f} % right", fontsize=9)


def _labels(labels: NDArray[Any], shape: tuple[int, ...], name: str) -> NDArray[np.int64]:
    if labels.ndim == 4 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    if labels.shape != shape:
        raise ValueError(f"{_WHAT} expects {name} of shape {shape}, one class for each pixel, got {labels.shape}")
    whole = labels.astype(np.int64)
    if (whole != labels).any():
        raise ValueError(f"{_WHAT} expects {name} to hold class indices, whole numbers")
    return whole
