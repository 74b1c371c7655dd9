"""`striate report`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from striate._files import write_file
from striate.cli._run import GRADIENTS, HISTORY, METRICS, REPORT, Run, tell_skipped
from striate.cli.report import comparison, render, report_of, require_report
from striate.history import read_history

_TOGETHER = 256


@click.command(short_help="Write the report of a run, or compare runs.")
@click.argument("runs", nargs=-1, required=True, type=click.Path(), metavar="RUN...")
@click.option(
    "--out",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="The page.  [default: RUN/report.html; of several runs comparison.html]",
)
@click.option("--overwrite", is_flag=True, help="Replace a file of that name.")
@click.option("--skip-bad", is_flag=True, help="Skip unreadable files of the data and list them.")
def report(runs: tuple[str, ...], out: str | None, overwrite: bool, skip_bad: bool) -> None:
    """Write a page of HTML that needs no network: of one RUN what `striate train` writes, from its data anew; of
    several, their figures, differing options and curves beside one another."""
    require_report()
    own = Path(runs[0]) / REPORT
    page = Path(out) if out is not None else own if len(runs) == 1 else Path("comparison.html")
    if page != own and page.exists() and not overwrite:
        raise ValueError(f"{page} already exists; give --overwrite, or choose another file with --out")
    if len(runs) > 1:
        content = comparison(runs)
    else:
        content = _of_one(Run(runs[0]), skip_bad)
    page.parent.mkdir(parents=True, exist_ok=True)
    write_file(page, render(content).encode())
    click.echo(f"report: {page}")


def _of_one(run: Run, skip_bad: bool) -> dict[str, Any]:
    model = run.load_model()
    dataset = run.task.load(run.data, run.reading(skip_bad))
    tell_skipped(dataset.skipped)
    settings = run.settings
    dataset.cut_validation(float(settings.get("validation_split", 0.0)), int(settings.get("seed", 0)))
    _, part = dataset.best_for_judging
    result = run.task.assess(model, part, run.class_names, _TOGETHER, run.ignore_class, run.score)
    try:
        figures = json.loads((run.path / METRICS).read_text(encoding="utf-8"))
        gradients = run.path / GRADIENTS
        kept = dict(json.loads(gradients.read_text(encoding="utf-8"))) if gradients.is_file() else {}
        norms = {name: [float("nan") if one is None else float(one) for one in row] for name, row in kept.items()}
    except (ValueError, TypeError) as error:
        raise ValueError(f"{run.path} is damaged: {error}") from error
    history = read_history(run.path / HISTORY).history if (run.path / HISTORY).is_file() else {}
    return report_of(
        name=str(run.path),
        task=run.task.name,
        settings=settings,
        figures=figures,
        history=history,
        class_names=run.class_names,
        model=model,
        result=result,
        norms=norms,
        notes=list(figures.get("notes") or []),
    )
