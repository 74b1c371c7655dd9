from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from striate.data import digit_scenes, load_digits
from striate.detection import iou


def test_shapes_types_and_numbers():
    images, targets, masks = digit_scenes(7, (40, 56), (0, 3), seed=1)
    assert images.shape == (7, 40, 56, 1) and images.dtype == np.uint8
    assert masks.shape == (7, 40, 56) and masks.dtype == np.uint8
    assert len(targets) == 7
    for boxes, labels in targets:
        assert boxes.shape == (len(labels), 4) and boxes.dtype == np.float32 and labels.dtype == np.int64
        assert len(labels) <= 3


def test_a_box_is_the_extent_of_its_ink_and_the_mask_its_digit():
    scenes = digit_scenes(20, 64, (1, 6), seed=2)
    for image, (boxes, labels), mask in zip(scenes.images, scenes.targets, scenes.masks, strict=True):
        inside = np.zeros(mask.shape, bool)
        for (x1, y1, x2, y2), label in zip(boxes.astype(int), labels, strict=True):
            assert 0 <= x1 < x2 <= 64 and 0 <= y1 < y2 <= 64
            part = mask[y1:y2, x1:x2]
            assert set(np.unique(part)) <= {0, label + 1}
            drawn = part > 0
            assert drawn[0].any() and drawn[-1].any() and drawn[:, 0].any() and drawn[:, -1].any()
            assert image[y1:y2, x1:x2, 0][drawn].mean() > image[..., 0][mask == 0].mean()
            inside[y1:y2, x1:x2] = True
        assert not mask[~inside].any()
        assert np.array_equal(iou(boxes, boxes) > 0, np.eye(len(boxes), dtype=bool))


def test_numbers_of_digits_and_classes_spread():
    _, targets, _ = digit_scenes(300, 64, (0, 3), seed=3)
    counts = np.bincount([len(labels) for _, labels in targets], minlength=4)
    assert len(counts) == 4 and counts.min() > 40
    assert np.bincount(np.concatenate([labels for _, labels in targets]), minlength=10).min() > 20


def test_the_seed_gives_the_scenes():
    one, same, other = (digit_scenes(4, seed=seed) for seed in (5, 5, 6))
    assert np.array_equal(one.images, same.images) and np.array_equal(one.masks, same.masks)
    assert not np.array_equal(one.images, other.images)


def test_parts_hold_the_digits_of_load_digits():
    """At 8x8 a digit is not enlarged, so its mask tells which of the real ones it is."""
    train, test = load_digits()
    for part, mine, others in (("train", train, test), ("test", test, train)):
        known = [{_ink(image[..., 0]) for image in images} for images, _ in (mine, others)]
        _, targets, masks = digit_scenes(40, 32, (1, 2), sides=(8, 8), part=part)
        found = {
            (int(y2 - y1), int(x2 - x1), (mask[int(y1) : int(y2), int(x1) : int(x2)] > 0).tobytes())
            for (boxes, _), mask in zip(targets, masks, strict=True)
            for x1, y1, x2, y2 in boxes
        }
        assert found <= known[0]
        assert len(found & known[1]) < len(found)


def _ink(image: np.ndarray[Any, Any]) -> tuple[int, int, bytes]:
    drawn = image / 255.0 >= 0.25
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    drawn = drawn[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return (*drawn.shape, drawn.tobytes())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": -1}, "a count of 0 or more, got -1"),
        ({"count": 1, "size": 8}, "a size of at least 16 pixels each way, got 8"),
        ({"count": 1, "digits": (3, 2)}, r"digits as \(min, max\), from 0 on, got \(3, 2\)"),
        ({"count": 1, "sides": (4, 9)}, r"sides as \(min, max\), from 8 on, got \(4, 9\)"),
        ({"count": 1, "part": "half"}, "part to be one of train, test, all, got 'half'"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str):
    with pytest.raises(ValueError, match=f"digit_scenes expects {message}"):
        digit_scenes(**arguments)
    with pytest.raises(TypeError, match="digits as a pair of whole numbers, got 3"):
        digit_scenes(1, digits=3)  # type: ignore[arg-type]
