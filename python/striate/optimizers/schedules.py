"""Learning rates that follow the training step. Steps count from 0; a step is one batch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from striate import _core
from striate._attributes import check_attribute
from striate._own_classes import refuse_own

__all__ = [
    "CosineDecay",
    "CosineDecayRestarts",
    "ExponentialDecay",
    "LearningRateSchedule",
    "PiecewiseConstantDecay",
    "PolynomialDecay",
]


class LearningRateSchedule:
    """The base class of schedules. Called with a step, a schedule returns the learning rate."""

    name: str

    def __init_subclass__(cls) -> None:
        refuse_own(
            cls,
            LearningRateSchedule,
            ("__call__",),
            "use a schedule of striate.optimizers.schedules (CosineDecay has a warm-up, PiecewiseConstantDecay steps), "
            "or striate.callbacks.LearningRateScheduler with a function of the epoch",
        )

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        # Subclasses pass locals(): their signature is the one list of their arguments.
        given = {key: value for key, value in arguments.items() if key not in ("self", "__class__")}
        self.name = given.pop("name")
        self._core = _core.make_schedule(arguments["__class__"].__name__, given)

    def __setattr__(self, name: str, value: Any) -> None:
        core = self.__dict__.get("_core")
        check_attribute(self, name, type(self).__name__, () if core is None else core.config(), {}, strict=True)
        super().__setattr__(name, value)

    def __call__(self, step: int) -> float:
        """The learning rate of this step."""
        return self._core.at(int(step))

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal schedule."""
        return {**self._core.config(), "name": self.name}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> LearningRateSchedule:
        """A schedule from what `get_config` returned."""
        return cls(**config)

    def __reduce__(self) -> Any:
        from striate._pickling import rebuilt

        return rebuilt, (type(self), self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._core.config().items())})"


class ExponentialDecay(LearningRateSchedule):
    """`initial_learning_rate * decay_rate ** (step / decay_steps)`.

    Args:
        initial_learning_rate: at step 0.
        decay_steps: steps in which it changes by `decay_rate`.
        decay_rate: factor.
        staircase: whether it changes at once every `decay_steps`, rather than at every step.
        name: for the user.
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
        name: for the user.
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
    """Half a cosine again and again, each longer and lower than the one before (Loshchilov and Hutter, ICLR 2017).

    Args:
        initial_learning_rate: at step 0.
        first_decay_steps: steps of the first decay.
        t_mul: by which each decay is longer than the one before.
        m_mul: by which each starts lower.
        alpha: the lowest rate as a share of the initial one.
        name: for the user.
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
        boundaries: steps, rising.
        values: rates, one more than the boundaries.
        name: for the user.
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
        name: for the user.
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
