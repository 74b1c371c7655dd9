"""`striate train`: its options. What they set going is in `_training`."""

from __future__ import annotations

import shlex
from typing import Any

import click

from striate._extras import require
from striate.cli._later import IN_MEMORY
from striate.cli._options import LEARNING_RATES, SCHEDULES, image_size, stride_list
from striate.cli._source import PIXELS
from striate.cli._tasks import TASKS
from striate.cli._window import AUTO, window_option
from striate.cli.report import require_report
from striate.distributed import among_others

_MAY_CHANGE = ("threads", "in_memory", "pictures", "report", "serve", "verbose")  # of a training that is resumed
_CHANGES = (
    "flip, flip_vertical, rotation=10 (degrees), shift=0.1 and zoom=0.1 (shares), crop=2 (pixels), brightness=0.1, "
    "contrast=0.1, noise=0.02"
)


@click.command(short_help="Train a network and write a run folder.", context_settings={"show_default": True})
@click.argument("data", required=False, type=click.Path())
@click.option("--task", type=click.Choice(list(TASKS)), default="classify", help="The task.")
@click.option(
    "--model",
    type=click.Choice([model for task in TASKS.values() for model in task.models]),
    help=f"The network.  [default: {', '.join(f'{task.models[0]} to {task.name}' for task in TASKS.values())}]",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    help="Number of passes over the data.  [default: 15, of few pictures up to 60]",
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    help="Pictures in each training step.  [default: 8; to classify many pictures up to 32]",
)
@click.option("--optimizer", type=click.Choice(list(LEARNING_RATES)), default="adam", help="The optimizer.")
@click.option("--learning-rate", type=float, help="Learning rate.  [default: depends on the optimizer]")
@click.option("--momentum", type=click.FloatRange(0, 1, max_open=True), default=0.9, help="Momentum of sgd.")
@click.option("--weight-decay", type=click.FloatRange(min=0), default=0.0, help="Weight decay.")
@click.option("--schedule", type=click.Choice(SCHEDULES), default="cosine", help="Schedule of the learning rate.")
@click.option(
    "--warmup", type=click.FloatRange(min=0), default=0.0, help="Epochs in which the learning rate rises first."
)
@click.option(
    "--dropout", type=click.FloatRange(0, 1, max_open=True), help="Dropout rate.  [default: depends on the network]"
)
@click.option("--base", type=click.IntRange(min=1), help="Filters at full size, of unet and detector.  [default: 16]")
@click.option(
    "--strides",
    type=stride_list,
    metavar="S,S,...",
    help="Of detector: pixels between two places that predict a box, for each map; 8 alone for small objects.  "
    "[default: 8,16]",
)
@click.option(
    "--box-loss", type=click.Choice(["giou", "ciou"]), help="Of detector: the loss of boxes.  [default: giou]"
)
@click.option(
    "--augment",
    metavar="CHANGES",
    help=f"Random changes of each picture, separated by commas: {_CHANGES}; or none.  [default: flip to detect in "
    "pictures of a folder, else none]",
)
@click.option(
    "--class-weight",
    type=click.Choice(["none", "balanced"]),
    default="none",
    help="balanced: larger weights for rare classes.",
)
@click.option(
    "--image-size",
    type=image_size,
    metavar="H[xW]",
    help="Size of the input in pixels.  [default: the size of the pictures if all have one, at most 128 to "
    "classify and 256 otherwise; else 64 to classify, 128 to segment, 256 to detect]",
)
@click.option(
    "--color-mode",
    type=click.Choice(["auto", "grayscale", "rgb"]),
    default="auto",
    help="Colour mode of the pictures of a folder.",
)
@click.option(
    "--window",
    type=window_option,
    default=AUTO,
    metavar="auto|minmax|full|LOW,HIGH",
    help="Grey values of pictures of more than 8 bits that become black and white. auto: the range that the training "
    "part uses; minmax: each picture's own; full: the range of the type. DICOM files keep their own window.",
)
@click.option(
    "--class-names",
    metavar="NAMES",
    help="Names of the classes in masks, separated by commas; any other class is an error.",
)
@click.option(
    "--mask-values",
    type=click.Choice(["auto", "classes", "nonzero", "threshold"]),
    default="auto",
    help="classes: values are classes; nonzero: all but 0 is class 1, such as numbered objects; threshold: 128 and up "
    "is class 1; auto: nonzero for masks that number objects, else classes, and 255 is class 1 beside 0 alone.",
)
@click.option(
    "--mask-suffix",
    default="",
    metavar="TEXT",
    help="What follows in a mask's name after its picture's, such as _mask; masks and pictures may then be in one "
    "folder.",
)
@click.option(
    "--mask-colors",
    type=click.Path(exists=True, dir_okay=False),
    metavar="FILE",
    help="Table of the classes of masks in colour: lines of name,red,green,blue; ignore is the name of unmarked "
    "pixels.",
)
@click.option("--ignore-class", type=int, help="Value of unmarked pixels in masks, such as 255.")
@click.option("--skip-bad", is_flag=True, help="Skip unreadable files and list them; otherwise the first is an error.")
@click.option(
    "--in-memory",
    type=click.Choice(IN_MEMORY),
    default="auto",
    help="Keep all pictures in memory. no: decode those of each step when it needs them, with the same result; auto: "
    "where they take more than a quarter of the memory.",
)
@click.option(
    "--validation-split", type=float, default=0.1, help="Share of the training pictures for validation; 0 for none."
)
@click.option(
    "--patience", type=click.IntRange(min=1), help="Stop after this number of epochs without a lower validation loss."
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, help="Seed of the weights, the order, dropout and augmentation."
)
@click.option(
    "--threads", type=click.IntRange(min=1), help="Number of threads.  [default: all that the process may use]"
)
@click.option("--out", type=click.Path(), help="Run folder.  [default: the next runs/DATA-MODEL-NUMBER]")
@click.option("--overwrite", is_flag=True, help="Replace a run in the folder.")
@click.option(
    "--resume",
    type=click.Path(),
    metavar="RUN",
    help="Continue the stopped training of a run folder, with its options; only --threads, --pictures, --report, "
    "--serve and --verbose may be given too.",
)
@click.option(
    "--init",
    type=click.Path(exists=True),
    metavar="RUN|FILE",
    help="Begin with the weights of a run or a model file; layers that do not fit, such as the last one for other "
    "classes, begin anew. Of a run, the network, image size and colour mode are taken too, where none is given.",
)
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True),
    metavar="RUN|FILE",
    help="Fine-tune the network of an .onnx file, a model file or a run, in place of --model: its last layer is "
    "replaced by one for the classes of DATA. It gives the image size and colour mode, where none are given.",
)
@click.option(
    "--thaw",
    type=click.FloatRange(0, 1),
    default=0.3,
    help="Of --from: share of the layers with weights that are trained with the new head, counted from the end.",
)
@click.option(
    "--pixels",
    type=click.Choice(PIXELS),
    default="auto",
    help="Of --from: what the network expects of its pixels. unit: 0 to 1; symmetric: -1 to 1; imagenet: normalised as "
    "torchvision does; bytes: 0 to 255; auto: unit for .onnx files, bytes for others.",
)
@click.option("--pictures/--no-pictures", default=True, help="Draw the pictures (needs matplotlib).")
@click.option("--report/--no-report", default=True, help="Write report.html, a page that shows the whole run.")
@click.option(
    "--serve",
    type=click.IntRange(0, 65535),
    is_flag=False,
    flag_value=8000,
    metavar="[PORT]",
    help="While training, show the report on http://127.0.0.1:PORT, renewed after each epoch; 0 takes a free port, no "
    "PORT 8000.",
)
@click.option(
    "--verbose",
    type=click.Choice(["auto", "0", "1", "2"]),
    default="auto",
    help="Progress: 0 none, 1 a bar, 2 one line for each epoch; auto: a bar in a terminal, else lines.",
)
def train(**options: Any) -> int:
    """Train a network on DATA; write a run folder with the model, its metrics and pictures.

    DATA to classify: a folder of IDX files (MNIST, Fashion-MNIST), or one with a folder of pictures for each class.
    To segment: a folder with images/ and masks/, with files of the same names. To detect: a folder with JPEGImages/
    and Annotations/, as in Pascal VOC, or a COCO file beside its pictures or their folder images/. All of them may be
    below train/, val/ and test/. Without DATA: the bundled handwritten digits, or scenes generated from them.

    The weights of the epoch with the best validation metric are kept: accuracy, Dice, or mean average precision.
    """
    if among_others():
        raise click.UsageError(
            "an MPI launcher started several processes, and the command line trains in one alone; a script of Python's "
            "trains one model in all of them with striate.distributed.init()"
        )
    run = options.pop("resume")
    if run is not None:
        return _resume(run, options)
    names = options["class_names"]
    if names is not None:
        options["class_names"] = [name.strip() for name in names.split(",")]
    of_masks = {
        "class_names": None,
        "ignore_class": None,
        "mask_colors": None,
        "mask_values": "auto",
        "mask_suffix": "",
    }
    changed = [f"--{key.replace('_', '-')}" for key, usual in of_masks.items() if options[key] != usual]
    if options["task"] != "segment" and changed:
        raise click.UsageError(f"{changed[0]} goes with --task segment")
    if options["mask_colors"] is not None and (
        options["class_names"] is not None or options["ignore_class"] is not None or options["mask_values"] != "auto"
    ):
        raise click.UsageError("--mask-colors names the classes: give no --class-names, --ignore-class, --mask-values")
    if options["source"] is None and (options["thaw"] != 0.3 or options["pixels"] != "auto"):
        raise click.UsageError(f"--{'thaw' if options['thaw'] != 0.3 else 'pixels'} goes with --from")
    if options["source"] is not None and (options["model"] is not None or options["init"] is not None):
        raise click.UsageError(f"--from is the network: give no --{'init' if options['model'] is None else 'model'}")
    if options["pictures"]:
        require("matplotlib.figure", "plot", "striate train (or give --no-pictures)")
    if options["report"] or options["serve"] is not None:
        require_report()
    from striate.cli._settings import Settings
    from striate.cli._training import run_training

    return run_training(Settings(**options, command=_command()))


def _command() -> str:
    """The command that trains the same network again: the options that were given, without those of this call alone."""
    context = click.get_current_context()
    words = ["striate", "train"]
    for option in context.command.params:
        name, value = str(option.name), context.params.get(str(option.name))
        given = context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
        if not given or name in (*_MAY_CHANGE, "out", "overwrite"):
            continue
        if isinstance(option, click.Argument):
            words.insert(2, str(value))
        elif isinstance(option, click.Option) and option.is_flag:
            words.append(option.opts[0] if value else option.secondary_opts[0])
        elif isinstance(value, (tuple, list)):
            words += [option.opts[0], ("x" if name == "image_size" else ",").join(map(str, value))]
        else:
            words += [option.opts[0], str(value)]
    return shlex.join(words)


def _resume(run: str, options: dict[str, Any]) -> int:
    """Go on with a training; options that change its result are those of its first call."""
    context = click.get_current_context()
    given = [name for name in options if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE]
    changed = {name: options[name] for name in given if name in _MAY_CHANGE}
    for name in given:
        if name not in changed:
            what = "DATA" if name == "data" else f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{what} cannot be given with --resume: the run keeps the options it began with")
    if changed.get("pictures", True):
        require("matplotlib.figure", "plot", "striate train (or give --no-pictures)")
    if changed.get("report", True) or changed.get("serve") is not None:
        require_report()
    from striate.cli._training import resume_training

    return resume_training(run, changed)
