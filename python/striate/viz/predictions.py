"""Sample pictures with the predictions of the network."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate.viz._figure import INK, VERMILLION, as_image, as_images, finish, names_for, new_figure, shorten, show_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_predictions(
    images: ArrayLike | Sequence[ArrayLike],
    y_true: ArrayLike | None,
    y_pred: ArrayLike,
    class_names: Sequence[str] | None = None,
    scores: ArrayLike | None = None,
    columns: int = 6,
    max_images: int = 24,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw pictures in a grid, each with the predicted class beneath; a mistake has a thick frame, a cross and the true
    class.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), bytes or floats, or a list of pictures of different sizes.
        y_true: (N,) class indices, or None where they are not known.
        y_pred: (N,) class indices.
        class_names: one name for each class; by default 0, 1, 2, ….
        scores: (N,) probabilities of the predicted class, or (N, classes) probabilities of all.
        columns: pictures in a row.
        max_images: at most so many are drawn, the first of the array.
        path: file to write the picture to; None writes no file.
        title: the heading; by default how many of those shown are right.

    Raises:
        ValueError: lengths differ, or an array has another shape than the ones above.
        ImportError: matplotlib is not installed.
    """
    shown = _pictures(images)
    predicted = _labels(y_pred, len(shown), "y_pred")
    truth = None if y_true is None else _labels(y_true, len(shown), "y_true")
    confidence = _confidence(scores, predicted)
    most = int(max(predicted.max(), -1 if truth is None else truth.max())) + 1
    names = names_for(most, class_names, "plot_predictions")
    if columns < 1 or max_images < 1:
        raise ValueError(f"plot_predictions needs columns and max_images of at least 1, got {columns} and {max_images}")

    count = min(len(shown), max_images)
    columns = min(columns, count)
    rows = -(-count // columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture, _, _ in shown[:count])
    figure = new_figure(
        1.55 * columns + 0.2, (1.5 * min(2.0, max(0.4, tallest)) + 0.55) * rows + 0.5, "plot_predictions"
    )
    for index in range(count):
        axes = figure.add_subplot(rows, columns, index + 1)
        show_image(axes, *shown[index])
        text = shorten(names[predicted[index]], 18)
        if confidence is not None:
            text += f"  {100 * confidence[index]:.0f} %"
        wrong = truth is not None and bool(truth[index] != predicted[index])
        if wrong and truth is not None:
            text = f"✗ {text}\ntrue: {shorten(names[truth[index]], 18)}"
            axes.spines[:].set(visible=True, color=VERMILLION, linewidth=3.0)
        axes.set_xlabel(text, fontsize=9, color=VERMILLION if wrong else INK, fontweight="bold" if wrong else "normal")
    if title is None and truth is not None:
        title = f"Predictions: {int((truth[:count] == predicted[:count]).sum())} of the {count} shown are right"
    figure.suptitle(title or "Predictions", fontsize=12)
    return finish(figure, path)


def _pictures(images: Any) -> list[tuple[NDArray[Any], float, float]]:
    """Each picture, and its values for black and white: those of all pictures together where they are one array."""
    if isinstance(images, (list, tuple)) and len({np.shape(image) for image in images}) > 1:
        return [as_image(image, "plot_predictions") for image in images]
    array, low, high = as_images(images, "plot_predictions")
    return [(image, low, high) for image in array]


def _labels(values: ArrayLike, count: int, name: str) -> NDArray[np.int64]:
    labels = array_of(values, f"plot_predictions: {name}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (count,):
        raise ValueError(
            f"plot_predictions expects {name} of shape ({count},), one class for each image, got {labels.shape}"
        )
    whole = labels.astype(np.int64)
    if (whole != labels).any() or (whole < 0).any():
        raise ValueError(f"plot_predictions expects {name} to hold class indices, whole numbers from 0 on")
    return whole


def _confidence(scores: ArrayLike | None, predicted: NDArray[np.int64]) -> NDArray[np.float64] | None:
    if scores is None:
        return None
    array = np.asarray(array_of(scores, "plot_predictions: scores"), dtype=np.float64)
    if array.shape == predicted.shape:
        return array
    if array.ndim == 2 and len(array) == len(predicted) and array.shape[1] > predicted.max():
        taken: NDArray[np.float64] = array[np.arange(len(predicted)), predicted]
        return taken
    raise ValueError(
        f"plot_predictions expects scores of shape ({len(predicted)},) or ({len(predicted)}, classes), "
        f"got {array.shape}"
    )
