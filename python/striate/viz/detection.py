"""Boxes over pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from striate._extras import require
from striate.detection.boxes import as_boxes
from striate.viz._figure import CLASS_COLORS, INK, as_image, finish, names_for, new_figure, shorten, show_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_WHAT = "plot_detections"
_LETTERS = 6.5  # points
_MANY, _COVERED = 12, 1 / 6  # boxes; share of a box that its label may have
_LIGHT = CLASS_COLORS[1], CLASS_COLORS[4], CLASS_COLORS[6]  # white letters would be lost on these


def plot_detections(
    images: Sequence[ArrayLike] | ArrayLike,
    predictions: Sequence[Any] | None,
    targets: Sequence[Any] | None = None,
    class_names: Sequence[str] | None = None,
    score_threshold: float = 0.3,
    columns: int = 3,
    max_images: int = 9,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw pictures in a grid with boxes: found ones solid, with class and score; true ones dashed. A class has one
    colour. A label that would cover that of a better detection is left out, and of many boxes those of small ones.

    Args:
        images: (N, H, W), (N, H, W, 1) or (N, H, W, 3), or a list of pictures of different sizes; bytes or floats.
        predictions: one (boxes (K, 4), labels (K,), scores (K,)) for each image, such as
            `striate.detection.Detections`; None draws the truth alone.
        targets: one (boxes (M, 4), labels (M,)) for each image; None where the truth is not known.
        class_names: one name for each class; by default 0, 1, 2, ….
        score_threshold: boxes that score less are left out.
        columns: pictures in a row.
        max_images: at most so many are drawn, the first ones.
        path: file to write the picture to; None writes no file.
        title: the heading in place of "Detections".

    Raises:
        ValueError: lengths differ, an array has another shape than the ones above, or there is nothing to draw.
        ImportError: matplotlib is not installed.
    """
    count = len(images)  # type: ignore[arg-type]
    for name, given in (("predictions", predictions), ("targets", targets)):
        if given is not None and len(given) != count:
            raise ValueError(f"{_WHAT} expects as many {name} as images, {count}, got {len(given)}")
    if predictions is None and targets is None:
        raise ValueError(f"{_WHAT} needs predictions, targets or both")
    if count < 1 or columns < 1 or max_images < 1:
        raise ValueError(
            f"{_WHAT} needs images, columns and max_images of at least 1, got {count}, {columns}, {max_images}"
        )
    count = min(count, max_images)
    shown = [as_image(images[index], _WHAT) for index in range(count)]  # type: ignore[index]
    found = [_rows(given, 3, score_threshold) for given in (predictions or [])[:count]]
    truth = [_rows(given, 2, 0.0) for given in (targets or [])[:count]]
    most = max((int(labels.max()) for _, labels, _ in found + truth if len(labels)), default=0)
    names = names_for(most + 1, class_names, _WHAT)

    columns = min(columns, count)
    rows = -(-count // columns)
    tallest = max(picture.shape[0] / picture.shape[1] for picture, _, _ in shown)
    side = 3.1
    figure = new_figure(side * columns + 0.2, (side * min(2.0, max(0.4, tallest)) + 0.2) * rows + 0.8, _WHAT)
    patches = require("matplotlib.patches", "plot", f"striate.viz.{_WHAT}")

    def frame(axes: Any, box: Any, label: int, dashed: bool) -> None:
        x1, y1, x2, y2 = box.tolist()
        # Pictures are drawn with pixels' centres at whole numbers, boxes count from their edges.
        style = {"linestyle": (0, (4, 3)), "linewidth": 1.1} if dashed else {"linewidth": 1.6}
        corner, color = (x1 - 0.5, y1 - 0.5), _color(label)
        axes.add_patch(patches.Rectangle(corner, x2 - x1, y2 - y1, fill=False, edgecolor=color, **style))

    for index, (picture, low, high) in enumerate(shown):
        axes: Any = figure.add_subplot(rows, columns, index + 1)
        show_image(axes, picture, low, high)
        for box, label, _ in zip(*truth[index], strict=True) if truth else ():
            frame(axes, box, int(label), True)
        for box, label, _ in zip(*found[index], strict=True) if found else ():
            frame(axes, box, int(label), False)
        texts = (
            [f"{shorten(names[int(label)], 14)} {score:.2f}" for _, label, score in zip(*found[index], strict=True)]
            if found
            else []
        )
        for place in _with_room(texts, found[index][0] if found else [], picture.shape, side) if found else ():
            box, label = found[index][0][place], found[index][1][place]
            axes.annotate(
                texts[place],
                (max(box[0], 0.0) - 0.5, max(box[1], 0.0) - 0.5),
                xytext=(1, 1),
                textcoords="offset points",
                fontsize=_LETTERS,
                color=INK if _color(int(label)) in _LIGHT else "white",
                va="bottom" if box[1] > 0.06 * picture.shape[0] else "top",
                bbox={"facecolor": _color(int(label)), "edgecolor": "none", "pad": 1.0},
            )
        axes.set_xlim(-0.5, picture.shape[1] - 0.5)
        axes.set_ylim(picture.shape[0] - 0.5, -0.5)
    lines = require("matplotlib.lines", "plot", f"striate.viz.{_WHAT}")
    seen = sorted({int(label) for _, labels, _ in found + truth for label in labels})
    keys = [patches.Patch(color=_color(label), label=shorten(names[label], 18)) for label in seen[:12]]
    if targets is not None and predictions is not None:
        keys.append(lines.Line2D([], [], color="black", linewidth=1.6, label="found"))
        keys.append(lines.Line2D([], [], color="black", linewidth=1.1, linestyle=(0, (4, 3)), label="true"))
    if keys:
        figure.legend(handles=keys, loc="outside lower center", ncols=min(8, len(keys)), fontsize=8, frameon=False)
    figure.suptitle(title or ("Objects" if predictions is None else "Detections"), fontsize=12)
    return finish(figure, path)


def _with_room(texts: Sequence[str], boxes: Any, shape: tuple[int, ...], side: float) -> list[int]:
    """The boxes whose labels cover no better one's, and of many boxes only large ones. The order is that of drawing, in
    which the last box is the best."""
    point = shape[1] / (72 * side)  # pixels of the picture in a point of the figure
    high = _LETTERS * 1.5 * point
    taken: list[tuple[float, float, float, float]] = []
    kept = []
    for index in reversed(range(len(texts))):
        x, y = float(boxes[index][0]), float(boxes[index][1])
        top = y - high if y > 0.06 * shape[0] else y
        wide = _LETTERS * 0.62 * len(texts[index]) * point
        area = float((boxes[index][2:] - boxes[index][:2]).prod())
        if len(texts) > _MANY and wide * high > _COVERED * area:
            continue
        place = (x, top, x + wide, top + high)
        if all(place[2] <= b[0] or b[2] <= place[0] or place[3] <= b[1] or b[3] <= place[1] for b in taken):
            taken.append(place)
            kept.append(index)
    return kept[::-1]


def _color(label: int) -> str:
    return CLASS_COLORS[label % len(CLASS_COLORS)]


def _rows(given: Any, parts: int, least: float) -> tuple[Any, Any, Any]:
    """Boxes, labels and scores of one image, those above the threshold, the best last, so that it is drawn on top."""
    if len(given) < parts:
        raise ValueError(f"{_WHAT} expects {'(boxes, labels, scores)' if parts == 3 else '(boxes, labels)'} an image")
    boxes, labels = as_boxes(given[0], f"{_WHAT}: boxes"), np.asarray(given[1]).reshape(-1)
    scores = np.asarray(given[2], np.float64).reshape(-1) if parts == 3 else np.ones(len(labels))
    if not len(boxes) == len(labels) == len(scores):
        raise ValueError(
            f"{_WHAT} expects one label and one score for each box, got {len(boxes)}, {len(labels)}, {len(scores)}"
        )
    order = np.argsort(scores, kind="stable")
    order = order[scores[order] >= least]
    return boxes[order], labels[order].astype(np.int64), scores[order]
