"""Layers of the user's, computed in Python: what their methods see and return."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin
from numpy.typing import NDArray

from striate import _core
from striate._arrays import FloatArray
from striate._own_code import real_numbers
from striate.initializers import initializer_name
from striate.regularizers import RegularizerLike, regularizer_name

Shape = tuple[int, ...]
# Attributes that are the library's.
_NOT_KEPT = frozenset(
    ("_core", "_given", "_in_model", "_name", "_shape", "_output", "_first_shape", "_specified", "_handles")
)


class Specification(NamedTuple):
    """A weight of a layer of the user's."""

    name: str
    shape: Shape
    initializer: str
    trainable: bool
    regularizer: str | None = None


class OwnWeight(NDArrayOperatorsMixin):
    """What `add_weight` returns: within `call` and `backward` it is the array of the weight's values."""

    def __init__(self, owner: str, name: str) -> None:
        self._owner, self.name = owner, name
        self._value: NDArray[Any] | None = None

    def numpy(self) -> NDArray[Any]:
        """The values.

        Raises:
            RuntimeError: this is not within `call` or `backward`.
        """
        if self._value is None:
            raise RuntimeError(
                f"[{self._owner}] the weight {self.name!r} has values within call and backward; elsewhere "
                "layer.get_weights() copies them"
            )
        return self._value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.asarray(self.numpy(), dtype=dtype)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        arrays = [item.numpy() if isinstance(item, OwnWeight) else item for item in inputs]
        return getattr(ufunc, method)(*arrays, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.numpy(), name)

    def __getitem__(self, key: Any) -> Any:
        return self.numpy()[key]

    def __len__(self) -> int:
        return len(self.numpy())


class OwnCode:
    """The part of `Layer` that the core calls where a layer is computed in Python."""

    own: ClassVar[bool] = False
    """Whether methods of the user's compute the layer."""
    name: Any
    _specified: dict[str, Specification]
    _handles: dict[str, OwnWeight]

    def add_weight(
        self,
        shape: Sequence[int] = (),
        initializer: Any = "glorot_uniform",
        dtype: Any = None,
        trainable: bool = True,
        *,
        regularizer: RegularizerLike = None,
        name: str | None = None,
    ) -> Any:
        """Add a weight to a custom layer, in its `__init__` or `build`.

        Args:
            shape: of the weight.
            initializer: how it is drawn.
            dtype: None or "float32".
            trainable: whether training changes it by a gradient.
            regularizer: penalty on it that training adds to the loss, such as "l2(1e-4)"; None for none.
            name: within the layer; None for "weight", "weight_1", ...

        Returns:
            What is the array of the values within `call` and `backward`.

        Raises:
            ValueError: there is a weight of that name with another shape.
            TypeError: the layer is computed by the core.
        """
        if getattr(self, "composed", False):
            raise TypeError(
                f"[{self.name}] add_weight is for layers that compute on NumPy arrays: define backward(self, dy) "
                "too. Without backward, call combines layers, which have their own weights"
            )
        if not self.own:
            raise TypeError(f"[{self.name}] the core knows the weights of {type(self).__name__}")
        if getattr(dtype, "name", dtype) not in (None, "float32"):
            raise TypeError(f"[{self.name}] add_weight: dtype must be 'float32', got {dtype!r}")
        label = name or ("weight" if "weight" not in self._specified else f"weight_{len(self._specified)}")
        if not isinstance(label, str) or "/" in label:
            raise ValueError(f"[{self.name}] add_weight: name must be a string without '/', got {label!r}")
        sizes = tuple(int(size) for size in shape)
        initial = initializer_name(initializer, f"[{self.name}] add_weight: initializer")
        penalty = regularizer_name(regularizer, f"[{self.name}] add_weight: regularizer")
        _core.check_regularizer(penalty, f"{self.name}/{label}")
        made = Specification(label, sizes, initial, bool(trainable), penalty)
        known = self._specified.setdefault(label, made)
        if known != made:
            raise ValueError(f"[{self.name}] add_weight: {label!r} was added before with the shape {known.shape}")
        return self._handles.setdefault(label, OwnWeight(str(self.name), label))

    # What the core calls

    def _own_config(self) -> dict[str, Any]:
        config = dict(self.get_config())  # type: ignore[attr-defined]
        return {key: value for key, value in config.items() if key not in ("name", "trainable")}

    def _own_describe(self, inputs: Sequence[Shape]) -> tuple[Shape, list[Specification]]:
        """The output's shape and the weights, for inputs of these shapes (without the batch)."""
        whole = [(None, *shape) for shape in inputs]
        build = getattr(self, "build", None)
        if build is not None:
            build(whole[0] if len(whole) == 1 else whole)
        weights = list(self._specified.values())
        shape_of = getattr(self, "compute_output_shape", None)
        if shape_of is not None:
            output = tuple(shape_of(whole[0] if len(whole) == 1 else whole))[1:]
            if not output or any(not isinstance(size, int) or size < 1 for size in output):
                raise ValueError(f"[{self.name}] compute_output_shape must return (None, ...) with sizes, got {output}")
            return output, weights
        zeros = [np.zeros((2, *shape), np.float32) for shape in inputs]  # two samples: one would hide a mixed-up batch
        values = {found.name: np.zeros(found.shape, np.float32) for found in self._specified.values()}
        with np.errstate(all="ignore"):
            result = self._run(zeros, values, False)
        if result.ndim < 2 or len(result) != 2:
            raise ValueError(
                f"[{self.name}] call must return an array (N, ...) for N samples, got the shape {result.shape} for 2"
            )
        return result.shape[1:], weights

    def _own_call(
        self, inputs: list[FloatArray], weights: Mapping[str, FloatArray], training: bool
    ) -> tuple[FloatArray, dict[str, Any]]:
        """The output, and the attributes that `backward` may need: another call may set them before."""
        result = self._run(inputs, weights, training)
        expected = (len(inputs[0]), *self._output_of([array.shape[1:] for array in inputs]))
        if result.shape != expected:
            raise ValueError(f"[{self.name}] call must return the shape {expected}, got {result.shape}")
        kept = {name: value for name, value in vars(self).items() if name not in _NOT_KEPT}
        return np.ascontiguousarray(result, np.float32), kept

    def _own_backward(
        self, dy: FloatArray, inputs: list[FloatArray], weights: Mapping[str, FloatArray], kept: dict[str, Any] | None
    ) -> tuple[list[FloatArray], dict[str, FloatArray]]:
        """Gradients of the inputs, and of the trainable weights by name, for the core."""
        vars(self).update(kept or {})
        of_inputs, of_weights = self._gradients(dy, inputs, weights)
        return (
            [np.ascontiguousarray(array, np.float32) for array in of_inputs],
            {name: np.ascontiguousarray(array, np.float32) for name, array in of_weights.items()},
        )

    def _gradients(
        self, dy: NDArray[Any], inputs: list[Any], weights: Mapping[str, Any]
    ) -> tuple[list[NDArray[Any]], dict[str, NDArray[Any]]]:
        with _Values(self._handles, weights):
            found = self.backward(dy, *(inputs if self._takes_inputs() else ()))  # type: ignore[attr-defined]
        wanted = [one for one in self._specified.values() if one.trainable]
        of_weights: Any = {}
        if wanted:
            if not isinstance(found, tuple) or len(found) != 2:
                raise TypeError(
                    f"[{self.name}] backward must return (gradient of the input, gradients of the weights), the latter "
                    f"a dict with {', '.join(one.name for one in wanted)}; got {type(found).__name__}"
                )
            found, of_weights = found
        several = list(found) if len(inputs) > 1 else [found]
        if len(several) != len(inputs):
            raise ValueError(f"[{self.name}] backward must return {len(inputs)} gradients, got {len(several)}")
        gradients = [self._gradient(one, x.shape, "the input") for one, x in zip(several, inputs, strict=True)]
        missing = [one.name for one in wanted if one.name not in of_weights]
        if missing:
            raise ValueError(f"[{self.name}] backward returned no gradient of the weight {missing[0]!r}")
        return gradients, {
            one.name: self._gradient(of_weights[one.name], one.shape, f"the weight {one.name!r}") for one in wanted
        }

    def _run(self, inputs: list[Any], weights: Mapping[str, Any], training: bool) -> NDArray[Any]:
        call: Any = self.call  # type: ignore[attr-defined]
        more = {"training": training} if "training" in inspect.signature(call).parameters else {}
        with _Values(self._handles, weights):
            return real_numbers(call(inputs[0] if len(inputs) == 1 else inputs, **more), f"[{self.name}] call")

    def _output_of(self, inputs: Sequence[Shape]) -> Shape:
        core: _core.Layer = self._core  # type: ignore[attr-defined]
        return core.infer(inputs)

    def _gradient(self, value: Any, shape: Shape, what: str) -> NDArray[Any]:
        array = real_numbers(value, f"[{self.name}] backward: the gradient of {what}")
        if array.shape != shape:
            raise ValueError(
                f"[{self.name}] backward: the gradient of {what} must have the shape {shape}, got {array.shape}"
            )
        return array

    @classmethod
    def _takes_inputs(cls) -> bool:
        """Whether `backward` takes the inputs beside the gradient."""
        return len(inspect.signature(cls.backward).parameters) > 2  # type: ignore[attr-defined]


class _Values:
    """Within a `with` statement, weights are these arrays."""

    def __init__(self, handles: Mapping[str, OwnWeight], values: Mapping[str, Any]) -> None:
        self._handles, self._values = handles, values

    def __enter__(self) -> None:
        self._before = {name: handle._value for name, handle in self._handles.items()}
        for name, handle in self._handles.items():
            handle._value = self._values.get(name)

    def __exit__(self, *_: object) -> None:
        for name, handle in self._handles.items():
            handle._value = self._before.get(name)
