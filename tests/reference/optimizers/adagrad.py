"""Adagrad (Duchi et al., 2011)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class Adagrad(Optimizer):
    def __init__(
        self,
        learning_rate: Any = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.initial, self.epsilon = initial_accumulator_value, epsilon

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        squares = self.slot("accumulator", name, g, self.initial)
        squares += g**2
        return -rate * g / np.sqrt(squares + self.epsilon)
