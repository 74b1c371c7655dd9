"""What the pictures share: figures without pyplot, colour-blind safe colours, saving, arrays made ready to show."""

from __future__ import annotations

import functools
import os
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate._arrays import array_of
from striate._extras import require
from striate._files import PathLike, text, write_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's palette (Color Universal Design, 2008) tells apart under every common colour blindness.
BLUE = "#0072B2"
ORANGE = "#E69F00"
VERMILLION = "#D55E00"
GREEN = "#009E73"
GREY = "#6B6B6B"
INK = "#222222"
# One colour a class, from the same palette; similar colours are far apart in the order.
CLASS_COLORS = (BLUE, ORANGE, GREEN, "#CC79A7", "#56B4E9", VERMILLION, "#F0E442")


def new_figure(width: float, height: float, what: str) -> Figure:
    """An empty figure of that size in inches, drawn without a display; `what` names the caller if matplotlib is
    missing.
    """
    agg = require("matplotlib.backends.backend_agg", "plot", f"striate.viz.{what}")
    figure: Figure = _figure_class(what)(figsize=(width, height), layout="constrained")
    agg.FigureCanvasAgg(figure)
    engine: Any = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.09, h_pad=0.09)
    return figure


@functools.cache
def _figure_class(what: str) -> Any:
    """matplotlib's `Figure`, which a notebook shows: without pyplot, it knows of no other way than `_repr_png_`."""
    base = require("matplotlib.figure", "plot", f"striate.viz.{what}").Figure

    def as_png(self: Figure) -> bytes:
        content = BytesIO()
        self.savefig(content, dpi=100, format="png")
        return content.getvalue()

    def reduced(self: Figure) -> Any:
        """Pickles and copies are plain figures of matplotlib, which any program reads."""
        return _plain_figure, (), base.__getstate__(self)

    return type("Figure", (base,), {"_repr_png_": as_png, "__reduce__": reduced, "__module__": base.__module__})


def _plain_figure() -> Figure:
    figure_module: Any = require("matplotlib.figure", "plot", "striate.viz")
    plain: Figure = figure_module.Figure.__new__(figure_module.Figure)
    return plain


def finish(figure: Figure, path: PathLike | None) -> Figure:
    """Write the figure to `path`, if there is one, whole or not at all, and hand it back. Its format is that of the
    name's ending, PNG by default."""
    if path is not None:
        name = text(path)
        ending = os.path.splitext(name)[1][1:]
        content = BytesIO()
        figure.savefig(content, dpi=130, format=ending or "png")
        write_file(name if ending else f"{name.rstrip('.')}.png", content.getvalue())
    return figure


def tidy(axes: Axes, grid: bool = True) -> None:
    """Take away what says nothing: the top and right frame; a faint grid behind the data stays."""
    axes.spines[["top", "right"]].set_visible(False)
    if grid:
        axes.grid(True, color="#DDDDDD", linewidth=0.6)
        axes.set_axisbelow(True)


def bare(axes: Axes) -> None:
    """An axes that holds a picture: no ticks, no frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def show_image(axes: Axes, image: NDArray[Any], low: float, high: float) -> None:
    """Draw one (H, W) or (H, W, 3) picture whose values are between `low` and `high`."""
    if image.ndim == 3:
        axes.imshow(np.clip((image.astype(np.float32) - low) / (high - low), 0.0, 1.0), interpolation="nearest")
    else:
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
    bare(axes)


def as_images(images: ArrayLike, what: str) -> tuple[NDArray[Any], float, float]:
    """Pictures as (N, H, W) or (N, H, W, 3), and the values to draw as black and as white.

    Bytes in colour and floats between 0 and 1 mean what they say; anything else is stretched over the range of the
    whole array, so that pictures standing side by side stay comparable.
    """
    array = array_of(images, f"{what}: images")
    if array.ndim == 4 and array.shape[-1] == 1:
        array = array[..., 0]
    if array.ndim == 4 and array.shape[-1] == 4:
        array = array[..., :3]
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[-1] == 3)):
        raise ValueError(f"{what} expects images (N, H, W), (N, H, W, 1) or (N, H, W, 3), got {array.shape}")
    if array.size == 0:
        raise ValueError(f"{what} expects at least one image, got an array of shape {array.shape}")
    if array.dtype == np.bool_:
        array = array.astype(np.uint8)
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if array.dtype == np.uint8 and array.ndim == 4:
        low, high = 0.0, 255.0
    elif array.dtype.kind == "f" and low >= 0.0 and high <= 1.0:
        low, high = 0.0, 1.0
    else:
        low = min(low, 0.0)
    return array, low, high if high > low else low + 1.0


def as_image(image: ArrayLike, what: str) -> tuple[NDArray[Any], float, float]:
    """One picture, (H, W), (H, W, 1), (H, W, 3) or a batch of one, and its values for black and white."""
    array = array_of(image, f"{what}: image")
    if array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[-1] not in (1, 3, 4)):
        raise ValueError(f"{what} expects one image (H, W), (H, W, 1) or (H, W, 3), got {array.shape}")
    batch, low, high = as_images(array[np.newaxis] if array.ndim == 3 else array[np.newaxis, ..., np.newaxis], what)
    return batch[0], low, high


def names_for(count: int, class_names: Any, what: str) -> list[str]:
    """The class names as text, `0, 1, 2, …` where there are none."""
    if class_names is None:
        return [str(index) for index in range(count)]
    names = [str(name) for name in class_names]
    if len(names) < count:
        raise ValueError(f"{what} needs a name for each of the {count} classes, got {len(names)} in class_names")
    return names


def shorten(text: str, length: int) -> str:
    """`text`, cut with an ellipsis where it is longer than `length`."""
    return text if len(text) <= length else text[: length - 1] + "…"
