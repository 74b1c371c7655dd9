"""Average precision beside pycocotools."""

from __future__ import annotations

import contextlib
import io
from typing import Any, NamedTuple

import numpy as np
import pytest

from striate import metrics
from striate.detection import Detections
from striate.metrics import MeanAveragePrecision

SIZES = ("all", "small", "medium", "large")


class Scenes(NamedTuple):
    """Everything that a metric is told of some images."""

    targets: list[tuple[np.ndarray, np.ndarray]]
    found: list[Detections]
    crowds: list[np.ndarray]
    areas: list[np.ndarray]


def by_pycocotools(scenes: Scenes, classes: int, most: int = 100) -> np.ndarray:
    """COCOeval's precisions, (10 thresholds, 101 recalls, classes, 4 sizes); NaN where it says -1."""
    coco_module = pytest.importorskip("pycocotools.coco")
    evaluation = pytest.importorskip("pycocotools.cocoeval")

    def corners(boxes: np.ndarray) -> np.ndarray:
        return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)

    truth, made = [], []
    for image, ((boxes, labels), found, crowd, areas) in enumerate(zip(*scenes, strict=True)):
        for box, label, mark, size in zip(corners(boxes), labels, crowd, areas, strict=True):
            truth.append({"image_id": image, "category_id": int(label), "bbox": box.tolist(), "iscrowd": int(mark)})
            truth[-1] |= {"id": len(truth), "area": float(size)}
        for box, label, score in zip(corners(found.boxes), found.labels, found.scores, strict=True):
            made.append({"image_id": image, "category_id": int(label), "bbox": box.tolist(), "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = coco_module.COCO()
        coco.dataset = {
            "images": [{"id": n} for n in range(len(scenes.targets))],
            "categories": [{"id": n} for n in range(classes)],
            "annotations": truth,
        }
        coco.createIndex()
        results = coco_module.COCO()
        results.dataset = dict(coco.dataset)
        # As loadRes does, which refuses an empty list.
        results.dataset["annotations"] = [
            row | {"id": n + 1, "area": row["bbox"][2] * row["bbox"][3], "iscrowd": 0} for n, row in enumerate(made)
        ]
        results.createIndex()
        judge = evaluation.COCOeval(coco, results, "bbox")
        judge.params.maxDets = [most]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][..., 0]
    return np.where(precision < 0, np.nan, precision)


def draw(seed: int) -> tuple[Scenes, int, int]:
    """Random scenes, their classes, and how many detections count; some of everything that is awkward."""
    random = np.random.default_rng(seed)
    classes, images = int(random.integers(1, 4)), int(random.integers(1, 8))
    most = int(random.choice([100, 100, 3, 1]))
    whole = random.random() < 0.5  # whole numbers make equal overlaps, and overlaps that equal a threshold
    scenes = Scenes([], [], [], [])
    for _ in range(images):
        count = int(random.choice([0, 1, 3, 12]))
        start = random.uniform(0, 60, (count, 2))
        sides = np.exp(random.uniform(np.log(3), np.log(150), (count, 2)))
        boxes = np.concatenate([start, start + sides], axis=1)
        labels = random.integers(0, classes, count)
        near = np.repeat(np.arange(count), random.integers(0, 4, count))
        noise = random.choice([0.0, 0.05, 0.3]) * random.normal(size=(len(near), 4))
        guesses = boxes[near] + noise * np.tile(sides[near], 2)
        stray = random.uniform(0, 80, (int(random.integers(0, 5)), 4))
        stray[:, 2:] += stray[:, :2]
        guesses = np.concatenate([guesses, stray])
        names = np.concatenate([labels[near], random.integers(0, classes, len(stray))])
        names = np.where(random.random(len(names)) < 0.1, random.integers(0, classes, len(names)), names)
        if random.random() < 0.2:
            guesses, names = guesses[:0], names[:0]
        elif random.random() < 0.15 and count:  # more than 100 of one image and class
            guesses = np.tile(guesses, (130, 1))[:150]
            names = np.tile(names, 130)[:150] * 0
        if whole:
            boxes, guesses = np.rint(boxes), np.rint(guesses)
        guesses[:, 2:] = np.maximum(guesses[:, 2:], guesses[:, :2])
        scores = random.random(len(names))
        if random.random() < 0.5:
            scores = np.round(scores, 1)  # ties
        scenes.targets.append((boxes, labels))
        scenes.found.append(Detections(guesses, names, scores))
        scenes.crowds.append(random.random(count) < random.choice([0.0, 0.3]))
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
        scenes.areas.append(area * random.choice([1.0, 0.6]))
    return scenes, classes, most


def fed(scenes: Scenes, classes: int | None = None, most: int = 100, at_once: int = 3) -> MeanAveragePrecision:
    metric = MeanAveragePrecision(max_detections=most, num_classes=classes)
    for start in range(0, len(scenes.targets), at_once):
        targets, found, crowds, areas = (part[start : start + at_once] for part in scenes)
        metric.update_state(targets, found, crowds=crowds, areas=areas)
    return metric


def check(scenes: Scenes, classes: int, most: int = 100) -> None:
    expected = by_pycocotools(scenes, classes, most)
    metric = fed(scenes, classes, most)
    for place, size in enumerate(SIZES):
        wanted = expected[..., place]  # thresholds, recalls, classes
        np.testing.assert_allclose(metric.per_class(size=size), wanted.mean(axis=(0, 1)), atol=1e-9)
        for row, iou in enumerate(metric.iou_thresholds):
            np.testing.assert_allclose(metric.curves(iou, size)[1], wanted[row].T, atol=1e-9)
        whole = wanted[~np.isnan(wanted)]
        value = whole.mean() if whole.size else np.nan
        np.testing.assert_allclose(
            fed(scenes, classes, most).summary()[f"AP_{size}" if place else "AP"], value, atol=1e-9
        )


@pytest.mark.parametrize("block", range(25))
def test_random_scenes(block: int) -> None:
    for seed in range(10 * block, 10 * block + 10):
        check(*draw(seed))


def one_image(boxes: Any, labels: Any, guesses: Any, names: Any, scores: Any, crowd: Any = None) -> Scenes:
    rows = np.array(boxes, float).reshape(-1, 4)
    marks = np.zeros(len(rows), bool) if crowd is None else np.array(crowd)
    found = Detections(np.array(guesses, float).reshape(-1, 4), np.array(names, int), np.array(scores, float))
    areas = (rows[:, 2:] - rows[:, :2]).prod(axis=1)
    return Scenes([(rows, np.array(labels, int))], [found], [marks], [areas])


BOX, TWIN, FAR, HALF = [0, 0, 10, 10], [0, 0, 10, 10], [50, 50, 70, 70], [0, 0, 10, 5]
MANY = [[i, 0, i + 10, 10] for i in range(0, 1500, 10)]
HAND_MADE = {
    "one right": (one_image([BOX], [0], [BOX], [0], [0.9]), 1.0),
    "one wrong class": (one_image([BOX], [0], [BOX], [1], [0.9]), 0.0),
    "found twice": (one_image([BOX], [0], [BOX, BOX], [0, 0], [0.9, 0.8]), 1.0),
    "twice, the better one off": (one_image([BOX], [0], [FAR, BOX], [0, 0], [0.9, 0.8]), 0.5),
    "nothing there, nothing found": (one_image([], [], [], [], []), np.nan),
    "nothing there, one found": (one_image([], [], [BOX], [0], [0.9]), np.nan),
    "nothing found": (one_image([BOX], [0], [], [], []), 0.0),
    "half an overlap is enough for 0.5": (one_image([BOX], [0], [HALF], [0], [0.9]), 0.1),
    "equal scores in the order given": (one_image([BOX], [0], [FAR, BOX], [0, 0], [0.5, 0.5]), 0.5),
    "two objects in one place": (one_image([BOX, TWIN], [0, 0], [BOX, BOX], [0, 0], [0.9, 0.8]), 1.0),
    "a crowd alone": (one_image([BOX], [0], [BOX], [0], [0.9], [True]), np.nan),
    "a crowd takes many": (one_image([FAR, BOX], [0, 0], [BOX, HALF, FAR], [0] * 3, [0.9, 0.8, 0.7], [0, 1]), 1.0),
    "an object before a crowd": (one_image([BOX, TWIN], [0, 0], [HALF], [0], [0.9], [1, 0]), 0.1),
    "more than 100": (one_image(MANY, [0] * 150, MANY, [0] * 150, np.linspace(1, 0.1, 150)), 67 / 101),
}


@pytest.mark.parametrize("name", HAND_MADE)
def test_hand_made_scenes(name: str) -> None:
    scenes, expected = HAND_MADE[name]
    scenes = scenes._replace(crowds=[np.asarray(scenes.crowds[0], bool)])
    np.testing.assert_allclose(fed(scenes).result(), expected, atol=1e-9)
    check(scenes, 2)


def test_batches_and_order_of_calls_do_not_matter() -> None:
    scenes, classes, _ = draw(5)
    first = fed(scenes, classes, at_once=1)
    assert first.result() == fed(scenes, classes, at_once=100).result()
    first.reset_state()
    assert np.isnan(first.result())
    first.update_state(scenes.targets, scenes.found, crowds=scenes.crowds, areas=scenes.areas)
    assert first.result() == fed(scenes, classes).result()


def test_ignored_objects_need_not_be_found() -> None:
    boxes, labels = np.array([BOX, FAR], float), np.array([0, 0])
    metric = MeanAveragePrecision()
    metric.update_state([(boxes, labels)], [(boxes[:1], [0], [0.5])], ignored=[[False, True]])
    assert metric.result() == pytest.approx(1.0)
    # Finding one is no mistake, and other than a crowd it is used up.
    metric.reset_state()
    guesses = np.array([FAR, FAR, BOX], float)
    metric.update_state([(boxes, labels)], [(guesses, [0, 0, 0], [0.9, 0.8, 0.5])], ignored=[[False, True]])
    assert metric.result() == pytest.approx(0.5)


def test_options() -> None:
    scenes, classes, _ = draw(17)
    each = MeanAveragePrecision(average=None, num_classes=classes)
    each.update_state(scenes.targets, scenes.found, crowds=scenes.crowds)
    whole = MeanAveragePrecision(num_classes=classes)
    whole.update_state(scenes.targets, scenes.found, crowds=scenes.crowds)
    assert each.result().shape == (classes,) and whole.result() == np.nanmean(each.result())
    half = MeanAveragePrecision(0.5, num_classes=classes, name="ap50")
    half.update_state(scenes.targets, scenes.found, crowds=scenes.crowds)
    np.testing.assert_allclose(half.result(), whole.summary()["AP50"])
    assert set(half.summary()) == {"AP", "AP50", "AP_small", "AP_medium", "AP_large"}
    assert set(whole.summary()) == {*half.summary(), "AP75"}
    small = MeanAveragePrecision(size="small", num_classes=classes)
    small.update_state(scenes.targets, scenes.found, crowds=scenes.crowds)
    np.testing.assert_array_equal(small.per_class(), whole.per_class(size="small"))
    assert metrics.get("mean_average_precision").name == "mean_average_precision"


def test_what_does_not_fit_is_named() -> None:
    for options, message in [
        ({"iou_thresholds": 0.0}, r"iou_thresholds must be above 0 up to 1, got 0\.0"),
        ({"iou_thresholds": []}, r"iou_thresholds must be above 0 up to 1, got \[\]"),
        ({"max_detections": 0}, "max_detections must be at least 1, got 0"),
        ({"average": "micro"}, "average must be 'macro' or None, got 'micro'"),
        ({"size": "tiny"}, "size must be one of all, small, medium, large, got 'tiny'"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            MeanAveragePrecision(**options)
    metric = MeanAveragePrecision(num_classes=2)
    target, found = (np.array([BOX], float), [1]), (np.array([BOX], float), [1], [0.5])
    for arguments, message in [
        (([target], []), "as many y_pred as images, 1, got 0"),
        (([target], [target]), r"image 0: expected \(boxes, labels\) and \(boxes, labels, scores\), got 2 and 2"),
        (([(target[0], [2])], [found]), "image 0: y_true holds the label 2, expected 0 to 1"),
        (([(target[0], [0.5])], [found]), r"labels must be whole numbers from 0 on, got \[0\.5\]"),
        (([target], [(found[0], [1], [np.nan])]), "image 0: a box or a score is NaN"),
        (
            ([target], [(found[0], [1], [0.1, 0.2])]),
            r"image 0: scores must be of shape \(1,\), one for each box, got \(2,\)",
        ),
        (([target], [(found[0][:, :3], [1], [0.1])]), r"image 0: y_pred must be boxes \(M, 4\)"),
        (([target], [found], [1.0]), "takes no sample weights"),
    ]:
        with pytest.raises(ValueError, match=message):
            metric.update_state(*arguments)
    with pytest.raises(ValueError, match=r"0\.6 is not among the thresholds \[0\.5\]"):
        MeanAveragePrecision(0.5).curves(0.6)
