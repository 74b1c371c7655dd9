"""Images sampled through given maps, against the definition in float64."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference.augmentation import affine, places, sample
from striate.data import Augment
from striate.data.augmentation import FILL_MODES

MODES = st.sampled_from(FILL_MODES)


def maps(height, width, count=1, **values):
    """One map for each image; what is not named is left at rest."""
    return np.repeat(affine(height, width, **values)[np.newaxis], count, axis=0)


def warp(images, matrices, fill_mode, fill_value):
    change = Augment(fill_mode=fill_mode, fill_value=fill_value)._change()
    return change.images(np.ascontiguousarray(images), np.arange(len(images)), 0, matrices)


def definition(image, matrix, mode, fill):
    return sample(image, *places(matrix, *image.shape[:2]), mode, fill)


@given(
    st.integers(1, 6),
    st.integers(1, 6),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.floats(-180, 180),
    st.floats(0.3, 3),
    st.floats(-4, 4),
    st.floats(-4, 4),
    MODES,
    st.integers(0, 2**32 - 1),
)
def test_sampling_is_its_definition(height, width, channels, flip_x, flip_y, angle, zoom, shift_x, shift_y, mode, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
    matrix = maps(height, width, flip_x=flip_x, flip_y=flip_y, angle=angle, zoom=zoom, shift_x=shift_x, shift_y=shift_y)
    want = definition(image, matrix[0], mode, 77.0)
    got = warp(image[None].astype(np.float32), matrix, mode, 77.0)[0]
    # A coordinate is rounded to float32: at most 1e-6 of a pixel here, times 255.
    assert np.abs(got - want).max() < 2e-3
    assert np.abs(warp(image[None], matrix, mode, 77.0)[0] - want).max() < 0.5 + 2e-3


@given(
    st.integers(1, 6), st.integers(1, 6), st.integers(-9, 9), st.integers(-9, 9), st.booleans(), st.booleans(), MODES
)
def test_whole_pixels_are_exact(height, width, shift_x, shift_y, flip_x, flip_y, mode):
    image = np.arange(height * width * 2, dtype=np.uint8).reshape(height, width, 2)
    matrix = maps(height, width, flip_x=flip_x, flip_y=flip_y, shift_x=shift_x, shift_y=shift_y)
    got = warp(image[None], matrix, mode, 99.0)
    assert got.dtype == np.uint8
    assert np.array_equal(got[0], definition(image, matrix[0], mode, 99.0))


def test_each_part_goes_the_way_its_name_says():
    image = np.arange(12, dtype=np.uint8).reshape(1, 3, 4, 1)

    def moved(**part):
        return warp(image, maps(3, 4, **part), "constant", 0.0)[0, :, :, 0]

    start = image[0, :, :, 0]
    assert np.array_equal(moved(flip_x=True), start[:, ::-1])
    assert np.array_equal(moved(flip_y=True), start[::-1])
    assert np.array_equal(moved(shift_x=1.0)[:, 1:], start[:, :-1]) and not moved(shift_x=1.0)[:, 0].any()
    assert np.array_equal(moved(shift_y=1.0)[1:], start[:-1]) and not moved(shift_y=1.0)[0].any()
    square = np.arange(9, dtype=np.float32).reshape(1, 3, 3, 1)
    turned = warp(square, maps(3, 3, angle=90.0), "nearest", 0.0)[0, :, :, 0]
    assert np.allclose(turned, np.rot90(square[0, :, :, 0]), atol=1e-5)
    larger = warp(square, maps(3, 3, zoom=2.0), "nearest", 0.0)[0, :, :, 0]
    assert np.allclose(larger, [[2, 2.5, 3], [3.5, 4, 4.5], [5, 5.5, 6]])


def test_a_turn_there_and_back():
    y, x = np.mgrid[:33, :33]
    smooth = (np.sin(x / 5) + np.cos(y / 4 + x / 9)).astype(np.float32)[None, :, :, None]
    there = warp(smooth, maps(33, 33, angle=20.0), "reflect", 0.0)
    back = warp(there, maps(33, 33, angle=-20.0), "reflect", 0.0)
    inner = np.s_[:, 9:-9, 9:-9]
    assert np.abs(back[inner] - smooth[inner]).max() < 0.05


@given(st.integers(0, 255), st.floats(-180, 180), st.floats(0.2, 4), st.sampled_from(["reflect", "wrap", "nearest"]))
def test_a_flat_image_stays_flat_to_the_bit(value, angle, zoom, mode):
    image = np.full((1, 7, 5, 3), value, dtype=np.uint8)
    assert (warp(image, maps(7, 5, angle=angle, zoom=zoom, shift_x=0.3), mode, 0.0) == value).all()


def test_each_image_has_a_map_of_its_own():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, 9, 8, 3), dtype=np.uint8)
    matrices = np.concatenate(
        [
            maps(9, 8),
            maps(9, 8, angle=10.0),
            maps(9, 8, flip_x=True),
            maps(9, 8, zoom=1.3),
            maps(9, 8),
            maps(9, 8, shift_y=0.5),
        ]
    )
    together = warp(images, matrices, "reflect", 0.0)
    for row in range(6):
        assert np.array_equal(together[row], warp(images[row : row + 1], matrices[row : row + 1], "reflect", 0.0)[0])


def test_not_contiguous_and_read_only():
    images = np.random.default_rng(0).integers(0, 256, (3, 6, 5, 2), dtype=np.uint8)
    strided = np.asfortranarray(images)[::1]
    strided.flags.writeable = False
    for matrix in (maps(6, 5, 3, angle=30.0), maps(6, 5, 3, flip_y=True)):
        assert np.array_equal(warp(strided, matrix, "reflect", 0.0), warp(images, matrix, "reflect", 0.0))


@pytest.mark.parametrize("mode", FILL_MODES)
def test_far_away(mode):
    image = np.full((1, 4, 4, 1), 9, dtype=np.uint8)
    out = warp(image, maps(4, 4, shift_x=1000.5), mode, 3.0)
    assert (out == (3 if mode == "constant" else 9)).all()
