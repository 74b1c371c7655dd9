"""Lion (Chen et al., 2023)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class Lion(Optimizer):
    def __init__(self, learning_rate: Any = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **common: Any) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2 = beta_1, beta_2

    def decided(self, name: str, like: np.ndarray) -> np.ndarray:
        """Not where the two parts of a sign cancelled to what rounding leaves of them."""
        return self.slot("ties", name, like) == 0

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        m, ties = self.slot("momentum", name, g), self.slot("ties", name, g)
        kept, new = self.beta_1 * m, (1 - self.beta_1) * g
        ties += np.abs(kept + new) <= 1e-6 * (np.abs(kept) + np.abs(new))
        step = -rate * np.sign(kept + new)
        m[...] = self.beta_2 * m + (1 - self.beta_2) * g
        return step
