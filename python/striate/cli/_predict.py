"""`striate predict`."""

from __future__ import annotations

import json
from io import BytesIO
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from striate._files import write_file
from striate.cli._assess import percent, softmax
from striate.cli._run import Run, printable, tell_skipped
from striate.cli._table import table


@click.command(short_help="Say what a run's network sees in pictures.")
@click.argument("run", type=click.Path())
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE...")
@click.option(
    "--top", type=click.IntRange(min=1), default=1, show_default=True, help="Classes to name for each picture."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with the file and what is seen in it.")
@click.option("--picture", type=click.Path(), help="Also draw the pictures with what is seen into this file.")
@click.option(
    "--masks", type=click.Path(), help="Folder for the masks of a segmentation: PNG files of class numbers, full size."
)
@click.option("--skip-bad", is_flag=True, help="Pass over pictures that cannot be read, and list them.")
def predict(
    run: str,
    images: tuple[str, ...],
    top: int,
    as_json: bool,
    picture: str | None,
    masks: str | None,
    skip_bad: bool,
) -> None:
    """Say what RUN's network sees in each IMAGE (PNG, JPEG, TIFF, DICOM, ...): its class, the classes' shares of its
    pixels, or objects with their boxes (x1, y1, x2, y2 in pixels of the file)."""
    opened = Run(run)
    if masks is not None and opened.task.name != "segment":
        raise click.UsageError(f"--masks is for segmentations, {run} is a run of the task {opened.task.name}")
    files, array = _read(images, opened, skip_bad)
    model = opened.load_model()
    outputs = None if opened.task.name == "detect" else np.asarray(model.predict(array), dtype=np.float64)
    if outputs is None:
        answers, lines, draw = _detected(opened, files, array, model)
    else:
        show = _segmented if opened.task.name == "segment" else _classified
        answers, lines, draw = show(opened, files, array, outputs, top)
    click.echo(printable(json.dumps(answers, indent=2, ensure_ascii=False) if as_json else lines))
    if masks is not None and outputs is not None:
        written = _write_masks(Path(masks), files, outputs.argmax(axis=-1))
        click.echo(f"masks: {', '.join(written)}", err=as_json)
    if picture is not None:
        draw(Path(picture))
        click.echo(f"picture: {picture}", err=as_json)


def _read(images: tuple[str, ...], opened: Run, skip_bad: bool) -> tuple[list[str], NDArray[Any]]:
    """The files that could be read, and their pictures at the network's size."""
    from striate.data import read_image

    files, pictures, skipped = [], [], []
    for path in images:
        try:
            picture = read_image(
                path, color_mode=opened.color_mode, size=opened.image_size, default_window=opened.default_window
            )
            pictures.append(picture)
            files.append(path)
        except (OSError, ValueError) as error:
            if not skip_bad:
                raise
            skipped.append((path, str(error)))
    tell_skipped(skipped)
    if not files:
        raise OSError(f"none of {len(images)} pictures could be read")
    return files, np.stack(pictures)


def _classified(opened: Run, files: list[str], array: NDArray[Any], logits: NDArray[Any], top: int) -> Any:
    from striate import viz

    names = opened.class_names
    probabilities = softmax(logits)
    order = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    answers = [
        {
            "file": path,
            "class": names[best[0]],
            "probability": float(row[best[0]]),
            "probabilities": {name: float(value) for name, value in zip(names, row, strict=True)},
        }
        for path, best, row in zip(files, order.tolist(), probabilities, strict=True)
    ]
    rows = [
        [path if rank == 0 else "", names[number], percent(row[number])]
        for path, best, row in zip(files, order.tolist(), probabilities, strict=True)
        for rank, number in enumerate(best)
    ]

    def draw(path: Path) -> None:
        viz.plot_predictions(array, None, order[:, 0], names, probabilities, path=path)

    return answers, table(rows, ["file", "class", "probability"]), draw


def _segmented(opened: Run, files: list[str], array: NDArray[Any], logits: NDArray[Any], top: int) -> Any:
    from striate import viz

    names = opened.class_names
    classes = logits.argmax(axis=-1)
    shares = np.stack([np.bincount(one.reshape(-1), minlength=len(names)) / one.size for one in classes])
    answers = [
        {"file": path, "shares": {name: float(value) for name, value in zip(names, row, strict=True)}}
        for path, row in zip(files, shares, strict=True)
    ]
    rows = [[path, *map(percent, row)] for path, row in zip(files, shares.tolist(), strict=True)]

    def draw(path: Path) -> None:
        viz.plot_segmentation(array, None, classes, names, max_images=len(array), path=path)

    return answers, table(rows, ["file", *names]), draw


def _detected(opened: Run, files: list[str], array: NDArray[Any], model: Any) -> Any:
    from striate import viz
    from striate.cli._assess_boxes import SCORE
    from striate.data import read_image
    from striate.detection import detect

    names, found = opened.class_names, detect(model, array, score_threshold=SCORE)
    answers: list[dict[str, Any]] = []
    rows = []
    for path, one in zip(files, found, strict=True):
        height, width = read_image(path, frame=0, dtype="float32").shape[:2]
        scale = np.array([width, height] * 2) / np.array([*opened.image_size[::-1]] * 2)
        objects = [
            {"class": names[label], "score": float(score), "box": [round(float(side), 1) for side in box * scale]}
            for box, label, score in zip(one.boxes, one.labels.tolist(), one.scores, strict=True)
        ]
        answers.append({"file": path, "objects": objects})
        rows += [
            ["" if number else path, thing["class"], percent(thing["score"]), *(f"{side:g}" for side in thing["box"])]
            for number, thing in enumerate(objects)
        ] or [[path, "nothing", *[""] * 5]]

    def draw(path: Path) -> None:
        viz.plot_detections(array, found, None, names, SCORE, max_images=len(array), path=path)

    return answers, table(rows, ["file", "class", "score", "x1", "y1", "x2", "y2"]), draw


def _write_masks(folder: Path, files: list[str], classes: NDArray[np.int64]) -> list[str]:
    """A PNG file of class numbers for each picture, at the picture's own size; returns their paths.

    Raises:
        ValueError: two pictures have the same name.
    """
    from striate._extras import require
    from striate.data import read_image
    from striate.data.mask import resize_mask

    pillow = require("PIL.Image", "data", "striate predict --masks")
    paths = [folder / f"{Path(file).stem}.png" for file in files]
    if len(set(paths)) < len(paths):
        raise ValueError("--masks names a mask by its picture, and two pictures have the same name")
    folder.mkdir(parents=True, exist_ok=True)
    for file, path, one in zip(files, paths, classes, strict=True):
        height, width = read_image(file, frame=0, dtype="float32").shape[:2]
        mask = resize_mask(one.astype(np.int32), (height, width), False, False)
        content = BytesIO()
        pillow.fromarray(mask.astype(np.uint8 if mask.max() < 256 else np.uint16)).save(content, format="png")
        write_file(path, content.getvalue(), flush=False)  # flushing thousands of files would take minutes
    return [str(path) for path in paths]
