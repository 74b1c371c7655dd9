"""From the arguments as Keras's users write them to the core's: numbers, names and lists of numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType
from typing import TYPE_CHECKING, Any, TypeAlias

from striate import _core
from striate.initializers import Initializer, initializer_name

if TYPE_CHECKING:
    from striate.layers._base import Layer

Pair: TypeAlias = "int | tuple[int, int] | list[int]"
"""One number for height and width, or (height, width)."""
Margins: TypeAlias = "Pair | tuple[tuple[int, int], tuple[int, int]] | list[list[int]]"
"""One number for all sides, (height, width) for both sides, or ((top, bottom), (left, right))."""
Activation: TypeAlias = "str | Layer | Callable[..., Any] | None"
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
        ValueError: it is a layer with arguments of its own, which a name cannot carry.
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
        "add it as a layer of its own"
    )


# Libraries whose functions are called as what they compute. A function of the user's may compute anything.
_LIBRARIES = ("striate", "numpy", "scipy", "keras", "tf_keras", "tensorflow", "torch", "jax", "flax")
# Classes and functions that are called otherwise than the activation.
_FUNCTIONS = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "ELU": "elu", "Softmax": "softmax"}
# The activation layers that a name stands for, with the arguments that the name means.
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
