"""What the page of one run holds."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

import striate as st
from striate.cli.report._boxes import boxes
from striate.cli.report._classes import classes
from striate.cli.report._images import jpeg
from striate.cli.report._masks import masks
from striate.cli.report._network import (
    flow,
    grad_cams,
    grad_cams_of_boxes,
    grad_cams_of_masks,
    graph,
    maps,
    of_kernels,
    sees,
)

if TYPE_CHECKING:
    from striate.cli._tasks import Assessment

_TASKS = {"classify": "Classification", "segment": "Segmentation", "detect": "Detection"}
_OPTIONS = {
    "schedule": "{} schedule",
    "batch_size": "batches of {}",
    "augment": "augmentation {}",
    "seed": "seed {}",
}
_EVIDENCE = {
    "classify": "Where the evidence for the predicted class is: the surest mistakes first, then right pictures.",
    "segment": "Where the evidence for the pixels of a class is: of each picture that of most pixels.",
    "detect": "Where the evidence for the framed object is: the surest object of each picture.",
}
_SECTIONS = {"classify": classes, "segment": masks, "detect": boxes}


def report_of(
    *,
    name: str,
    task: str,
    settings: Mapping[str, Any],
    figures: Mapping[str, Any],
    history: Mapping[str, list[float]],
    class_names: list[str],
    model: Any = None,
    result: Assessment | None = None,
    norms: Mapping[str, list[float]] | None = None,
    notes: list[str] | None = None,
    live: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The content of the page.

    Args:
        name: of the run.
        task: "classify", "segment" or "detect".
        settings: the options of the training.
        figures: what metrics.json holds: what was trained on what, and how long.
        history: the values of all epochs.
        class_names: in the order of the network's outputs.
        model: the trained network; without it, as while it trains, the parts about it are left out.
        result: how good it is; without it, the parts about it are left out.
        norms: of gradients: layer -> one for each epoch.
        notes: what was chosen for the data.
        live: {"epoch", "epochs", "left"} of a training that runs; `left` in seconds.
    """
    content: dict[str, Any] = {
        "kind": "run",
        "name": name,
        "task": task,
        "title": f"{_TASKS[task]} by {figures.get('model')}",
        "classes": class_names,
        "facts": _facts(figures, settings, class_names, notes or []),
        "history": {key: [_number(value) for value in values] for key, values in history.items()},
        "best_epoch": figures.get("best_epoch"),
        "part": figures.get("part"),
        "command": settings.get("command"),
        "versions": versions(),
        "live": dict(live) if live is not None else None,
    }
    if result is not None:
        section = _SECTIONS[task](result)  # type: ignore[operator]
        content |= section
    if model is not None and result is not None:
        images = result.images
        content["graph"] = graph(model, images)
        content["sees"] = sees(content["graph"]["layers"], images.shape[1:3])
        content["maps"] = maps(model, images[:1])
        content["maps_image"] = jpeg(images[0], 256)
        content["input_size"] = list(images.shape[1:3])
        content["maps_file"] = result.part.name(0)  # type: ignore[attr-defined]
        content["grad_cams"] = _evidence(task, model, result)
        content["grad_cams_told"] = _EVIDENCE[task]
    if norms and model is not None:
        content["flow"] = flow(of_kernels(norms, model))
    return content


def _evidence(task: str, model: Any, result: Any) -> list[dict[str, Any]]:
    """Grad-CAM on some pictures."""
    if task == "classify":
        return grad_cams(model, result.part, result.predicted, _to_see(result))
    return grad_cams_of_masks(model, result) if task == "segment" else grad_cams_of_boxes(model, result)


def _to_see(result: Any) -> list[int]:
    """The surest mistakes, then right ones spread over the classes."""
    sure, wrong = result.probabilities.max(axis=1), result.predicted != result.labels
    mistakes = np.flatnonzero(wrong)[np.argsort(-sure[wrong], kind="stable")][:4].tolist()
    right = [int(np.flatnonzero(~wrong & (result.labels == k))[0]) for k in np.unique(result.labels[~wrong]).tolist()]
    return [*mistakes, *right]


def _facts(
    figures: Mapping[str, Any], settings: Mapping[str, Any], class_names: list[str], notes: list[str]
) -> list[list[str]]:
    facts = [["data", str(figures.get("data"))]]
    counts = figures.get("pictures")
    if counts:
        facts.append(["pictures", ", ".join(f"{count:,} {part}" for part, count in counts.items())])
    shape = figures.get("input_shape")
    if shape:
        facts.append(["input", " × ".join(map(str, shape))])
    shown = ", ".join(class_names[:12]) + (f" and {len(class_names) - 12} more" if len(class_names) > 12 else "")
    facts.append(["classes", f"{len(class_names)}: {shown}"])
    if figures.get("parameters"):
        facts.append(["network", f"{figures.get('model')}, {int(figures['parameters']):,} parameters"])
    rate = settings.get("learning_rate")
    training = [
        settings.get("optimizer"),
        "usual learning rate" if rate is None else f"learning rate {rate:g}",
        *(form.format(settings[key]) for key, form in _OPTIONS.items() if settings.get(key) is not None),
    ]
    if settings.get("optimizer") is not None:
        facts.append(["training", ", ".join(map(str, training))])
    if figures.get("seconds") is not None:
        each = figures.get("seconds_per_epoch")
        took = f"{figures.get('epochs')} epochs in {_duration(float(figures['seconds']))}"
        facts.append(["time", took + (f", {_duration(float(each))} each" if each is not None else "")])
    skipped = figures.get("skipped") or []
    if skipped:
        facts.append(["skipped", f"{len(skipped)} files that could not be read; metrics.json lists them"])
    return facts + [["note", note] for note in notes]


def _duration(seconds: float) -> str:
    from striate.progress import format_seconds

    return format_seconds(seconds)


def _number(value: Any) -> Any:
    """A number of a history; None for NaN, a list for an array."""
    if np.ndim(value):
        return [_number(entry) for entry in np.asarray(value).tolist()]
    number = float(value)
    return float(f"{number:.6g}") if math.isfinite(number) else None


def versions() -> dict[str, str]:
    """The versions that a run depends on."""
    return {
        "striate": st.__version__,
        "numpy": np.__version__,
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "instruction set": st.isa(),
    }
