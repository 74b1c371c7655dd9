"""Convolutional neural networks on ordinary CPUs: small, fast, exact, and with Keras's names.

import striate as st
from striate.layers import Input, Conv2D, Flatten, Dense

(x_train, y_train), (x_test, y_test) = st.data.load_digits()
model = st.Sequential([Input((8, 8, 1)), Conv2D(32, 3, activation="relu"), Flatten(), Dense(10)])
model.compile("adam", loss=st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(x_train, y_train, epochs=10)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from striate import _core

if TYPE_CHECKING:
    from striate import (
        activations,
        backend,
        callbacks,
        data,
        detection,
        distributed,
        initializers,
        interop,
        layers,
        losses,
        metrics,
        models,
        onnx,
        optimizers,
        regularizers,
        segmentation,
        sklearn,
        testing,
        utils,
        viz,
    )
    from striate.finetuning import finetune
    from striate.io import load_model, load_training, save_training
    from striate.layers import Input
    from striate.model import Model
    from striate.runtime import available_isas, get_num_threads, isa, set_num_threads, set_seed, show_config
    from striate.sequential import Sequential
    from striate.trainer import Trainer

__version__: str = _core.runtime_info()["version"]

# Where each name comes from. Nothing is imported before it is asked for, so that `import striate` costs nothing.
_MODULES = (
    "testing",
    "utils",
    "backend",
    "activations",
    "callbacks",
    "data",
    "detection",
    "distributed",
    "initializers",
    "interop",
    "layers",
    "losses",
    "metrics",
    "models",
    "onnx",
    "optimizers",
    "regularizers",
    "segmentation",
    "sklearn",
    "viz",
)
_NAMES = {
    "Input": "layers",
    "Model": "model",
    "Sequential": "sequential",
    "Trainer": "trainer",
    "available_isas": "runtime",
    "finetune": "finetuning",
    "get_num_threads": "runtime",
    "isa": "runtime",
    "load_model": "io",
    "load_training": "io",
    "save_training": "io",
    "set_num_threads": "runtime",
    "set_seed": "runtime",
    "show_config": "runtime",
}

__all__ = [
    "Input",
    "Model",
    "Sequential",
    "Trainer",
    "activations",
    "available_isas",
    "backend",
    "callbacks",
    "data",
    "detection",
    "distributed",
    "finetune",
    "get_num_threads",
    "initializers",
    "interop",
    "isa",
    "layers",
    "load_model",
    "load_training",
    "losses",
    "metrics",
    "models",
    "onnx",
    "optimizers",
    "regularizers",
    "save_training",
    "segmentation",
    "set_num_threads",
    "set_seed",
    "show_config",
    "sklearn",
    "testing",
    "utils",
    "viz",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"striate.{name}")
    if name in _NAMES:
        value = getattr(import_module(f"striate.{_NAMES[name]}"), name)
        globals()[name] = value
        return value
    hint = import_module("striate._keras_names").PACKAGE.get(name)
    raise AttributeError(f"module 'striate' has no attribute {name!r}" + (f"; {hint}" if hint else ""))


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
