"""Weighted box fusion beside its definition, and detection in several views."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from reference import detection as reference
from striate import models
from striate.detection import candidates, decode, detect, nms, weighted_boxes_fusion


def views_of(count: int, most: int, seed: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """What `count` models found of the same few objects, with some of their own."""
    random = np.random.default_rng(seed)
    objects = random.uniform(0, 40, (most, 2))
    found = []
    for _ in range(count):
        rows = random.integers(0, most + 1)
        corners = objects[random.permutation(most)[:rows]] + random.normal(0, 1.5, (rows, 2))
        boxes = np.concatenate([corners, corners + random.uniform(6, 12, (rows, 2))], axis=1)
        found.append((boxes, random.integers(0, 2, rows), random.uniform(0.01, 1, rows)))
    return found


@given(
    count=hs.integers(1, 4),
    most=hs.integers(1, 8),
    weighted=hs.booleans(),
    each=hs.sampled_from([1, 3]),
    overlap=hs.sampled_from([0.0, 0.4, 0.55, 1.0]),
    seed=hs.integers(0, 10_000),
)
def test_fusion(count: int, most: int, weighted: bool, each: int, overlap: float, seed: int) -> None:
    found = views_of(count, most, seed)
    weights = [1.0 + place for place in range(count)] if weighted else None
    fused = weighted_boxes_fusion(found, weights, overlap, boxes_per_object=each)
    want = reference.weighted_boxes_fusion(found, weights or [1.0] * count, overlap, each)
    assert fused.boxes.shape == (len(want), 4) and fused.labels.dtype == np.int64
    for row, label, score, (box, name, value) in zip(*fused, want, strict=True):
        np.testing.assert_allclose(row, box, rtol=1e-9)
        assert label == name and score == pytest.approx(value)
    best = weighted_boxes_fusion(found, weights, overlap, 0.2, 3, each)
    assert best.scores.tolist() == [score for score in fused.scores.tolist() if score >= 0.2][:3]


def test_a_known_fusion() -> None:
    one = ([[0, 0, 10, 10], [50, 50, 60, 60]], [0, 1], [0.9, 0.8])
    other = ([[1, 0, 11, 10]], [0], [0.3])
    boxes, labels, scores = weighted_boxes_fusion([one, other])
    np.testing.assert_allclose(boxes, [[0.25, 0, 10.25, 10], [50, 50, 60, 60]])
    assert labels.tolist() == [0, 1]
    np.testing.assert_allclose(scores, [0.6, 0.4])  # the second was found by one of two
    nothing = (np.zeros((0, 4)), [], [])
    assert weighted_boxes_fusion([nothing, nothing]).boxes.shape == (0, 4)
    zero = ([[0, 0, 2, 2], [0, 0, 2, 2.1]], [0, 0], [0.0, 0.0])
    assert weighted_boxes_fusion([zero]).boxes.tolist() == [[0, 0, 2, 2]]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "expects detections of at least one model or view, got none"),
        (([([[0, 0, 1, 1]], [0])],), r"detections 0: expected \(boxes \(M, 4\), labels \(M,\), scores \(M,\)\)"),
        (([([[0, 0, 1, 1]], [0], [0.5, 0.5])],), r"scores must be of shape \(1,\), one for each box, got \(2,\)"),
        (([([[0, 0, 1, 1]], [0], [1.5])],), r"expected finite boxes and scores within 0 \.\. 1"),
        (([([[0, 0, 1, np.nan]], [0], [0.5])],), "expected finite boxes"),
        (([([[0, 0, 1, 1]], [0], [0.5])], [1, 2]), r"expects weights of 1 positive numbers, got \[1, 2\]"),
        (([([[0, 0, 1, 1]], [0], [0.5])], [0]), "expects weights of 1 positive numbers"),
        (([([[0, 0, 1, 1]], [0], [0.5])], None, 1.5), r"iou_threshold within 0 \.\. 1, got 1.5"),
        (([([[0, 0, 1, 1]], [0], [0.5])], None, 0.5, -1), r"score_threshold within 0 \.\. 1, got -1"),
        (([([[0, 0, 1, 1]], [0], [0.5])], None, 0.5, 0.1, -1), "max_detections of 0 or more, got -1"),
        (([([[0, 0, 1, 1]], [0], [0.5])], None, 0.5, 0.1, 1, 0), "boxes_per_object of 1 or more, got 0"),
    ],
)
def test_what_does_not_fit(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        weighted_boxes_fusion(*arguments)


@pytest.mark.parametrize("kinds", list(itertools.product([False, True], repeat=3)))
def test_views_are_moved_back(kinds: tuple[bool, bool, bool]) -> None:
    """Each view, mirrored here by hand, is among the candidates."""
    across, down, over = kinds
    model = models.detector((32, 32, 1), 2, base=2, strides=(4, 8), seed=0)
    x = np.random.default_rng(0).normal(0, 1, (2, 32, 32, 1)).astype(np.float32)
    seen = candidates(model, x, flip_horizontal=across, flip_vertical=down, transpose=over, score_threshold=0.002)
    assert [len(views) for views in seen] == [2 ** sum(kinds)] * 2
    views = iter(seen[1])
    for turned in (False, True)[: 1 + over]:
        for upended in (False, True)[: 1 + down]:
            for mirrored in (False, True)[: 1 + across]:
                view = x[1, :: -1 if upended else 1, :: -1 if mirrored else 1]
                view = np.ascontiguousarray((view.transpose(1, 0, 2) if turned else view)[None])
                boxes, labels, scores = decode(model.predict(view), (4, 8), 0.002, 1.0, 1000)[0]
                x1, y1, x2, y2 = boxes.T.astype(np.float64)
                x1, y1, x2, y2 = (y1, x1, y2, x2) if turned else (x1, y1, x2, y2)
                x1, x2 = (32 - x2, 32 - x1) if mirrored else (x1, x2)
                y1, y2 = (32 - y2, 32 - y1) if upended else (y1, y2)
                found = next(views)
                assert len(labels) and found.labels.tolist() == labels.tolist()
                np.testing.assert_allclose(found.boxes, np.stack([x1, y1, x2, y2], axis=1), atol=1e-4)
                np.testing.assert_allclose(found.scores, scores, rtol=1e-5)


def test_views_of_what_does_not_fit() -> None:
    model = models.detector((32, 48, 1), 2, base=2, strides=(4, 8), seed=0)
    x = np.zeros((1, 32, 48, 1), np.float32)
    assert len(detect(model, x, flip_horizontal=True)) == 1
    with pytest.raises(ValueError, match="transpose is for square images, and the model takes 32 x 48"):
        detect(model, x, transpose=True)
    with pytest.raises(ValueError, match=r"score_threshold and iou_threshold within 0 \.\. 1, got 2\.0 and 0\.5"):
        detect(model, x, flip_vertical=True, score_threshold=2.0)


def test_fusing_improves_a_trained_detector() -> None:
    """Boxes of rectangles, which mirrors leave rectangles."""
    random = np.random.default_rng(0)
    x, y = np.zeros((96, 32, 32, 1), np.float32), []
    for image in x:
        left, top = random.integers(0, 16, 2)
        width, height = random.integers(8, 16, 2)
        image[top : top + height, left : left + width] = random.uniform(0.3, 1)
        image += random.normal(0, 0.15, image.shape)
        y.append((np.float32([[left, top, left + width, top + height]]), np.zeros(1, int)))
    model = models.detector((32, 32, 1), 1, base=4, strides=(8,), seed=0)
    model.compile(st.optimizers.AdamW(0.005), st.losses.DetectionLoss(strides=(8,)))
    model.fit(x[:64], y[:64], batch_size=8, epochs=20, verbose=0)
    flips = {"flip_horizontal": True, "flip_vertical": True, "transpose": True}
    plain, fused, views = (
        st.metrics.MeanAveragePrecision()(y[64:], detect(model, x[64:], **how, score_threshold=0.02))
        for how in ({}, {"fuse": True}, flips)
    )
    assert views > plain + 0.02 and fused > plain, (plain, fused, views)


def test_candidates_of_views_and_models() -> None:
    """`detect` fuses what `candidates` gives; lists of two models are fused alike."""
    x = np.random.default_rng(0).normal(0, 1, (3, 32, 32, 1)).astype(np.float32)
    one, other = (models.detector((32, 32, 1), 2, base=2, strides=(4, 8), seed=seed) for seed in range(2))
    rules = {"score_threshold": 0.0002, "max_detections": 15}
    for flips in ({}, {"flip_horizontal": True}, {"flip_vertical": True, "transpose": True}):
        seen = candidates(one, x, 2, **flips, score_threshold=0.0002, max_detections=150)
        assert [len(views) for views in seen] == [2 ** len(flips)] * 3
        for views, found in zip(seen, detect(one, x, 2, fuse=True, **flips, **rules), strict=True):
            fused = weighted_boxes_fusion(views, score_threshold=0.0002, boxes_per_object=9)
            kept = nms(fused.boxes, fused.scores, fused.labels, 0.5, max_detections=15)
            assert len(kept) and found.boxes.dtype == found.scores.dtype == np.float32
            for given_, part in zip(found, fused, strict=True):
                np.testing.assert_allclose(given_, part[kept], rtol=1e-6)
    every = decode(one.predict(x), (4, 8), 0.0002, 1.0, 150)
    for views, want in zip(candidates(one, x, score_threshold=0.0002, max_detections=150), every, strict=True):
        assert all(np.array_equal(a, b) for a, b in zip(views[0], want, strict=True))
    both = candidates(one, x)[0] + candidates(other, x)[0]
    fused = weighted_boxes_fusion(both, boxes_per_object=9)
    want = reference.weighted_boxes_fusion([tuple(map(np.float64, part)) for part in both], [1.0, 1.0], 0.55, 9)
    np.testing.assert_allclose(fused.scores, [score for _, _, score in want], rtol=1e-6)
