"""How weights follow from gradients."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias

from striate import _core
from striate._names import suggestion
from striate.optimizers import schedules
from striate.optimizers.schedules import LearningRateSchedule

Rate: TypeAlias = "float | LearningRateSchedule"


class Optimizer:
    """The base class of optimizers.

    Attributes:
        name: for the user.
    """

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        # Subclasses pass locals(): their signature is the one list of their arguments.
        given = {key: value for key, value in arguments.items() if key not in ("self", "__class__")}
        kind: str = arguments["__class__"].__name__
        self.name: str = given.pop("name")
        rate = given["learning_rate"]
        if isinstance(rate, LearningRateSchedule):
            given["learning_rate"] = {"type": rate._core.type, **rate._core.config()}
        self._core = _core.make_optimizer(kind, given)
        self._schedule = rate if isinstance(rate, LearningRateSchedule) else None
        self._trainer: _core.Trainer | None = None
        self._override: float | None = None

    @property
    def learning_rate(self) -> float:
        """The rate of the next step. Setting it overrides the schedule, if there is one, for good."""
        if self._trainer is not None:
            return self._trainer.learning_rate
        return self._core.learning_rate(0) if self._override is None else self._override

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        try:
            rate = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self.name}: learning_rate is set to a number, got {type(value).__name__}") from None
        if not 0.0 <= rate < math.inf:
            raise ValueError(f"{self.name}: learning_rate must be a finite number of at least 0, got {rate}")
        self._override = rate
        if self._trainer is not None:
            self._trainer.learning_rate = rate

    @property
    def iterations(self) -> int:
        """The steps done."""
        return 0 if self._trainer is None else self._trainer.iteration

    @property
    def follows_schedule(self) -> bool:
        """Whether the learning rate changes by itself."""
        return self._schedule is not None and self._override is None

    def _work_for(self, trainer: _core.Trainer) -> None:
        """Belong to a trainer: the learning rate is then that trainer's."""
        self._trainer = trainer
        if self._override is not None:
            trainer.learning_rate = self._override

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal optimizer: `Adam.from_config(config)`."""
        config = {**self._core.config(), "name": self.name}
        if self._override is not None:
            config["learning_rate"] = self._override
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Optimizer:
        """An optimizer from what `get_config` returned."""
        arguments = dict(config)
        rate = arguments.get("learning_rate")
        if isinstance(rate, Mapping):
            values = dict(rate)
            kind: type[LearningRateSchedule] = getattr(schedules, values.pop("type"))
            arguments["learning_rate"] = kind(**values)
        return cls(**arguments)

    def __reduce__(self) -> Any:
        from striate._pickling import rebuilt

        return rebuilt, (type(self), self.get_config())

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._core.config().items())})"


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak, 1964; Nesterov, 1983; as in Sutskever et al., ICML 2013).

    Args:
        learning_rate: a number or a schedule.
        momentum: share of the last step that is repeated; 0 for none.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "SGD",
    ) -> None:
        super().__init__(locals())


class RMSprop(Optimizer):
    """Steps divided by a running root mean square of the gradient (Tieleman and Hinton, 2012).

    Args:
        learning_rate: a number or a schedule.
        rho: of the running mean.
        momentum: share of the last step that is repeated.
        epsilon: added to the divisor.
        centered: whether the divisor is the gradient's standard deviation (Graves, 2013).
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float = 1e-7,
        centered: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "rmsprop",
    ) -> None:
        super().__init__(locals())


class Adagrad(Optimizer):
    """Steps divided by the root of the sum of all squared gradients so far (Duchi et al., JMLR 2011).

    Args:
        learning_rate: a number or a schedule.
        initial_accumulator_value: where the sum starts.
        epsilon: added to the divisor.
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        initial_accumulator_value: float = 0.1,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adagrad",
    ) -> None:
        super().__init__(locals())


class Adadelta(Optimizer):
    """Steps in units of the weights: running means of squared gradients and squared steps (Zeiler, 2012).

    Args:
        learning_rate: a number or a schedule; 1 is the paper's.
        rho: of the running means.
        epsilon: added to both.
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        rho: float = 0.95,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adadelta",
    ) -> None:
        super().__init__(locals())


class Adam(Optimizer):
    """Running means of the gradient and of its square, corrected for their start (Kingma and Ba, ICLR 2015).

    Args:
        learning_rate: a number or a schedule.
        beta_1: of the running mean of the gradient.
        beta_2: of the running mean of its square.
        epsilon: added to the divisor ("epsilon hat" of the paper's section 2.1).
        amsgrad: whether the largest divisor so far is used (Reddi et al., ICLR 2018).
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adam",
    ) -> None:
        super().__init__(locals())


class AdamW(Optimizer):
    """Adam with weight decay (Loshchilov and Hutter, ICLR 2019).

    Args:
        learning_rate: a number or a schedule.
        weight_decay: see the module.
        beta_1: of the running mean of the gradient.
        beta_2: of the running mean of its square.
        epsilon: added to the divisor.
        amsgrad: whether the largest divisor so far is used.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        weight_decay: float | None = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        amsgrad: bool = False,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "adamw",
    ) -> None:
        super().__init__(locals())


class Lion(Optimizer):
    """Steps of the sign of a running mean of the gradient (Chen et al., NeurIPS 2023).

    Args:
        learning_rate: a number or a schedule; about a tenth of Adam's.
        beta_1: of the mean that gives the step.
        beta_2: of the mean that is kept.
        weight_decay: see the module.
        clipnorm: see the module.
        clipvalue: see the module.
        global_clipnorm: see the module.
        name: for the user.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.99,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "lion",
    ) -> None:
        super().__init__(locals())


_BY_NAME: dict[str, type[Optimizer]] = {cls.__name__.lower(): cls for cls in Optimizer.__subclasses__()}


def get(identifier: str | Optimizer | type[Optimizer]) -> Optimizer:
    """An optimizer from its name (`"adam"`, `"sgd"`, ...), its class, or itself.

    Raises:
        ValueError: there is none of that name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]
    if not isinstance(identifier, str):
        raise TypeError(f"an optimizer is a name or a striate.optimizers object, got {type(identifier).__name__}")
    cls = _BY_NAME.get(identifier.lower())
    if cls is None:
        raise ValueError(f"there is no optimizer {identifier!r}; {suggestion(identifier, _BY_NAME)}")
    return cls()  # type: ignore[call-arg]
