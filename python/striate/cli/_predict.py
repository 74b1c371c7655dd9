"""`striate predict`."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate.cli._assess import percent, softmax
from striate.cli._overlays import draw_boxes, paint_mask, read_picture, write_png
from striate.cli._results import Source, check_names, within, write_coco, write_csv, write_voc
from striate.cli._run import Run, printable, tell_skipped
from striate.cli._table import table

_TOGETHER = 64  # files in memory at a time
_DRAWN = 24  # pictures of --picture
_OF_BOXES = ("score", "coco", "voc")


@click.command(short_help="Predict classes, masks or boxes for pictures.")
@click.argument("run", type=click.Path())
@click.argument("images", nargs=-1, required=True, type=click.Path(), metavar="IMAGE|FOLDER...")
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of classes to print for each picture.",
)
@click.option(
    "--score",
    type=click.FloatRange(0, 1),
    help="Of boxes: the score from which on they are shown.  [default: the run's, or 0.3]",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON: a list with each file and its predictions.")
@click.option("--csv", type=click.Path(dir_okay=False), metavar="FILE", help="Write the predictions as a table.")
@click.option("--coco", type=click.Path(dir_okay=False), metavar="FILE", help="Write boxes as a COCO file.")
@click.option("--voc", type=click.Path(file_okay=False), metavar="FOLDER", help="Write boxes as XML, as Pascal VOC.")
@click.option(
    "--masks", type=click.Path(), help="Folder for the masks of a segmentation: PNG files of class numbers, full size."
)
@click.option(
    "--overlays",
    type=click.Path(file_okay=False),
    metavar="FOLDER",
    help="Folder for the pictures with their masks or boxes drawn over them, full size.",
)
@click.option(
    "--picture", type=click.Path(), help=f"Draw the first {_DRAWN} pictures with their predictions into this file."
)
@click.option("--skip-bad", is_flag=True, help="Skip unreadable pictures and list them.")
def predict(run: str, images: tuple[str, ...], top: int, as_json: bool, picture: str | None, **options: Any) -> None:
    """Predict for each IMAGE (PNG, JPEG, TIFF, DICOM, ...), or all pictures of a FOLDER: its class, the share of each
    class in its pixels, or objects with their boxes (x1, y1, x2, y2 in pixels of the file)."""
    opened = Run(run)
    task = opened.task.name
    given = {name: value for name, value in options.items() if value is not None}
    for name in _OF_BOXES:
        if name in given and task != "detect":
            raise click.UsageError(f"--{name} is for boxes, {run} is a run of the task {task}")
    if "masks" in given and task != "segment":
        raise click.UsageError(f"--masks is for segmentations, {run} is a run of the task {task}")
    if "overlays" in given and task == "classify":
        raise click.UsageError(f"--overlays is for masks and boxes, {run} is a run of the task {task}")
    paths = _paths(images)
    sources = [Source(path, name, (0, 0), 0) for path, name in paths]
    for name in ("voc", "masks", "overlays"):
        if name in given:
            check_names(sources, f"--{name}")
    score = float(given.get("score", opened.score))
    results = _KINDS[task](opened, top, score)
    _work(results, sources, given, picture is not None)
    click.echo(printable(json.dumps(results.answers, indent=2, ensure_ascii=False) if as_json else results.lines()))
    results.finish(given)
    for name in ("csv", "coco", "voc", "masks", "overlays"):
        if name in given:
            click.echo(f"{name}: {given[name]}", err=as_json)
    if picture is not None:
        results.draw(Path(picture))
        click.echo(f"picture: {picture}", err=as_json)


def _paths(images: tuple[str, ...]) -> list[tuple[str, str]]:
    """(file, name) of all pictures: of a folder, all in it and in the folders within it, in order."""
    from striate.data.listing import EXTENSIONS, find_images

    found: list[tuple[str, str]] = []
    for given in images:
        place = Path(given)
        if not place.is_dir():
            found.append((given, place.name))
            continue
        files = find_images(place, False).files
        if not files:
            raise ValueError(f"{place} holds no pictures ({', '.join(EXTENSIONS)})")
        found += [(path, Path(path).relative_to(place).as_posix()) for path in files]
    return found


def _work(results: Results, sources: list[Source], given: dict[str, Any], draws: bool) -> None:
    """Read, predict and write, some files at a time."""
    from striate.data import read_image

    run, skipped = results.run, []
    model = run.load_model()
    for first in range(0, len(sources), _TOGETHER):
        read: list[tuple[Source, NDArray[Any]]] = []
        for source in sources[first : first + _TOGETHER]:
            try:
                how: dict[str, Any] = {"color_mode": run.color_mode, "default_window": run.default_window}
                whole = read_image(source.path, frame=0, default_window=run.default_window or "minmax")
                small = read_image(source.path, size=run.image_size, **how)
            except (OSError, ValueError) as error:
                if not given.get("skip_bad"):
                    raise
                skipped.append((source.path, str(error)))
                continue
            channels = 1 if whole.shape[2] < 3 else 3
            read.append((source._replace(size=whole.shape[:2], channels=channels), small))
        if not read:
            continue
        kept = [source for source, _ in read]
        array = np.stack([small for _, small in read])
        results.add(model, kept, array, given)
        if draws:
            results.keep(array)
    tell_skipped(skipped)
    if not results.sources:
        raise OSError(f"none of {len(sources)} pictures could be read")


@dataclass
class Results:
    """What was predicted.

    Attributes:
        run: whose network predicts.
        top: number of classes to print for each picture.
        score: of boxes, the least that is shown.
        sources: the pictures.
        answers: of each, what JSON says of it.
        shown: some pictures at the network's size, for drawing.
    """

    run: Run
    top: int
    score: float
    sources: list[Source] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    shown: list[NDArray[Any]] = field(default_factory=list)

    def add(self, model: Any, sources: list[Source], array: NDArray[Any], given: dict[str, Any]) -> None:
        """Predict some more, and write what is written for each picture."""
        raise NotImplementedError

    def lines(self) -> str:
        """A table for the terminal."""
        raise NotImplementedError

    def finish(self, given: dict[str, Any]) -> None:
        """Write what is written for all pictures."""
        raise NotImplementedError

    def draw(self, path: Path) -> None:
        """Draw the pictures that are kept with their predictions."""
        raise NotImplementedError

    def keep(self, array: NDArray[Any]) -> None:
        """Keep pictures for drawing, up to `_DRAWN`."""
        self.shown += list(array[: _DRAWN - len(self.shown)])


class Classes(Results):
    """Of a classifier."""

    def add(self, model: Any, sources: list[Source], array: NDArray[Any], given: dict[str, Any]) -> None:
        names = self.run.class_names
        for source, row in zip(sources, softmax(np.asarray(model.predict(array), np.float64)), strict=True):
            best = int(row.argmax())
            probabilities = {name: float(value) for name, value in zip(names, row, strict=True)}
            answer = {"file": source.path, "class": names[best], "probability": float(row[best])}
            self.answers.append({**answer, "probabilities": probabilities})
            self.sources.append(source)

    def lines(self) -> str:
        rows = []
        for answer in self.answers:
            order = sorted(answer["probabilities"].items(), key=lambda item: -item[1])[: self.top]
            rows += [
                [answer["file"] if rank == 0 else "", name, percent(value)] for rank, (name, value) in enumerate(order)
            ]
        return table(rows, ["file", "class", "probability"])

    def finish(self, given: dict[str, Any]) -> None:
        if "csv" in given:
            names = self.run.class_names
            rows = [
                [one["file"], one["class"], one["probability"], *one["probabilities"].values()] for one in self.answers
            ]
            write_csv(Path(given["csv"]), ["file", "class", "probability", *(f"p({name})" for name in names)], rows)

    def draw(self, path: Path) -> None:
        from striate import viz

        names, answers = self.run.class_names, self.answers[: len(self.shown)]
        best = np.array([names.index(one["class"]) for one in answers])
        scores = np.array([one["probability"] for one in answers])
        seen = [read_picture(source.path, self.run.default_window) for source in self.sources[: len(answers)]]
        viz.plot_predictions(seen, None, best, names, scores, path=path)


class Masks(Results):
    """Of a segmentation."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._classes: list[NDArray[np.int64]] = []

    def add(self, model: Any, sources: list[Source], array: NDArray[Any], given: dict[str, Any]) -> None:
        from striate.data.mask import resize_mask

        if "masks" in given or "overlays" in given:
            require("PIL.Image", "data", "striate predict --masks")
        names = self.run.class_names
        for source, logits in zip(sources, np.asarray(model.predict(array)), strict=True):
            small = logits.argmax(axis=-1)
            shares = np.bincount(small.reshape(-1), minlength=len(names)) / small.size
            named = {name: float(value) for name, value in zip(names, shares, strict=True)}
            self.answers.append({"file": source.path, "shares": named})
            self.sources.append(source)
            if len(self._classes) < _DRAWN:
                self._classes.append(small)
            if "masks" not in given and "overlays" not in given:
                continue
            mask = resize_mask(small.astype(np.int32), source.size, False, False)
            if "masks" in given:
                values = mask.astype(np.uint8 if mask.max() < 256 else np.uint16)
                write_png(within(Path(given["masks"]), source, ".png"), values)
            if "overlays" in given:
                seen = read_picture(source.path, self.run.default_window)
                write_png(within(Path(given["overlays"]), source, ".png"), paint_mask(seen, mask))

    def lines(self) -> str:
        rows = [[one["file"], *map(percent, one["shares"].values())] for one in self.answers]
        return table(rows, ["file", *self.run.class_names])

    def finish(self, given: dict[str, Any]) -> None:
        if "csv" in given:
            rows = [[one["file"], *one["shares"].values()] for one in self.answers]
            write_csv(Path(given["csv"]), ["file", *self.run.class_names], rows)

    def draw(self, path: Path) -> None:
        from striate import viz

        classes = np.stack(self._classes)
        viz.plot_segmentation(
            np.stack(self.shown), None, classes, self.run.class_names, max_images=len(classes), path=path
        )


class Boxes(Results):
    """Of a detector."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._found: list[Any] = []

    def add(self, model: Any, sources: list[Source], array: NDArray[Any], given: dict[str, Any]) -> None:
        from striate.detection import detect

        names, found = self.run.class_names, detect(model, array, fuse=True, score_threshold=self.score)
        for source, one in zip(sources, found, strict=True):
            height, width = source.size
            scale = np.array([width, height] * 2) / np.array([*self.run.image_size[::-1]] * 2)
            objects = [
                {"class": names[label], "score": float(score), "box": [round(float(side), 1) for side in box * scale]}
                for box, label, score in zip(one.boxes, one.labels.tolist(), one.scores, strict=True)
            ]
            self.answers.append({"file": source.path, "objects": objects})
            self.sources.append(source)
            if len(self._found) < _DRAWN:
                self._found.append(one)
            if "overlays" in given:
                seen = read_picture(source.path, self.run.default_window)
                write_png(within(Path(given["overlays"]), source, ".png"), draw_boxes(seen, objects, names))

    def lines(self) -> str:
        rows = []
        for answer in self.answers:
            rows += [
                ["" if number else answer["file"], one["class"], percent(one["score"]), *(f"{s:g}" for s in one["box"])]
                for number, one in enumerate(answer["objects"])
            ] or [[answer["file"], "nothing", *[""] * 5]]
        return table(rows, ["file", "class", "score", "x1", "y1", "x2", "y2"])

    def finish(self, given: dict[str, Any]) -> None:
        objects = [one["objects"] for one in self.answers]
        if "csv" in given:
            rows = [
                [answer["file"], one["class"], one["score"], *one["box"]]
                for answer in self.answers
                for one in answer["objects"]
            ]
            write_csv(Path(given["csv"]), ["file", "class", "score", "x1", "y1", "x2", "y2"], rows)
        if "coco" in given:
            write_coco(Path(given["coco"]), self.sources, objects, self.run.class_names)
        if "voc" in given:
            write_voc(Path(given["voc"]), self.sources, objects)

    def draw(self, path: Path) -> None:
        from striate import viz

        seen = [read_picture(source.path, self.run.default_window) for source in self.sources[: len(self._found)]]
        height, width = self.run.image_size
        found = [
            one._replace(boxes=one.boxes * (np.array([*image.shape[1::-1]] * 2) / [width, height, width, height]))
            for one, image in zip(self._found, seen, strict=True)
        ]
        viz.plot_detections(seen, found, None, self.run.class_names, self.score, max_images=_DRAWN, path=path)


_KINDS = {"classify": Classes, "segment": Masks, "detect": Boxes}
