"""COCO's average precision on 1,000 images beside pycocotools.

    pip install pycocotools
    python benchmarks/mean_average_precision.py

Made detections of made objects: some near, some doubled, some stray. Timed are, on one thread, `update_state` for all
images and `summary()` here, `evaluate` and `accumulate` there with its defaults (not the making of its index); the best
of a few repetitions, in turn. Both give the same figures, or the script fails.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from striate.detection import Detections
from striate.metrics import MeanAveragePrecision

CASES = {"10 objects of 20 classes": (10, 20), "30 objects of 3 classes": (30, 3), "8 objects of one class": (8, 1)}


def make(images: int, objects: int, classes: int) -> tuple[list, list]:
    random = np.random.default_rng(0)
    targets, found = [], []
    for _ in range(images):
        count = int(random.integers(1, 2 * objects))
        start = random.uniform(0, 400, (count, 2))
        boxes = np.concatenate([start, start + np.exp(random.uniform(2.3, 5.5, (count, 2)))], axis=1)
        labels = random.integers(0, classes, count)
        near = np.repeat(np.arange(count), random.integers(0, 4, count))
        sides = np.tile(boxes[near, 2:] - boxes[near, :2], 2)
        guesses = boxes[near] + random.normal(scale=0.07, size=(len(near), 4)) * sides
        stray = random.uniform(0, 300, (objects, 4))
        stray[:, 2:] += stray[:, :2]
        names = np.concatenate([labels[near], random.integers(0, classes, objects)])
        targets.append((boxes, labels))
        found.append(Detections(np.concatenate([guesses, stray]), names, random.random(len(names))))
    return targets, found


def corners(boxes: np.ndarray) -> list[list[float]]:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1).tolist()


def coco_of(targets: list, found: list, classes: int) -> tuple[COCO, COCO]:
    truth, made = [], []
    for image, ((boxes, labels), (guesses, names, scores)) in enumerate(zip(targets, found, strict=True)):
        for box, label in zip(corners(boxes), labels.tolist(), strict=True):
            row = {"image_id": image, "category_id": label, "bbox": box, "area": box[2] * box[3], "iscrowd": 0}
            truth.append(row | {"id": len(truth) + 1})
        for box, label, score in zip(corners(guesses), names.tolist(), scores.tolist(), strict=True):
            made.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    coco = COCO()
    coco.dataset = {
        "images": [{"id": n} for n in range(len(targets))],
        "categories": [{"id": n} for n in range(classes)],
        "annotations": truth,
    }
    coco.createIndex()
    return coco, coco.loadRes(made)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--repeat", type=int, default=3)
    args = parser.parse_args()
    print(f"{args.images} images, milliseconds")
    for name, (objects, classes) in CASES.items():
        targets, found = make(args.images, objects, classes)
        ours, theirs = [], []
        with contextlib.redirect_stdout(io.StringIO()):
            truth, results = coco_of(targets, found, classes)
        for _ in range(args.repeat):
            start = time.perf_counter()
            metric = MeanAveragePrecision(num_classes=classes)
            metric.update_state(targets, found)
            summary = metric.summary()
            ours.append(time.perf_counter() - start)
            with contextlib.redirect_stdout(io.StringIO()):
                judge = COCOeval(truth, results, "bbox")
                start = time.perf_counter()
                judge.evaluate()
                judge.accumulate()
                theirs.append(time.perf_counter() - start)
                judge.summarize()
        figures = [summary[key] for key in ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large")]
        np.testing.assert_allclose(figures, judge.stats[:6], atol=1e-6)
        a, b = 1e3 * min(ours), 1e3 * min(theirs)
        print(f"  {name:26}  AP {summary['AP']:.3f}   striate {a:7.1f}   pycocotools {b:8.1f}   ratio {b / a:5.1f}")


if __name__ == "__main__":
    main()
