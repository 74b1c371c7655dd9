"""Adam (Kingma and Ba, 2015), AMSGrad (Reddi et al., 2018) and AdamW (Loshchilov and Hutter, 2019)."""

from __future__ import annotations

from typing import Any

import numpy as np

from reference.optimizers.base import Optimizer


class Adam(Optimizer):
    """`epsilon` is the paper's "epsilon hat": it is added to the root of the uncorrected second moment."""

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.beta_1, self.beta_2, self.epsilon, self.amsgrad = beta_1, beta_2, epsilon, amsgrad

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        m, v, largest = (self.slot(kind, name, g) for kind in ("momentum", "velocity", "largest velocity"))
        m[...] = self.beta_1 * m + (1 - self.beta_1) * g
        v[...] = self.beta_2 * v + (1 - self.beta_2) * g**2
        largest[...] = np.maximum(largest, v)
        corrected = rate * np.sqrt(1 - self.beta_2**self.steps) / (1 - self.beta_1**self.steps)
        return -corrected * m / (np.sqrt(largest if self.amsgrad else v) + self.epsilon)


class AdamW(Adam):
    def __init__(self, learning_rate: Any = 0.001, weight_decay: float = 0.004, **others: Any) -> None:
        super().__init__(learning_rate, weight_decay=weight_decay, **others)
