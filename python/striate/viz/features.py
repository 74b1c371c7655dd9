"""What the layers see: feature maps and convolution kernels."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate.viz._figure import as_image, finish, new_figure, shorten, show_image, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


_FEWEST_COLUMNS, _MOST_COLUMNS = 6, 16


def plot_feature_maps(
    maps: Mapping[str, ArrayLike],
    image: ArrayLike | None = None,
    max_channels: int = 16,
    path: str | os.PathLike[str] | None = None,
    title: str = "Feature maps",
    class_names: Sequence[str] | None = None,
) -> Figure:
    """Draw the outputs of layers for one picture: one row for each layer, its first channels side by side, all on the
    same columns.

    Args:
        maps: layer name -> output, as `model.feature_maps(x)` returns it: (1, H, W, C), (H, W, C), (1, C) or (C,). Of a
            batch the first picture is shown. Flat outputs are drawn as bars.
        image: the picture that went in, drawn above the maps.
        max_channels: channels shown of each layer.
        path: file to write the picture to; None writes no file.
        title: the heading.
        class_names: names below the bars of a flat output that has one unit for each.

    Returns:
        The figure. Each row has its own scale, written on its bar: layers differ by orders of magnitude. Outputs of
        both signs are drawn in a diverging scale around zero.

    Raises:
        ValueError: no layer is given, or an output has an unsupported rank.
        ImportError: matplotlib is not installed.
    """
    if not maps:
        raise ValueError("plot_feature_maps expects at least one layer, got an empty dict")
    if max_channels < 1:
        raise ValueError(f"plot_feature_maps needs max_channels of at least 1, got {max_channels}")
    rows = {name: _one_output(name, value) for name, value in maps.items()}
    shown = [_mosaic_columns(value, max_channels) for value in rows.values() if value.ndim == 3]
    columns = max([_FEWEST_COLUMNS, *shown])
    heights = [_row_height(value, max_channels, columns) for value in rows.values()]
    if image is not None:
        heights.insert(0, 1.6)
    width = 1.9 + 0.85 * columns
    figure = new_figure(width, sum(heights) + 0.6, "plot_feature_maps")
    figure.suptitle(title, fontsize=13)
    grid = figure.add_gridspec(len(heights), 1, height_ratios=heights)
    offset = 0
    if image is not None:
        picture, low, high = as_image(image, "plot_feature_maps")
        axes = figure.add_subplot(grid[0])
        show_image(axes, picture, low, high)
        axes.set_title(f"input  {' × '.join(str(n) for n in picture.shape)}", fontsize=11, loc="center")
        offset = 1
    for index, (name, value) in enumerate(rows.items()):
        axes = figure.add_subplot(grid[index + offset])
        if value.ndim == 3:
            _draw_maps(figure, axes, name, value, max_channels, columns)
        else:
            _draw_bars(axes, name, value, class_names)
    return finish(figure, path)


def plot_filters(
    kernel: Any,
    layer: str | None = None,
    max_inputs: int = 8,
    max_filters: int = 24,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw the kernels of a convolution: one column for each filter, one row for each input channel, in a diverging
    scale around zero.

    Args:
        kernel: the weights (kh, kw, in, out), or a model, whose convolution is then looked up.
        layer: with a model, the layer's name; by default its first convolution.
        max_inputs: input channels shown.
        max_filters: filters shown.
        path: file to write the picture to; None writes no file.
        title: the heading; by default the layer and the kernel's shape.

    Raises:
        ValueError: the kernel is not 4-D, or the model has no such convolution.
        ImportError: matplotlib is not installed.
    """
    name = ""
    if hasattr(kernel, "get_layer"):
        name, kernel = _kernel_of(kernel, layer)
    weights = np.asarray(array_of(kernel, "plot_filters: kernel"), dtype=np.float64)
    if weights.ndim != 4 or weights.size == 0:
        raise ValueError(f"plot_filters expects a kernel (kh, kw, in, out), got shape {weights.shape}")
    height, width, inputs, outputs = weights.shape
    weights = weights[:, :, :max_inputs, :max_filters]
    tiles = weights.transpose(2, 3, 0, 1).reshape(-1, height, width)
    rows, columns = weights.shape[2:]
    if inputs == 1:
        columns = min(columns, 12)
        rows = -(-len(tiles) // columns)
    mosaic = _assemble(tiles, columns)
    across = max(3.0, 0.45 * columns)
    figure = new_figure(across + 1.9, across * mosaic.shape[0] / mosaic.shape[1] + 1.2, "plot_filters")
    axes = figure.add_subplot()
    bound = float(np.nanmax(np.abs(mosaic))) or 1.0
    picture = axes.imshow(mosaic, cmap="RdBu_r", vmin=-bound, vmax=bound, interpolation="nearest")
    figure.colorbar(picture, ax=axes, fraction=0.03, pad=0.02).set_label("weight")
    axes.set_xticks([column * (width + 1) + (width - 1) / 2 for column in range(columns)])
    axes.set_yticks([row * (height + 1) + (height - 1) / 2 for row in range(rows)])
    axes.set_xticklabels([str(column) for column in range(columns)])
    axes.set_yticklabels([f"{row * columns} +" if inputs == 1 else str(row) for row in range(rows)])
    axes.tick_params(length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(f"filter (output channel): {weights.shape[3]} of {outputs}")
    if inputs > 1:
        axes.set_ylabel(f"input channel: {rows} of {inputs}" if rows > 4 else f"input channel\n({rows} of {inputs})")
    shape = f"{height} × {width}, {inputs} → {outputs} channels"
    axes.set_title(title if title is not None else f"Filters{' of ' + name if name else ''}: {shape}", fontsize=11)
    return finish(figure, path)


def _kernel_of(model: Any, layer: str | None) -> tuple[str, NDArray[Any]]:
    candidates = [model.get_layer(layer)] if layer is not None else list(model.layers)
    for candidate in candidates:
        for weight in candidate.get_weights():
            if np.ndim(weight) == 4:
                return str(candidate.name), np.asarray(weight)
    where = f"layer {layer!r} has no kernel (kh, kw, in, out)" if layer is not None else "the model has no convolution"
    raise ValueError(f"plot_filters: {where}")


def _one_output(name: str, value: ArrayLike) -> NDArray[np.float64]:
    array = np.asarray(array_of(value, name), dtype=np.float64)
    if array.ndim in (2, 4):
        array = array[0] if len(array) else array
    if array.ndim not in (1, 3) or array.size == 0:
        raise ValueError(
            f"plot_feature_maps expects {name!r} as (1, H, W, C), (H, W, C), (1, C) or (C,), got {np.shape(value)}"
        )
    return array


def _mosaic_columns(value: NDArray[np.float64], max_channels: int) -> int:
    return min(int(value.shape[-1]), max_channels, _MOST_COLUMNS)


def _row_height(value: NDArray[np.float64], max_channels: int, columns: int) -> float:
    if value.ndim == 1:
        return 1.5
    shown = min(int(value.shape[-1]), max_channels)
    tall = min(2.0, max(0.5, float(value.shape[0] / value.shape[1])))
    return 0.35 + 0.85 * -(-shown // columns) * tall


def _assemble(tiles: NDArray[np.float64], columns: int) -> NDArray[np.float64]:
    """Tiles (n, h, w) laid out in rows of `columns`, one empty (NaN) pixel between adjacent tiles."""
    count, height, width = tiles.shape
    rows = -(-count // columns)
    canvas = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1), np.nan)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        canvas[top : top + height, left : left + width] = tile
    return canvas


def _draw_maps(
    figure: Figure, axes: Axes, name: str, value: NDArray[np.float64], max_channels: int, columns: int
) -> None:
    height, width, channels = value.shape
    shown = min(channels, max_channels)
    # Small maps are enlarged pixel by pixel, so that the one-pixel gap between tiles looks alike in every row.
    factor = max(1, 32 // max(height, width))
    tiles = value[:, :, :shown].transpose(2, 0, 1).repeat(factor, axis=1).repeat(factor, axis=2)
    mosaic = _assemble(tiles, columns)
    finite = tiles[np.isfinite(tiles)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if low < 0.0 < high:
        bound = max(-low, high)
        low, high, colors = -bound, bound, "RdBu_r"
    else:
        colors = "viridis"
    # A tile is one unit wide in every row, whatever the pixels of its maps are.
    picture = axes.imshow(
        mosaic,
        cmap=colors,
        vmin=low,
        vmax=high if high > low else low + 1.0,
        interpolation="nearest",
        extent=(0, columns, -(-shown // columns) * height / width, 0),
    )
    axes.set_anchor("W")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    part = f"{shown} of {channels}" if shown < channels else f"{channels}"
    axes.set_title(f"{name}    {height} × {width} pixels, {part} channels", fontsize=11, loc="left")
    bar = figure.colorbar(picture, ax=axes, fraction=0.02, pad=0.01, aspect=12)
    bar.ax.tick_params(labelsize=8)
    bar.set_label("output", fontsize=8)


def _draw_bars(axes: Axes, name: str, value: NDArray[np.float64], class_names: Sequence[str] | None) -> None:
    axes.bar(np.arange(value.size), value, width=0.9, color=np.where(value < 0, "#2166AC", "#B2182B").tolist())
    axes.axhline(0.0, color="#888888", linewidth=0.6)
    axes.set_xlim(-0.6, value.size - 0.4)
    if value.size <= 30:
        axes.set_xticks(range(value.size))
        if class_names is not None and len(class_names) == value.size:
            labels = [shorten(str(one), 12) for one in class_names]
            turned = max(map(len, labels)) * value.size > 90
            axes.set_xticklabels(labels, rotation=30 if turned else 0, ha="right" if turned else "center")
    axes.tick_params(labelsize=9)
    axes.set_ylabel("output", fontsize=8)
    axes.set_title(f"{name}    {value.size} units", fontsize=11, loc="left")
    tidy(axes, grid=False)
