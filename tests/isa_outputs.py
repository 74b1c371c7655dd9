"""Run as a program: all layers on fixed arrays with the instruction set of STRIATE_ISA, written to the file named."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np

import striate
from layer_cases import CASES
from layer_setups import Setup
from numeric import feed, normal
from striate import layers

# Beside the rows' own large maps: one sample of one pixel, and channels that fill no vector of any length.
SMALL: dict[str, list[Setup]] = {
    "Conv2D": [
        Setup({"filters": 5, "kernel_size": 2, "padding": "same"}, ((1, 1, 3),), 1),
        Setup({"filters": 1, "kernel_size": 3}, ((5, 4, 1),), 3),
    ],
    "Dense": [Setup({"units": 1}, ((3,),), 1), Setup({"units": 7}, ((1,),), 2)],
    "Softmax": [Setup({}, ((1,),), 1), Setup({}, ((7,),), 3)],
    "MaxPooling2D": [Setup({"pool_size": 3, "strides": 1, "padding": "same"}, ((2, 1, 5),), 1)],
    "BatchNormalization": [Setup({}, ((1, 3, 5),), 2)],
}


Built = tuple[str, striate.Model, "list[np.ndarray]"]


def models() -> Iterator[Built]:
    """Each layer and setup as a model, with its inputs."""
    for case in CASES:
        # Three maps are enough here; the rows' batches are meant to keep many threads busy.
        large = [Setup(s.args, s.shapes, 3 if len(s.shapes[0]) == 3 else s.batch) for s in case.large]
        for index, setup in enumerate([*large, *SMALL.get(case.layer, [])]):
            inputs, weights = feed(case, setup, seed=4)
            symbols = [layers.Input(shape) for shape in setup.shapes]
            layer = getattr(layers, case.layer)(**setup.args, name="layer")
            model = striate.Model(symbols, layer(symbols if len(symbols) > 1 else symbols[0]), seed=5)
            model.load_state_dict({f"layer/{name}": value for name, value in weights.items()})
            yield f"{case.layer}/{index}", model, inputs


def outputs() -> dict[str, np.ndarray]:
    """For each layer, setup and mode: the output and all gradients; and what a process predicts that never trained, as
    it then has only the kernels of prediction."""
    result: dict[str, np.ndarray] = {}
    built = list(models())
    for key, model, inputs in built:
        result[f"{key}/predicted"] = model.predict(inputs)
    for name, model, inputs in built:
        for training in (False, True):
            key = f"{name}/{'training' if training else 'inference'}"
            y = model.forward(inputs, training=training)
            slopes = model.backward(normal(np.random.default_rng(6), y.shape))
            result[f"{key}/output"] = y
            for i, slope in enumerate(slopes if isinstance(slopes, list) else [slopes]):
                result[f"{key}/input {i}"] = slope
            result.update({f"{key}/{parameter}": g for parameter, g in model.gradients().items()})
    return result


if __name__ == "__main__":
    np.savez(sys.argv[1], isa=np.array(striate.isa()), **outputs())  # type: ignore[arg-type]
