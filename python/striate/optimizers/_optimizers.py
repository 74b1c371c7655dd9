"""How weights follow from gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from weakref import WeakMethod

from striate import _core
from striate._custom_objects import custom_object
from striate._described import Described, arguments_of
from striate._names import suggestion
from striate._own_classes import refuse_own
from striate.optimizers import schedules
from striate.optimizers.schedules import LearningRateSchedule

if TYPE_CHECKING:
    from striate.layers import Layer

Rate: TypeAlias = "float | LearningRateSchedule"
Opt = TypeVar("Opt", bound="Optimizer")

# The argument of the core's that names weights, separated by commas.
_EXCLUDED = "exclude_from_weight_decay"


# What scripts set or read with other libraries.
_HINTS = {
    "lr": "set learning_rate",
    "decay": "pass a schedule as learning_rate, or weight_decay for weight decay",
    "iterations": "it counts the steps that were done",
    "use_ema": "moving averages of weights are not supported",
}
# Characters of regular expressions, and the separator of names in files.
_NO_NAME = set("^$.*+?{}[]()|\\,")


class LearningRate(float):
    """A learning rate, as a number; `assign` sets the learning rate of the optimizer."""

    _optimizer: Optimizer

    def __new__(cls, rate: float, optimizer: Optimizer) -> LearningRate:
        made = super().__new__(cls, rate)
        made._optimizer = optimizer
        return made

    def assign(self, value: float) -> None:
        """Set the optimizer's learning rate."""
        self._optimizer.learning_rate = value

    def numpy(self) -> float:
        """The learning rate as a Python float; Keras's name for it."""
        return float(self)

    def __reduce__(self) -> Any:  # a copy is a number
        return float, (float(self),)


class Optimizer(Described):
    """The base class of optimizers.

    Arguments can be read as attributes, such as `optimizer.weight_decay`. Only `learning_rate` can be set later.

    Attributes:
        name: name in `get_config`; it does not change the training.
    """

    _hints = _HINTS
    _strict = True

    def __init_subclass__(cls) -> None:
        refuse_own(
            cls,
            Optimizer,
            (
                *("update_step", "apply_gradients", "apply", "build", "compute_gradients", "minimize", "learning_rate"),
                *("step", "zero_grad"),  # PyTorch's
            ),
            "use an optimizer of striate.optimizers, with a schedule as learning_rate",
        )

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        kind, given = arguments_of(arguments)
        self.name = given.pop("name")
        rate = given["learning_rate"]
        if isinstance(rate, LearningRateSchedule) and rate.is_own:
            given["learning_rate"] = rate.rate(0)
        elif isinstance(rate, LearningRateSchedule):
            given["learning_rate"] = {"type": rate._core.type, **rate._core.config()}
        elif callable(rate):
            raise TypeError(
                f"{kind}: learning_rate must be a number or a schedule of striate.optimizers.schedules, got "
                f"{type(rate).__name__}; for rates from a function use striate.callbacks.LearningRateScheduler"
            )
        self._core: _core.Optimizer = _core.make_optimizer(kind, given)
        self._schedule = rate if isinstance(rate, LearningRateSchedule) else None
        # A schedule of the user's, as long as no rate was set: the trainer sets the rate before each step.
        self._own = self._schedule if self._schedule is not None and self._schedule.is_own else None
        self._trainer: _core.Trainer | None = None
        self._rate: float | None = None  # that was set, until there is a trainer
        self._settle: WeakMethod[Callable[[], object]] | None = None

    @property
    def learning_rate(self) -> LearningRate:
        """The rate of the next step. Setting it, or its `assign`, permanently overrides a schedule."""
        if self._own is not None:
            return LearningRate(self._own.rate(self.iterations), self)
        if self._trainer is not None:
            return LearningRate(self._trainer.learning_rate, self)
        return LearningRate(self._core.learning_rate(0) if self._override is None else self._override, self)

    @learning_rate.setter
    def learning_rate(self, value: float) -> None:
        try:
            if isinstance(value, (bool, str, bytes)):  # float() takes them
                raise TypeError
            rate = float(value)
        except (TypeError, ValueError):
            raise TypeError(f"{self.name}: learning_rate is set to a number, got {type(value).__name__}") from None
        if not 0.0 <= rate < math.inf:
            raise ValueError(f"{self.name}: learning_rate must be a finite number of at least 0, got {rate}")
        self._rate, self._own = rate, None
        if self._trainer is not None:
            self._trainer.learning_rate = rate

    def exclude_from_weight_decay(
        self, var_list: Iterable[str | Layer] | None = None, var_names: Iterable[str] | None = None
    ) -> None:
        """Leave weights out of weight decay, such as biases and the weights of normalisation.

        `optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])` is the usual choice. Call it before
        the first step; a later call replaces the names of an earlier one. The names are kept in files and pickles.

        Args:
            var_list: names of single weights as in `Model.state_dict`, such as "conv2d/bias", or layers of a model,
                which represent all of their weights.
            var_names: parts of the weights' own names: "bias" matches "conv2d/bias" and "dense/bias".

        Raises:
            ValueError: training has begun, or a name is empty or a regular expression. A name that matches no weight
                is found by `compile`, or by this call where the model is compiled.
            TypeError: an item is of another kind.
        """
        if self.iterations > 0:
            raise ValueError(
                f"{self.name}: exclude_from_weight_decay comes before the first step, and {self.iterations} were done; "
                "make a new optimizer and compile the model with it"
            )
        names = [*_whole_names(var_list, self.name), *_part_names(var_names, self.name)]
        before = self._core
        self._core = _core.make_optimizer(before.type, {**before.config(), _EXCLUDED: ",".join(names)})
        settle = None if self._settle is None else self._settle()
        if settle is not None:
            try:
                settle()
            except ValueError:
                self._core = before
                raise

    @property
    def _override(self) -> float | None:
        """The rate that was set, or None. The trainer keeps it, so that a state is loaded all at once."""
        if self._own is not None:
            return None
        return self._rate if self._trainer is None else self._trainer.learning_rate_override

    @property
    def iterations(self) -> int:
        """The steps done."""
        return 0 if self._trainer is None else self._trainer.iteration

    @property
    def follows_schedule(self) -> bool:
        """Whether the learning rate changes by itself."""
        return self._schedule is not None and self._override is None

    def _work_for(self, trainer: _core.Trainer, settle: WeakMethod[Callable[[], object]]) -> None:
        """Belong to a trainer: the learning rate is then that trainer's. `settle` has it take a new core."""
        rate = self._override
        if rate is not None:
            trainer.learning_rate = rate
        self._trainer, self._settle = trainer, settle

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal optimizer: `Adam.from_config(config)`."""
        config = {**self._config(), "name": self.name}
        if self._override is not None:
            config["learning_rate"] = self._override
        return config

    def __reduce__(self) -> Any:
        # A schedule of the user's is pickled itself.
        return _made, (type(self), {**self.get_config(), **({} if self._own is None else {"learning_rate": self._own})})

    def _config(self) -> dict[str, Any]:
        """The core's arguments; names are a list, and left out where there are none."""
        config = self._core.config()
        if self._own is not None:
            config["learning_rate"] = {"type": type(self._own).__name__, **self._own.get_config()}
        names = config.pop(_EXCLUDED)
        return {**config, _EXCLUDED: names.split(",")} if names else config

    @classmethod
    def from_config(cls: type[Opt], config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Opt:
        """Make an optimizer from the dict that `get_config` returned.

        Args:
            config: the dict that `get_config` returned.
            custom_objects: a dict of name and class, for a custom schedule.
        """
        arguments = dict(config)
        rate = arguments.get("learning_rate")
        if isinstance(rate, Mapping):
            values = dict(rate)
            name = str(values.pop("type"))
            kind = getattr(schedules, name) if name in schedules.__all__ else None
            if kind is None:
                kind = custom_object(name, custom_objects, "schedule")
            arguments["learning_rate"] = kind.from_config(values)
        names = arguments.pop(_EXCLUDED, [])
        optimizer = cls(**arguments)
        if names:
            whole = [name for name in names if "/" in name]
            optimizer.exclude_from_weight_decay(whole, [name for name in names if "/" not in name])
        return optimizer

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute: the arguments that it was made with.
        core = self.__dict__.get("_core")
        config = {} if core is None else core.config()
        if name.startswith("_") or name not in config:
            hint = _HINTS.get(name) or suggestion(name, ["learning_rate", *config])
            raise AttributeError(f"{type(self).__name__} has no attribute {name!r}; {hint}")
        return config[name]


def _made(cls: type[Optimizer], config: Mapping[str, Any]) -> Optimizer:
    """For pickles."""
    return cls.from_config(config)


def _whole_names(items: Iterable[str | Layer] | None, who: str) -> list[str]:
    """Names of single weights ("conv2d/bias"), and of layers ("conv2d/")."""
    from striate.layers import Layer

    names = []
    for item in _list_of(items, f"{who}: exclude_from_weight_decay: var_list"):
        if isinstance(item, Layer):
            item.count_params()  # refuses a layer that is in no model, whose name may still change
            names.append(f"{item.name}/")
        elif isinstance(item, str) and "/" in item and "," not in item:
            names.append(item)
        else:
            raise TypeError(
                f"{who}: exclude_from_weight_decay: var_list takes names such as 'conv2d/bias' (see "
                f"model.state_dict()) and layers, got {item!r}"
            )
    return names


def _part_names(items: Iterable[str] | None, who: str) -> list[str]:
    names = _list_of(items, f"{who}: exclude_from_weight_decay: var_names")
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{who}: exclude_from_weight_decay: var_names takes strings, got {name!r}")
        if not name or "/" in name or _NO_NAME.intersection(name):
            raise ValueError(
                f"{who}: exclude_from_weight_decay: var_names takes parts of names such as 'bias', without '/' and "
                f"characters of regular expressions, got {name!r}"
            )
    return names


def _list_of(items: Iterable[Any] | None, what: str) -> list[Any]:
    if isinstance(items, str):
        raise TypeError(f"{what} must be a list, got the string {items!r}; write [{items!r}]")
    return list(items or ())


class SGD(Optimizer):
    """Gradient descent, with momentum (Polyak, 1964; Nesterov, 1983; as in Sutskever et al., ICML 2013).

    Args:
        learning_rate: a number or a schedule.
        momentum: share of the last step that is repeated; 0 for none.
        nesterov: whether the momentum is Nesterov's.
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        rho: decay of the running means.
        momentum: share of the last step that is repeated.
        epsilon: added to the divisor.
        centered: whether the divisor is the gradient's standard deviation (Graves, 2013).
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        rho: decay of the running means.
        epsilon: added to both.
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        beta_1: decay of the running mean of the gradient.
        beta_2: decay of the running mean of the squared gradient.
        epsilon: added to the divisor ("epsilon hat" of the paper's section 2.1).
        amsgrad: whether the largest divisor so far is used (Reddi et al., ICLR 2018).
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        beta_1: decay of the running mean of the gradient.
        beta_2: decay of the running mean of the squared gradient.
        epsilon: added to the divisor.
        amsgrad: whether the largest divisor so far is used.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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


class Nadam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    Args:
        learning_rate: a number or a schedule.
        beta_1: decay of the running mean of the gradient; the momentum of step t is `beta_1 * (1 - 0.96**t / 2)`.
        beta_2: decay of the running mean of the squared gradient.
        epsilon: added to the divisor.
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
    """

    def __init__(
        self,
        learning_rate: Rate = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        weight_decay: float | None = None,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "nadam",
    ) -> None:
        super().__init__(locals())


class Lion(Optimizer):
    """Steps with the sign of a running mean of the gradient (Chen et al., NeurIPS 2023).

    Args:
        learning_rate: a number or a schedule; about a tenth of Adam's.
        beta_1: decay of the mean whose sign gives the step.
        beta_2: decay of the mean that is stored.
        weight_decay: each step reduces the weights by this share times the learning rate, as in AdamW; None: no decay.
        clipnorm: maximum L2 norm of the gradient of each weight array.
        clipvalue: maximum absolute value of each element of the gradient.
        global_clipnorm: maximum L2 norm of the gradient of all weights together.
        name: name in `get_config`; it does not change the training.
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
        raise TypeError(
            "an optimizer must be a name such as 'adam' or an object such as striate.optimizers.Adam(), got "
            f"{type(identifier).__name__}"
        )
    cls = _BY_NAME.get(identifier.lower())
    if cls is None:
        raise ValueError(f"there is no optimizer {identifier!r}; {suggestion(identifier, _BY_NAME)}")
    return cls()  # type: ignore[call-arg]
