"""Learning rates that follow the training step. Steps count from 0; a step is one batch."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from striate import _core
from striate._described import Described, arguments_of
from striate._own_classes import is_own, refuse_own

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule(Described):
    """The base class of schedules. Called with a step, a schedule returns the learning rate.

    A custom schedule defines `__call__`, which is called before each training step::

        class Warmup(LearningRateSchedule):
            def __init__(self, rate, steps):
                self.rate, self.steps = rate, steps

            def __call__(self, step):
                return self.rate * min(1.0, (step + 1) / self.steps)

    Files name its class, with the arguments that it was made with or what its `get_config` returns; `load_model` is
    given the class as `custom_objects={"Warmup": Warmup}`.
    """

    _strict = True

    def __init_subclass__(cls) -> None:
        if is_own(cls) and cls.__call__ is LearningRateSchedule.__call__:
            refuse_own(cls, LearningRateSchedule, (), "define __call__(self, step), which returns the learning rate")

    def __init__(self, arguments: Mapping[str, Any] | None = None) -> None:
        if arguments is None:  # of a class of the user's
            return
        kind, given = arguments_of(arguments)
        self.name = given.pop("name")
        self._core: _core.Schedule = _core.make_schedule(kind, given)

    def __call__(self, step: int) -> float:
        """The learning rate of this step."""
        return self._core.at(int(step))

    @property
    def is_own(self) -> bool:
        """Whether a method of the user's computes it, rather than the core."""
        return type(self).__call__ is not LearningRateSchedule.__call__

    def rate(self, step: int) -> float:
        """The learning rate of this step, checked.

        Raises:
            TypeError: the schedule returned something other than a number.
            ValueError: the rate is negative, infinite or NaN.
        """
        found: Any = self(step)
        try:
            if isinstance(found, (str, bytes)):
                raise TypeError
            value = float(found)
        except (TypeError, ValueError):
            kind = type(found).__name__
            raise TypeError(f"{type(self).__name__} must return a number for step {step}, got {kind}") from None
        if not 0.0 <= value < math.inf:
            raise ValueError(f"{type(self).__name__} returned {value} for step {step}, expected 0 or more")
        return value


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: at step 0.
        decay_steps: steps in which it changes by `decay_rate`.
        decay_rate: factor.
        staircase: whether it changes at once every `decay_steps`, rather than at every step.
        name: name in `get_config`; it does not change the training.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        decay_rate: float,
        staircase: bool = False,
        name: str = "ExponentialDecay",
    ) -> None:
        super().__init__(locals())


class CosineDecay(LearningRateSchedule):
    """Half a cosine from the initial rate down to `alpha` times it, after an optional warm-up (Loshchilov and Hutter,
    ICLR 2017).

    Args:
        initial_learning_rate: at step 0; with a warm-up, where that begins.
        decay_steps: steps of the decay, after the warm-up.
        alpha: the final rate as a share of the highest one.
        name: name in `get_config`; it does not change the training.
        warmup_target: the rate that the warm-up rises to, in a straight line; None for no warm-up.
        warmup_steps: its steps.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        alpha: float = 0.0,
        name: str = "CosineDecay",
        warmup_target: float | None = None,
        warmup_steps: int = 0,
    ) -> None:
        super().__init__(locals())


class CosineDecayRestarts(LearningRateSchedule):
    """Repeated cosine decays; each can be longer and start lower than the one before (Loshchilov and Hutter, ICLR
    2017).

    Args:
        initial_learning_rate: at step 0.
        first_decay_steps: steps of the first decay.
        t_mul: factor by which each decay is longer than the one before.
        m_mul: factor by which each decay starts lower than the one before.
        alpha: the lowest rate as a share of the initial one.
        name: name in `get_config`; it does not change the training.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        first_decay_steps: int,
        t_mul: float = 2.0,
        m_mul: float = 1.0,
        alpha: float = 0.0,
        name: str = "SGDRDecay",
    ) -> None:
        super().__init__(locals())


class PiecewiseConstantDecay(LearningRateSchedule):
    """`values[0]` up to and including step `boundaries[0]`, then `values[1]` up to `boundaries[1]`, and so on.

    Args:
        boundaries: training steps (batches), in increasing order.
        values: learning rates of at least 0, one more than the boundaries.
        name: name in `get_config`; it does not change the training.
    """

    def __init__(self, boundaries: Sequence[int], values: Sequence[float], name: str = "PiecewiseConstant") -> None:
        super().__init__(locals())


class PolynomialDecay(LearningRateSchedule):
    """From the initial rate to the end rate along `(1 - step / decay_steps) ** power`.

    Args:
        initial_learning_rate: at step 0.
        decay_steps: steps of the decay.
        end_learning_rate: after it.
        power: 1 is a straight line.
        cycle: whether, at the end, it begins again from a lower rate, rather than staying at the end rate.
        name: name in `get_config`; it does not change the training.
    """

    def __init__(
        self,
        initial_learning_rate: float,
        decay_steps: int,
        end_learning_rate: float = 0.0001,
        power: float = 1.0,
        cycle: bool = False,
        name: str = "PolynomialDecay",
    ) -> None:
        super().__init__(locals())
