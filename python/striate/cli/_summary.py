"""`striate summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

import striate as st
from striate import models
from striate.cli._options import image_size
from striate.cli._run import Run


@click.command(short_help="Show the layers of a network.")
@click.argument("model", metavar="RUN|MODEL")
@click.option(
    "--image-size",
    "size",
    type=image_size,
    metavar="H[xW]",
    default="32",
    show_default=True,
    help="Input size of a ready network: H or HxW.",
)
@click.option(
    "--channels", type=click.IntRange(min=1), default=3, show_default=True, help="Input channels of a ready network."
)
@click.option(
    "--classes", type=click.IntRange(min=1), default=10, show_default=True, help="Number of classes of a ready network."
)
def summary(model: str, size: tuple[int, int], channels: int, classes: int) -> None:
    """Show the layers of a network: shapes, parameters, multiply-adds and receptive fields.

    RUN|MODEL is a run folder, a .safetensors file, or a ready network, such as cnn, resnet18 or
    unet; a wrong name lists all of them.
    """
    path = Path(model)
    found: Any
    if path.is_dir():
        found = Run(path).load_model()
    elif path.exists() or path.suffix == ".safetensors":
        found = st.load_model(path)
    elif model in models.READY:
        found = getattr(models, model)((*size, channels), classes)
    else:
        known = ", ".join(models.READY)
        raise FileNotFoundError(f"{model} is not a run folder, a model file or a ready network ({known})")
    found.summary()
