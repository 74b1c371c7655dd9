"""What all optimizers do before their own rule: clip the gradients, then decay the weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Arrays = dict[str, np.ndarray]


class Optimizer:
    """`learning_rate` is a number or a function of the steps done. Decay comes before the update, times the rate."""

    def __init__(
        self,
        learning_rate: float | Callable[[int], float],
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        global_clipnorm: float | None = None,
        clipvalue: float | None = None,
    ) -> None:
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.clipnorm, self.global_clipnorm, self.clipvalue = clipnorm, global_clipnorm, clipvalue
        self.steps = 0
        self.state: dict[str, Arrays] = {}

    def apply(self, weights: Arrays, gradients: Arrays) -> Arrays:
        """The weights after one step."""
        rate = self.learning_rate(self.steps) if callable(self.learning_rate) else self.learning_rate
        self.steps += 1
        result = {}
        for name, g in self.clipped(gradients).items():
            w = weights[name] * (1 - rate * (self.weight_decay or 0.0))
            result[name] = w + self.update(name, g, rate)
        return result

    def clipped(self, gradients: Arrays) -> Arrays:
        if self.clipvalue:
            return {n: np.clip(g, -self.clipvalue, self.clipvalue) for n, g in gradients.items()}
        if self.clipnorm:
            return {n: g * min(1.0, self.clipnorm / _norm([g])) for n, g in gradients.items()}
        if self.global_clipnorm:
            scale = min(1.0, self.global_clipnorm / _norm(list(gradients.values())))
            return {n: g * scale for n, g in gradients.items()}
        return gradients

    def slot(self, kind: str, name: str, like: np.ndarray, initial: float = 0.0) -> np.ndarray:
        """State that is kept for one weight."""
        return self.state.setdefault(kind, {}).setdefault(name, np.full_like(like, initial))

    def decided(self, name: str, like: np.ndarray) -> np.ndarray:
        """Where rounding could not have led to another step so far."""
        return np.ones(like.shape, bool)

    def update(self, name: str, g: np.ndarray, rate: float) -> np.ndarray:
        """What is added to the weight."""
        raise NotImplementedError


def _norm(arrays: list[np.ndarray]) -> float:
    return float(np.sqrt(sum(np.sum(a**2) for a in arrays))) or np.finfo(float).tiny
