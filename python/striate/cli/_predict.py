"""`striate predict`."""

from __future__ import annotations

import json
from pathlib import Path

import click
import numpy as np

from striate.cli._assess import softmax
from striate.cli._run import Run
from striate.cli._table import table


@click.command(short_help="Say what a run's network sees in pictures.")
@click.argument("run", type=click.Path())
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE...")
@click.option(
    "--top", type=click.IntRange(min=1), default=1, show_default=True, help="Classes to name for each picture."
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print JSON: a list with file, class, probability and all classes' own."
)
@click.option("--picture", type=click.Path(), help="Also draw the pictures with their classes into this file.")
def predict(run: str, images: tuple[str, ...], top: int, as_json: bool, picture: str | None) -> None:
    """Say what RUN's network sees in each IMAGE (PNG, JPEG, TIFF, DICOM, ...)."""
    from striate.data import read_image

    opened = Run(run)
    array = np.stack([read_image(path, color_mode=opened.color_mode, size=opened.image_size) for path in images])
    logits = np.asarray(opened.load_model().predict(array), dtype=np.float64)
    probabilities = softmax(logits)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    names = opened.class_names
    if as_json:
        answers = [
            {
                "file": path,
                "class": names[best[0]],
                "probability": float(row[best[0]]),
                "probabilities": {name: float(value) for name, value in zip(names, row, strict=True)},
            }
            for path, best, row in zip(images, order.tolist(), probabilities, strict=True)
        ]
        click.echo(json.dumps(answers, indent=2, ensure_ascii=False))
    else:
        rows = [
            [path if rank == 0 else "", names[number], f"{100 * row[number]:.2f} %"]
            for path, best, row in zip(images, order.tolist(), probabilities, strict=True)
            for rank, number in enumerate(best)
        ]
        click.echo(table(rows, ["file", "class", "probability"]))
    if picture is not None:
        from striate import viz

        viz.plot_predictions(array, None, order[:, 0], names, probabilities, path=Path(picture))
        click.echo(f"picture: {picture}", err=as_json)
