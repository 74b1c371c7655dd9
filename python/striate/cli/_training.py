"""What `striate train` does, step by step."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np

import striate as st
from striate._files import write_file
from striate._tables import read_table
from striate.cli._best import BestWeights
from striate.cli._dataset import Dataset, Part, Reading
from striate.cli._initial import Initial
from striate.cli._layout import check_layout
from striate.cli._live import LiveView
from striate.cli._options import IGNORED, ColorTable, parse_augment, read_colors
from striate.cli._run import (
    GRADIENTS,
    HISTORY,
    METRICS,
    MODEL,
    REPORT,
    SETTINGS,
    STATE,
    SUMMARY,
    UNFINISHED,
    prepare_folder,
    publish,
    tell_skipped,
    unfinished,
    write_info,
    write_json,
)
from striate.cli._settings import Settings, completed, plan_optimizer
from striate.cli._source import Source
from striate.cli._tasks import Assessment, class_weights, task_and_model
from striate.cli._window import AUTO
from striate.cli.report import render, report_of
from striate.cli.report._network import layers_worth_seeing, of_kernels
from striate.history import read_history
from striate.progress import Display, choose_display

_JUDGING_BATCH = 256
_THIS_CALL = ("data", "out", "overwrite", "verbose", "pictures", "report", "serve", "in_memory")


def resume_training(run: str, changed: dict[str, Any]) -> int:
    """Go on with a training that was stopped; returns the exit code.

    Args:
        run: the run folder.
        changed: options that do not change the result and may differ from those of the first call.

    Raises:
        FileNotFoundError, ValueError: there is nothing to go on with, or its settings are damaged.
    """
    folder, kept = unfinished(run)
    try:
        size = kept["image_size"]
        kept["image_size"] = None if size is None else (int(size[0]), int(size[1]))
        strides = kept.get("strides")
        kept["strides"] = None if strides is None else tuple(int(stride) for stride in strides)
        settings = Settings(**{**kept, "serve": None, **changed})
    except (TypeError, KeyError, ValueError, IndexError) as error:
        raise ValueError(f"{folder / SETTINGS} is damaged: {error}") from error
    return run_training(settings, folder)


def run_training(settings: Settings, begun_in: Path | None = None) -> int:
    """Read, train, judge, write; returns the exit code. `begun_in` is the folder of a training to go on with."""
    with contextlib.ExitStack() as ending:
        return _run(settings, begun_in, ending)


def _run(settings: Settings, begun_in: Path | None, ending: contextlib.ExitStack) -> int:
    begun = begun_in is not None and (begun_in / STATE).is_file()  # an epoch was finished
    begins_with = None if settings.init is None or begun else Initial(settings.init)
    if begins_with is not None and begun_in is None:
        settings = begins_with.completed(settings)
    source = None if settings.source is None else Source(settings.source, settings.pixels, settings.image_size)
    if source is not None and begun_in is None:
        settings = source.completed(settings)
    task, model_name = task_and_model(settings.task, settings.model, source is not None)
    colors = None if settings.mask_colors is None else read_colors(settings.mask_colors)
    ignored = IGNORED if colors is not None and colors.ignores else settings.ignore_class
    choices = settings.choices(ignored)
    task.check(model_name, choices)
    if not task.balances and settings.class_weight != "none":
        raise ValueError(f"--class-weight weighs pictures or pixels by their class; it is not for --task {task.name}")
    if settings.augment is not None:
        parse_augment(settings.augment, settings.seed)  # refused before the data are read
    if settings.threads is not None:
        st.set_num_threads(settings.threads)
    st.set_seed(settings.seed)
    if settings.data is not None:
        check_layout(settings.data, task.name)
    dataset = task.load(settings.data, _reading(settings, colors, ignored))
    if settings.window != AUTO and dataset.default_window is None:
        raise ValueError(f"--window is for grey pictures of more than 8 bits in files; {dataset.source} has none")
    tell_skipped(dataset.skipped)
    dataset.cut_validation(settings.validation_split, settings.seed)
    if settings.patience is not None and dataset.validation is None:
        raise ValueError(
            "--patience watches the validation loss: it needs val/ pictures, or a --validation-split above 0"
        )
    training = dataset.train
    if training is None:
        raise ValueError(f"{dataset.source} holds no pictures to train on")
    settings = completed(settings, task.name, len(training), dataset.source)
    augment = parse_augment(str(settings.augment), settings.seed)
    optimizer = plan_optimizer(settings, len(training))
    classes = len(dataset.class_names)
    if source is None:
        model = task.build(model_name, training, classes, choices, settings.seed)
    else:
        model = source.build(task.name, training, classes, choices, settings)
    begun_with = None if begins_with is None else begins_with.give(model)
    height, width, channels = (int(side) for side in training.images.shape[1:])
    shape = (height, width, channels)
    known: dict[str, Any] = {
        "task": task.name,
        "data": dataset.source,
        "model": model_name,
        "parameters": int(model.count_params()),
        "input_shape": list(shape),
        "pictures": {aim: len(part) for aim, part in dataset.parts},
        "notes": dataset.notes,
        "skipped": [{"file": file, "reason": reason} for file, reason in dataset.skipped],
    }
    page: dict[str, Any] = {"task": task.name, "class_names": dataset.class_names, "notes": dataset.notes}

    def so_far(live: dict[str, Any]) -> dict[str, Any]:
        history = whole_history(folder / HISTORY) if (folder / HISTORY).is_file() else {}
        return report_of(name=str(folder), settings=asdict(settings), figures=known, history=history, live=live, **page)

    view = None if settings.serve is None else LiveView(settings.serve, so_far, int(settings.epochs or 0))
    if view is not None:
        ending.callback(view.close)
    folder = begun_in or prepare_folder(settings.out, f"{_short_name(dataset.source)}-{model_name}", settings.overwrite)
    _announce(dataset, training, model_name, model)
    click.echo(f"train  {settings.epochs} epochs, batches of {settings.batch_size}, augmentation {settings.augment}")
    if begun_with is not None:
        click.echo(f"begin  {begun_with}")
    if view is not None:
        click.echo(f"live   {view.url}")

    model.compile(optimizer=optimizer, loss=task.loss(choices), metrics=task.watched(ignored))
    flow = st.callbacks.GradientFlow()
    clock = _Clock()
    watching: list[Any] = [flow, clock, st.callbacks.CSVLogger(folder / HISTORY, append=begun)]
    if settings.patience is not None:
        watching.append(st.callbacks.EarlyStopping(patience=settings.patience))
    best = BestWeights(f"val_{task.monitor}")
    watching.append(best)
    if view is not None:
        watching.append(view)
    watching.append(_Keeper(folder / STATE))  # last: it keeps what the others remember
    write_json(folder / SETTINGS, asdict(settings))
    done = 0
    if begun:
        st.load_training(model, folder / STATE)
        done = trim_history(folder / HISTORY, model)
        click.echo(f"going on after epoch {done} of {settings.epochs}")
    validation = dataset.validation
    stopped = False
    if view is not None:
        view.show(done)
    balance = class_weights(np.asarray(training.labels), ignored) if settings.class_weight == "balanced" else None
    try:
        model.fit(
            *training.data,
            batch_size=settings.batch_size,
            epochs=settings.epochs,
            initial_epoch=done,
            verbose=_verbose(settings.verbose),
            callbacks=watching,
            validation_data=None if validation is None else validation.data,
            class_weight=balance,
            augment=augment,
        )
    except KeyboardInterrupt:
        stopped = True
        click.echo("stopped by Ctrl-C: keeping what has been learned", err=True)

    best.restore()
    model.save(folder / MODEL)
    with contextlib.redirect_stdout(io.StringIO()) as text:
        model.summary()
    write_file(folder / SUMMARY, text.getvalue().encode())
    name, part = dataset.best_for_judging
    score = task.best_score(model, validation or training, dataset.class_names, _JUDGING_BATCH)
    result = task.assess(model, part, dataset.class_names, _JUDGING_BATCH, ignored, score)
    seconds = [float(value) for value in clock.seconds]
    figures = {
        **known,
        "part": name,
        **result.metrics,
        "epochs": done + len(seconds),
        "best_epoch": best.best_epoch + 1 if best.best_epoch >= 0 else None,
        "stopped_early": stopped,
        "seconds": float(sum(seconds)),
        "seconds_per_epoch": float(np.mean(seconds)) if seconds else None,
    }
    write_json(folder / METRICS, figures)
    write_json(folder / GRADIENTS, flow.norms)
    history = whole_history(folder / HISTORY)
    if settings.pictures:
        draw_pictures(folder, model, history, flow, result, dataset)
    html = b""
    if settings.report or view is not None:
        final = folder.parent if folder.name == UNFINISHED else folder
        content = report_of(
            name=str(final),
            settings=asdict(settings),
            figures=figures,
            history=history,
            model=model,
            result=result,
            norms=flow.norms,
            **page,
        )
        html = render(content).encode()
        if settings.report:
            write_file(folder / REPORT, html)
    kept = {key: value for key, value in asdict(settings).items() if key not in _THIS_CALL}
    kept["model"] = model_name
    if score is not None:
        kept["score"] = score
    kept["ignore_class"] = ignored
    kept["mask_colors"] = None if colors is None else [[list(color), value] for color, value in colors.values.items()]
    kept["mask_values"] = dataset.mask_values or settings.mask_values
    write_info(folder, task.name, model_name, dataset.class_names, shape, dataset.source, kept, dataset.default_window)
    folder = publish(folder)
    if not stopped:
        for file in (STATE, SETTINGS):
            (folder / file).unlink(missing_ok=True)

    if best.best_epoch >= 0 and validation is not None:
        click.echo(f"\nkept the weights of epoch {best.best_epoch + 1}, the best val_{task.monitor}")
    click.echo(f"\n{len(part):,} {name} pictures: {result.line()}\n")
    click.echo(result.table())
    if seconds:
        click.echo(f"\ntrained {len(seconds)} epochs in {sum(seconds):.1f} s, {np.mean(seconds):.2f} s each")
    click.echo(f"run folder: {folder}")
    if settings.report:
        click.echo(f"report: {folder / REPORT}")
    if view is not None:
        view.show_last(html)
    return 130 if stopped else 0


def _reading(settings: Settings, colors: ColorTable | None, ignored: int | None) -> Reading:
    """How the data are read."""
    return Reading(
        settings.image_size,
        settings.color_mode,
        settings.class_names if colors is None else colors.class_names,
        settings.skip_bad,
        ignored,
        settings.mask_values,
        settings.mask_suffix,
        None if colors is None else colors.values,
        settings.window,
        in_memory=settings.in_memory,
    )


def _verbose(given: str) -> str | int:
    """As `fit` takes it; a line for each epoch where nobody watches a bar."""
    if given != "auto":
        return int(given)
    return "auto" if choose_display("auto") is not Display.NOTHING else 2


class _Keeper(st.callbacks.Callback):
    """Writes the state of the training after each epoch, for `--resume`."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        model: Any = self.model
        st.save_training(model, self._path)


def trim_history(path: Path, model: Any) -> int:
    """Take off the rows of epochs that the state knows nothing of; returns how many epochs were done.

    Raises:
        ValueError: the table lacks epochs.
    """
    done = int(model._compiled("train").epochs)
    table = read_table(str(path), ",")
    if len(table.rows) < done:
        raise ValueError(f"{path} has {len(table.rows)} epochs, and the state of the training {done}")
    if len(table.rows) > done or table.rest:
        lines = [table.columns, *(row for _, row in table.rows[:done])]
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator=table.line_end).writerows(lines)
        write_file(path, table.mark + text.getvalue().encode())
    return done


def whole_history(path: Path) -> dict[str, list[float]]:
    """The values of all epochs, also of those before the training was stopped."""
    return read_history(path).history if read_table(str(path), ",").rows else {}


class _Clock(st.callbacks.Callback):
    """Keeps the seconds of each epoch, also of a training that is interrupted."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: list[float] = []
        self._began = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self._began = perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(perf_counter() - self._began)


def draw_pictures(
    folder: Path, model: Any, history: dict[str, list[float]], flow: Any, result: Assessment, dataset: Dataset
) -> None:
    """Every picture of the run folder."""
    from striate import viz

    if history:
        viz.plot_history(history, path=folder / "curves.png")
        viz.plot_gradient_flow(of_kernels(flow.norms, model), path=folder / "gradient_flow.png")
    result.draw(folder, dataset.default_window)
    image = result.images[:1]
    viz.plot_feature_maps(
        model.feature_maps(image, layers=layers_worth_seeing(model)),
        image=image,
        path=folder / "feature_maps.png",
        title=result.title(),
        class_names=dataset.class_names,
    )


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
    for note in dataset.notes:
        click.echo(f"       {note}")
    click.echo(f"model  {model_name}, {model.count_params():,} parameters; {st.get_num_threads()} threads, {st.isa()}")
