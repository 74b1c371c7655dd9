"""`striate train`: its options. What they set going is in `_training`."""

from __future__ import annotations

from typing import Any

import click

from striate._extras import require
from striate.cli._options import LEARNING_RATES, SCHEDULES, image_size
from striate.cli._tasks import TASKS

_CHANGES = (
    "flip, flip_vertical, rotation=10 (degrees), shift=0.1 and zoom=0.1 (shares), crop=2 (pixels), brightness=0.1, "
    "contrast=0.1, noise=0.02"
)


@click.command(short_help="Train a network and leave a run folder.", context_settings={"show_default": True})
@click.argument("data", required=False, type=click.Path())
@click.option("--task", type=click.Choice(list(TASKS)), default="classify", help="What to learn.")
@click.option(
    "--model",
    type=click.Choice([model for task in TASKS.values() for model in task.models]),
    help=f"Which network.  [default: {', '.join(f'{task.models[0]} to {task.name}' for task in TASKS.values())}]",
)
@click.option("--epochs", type=click.IntRange(min=1), default=15, help="Times through the data.")
@click.option("--batch-size", type=click.IntRange(min=1), default=32, help="Pictures in a step.")
@click.option("--optimizer", type=click.Choice(list(LEARNING_RATES)), default="adam", help="How to descend.")
@click.option("--learning-rate", type=float, help="Step size.  [default: one that suits the optimizer]")
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9, help="Of sgd.")
@click.option("--weight-decay", type=click.FloatRange(min=0), default=0.0, help="Pull of the weights towards 0.")
@click.option("--schedule", type=click.Choice(SCHEDULES), default="cosine", help="How the step size falls.")
@click.option("--warmup", type=click.FloatRange(min=0), default=0.0, help="Epochs in which it rises first.")
@click.option(
    "--dropout", type=click.FloatRange(0, 1, max_open=True), help="Share dropped.  [default: the network's own]"
)
@click.option(
    "--augment",
    default="none",
    metavar="CHANGES",
    help=f"Random changes of each picture, joined by commas: {_CHANGES}.",
)
@click.option(
    "--class-weight", type=click.Choice(["none", "balanced"]), default="none", help="Weigh rare classes more."
)
@click.option(
    "--image-size",
    type=image_size,
    metavar="H[xW]",
    help="Pixels.  [default: the pictures' own if all alike and at most 128, else 64]",
)
@click.option(
    "--color-mode", type=click.Choice(["auto", "grayscale", "rgb"]), default="auto", help="Of a folder's pictures."
)
@click.option("--class-names", metavar="NAMES", help="Of masks' classes, joined by commas; a class beyond is an error.")
@click.option(
    "--mask-values",
    type=click.Choice(["auto", "nonzero", "threshold"]),
    default="auto",
    help="auto: classes, or 0 and 255; nonzero: all but 0 is class 1, such as numbered objects; threshold: 128 and up.",
)
@click.option("--ignore-class", type=int, help="Value of masks that stands for unmarked pixels, such as 255.")
@click.option("--skip-bad", is_flag=True, help="Pass over what cannot be used, and list it; otherwise it is an error.")
@click.option(
    "--validation-split", type=float, default=0.1, help="Share of the training pictures to validate with; 0 for none."
)
@click.option(
    "--patience", type=click.IntRange(min=1), help="Stop after so many epochs without a better validation loss."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of weights, order, dropout and random changes.")
@click.option("--threads", type=click.IntRange(min=1), help="Threads.  [default: all that the process may use]")
@click.option("--out", type=click.Path(), help="Run folder.  [default: the next runs/DATA-MODEL-NUMBER]")
@click.option("--overwrite", is_flag=True, help="Replace the run that the folder holds.")
@click.option("--pictures/--no-pictures", default=True, help="Draw the pictures (needs matplotlib).")
@click.option("--verbose", type=click.Choice(["auto", "0", "1", "2"]), default="auto", help="Progress, as in fit.")
def train(**options: Any) -> int:
    """Train a network on DATA; leave a run folder with the model, its figures and pictures.

    DATA is a folder of IDX files (MNIST, Fashion-MNIST), or one with a folder of pictures for each class, possibly
    below train/, val/ and test/. To segment: one with images/ and masks/ that hold files of the same names, possibly
    below train/, val/ and test/. To detect: one with JPEGImages/ and Annotations/, as in Pascal VOC, or a COCO file
    beside its pictures (or their folder images/), or a folder with such files, possibly below train/, val/ and test/.
    Without DATA: the bundled handwritten digits, or made scenes of them.
    """
    names = options["class_names"]
    if names is not None:
        options["class_names"] = [name.strip() for name in names.split(",")]
    only_masks = [f"--{key.replace('_', '-')}" for key in ("class_names", "ignore_class") if options[key] is not None]
    if options["task"] != "segment" and (options["mask_values"] != "auto" or only_masks):
        raise click.UsageError(f"{(only_masks or ['--mask-values'])[0]} goes with --task segment")
    if options["pictures"]:
        require("matplotlib.figure", "plot", "striate train (or give --no-pictures)")
    from striate.cli._training import Settings, run_training

    return run_training(Settings(**options))
