"""What all layers share, and the symbols that a network is drawn with."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any, TypeVar

from numpy.typing import NDArray

from striate import _core, _keras_names
from striate._arrays import FloatArray
from striate._checks import flag
from striate._custom_objects import custom_object
from striate._described import Described, arguments_of, takes
from striate._names import suggestion
from striate._own_classes import is_own, refuse_methods, refuse_own
from striate.layers._arguments import checked_name, keras_arguments, to_config
from striate.layers._arithmetic import Constant, constant, inverse, negative
from striate.layers._composed import Composed
from striate.layers._mode import draw_with, mode_of
from striate.layers._own import OwnCode
from striate.layers._weights import Weight, checked_values


class Symbol:
    """A tensor that a network will compute: what `Input` and calls of layers return.

    `x + y`, `x - y` and `x * y` of two symbols are the layers `Add`, `Subtract` and `Multiply`; `x / 255.0`, `1 - x`,
    `2 * x` and the like, with a number or with one for each channel, are the layer `Rescaling`; `x ** 2` is `Multiply`.

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
        """The name of the layer that computes it."""
        return self.layer.name

    @property
    def dtype(self) -> str:
        """Always "float32": what layers compute in."""
        return "float32"

    def __repr__(self) -> str:
        return f"<Symbol {self.shape} of {self.layer.name}>"

    def __add__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol):
            return _layer("Add")([self, other])
        return _affine(self, 1.0, constant(other, self._core.shape))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol):
            return _layer("Subtract")([self, other])
        return _affine(self, 1.0, negative(constant(other, self._core.shape)))

    def __rsub__(self, other: Any) -> Symbol:
        return _affine(self, -1.0, constant(other, self._core.shape))

    def __mul__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol):
            return _layer("Multiply")([self, other])
        return _affine(self, constant(other, self._core.shape), 0.0)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Symbol:
        if isinstance(other, Symbol):
            raise TypeError("there is no layer that divides a Symbol by another; Normalization divides by statistics")
        return _affine(self, inverse(constant(other, self._core.shape)), 0.0)

    def __rtruediv__(self, other: Any) -> Symbol:
        raise TypeError("there is no layer that divides by a Symbol")

    def __neg__(self) -> Symbol:
        return _affine(self, -1.0, 0.0)

    def __pos__(self) -> Symbol:
        return self

    def __pow__(self, power: Any) -> Symbol:
        if isinstance(power, bool) or power not in range(1, 17):
            raise TypeError(f"the power of a Symbol must be a whole number from 1 to 16, got {power!r}")
        return self if power == 1 else _layer("Multiply")([self] * int(power))

    def __iter__(self) -> Any:
        raise TypeError("a Symbol has no values to go over; pass it to a layer, or build a Model and predict")

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise TypeError(
            "a Symbol has no values yet; build a Model and predict. A custom layer that computes on arrays "
            "defines backward(self, dy) beside call"
        )


def _layer(kind: str, **config: Any) -> Layer:
    return layer_of_core(_core.make_layer(kind, config, ""))


def _affine(x: Symbol, scale: Constant, offset: Constant) -> Symbol:
    return _layer("Rescaling", scale=scale, offset=offset)(x)


# Layers that do something else in training than in inference.
_TWO_MODES = (
    *("BatchNormalization", "Dropout", "SpatialDropout2D", "RandomFlip", "RandomRotation", "RandomTranslation"),
    *("RandomZoom", "RandomBrightness", "RandomContrast"),
)


L = TypeVar("L", bound="Layer")
_BY_TYPE: dict[str, type[Layer]] = {}
"""The library's classes by their names, which are the core's types."""


class Layer(OwnCode, Composed, Described):
    """A layer of a network: an unchanging description, and the weights that it gets with the first model that is built
    with it.

    Called on a symbol (or a list of symbols) it returns the symbol of its output. A layer that is called several times
    has one set of weights for all its calls. So do models: all that are built with a layer, or on a model that has it,
    have its weights, its moving averages and `trainable` in common, as in Keras. What one of them trains, the others
    compute with. Models that are meant to differ are made with `copy.deepcopy(model)` or `clone_model`, or with new
    layers for each, such as for each fold of a cross-validation.

    A custom layer that computes defines two methods on NumPy arrays, float32, with the batch first::

        class Scale(Layer):
            def build(self, input_shape):
                self.factor = self.add_weight(shape=input_shape[-1:], initializer="ones", name="factor")

            def call(self, x):
                return x * self.factor

            def backward(self, dy, x):
                return dy * self.factor, {"factor": (dy * x).sum(axis=tuple(range(x.ndim - 1)))}

    `call(x)`, or `call(x, training)`, returns the output; `x` is a list where there are several inputs. `backward(dy)`,
    or `backward(dy, x)` with the inputs one by one, returns the gradient of the input (a list for several), and, where
    the layer has trainable weights, a tuple of it and a dict with the gradient of each. What `call` keeps
    as attributes is there in the `backward` of the same call. `build(input_shape)` and
    `compute_output_shape(input_shape)` are called as in Keras, where they are defined; otherwise `call` tells the shape
    of the output. The methods must not fork the process.
    `striate.testing.check_gradient` compares `backward` with `call`.

    A layer without `backward` is made of other layers: its `call` runs on symbols, once for each call, and combines
    layers and models that are attributes of it, made by `__init__` or `build`. Models and files have those layers, not
    this one; `weights` and `trainable` are those of all of them::

        class Residual(Layer):
            def __init__(self, filters):
                super().__init__()
                self.conv, self.norm = Conv2D(filters, 3, padding="same"), BatchNormalization()

            def call(self, x, training=None):
                return self.norm(self.conv(x), training=training) + x

    Files name its class, with the arguments that it was made with or what its `get_config` returns, numbers, strings
    and lists of numbers; `load_model` is given the class as `custom_objects={"Scale": Scale}`.
    """

    _hints = _keras_names.LAYER
    _first_shape: tuple[int, ...] | None

    def __init_subclass__(cls) -> None:
        if not is_own(cls):
            _BY_TYPE[cls.__name__] = cls
            if "__init__" in vars(cls):
                cls.__init__ = _taking_keras_arguments(cls.__init__)  # type: ignore[method-assign]
            return
        if not any(base is not Layer and issubclass(base, Layer) and not is_own(base) for base in cls.__mro__):
            _check_own(cls)
            cls.own = callable(getattr(cls, "backward", None))
            cls.composed = not cls.own
            return
        refuse_own(
            cls,
            Layer,
            ("call", "forward", "backward", "build", "compute_output_shape", "compute_mask", "add_weight"),
            "compose layers of striate.layers in a function of symbols: def block(x): return ReLU()(Conv2D(8, 3)(x))",
        )

    def __init__(self, arguments: Mapping[str, Any] | None = None, **given: Any) -> None:
        if arguments is None:  # of a class of the user's
            self._begin_own(given)
            return
        kind, given = arguments_of(arguments)
        name = checked_name(kind, given.pop("name", None))
        trainable = flag(given.pop("trainable", True), f"{kind}: trainable")
        self._hold(_core.make_layer(kind, to_config(kind, name, given), name))
        self._core.trainable = trainable

    def _begin_own(self, given: dict[str, Any]) -> None:
        kind = type(self).__name__
        common = keras_arguments(kind, ("name",), given)
        name = checked_name(kind, given.pop("name", None))
        if given:
            raise TypeError(f"{kind}: Layer.__init__ takes name, trainable and the like, got {next(iter(given))!r}")
        self._specified, self._handles = {}, {}
        if self.composed:
            if common.trainable is False:
                raise TypeError(f"{kind}: set trainable once the layers are made that {kind} is made of")
            self._forget(name or _core.snake_case(kind))
        else:
            self._hold(_core.own_layer(kind, name, self))
            self._core.trainable = common.trainable is not False
        self._first_shape = common.shape

    def _computes(self) -> bool:
        return not (self.own or self.composed)

    def _rename(self, name: str) -> None:
        """Take the name that a file says, for a layer of the user's whose class takes no name."""
        if self.own and self._core.name != name:
            self._core = _core.own_layer(type(self).__name__, name, self)
            self._name = name

    def _hold(self, core: _core.Layer) -> None:
        self._core = core
        self._forget(core.label)

    def _forget(self, name: str) -> None:
        """Be in no model."""
        self._in_model = False
        self._name = name
        self._shape: tuple[int, ...] | None = None
        self._output: weakref.ref[Symbol] | None = None
        self._first_shape: tuple[int, ...] | None = None  # `input_shape`, for the first layer of a Sequential

    def _belong(self, model: _core.Model, place: int) -> None:
        """Become the layer at this place of a model."""
        core, name, node = model.layer(place)
        self._core = core
        if not self._in_model:  # the first one names it, unless the user did
            self._name, self._shape, self._in_model = name, model.node(node)[2], True

    def __call__(self, inputs: Symbol | Sequence[Symbol], training: bool | None = None) -> Symbol:
        """The output for these inputs.

        Args:
            inputs: a symbol, or a list of several.
            training: None: the layer does what `fit` or `predict` needs. False: it does what `predict` needs, in `fit`
                too: batch normalisation uses its moving averages and leaves them as they are, and dropout drops
                nothing. True: it does what `fit` needs, in `predict` too: dropout drops other values in each batch
                (Gal and Ghahramani, "Dropout as a Bayesian approximation", ICML 2016). Weights are trained in any
                case, unless `trainable` is False.

        Raises:
            ValueError: the inputs' shapes do not fit, or `training` is True for batch normalisation, whose moving
                averages `predict` must not change.
            TypeError: the inputs are not symbols.
        """
        symbols = self._symbols(inputs)
        if self.composed:
            combined: Symbol = self._combined(symbols, inputs, training)
            return combined
        mode = mode_of(training)
        if mode and not self.own and self._core.type not in _TWO_MODES:
            mode = None  # it does the same in both
        result = Symbol(_core.apply(self._core, [symbol._core for symbol in symbols], mode), self, symbols)
        self._remember(result)
        return result

    def _symbols(self, inputs: Any) -> Sequence[Symbol]:
        """One or several symbols as a list."""
        if self.own or self.composed:
            if "_name" not in self.__dict__:
                raise RuntimeError(f"{type(self).__name__}.__init__ must call super().__init__() first")
        symbols = [inputs] if isinstance(inputs, Symbol) else inputs
        if not isinstance(symbols, (list, tuple)) or not all(isinstance(symbol, Symbol) for symbol in symbols):
            kind = type(inputs).__name__
            if isinstance(inputs, (list, tuple)):
                kind += " of " + ", ".join(type(item).__name__ for item in inputs)
            raise TypeError(
                f"[{self.name}] is called on what Input() or another layer returned, got {kind}; "
                "build a Model, and call its predict on arrays"
            )
        return symbols

    def _combined(self, symbols: Sequence[Symbol], inputs: Any, training: Any) -> Any:
        """What the user's `call` makes of symbols with other layers."""
        build = getattr(self, "build", None)
        if build is not None and self._output is None:
            shapes = [symbol.shape for symbol in symbols]
            build(shapes[0] if isinstance(inputs, Symbol) else shapes)
        result = draw_with(self.call, inputs, training)
        outputs = [result] if isinstance(result, Symbol) else result
        if not isinstance(outputs, (list, tuple)) or not all(isinstance(output, Symbol) for output in outputs):
            raise TypeError(
                f"[{self.name}] call must return a Symbol, the output of a layer, got {type(result).__name__}; a layer "
                "that computes on NumPy arrays must also define backward(self, dy)"
            )
        self._remember(outputs[-1])
        return result

    @property
    def name(self) -> str:
        """The name that was given or that the model chose; before that, the name of the first layer of its type."""
        return self._name

    def _remember(self, result: Symbol) -> None:
        if self._output is None or self._output() is None:
            self._output = weakref.ref(result)

    @property
    def output(self) -> Symbol:
        """The output of its first call, as in Keras.

        Raises:
            ValueError: it was not called, or nothing keeps what it returned.
        """
        symbol = None if self._output is None else self._output()
        if symbol is None:
            raise ValueError(f"[{self.name}] has no output yet; call it on the output of another layer")
        return symbol

    @property
    def input(self) -> Symbol | list[Symbol]:
        """The input of its first call: one symbol, or a list of several."""
        inputs = list(self.output.inputs)
        return inputs[0] if len(inputs) == 1 else inputs

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """The shape of its output in the model, batch first: `(None, 28, 28, 32)`."""
        return self.output.shape if self._shape is None else (None, *self._shape)

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; False freezes them, and batch normalisation's moving averages.

        `compile` reads it: set it before, or call `compile` again. All models with the layer have it in common.
        """
        if self.composed:
            return any(part.trainable for part in self._parts())
        return bool(self._core.trainable)

    @trainable.setter
    def trainable(self, value: bool) -> None:
        value = flag(value, f"[{self.name}] trainable")
        if self.composed:
            for part in self._parts():
                part.trainable = value
        else:
            self._core.trainable = value

    def __getattr__(self, name: str) -> Any:
        # Called for what is no attribute: the arguments that the layer was made with.
        core = self.__dict__.get("_core")
        if core is not None and not self.own and not name.startswith("_"):
            config = core.config()
            if name in config:
                return config[name]
        if core is not None and name in _keras_names.WEIGHTS:
            found = [weight for weight in self.weights if weight.name == name]
            if found:
                return found[0]
        hint = f"; {_keras_names.LAYER[name]}" if name in _keras_names.LAYER else ""
        raise AttributeError(f"{type(self).__name__} has no attribute {name!r}{hint}")

    def get_config(self) -> dict[str, Any]:
        """The arguments, enough to make an equal layer: `Conv2D.from_config(config)`."""
        config = {key: value for key, value in self._config().items() if key not in ("name", "trainable")}
        config["name"] = self.name
        if not self.trainable:
            config["trainable"] = False
        return config

    @classmethod
    def from_config(cls: type[L], config: Mapping[str, Any]) -> L:
        """A layer from what `get_config` returned."""
        arguments = dict(config)
        trainable, name = arguments.pop("trainable", True), arguments.get("name")
        if cls.own and not takes(cls, "name"):
            arguments.pop("name", None)
        layer = cls(**arguments)
        if cls.own and name is not None:
            layer._rename(str(name))
        layer.trainable = trainable
        return layer

    def __reduce__(self) -> Any:
        return type(self).from_config, (self.get_config(),)

    def _described_weights(self) -> list[tuple[str, tuple[int, ...], bool]]:
        """Name, shape and whether training updates it, of each weight."""
        found = self._core.weights
        if found is None and not self._in_model:
            raise ValueError(f"[{self.name}] has no weights yet: they are made when a model is built with it")
        return found or []

    @property
    def weights(self) -> list[Weight]:
        """The weights as variables, in the order of `get_weights`; none before the layer is part of a model."""
        if self.composed:
            return self._part_weights()
        return [Weight(self, place) for place in range(len(self._core.weights or ()))]

    @property
    def trainable_weights(self) -> list[Weight]:
        """The weights that training changes with gradients."""
        return [weight for weight in self.weights if weight.trainable]

    @property
    def non_trainable_weights(self) -> list[Weight]:
        """The weights that gradients do not change: moving averages, and the weights of a frozen layer."""
        return [weight for weight in self.weights if not weight.trainable]

    variables, trainable_variables, non_trainable_variables = weights, trainable_weights, non_trainable_weights

    def get_weights(self) -> list[FloatArray]:
        """Copies of the weights, in Keras's order: kernel, bias; or gamma, beta, moving mean, moving variance.

        Raises:
            ValueError: the layer is in no model yet.
        """
        if self.composed:
            return [weight.numpy() for weight in self.weights]
        found = self._described_weights()
        return self._core.values(range(len(found))) if found else []

    def set_weights(self, weights: Sequence[NDArray[Any]]) -> None:
        """Set the weights from arrays in the order of `get_weights`.

        Raises:
            ValueError: their number or a shape does not fit; no weight is changed then.
        """
        if self.composed:
            parts = self.weights
            given = checked_values([(one.path, one.shape) for one in parts], weights, f"[{self.name}] set_weights")
            for one, value in zip(parts, given, strict=True):
                one.assign(value)
            return
        found = [(f"{self.name}/{name}", shape) for name, shape, _ in self._described_weights()]
        values = checked_values(found, weights, f"[{self.name}] set_weights")
        if values:
            self._core.set_values(list(enumerate(values)))

    def count_params(self) -> int:
        """The number of weights, trainable or not."""
        if self.composed:
            return sum(math.prod(weight.shape) for weight in self.weights)
        return sum(math.prod(shape) for _, shape, _ in self._described_weights())


def _taking_keras_arguments(init: Callable[..., None]) -> Callable[..., None]:
    """The `__init__` of a layer, which also takes the arguments that all of Keras's layers have."""
    code = init.__code__
    known = frozenset(code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount])

    @wraps(init)
    def __init__(self: Layer, *args: Any, **given: Any) -> None:
        if given.keys() <= known:
            init(self, *args, **given)
            return
        common = keras_arguments(type(self).__name__, known, given)
        init(self, *args, **given)
        self._first_shape = common.shape
        if common.trainable is not None:
            self._core.trainable = common.trainable

    return __init__


def layer_from(entry: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Layer:
    """The layer of a class's name and `get_config`.

    Raises:
        ValueError: no layer has this name or index.
    """
    cls = _BY_TYPE.get(str(entry["class"]))
    if cls is None and custom_objects:
        cls = custom_object(str(entry["class"]), custom_objects, "layer")
    if cls is None:
        raise ValueError(f"there is no layer {entry['class']!r}; {suggestion(str(entry['class']), _BY_TYPE)}")
    return cls.from_config(entry["config"])


def _check_own(cls: type[Layer]) -> None:
    """Check a class of the user's that derives from `Layer` itself.

    Raises:
        TypeError: it does not compute anything, or has a name of the library's.
    """
    if not callable(getattr(cls, "call", None)):
        raise TypeError(
            f"{cls.__name__} must define call(self, x): on symbols, which it combines with other layers, or, with "
            "backward(self, dy), on NumPy arrays"
        )
    refuse_methods(cls, ("forward", "compute_mask"), "define call(self, x)")
    if cls.__name__ in _BY_TYPE:
        raise TypeError(
            f"{cls.__name__} has the name of a built-in layer, and files identify layers by name; choose another name"
        )


def layer_of_core(core: _core.Layer) -> Layer:
    """The Python layer for one of the core's, such as a model file holds."""
    owner: Layer | None = _core.owner_of(core)
    if owner is not None:
        return owner
    cls = _BY_TYPE.get(core.type, Layer)
    layer = cls.__new__(cls)
    layer._hold(core)
    return layer
