from pathlib import Path

import numpy as np
import pytest

import striate.data
from striate.data import load_digits

FIRST = [6, 1, 5, 5, 0, 1, 6, 2, 4, 4, 4, 4]


def test_shapes_types_and_range():
    (x_train, y_train), (x_test, y_test) = load_digits()
    assert x_train.shape == (1437, 8, 8, 1) and x_test.shape == (360, 8, 8, 1)
    assert x_train.dtype == x_test.dtype == np.uint8
    assert y_train.shape == (1437,) and y_test.shape == (360,) and y_train.dtype == y_test.dtype == np.int64
    assert np.unique(x_train).tolist() == [(255 * level + 8) // 16 for level in range(17)]


def test_the_images_are_those_of_the_source():
    source = pytest.importorskip("sklearn.datasets").load_digits()
    with np.load(Path(striate.data.__file__).with_name("digits.npz"), allow_pickle=False) as archive:
        assert np.array_equal(archive["images"], source.images)
        assert np.array_equal(archive["labels"], source.target)
    (x_train, y_train), (x_test, y_test) = load_digits()
    ours = {
        (image.tobytes(), label)
        for image, label in zip(np.concatenate([x_train, x_test]), [*y_train, *y_test], strict=True)
    }
    stretched = np.floor((source.images * 255 + 8) / 16).astype(np.uint8)
    assert ours == {(image.tobytes(), label) for image, label in zip(stretched, source.target, strict=True)}


def test_every_digit_gives_a_fifth_and_the_order_is_mixed():
    (_, y_train), (_, y_test) = load_digits()
    total = np.bincount(y_train) + np.bincount(y_test)
    assert total.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.abs(np.bincount(y_test) - total * 360 / 1797).max() < 1
    # In the source the digits run 0, 1, 2, ... for long stretches.
    assert np.mean(np.diff(y_train) == 1) < 0.2


def test_the_split_is_fixed_and_follows_the_seed():
    (x_train, y_train), _ = load_digits()
    (x_again, y_again), _ = load_digits(seed=0)
    (x_other, _), (x_other_test, _) = load_digits(test_fraction=0.5, seed=1)
    assert np.array_equal(x_train, x_again) and np.array_equal(y_train, y_again)
    assert y_train[:12].tolist() == FIRST
    assert len(x_other_test) == 899
    assert not np.array_equal(x_other, x_train[: len(x_other)])


def test_the_attribution_travels_with_the_data():
    text = Path(striate.data.__file__).with_name("DIGITS-ATTRIBUTION.md").read_text(encoding="utf-8")
    for word in ("Alpaydin", "Kaynak", "CC BY 4.0", "UCI", "Optical Recognition of Handwritten Digits"):
        assert word in text


def test_it_stays_small():
    assert Path(striate.data.__file__).with_name("digits.npz").stat().st_size < 50_000


def test_wrong_fraction():
    with pytest.raises(ValueError, match="the fraction of a split must be between 0 and 1, got 2"):
        load_digits(test_fraction=2)


def test_the_examples_idx_files_hold_the_same():
    folder = Path(__file__).parents[2] / "examples" / "cpp" / "digits"
    for idx, bundled in zip(striate.data.load_idx(folder), load_digits(), strict=True):
        np.testing.assert_array_equal(idx[0], bundled[0])
        np.testing.assert_array_equal(idx[1], bundled[1])
