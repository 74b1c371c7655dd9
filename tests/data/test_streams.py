import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from striate.data._streams import check_seed, permutation

SEEDS = st.integers(0, 2**64 - 1)
PINNED = [5, 3, 7, 2, 4, 1, 0, 6]


@given(st.integers(0, 300), SEEDS)
def test_permutation_holds_every_number_once(n, seed):
    order = permutation(n, seed)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(n))
    assert np.array_equal(order, permutation(n, seed))


def test_permutation_is_pinned():
    # These numbers must not change: published splits depend on them.
    assert permutation(8, 0).tolist() == PINNED
    assert permutation(8, 1).tolist() != PINNED


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match=rf"^seed must be in 0 \.\. 2\*\*64 - 1, got {seed}$"):
        check_seed(seed)


def test_seed_of_a_wrong_kind():
    with pytest.raises(TypeError, match=r"^my seed must be an integer, got float$"):
        check_seed(1.5, "my seed")
    assert check_seed(np.int32(7)) == 7
