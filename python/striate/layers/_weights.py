"""Weights of layers: read, set, and shown as variables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Protocol

import numpy as np

from striate import _core
from striate._arrays import FloatArray, array_of


class Owner(Protocol):
    """What is needed of a `striate.layers.Layer`."""

    _core: _core.Layer

    @property
    def name(self) -> str: ...

    @property
    def trainable(self) -> bool: ...


class Weight:
    """One weight of a layer in a model, such as its kernel: what Keras calls a variable.

    `np.asarray(weight)` copies the values.

    Attributes:
        path: the name in `Model.state_dict`: "conv2d/kernel".
    """

    def __init__(self, layer: Owner, place: int) -> None:
        self._layer, self._place = layer, place  # the place among the layer's weights

    def _described(self) -> tuple[str, tuple[int, ...], bool]:
        found = self._layer._core.weights
        assert found is not None
        return found[self._place]

    @property
    def path(self) -> str:
        """The name in `Model.state_dict`: "conv2d/kernel"."""
        return f"{self._layer.name}/{self.name}"

    @property
    def name(self) -> str:
        """The name within the layer: "kernel"."""
        return self._described()[0]

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape."""
        return self._described()[1]

    @property
    def dtype(self) -> str:
        """Always "float32"."""
        return "float32"

    @property
    def trainable(self) -> bool:
        """Whether training changes it by a gradient: False of moving averages, and of layers that are frozen."""
        return self._described()[2] and self._layer.trainable

    def numpy(self) -> FloatArray:
        """A copy of the values."""
        return self._layer._core.values([self._place])[0]

    @property
    def value(self) -> FloatArray:
        """A copy of the values."""
        return self.numpy()

    def assign(self, value: Any) -> None:
        """Set the values.

        Raises:
            ValueError: the shape does not fit.
            TypeError: it holds no numbers.
        """
        values = checked_values([(self.path, self.shape)], [value], "assign")
        self._layer._core.set_values([(self._place, values[0])])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if copy is False:
            raise ValueError("the values of a weight are always copied")
        return np.asarray(self.numpy(), dtype=dtype)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a weight without axes")
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Weight {self.path} {self.shape}>"


def assign(model: _core.Model, indices: Sequence[int], weights: Iterable[Any], caller: str) -> None:
    """Give these parameters of a model their values, all or, when one does not fit, none."""
    infos = [model.parameter(index) for index in indices]
    values = checked_values([(info.name, info.shape) for info in infos], weights, caller)
    model.set_values(list(zip(indices, values, strict=True)))


def checked_values(
    expected: Sequence[tuple[str, tuple[int, ...]]], weights: Iterable[Any], caller: str
) -> list[FloatArray]:
    """The values for weights of these names and shapes.

    Raises:
        ValueError: their number or a shape does not fit.
        TypeError: one holds no numbers.
    """
    if not isinstance(weights, (list, tuple)):
        weights = list(islice(weights, len(expected) + 1))  # an iterable need not end
    if len(weights) != len(expected):
        names = ", ".join(f"{name} {shape}" for name, shape in expected) or "none"
        raise ValueError(f"{caller} expects {len(expected)} arrays ({names}), got {len(weights)}")
    values = []
    for (name, shape), weight in zip(expected, weights, strict=True):
        value = array_of(weight, f"{caller}: {name}")
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{caller} expects numbers for {name}, got dtype {value.dtype}")
        if value.shape != shape:
            raise ValueError(f"{caller} expects {name} of shape {shape}, got {value.shape}")
        values.append(np.ascontiguousarray(value, np.float32))
    return values
