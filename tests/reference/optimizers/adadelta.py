"""Adadelta (Zeiler, 2012)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class Adadelta(Optimizer):
    def __init__(self, learning_rate: Any = 0.001, rho: float = 0.95, epsilon: float = 1e-7, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.rho, self.epsilon = rho, epsilon

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        squares, steps = self.slot("squares", name, g), self.slot("steps", name, g)
        squares[...] = self.rho * squares + (1 - self.rho) * g**2
        step = -np.sqrt(steps + self.epsilon) / np.sqrt(squares + self.epsilon) * g
        steps[...] = self.rho * steps + (1 - self.rho) * step**2
        return rate * step
