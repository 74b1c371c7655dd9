"""The cost of one convolution over batches, sides of the map and channels; scaling.py prints and draws it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import striate as st
from striate import layers as L

KINDS = ("3x3", "1x1", "depthwise", "grouped")
MEASURES = ("predict", "train")
AXES = {"batch": "images of the batch", "side": "pixels of a side", "channels": "channels"}
GROUP = 2  # channels of a group of the grouped convolution: each even number of channels has whole groups
STEP = 1.4  # adjacent sizes whose costs differ by more than this factor are named
FEWEST = 3  # calls of each

# The other two while one varies; the batch is 1 while the side varies.
BATCH, SIDE, CHANNELS = 8, 32, 64


@dataclass(frozen=True)
class Size:
    batch: int = BATCH
    side: int = SIDE
    channels: int = CHANNELS

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.side, self.side, self.channels


@dataclass(frozen=True)
class Curve:
    kind: str
    measure: str
    axis: str
    values: tuple[int, ...]
    microseconds: tuple[float, ...]  # an image
    picoseconds: tuple[float, ...]  # a multiply-add of the forward pass

    def steps(self) -> list[str]:
        """Where the cost of a multiply-add changes by more than the factor from one size to the next."""
        found = []
        pairs = zip(self.values, self.picoseconds, strict=True)
        before, cost = next(pairs)
        for value, next_cost in pairs:
            factor = max(next_cost / cost, cost / next_cost)
            if factor > STEP:
                slow, fast = (value, before) if next_cost > cost else (before, value)
                found.append(
                    f"{self.kind}, {self.measure}, {self.axis}: {slow} takes {factor:.2f} times as long as {fast}"
                )
            before, cost = value, next_cost
        return found


def convolution(kind: str, channels: int) -> L.Layer:
    """As many filters as channels, `same` padding, with a bias."""
    if kind == "depthwise":
        return L.DepthwiseConv2D(3, padding="same")
    groups = channels // GROUP if kind == "grouped" else 1
    return L.Conv2D(channels, 1 if kind == "1x1" else 3, padding="same", groups=groups)


def multiply_adds(kind: str, size: Size) -> int:
    """Of one image."""
    window, inputs = (1 if kind == "1x1" else 9), {"depthwise": 1, "grouped": GROUP}.get(kind, size.channels)
    return size.side**2 * size.channels * window * inputs


def call_of(kind: str, measure: str, size: Size) -> Callable[[], Any]:
    """A prediction of the batch, or its forward pass and the gradients to the input and to the weights."""
    inputs = L.Input(size.shape)
    model = st.Model(inputs, convolution(kind, size.channels)(inputs), seed=0)
    x = np.random.default_rng(0).standard_normal((size.batch, *size.shape), dtype=np.float32)
    if measure == "predict":
        return lambda: model.predict_on_batch(x)

    def step() -> None:
        model.forward(x, training=True)
        model.backward(x)  # the output has the input's shape

    return step


def seconds_of(call: Callable[[], Any], seconds: float) -> float:
    """The median of the calls after the first."""
    call()
    samples: list[float] = []
    end = time.perf_counter() + seconds
    while len(samples) < FEWEST or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        samples.append(time.perf_counter() - start)
    return statistics.median(samples)


def curve(kind: str, measure: str, axis: str, values: Sequence[int], seconds: float) -> Curve:
    """Measures a convolution for each value of one axis.

    Raises:
        ValueError: no values, or channels that the groups do not divide.
    """
    if not values:
        raise ValueError(f"{axis}: at least one size is needed")
    if axis == "channels" and kind == "grouped" and any(value % GROUP for value in values):
        raise ValueError(f"channels of the grouped convolution must be divisible by {GROUP}, got {list(values)}")
    times, costs = [], []
    for value in values:
        size = Size(**{"batch": 1 if axis == "side" else BATCH, axis: value})
        taken = seconds_of(call_of(kind, measure, size), seconds) / size.batch
        times.append(1e6 * taken)
        costs.append(1e12 * taken / multiply_adds(kind, size))
    return Curve(kind, measure, axis, tuple(values), tuple(times), tuple(costs))


def table(curves: Sequence[Curve]) -> str:
    """Of curves over the same sizes: microseconds an image, picoseconds a multiply-add."""
    lines = [
        f"| µs an image (ps a multiply-add), {curves[0].axis} | " + " | ".join(map(str, curves[0].values)) + " |",
        "|---|" + "---|" * len(curves[0].values),
    ]
    for each in curves:
        cells = [f"{taken:.3g} ({cost:.3g})" for taken, cost in zip(each.microseconds, each.picoseconds, strict=True)]
        lines.append(f"| {each.kind}, {each.measure} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw(curves: Sequence[Curve], path: Path) -> None:
    """A picture: a column for each axis, a row for each measure, a line for each convolution."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    axes = list(dict.fromkeys(each.axis for each in curves))
    measures = list(dict.fromkeys(each.measure for each in curves))
    figure = Figure(figsize=(5 * len(axes), 3.6 * len(measures)), layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.subplots(len(measures), len(axes), squeeze=False)
    for row, measure in enumerate(measures):
        for column, axis in enumerate(axes):
            plot = grid[row][column]
            for each in curves:
                if (each.axis, each.measure) == (axis, measure):
                    plot.plot(each.values, each.picoseconds, marker=".", label=each.kind)
            plot.set(title=measure, xlabel=AXES[axis], ylabel="ps a multiply-add", yscale="log")
            if axis != "channels":
                plot.set_xscale("log", base=2)
            plot.grid(alpha=0.3)
    grid[0][0].legend()
    figure.savefig(path, dpi=110)


def over_sizes(kinds: Sequence[str], measures: Sequence[str], sizes: dict[str, Sequence[int]], seconds: float,
               picture: Path | None) -> None:  # fmt: skip
    """Prints a table for each axis and the steps above the factor, and saves the picture."""
    curves: list[Curve] = []
    for axis, values in sizes.items():
        found = [curve(kind, measure, axis, values, seconds) for measure in measures for kind in kinds]
        print(table(found), end="\n\n", flush=True)
        curves += found
    steps = [step for each in curves for step in each.steps()]
    print(f"Adjacent sizes between which the time of a multiply-add differs by more than {STEP}: {len(steps)}")
    for step in steps:
        print(f"- {step}")
    if picture is not None:
        draw(curves, picture)
        print(f"\n{picture} shows the curves")
