"""The gradient's size in each layer: where it vanishes, where it explodes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.viz._figure import GREY, finish, new_figure, shorten, tidy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_EPOCHS = ("#9A9A9A", "#56B4E9", "#0072B2")  # of the first, the middle and the last one


def plot_gradient_flow(
    norms: Any,
    path: str | os.PathLike[str] | None = None,
    title: str = "Gradient flow: how much of the error reaches each layer",
) -> Figure:
    """Draw the norm of each layer's gradient on a logarithmic scale, the input at the top: a line each for the first,
    the middle and the last epoch.

    A line that leans to the left at the top is a vanishing gradient: the layers near the input hardly learn. One that
    leans to the right there is exploding.

    Args:
        norms: a `callbacks.GradientFlow`, or its `.norms`: layer name -> one norm for each epoch, layers from input to
            output. A dict of such dicts (or callbacks), network name -> norms, draws the networks side by side on one
            scale.
        path: file to write the picture to; None writes no file.
        title: the heading.

    Returns:
        The figure. Norms of exactly zero have no place on a logarithmic scale: they are marked at the left edge with a
        triangle.

    Raises:
        ValueError: the norms have no layer or no epoch, or layers of one network have different numbers of epochs.
        ImportError: matplotlib is not installed.
    """
    networks = _networks(norms)
    layers = max(len(names) for names, _ in networks.values())
    height = float(np.clip(0.27 * layers + 1.6, 3.2, 16.0))
    figure = new_figure(5.6 * len(networks) + 0.9, height, "plot_gradient_flow")
    figure.suptitle(title, fontsize=12)
    positive = np.concatenate([table[np.isfinite(table) & (table > 0)] for _, table in networks.values()])
    limits = _decades(positive)
    panels: list[Axes] = []
    for index, (network, (names, table)) in enumerate(networks.items()):
        axes = figure.add_subplot(1, len(networks), index + 1)
        _draw(axes, names, table, limits)
        axes.set_title(network, fontsize=11)
        panels.append(axes)
    panels[0].set_ylabel("layer (input at the top)")
    most = max(panels, key=lambda axes: len(axes.get_legend_handles_labels()[0]))
    handles, labels = most.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, labels, loc="outside lower center", ncols=len(handles), fontsize=9, frameon=False)
    return finish(figure, path)


def _networks(norms: Any) -> dict[str, tuple[list[str], NDArray[np.float64]]]:
    inner = getattr(norms, "norms", norms)
    if not isinstance(inner, Mapping):
        raise TypeError(
            f"plot_gradient_flow expects a GradientFlow or a dict layer -> norms, got {type(norms).__name__}"
        )
    if not inner:
        raise ValueError("plot_gradient_flow found no layer: the norms are empty (was the callback given to fit?)")
    first = next(iter(inner.values()))
    if isinstance(getattr(first, "norms", first), Mapping):
        found: dict[str, Any] = {str(network): getattr(value, "norms", value) for network, value in inner.items()}
        return {network: _table(value, network) for network, value in found.items()}
    return {"": _table(inner, "")}


def _table(norms: Mapping[str, Any], network: str) -> tuple[list[str], NDArray[np.float64]]:
    of = f" of {network!r}" if network else ""
    rows = [np.atleast_1d(np.asarray(values, dtype=np.float64)) for values in norms.values()]
    lengths = {row.shape for row in rows}
    if len(lengths) != 1 or any(row.ndim != 1 or row.size == 0 for row in rows):
        raise ValueError(
            f"plot_gradient_flow expects one norm for each epoch for every layer{of}, got lengths {sorted(lengths)}"
        )
    return [str(name) for name in norms], np.stack(rows)


def _decades(positive: NDArray[np.float64]) -> tuple[float, float]:
    """Limits at whole powers of ten around the values, so that the scale is the same kind for a quiet run and a wild
    one.
    """
    if positive.size == 0:
        return 1e-8, 1.0
    low, high = np.floor(np.log10(positive.min()) - 0.05), np.ceil(np.log10(positive.max()) + 0.05)
    return float(10.0**low), float(10.0 ** max(high, low + 1.0))


def _draw(axes: Axes, names: list[str], table: NDArray[np.float64], limits: tuple[float, float]) -> None:
    places = np.arange(len(names))
    epochs = table.shape[1]
    shown = sorted({0, (epochs - 1) // 2, epochs - 1})
    for epoch, color in zip(shown, _EPOCHS[-len(shown) :], strict=True):
        values = np.where(table[:, epoch] > 0, table[:, epoch], np.nan)
        axes.plot(values, places, "o-", color=color, linewidth=1.6, markersize=4, label=f"epoch {epoch + 1}")
    zero = np.flatnonzero((table == 0).any(axis=1))
    if zero.size:
        axes.plot(np.full(zero.size, limits[0]), zero, linestyle="", marker="<", color=GREY, clip_on=False)
    axes.set_xscale("log")
    axes.set_xlim(limits)
    axes.xaxis.set_minor_formatter(
        require("matplotlib.ticker", "plot", "striate.viz.plot_gradient_flow").NullFormatter()
    )
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_yticks(places, [shorten(name, 28) for name in names], fontsize=8 if len(names) <= 30 else 6)
    axes.set_xlabel("L2 norm of the gradient to the layer's weights")
    tidy(axes)
