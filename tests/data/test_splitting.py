import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data import split, to_categorical


@given(
    st.lists(st.integers(0, 4), min_size=12, max_size=80),
    st.floats(0.05, 0.6),
    st.integers(0, 2**64 - 1),
    st.booleans(),
)
def test_parts_hold_everything_once(labels, fraction, seed, stratify):
    y = np.array(labels)
    x = np.arange(len(y))[:, None]
    counts = np.unique(y, return_counts=True)[1]
    if stratify and (counts == 1).all():
        return
    (x_train, y_train), (x_test, y_test) = split(x, y, fraction, seed, stratify)
    both = np.concatenate([x_train, x_test])
    assert np.array_equal(np.sort(both[:, 0]), np.arange(len(y)))
    assert np.array_equal(np.concatenate([y_train, y_test]), y[both[:, 0]])
    wanted = int(np.ceil(round(len(y) * fraction, 9)))
    if stratify:
        assert len(x_test) == min(wanted, len(y) - len(counts))
        assert set(y_train.tolist()) == set(labels)
    else:
        assert len(x_test) == wanted


def test_each_class_gives_its_share():
    y = np.repeat([0, 1, 2], [50, 30, 20])
    (_, y_train), (x_test, y_test) = split(np.arange(100), y, 0.2)
    assert np.bincount(y_test).tolist() == [10, 6, 4]
    assert np.bincount(y_train).tolist() == [40, 24, 16]
    assert x_test.tolist() != sorted(x_test.tolist())


def test_same_seed_same_split():
    x, y = np.arange(60), np.arange(60) % 3
    first, second, other = split(x, y, seed=5), split(x, y, seed=5), split(x, y, seed=6)
    assert np.array_equal(first[1][0], second[1][0])
    assert not np.array_equal(first[1][0], other[1][0])


def test_labels_of_several_kinds_give_one_split():
    y = np.arange(60) % 3
    expected = split(np.arange(60), y)[1][0]
    for labels in (y[:, None], to_categorical(y), y.astype(np.uint8), np.array(["a", "b", "c"])[y]):
        assert np.array_equal(split(np.arange(60), labels)[1][0], expected)


def test_rounding_does_not_add_a_sample():
    # 0.07 * 100 is a little more than 7 in binary.
    assert len(split(np.arange(100), np.zeros(100, dtype=int), 0.07)[1][0]) == 7


def test_parts_are_copies():
    x = np.zeros((10, 2))
    (x_train, _), _ = split(x, np.zeros(10, dtype=int))
    x_train += 1
    assert not x.any()


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (
            np.zeros((3, 2)),
            np.zeros(4),
            {},
            r"split expects as many labels as samples, got x of shape \(3, 2\) and y of",
        ),
        (np.zeros(4), np.zeros(4, int), {"fraction": 0.0}, "the fraction of a split must be between 0 and 1, got 0.0"),
        (np.zeros(4), np.zeros(4, int), {"fraction": 1.0}, "the fraction of a split must be between 0 and 1, got 1.0"),
        (
            np.zeros(4),
            np.zeros(4, int),
            {"fraction": np.nan},
            "the fraction of a split must be between 0 and 1, got nan",
        ),
        (
            np.zeros(1),
            np.zeros(1, int),
            {},
            "a split takes at least 2 samples, got 1",
        ),
        (np.zeros(0), np.zeros(0, int), {}, "a split takes at least 2 samples, got 0"),
        (np.zeros(4), np.arange(4), {}, "4 samples of 4 classes cannot be split with fraction 0.2: a part is empty"),
        (np.zeros(4), np.linspace(0, 1, 4), {}, r"split can stratify integer .* dtype float64; pass stratify=False"),
        (np.zeros(4), np.zeros((4, 8, 8), int), {}, r"got y of shape \(4, 8, 8\) and dtype int64; pass stratify=False"),
        (np.zeros(4), np.zeros(4, int), {"seed": -1}, r"seed must be in 0 \.\. 2\*\*64 - 1, got -1"),
    ],
)
def test_wrong_arguments(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        split(x, y, **options)


def test_masks_split_without_classes():
    masks = np.arange(10)[:, None, None] * np.ones((1, 4, 4))
    (x_train, y_train), (x_test, y_test) = split(np.arange(10), masks, 0.3, stratify=False)
    assert len(x_test) == 3
    assert np.array_equal(y_train[:, 0, 0], x_train) and np.array_equal(y_test[:, 0, 0], x_test)
