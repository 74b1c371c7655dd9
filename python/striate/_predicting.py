"""Prediction, batch after batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from striate._checks import batch_of

if TYPE_CHECKING:
    from striate.callbacks import Callback
    from striate.model import Model


def predict(
    model: Model, x: Any, batch_size: int | None, verbose: str | int, callbacks: Sequence[Callback] | None
) -> Any:
    """The outputs for an array of inputs; see `Model.predict`."""
    inputs = model._arrays(x, "predict")
    batch_size = batch_of(batch_size, "predict")
    core, rows = model._network, len(inputs[0])
    outputs = [np.empty((rows, *shape), np.float32) for shape in core.output_shapes]
    watched = None
    if callbacks or verbose not in (0, "auto"):
        from striate.callbacks import CallbackList

        steps = -(-rows // batch_size)
        watched = CallbackList(callbacks, add_progbar=True, model=model, verbose=verbose, steps=steps, epochs=1)
        watched.on_predict_begin()
    piece = max(rows, 1) if watched is None else batch_size  # the core answers Ctrl-C between batches
    for first in range(0, max(rows, 1), piece):
        part = slice(first, first + piece)
        if watched is not None:
            watched.on_predict_batch_begin(first // piece)
        core.predict_into([array[part] for array in inputs], batch_size, [array[part] for array in outputs])
        if watched is not None:
            watched.on_predict_batch_end(first // piece)
    if watched is not None:
        watched.on_predict_end()
    return one_or_all(outputs)


def one_or_all(values: list[Any]) -> Any:
    """The only value, or the list of several."""
    return values[0] if len(values) == 1 else values
