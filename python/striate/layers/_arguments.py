"""From the arguments as Keras's users write them to the core's: numbers, names and lists of numbers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import FunctionType
from typing import Any, NamedTuple, TypeAlias

from striate import _core, _keras_names
from striate._checks import flag
from striate.initializers import Initializer, initializer_name
from striate.regularizers import regularizer_name

Pair: TypeAlias = "int | tuple[int, int] | list[int]"
"""One number for height and width, or (height, width)."""
Margins: TypeAlias = "Pair | tuple[tuple[int, int], tuple[int, int]] | list[list[int]]"
"""One number for all sides, (height, width) for both sides, or ((top, bottom), (left, right))."""
Activation: TypeAlias = "str | Callable[..., Any] | None"
"""A name, or an activation layer or function that a name means."""
InitializerLike: TypeAlias = "str | Initializer | type[Initializer]"


def checked_name(kind: str, name: object) -> str:
    """A layer's name as the core takes it: empty for none."""
    if name is None:
        return ""
    if not isinstance(name, str) or not name:
        raise TypeError(f"{kind}: name must be a string that is not empty, got {name!r}")
    return name


def to_config(kind: str, name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The core's arguments of a layer, from those of its Python class."""
    owner = name or _core.snake_case(kind)
    config: dict[str, Any] = {}
    for key, value in arguments.items():
        if key == "data_format":
            _check_channels_last(owner, value)
        elif key == "noise_shape":
            if value is not None:
                raise ValueError(
                    f"[{owner}] noise_shape is not supported, got {value!r}; SpatialDropout2D drops channels"
                )
        elif key == "seed":
            pass  # random numbers follow from the trainer's seed
        elif key == "activation":
            config[key] = activation_name(value, owner)
        elif key.endswith("_initializer"):
            config[key] = initializer_name(value, f"[{owner}] {key}")
        elif key.endswith("_regularizer"):
            config[key] = regularizer_name(value, f"[{owner}] {key}")
        elif key == "padding" and isinstance(value, str):
            config[key] = value.lower()
        elif key in ("padding", "cropping"):
            config[key] = _margins(owner, key, value)
        else:
            config[key] = value
    return config


def activation_name(activation: Activation, owner: str) -> str | None:
    """The name of an activation given as a name, a function of that name, or an activation layer.

    Raises:
        TypeError: it is none of these.
        ValueError: it is a layer with arguments, which a name cannot pass.
    """
    if activation is None or isinstance(activation, str):
        return activation
    core = getattr(activation, "_core", None)
    if core is None:
        name = getattr(activation, "__name__", None)
        if not callable(activation) or not isinstance(name, str):
            raise TypeError(f"[{owner}] activation must be a name such as 'relu', got {type(activation).__name__}")
        if isinstance(activation, FunctionType) and activation.__module__.partition(".")[0] not in _LIBRARIES:
            raise ValueError(
                f"[{owner}] the function {name!r} would never be called: the core computes activations; pass one by "
                f"its name, such as activation='relu'"
            )
        return _FUNCTIONS.get(name, name)
    config: dict[str, Any] = core.config()
    if core.type == "Activation":
        return str(config["activation"])
    for name, kind, wanted in _LAYERS:
        if core.type == kind and all(config.get(key) == value for key, value in wanted.items()):
            return name
    raise ValueError(
        f"[{owner}] takes an activation by its name, which does not carry the arguments of {activation!r}; "
        "add it as a separate layer"
    )


class KerasArguments(NamedTuple):
    """What arguments said that all of Keras's layers have.

    Attributes:
        shape: shape of the input, without the batch; None where none was given.
        trainable: None where it was not given.
    """

    shape: tuple[int, ...] | None
    trainable: bool | None


def keras_arguments(kind: str, known: Collection[str], given: dict[str, Any]) -> KerasArguments:
    """Take out of `given` the arguments that Keras's layers have beside their own, `known`.

    Raises:
        TypeError: an argument asks for an unsupported feature; the message names the alternative.
        ValueError: a shape is not valid.
    """
    shape: tuple[int, ...] | None = None
    trainable: bool | None = None
    for key in [key for key in given if key not in known]:
        value = given[key]
        if key in ("input_shape", "batch_input_shape", "batch_shape", "input_dim"):
            shape = _input_shape(kind, key, value)
            if kind == "InputLayer":
                given["shape"] = shape
        elif key == "trainable":
            trainable = flag(value, f"{kind}: trainable")
        elif key == "alpha" and kind == "LeakyReLU" and "negative_slope" not in given:
            given["negative_slope"] = value
        elif key == "dtype":
            if getattr(value, "name", value) not in (None, "float32"):
                raise TypeError(f"{kind}: dtype must be 'float32', got {value!r}: {_keras_names.ARGUMENTS[key]}")
        elif key in _keras_names.WITHOUT_MEANING:
            pass
        elif key in _keras_names.ARGUMENTS:
            if value is not None and value is not False:
                raise TypeError(f"{kind} has no argument {key!r}; {_keras_names.ARGUMENTS[key]}")
        else:
            continue  # Python's own message
        del given[key]
    return KerasArguments(shape, trainable)


def _input_shape(kind: str, key: str, value: Any) -> tuple[int, ...] | None:
    """The shape without the batch."""
    if value is None:
        return None
    if key == "input_dim":
        value = (value,)
    if isinstance(value, (str, int)) or not hasattr(value, "__iter__"):
        raise TypeError(f"{kind}: {key} must be a tuple such as (28, 28, 1), got {value!r}")
    shape = tuple(value)
    if key in ("batch_input_shape", "batch_shape"):
        shape = shape[1:]
    if not shape or any(size is None for size in shape):
        raise ValueError(f"{kind}: {key} must have fixed sizes, got {value!r}; give every size as a number")
    return shape


# Libraries whose functions are called as what they compute. A function of the user's may compute anything.
_LIBRARIES = ("striate", "numpy", "scipy", "keras", "tf_keras", "tensorflow", "torch", "jax", "flax")
# Classes and functions that are called otherwise than the activation.
_FUNCTIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
# The activation layers that names mean, with their arguments.
_LAYERS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("relu", "ReLU", {"max_value": None, "negative_slope": 0.0, "threshold": 0.0}),
    ("relu6", "ReLU", {"max_value": 6.0, "negative_slope": 0.0, "threshold": 0.0}),
    ("leaky_relu", "LeakyReLU", {"negative_slope": 0.2}),
    ("elu", "ELU", {"alpha": 1.0}),
    ("softmax", "Softmax", {"axis": -1}),
)


def _check_channels_last(owner: str, value: object) -> None:
    if value not in (None, "channels_last"):
        raise ValueError(
            f"[{owner}] data_format must be 'channels_last', got {value!r}; "
            "move the channels of your arrays to the end: np.moveaxis(x, 1, -1)"
        )


def _margins(owner: str, key: str, value: Any) -> list[int]:
    """(top, bottom, left, right)."""
    try:
        if not hasattr(value, "__iter__"):
            return [value, value, value, value]
        if len(value) == 4:  # as get_config gives them
            return list(value)
        height, width = value
        top, bottom = height if hasattr(height, "__iter__") else (height, height)
        left, right = width if hasattr(width, "__iter__") else (width, width)
    except (TypeError, ValueError):
        raise ValueError(
            f"[{owner}] {key} must be an integer, (height, width) or ((top, bottom), (left, right)), got {value!r}"
        ) from None
    return [top, bottom, left, right]
