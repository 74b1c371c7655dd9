"""The limit beside the benchmarks' times, counted by hand; the curves over sizes and their steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import striate as st
from striate import layers as L

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import sizes
from limits import best_rates, limit_seconds

# 6x6x2 -> convolution 3x3, 4 filters, without bias -> 6x6x4 -> the same again -> sum of both -> average -> dense 5.
FIRST, SECOND, DENSE = 72, 144, 4 * 5 + 5


def network() -> st.Model:
    inputs = L.Input((6, 6, 2))
    x = L.Conv2D(4, 3, padding="same", use_bias=False)(inputs)
    y = L.ReLU()(L.Conv2D(4, 3, padding="same", use_bias=False)(x))
    return st.Model(inputs, L.Dense(5)(L.GlobalAveragePooling2D()(L.Add()([x, y]))))


def floats(batch: int) -> list[int]:
    """Read and written by the first convolution, the second, the sum, the average, the dense layer."""
    return [
        batch * (72 + 144) + FIRST,
        batch * (144 + 144) + SECOND,
        batch * 144,
        batch * (144 + 4),
        batch * (4 + 5) + DENSE,
    ]


@pytest.mark.parametrize("batch", [1, 3])
def test_the_limit_of_slow_memory_counts_bytes(batch: int) -> None:
    rates = (1e30, [(1e3, 100.0)])
    first, second, sums, average, dense = floats(batch)
    assert limit_seconds(network(), batch, False, rates) == pytest.approx(4 * sum(floats(batch)) / 100)
    # Nothing learns before the first convolution: no gradient to its input.
    training = 2 * first + 3 * second + 2 * sums + 2 * average + 3 * dense + 7 * (FIRST + SECOND + DENSE)
    assert limit_seconds(network(), batch, True, rates) == pytest.approx(4 * training / 100)


@pytest.mark.parametrize("batch", [1, 3])
def test_the_limit_of_fast_memory_counts_multiply_adds(batch: int) -> None:
    rates = (1000.0, [(1e3, 1e30)])
    first, second, dense = batch * 36 * 18 * 4, batch * 36 * 36 * 4, batch * 20
    assert limit_seconds(network(), batch, False, rates) == pytest.approx(2 * (first + second + dense) / 1000)
    assert limit_seconds(network(), batch, True, rates) == pytest.approx(2 * (2 * first + 3 * (second + dense)) / 1000)


def test_each_layer_counts_the_larger_and_the_copy_of_its_size() -> None:
    inputs = L.Input((6, 6, 2))
    model = st.Model(
        inputs, L.DepthwiseConv2D(1, use_bias=False)(L.Conv2D(4, 3, padding="same", use_bias=False)(inputs))
    )
    # 1152 bytes of the only layer that counts are nearest to 1000; the factors of channels are free.
    rates = (2.0 * 36 * 18 * 4, [(1e3, 4.0 * (72 + 144 + 72)), (1e6, 1e30)])
    assert limit_seconds(model, 1, False, rates) == pytest.approx(1.0)
    assert limit_seconds(model, 1, False, (4 * rates[0], [(1e3, rates[1][0][1] / 2)])) == pytest.approx(2.0)


def test_the_best_of_each_rate_counts() -> None:
    measured = [(5.0, [(1.0, 2.0), (8.0, 9.0)]), (4.0, [(1.0, 3.0), (8.0, 7.0)])]
    assert best_rates(measured) == (5.0, [(1.0, 9.0), (8.0, 9.0)])
    assert best_rates([*measured, (1.0, [(1.0, 12.0), (8.0, 1.0)])]) == (5.0, [(1.0, 12.0), (8.0, 9.0)])


@pytest.mark.parametrize("kind", sizes.KINDS)
def test_multiply_adds_are_those_of_the_layer(kind: str) -> None:
    size = sizes.Size(1, 6, 8)
    inputs = L.Input(size.shape)
    lines = []
    st.Model(inputs, sizes.convolution(kind, 8)(inputs)).summary(print_fn=lines.append)
    assert f"Multiply-adds for one sample: {sizes.multiply_adds(kind, size):,}" in "\n".join(lines)


@pytest.mark.parametrize("measure", sizes.MEASURES)
def test_curves_are_measured_and_drawn(measure: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("matplotlib")
    picture = tmp_path / "curves.png"
    sizes.over_sizes(sizes.KINDS, [measure], {"batch": [1, 2], "side": [4, 5], "channels": [2, 4]}, 0.0, picture)
    printed = capsys.readouterr().out
    for kind in sizes.KINDS:
        assert printed.count(f"| {kind}, {measure} |") == 3
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_steps_name_the_slower_size() -> None:
    curve = sizes.Curve("3x3", "predict", "channels", (16, 18, 20, 22), (1.0,) * 4, (1.0, 1.39, 2.0, 1.0))
    assert curve.steps() == [
        "3x3, predict, channels: 20 takes 1.44 times as long as 18",
        "3x3, predict, channels: 20 takes 2.00 times as long as 22",
    ]


def test_groups_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="divisible by 2"):
        sizes.curve("grouped", "predict", "channels", [16, 17], 0.0)
    with pytest.raises(ValueError, match="at least one size"):
        sizes.curve("3x3", "predict", "side", [], 0.0)
