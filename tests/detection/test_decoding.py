"""A detector's output: boxes beside their float64 definition, and what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

import striate as st
from reference import detection as reference
from striate import models
from striate.detection import decode, detect, iou


def output_of(strides: tuple[int, ...], batch: int, classes: int, seed: int) -> np.ndarray:
    rows, columns = 2 * sum(4**k for k in range(len(strides))), 2 ** (len(strides) + 1)
    return np.random.default_rng(seed).normal(0, 1.5, (batch, rows, columns, 5 + classes)).astype(np.float32)


@given(
    strides=hs.sampled_from([(8,), (4, 8), (2, 4, 8)]),
    batch=hs.integers(0, 3),
    classes=hs.sampled_from([1, 2, 10]),
    least=hs.sampled_from([0.0, 0.05, 0.3]),
    overlap=hs.sampled_from([0.0, 0.5, 1.0]),
    seed=hs.integers(0, 10_000),
)
def test_decode(strides: tuple[int, ...], batch: int, classes: int, least: float, overlap: float, seed: int) -> None:
    output = output_of(strides, batch, classes, seed)
    found = decode(output, strides, least, overlap)
    want = reference.decode(output, strides, least, overlap)
    assert len(found) == batch
    for one, boxes in zip(found, want, strict=True):
        assert one.boxes.dtype == one.scores.dtype == np.float32 and one.labels.dtype == np.int64
        assert one.boxes.shape == (len(boxes[:100]), 4) and one.scores.shape == one.labels.shape == one.boxes.shape[:1]
        for row, label, score, (box, name, value) in zip(*one, boxes, strict=False):
            np.testing.assert_allclose(row, box, rtol=1e-5, atol=1e-4)
            assert label == name
            assert score == pytest.approx(value, rel=1e-5)


def test_kept_boxes_of_a_class_do_not_overlap_and_are_few() -> None:
    found = decode(output_of((4, 8), 3, 2, 1), (4, 8), 0.0, 0.3, max_detections=7)
    for boxes, labels, scores in found:
        assert len(boxes) == 7 and (np.diff(scores) <= 0).all()
        both = (labels[:, None] == labels) & ~np.eye(7, dtype=bool)
        assert iou(boxes, boxes)[both].max(initial=0) <= 0.3


def test_detect_takes_the_strides_of_the_model() -> None:
    x = np.random.default_rng(0).normal(0, 1, (3, 32, 48, 1)).astype(np.float32)
    for strides in [(8,), (4, 8), (2, 4), (2, 4, 8)]:
        model = models.detector((32, 48, 1), 3, base=2, strides=strides, seed=0)
        found = detect(model, x, score_threshold=0.0)
        want = decode(model.predict(x), strides, 0.0)
        assert len(found) == 3 and len(found[0].boxes) > 0
        for one, other in zip(found, want, strict=True):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    with pytest.raises(ValueError, match="the model is not a detector: its output for images of"):
        detect(models.unet((32, 48, 1), 3, base=2, depth=2), x)


def test_what_does_not_fit() -> None:
    output = output_of((8, 16), 1, 2, 0)
    for arguments, message in [
        ((output[0],), r"decode expects an output \(N, rows, columns, 5 \+ classes\), got shape \(10, 8, 7\)"),
        ((output[..., :5],), r"\[decode\] expects an output of at least 6 channels"),
        ((output, (8, 24)), r"\[decode\] strides must double from each to the next, such as \(8, 16\), got \(8, 24\)"),
        ((output, ()), r"\[decode\] strides must be one to eight"),
        ((output[:, 1:],), r"\[decode\] an output \(N, 9, 8, 7\) is not 2 map\(s\) of strides \(8, 16\)"),
        ((output, (8, 16), 1.5), r"within 0 \.\. 1, got 1.5 and 0.5"),
        ((output, (8, 16), 0.5, 0.5, -1), "max_detections of 0 or more, got -1"),
    ]:
        with pytest.raises(ValueError, match=message):
            decode(*arguments)


def test_nan_is_no_box() -> None:
    output = output_of((8,), 1, 2, 0)
    output[:] = np.nan
    assert len(decode(output, (8,), 0.0)[0].boxes) == 0
    assert st.detection.decode is decode
