"""The learning rate as a function of the number of steps done."""

from __future__ import annotations

import math
from collections.abc import Sequence


def exponential_decay(
    step: int, initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> float:
    periods = step // decay_steps if staircase else step / decay_steps
    return initial_learning_rate * decay_rate**periods


def _cosine(share: float, alpha: float) -> float:
    """From 1 at share 0 to `alpha` at share 1."""
    return (1 - alpha) * (1 + math.cos(math.pi * share)) / 2 + alpha


def cosine_decay(
    step: int,
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> float:
    """Loshchilov and Hutter, 2017. With `warmup_target`, a line leads up to it and the decay starts there."""
    if warmup_target is None:
        return initial_learning_rate * _cosine(min(step, decay_steps) / decay_steps, alpha)
    if step < warmup_steps:
        return initial_learning_rate + (warmup_target - initial_learning_rate) * step / warmup_steps
    return warmup_target * _cosine(min(step - warmup_steps, decay_steps) / decay_steps, alpha)


def cosine_decay_restarts(
    step: int,
    initial_learning_rate: float,
    first_decay_steps: int,
    t_mul: float = 2.0,
    m_mul: float = 1.0,
    alpha: float = 0.0,
) -> float:
    """Each period is `t_mul` times as long as the one before and starts `m_mul` times as high."""
    start, length, height = 0.0, float(first_decay_steps), 1.0
    while step >= start + length:
        start, length, height = start + length, length * t_mul, height * m_mul
    half_wave = (1 + math.cos(math.pi * (step - start) / length)) / 2
    return initial_learning_rate * ((1 - alpha) * height * half_wave + alpha)


def piecewise_constant_decay(step: int, boundaries: Sequence[float], values: Sequence[float]) -> float:
    """values[i] up to and including boundaries[i]."""
    return values[sum(step > boundary for boundary in boundaries)]


def polynomial_decay(
    step: int,
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> float:
    """With `cycle`, the decay is stretched to the next multiple of `decay_steps` when its end is reached."""
    length = decay_steps * max(1, math.ceil(step / decay_steps)) if cycle else decay_steps
    share = min(step, length) / length
    return (initial_learning_rate - end_learning_rate) * (1 - share) ** power + end_learning_rate
