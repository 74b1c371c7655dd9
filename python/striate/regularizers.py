"""Penalties on weights that training adds to the loss.

Layers take a regularizer by name (`kernel_regularizer="l2"`), by name with arguments (`"l2(1e-4)"`), or as an object of
this module. The penalty's gradient is part of the optimizer's one pass over the weights, and of what gradient clipping
sees. `loss` and `val_loss` include the penalty of all trainable weights, as in Keras; the losses of single outputs do
not.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from striate import _core
from striate._own_classes import refuse_own

__all__ = ["L1", "L1L2", "L2", "Regularizer", "get"]


class Regularizer:
    """The base class of regularizers.

    Called with an array, a regularizer returns the array's penalty, a number.

    Attributes:
        l1: the factor of the sum of absolute values.
        l2: the factor of the sum of squares.
    """

    l1: float
    l2: float

    def __init_subclass__(cls) -> None:
        refuse_own(cls, Regularizer, ("__call__",), "add the penalty to a custom loss, or use L1, L2 and L1L2")

    def __init__(self, l1: float, l2: float) -> None:
        self.l1, self.l2 = float(l1), float(l2)
        _core.check_regularizer(str(self), type(self).__name__)

    def __call__(self, weights: ArrayLike) -> float:
        """`l1 * sum(abs(weights)) + l2 * sum(weights ** 2)`."""
        values = np.asarray(weights, np.float64)
        return float(self.l1 * np.abs(values).sum() + self.l2 * np.square(values).sum())

    def __str__(self) -> str:
        """The name used by layers and in model files."""
        values = [f"{value!r}" for key, value in self.get_config().items()]
        return f"{_NAMES[type(self)]}({','.join(values)})"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self.get_config().items())})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Regularizer) and (self.l1, self.l2) == (other.l1, other.l2)

    def __hash__(self) -> int:
        return hash((self.l1, self.l2))

    def get_config(self) -> dict[str, float]:
        """The arguments, enough to make an equal object."""
        raise NotImplementedError

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Regularizer:
        """An object from what `get_config` returned."""
        return cls(**config)


class L1(Regularizer):
    """`l1 * sum(abs(w))`, which drives weights to 0 (Tibshirani, 1996).

    Args:
        l1: factor of the penalty, at least 0.

    Raises:
        ValueError: the factor is negative or not finite.
    """

    def __init__(self, l1: float = 0.01) -> None:
        super().__init__(l1, 0.0)

    def get_config(self) -> dict[str, float]:
        return {"l1": self.l1}


class L2(Regularizer):
    """`l2 * sum(w ** 2)` (Hoerl and Kennard, 1970). Its gradient is `2 * l2 * w`.

    Args:
        l2: factor of the penalty, at least 0.

    Raises:
        ValueError: the factor is negative or not finite.
    """

    def __init__(self, l2: float = 0.01) -> None:
        super().__init__(0.0, l2)

    def get_config(self) -> dict[str, float]:
        return {"l2": self.l2}


class L1L2(Regularizer):
    """`l1 * sum(abs(w)) + l2 * sum(w ** 2)` (Zou and Hastie, 2005).

    Args:
        l1: factor of the penalty, at least 0.
        l2: factor of the penalty, at least 0.

    Raises:
        ValueError: a factor is negative or not finite.
    """

    def __init__(self, l1: float = 0.0, l2: float = 0.0) -> None:
        super().__init__(l1, l2)

    def get_config(self) -> dict[str, float]:
        return {"l1": self.l1, "l2": self.l2}


_NAMES: dict[type[Regularizer], str] = {L1: "l1", L2: "l2", L1L2: "l1_l2"}
_BY_NAME = {name: cls for cls, name in _NAMES.items()}

RegularizerLike: TypeAlias = "str | Regularizer | type[Regularizer] | Mapping[str, Any] | None"


def regularizer_name(regularizer: Any, where: str) -> str | None:
    """The core's name of a regularizer given as a name, an object, a class or Keras's dict; `where` is for messages."""
    if regularizer is None:
        return None
    if isinstance(regularizer, Mapping) and isinstance(regularizer.get("class_name"), str):  # as Keras writes it
        found = {cls.__name__: cls for cls in _NAMES}.get(regularizer["class_name"])
        if found is not None:
            return str(found(**regularizer.get("config", {})))
        regularizer = regularizer["class_name"]
    if isinstance(regularizer, str):
        if not regularizer.isidentifier():
            return regularizer
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", regularizer).lower()
        return name
    if isinstance(regularizer, type) and regularizer in _NAMES:
        return str(regularizer.from_config({}))
    if isinstance(regularizer, Regularizer):
        return str(regularizer)
    raise TypeError(
        f"{where} must be a name or an object of striate.regularizers, got {type(regularizer).__name__}; functions of "
        "your own would never be called: the core computes penalties"
    )


def get(identifier: RegularizerLike) -> Regularizer | None:
    """A regularizer from its name (`"l2"`, `"l2(1e-4)"`), its class, or itself; None for None.

    Raises:
        ValueError: there is none of that name.
        TypeError: the identifier is of another kind.
    """
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    name = regularizer_name(identifier, "a regularizer")
    l1, l2 = _core.check_regularizer(name, "regularizers.get")
    cls = _BY_NAME[str(name).partition("(")[0].strip().lower()]
    return cls.from_config({"l1": l1, "l2": l2} if cls is L1L2 else {"l1": l1} if cls is L1 else {"l2": l2})
