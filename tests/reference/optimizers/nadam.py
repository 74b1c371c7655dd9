"""Nadam (Dozat, 2016), as Keras 3 defines it: the momentum of a step is beta_1 (1 - 0.96^step / 2)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class Nadam(Optimizer):
    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon = beta_1, beta_2, epsilon

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        m, v = (self.slot(kind, name, g) for kind in ("momentum", "velocity"))
        m[...] = self.beta_1 * m + (1 - self.beta_1) * g
        v[...] = self.beta_2 * v + (1 - self.beta_2) * g**2
        u = self.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, self.steps + 2))
        so_far, with_next = np.prod(u[:-1]), np.prod(u)
        mean = u[-1] * m / (1 - with_next) + (1 - u[-2]) * g / (1 - so_far)
        return -rate * mean / (np.sqrt(v / (1 - self.beta_2**self.steps)) + self.epsilon)
