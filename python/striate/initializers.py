"""How weights are drawn before training.

Layers take an initializer by name (`kernel_initializer="he_normal"`), by name with arguments (`"constant(0.1)"`), or as
an object of this module. The numbers follow from the model's seed, the layer's place in the model, and nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._own_classes import refuse_own

__all__ = [
    "Constant",
    "GlorotNormal",
    "GlorotUniform",
    "HeNormal",
    "HeUniform",
    "Identity",
    "Initializer",
    "LecunNormal",
    "LecunUniform",
    "Ones",
    "Orthogonal",
    "RandomNormal",
    "RandomUniform",
    "TruncatedNormal",
    "Zeros",
    "get",
]


class Initializer:
    """The base class of initializers.

    Called with a shape, an initializer returns an array; within a layer the core draws the numbers.

    Attributes:
        seed: used when the object itself is called. Within a model the numbers follow from the model's seed, so that a
            seed here, which Keras's initializers have, changes nothing there.
    """

    _name = ""

    def __init_subclass__(cls) -> None:
        refuse_own(cls, Initializer, ("__call__",), "set custom values with layer.set_weights([...])")

    def __init__(self, *values: float, seed: int | None = None) -> None:
        self._values = tuple(float(value) for value in values)
        self.seed = seed
        _core.check_initializer(str(self), type(self).__name__)

    def __call__(self, shape: Sequence[int], dtype: object = None) -> NDArray[np.float32]:
        """A float32 array of this shape.

        Fan-in and fan-out are those of a kernel (..., in, out).
        """
        seed = _core.next_seed() if self.seed is None else self.seed
        return _core.initialize(str(self), list(shape), seed)

    def __str__(self) -> str:
        """The name used by layers and in model files."""
        return self._name + (f"({','.join(repr(value) for value in self._values)})" if self._values else "")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(repr(value) for value in self._values)})"


class Zeros(Initializer):
    """All 0."""

    _name = "zeros"

    def __init__(self) -> None:
        super().__init__()


class Ones(Initializer):
    """All 1."""

    _name = "ones"

    def __init__(self) -> None:
        super().__init__()


class Constant(Initializer):
    """All `value`."""

    _name = "constant"

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(value)


class RandomUniform(Initializer):
    """Uniform between `minval` and `maxval`."""

    _name = "random_uniform"

    def __init__(self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None) -> None:
        super().__init__(minval, maxval, seed=seed)


class RandomNormal(Initializer):
    """Normal with this mean and standard deviation."""

    _name = "random_normal"

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(mean, stddev, seed=seed)


class TruncatedNormal(Initializer):
    """Normal, with values further than two standard deviations from the mean drawn again."""

    _name = "truncated_normal"

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        super().__init__(mean, stddev, seed=seed)


class GlorotUniform(Initializer):
    """Uniform within ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio, AISTATS 2010)."""

    _name = "glorot_uniform"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class GlorotNormal(Initializer):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio, AISTATS 2010)."""

    _name = "glorot_normal"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class HeUniform(Initializer):
    """Uniform within ±sqrt(6 / fan_in) (He et al., ICCV 2015): for ReLU."""

    _name = "he_uniform"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class HeNormal(Initializer):
    """Truncated normal of variance 2 / fan_in (He et al., ICCV 2015): for ReLU."""

    _name = "he_normal"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class LecunUniform(Initializer):
    """Uniform within ±sqrt(3 / fan_in) (LeCun et al., "Efficient BackProp", 1998)."""

    _name = "lecun_uniform"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class LecunNormal(Initializer):
    """Truncated normal of variance 1 / fan_in (LeCun et al., "Efficient BackProp", 1998)."""

    _name = "lecun_normal"

    def __init__(self, seed: int | None = None) -> None:
        super().__init__(seed=seed)


class Orthogonal(Initializer):
    """A random orthogonal matrix times `gain` (Saxe et al., ICLR 2014). Two dimensions or more."""

    _name = "orthogonal"

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        super().__init__(gain, seed=seed)


class Identity(Initializer):
    """The identity matrix times `gain`. Two dimensions."""

    _name = "identity"

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__(gain)


_BY_NAME: dict[str, type[Initializer]] = {cls._name: cls for cls in Initializer.__subclasses__()}


def initializer_name(initializer: Any, where: str) -> str:
    """The core's name of an initializer given as a name, an object or a class; `where` is for messages."""
    if isinstance(initializer, str):
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", initializer).lower() if initializer.isalpha() else initializer
    if isinstance(initializer, type) and issubclass(initializer, Initializer):
        return str(initializer())
    if isinstance(initializer, Initializer):
        return str(initializer)
    raise TypeError(f"{where} must be a name or a striate.initializers object, got {type(initializer).__name__}")


def get(identifier: str | Initializer | type[Initializer]) -> Initializer:
    """An initializer from its name (`"he_normal"`, `"constant(0.1)"`), its class, or itself.

    Raises:
        ValueError: there is none of that name.
        TypeError: the identifier is of another kind.
    """
    if isinstance(identifier, Initializer):
        return identifier
    name = initializer_name(identifier, "an initializer")
    _core.check_initializer(name, "initializers.get")
    base, _, rest = name.partition("(")
    values = [float(value) for value in rest.rstrip(")").split(",")] if rest else []
    return _BY_NAME[base.strip()](*values)
