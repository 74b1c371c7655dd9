"""How much gradient reaches each layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from striate.callbacks.base import Callback, Logs


class GradientFlow(Callback):
    """Record the norm of each layer's gradient in each epoch. Norms that shrink towards the input show a vanishing
    gradient.

    In `batches` batches of an epoch, evenly spread over it, the L2 norm of each layer's gradient (all its parameters
    together) is taken after the training step; an epoch's entry is the mean over them. It costs a copy of the
    gradients in those batches and nothing in the others. `save_training` keeps the norms.

    Args:
        batches: how many batches of an epoch to sample at most. Where the number of batches is not known before the
            first epoch, that epoch's first ones are sampled.
        log: whether to write the norms in the epoch's logs too, as `gradient_norm/<layer>`.

    Attributes:
        norms: dict of a layer's name to a list with one norm for each epoch, in network order. Layers without trainable
            parameters are not in it.
    """

    def __init__(self, batches: int = 8, log: bool = False) -> None:
        super().__init__()
        if batches < 1:
            raise ValueError(f"GradientFlow: batches must be at least 1, got {batches}")
        self.batches, self.log = batches, log
        self.norms: dict[str, list[float]] = {}
        self._steps: int | None = None
        self._sampled: frozenset[int] = frozenset()
        self._sums: dict[str, float] = {}
        self._taken = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.norms = {}
        self._steps = self.params.get("steps")

    def get_state(self) -> dict[str, Any]:
        return {"norms": {layer: list(values) for layer, values in self.norms.items()}}

    def set_state(self, state: dict[str, Any]) -> None:
        self.norms = {str(layer): [float(value) for value in values] for layer, values in state["norms"].items()}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._sums, self._taken = {}, 0
        steps = self._steps or self.batches
        count = min(self.batches, steps)
        # The middles of `count` equal parts of the epoch.
        self._sampled = frozenset((2 * part + 1) * steps // (2 * count) for part in range(count))

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        if batch in self._sampled:
            for layer, norm in layer_norms(self.model.gradients()).items():
                self._sums[layer] = self._sums.get(layer, 0.0) + norm
            self._taken += 1
        self._last = batch

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if not self._taken:
            return
        self._steps = self._last + 1
        for layer, total in self._sums.items():
            norm = total / self._taken
            self.norms.setdefault(layer, []).append(norm)
            if self.log and logs is not None:
                logs[f"gradient_norm/{layer}"] = norm


def layer_norms(gradients: Mapping[str, npt.NDArray[Any]]) -> dict[str, float]:
    """L2 norm of each layer's gradients, given by "layer/param", over all its parameters; the order is kept."""
    squares: dict[str, float] = {}
    for name, gradient in gradients.items():
        layer = name.rpartition("/")[0] or name
        # In float64: the squares of a vanishing gradient underflow in float32.
        squares[layer] = squares.get(layer, 0.0) + float(np.square(gradient, dtype=np.float64).sum())
    return {layer: math.sqrt(total) for layer, total in squares.items()}
