"""What all layers share, and the symbols that a network is drawn with."""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from striate import _core, _keras_names, _kin
from striate._arrays import array_of
from striate._attributes import check_attribute
from striate._checks import flag
from striate._own_classes import is_own, refuse_own
from striate.layers._arguments import checked_name, to_config

FloatArray = NDArray[np.float32]


def _no_arithmetic(other: object) -> TypeError:
    return TypeError(
        f"a Symbol combines with Symbols only, got {type(other).__name__}, by +, - and *; Rescaling scales and "
        "shifts: Rescaling(1 / 255.0)(x) for x / 255.0"
    )


class Symbol:
    """A tensor that a network will compute: what `Input` and calls of layers return.

    `x + y`, `x - y` and `x * y` of two symbols are the layers `Add`, `Subtract` and `Multiply`.

    Attributes:
        layer: the layer whose output it is.
        inputs: what that layer was called on.
    """

    __slots__ = ("__weakref__", "_core", "inputs", "layer")
    __array_ufunc__ = None  # so that ndarray + symbol is a TypeError, not an array of objects

    def __init__(self, core: _core.Symbol, layer: Layer, inputs: Sequence[Symbol]) -> None:
        self._core = core
        self.layer = layer
        self.inputs = tuple(inputs)

    @property
    def shape(self) -> tuple[int | None, ...]:
        """The shape, batch first: `(None, 28, 28, 1)`."""
        return (None, *self._core.shape)

    @property
    def name(self) -> str:
        """The name of its layer."""
        return self.layer.name

    @property
    def dtype(self) -> str:
        """Always "float32": what layers compute in."""
        return "float32"

    def __repr__(self) -> str:
        return f"<Symbol {self.shape} of {self.layer.name}>"

    def __add__(self, other: Symbol) -> Symbol:
        return _merged("Add", self, other)

    def __sub__(self, other: Symbol) -> Symbol:
        return _merged("Subtract", self, other)

    def __mul__(self, other: Symbol) -> Symbol:
        return _merged("Multiply", self, other)

    def _refuse(self, other: object = None) -> Symbol:
        raise _no_arithmetic(other)

    __radd__ = __rsub__ = __rmul__ = __truediv__ = __rtruediv__ = __pow__ = __neg__ = _refuse

    def __iter__(self) -> Any:
        raise TypeError("a Symbol has no values to go over; pass it to a layer, or build a Model and predict")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError("a Symbol has no values yet; build a Model and predict")


def _merged(kind: str, first: Symbol, second: object) -> Symbol:
    if not isinstance(second, Symbol):
        raise _no_arithmetic(second)
    return _of_core(_core.make_layer(kind, {}, ""))([first, second])


# Layers that do something else in training than in inference.
_TWO_MODES = ("BatchNormalization", "Dropout", "SpatialDropout2D")


L = TypeVar("L", bound="Layer")


class Layer:
    """A layer of a network: an unchanging description. Its weights belong to the model that it becomes part of.

    Called on a symbol (or a list of symbols) it returns the symbol of its output. A layer that is called several times
    has one set of weights for all its calls.

    A layer belongs to the first model that is built with it. A further model gets a layer of its own, with a copy of
    the weights and of `trainable` as they are then. Models do not share layers. After the weights of one of them were
    changed, by training or by `set_weights`, a model with an older copy refuses to compute, and after `trainable` was
    set in one of them, a model where it differs refuses to train; also if the other model is gone. To go on, build that
    model again: it starts with the weights that were changed last. Or set the weights you want with `set_weights` or
    `load_weights`. Models that are meant to differ are made with `copy.deepcopy(model)`, or with new layers for each,
    such as for each fold of a cross-validation.
    """

    def __init_subclass__(cls) -> None:
        refuse_own(
            cls,
            Layer,
            ("call", "forward", "backward", "build", "compute_output_shape", "compute_mask", "add_weight"),
            "compose layers of striate.layers in a function of symbols: def block(x): return ReLU()(Conv2D(8, 3)(x))",
        )

    def __new__(cls: type[L], *_: Any, **given: Any) -> L:
        if not is_own(cls):
            for key in _keras_names.ARGUMENTS.keys() & given.keys():
                if key not in cls.__init__.__code__.co_varnames:
                    raise TypeError(f"{cls.__name__} has no argument {key!r}; {_keras_names.ARGUMENTS[key]}")
        return super().__new__(cls)

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        # Subclasses pass locals(): their signature is the one list of their arguments, and `__class__` the class whose
        # __init__ it is.
        given = {key: value for key, value in arguments.items() if key not in ("self", "__class__")}
        kind: str = arguments["__class__"].__name__
        name = checked_name(kind, given.pop("name", None))
        trainable = flag(given.pop("trainable", True), f"{kind}: trainable")
        self._hold(_core.make_layer(kind, to_config(kind, name, given), name), trainable)

    def _hold(self, core: _core.Layer, trainable: bool = True) -> None:
        self._core = core
        self._trainable = trainable
        self._owner: _core.Model | None = None
        self._place = -1  # among the owner's layers
        self._name = core.label
        self._shape: tuple[int, ...] | None = None
        self._output: weakref.ref[Symbol] | None = None
        self._kin: _kin.Kin | None = None  # of copies in other models
        self._stays_frozen = False  # called with training=False

    def _belong(self, owner: _core.Model, place: int) -> None:
        """Become the layer at this place of a model."""
        core, name, node = owner.layer(place)
        self._core, self._name, self._shape = core, name, owner.node(node)[2]
        self._owner, self._place = owner, place
        _kin.moved(self)

    def __call__(self, inputs: Symbol | Sequence[Symbol], training: bool | None = None) -> Symbol:
        """The output for these inputs.

        Args:
            inputs: a symbol, or a list of several.
            training: None: the layer does what `fit` or `predict` needs. Layers that differ between the two cannot be
                fixed to one of them; False is accepted for frozen batch normalisation, which never differs.

        Raises:
            ValueError: the inputs' shapes do not fit, or `training` cannot be fixed.
            TypeError: the inputs are no symbols.
        """
        if training is not None:
            self._check_mode(bool(training))
        symbols = [inputs] if isinstance(inputs, Symbol) else inputs
        if not isinstance(symbols, (list, tuple)) or not all(isinstance(symbol, Symbol) for symbol in symbols):
            kind = type(inputs).__name__
            if isinstance(inputs, (list, tuple)):
                kind += " of " + ", ".join(type(item).__name__ for item in inputs)
            raise TypeError(
                f"[{self.name}] is called on what Input() or another layer returned, got {kind}; "
                "build a Model, and call its predict on arrays"
            )
        result = Symbol(_core.apply(self._core, [symbol._core for symbol in symbols]), self, symbols)
        self._output = weakref.ref(result)
        return result

    def _check_mode(self, training: bool) -> None:
        """Refuse to fix the mode of a layer that has two."""
        kind = self._core.type
        if kind == "BatchNormalization" and not training and not self._trainable:
            self._stays_frozen = True
        elif kind == "BatchNormalization" and not training:
            raise ValueError(
                f"[{self.name}] training=False cannot be fixed for a call; freeze the layer before: "
                "layer.trainable = False keeps the moving averages as they are and uses them"
            )
        elif kind in _TWO_MODES:
            raise ValueError(
                f"[{self.name}] training={training} cannot be fixed for a call: the layer follows fit and predict; "
                "leave training out"
            )

    @property
    def name(self) -> str:
        """The name that was given, or that the model gave; before, what the first of its type would be called."""
        return self._name

    @property
    def output(self) -> Symbol:
        """The output of its last call.

        Raises:
            ValueError: it was not called, or nothing keeps what it returned.
        """
        symbol = None if self._output is None else self._output()
        if symbol is None:
            raise ValueError(f"[{self.name}] has no output yet; call it on the output of another layer")
        return symbol

    @property
    def input(self) -> Symbol | list[Symbol]:
        """What it was last called on: one symbol, or a list of several."""
        inputs = list(self.output.inputs)
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of its output in the model, batch first: `(None, 28, 28, 32)`."""
        return self.output.shape if self._shape is None else (None, *self._shape)

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; False freezes them, and batch normalisation's moving averages."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._check_trainable(value)
        if self._owner is not None:
            self._owner.set_trainable(self._name, bool(value))
        self._trainable = bool(value)
        _kin.switched(self)

    def _check_trainable(self, value: bool) -> None:
        if flag(value, f"[{self.name}] trainable") and self._stays_frozen:
            raise ValueError(
                f"[{self.name}] was called with training=False and stays frozen: thawed, it would use statistics of "
                "batches. Set trainable for the other layers one by one, or call it without training=False"
            )

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute: the arguments that the layer was made with.
        core = self.__dict__.get("_core")
        if core is not None and not name.startswith("_"):
            config = core.config()
            if name in config:
                return config[name]
        hint = f"; {_keras_names.LAYER[name]}" if name in _keras_names.LAYER else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            core = self.__dict__.get("_core")
            fixed = () if core is None else core.config()
            check_attribute(self, name, type(self).__name__, fixed, _keras_names.LAYER)
        super().__setattr__(name, value)

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal layer: `Conv2D.from_config(config)`."""
        config = self._core.config()
        config["name"] = self.name
        if not self._trainable:
            config["trainable"] = False
        return config

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Layer:
        """A layer from what `get_config` returned."""
        arguments = dict(config)
        trainable = arguments.pop("trainable", True)
        layer = cls(**arguments)
        layer.trainable = trainable
        return layer

    def __reduce__(self) -> Any:  # the description; weights are a model's
        from striate._pickling import rebuilt

        return rebuilt, (type(self), self.get_config())

    def _parameters(self) -> list[int]:
        if self._owner is None:
            raise ValueError(f"[{self.name}] has no weights yet: they are made when a model is built with it")
        return list(range(*self._owner.parameters_of(self._place)))

    def get_weights(self) -> list[FloatArray]:
        """Copies of the weights, in Keras's order: kernel, bias; or gamma, beta, moving mean, moving variance.

        Raises:
            ValueError: the layer is in no model yet.
        """
        indices = self._parameters()
        assert self._owner is not None
        if self._kin is not None:
            _kin.check([self], None, "get_weights")
        return self._owner.values(indices)

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights from arrays in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape does not fit; no weight is changed then.
        """
        indices = self._parameters()
        assert self._owner is not None
        assign(self._owner, indices, weights, f"[{self.name}] set_weights")
        _kin.wrote([self])

    def count_params(self) -> int:
        """The number of weights, trainable or not."""
        indices = self._parameters()
        assert self._owner is not None
        return sum(math.prod(self._owner.parameter(index).shape) for index in indices)

    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self._core.config().items())
        return f"{type(self).__name__}({arguments})"


def assign(model: _core.Model, indices: Sequence[int], weights: Iterable[Any], who: str) -> None:
    """Give these parameters of a model their values, all or, when one does not fit, none."""
    infos = [model.parameter(index) for index in indices]
    if not isinstance(weights, (list, tuple)):
        weights = list(islice(weights, len(infos) + 1))  # an iterable need not end
    if len(weights) != len(infos):
        names = ", ".join(f"{info.name} {info.shape}" for info in infos) or "none"
        raise ValueError(f"{who} expects {len(infos)} arrays ({names}), got {len(weights)}")
    values = []
    for index, info, weight in zip(indices, infos, weights, strict=True):
        value = array_of(weight, f"{who}: {info.name}")
        if value.dtype.kind not in "fiub":
            raise TypeError(f"{who} expects numbers for {info.name}, got dtype {value.dtype}")
        if value.shape != info.shape:
            raise ValueError(f"{who} expects {info.name} of shape {info.shape}, got {value.shape}")
        values.append((index, np.ascontiguousarray(value, np.float32)))
    model.set_values(values)


def _of_core(core: _core.Layer) -> Layer:
    """The Python layer for one of the core's, such as a model file holds."""
    from striate import layers

    cls: type[Layer] = getattr(layers, core.type, Layer)
    layer = cls.__new__(cls)
    layer._hold(core)
    return layer
