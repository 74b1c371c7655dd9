import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from striate.data import to_categorical


def test_values():
    got = to_categorical([0, 2, 1])
    assert got.dtype == np.float32
    assert got.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert to_categorical([[1], [0]], num_classes=4).tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert to_categorical(np.array(1), 3).tolist() == [0, 1, 0]
    assert to_categorical([True, False]).tolist() == [[0, 1], [1, 0]]
    assert to_categorical([1.0, 0.0]).tolist() == [[0, 1], [1, 0]]
    assert to_categorical([], 3).shape == (0, 3)


@given(
    hnp.arrays(
        st.sampled_from([np.uint8, np.int16, np.int64]),
        hnp.array_shapes(max_dims=3, max_side=5),
        elements=st.integers(0, 9),
    )
)
def test_argmax_is_the_inverse(labels):
    rows = to_categorical(labels, 10)
    expected = labels[..., 0] if labels.ndim > 1 and labels.shape[-1] == 1 else labels
    assert np.array_equal(rows.argmax(-1), expected)
    assert np.array_equal(rows.sum(-1), np.ones(expected.shape))


@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        (["cat", "dog"], None, TypeError, "to_categorical expects integer labels, got dtype <U3; number the classes"),
        ([0.5], None, ValueError, "to_categorical expects whole numbers, got 0.5"),
        ([np.nan], 3, ValueError, "to_categorical expects whole numbers, got nan"),
        ([np.inf], 3, ValueError, "to_categorical expects whole numbers, got inf"),
        ([0, -1], None, ValueError, "to_categorical expects labels of 0 or more, got -1"),
        ([-1], None, ValueError, "to_categorical expects labels of 0 or more, got -1"),
        (
            [0, 3],
            3,
            ValueError,
            "to_categorical got the label 3 with num_classes=3; labels run from 0 to num_classes - 1",
        ),
        (np.array([], dtype=int), None, ValueError, "to_categorical got no labels, so it cannot count the classes"),
        ([0], 0, ValueError, "to_categorical expects num_classes of at least 1, got 0"),
    ],
)
def test_wrong_labels(labels, classes, error, message):
    with pytest.raises(error) as caught:
        to_categorical(labels, classes)
    assert str(caught.value).startswith(message)
