"""Plans with and without fusion compute the same, each with the same bits at any number of threads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import striate
from random_graphs import Graph, graphs

# The full number takes about a minute.
GRAPHS = 1000 if os.environ.get("HYPOTHESIS_PROFILE") in ("ci", "thorough") else 40
THREADS = (1, 2, 3, 4)


@pytest.fixture(autouse=True, scope="module")
def threads_as_before() -> Iterator[None]:
    before = striate.get_num_threads()
    yield
    striate.set_num_threads(before)


def as_list(value: Any) -> list[np.ndarray]:
    return list(value) if isinstance(value, list) else [value]


def bits(arrays: Any) -> list[bytes]:
    return [array.tobytes() for array in arrays]


class Runs:
    """A graph's model, with data and what it is trained with; the rate is 0, so that the weights stay."""

    def __init__(self, graph: Graph) -> None:
        self.model = graph.model
        self.x = graph.arrays([graph.shape(0)], 0)[0]
        self.y = graph.arrays([shape[1:] for shape in self.shapes()], 1)
        self.model.compile(striate.optimizers.SGD(0.0), "mse")

    def shapes(self) -> list[tuple[int, ...]]:
        given = self.model.output_shape
        return list(given) if isinstance(given, list) else [given]

    def predictions(self, fusion: bool, threads: int) -> list[np.ndarray]:
        striate.set_num_threads(threads)
        self.model.fusion = fusion
        return as_list(self.model.predict_on_batch(self.x))

    def step(self, fusion: bool, threads: int) -> tuple[float, dict[str, np.ndarray]]:
        striate.set_num_threads(threads)
        self.model.fusion = fusion
        loss = self.model.train_on_batch(self.x, self.y if len(self.y) > 1 else self.y[0])
        return loss, self.model.gradients()

    def same_step_by_hand(self) -> dict[str, np.ndarray]:
        """The gradients of the training step by a raw pass, which asks for the input's gradient besides."""
        outputs = as_list(self.model.forward(self.x, training=True))
        slopes = [2 * (o - y) / np.float32(o.size) for o, y in zip(outputs, self.y, strict=True)]
        self.model.backward(slopes if len(slopes) > 1 else slopes[0])
        return self.model.gradients()

    def raw(self, fusion: bool) -> list[np.ndarray]:
        """Outputs and the gradient to the input of a raw pass as in inference."""
        self.model.fusion = fusion
        outputs = as_list(self.model.forward(self.x))
        return [*outputs, self.model.backward(self.y if len(self.y) > 1 else self.y[0])]


def assert_close(got: Any, want: Any, what: Any, tolerance: float = 1e-5) -> None:
    scale = max(float(np.abs(w).max()) for w in want) or 1.0
    worst = max(float(np.abs(g - w).max()) for g, w in zip(got, want, strict=True))
    assert worst <= tolerance * scale, (what, worst, scale)


@settings(max_examples=GRAPHS)
@given(graphs())
def test_random_graphs(graph: Graph) -> None:
    runs = Runs(graph)
    plain = runs.predictions(False, 1)
    fused = runs.predictions(True, 1)
    for got, want in zip(fused, plain, strict=True):
        assert_close([got], [want], "predictions")
    for threads in THREADS[1:]:
        assert bits(runs.predictions(True, threads)) == bits(fused), threads
    assert_close(runs.raw(True), runs.raw(False), "raw pass")

    loss, gradients = runs.step(False, 1)
    same_loss, same_gradients = runs.step(True, 1)
    np.testing.assert_allclose(same_loss, loss, rtol=1e-5)
    assert gradients.keys() == same_gradients.keys()
    if gradients:
        assert_close(list(same_gradients.values()), list(gradients.values()), "gradients")
        assert_close(list(runs.same_step_by_hand().values()), list(gradients.values()), "gradients by hand")
    for threads in THREADS[1:]:
        again_loss, again = runs.step(True, threads)
        assert again_loss == same_loss, threads
        assert bits(again.values()) == bits(same_gradients.values()), threads
    assert runs.step(False, 3)[0] == loss
