"""Overlaps and suppression beside their float64 definitions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

from reference import detection as reference
from striate.detection import clip, iou, nms


@hs.composite
def boxes(draw: Any, most: int = 12) -> np.ndarray:
    """Boxes of whole and broken numbers, some without extent, some equal."""
    count = draw(hs.integers(0, most))
    side = draw(hs.sampled_from([4, 50]))
    random = np.random.default_rng(draw(hs.integers(0, 10_000)))
    corners = random.uniform(0, side, (count, 4)) if draw(hs.booleans()) else random.integers(0, side, (count, 4))
    return np.concatenate([corners[:, :2], corners[:, :2] + corners[:, 2:] * 0.7], axis=1).astype(np.float64)


@given(a=boxes(), b=boxes(), seed=hs.integers(0, 100))
def test_iou(a: np.ndarray, b: np.ndarray, seed: int) -> None:
    found = iou(a, b)
    assert found.shape == (len(a), len(b)) and found.dtype == np.float64
    np.testing.assert_allclose(found, reference.iou(a, b), rtol=1e-12, atol=0)
    crowd = np.random.default_rng(seed).random(len(b)) < 0.5
    np.testing.assert_allclose(iou(a, b, crowd), reference.iou(a, b, crowd), rtol=1e-12, atol=0)
    np.testing.assert_allclose(iou(b, a), found.T, rtol=1e-12)


def test_iou_of_known_boxes() -> None:
    a = [[0, 0, 2, 2], [5, 5, 5, 9], [0, 0, 4, 2]]
    assert iou(a, [[1, 0, 3, 2]]).ravel().tolist() == [1 / 3, 0.0, 0.5]
    assert iou(a, [[1, 0, 3, 2]], [True]).ravel().tolist() == [0.5, 0.0, 0.5]
    assert iou([], a).shape == (0, 3) and iou(a, np.zeros((0, 4))).shape == (3, 0)
    with pytest.raises(ValueError, match=r"iou: b must be boxes \(M, 4\): x1, y1, x2, y2; got shape \(2, 3\)"):
        iou(a, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"crowd of shape \(3,\), got \(2,\)"):
        iou(a, a, [True, False])


@given(rows=boxes(30), seed=hs.integers(0, 10_000), threshold=hs.sampled_from([0.0, 0.3, 0.5, 0.7, 1.0]))
def test_nms(rows: np.ndarray, seed: int, threshold: float) -> None:
    random = np.random.default_rng(seed)
    scores = random.integers(0, 6, len(rows)) / 5  # with ties
    labels = random.integers(0, 3, len(rows))
    kept = nms(rows, scores, labels, threshold)
    assert kept.dtype == np.int64
    assert kept.tolist() == reference.nms(rows, scores, labels, threshold)
    assert nms(rows, scores, labels, threshold, max_detections=4).tolist() == kept[:4].tolist()
    good = np.flatnonzero(scores >= 0.4)
    some = good[nms(rows[good], scores[good], labels[good], threshold)]
    assert nms(rows, scores, labels, threshold, score_threshold=0.4).tolist() == some.tolist()
    assert nms(rows, scores, None, threshold).tolist() == reference.nms(rows, scores, 0 * labels, threshold)


def test_nms_refuses_what_does_not_fit() -> None:
    rows, scores = np.array([[0.0, 0, 2, 2], [0, 0, 2, 2]]), np.array([0.5, 0.6])
    assert nms(rows, scores).tolist() == [1] and nms([], []).tolist() == []
    for arguments, message in [
        ((rows, scores[:1]), r"nms expects scores of shape \(2,\), one for each box, got \(1,\)"),
        ((rows, scores, [1]), r"nms expects labels of shape \(2,\)"),
        ((rows * np.nan, scores), "without NaN"),
        ((rows, scores * np.nan), "without NaN"),
        ((rows, scores, None, 1.5), r"iou_threshold within 0 \.\. 1, got 1.5"),
        ((rows, scores, None, 0.5, None, -1), "max_detections of 0 or more, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            nms(*arguments)


def test_clip() -> None:
    rows = clip([[-3, 1, 20, 9], [12, 12, 15, 15]], height=8, width=10)
    assert rows.tolist() == [[0, 1, 10, 8], [10, 8, 10, 8]]
