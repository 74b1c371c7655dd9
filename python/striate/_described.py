"""Objects that are described by the arguments they were made with: layers, losses, optimizers, schedules."""

from __future__ import annotations

import copyreg
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np

from striate._attributes import check_attribute
from striate._own_classes import is_own

D = TypeVar("D", bound="Described")


class _Core(Protocol):
    def config(self) -> dict[str, Any]: ...


def given_arguments(cls: type, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any] | None:
    """The arguments of a call of a class, by name; None where `cls(**arguments)` could not repeat the call."""
    import inspect

    signature = inspect.signature(cls.__init__)  # type: ignore[misc]
    try:
        bound = signature.bind(None, *args, **kwargs).arguments
    except TypeError:  # Python says so itself
        return None
    arguments = {name: bound[name] for name in list(bound)[1:]}
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL and arguments.pop(name, ()):
            return None
        if parameter.kind is parameter.VAR_KEYWORD:
            arguments.update(arguments.pop(name, {}))
    return arguments


def takes(cls: type, argument: str) -> bool:
    """Whether a class can be called with this argument by name."""
    import inspect

    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]
    return argument in parameters or any(one.kind is one.VAR_KEYWORD for one in parameters.values())


def plain(value: Any) -> Any:
    """Numbers and arrays of NumPy's as Python's."""
    if isinstance(value, (np.ndarray, np.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


def arguments_of(given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The class's name and the arguments, from the `locals()` of its `__init__`.

    The signature is then the one list of a class's arguments; `__class__` is the class whose `__init__` it is.
    """
    return given["__class__"].__name__, {key: given[key] for key in given if key not in ("self", "__class__")}


class Described:
    """What such objects share. Each holds an object of the core, `_core`, which knows the arguments; an object of a
    class of the user's that computes in Python has none, and is described by what its class was called with."""

    _hints: ClassVar[Mapping[str, str]] = {}
    """Names of attributes that scripts set with other libraries, and what to do instead."""
    _strict: ClassVar[bool] = False
    """Whether setting an unknown attribute is refused."""
    _core: Any
    _given: dict[str, Any] | None
    name: Any

    def __new__(cls: type[D], *args: Any, **kwargs: Any) -> D:
        made = super().__new__(cls)
        if is_own(cls):
            made._given = given_arguments(cls, args, kwargs)
        return made

    def _computes(self) -> bool:
        """Whether the core computes it, rather than methods of the user's."""
        return "_core" in self.__dict__

    def _config(self) -> dict[str, Any]:
        """The core's arguments."""
        if self._computes():
            core: _Core = self._core
            return core.config()
        if self._given is None:
            kind = type(self).__name__
            raise NotImplementedError(f"{kind} must define get_config(): its arguments cannot be passed by name")
        return dict(self._given)

    def _fixed(self) -> Iterable[str]:
        """Arguments that cannot change."""
        return self._core.config() if self._computes() else ()

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            check_attribute(self, name, type(self).__name__, self._fixed(), self._hints, self._strict)
        super().__setattr__(name, value)

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal object: `Huber.from_config(loss.get_config())`."""
        return {**self._config(), "name": self.name} if self._computes() else self._config()

    @classmethod
    def from_config(cls: type[D], config: Mapping[str, Any]) -> D:
        """An object from what `get_config` returned."""
        return cls(**config)

    def __reduce__(self) -> Any:
        if self._computes():
            return type(self).from_config, (self.get_config(),)
        return copyreg.__newobj__, (type(self),), self.__dict__  # type: ignore[attr-defined]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={value!r}' for key, value in self._config().items())})"
