"""The page that compares runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from striate.cli._run import HISTORY, INFO, METRICS, Run
from striate.cli.report._run import versions
from striate.history import read_history

_FIGURES = {
    "classify": (("accuracy",), ("macro", "f1"), ("auc",), ("loss",)),
    "segment": (("macro", "dice"), ("macro", "iou"), ("accuracy",), ("cross_entropy",)),
    "detect": (("AP50",), ("AP",), ("macro", "precision"), ("macro", "sensitivity")),
}
_NAMES = {
    "accuracy": "accuracy",
    "macro.f1": "F1",
    "auc": "AUC",
    "loss": "cross-entropy",
    "macro.dice": "Dice",
    "macro.iou": "IoU",
    "cross_entropy": "cross-entropy",
    "AP50": "AP50",
    "AP": "AP",
    "macro.precision": "precision",
    "macro.sensitivity": "sensitivity",
}
_LESS = ("loss", "cross_entropy")
_NO_SETTING = ("pictures", "threads", "skip_bad", "report", "serve", "model", "command")


def comparison(paths: Sequence[str]) -> dict[str, Any]:
    """The content of the page that compares runs of one task.

    Raises:
        FileNotFoundError: a run, or a file of it, is not there.
        ValueError: a file is damaged, or the runs are of several tasks.
    """
    runs = [Run(path) for path in paths]
    tasks = {run.task.name for run in runs}
    if len(tasks) > 1:
        raise ValueError(f"runs of one task can be compared; these are of {' and '.join(sorted(tasks))}")
    task = tasks.pop()
    rows: list[dict[str, Any]] = []
    every: list[dict[str, Any]] = []
    for run in runs:
        try:
            metrics = json.loads((run.path / METRICS).read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"{run.path / METRICS} is damaged: {error}") from error
        history = read_history(run.path / HISTORY).history if (run.path / HISTORY).is_file() else {}
        settings = {"data": run.data, **run.settings}
        every.append({key: value for key, value in settings.items() if key not in _NO_SETTING})
        rows.append(
            {
                "name": str(run.path),
                "model": metrics.get("model"),
                "parameters": metrics.get("parameters"),
                "seconds": metrics.get("seconds"),
                "epochs": metrics.get("epochs"),
                "part": f"{metrics.get('examples'):,} {metrics.get('part')}",
                "data": run.data,
                "figures": [_value(metrics, keys) for keys in _FIGURES[task]],
                "history": {name: [float(v) for v in values] for name, values in history.items() if _flat(values)},
            }
        )
    differing = [key for key in every[0] if len({json.dumps(one.get(key), sort_keys=True) for one in every}) > 1]
    for row, settings in zip(rows, every, strict=True):
        row["settings"] = {key: settings.get(key) for key in differing}
    keys = [".".join(path) for path in _FIGURES[task]]
    return {
        "kind": "comparison",
        "title": f"{len(rows)} runs",
        "name": "comparison",
        "task": task,
        "figures": [{"name": _NAMES[key], "less": key in _LESS} for key in keys],
        "differing": differing,
        "runs": rows,
        "same_pictures": len({(row["data"], row["part"]) for row in rows}) == 1,
        "versions": versions(),
        "info": INFO,
    }


def _value(metrics: Any, keys: Sequence[str]) -> Any:
    for key in keys:
        metrics = metrics.get(key) if isinstance(metrics, dict) else None
    return metrics


def _flat(values: Any) -> bool:
    return all(isinstance(value, (int, float)) for value in values)
