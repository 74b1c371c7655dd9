"""What `training` is while a `call` of the user's draws a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, NoReturn


class OfRun:
    """The mode of the current run, training or prediction. Layers take it as their argument `training`."""

    def _refuse(self, *_: object) -> NoReturn:
        raise TypeError(
            "call cannot branch on training: it runs once, and the network that it draws serves training and "
            "prediction. Pass training on to the layers: Dropout(0.5)(x, training=training)"
        )

    __bool__ = __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = _refuse
    __hash__ = object.__hash__

    def __repr__(self) -> str:
        return "<training, as the run asks for>"


OF_RUN: Final = OfRun()


def draw_with(call: Callable[..., Any], inputs: Any, training: Any = None) -> Any:
    """Call a custom layer's or model's `call` with symbols and return its result.

    Args:
        call: the method.
        inputs: a symbol or a sequence of symbols.
        training: True or False fixes the mode; None: `fit` trains, `evaluate` and `predict` do not.
    """
    if "training" in inspect.signature(call).parameters:
        return call(inputs, training=OF_RUN if training is None else training)
    return call(inputs)


def mode_of(training: Any) -> bool | None:
    """`training` of a call of a layer: None for `OF_RUN`."""
    return None if training is None or training is OF_RUN else bool(training)
