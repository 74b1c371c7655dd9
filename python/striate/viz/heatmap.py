"""Grad-CAM: the parts of a picture that speak for a class."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from striate._arrays import array_of
from striate.viz._figure import as_image, bare, finish, new_figure, show_image

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_grad_cam(
    image: ArrayLike,
    heatmap: ArrayLike,
    class_name: str | None = None,
    path: str | os.PathLike[str] | None = None,
    title: str | None = None,
) -> Figure:
    """Draw a picture, its Grad-CAM heat map, and both overlaid.

    Grad-CAM weighs a layer's feature maps by the class score's mean gradient to each of them and keeps the positive
    part of the sum (Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017).

    Args:
        image: (H, W), (H, W, 1) or (H, W, 3), or a batch of one.
        heatmap: (h, w), or a batch of one, at the layer's resolution or the picture's; a smaller map is enlarged
            smoothly.
        class_name: the class that the map speaks for, for the heading.
        path: file to write the picture to; None writes no file.
        title: the heading in place of "Grad-CAM for ...".

    Raises:
        ValueError: the picture or the map has another shape.
        ImportError: matplotlib is not installed.
    """
    picture, low, high = as_image(image, "plot_grad_cam")
    heat = np.asarray(array_of(heatmap, "plot_grad_cam: heatmap"), dtype=np.float64)
    while heat.ndim > 2 and 1 in (heat.shape[0], heat.shape[-1]):
        heat = heat[0] if heat.shape[0] == 1 else heat[..., 0]
    if heat.ndim != 2 or heat.size == 0:
        raise ValueError(f"plot_grad_cam expects a heat map (h, w), got {np.shape(heatmap)}")
    height, width = picture.shape[:2]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)
    top = float(np.nanmax(heat)) if np.isfinite(heat).any() else 0.0
    top = top if top > 0 else 1.0

    figure = new_figure(9.6, 3.0 * min(2.0, max(0.5, height / width)) + 0.7, "plot_grad_cam")
    figure.suptitle(title or (f"Grad-CAM for “{class_name}”" if class_name is not None else "Grad-CAM"), fontsize=12)
    first, second, third = figure.subplots(1, 3)
    show_image(first, picture, low, high)
    first.set_title(f"input  {height} × {width}", fontsize=10)
    shades = second.imshow(heat, cmap="inferno", vmin=0.0, vmax=top, extent=extent, interpolation="nearest")
    second.set_title(f"heat map  {heat.shape[0]} × {heat.shape[1]}", fontsize=10)
    bare(second)
    show_image(third, picture, low, high)
    # Opacity grows with the evidence: what does not count stays to be seen as it is.
    opacity = 0.75 * np.clip(np.nan_to_num(heat) / top, 0.0, 1.0)
    third.imshow(heat, cmap="inferno", vmin=0.0, vmax=top, extent=extent, interpolation="bilinear", alpha=opacity)
    third.set_xlim(-0.5, width - 0.5)
    third.set_ylim(height - 0.5, -0.5)
    third.set_title("laid over the input", fontsize=10)
    bar = figure.colorbar(shades, ax=[first, second, third], fraction=0.03, pad=0.02)
    bar.set_label("evidence for the class")
    return finish(figure, path)
