"""The core's augmentation beside the same in float64, from the same drawn numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference import augmentation as reference
from striate.data import Augment

CHANGES = {
    "flip_horizontal": True,
    "flip_vertical": 0.3,
    "rotation": 170.0,
    "shift": (0.1, 0.3),
    "zoom": 0.4,
    "crop": 2,
    "brightness": 0.2,
    "contrast": 0.5,
    "noise": 0.1,
    "elastic": 0.1,
}
MODES = st.sampled_from(["reflect", "wrap", "constant", "nearest"])
# One pixel; less than a vector; vectors with a rest; more values than a group of random words.
SIZES = st.sampled_from([(1, 1, 1), (3, 5, 2), (17, 16, 1), (12, 33, 3), (9, 40, 5)])


@st.composite
def augments(draw):
    names = draw(st.sets(st.sampled_from(sorted(CHANGES))))
    return Augment(
        **{name: CHANGES[name] for name in names},
        elastic_grid=draw(st.integers(1, 4)),
        fill_mode=draw(MODES),
        fill_value=40.0,
        value_range=draw(st.sampled_from([None, (20.0, 200.0)])),
        seed=draw(st.integers(0, 2**64 - 1)),
    )


def pictures(count, size, seed=0):
    """Smooth ones, so that the place that float32 rounds to has almost the value of the exact one."""
    height, width, channels = size
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = rng.uniform(0.1, 0.5, (count, 1, 1, channels, 2))
    return 127 + 100 * np.sin(x[None, :, :, None] * waves[..., 0] + y[None, :, :, None] * waves[..., 1])


@given(augments(), st.integers(0, 2**40), st.integers(0, 2**33))
def test_draws(augment, index, epoch):
    indices = np.array([index, index + 1])
    drawn = augment.draw(indices, epoch, 12, 17)
    for row, number in enumerate(indices.tolist()):
        matrix, brightness, contrast, offsets = reference.draw(augment, number, epoch, 12, 17)
        np.testing.assert_allclose(drawn.matrices[row], matrix, rtol=1e-12, atol=1e-11)
        low, high = augment.value_range or (0, 255)
        assert drawn.brightness[row] == pytest.approx(brightness * (high - low), rel=1e-6)
        assert drawn.contrast[row] == pytest.approx(contrast, rel=1e-6)
        if offsets is None:
            assert drawn.offsets is None
        else:
            np.testing.assert_allclose(drawn.offsets[row], offsets, atol=1e-5)


@given(augments(), SIZES, st.integers(0, 1000), st.integers(0, 1000))
def test_images(augment, size, index, epoch):
    images = pictures(3, size).astype(np.float32)
    indices = np.arange(index, index + 3)
    got = augment(images, indices, epoch)
    for row, number in enumerate(indices.tolist()):
        want = reference.image(augment, images[row], number, epoch)
        error = np.abs(got[row] - want)
        # A place on the edge of a constant border may fall to either side of it.
        assert np.quantile(error, 0.98) < 5e-3
        assert augment.fill_mode == "constant" or error.max() < 2e-2


@given(augments(), SIZES, st.integers(0, 1000), st.integers(0, 1000))
def test_images_of_bytes(augment, size, index, epoch):
    images = pictures(3, size).round().astype(np.uint8)
    indices = np.arange(index, index + 3)
    got = augment(images, indices, epoch)
    for row, number in enumerate(indices.tolist()):
        exact = reference.image(augment, images[row], number, epoch, rounded=False)
        error = np.abs(got[row] - exact)
        assert np.quantile(error, 0.98) < 0.5 + 5e-3
        assert augment.fill_mode == "constant" or error.max() < 0.5 + 2e-2


@given(augments(), st.sampled_from([(1, 1), (9, 21), (16, 16), (24, 35)]), st.integers(0, 1000), st.integers(0, 1000))
def test_masks(augment, size, index, epoch):
    masks = np.random.default_rng(1).integers(0, 5, (3, *size), dtype=np.int32)
    indices = np.arange(index, index + 3)
    got = augment.masks(masks, indices, epoch, fill=9)
    for row, number in enumerate(indices.tolist()):
        matrix, _, _, offsets = reference.draw(augment, number, epoch, *size)
        places = reference.places(matrix, *size, offsets)
        # Halfway between pixels either is the nearest.
        clear = np.all([np.abs((place % 1) - 0.5) > 1e-4 for place in places], axis=0)
        assert (got[row] == reference.mask(augment, masks[row], number, epoch, fill=9))[clear].all()


@given(augments(), st.integers(0, 1000), st.integers(0, 1000))
def test_boxes(augment, index, epoch):
    augment = Augment(**{**augment.__dict__, "elastic": 0.0, "fill_mode": "constant"})
    boxes = np.random.default_rng(2).uniform(0, 15, (4, 2))
    boxes = np.concatenate([boxes, boxes + np.random.default_rng(3).uniform(1, 15, (4, 2))], axis=1)
    ((moved, numbers),) = augment.boxes([(boxes, np.arange(4))], [index], (20, 24), epoch, least_visible=0.4)
    exact = reference.move_boxes(boxes, reference.draw(augment, index, epoch, 20, 24)[0])
    cut = exact.clip(0, [24, 20, 24, 20])

    def area(of):
        return (of[:, 2] - of[:, 0]) * (of[:, 3] - of[:, 1])

    sure = np.abs(area(cut) / area(exact) - 0.4) > 1e-6
    kept = (area(cut) > 0) & (area(cut) >= 0.4 * area(exact))
    assert set(numbers.tolist()) >= set(np.flatnonzero(kept & sure).tolist())
    assert set(numbers.tolist()) <= set(np.flatnonzero(kept | ~sure).tolist())
    np.testing.assert_allclose(moved, cut[numbers], rtol=1e-5, atol=1e-4)


def test_no_two_uses_share_numbers():
    """Draws of adjacent numbers in seed, epoch and index, and their noise."""
    rows = []
    for seed in (0, 1):
        augment = Augment(rotation=90.0, noise=1.0, seed=seed)
        for epoch in (0, 1):
            rows.append(augment.draw(np.arange(2), epoch, 8, 8).matrices[:, 0, 0])
            rows.append(augment(np.zeros((2, 8, 8, 1), np.float32), np.arange(2), epoch).ravel())
    assert len(np.unique(np.concatenate(rows))) > 0.999 * sum(len(row) for row in rows)
