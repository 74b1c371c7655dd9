"""Lists of boxes: the rule for those that do not fit, and the array that the core sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs

from striate.detection import fix_targets
from striate.detection.targets import pack, unpack

SIZE = (20, 30)


@hs.composite
def lists(draw: Any) -> list[tuple[np.ndarray, ...]]:
    random = np.random.default_rng(draw(hs.integers(0, 10_000)))
    out = []
    for _ in range(draw(hs.integers(0, 5))):
        count = draw(hs.integers(0, 4))
        corners = random.uniform(-10, 40, (count, 4))
        parts = (corners, random.integers(0, 3, count), random.random(count) < 0.3)
        out.append(parts[: draw(hs.sampled_from([2, 3]))])
    return out


@given(targets=lists())
def test_the_rule(targets: list[tuple[np.ndarray, ...]]) -> None:
    found, counts = fix_targets(targets, SIZE)
    height, width = SIZE
    assert len(found) == len(targets)
    want = {"clipped": 0, "outside": 0, "degenerate": 0}
    for (boxes, labels, *rest), target in zip(found, targets, strict=True):
        kept = []
        for number, (x1, y1, x2, y2) in enumerate(target[0].astype(np.float32)):
            cut = [max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)]
            if x2 <= x1 or y2 <= y1:
                want["degenerate"] += 1
            elif cut[2] <= cut[0] or cut[3] <= cut[1]:
                want["outside"] += 1
            else:
                want["clipped"] += cut != [x1, y1, x2, y2]
                kept.append((cut, number))
        assert boxes.dtype == np.float32 and boxes.shape == (len(kept), 4)
        assert boxes.tolist() == [cut for cut, _ in kept]
        assert labels.tolist() == [target[1][number] for _, number in kept]
        assert len(rest) == len(target) - 2
        if rest:
            assert rest[0].tolist() == [target[2][number] for _, number in kept]
    assert counts == want


@given(targets=lists())
def test_packed_and_unpacked(targets: list[tuple[np.ndarray, ...]]) -> None:
    packed, counts = pack(targets, SIZE, 3, 4, "y")
    assert packed.shape == (len(targets), 4, 5) and packed.dtype == np.float32
    found, wanted = fix_targets(targets, SIZE)
    assert counts == wanted
    for one, other in zip(unpack(packed), found, strict=True):
        assert np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
        assert one[2].tolist() == (other[2].tolist() if len(other) == 3 else [False] * len(other[1]))
    again, none = pack(packed, SIZE, 3, 4, "y")
    assert again is packed and none == {}


def test_lists_of_lists() -> None:
    packed, _ = pack([([], []), ([[1, 2, 3, 4]], [1]), ([[0, 0, 5, 5], [1, 1, 2, 2]], [0.0, 2.0])], SIZE, 3, 2, "y")
    assert packed[:, :, 4].tolist() == [[-1, -1], [1, -1], [0, 2]]


def test_what_does_not_fit() -> None:
    box = [[1.0, 2, 3, 4]]
    for targets, message in [
        ([(box, [1]), (box, [3])], "y: image 1 has the label 3, but the model has 3 classes: labels run from 0 to 2"),
        ([(box, [-1])], r"y: image 0: labels must be whole numbers from 0 on, got \[-1\]"),
        ([(box, [0.5])], r"y: image 0: labels must be whole numbers from 0 on, got \[0.5\]"),
        ([(box, [0, 1])], r"y: image 0: labels must be of shape \(1,\), one for each box, got \(2,\)"),
        ([(box, [0], [])], r"y: image 0: ignored must be of shape \(1,\), one for each box, got \(0,\)"),
        ([(box, [0]), box], r"y: image 1: expected \(boxes, labels\) or \(boxes, labels, ignored\), got 1 arrays"),
        ([(np.zeros((2, 3)), [0, 1])], r"y: image 0: boxes must be boxes \(M, 4\)"),
        ([(box, [0]), ([[0, np.nan, 1, 2]], [0])], r"y: image 1 has the box \[0.0, nan, 1.0, 2.0\]"),
        ([(box * 3, [0] * 3)], r"y: image 0 has 3 boxes, the loss takes 2; give it more: DetectionLoss\(max_boxes=3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            pack(targets, SIZE, 3, 2, "y")
    with pytest.raises(TypeError, match=r"y must be a list with one .* for each image, got ndarray"):
        pack(np.zeros((3, 4)), SIZE, 3, 2, "y")
