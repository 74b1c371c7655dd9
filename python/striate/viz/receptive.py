"""How much of the picture one unit of each layer sees."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from striate._extras import require
from striate.viz._figure import GREY, VERMILLION, as_image, finish, new_figure, shorten, show_image, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_Field = tuple[str, float, float]


def plot_receptive_field(
    model: Any,
    image: ArrayLike | None = None,
    input_size: int | tuple[int, int] | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str = "Receptive field: the pixels that one unit can see",
) -> Figure:
    """Draw each layer's receptive field: as a square about the middle of the picture, and as a bar beside the layer's
    name.

    Args:
        model: a model (its `receptive_field(layer)` is asked for every layer), or the data: layer name -> (size, jump),
            or a sequence of (layer name, size, jump), from input to output. Size is the side of the field and jump the
            distance between neighbouring units, both in pixels of the input. Layers that see no wider than the one
            before them are left out.
        image: a picture to draw the squares on.
        input_size: side, or (height, width), of the input in pixels; by default the image's or the model's.
        path: file to write the picture to; None writes no file.
        title: the heading.

    Returns:
        The figure. Fields wider than the input reach over its edge into the padding: the dashed line is the input's
        side.

    Raises:
        ValueError: no layer has a receptive field.
        ImportError: matplotlib is not installed.
    """
    fields = _growing(_fields(model))
    if not fields:
        raise ValueError("plot_receptive_field found no layer with a receptive field")
    height, width = _size(model, image, input_size, fields)
    figure = new_figure(10.5, float(np.clip(0.3 * len(fields) + 1.7, 4.2, 14.0)), "plot_receptive_field")
    figure.suptitle(title, fontsize=12)
    left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.25])
    shades = require("matplotlib", "plot", "striate.viz.plot_receptive_field").colormaps["viridis"]
    colors = [shades(value) for value in np.linspace(0.9, 0.05, len(fields))]
    _draw_squares(left, fields, colors, image, height, width)
    _draw_bars(right, fields, colors, height, width)
    return finish(figure, path)


def _fields(model: Any) -> list[_Field]:
    if hasattr(model, "receptive_field") and hasattr(model, "layers"):
        found: list[_Field] = []
        for layer in model.layers:
            field = model.receptive_field(layer.name)
            if field is not None:
                found.append((str(layer.name), *_size_and_jump(field)))
        return found
    if isinstance(model, Mapping):
        return [(str(name), *_size_and_jump(field)) for name, field in model.items()]
    if isinstance(model, Sequence):
        return [(str(entry[0]), *_size_and_jump(entry[1:])) for entry in model]
    raise TypeError(
        "plot_receptive_field expects a model, a dict layer -> (size, jump) or a sequence of (layer, size, jump), "
        f"got {type(model).__name__}"
    )


def _size_and_jump(field: Any) -> tuple[float, float]:
    """Size and jump from (size, jump), or from {'size': , 'jump': }; of two directions the larger counts."""
    size, jump = (field["size"], field["jump"]) if isinstance(field, Mapping) else (field[0], field[1])
    return float(np.max(size)), float(np.max(jump))


def _growing(fields: list[_Field]) -> list[_Field]:
    kept: list[_Field] = []
    widest = 1.0
    for field in fields:
        if field[1] > widest and np.isfinite(field[1]):
            kept.append(field)
            widest = field[1]
    return kept or [field for field in fields if np.isfinite(field[1])][:1]


def _size(
    model: Any, image: ArrayLike | None, size: int | tuple[int, int] | None, fields: list[_Field]
) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if size is not None:
        return int(size[0]), int(size[1])
    if image is not None:
        picture, _, _ = as_image(image, "plot_receptive_field")
        return int(picture.shape[0]), int(picture.shape[1])
    shape = getattr(model, "input_shape", None)
    if shape is not None and len(shape) >= 3 and all(isinstance(side, int) for side in shape[-3:-1]):
        return int(shape[-3]), int(shape[-2])
    widest = round(max(field[1] for field in fields))
    return widest, widest


def _draw_squares(
    axes: Axes, fields: list[_Field], colors: list[Any], image: ArrayLike | None, height: int, width: int
) -> None:
    rectangle = require("matplotlib.patches", "plot", "striate.viz.plot_receptive_field").Rectangle
    if image is not None:
        show_image(axes, *as_image(image, "plot_receptive_field"))
    else:
        axes.add_patch(rectangle((-0.5, -0.5), width, height, facecolor="#EEEEEE", edgecolor="none"))
    axes.add_patch(
        rectangle((-0.5, -0.5), width, height, fill=False, edgecolor=VERMILLION, linestyle="--", linewidth=1.5)
    )
    for (_, size, _), color in zip(reversed(fields), reversed(colors), strict=True):
        corner = ((width - size - 1) / 2, (height - size - 1) / 2)
        axes.add_patch(rectangle(corner, size, size, fill=False, edgecolor=color, linewidth=2.0))
    reach = max(max(height, width), min(fields[-1][1], 2.2 * max(height, width)))
    axes.set_xlim((width - reach - 1) / 2 - 0.03 * reach, (width + reach - 1) / 2 + 0.03 * reach)
    axes.set_ylim((height + reach - 1) / 2 + 0.03 * reach, (height - reach - 1) / 2 - 0.03 * reach)
    axes.set_aspect("equal")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.set_title(f"of the middle unit, on the input of {height} × {width} pixels", fontsize=10)


def _draw_bars(axes: Axes, fields: list[_Field], colors: list[Any], height: int, width: int) -> None:
    places = np.arange(len(fields))
    sizes = [size for _, size, _ in fields]
    axes.barh(places, sizes, color=colors, height=0.7)
    for place, (_, size, jump) in zip(places, fields, strict=True):
        axes.annotate(
            f"{size:g} px, jump {jump:g}",
            (size, float(place)),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
        )
    side = min(height, width)
    axes.axvline(side, color=VERMILLION, linestyle="--", linewidth=1.5)
    axes.annotate(
        "input's side",
        (side, -0.5),
        xytext=(0, 3),
        textcoords="offset points",
        ha="center",
        va="bottom",
        color=VERMILLION,
        fontsize=8,
    )
    axes.set_yticks(places, [shorten(name, 28) for name, _, _ in fields], fontsize=8)
    axes.set_ylim(len(fields) - 0.4, -0.6)
    axes.set_xlim(0, 1.3 * max(side, *sizes))
    axes.set_xlabel("side of the receptive field (pixels of the input)")
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_color(GREY)
    tidy(axes)
