"""What `striate train` does, step by step."""

from __future__ import annotations

import contextlib
import io
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

import striate as st
from striate._files import write_file
from striate.cli._dataset import Dataset, Part, Reading
from striate.cli._options import make_optimizer, parse_augment
from striate.cli._run import (
    HISTORY,
    METRICS,
    MODEL,
    SUMMARY,
    prepare_folder,
    publish,
    tell_skipped,
    write_info,
    write_json,
)
from striate.cli._tasks import Assessment, class_weights, task_and_model

_JUDGING_BATCH = 256
_MOST_MAPS = 8


@dataclass(frozen=True)
class Settings:
    """The options of `striate train`; its help says what they mean."""

    data: str | None
    task: str
    model: str | None
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float | None
    momentum: float
    weight_decay: float
    schedule: str
    warmup: float
    dropout: float | None
    augment: str
    class_weight: str
    image_size: tuple[int, int] | None
    color_mode: str
    class_names: list[str] | None
    mask_values: str
    ignore_class: int | None
    skip_bad: bool
    validation_split: float
    patience: int | None
    seed: int
    threads: int | None
    out: str | None
    overwrite: bool
    pictures: bool
    verbose: str


def run_training(settings: Settings) -> int:
    """Read, train, judge, write; returns the exit code."""
    task, model_name = task_and_model(settings.task, settings.model)
    if task.name == "detect" and settings.class_weight != "none":
        raise ValueError("--class-weight weighs pictures or pixels by their class; it is not for --task detect")
    augment = parse_augment(settings.augment, settings.seed)
    if settings.threads is not None:
        st.set_num_threads(settings.threads)
    st.set_seed(settings.seed)
    dataset = task.load(
        settings.data,
        Reading(
            settings.image_size,
            settings.color_mode,
            settings.class_names,
            settings.skip_bad,
            settings.ignore_class,
            settings.mask_values,
        ),
    )
    tell_skipped(dataset.skipped)
    dataset.cut_validation(settings.validation_split, settings.seed)
    if settings.patience is not None and dataset.validation is None:
        raise ValueError(
            "--patience watches the validation loss: it needs val/ pictures, or a --validation-split above 0"
        )
    training = dataset.train
    if training is None:
        raise ValueError(f"{dataset.source} holds no pictures to train on")
    optimizer = plan_optimizer(settings, len(training))
    model = task.build(model_name, training, len(dataset.class_names), settings.dropout, settings.seed)
    folder = prepare_folder(settings.out, f"{_short_name(dataset.source)}-{model_name}", settings.overwrite)
    _announce(dataset, training, model_name, model)

    ignored = settings.ignore_class
    model.compile(optimizer=optimizer, loss=task.loss(ignored), metrics=task.watched(ignored))
    flow = st.callbacks.GradientFlow()
    clock = _Clock()
    watching: list[Any] = [flow, clock, st.callbacks.CSVLogger(folder / HISTORY)]
    if settings.patience is not None:
        watching.append(st.callbacks.EarlyStopping(patience=settings.patience, restore_best_weights=True))
    validation = dataset.validation
    stopped = False
    try:
        model.fit(
            training.images,
            training.labels,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            verbose=settings.verbose if settings.verbose == "auto" else int(settings.verbose),
            callbacks=watching,
            validation_data=None if validation is None else (validation.images, validation.labels),
            class_weight=class_weights(training.labels, ignored) if settings.class_weight == "balanced" else None,
            augment=augment,
        )
    except KeyboardInterrupt:
        stopped = True
        click.echo("stopped by Ctrl-C: keeping what has been learned", err=True)

    model.save(folder / MODEL)
    with contextlib.redirect_stdout(io.StringIO()) as text:
        model.summary()
    write_file(folder / SUMMARY, text.getvalue().encode())
    name, part = dataset.best_for_judging
    result = task.assess(model, part, dataset.class_names, _JUDGING_BATCH, ignored)
    seconds = [float(value) for value in clock.seconds]
    figures = {
        "task": task.name,
        "data": dataset.source,
        "part": name,
        **result.metrics,
        "skipped": [{"file": file, "reason": reason} for file, reason in dataset.skipped],
        "model": model_name,
        "parameters": int(model.count_params()),
        "epochs": len(seconds),
        "stopped_early": stopped,
        "seconds": float(sum(seconds)),
        "seconds_per_epoch": float(np.mean(seconds)) if seconds else None,
    }
    write_json(folder / METRICS, figures)
    if settings.pictures:
        draw_pictures(folder, model, clock.history, flow, result)
    kept = {key: value for key, value in asdict(settings).items() if key not in ("data", "out", "overwrite", "verbose")}
    kept["learning_rate"] = settings.learning_rate
    kept["model"] = model_name
    shape = tuple(training.images.shape[1:])
    write_info(folder, task.name, model_name, dataset.class_names, shape, dataset.source, kept, dataset.default_window)
    folder = publish(folder)

    click.echo(f"\n{len(part):,} {name} pictures: {result.line()}\n")
    click.echo(result.table())
    if seconds:
        click.echo(f"\ntrained {len(seconds)} epochs in {sum(seconds):.1f} s, {np.mean(seconds):.2f} s each")
    click.echo(f"run folder: {folder}")
    return 130 if stopped else 0


class _Clock(st.callbacks.Callback):
    """Keeps the seconds and the logs of each epoch, also of a training that is interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self.history: dict[str, list[float]] = {}
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(perf_counter() - self._began)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))


def plan_optimizer(settings: Settings, examples: int) -> Any:
    """The optimizer, its schedule laid over the whole training."""
    steps_per_epoch = -(-examples // settings.batch_size)
    return make_optimizer(
        settings.optimizer,
        settings.learning_rate,
        settings.schedule,
        steps=settings.epochs * steps_per_epoch,
        warmup=round(settings.warmup * steps_per_epoch),
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def draw_pictures(folder: Path, model: Any, history: dict[str, list[float]], flow: Any, result: Assessment) -> None:
    """Every picture of the run folder."""
    from striate import viz

    if history:
        viz.plot_history(history, path=folder / "curves.png")
        viz.plot_gradient_flow(_of_kernels(flow.norms, model), path=folder / "gradient_flow.png")
    result.draw(folder)
    image = result.images[:1]
    viz.plot_feature_maps(
        model.feature_maps(image, layers=layers_worth_seeing(model)),
        image=image,
        path=folder / "feature_maps.png",
        title=result.title(),
    )


def _of_kernels(norms: dict[str, list[float]], model: Any) -> dict[str, list[float]]:
    """The norms of convolutions and dense layers: those of scales and shifts between them are of another kind."""
    kernels = {layer.name for layer in model.layers if any(weight.ndim > 1 for weight in layer.get_weights())}
    return {name: values for name, values in norms.items() if name in kernels}


def layers_worth_seeing(model: Any) -> list[str]:
    """Names of at most eight layers spread over the depth: activations and poolings on maps, and the output."""
    kinds = ("Activation", "ReLU", "MaxPooling2D", "AveragePooling2D")
    maps = [layer.name for layer in model.layers if type(layer).__name__ in kinds and len(layer.output_shape) == 4]
    places = np.unique(np.linspace(0, len(maps) - 1, min(len(maps), _MOST_MAPS - 1)).round().astype(int))
    return [*(maps[place] for place in places.tolist()), model.layers[-1].name]


def _short_name(source: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.]+", "-", Path(source).name).strip("-.") or "data"


def _announce(dataset: Dataset, training: Part, model_name: str, model: Any) -> None:
    parts = [f"{len(training):,} to train"]
    parts += [
        f"{len(part):,} to {aim}" for part, aim in ((dataset.validation, "validate"), (dataset.test, "test")) if part
    ]
    height, width, channels = training.images.shape[1:]
    pictures = f"{height} x {width} x {channels}, {len(dataset.class_names)} classes"
    click.echo(f"data   {dataset.source}: {', '.join(parts)}; {pictures}")
    click.echo(f"model  {model_name}, {model.count_params():,} parameters; {st.get_num_threads()} threads, {st.isa()}")
