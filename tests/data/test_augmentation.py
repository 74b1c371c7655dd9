import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data import Augment, augment, load_digits

EVERYTHING = {
    "flip_horizontal": True,
    "flip_vertical": 0.3,
    "rotation": 15.0,
    "shift": (0.1, 0.2),
    "zoom": 0.2,
    "crop": 2,
    "brightness": 0.1,
    "contrast": 0.3,
    "noise": 0.05,
}
SEEDS = st.integers(0, 2**64 - 1)
DTYPES = st.sampled_from(["uint8", "float32"])


def batch(count, height=6, width=5, channels=2, dtype="uint8", seed=0):
    images = np.random.default_rng(seed).integers(0, 256, (count, height, width, channels), dtype=np.uint8)
    return images if dtype == "uint8" else images.astype(np.float32) / 255


@st.composite
def changes(draw):
    """A random choice of changes."""
    names = draw(st.sets(st.sampled_from(sorted(EVERYTHING))))
    mode = draw(st.sampled_from(["reflect", "wrap", "constant", "nearest"]))
    return {name: EVERYTHING[name] for name in names} | {"fill_mode": mode}


@given(changes(), SEEDS, st.integers(0, 1000), DTYPES, st.lists(st.integers(1, 9), max_size=3), st.randoms())
def test_the_same_for_every_batch_split_and_order(options, seed, epoch, dtype, cuts, random):
    aug = Augment(**options, seed=seed)
    images, indices = batch(10, dtype=dtype), np.arange(10) * 7 + 3
    whole = aug(images, indices, epoch)
    assert whole.shape == images.shape and whole.dtype == images.dtype
    bounds = [0, *sorted(set(cuts)), 10]
    parts = [aug(images[a:b], indices[a:b], epoch) for a, b in itertools.pairwise(bounds)]
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    order = list(range(10))
    random.shuffle(order)
    assert aug(images[order], indices[order], epoch).tobytes() == whole[order].tobytes()


@given(SEEDS, st.integers(0, 1000), DTYPES)
def test_nothing_asked_nothing_changed(seed, epoch, dtype):
    images = batch(4, dtype=dtype)
    out = Augment(seed=seed)(images, np.arange(4), epoch)
    assert np.array_equal(out, images) and not np.shares_memory(out, images)


def test_the_input_is_left_alone():
    images = batch(8)
    before = images.copy()
    images.flags.writeable = False
    Augment(**EVERYTHING)(images, np.arange(8))
    assert np.array_equal(images, before)


def test_epochs_indices_and_seeds_differ():
    image = np.repeat(batch(1, 12, 12), 6, axis=0)
    base = Augment(**EVERYTHING)(image, np.arange(6), 0)
    assert len({one.tobytes() for one in base}) == 6
    assert not np.array_equal(base, Augment(**EVERYTHING)(image, np.arange(6), 1))
    assert not np.array_equal(base, Augment(**EVERYTHING, seed=1)(image, np.arange(6), 0))


@given(DTYPES, st.booleans(), st.booleans())
def test_certain_flips_are_exact(dtype, horizontal, vertical):
    images = batch(5, dtype=dtype)
    out = Augment(flip_horizontal=float(horizontal), flip_vertical=float(vertical))(images, np.arange(5))
    expected = images[:, :, ::-1] if horizontal else images
    assert np.array_equal(out, expected[:, ::-1] if vertical else expected)


@pytest.mark.parametrize(("flip", "share"), [(True, 0.5), (0.2, 0.2), (False, 0.0), (1, 1.0), (0, 0.0)])
def test_how_often_it_flips(flip, share):
    images = np.zeros((4000, 1, 2, 1), dtype=np.uint8)
    images[:, 0, 0] = 1
    flipped = augment(images, flip_horizontal=flip)[:, 0, 1, 0]
    assert abs(flipped.mean() - share) <= 0.03
    assert flipped.mean() == share or 0 < share < 1


@given(SEEDS, st.integers(0, 3))
def test_crop_is_a_whole_shift_within_its_pad(seed, pad):
    images = batch(6, 5, 4, 1)
    out = Augment(crop=pad, fill_mode="constant", fill_value=7, seed=seed)(images, np.arange(6))
    for before, after in zip(images, out, strict=True):
        padded = np.pad(before, ((pad, pad), (pad, pad), (0, 0)), constant_values=7)
        windows = [padded[y : y + 5, x : x + 4] for y in range(2 * pad + 1) for x in range(2 * pad + 1)]
        assert any(np.array_equal(after, window) for window in windows)


def test_crop_reaches_every_place():
    images = np.zeros((600, 5, 5, 1), dtype=np.uint8)
    images[:, 2, 2] = 1
    out = augment(images, crop=1, fill_mode="constant")
    counts = out.sum(axis=0)[1:4, 1:4, 0]
    assert counts.sum() == 600 and counts.min() > 35  # 67 expected at each


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"rotation": 30.0}, lambda d: np.abs(np.rad2deg(np.arctan2(d[:, 1, 0], d[:, 0, 0]))).max()),
        ({"zoom": 0.3}, lambda d: (1 / d[:, 0, 0]).max() * 100 - 100),
        ({"zoom": (0.7, 1.0)}, lambda d: 100 - 100 / d[:, 0, 0].max()),
        ({"shift": (0.0, 0.3)}, lambda d: np.abs(d[:, 0, 2]).max()),
        ({"shift": (0.3, 0.0)}, lambda d: np.abs(d[:, 1, 2]).max()),
    ],
)
def test_changes_fill_their_range(options, expected):
    drawn = Augment(**options).draw(np.arange(3000), 0, 100, 100).matrices
    assert 29.9 <= expected(drawn) <= 30.0


def test_a_shift_is_a_fraction_of_its_side():
    drawn = Augment(shift=0.5).draw(np.arange(3000), 0, 10, 40).matrices
    assert 4.9 < np.abs(drawn[:, 1, 2]).max() <= 5 and 19.9 < np.abs(drawn[:, 0, 2]).max() <= 20


def test_one_change_does_not_disturb_another():
    alone = Augment(rotation=20.0, seed=3).draw(np.arange(50), 2, 9, 9)
    more = Augment(rotation=20.0, flip_horizontal=True, brightness=0.5, noise=0.1, seed=3).draw(np.arange(50), 2, 9, 9)
    assert np.array_equal(np.abs(alone.matrices[:, 0, 0]), np.abs(more.matrices[:, 0, 0]))


def test_brightness_adds():
    images = np.full((3000, 2, 2, 1), 100, dtype=np.uint8)
    out = augment(images, brightness=0.2).astype(int)
    assert (out == out[:, :1, :1]).all()
    assert out.min() == 49 and out.max() == 151
    assert abs(out.mean() - 100) < 2
    assert (augment(np.full((500, 2, 2, 1), 250, np.uint8), brightness=1.0) >= 0).all()
    assert {0, 255} <= set(augment(np.full((500, 2, 2, 1), 128, np.uint8), brightness=1.0).ravel().tolist())


def test_contrast_keeps_each_channels_mean():
    images = batch(200, 8, 8, 3, "float32")
    out = augment(images, contrast=0.4)
    assert np.allclose(out.mean(axis=(1, 2)), images.mean(axis=(1, 2)), atol=1e-6)
    ratio = out.std(axis=(1, 2)) / images.std(axis=(1, 2))
    assert np.allclose(ratio, ratio[:, :1], atol=1e-4)
    assert 0.6 <= ratio.min() < 0.62 and 1.38 < ratio.max() <= 1.4001


def test_contrast_and_brightness_are_their_formula():
    aug = Augment(contrast=0.4, brightness=0.3)
    images = batch(20, dtype="float32")
    drawn = aug.draw(np.arange(20), 4, 6, 5, np.float32)
    mean = images.mean(axis=(1, 2), keepdims=True)
    factor, offset = drawn.contrast[:, None, None, None], drawn.brightness[:, None, None, None]
    assert np.allclose(aug(images, np.arange(20), 4), (images - mean) * factor + mean + offset, atol=1e-6)


def test_noise_is_normal():
    images = np.full((50, 40, 40, 1), 128, dtype=np.uint8)
    out = augment(images, noise=0.1).astype(float) - 128
    assert abs(out.mean()) < 0.5 and abs(out.std() - 25.5) < 0.5
    floats = augment(np.zeros((50, 40, 40, 1), np.float32), noise=0.1)
    assert abs(floats.std() - 0.1) < 0.001
    assert abs((np.abs(floats) < 0.1).mean() - 0.6827) < 0.01
    # Two images, and two epochs of one image, share no noise.
    assert abs(np.corrcoef(floats[0].ravel(), floats[1].ravel())[0, 1]) < 0.1
    twice = augment(np.zeros((1, 40, 40, 1), np.float32), noise=0.1, copies=2)
    assert abs(np.corrcoef(twice[0].ravel(), twice[1].ravel())[0, 1]) < 0.1


def test_values_are_cut_to_their_range():
    images = batch(30)
    out = augment(images, noise=2.0)
    assert out.min() == 0 and out.max() == 255
    free = augment(batch(30, dtype="float32"), noise=2.0)
    assert free.min() < -1 and free.max() > 2
    units = (batch(30, dtype="float32") * 1000 - 500).astype(np.float32)
    cut = augment(units, noise=0.1, brightness=0.5, value_range=(-500, 500))
    assert cut.min() == -500 and cut.max() == 500
    assert np.abs(cut - units).mean() > 50


def test_geometry_leaves_floats_in_their_range_without_cutting():
    units = (batch(20, dtype="float32") * 3000 - 1000).astype(np.float32)
    out = augment(units, rotation=40.0, zoom=0.3)
    assert out.min() >= units.min() and out.max() <= units.max() and out.min() < -900 and out.max() > 1900


def test_uint8_is_rounded_to_the_nearest():
    aug = Augment(rotation=25.0, shift=0.1, zoom=0.1)
    images = batch(20)
    rounded, exact = aug(images, np.arange(20)), aug(images.astype(np.float32), np.arange(20))
    assert np.array_equal(rounded, np.rint(exact))


def test_fill_value_comes_in_from_outside():
    images = np.full((40, 8, 8, 1), 10, dtype=np.uint8)
    out = augment(images, shift=0.4, fill_mode="constant", fill_value=200)
    assert out.max() == 200 and out.min() == 10
    assert (augment(images, shift=0.4, rotation=90.0) == 10).all()


def test_copies_and_labels():
    (x, y), _ = load_digits()
    x, y = x[:300], y[:300]
    images, labels = augment(x, y, copies=3, rotation=10.0, shift=0.1, seed=9)
    assert images.shape == (900, 8, 8, 1) and images.dtype == np.uint8
    assert np.array_equal(labels, np.concatenate([y, y, y]))
    aug = Augment(rotation=10.0, shift=0.1, seed=9)
    for copy in range(3):
        assert np.array_equal(images[copy * 300 : (copy + 1) * 300], aug(x, np.arange(300), copy))
    assert np.array_equal(augment(x, copies=3, rotation=10.0, shift=0.1, seed=9), images)
    one_hot = np.eye(10)[y]
    assert np.array_equal(augment(x, one_hot, copies=2)[1], np.concatenate([one_hot, one_hot]))


def test_an_empty_batch():
    empty = np.zeros((0, 4, 4, 1), dtype=np.uint8)
    assert Augment(rotation=3.0)(empty, np.array([], dtype=int)).shape == (0, 4, 4, 1)
    assert augment(empty, copies=2).shape == (0, 4, 4, 1)


def test_one_pixel():
    image = np.full((3, 1, 1, 1), 77, dtype=np.uint8)
    assert (augment(image, flip_horizontal=True, rotation=180.0, shift=1.0, zoom=0.5, crop=3) == 77).all()


def test_it_says_what_it_does_and_is_a_value():
    assert Augment(rotation=5.0) == Augment(rotation=5.0) != Augment(rotation=6.0)
    assert "rotation=5.0" in repr(Augment(rotation=5.0))
    with pytest.raises(AttributeError):
        Augment().rotation = 3.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"flip_horizontal": 1.5}, ValueError, "flip_horizontal (True, False or a probability) within 0 .. 1, got 1.5"),
        ({"flip_vertical": -1}, ValueError, "flip_vertical (True, False or a probability) within 0 .. 1, got -1"),
        ({"flip_vertical": "yes"}, TypeError, "flip_vertical as a number, got 'yes'"),
        ({"rotation": -5}, ValueError, "rotation (degrees) within 0 .. 360, got -5"),
        ({"rotation": np.nan}, ValueError, "rotation (degrees) within 0 .. 360, got nan"),
        ({"rotation": (5, 10)}, TypeError, "rotation as a number, got (5, 10)"),
        ({"shift": 1.5}, ValueError, "shift (a fraction of the size) within 0 .. 1, got 1.5"),
        ({"shift": (0.1, -0.2)}, ValueError, "shift (a fraction of the size) within 0 .. 1, got -0.2"),
        ({"shift": (1, 2, 3)}, TypeError, "shift as a number or a pair of numbers, got (1, 2, 3)"),
        ({"zoom": 1.0}, ValueError, "zoom (a fraction) within 0 .. 0.99, got 1.0"),
        (
            {"zoom": (1.2, 0.8)},
            ValueError,
            "as a pair (smallest, largest) of scales within 0.01 .. 100, got (1.2, 0.8)",
        ),
        (
            {"zoom": (0.0, 1.0)},
            ValueError,
            "as a pair (smallest, largest) of scales within 0.01 .. 100, got (0.0, 1.0)",
        ),
        ({"zoom": "in"}, TypeError, "zoom as a number, got 'in'"),
        ({"crop": -1}, ValueError, "crop as a whole number of pixels within 0 .. 1048576, got -1"),
        ({"crop": 0.5}, ValueError, "crop as a whole number of pixels within 0 .. 1048576, got 0.5"),
        ({"brightness": -0.1}, ValueError, "brightness (a fraction of the range of values) within 0 .. inf, got -0.1"),
        ({"contrast": 2}, ValueError, "contrast (a fraction) within 0 .. 1, got 2"),
        ({"noise": np.inf}, ValueError, "noise (a fraction of the range of values) within 0 .. inf, got inf"),
        (
            {"fill_mode": "mirror"},
            ValueError,
            "fill_mode to be one of auto, reflect, wrap, constant, nearest, got 'mirror'",
        ),
        ({"fill_value": np.nan}, ValueError, "expects a finite fill_value, got nan"),
        ({"value_range": (1, 0)}, ValueError, "value_range=(low, high) with low < high, got (1, 0)"),
        ({"value_range": (0,)}, TypeError, "value_range as a number or a pair of numbers, got (0,)"),
        ({"seed": -1}, ValueError, "Augment's seed must be in 0 .. 2**64 - 1, got -1"),
        ({"seed": "a"}, TypeError, "Augment's seed must be an integer, got str"),
    ],
)
def test_wrong_options(options, error, message):
    for call in (lambda: Augment(**options), lambda: augment(batch(2), **options)):
        with pytest.raises(error) as caught:
            call()
        assert message in str(caught.value) and "Augment" in str(caught.value)


@pytest.mark.parametrize(
    ("images", "indices", "epoch", "error", "message"),
    [
        (
            batch(2).astype(np.float64),
            [0, 1],
            0,
            TypeError,
            "augmentation expects uint8 or float32 images, got float64",
        ),
        (
            batch(2)[..., 0],
            [0, 1],
            0,
            ValueError,
            "(N, H, W, C), got shape (2, 6, 5); add the channel with x[..., numpy",
        ),
        (batch(2)[0, 0], [0, 1], 0, ValueError, "augmentation expects images (N, H, W, C), got shape (5, 2)"),
        (batch(2)[:, :0], [0, 1], 0, ValueError, "augmentation expects images (N, H, W, C), got shape (2, 0, 5, 2)"),
        (batch(2), [0], 0, ValueError, "Augment expects one index for each image, (2,), got shape (1,)"),
        (batch(2), [[0, 1]], 0, ValueError, "Augment expects one index for each image, (2,), got shape (1, 2)"),
        (batch(2), [0, -1], 0, ValueError, "Augment expects indices of 0 or more, got -1"),
        (batch(2), [0.0, 1.0], 0, TypeError, "Augment expects integer indices, got dtype float64"),
        (batch(2), [0, 1], -1, ValueError, "Augment's epoch must be in 0 .. 2**64 - 1, got -1"),
        (batch(2), [0, 1], 0.5, TypeError, "Augment's epoch must be an integer, got float"),
    ],
)
def test_wrong_calls(images, indices, epoch, error, message):
    with pytest.raises(error) as caught:
        Augment(rotation=5.0)(images, np.array(indices), epoch)
    assert message in str(caught.value)


def test_wrong_calls_of_the_function():
    with pytest.raises(
        TypeError, match=r"^augment has no change rotate, tilt; it knows flip_horizontal, .*, value_range$"
    ):
        augment(batch(2), rotate=3, tilt=2)
    for copies in (0, 1.5, None):
        with pytest.raises(ValueError, match=rf"^augment expects copies of 1 or more, got {copies}$"):
            augment(batch(2), copies=copies)
    with pytest.raises(ValueError, match=r"as many labels as images, got x of shape \(2, 6, 5, 2\) and y of \(3,\)$"):
        augment(batch(2), np.zeros(3))
    with pytest.raises(ValueError, match=r"^Augment's fill_value 300 is out of the range 0 \.\. 255 of uint8 images$"):
        augment(batch(2), fill_mode="constant", fill_value=300)


@pytest.mark.parametrize("value", [-1, 2**20 + 1, 2**31, 2**40, 2**63 - 1, 2**63, True, 1.5])
def test_crops_and_grids_out_of_range(value):
    with pytest.raises(ValueError, match=r"crop as a whole number of pixels within 0 \.\. 1048576"):
        Augment(crop=value)
    with pytest.raises(ValueError, match=r"elastic_grid as a whole number of cells within 1 \.\. 1024"):
        Augment(elastic_grid=value)


@pytest.mark.parametrize("mode", ["reflect", "wrap", "constant", "nearest"])
@pytest.mark.parametrize("shape", [(1, 3000), (3000, 1), (1, 1), (17, 5)])
def test_far_sources_stay_inside_the_image(mode, shape):
    """Coordinates far beyond the image: every value is one of the image's or the fill."""
    x = np.random.default_rng(0).uniform(0.25, 1, (4, *shape, 1)).astype(np.float32)
    change = Augment(crop=2**20, rotation=360, zoom=(0.01, 0.02), fill_mode=mode, fill_value=0.5)
    out = change(x, np.arange(4))
    assert np.isfinite(out).all() and out.min() >= x.min() and out.max() <= x.max()
    masks = change.masks((x[..., 0] > 0.5).astype(np.int16) + 3, np.arange(4))
    assert set(np.unique(masks)) <= {0, 3, 4}


def test_the_finest_grid():
    x = np.random.default_rng(0).random((1, 8, 8, 1)).astype(np.float32)
    out = Augment(elastic=0.1, elastic_grid=1024)(x, np.arange(1))
    assert 0 <= out.min() and out.max() <= 1
