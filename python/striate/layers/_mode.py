"""What `training` is while a `call` of the user's draws a network."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Final, NoReturn


class OfRun:
    """Training or prediction, as each run of the network asks for. Layers take it as their `training`."""

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
    """What a `call` of the user's returns for symbols.

    Args:
        call: the method.
        inputs: a symbol or several.
        training: None: as each run asks for.
    """
    if "training" in inspect.signature(call).parameters:
        return call(inputs, training=OF_RUN if training is None else training)
    return call(inputs)


def mode_of(training: Any) -> bool | None:
    """`training` of a call of a layer: None for `OF_RUN`."""
    return None if training is None or training is OF_RUN else bool(training)
