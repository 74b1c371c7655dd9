"""One row for each optimizer and each schedule: what arguments to draw, what defines it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st

from reference import optimizers, schedules


@dataclass(frozen=True)
class OptimizerCase:
    """One optimizer: the class in striate.optimizers, its arguments, its reference."""

    optimizer: str
    args: st.SearchStrategy[dict[str, Any]]
    reference: type[optimizers.SGD] | Callable[..., Any]


@dataclass(frozen=True)
class ScheduleCase:
    """One schedule: the class in striate.optimizers.schedules, its arguments, its reference, a function of the step."""

    schedule: str
    args: st.SearchStrategy[dict[str, Any]]
    reference: Callable[..., float]


# Keras allows one kind of clipping at a time.
CLIPPING = st.sampled_from(
    ({}, {}, {"clipnorm": 0.5}, {"clipnorm": 100.0}, {"global_clipnorm": 0.7}, {"clipvalue": 0.05}, {"clipvalue": 10.0})
)
DECAY = st.sampled_from(({}, {}, {"weight_decay": 0.1}, {"weight_decay": 0.004}))


def arguments(rates: tuple[float, ...], **own: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The rate, each of the own arguments or not, one kind of clipping, decay or not."""
    drawn = st.fixed_dictionaries({"learning_rate": st.sampled_from(rates)}, optional=own)
    return st.builds(lambda a, b, c: {**a, **b, **c}, drawn, CLIPPING, DECAY)


def pick(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


ADAM = {
    "beta_1": pick(0.9, 0.5),
    "beta_2": pick(0.999, 0.9),
    "epsilon": pick(1e-7, 1e-3),
    "amsgrad": st.booleans(),
}

OPTIMIZER_CASES = (
    OptimizerCase("SGD", arguments((0.01, 0.5), momentum=pick(0.0, 0.9), nesterov=st.booleans()), optimizers.SGD),
    OptimizerCase(
        "RMSprop",
        arguments(
            (0.001, 0.05), rho=pick(0.9, 0.5), momentum=pick(0.0, 0.8), epsilon=pick(1e-7, 1e-2), centered=st.booleans()
        ),
        optimizers.RMSprop,
    ),
    OptimizerCase(
        "Adagrad",
        arguments((0.001, 0.3), initial_accumulator_value=pick(0.1, 0.0, 2.0), epsilon=pick(1e-7, 1e-2)),
        optimizers.Adagrad,
    ),
    OptimizerCase(
        "Adadelta", arguments((0.001, 1.0), rho=pick(0.95, 0.5), epsilon=pick(1e-7, 1e-3)), optimizers.Adadelta
    ),
    OptimizerCase("Adam", arguments((0.001, 0.1), **ADAM), optimizers.Adam),
    OptimizerCase(
        "Nadam",
        arguments((0.001, 0.1), beta_1=pick(0.9, 0.5), beta_2=pick(0.999, 0.9), epsilon=pick(1e-7, 1e-3)),
        optimizers.Nadam,
    ),
    OptimizerCase("AdamW", arguments((0.001, 0.1), **ADAM), optimizers.AdamW),
    OptimizerCase("Lion", arguments((0.0001, 0.03), beta_1=pick(0.9, 0.5), beta_2=pick(0.99, 0.6)), optimizers.Lion),
)

RATES = st.sampled_from((0.1, 0.001, 1.0))
STEPS = st.integers(1, 100)

SCHEDULE_CASES = (
    ScheduleCase(
        "ExponentialDecay",
        st.fixed_dictionaries(
            {"initial_learning_rate": RATES, "decay_steps": STEPS, "decay_rate": pick(0.9, 0.5, 1.1)},
            optional={"staircase": st.booleans()},
        ),
        schedules.exponential_decay,
    ),
    ScheduleCase(
        "CosineDecay",
        st.one_of(
            st.fixed_dictionaries(
                {"initial_learning_rate": RATES, "decay_steps": STEPS}, optional={"alpha": pick(0.0, 0.1)}
            ),
            st.fixed_dictionaries(
                {
                    "initial_learning_rate": pick(0.0, 0.01),
                    "decay_steps": STEPS,
                    "warmup_target": RATES,
                    "warmup_steps": STEPS,
                },
                optional={"alpha": pick(0.0, 0.1)},
            ),
        ),
        schedules.cosine_decay,
    ),
    ScheduleCase(
        "CosineDecayRestarts",
        st.fixed_dictionaries(
            {"initial_learning_rate": RATES, "first_decay_steps": pick(3, 7, 16)},
            optional={"t_mul": pick(1.0, 2.0, 1.5), "m_mul": pick(1.0, 0.8), "alpha": pick(0.0, 0.1)},
        ),
        schedules.cosine_decay_restarts,
    ),
    ScheduleCase(
        "PiecewiseConstantDecay",
        st.sets(st.integers(1, 150), min_size=1, max_size=4).flatmap(
            lambda b: st.fixed_dictionaries(
                {
                    "boundaries": st.just(sorted(b)),
                    "values": st.lists(pick(1.0, 0.1, 0.01, 0.001), min_size=len(b) + 1, max_size=len(b) + 1),
                }
            )
        ),
        schedules.piecewise_constant_decay,
    ),
    ScheduleCase(
        "PolynomialDecay",
        st.fixed_dictionaries(
            {"initial_learning_rate": RATES, "decay_steps": STEPS},
            optional={"end_learning_rate": pick(0.0001, 0.01), "power": pick(1.0, 2.0, 0.5), "cycle": st.booleans()},
        ),
        schedules.polynomial_decay,
    ),
)
