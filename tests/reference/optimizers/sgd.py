"""Gradient descent, with momentum (Polyak, 1964) and Nesterov's form of it (Sutskever et al., 2013)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class SGD(Optimizer):
    def __init__(self, learning_rate: Any = 0.01, momentum: float = 0.0, nesterov: bool = False, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.momentum, self.nesterov = momentum, nesterov

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        m = self.slot("momentum", name, g)
        m[...] = self.momentum * m - rate * g
        return self.momentum * m - rate * g if self.nesterov else m
