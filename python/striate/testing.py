"""Checks of custom layers and losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from striate import losses
from striate._own_code import evaluated, real_numbers
from striate.layers import Layer
from striate.losses import Loss

__all__ = ["check_gradient"]

_ELEMENTS = 200  # of an array, that are moved one by one


def check_gradient(
    of: Layer | Loss | Callable[[Any, Any], Any],
    *arrays: ArrayLike,
    step: float = 1e-5,
    tolerance: float = 1e-4,
    seed: int = 0,
) -> float:
    """Compare the gradient of a custom loss or layer with finite differences, in float64.

    Args:
        of: a loss with `call` and `gradient`, a function that returns values and gradient, or a layer with `call` and
            `backward`, whose weights are drawn at random.
        arrays: `y_true` and `y_pred`, or the inputs of the layer. Choose places that have a derivative.
        step: by which elements are moved up and down.
        tolerance: the largest error that is accepted, relative to the largest difference.
        seed: of the choice of elements, where there are more than 200.

    Returns:
        The largest error, relative to the largest difference.

    Raises:
        AssertionError: the gradient is wrong; the message names the worst place.
        TypeError, ValueError: methods do not return what they must, or the core computes the loss or layer.
    """
    if isinstance(of, Layer):
        return _check_layer(of, [real_numbers(x, "check_gradient") for x in arrays], step, tolerance, seed)
    loss = losses.get(of)
    if loss._computes():
        raise TypeError(f"check_gradient: the core computes {type(loss).__name__}")
    if len(arrays) != 2:
        raise ValueError(f"check_gradient: expected y_true and y_pred, got {len(arrays)} arrays")
    true, pred = np.asarray(arrays[0]), real_numbers(arrays[1], "check_gradient: y_pred").astype(np.float64)
    owner = type(loss).__name__

    def total(value: NDArray[Any]) -> float:
        return float(evaluated(loss._evaluate, owner, true, value, False).values.sum())

    gradient = evaluated(loss._evaluate, owner, true, pred.copy(), True).gradient
    return compare(total, pred, gradient, f"{owner}: y_pred", step, tolerance, seed)


def _check_layer(layer: Layer, arrays: list[NDArray[Any]], step: float, tolerance: float, seed: int) -> float:
    if not layer.own:
        raise TypeError(f"check_gradient: the core computes {type(layer).__name__}")
    rng = np.random.default_rng(seed)
    inputs: dict[Any, NDArray[Any]] = {at: x.astype(np.float64) for at, x in enumerate(arrays)}
    layer._core.infer([x.shape[1:] for x in arrays])
    weights = {name: rng.normal(1.0, 0.5, found.shape) for name, found in layer._specified.items()}
    values = {**inputs, **weights}

    def outputs(changed: dict[Any, NDArray[Any]]) -> NDArray[Any]:
        return layer._run([changed[at] for at in inputs], {name: changed[name] for name in weights}, True)

    dy = rng.normal(size=outputs(values).shape)
    of_inputs, of_weights = layer._gradients(dy, list(inputs.values()), weights)
    gradients: dict[Any, NDArray[Any]] = {**dict(enumerate(of_inputs)), **of_weights}
    errors = []
    for at, gradient in gradients.items():

        def total(value: NDArray[Any], at: Any = at) -> float:
            return float((outputs({**values, at: value}) * dy).sum())

        what = f"{type(layer).__name__}: " + (f"input {at}" if isinstance(at, int) else f"weight {at!r}")
        errors.append(compare(total, values[at], gradient, what, step, tolerance, seed))
    return max(errors, default=0.0)


def compare(
    total: Callable[[NDArray[Any]], float],
    value: NDArray[Any],
    gradient: NDArray[Any],
    what: str,
    step: float,
    tolerance: float,
    seed: int,
) -> float:
    """The largest error of a gradient beside differences of `total` around `value`."""
    places = np.arange(value.size)
    if value.size > _ELEMENTS:
        places = np.sort(np.random.default_rng(seed).choice(value.size, _ELEMENTS, replace=False))
    differences = np.empty(len(places))
    for number, place in enumerate(places):
        sums = []
        for sign in (1.0, -1.0):
            moved = value.copy()
            moved.reshape(-1)[place] += sign * step
            sums.append(total(moved))
        differences[number] = (sums[0] - sums[1]) / (2.0 * step)
    found = np.asarray(gradient, np.float64).reshape(-1)[places]
    scale = max(float(np.abs(differences).max(initial=0.0)), 1e-12)
    errors = np.abs(found - differences) / scale
    worst = int(errors.argmax()) if errors.size else 0
    error = float(errors[worst]) if errors.size else 0.0
    if not error <= tolerance:
        index = tuple(int(axis) for axis in np.unravel_index(places[worst], value.shape))
        raise AssertionError(
            f"{what}{list(index)}: the gradient is {found[worst]:.6g}, the difference {differences[worst]:.6g}; "
            f"relative error {error:.1e}, tolerance {tolerance:.1e}"
        )
    return error
