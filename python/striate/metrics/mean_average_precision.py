"""Average precision of detections, by COCO's rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from striate._arrays import DoubleArray, array_of
from striate.detection.boxes import area, as_boxes
from striate.metrics._matching import Floats, Found, Ints, Objects, Pairs, find_pairs, match
from striate.metrics.base import Metric

# COCO's: areas in pixels, both ends included.
SIZES = {"all": (0.0, 1e10), "small": (0.0, 32.0**2), "medium": (32.0**2, 96.0**2), "large": (96.0**2, 1e10)}
_RECALLS = np.linspace(0.0, 1.0, 101)
_OWNER = "MeanAveragePrecision"


class _Image(NamedTuple):
    boxes: Floats
    labels: Ints
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    areas: Floats
    found: Floats
    found_labels: Ints
    scores: Floats


class MeanAveragePrecision(Metric):
    """The mean over classes and overlaps of the average precision: COCO's measure of detectors (Lin et al., ECCV 2014).

    For each class and overlap, detections of all images are sorted by score; precision at each recall of 0, 0.01, ...,
    1 is the best reached at that recall or above, and the average of those 101 the average precision. A detection is
    right where it overlaps an object of its class by the threshold or more that no better one has taken. Crowds and
    ignored objects need not be found, and finding them is neither right nor wrong.

    Classes that no counting object is of are left out of means; where there is none at all, the value is NaN.

    Labels are a list with one `(boxes (M, 4), labels (M,))` for each image, predictions a list with one `(boxes (K, 4),
    labels (K,), scores (K,))`, such as `striate.detection.Detections`; boxes are x1, y1, x2, y2 in pixels, those of
    images without any (0, 4).

    Args:
        iou_thresholds: overlaps that are enough, averaged over; a number or several, above 0 up to 1. None: 0.5, 0.55,
            ..., 0.95.
        max_detections: how many of an image and class count at most, the best.
        average: "macro" for the mean over classes, None for an array of all (NaN where a class has no object).
        num_classes: number of classes; None: the highest label seen, plus one.
        name: key in the logs.
        size: "all", or objects and missed detections "small" (up to 32² pixels), "medium" or "large" (from 96²) alone.

    Raises:
        ValueError: an argument is out of its range.
    """

    default_name = "mean_average_precision"

    def __init__(
        self,
        iou_thresholds: float | Sequence[float] | None = None,
        max_detections: int = 100,
        *,
        average: str | None = "macro",
        num_classes: int | None = None,
        name: str | None = None,
        size: str = "all",
    ) -> None:
        super().__init__(name)
        given = np.linspace(0.5, 0.95, 10) if iou_thresholds is None else np.atleast_1d(np.asarray(iou_thresholds))
        self.iou_thresholds: Floats = given.astype(np.float64)
        if given.ndim != 1 or not given.size or not ((self.iou_thresholds > 0) & (self.iou_thresholds <= 1)).all():
            raise ValueError(f"{_OWNER}: iou_thresholds must be above 0 up to 1, got {iou_thresholds!r}")
        if max_detections < 1:
            raise ValueError(f"{_OWNER}: max_detections must be at least 1, got {max_detections}")
        if average not in ("macro", None):
            raise ValueError(f"{_OWNER}: average must be 'macro' or None, got {average!r}")
        if num_classes is not None and num_classes < 1:
            raise ValueError(f"{_OWNER}: num_classes must be at least 1, got {num_classes}")
        if size not in SIZES:
            raise ValueError(f"{_OWNER}: size must be one of {', '.join(SIZES)}, got {size!r}")
        self.max_detections, self.average, self.num_classes, self.size = max_detections, average, num_classes, size
        self.reset_state()

    def reset_state(self) -> None:
        self._images: list[_Image] = []
        self._curves: dict[str, Floats] = {}
        self._gathered: _Gathered | None = None

    def merge_state(self, metrics: Iterable[Any]) -> None:
        for other in metrics:
            self._images += other._images
        self._curves, self._gathered = {}, None

    def update_state(
        self,
        y_true: Any,
        y_pred: Any,
        sample_weight: npt.ArrayLike | None = None,
        *,
        crowds: Sequence[npt.ArrayLike] | None = None,
        ignored: Sequence[npt.ArrayLike] | None = None,
        areas: Sequence[npt.ArrayLike] | None = None,
    ) -> None:
        """Add images.

        Args:
            y_true: a list with one (boxes, labels) for each image.
            y_pred: a list with one (boxes, labels, scores) for each image.
            sample_weight: must be None.
            crowds: one (M,) for each image: which boxes represent a crowd. A detection within one overlaps it wholly.
            ignored: one (M,) for each image: which boxes need not be found.
            areas: one (M,) for each image: areas in pixels by which sizes are told apart; None: the boxes'.

        Raises:
            ValueError: the lists or arrays differ in length, a box or a score is NaN, or a label is out of range.
        """
        if sample_weight is not None:
            raise ValueError(f"{_OWNER} '{self.name}' takes no sample weights")
        count = len(y_true)
        for what, given in (("y_pred", y_pred), ("crowds", crowds), ("ignored", ignored), ("areas", areas)):
            if given is not None and len(given) != count:
                raise ValueError(f"{_OWNER} expects as many {what} as images, {count}, got {len(given)}")
        added = [
            self._image(
                y_true[place],
                y_pred[place],
                None if crowds is None else crowds[place],
                None if ignored is None else ignored[place],
                None if areas is None else areas[place],
                len(self._images) + place,
            )
            for place in range(count)
        ]
        self._images += added
        self._curves, self._gathered = {}, None

    def _image(self, target: Any, found: Any, crowd: Any, ignored: Any, areas: Any, place: int) -> _Image:
        where = f"{_OWNER}: image {place}"
        if len(target) != 2 or len(found) != 3:
            raise ValueError(
                f"{where}: expected (boxes, labels) and (boxes, labels, scores), got {len(target)} and {len(found)} "
                "arrays"
            )
        boxes, made = as_boxes(target[0], f"{where}: y_true"), as_boxes(found[0], f"{where}: y_pred")
        scores = _column(found[2], len(made), f"{where}: scores", np.float64)
        if np.isnan(boxes).any() or np.isnan(made).any() or np.isnan(scores).any():
            raise ValueError(f"{where}: a box or a score is NaN")
        none = np.zeros(len(boxes), np.bool_)
        marks = none if crowd is None else _column(crowd, len(boxes), f"{where}: crowds", np.bool_)
        void = none if ignored is None else _column(ignored, len(boxes), f"{where}: ignored", np.bool_)
        sizes = area(boxes) if areas is None else _column(areas, len(boxes), f"{where}: areas", np.float64)
        return _Image(
            boxes,
            self._labels(target[1], len(boxes), f"{where}: y_true"),
            marks,
            void | marks,
            sizes,
            made,
            self._labels(found[1], len(made), f"{where}: y_pred"),
            scores,
        )

    def _labels(self, labels: Any, count: int, where: str) -> Ints:
        given = array_of(labels, f"{where} labels")
        whole = _column(given, count, f"{where} labels", np.int64)
        if count and ((whole != given.reshape(-1)).any() or whole.min() < 0):
            raise ValueError(f"{where} labels must be whole numbers from 0 on, got {given.reshape(-1).tolist()}")
        if count and self.num_classes is not None and whole.max() >= self.num_classes:
            raise ValueError(f"{where} holds the label {whole.max()}, expected 0 to {self.num_classes - 1}")
        return whole

    def result(self) -> float | DoubleArray:
        """The value over all images: a float, or (classes,) with `average=None`."""
        each = self.per_class()
        return each if self.average is None else _mean(each)

    def per_class(self, iou: float | None = None, size: str | None = None) -> DoubleArray:
        """The average precision of every class, (classes,); NaN for a class without objects.

        Args:
            iou: one of the thresholds; None: the mean over all.
            size: as in the metric; None: its own.
        """
        precision = self._precision(self.size if size is None else size)
        if iou is not None:
            precision = precision[:, [self._threshold(iou)]]
        each: DoubleArray = precision.mean(axis=(1, 2)) if precision.size else np.zeros(0)
        return each

    def summary(self) -> dict[str, float]:
        """A dict of the results as COCO names them, each within 0 .. 1: `AP`, the mean over all IoU thresholds; `AP50`
        and `AP75`, if 0.5 and 0.75 are among them; `AP_small`, `AP_medium` and `AP_large`, by the objects' areas.
        """
        found = {"AP": _mean(self.per_class(size="all"))}
        for iou in (0.5, 0.75):
            if np.isclose(self.iou_thresholds, iou).any():
                found[f"AP{round(100 * iou)}"] = _mean(self.per_class(iou, "all"))
        return found | {f"AP_{size}": _mean(self.per_class(size=size)) for size in ("small", "medium", "large")}

    def curves(self, iou: float = 0.5, size: str | None = None) -> tuple[DoubleArray, DoubleArray]:
        """Recall (101,) and the best precision at that recall or above (classes, 101), for `viz.plot_precision_recall`.

        Args:
            iou: one of the thresholds.
            size: as in the metric; None: its own.
        """
        precision = self._precision(self.size if size is None else size)
        return _RECALLS.copy(), precision[:, self._threshold(iou)].copy()

    def _threshold(self, iou: float) -> int:
        near = np.flatnonzero(np.isclose(self.iou_thresholds, iou))
        if not near.size:
            raise ValueError(f"{_OWNER}: {iou} is not among the thresholds {self.iou_thresholds.tolist()}")
        return int(near[0])

    def _precision(self, size: str) -> Floats:
        """(classes, thresholds, 101); NaN for a class without objects."""
        if size not in SIZES:
            raise ValueError(f"{_OWNER}: size must be one of {', '.join(SIZES)}, got {size!r}")
        if size not in self._curves:
            if self._gathered is None:
                self._gathered = _gather(self._images, self.max_detections, float(self.iou_thresholds.min()))
            classes = self.num_classes or self._gathered.classes
            self._curves[size] = _evaluate(self._gathered, classes, self.iou_thresholds, SIZES[size])
        return self._curves[size]


class _Gathered(NamedTuple):
    """Everything of all images; objects and detections sorted by image, class and score."""

    classes: int
    objects: Objects
    object_label: Ints
    ignored: NDArray[np.bool_]
    object_area: Floats
    label: Ints  # of detections
    rank: Ints
    area: Floats
    by_class: Ints  # detections, the best of each class first
    pairs: Pairs


def _gather(images: Sequence[_Image], most: int, least: float) -> _Gathered:
    columns = [np.concatenate(arrays) for arrays in zip(*images, strict=True)] if images else _nothing()
    boxes, labels, crowd, ignored, areas, found, found_labels, scores = columns
    classes = 1 + max(int(labels.max(initial=-1)), int(found_labels.max(initial=-1)))
    image = np.repeat(np.arange(len(images)), [len(one.labels) for one in images])
    order = np.lexsort((labels, image))
    objects = Objects(boxes[order], (image * classes + labels)[order], crowd[order])
    object_label, ignored, areas = labels[order], ignored[order], areas[order]

    image = np.repeat(np.arange(len(images)), [len(one.scores) for one in images])
    group = image * classes + found_labels
    order = np.lexsort((-scores, group))
    group = group[order]
    rank = np.arange(len(group)) - np.searchsorted(group, group, "left")
    order, group, rank = order[rank < most], group[rank < most], rank[rank < most]
    detections = Found(found[order], group)
    label = found_labels[order]
    by_class = np.lexsort((-scores[order], label))
    pairs = find_pairs(detections, objects, min(least, 1.0 - 1e-10))
    return _Gathered(
        classes, objects, object_label, ignored, areas, label, rank, area(detections.boxes), by_class, pairs
    )


def _evaluate(everything: _Gathered, classes: int, thresholds: Floats, sizes: tuple[float, float]) -> Floats:
    low, high = sizes
    ignored = everything.ignored | (everything.object_area < low) | (everything.object_area > high)
    hit, void = match(
        everything.pairs,
        everything.rank,
        everything.objects.crowd,
        ignored,
        np.minimum(thresholds, 1.0 - 1e-10),  # as COCO's: rounding must not cost a perfect overlap
        len(everything.rank),
    )
    # What finds nothing and is of another size is no mistake.
    void |= ~hit & ((everything.area < low) | (everything.area > high))[:, None]
    right, wrong = (hit & ~void)[everything.by_class], (~hit & ~void)[everything.by_class]
    label = everything.label[everything.by_class]
    wanted = np.bincount(everything.object_label[~ignored], minlength=classes)
    out = np.full((classes, len(thresholds), len(_RECALLS)), np.nan)
    for number in np.flatnonzero(wanted).tolist():
        start, stop = np.searchsorted(label, [number, number + 1])
        tp = np.cumsum(right[start:stop].T, axis=1, dtype=np.float64)
        fp = np.cumsum(wrong[start:stop].T, axis=1, dtype=np.float64)
        precision = tp / (tp + fp + np.spacing(1.0))
        best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
        padded = np.concatenate([best, np.zeros((len(thresholds), 1))], axis=1)
        recall = tp / wanted[number]
        for row in range(len(thresholds)):
            out[number, row] = padded[row, np.searchsorted(recall[row], _RECALLS, "left")]
    return out


def _nothing() -> list[Any]:
    whole, real, marks = np.zeros(0, np.int64), np.zeros(0), np.zeros(0, np.bool_)
    return [np.zeros((0, 4)), whole, marks, marks, real, np.zeros((0, 4)), whole, real]


def _mean(values: DoubleArray) -> float:
    there = values[~np.isnan(values)]
    return float(there.mean()) if there.size else float("nan")


def _column(values: Any, count: int, what: str, dtype: Any) -> NDArray[Any]:
    array = array_of(values, what)
    if array.size == 0 and count == 0:
        return np.zeros(0, dtype)
    if array.shape != (count,):
        raise ValueError(f"{what} must be of shape ({count},), one for each box, got {array.shape}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{what} must hold numbers, got dtype {array.dtype}")
    column: NDArray[Any] = array.astype(dtype)
    return column
