"""`striate evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

import striate as st
from striate._extras import require
from striate.cli._run import METRICS, Run, write_json


@click.command(short_help="Judge a run by other data.")
@click.argument("run", type=click.Path())
@click.argument("data", required=False, type=click.Path())
@click.option("--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Pictures at a time.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads; by default all the process may use.")
@click.option("--out", type=click.Path(), help="Folder for metrics.json and pictures; by default RUN/evaluation.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the pictures (needs matplotlib).")
def evaluate(run: str, data: str | None, batch_size: int, threads: int | None, out: str | None, pictures: bool) -> None:
    """Judge RUN's network by DATA: the test part where it has one, else everything in it.

    DATA is a folder of IDX files or with a folder a class; without it, the data of the training is taken.
    """
    from striate.cli._assess import assess
    from striate.cli._dataset import load_dataset

    opened = Run(run)
    if pictures:
        require("matplotlib.figure", "plot", "striate evaluate (or --no-pictures)")
    if threads is not None:
        st.set_num_threads(threads)
    model = opened.load_model()
    dataset = load_dataset(data or opened.data, opened.image_size, opened.color_mode, opened.class_names)
    name, part = dataset.best_for_judging
    result = assess(model, part.images, part.labels, opened.class_names, batch_size)
    folder = Path(out) if out is not None else opened.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / METRICS, {"data": dataset.source, "part": name, **result.metrics})
    if pictures:
        result.draw(folder)
    click.echo(f"{len(part):,} {name} pictures of {dataset.source}: {result.line()}\n")
    click.echo(result.table())
    click.echo(f"\nwritten to {folder}")
