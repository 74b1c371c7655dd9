"""`striate evaluate`."""

from __future__ import annotations

from pathlib import Path

import click

import striate as st
from striate._extras import require
from striate.cli._run import METRICS, Run, tell_skipped, write_json


@click.command(short_help="Compute the metrics of a run on other data.")
@click.argument("run", type=click.Path())
@click.argument("data", required=False, type=click.Path())
@click.option(
    "--batch-size", type=click.IntRange(min=1), default=256, show_default=True, help="Pictures in each batch."
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Number of threads; by default all that the process may use."
)
@click.option("--out", type=click.Path(), help="Folder for metrics.json and pictures; by default RUN/evaluation.")
@click.option("--skip-bad", is_flag=True, help="Skip unreadable files and list them.")
@click.option("--pictures/--no-pictures", default=True, show_default=True, help="Draw the pictures (needs matplotlib).")
def evaluate(
    run: str, data: str | None, batch_size: int, threads: int | None, out: str | None, skip_bad: bool, pictures: bool
) -> None:
    """Compute the metrics of RUN on DATA: on its test part if it has one, else on all of it.

    DATA has the layout of the training data; by default it is the training data.
    """
    opened = Run(run)
    if pictures:
        require("matplotlib.figure", "plot", "striate evaluate (or --no-pictures)")
    if threads is not None:
        st.set_num_threads(threads)
    model = opened.load_model()
    dataset = opened.task.load(data or opened.data, opened.reading(skip_bad))
    tell_skipped(dataset.skipped)
    name, part = dataset.best_for_judging
    result = opened.task.assess(model, part, opened.class_names, batch_size, opened.ignore_class, opened.score)
    folder = Path(out) if out is not None else opened.path / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    skipped = [{"file": file, "reason": reason} for file, reason in dataset.skipped]
    write_json(
        folder / METRICS,
        {"task": opened.task.name, "data": dataset.source, "part": name, **result.metrics, "skipped": skipped},
    )
    if pictures:
        result.draw(folder, dataset.default_window)
    click.echo(f"{len(part):,} {name} pictures of {dataset.source}: {result.line()}\n")
    click.echo(result.table())
    click.echo(f"\nwritten to {folder}")
