"""What a custom layer and a custom loss in Python cost: a training step with them, beside the same of the core.

    python benchmarks/own_code.py

For small and large batches of maps, the median time of a step, and what a host step adds: taking the interpreter's
lock, copies of the arrays, the methods themselves, and the copy of the weights by which a failed step is undone.
"""

from __future__ import annotations

import statistics
import time
from typing import Any

import numpy as np

import striate as st
from striate.layers import Activation, Conv2D, Flatten, Input, Layer


class Relu(Layer):
    """`max(x, 0)` in Python."""

    def call(self, x: Any) -> Any:
        return np.maximum(x, 0)

    def backward(self, dy: Any, x: Any) -> Any:
        return dy * (x > 0)


def squares(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """The mean squared error in Python."""
    difference = y_pred - y_true
    return (difference**2).mean(axis=-1), 2 / y_pred.shape[-1] * difference


def seconds(layer: Layer, loss: Any, side: int, batch: int, steps: int = 30) -> float:
    """The median time of a training step."""
    layers = [Input((side, side, 8)), Conv2D(16, 3, padding="same"), layer, Flatten(), st.layers.Dense(4)]
    model = st.Sequential(layers, seed=0)
    model.compile("sgd", loss)
    rng = np.random.default_rng(0)
    x, y = rng.random((batch, side, side, 8), np.float32), rng.random((batch, 4), np.float32)
    times = []
    for step in range(steps + 3):
        begin = time.perf_counter()
        model.train_on_batch(x, y)
        if step >= 3:
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


def main() -> None:
    print("map      batch     core   own layer    own loss   (microseconds a step)")
    for side, batch in ((4, 1), (8, 32), (32, 32), (64, 64)):
        core = seconds(Activation("relu"), "mse", side, batch)
        layer = seconds(Relu(), "mse", side, batch)
        loss = seconds(Activation("relu"), squares, side, batch)
        numbers = f"{1e6 * core:9.0f}{1e6 * (layer - core):+12.0f}{1e6 * (loss - core):+12.0f}"
        print(f"{side:3d}x{side:<3d}{batch:7d}{numbers}")


if __name__ == "__main__":
    main()
