"""RMSprop (Hinton, 2012), also centred (Graves, 2013) and with momentum."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class RMSprop(Optimizer):
    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho, self.momentum, self.epsilon, self.centered = rho, momentum, epsilon, centered

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        velocity, mean, m = (self.slot(kind, name, g) for kind in ("velocity", "mean", "momentum"))
        velocity[...] = self.rho * velocity + (1 - self.rho) * g**2
        mean[...] = self.rho * mean + (1 - self.rho) * g
        variance = velocity - mean**2 if self.centered else velocity
        m[...] = self.momentum * m + rate * g / np.sqrt(variance + self.epsilon)
        return -m
