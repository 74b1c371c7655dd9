"""The few functions of `keras.backend` that scripts call; striate itself needs none of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from striate.utils import clear_session

__all__ = ["clear_session", "epsilon", "floatx", "get_value", "image_data_format", "set_value"]


def epsilon() -> float:
    """1e-7: the small number that Keras adds to divisors."""
    return 1e-7


def floatx() -> str:
    """ "float32": what layers compute in."""
    return "float32"


def image_data_format() -> str:
    """ "channels_last": the only layout."""
    return "channels_last"


def get_value(x: Any) -> Any:
    """The value of a weight, or of `optimizer.learning_rate`."""
    return float(x) if isinstance(x, float) else np.asarray(x)


def set_value(x: Any, value: Any) -> None:
    """Set a weight, or `optimizer.learning_rate`.

    Raises:
        TypeError: it is neither.
    """
    if not hasattr(x, "assign"):
        raise TypeError(f"set_value sets a weight or optimizer.learning_rate, got {type(x).__name__}")
    x.assign(value)
