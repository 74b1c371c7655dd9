"""The public API: signatures and defaults as in Keras, docstrings, and the stub of the core."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

import striate as st
from striate import _core, initializers, layers, losses, optimizers, regularizers
from striate.optimizers import schedules

REQUIRED = inspect.Parameter.empty
PAIR = (1, 1)
NORMS = {"center": True, "scale": True, "beta_initializer": "zeros", "gamma_initializer": "ones"}
NORM_PENALTIES = {"beta_regularizer": None, "gamma_regularizer": None}
PENALTIES = {"kernel_regularizer": None, "bias_regularizer": None}
CLIPS = {"clipnorm": None, "clipvalue": None, "global_clipnorm": None}
MOVED = {
    "fill_mode": "reflect",
    "interpolation": "bilinear",
    "seed": None,
    "fill_value": 0.0,
    "data_format": None,
}
MEAN = {"reduction": "sum_over_batch_size"}

# Keras 3's arguments in their order, with their defaults; of those that striate has.
SIGNATURES: dict[type, dict[str, Any]] = {
    layers.Conv2D: {
        "filters": REQUIRED,
        "kernel_size": REQUIRED,
        "strides": PAIR,
        "padding": "valid",
        "data_format": None,
        "dilation_rate": PAIR,
        "groups": 1,
        "activation": None,
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        **PENALTIES,
    },
    layers.DepthwiseConv2D: {
        "kernel_size": REQUIRED,
        "strides": PAIR,
        "padding": "valid",
        "depth_multiplier": 1,
        "data_format": None,
        "dilation_rate": PAIR,
        "activation": None,
        "use_bias": True,
        "depthwise_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        "depthwise_regularizer": None,
        "bias_regularizer": None,
    },
    layers.SeparableConv2D: {
        "filters": REQUIRED,
        "kernel_size": REQUIRED,
        "strides": PAIR,
        "padding": "valid",
        "data_format": None,
        "dilation_rate": PAIR,
        "depth_multiplier": 1,
        "activation": None,
        "use_bias": True,
        "depthwise_initializer": "glorot_uniform",
        "pointwise_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        "depthwise_regularizer": None,
        "pointwise_regularizer": None,
        "bias_regularizer": None,
    },
    layers.Conv2DTranspose: {
        "filters": REQUIRED,
        "kernel_size": REQUIRED,
        "strides": PAIR,
        "padding": "valid",
        "output_padding": None,
        "data_format": None,
        "dilation_rate": PAIR,
        "activation": None,
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        **PENALTIES,
    },
    layers.Dense: {
        "units": REQUIRED,
        "activation": None,
        "use_bias": True,
        "kernel_initializer": "glorot_uniform",
        "bias_initializer": "zeros",
        **PENALTIES,
    },
    layers.BatchNormalization: {
        "axis": -1,
        "momentum": 0.99,
        "epsilon": 0.001,
        **NORMS,
        "moving_mean_initializer": "zeros",
        "moving_variance_initializer": "ones",
        **NORM_PENALTIES,
    },
    layers.LayerNormalization: {"axis": -1, "epsilon": 0.001, **NORMS, **NORM_PENALTIES},
    layers.GroupNormalization: {"groups": 32, "axis": -1, "epsilon": 0.001, **NORMS, **NORM_PENALTIES},
    layers.Activation: {"activation": REQUIRED},
    layers.ReLU: {"max_value": None, "negative_slope": 0.0, "threshold": 0.0},
    layers.LeakyReLU: {"negative_slope": 0.3},
    layers.ELU: {"alpha": 1.0},
    layers.PReLU: {"alpha_initializer": "zeros", "alpha_regularizer": None, "shared_axes": None},
    layers.Softmax: {"axis": -1},
    layers.MaxPooling2D: {"pool_size": (2, 2), "strides": None, "padding": "valid", "data_format": None},
    layers.AveragePooling2D: {"pool_size": (2, 2), "strides": None, "padding": "valid", "data_format": None},
    layers.GlobalAveragePooling2D: {"data_format": None, "keepdims": False},
    layers.GlobalMaxPooling2D: {"data_format": None, "keepdims": False},
    layers.Resizing: {
        "height": REQUIRED,
        "width": REQUIRED,
        "interpolation": "bilinear",
        "crop_to_aspect_ratio": False,
        "pad_to_aspect_ratio": False,
        "fill_mode": "constant",
        "fill_value": 0.0,
        "antialias": False,
        "data_format": None,
    },
    layers.UpSampling2D: {"size": (2, 2), "data_format": None, "interpolation": "nearest"},
    layers.ZeroPadding2D: {"padding": (1, 1), "data_format": None},
    layers.Cropping2D: {"cropping": ((0, 0), (0, 0)), "data_format": None},
    layers.Flatten: {"data_format": None},
    layers.Reshape: {"target_shape": REQUIRED},
    layers.Permute: {"dims": REQUIRED},
    layers.Dropout: {"rate": REQUIRED, "noise_shape": None, "seed": None},
    layers.SpatialDropout2D: {"rate": REQUIRED, "data_format": None, "seed": None},
    layers.RandomFlip: {"mode": "horizontal_and_vertical", "seed": None, "data_format": None},
    layers.RandomRotation: {"factor": REQUIRED, **MOVED},
    layers.RandomTranslation: {"height_factor": REQUIRED, "width_factor": REQUIRED, **MOVED},
    layers.RandomZoom: {"height_factor": REQUIRED, "width_factor": None, **MOVED},
    layers.RandomBrightness: {"factor": REQUIRED, "value_range": (0, 255), "seed": None},
    layers.RandomContrast: {"factor": REQUIRED, "value_range": (0, 255), "seed": None},
    layers.Add: {},
    layers.Subtract: {},
    layers.Multiply: {},
    layers.Average: {},
    layers.Maximum: {},
    layers.Minimum: {},
    layers.Concatenate: {"axis": -1},
    layers.Rescaling: {"scale": REQUIRED, "offset": 0.0},
    layers.Normalization: {"axis": -1, "mean": None, "variance": None, "invert": False},
    layers.InputLayer: {"shape": REQUIRED},
    losses.MeanSquaredError: {**MEAN, "name": "mean_squared_error"},
    losses.MeanAbsoluteError: {**MEAN, "name": "mean_absolute_error"},
    losses.Huber: {"delta": 1.0, **MEAN, "name": "huber_loss"},
    losses.KLDivergence: {**MEAN, "name": "kl_divergence"},
    losses.BinaryCrossentropy: {
        "from_logits": False,
        "label_smoothing": 0.0,
        "axis": -1,
        **MEAN,
        "name": "binary_crossentropy",
    },
    losses.BinaryFocalCrossentropy: {
        "apply_class_balancing": False,
        "alpha": 0.25,
        "gamma": 2.0,
        "from_logits": False,
        "label_smoothing": 0.0,
        "axis": -1,
        **MEAN,
        "name": "binary_focal_crossentropy",
    },
    losses.CategoricalCrossentropy: {
        "from_logits": False,
        "label_smoothing": 0.0,
        "axis": -1,
        **MEAN,
        "name": "categorical_crossentropy",
    },
    losses.CategoricalFocalCrossentropy: {
        "alpha": 0.25,
        "gamma": 2.0,
        "from_logits": False,
        "label_smoothing": 0.0,
        "axis": -1,
        **MEAN,
        "name": "categorical_focal_crossentropy",
    },
    losses.SparseCategoricalCrossentropy: {
        "from_logits": False,
        "ignore_class": None,
        **MEAN,
        "axis": -1,
        "name": "sparse_categorical_crossentropy",
    },
    losses.Dice: {**MEAN, "name": "dice", "axis": None},
    losses.Tversky: {"alpha": 0.5, "beta": 0.5, **MEAN, "name": "tversky", "axis": None},
    optimizers.SGD: {
        "learning_rate": 0.01,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": None,
        **CLIPS,
        "name": "SGD",
    },
    optimizers.RMSprop: {
        "learning_rate": 0.001,
        "rho": 0.9,
        "momentum": 0.0,
        "epsilon": 1e-7,
        "centered": False,
        "weight_decay": None,
        **CLIPS,
        "name": "rmsprop",
    },
    optimizers.Adagrad: {
        "learning_rate": 0.001,
        "initial_accumulator_value": 0.1,
        "epsilon": 1e-7,
        "weight_decay": None,
        **CLIPS,
        "name": "adagrad",
    },
    optimizers.Adadelta: {
        "learning_rate": 0.001,
        "rho": 0.95,
        "epsilon": 1e-7,
        "weight_decay": None,
        **CLIPS,
        "name": "adadelta",
    },
    optimizers.Adam: {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "amsgrad": False,
        "weight_decay": None,
        **CLIPS,
        "name": "adam",
    },
    optimizers.Nadam: {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "weight_decay": None,
        **CLIPS,
        "name": "nadam",
    },
    optimizers.AdamW: {
        "learning_rate": 0.001,
        "weight_decay": 0.004,
        "beta_1": 0.9,
        "beta_2": 0.999,
        "epsilon": 1e-7,
        "amsgrad": False,
        **CLIPS,
        "name": "adamw",
    },
    optimizers.Lion: {
        "learning_rate": 0.001,
        "beta_1": 0.9,
        "beta_2": 0.99,
        "weight_decay": None,
        **CLIPS,
        "name": "lion",
    },
    schedules.ExponentialDecay: {
        "initial_learning_rate": REQUIRED,
        "decay_steps": REQUIRED,
        "decay_rate": REQUIRED,
        "staircase": False,
        "name": "ExponentialDecay",
    },
    schedules.CosineDecay: {
        "initial_learning_rate": REQUIRED,
        "decay_steps": REQUIRED,
        "alpha": 0.0,
        "name": "CosineDecay",
        "warmup_target": None,
        "warmup_steps": 0,
    },
    schedules.CosineDecayRestarts: {
        "initial_learning_rate": REQUIRED,
        "first_decay_steps": REQUIRED,
        "t_mul": 2.0,
        "m_mul": 1.0,
        "alpha": 0.0,
        "name": "SGDRDecay",
    },
    schedules.PiecewiseConstantDecay: {"boundaries": REQUIRED, "values": REQUIRED, "name": "PiecewiseConstant"},
    schedules.PolynomialDecay: {
        "initial_learning_rate": REQUIRED,
        "decay_steps": REQUIRED,
        "end_learning_rate": 0.0001,
        "power": 1.0,
        "cycle": False,
        "name": "PolynomialDecay",
    },
    initializers.Constant: {"value": 0.0},
    initializers.RandomUniform: {"minval": -0.05, "maxval": 0.05, "seed": None},
    initializers.RandomNormal: {"mean": 0.0, "stddev": 0.05, "seed": None},
    initializers.TruncatedNormal: {"mean": 0.0, "stddev": 0.05, "seed": None},
    initializers.GlorotUniform: {"seed": None},
    initializers.HeNormal: {"seed": None},
    initializers.Orthogonal: {"gain": 1.0, "seed": None},
    regularizers.L1: {"l1": 0.01},
    regularizers.L2: {"l2": 0.01},
    regularizers.L1L2: {"l1": 0.0, "l2": 0.0},
}
# What we add behind Keras's arguments.
OWN: dict[type, dict[str, Any]] = {
    layers.BatchNormalization: {"unbiased_variance": False},
    losses.CategoricalFocalCrossentropy: {"ignore_class": None},
    losses.Dice: {"from_logits": False, "ignore_class": None, "smooth": None},
    losses.Tversky: {"from_logits": False, "ignore_class": None, "smooth": None},
}
FIT = {
    "batch_size": 32,
    "epochs": 1,
    "verbose": "auto",
    "callbacks": None,
    "validation_split": 0.0,
    "validation_data": None,
    "shuffle": True,
    "class_weight": None,
    "sample_weight": None,
    "initial_epoch": 0,
    "steps_per_epoch": None,
    "validation_steps": None,
    "validation_batch_size": None,
    "validation_freq": 1,
}


def defaults(function: Any) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    own = ("self", "name", "trainable") if issubclass_of_layer(function) else ("self",)
    return {p.name: p.default for p in parameters if p.name not in own}


def issubclass_of_layer(function: Any) -> bool:
    return isinstance(function, type) and issubclass(function, layers.Layer)


@pytest.mark.parametrize("cls", SIGNATURES, ids=lambda cls: cls.__name__)
def test_arguments_and_defaults_are_keras(cls: type) -> None:
    assert list(defaults(cls).items()) == [*SIGNATURES[cls].items(), *OWN.get(cls, {}).items()]


@pytest.mark.parametrize("owner", [st.Model, st.Trainer])
def test_fit_has_keras_arguments(owner: type) -> None:
    given = defaults(owner.fit)  # type: ignore[attr-defined]
    assert given.pop("augment") is None and given.pop("shards") is None
    given.pop("switches", None)  # of Keras 2, which change nothing
    assert given.pop("x") is REQUIRED and given.pop("y") is None
    assert given == FIT


def test_every_class_of_the_core_has_a_python_face() -> None:
    assert set(_core.layer_types()) <= set(layers.__all__)
    assert set(_core.loss_types()) <= set(losses.__all__)
    assert set(_core.optimizer_types()) <= set(optimizers.__all__)
    assert set(_core.schedule_types()) <= set(schedules.__all__)


@pytest.mark.parametrize(
    "cls", [c for c in SIGNATURES if issubclass_of_layer(c) or issubclass(c, (losses.Loss, optimizers.Optimizer))]
)
def test_config_makes_an_equal_object(cls: Any) -> None:
    arguments = {name: 2 for name, default in SIGNATURES[cls].items() if default is REQUIRED}
    if cls is layers.Activation:
        arguments = {"activation": "relu"}
    elif "rate" in arguments:
        arguments = {"rate": 0.5}
    elif any(name.endswith("factor") for name in arguments):
        arguments = dict.fromkeys(arguments, (0.25, 0.5))
    elif "shape" in arguments or "target_shape" in arguments:
        arguments = dict.fromkeys(arguments, (2, 3))
    elif cls is layers.Permute:
        arguments = {"dims": (2, 1, 3)}
    one = cls(**arguments)
    again = cls.from_config(one.get_config())
    assert type(again) is cls
    assert again.get_config() == one.get_config()
    assert repr(again) == repr(one)


def public(module: types.ModuleType) -> list[tuple[str, Any]]:
    return [(f"{module.__name__}.{name}", getattr(module, name)) for name in module.__all__]


# Where every member of a class has a docstring too, or is told of in the class's.
MINE = ("layers", "losses", "optimizers", "initializers", "regularizers", "model", "sequential", "trainer")


def test_every_public_object_has_a_docstring() -> None:
    modules = [st, *(getattr(st, name) for name in ("layers", "losses", "optimizers", "initializers", "regularizers"))]
    modules += [st.metrics, st.callbacks, st.data, st.detection, st.models, st.segmentation, st.viz, schedules]
    for module in modules:
        assert module.__doc__, module
        for name, value in public(module):
            assert inspect.getdoc(value), name
            if isinstance(value, type) and value.__module__.split(".")[1] in MINE:
                for member, function in vars(value).items():
                    if not member.startswith("_") and (callable(function) or isinstance(function, property)):
                        told = inspect.getdoc(getattr(value, member))
                        told = told or re.search(rf"\b{member}\b", value.__doc__ or "")
                        assert told, f"{name}.{member}"


def test_docstrings_name_every_argument() -> None:
    for cls in SIGNATURES:
        if issubclass(cls, initializers.Initializer):
            continue
        for name in defaults(cls):
            assert f" {name}:" in (cls.__doc__ or ""), f"{cls.__name__}: {name}"
    for function in (st.Trainer.fit, st.Trainer.evaluate, st.Model.predict, st.Model.compile, st.Model.grad_cam):
        for name in defaults(function):
            assert f" {name}:" in (function.__doc__ or ""), f"{function.__qualname__}: {name}"


def stub() -> ast.Module:
    return ast.parse(Path(_core.__file__).with_name("_core.pyi").read_text(encoding="utf-8"))


def arguments_of(function: ast.FunctionDef) -> list[str]:
    return [a.arg for a in function.args.args if a.arg != "self"]


def arguments_by_pybind(function: Any) -> list[str]:
    """From the first line of a bound function's docstring: `name(self: ..., a: int, b: str = None) -> float`."""
    line = (function.__doc__ or "").splitlines()[0]
    inside = line[line.index("(") + 1 : line.rindex(") ->")]
    found, depth, start = [], 0, 0
    for place, letter in enumerate(inside + ","):
        depth += letter in "[(" and 1
        depth -= letter in "])" and 1
        if letter == "," and depth == 0:
            found.append(inside[start:place].strip().split(":")[0].split("=")[0].strip())
            start = place + 1
    return [name for name in found if name and name != "self"]


def test_stub_agrees_with_the_core() -> None:
    tree = stub()
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    real = {name: value for name, value in vars(_core).items() if not name.startswith("_")}
    assert set(functions) | set(classes) == set(real)
    for name, node in functions.items():
        assert arguments_of(node) == arguments_by_pybind(real[name]), name
    for name, cls in classes.items():
        members = {m.name: m for m in cls.body if isinstance(m, ast.FunctionDef) and not m.name.startswith("__")}
        values = {m.target.id for m in cls.body if isinstance(m, ast.AnnAssign) and isinstance(m.target, ast.Name)}
        there = {
            member for member in vars(real[name]) if not member.startswith("_") and member != "_pybind11_conduit_v1_"
        }
        assert there == set(members) | values, name
        for member, node in members.items():
            value = getattr(real[name], member)
            if isinstance(value, property):
                assert any(isinstance(d, ast.Name) and d.id == "property" for d in node.decorator_list), member
            else:
                assert arguments_of(node) == arguments_by_pybind(value), f"{name}.{member}"


def test_import_is_light() -> None:
    """Nothing but NumPy and the core is imported with the package; the rest comes when it is asked for."""
    code = (
        "import sys, numpy; before = set(sys.modules); import striate;"
        "print(sorted(m for m in set(sys.modules) - before))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(ast.literal_eval(out)) <= {"striate", "striate._core", "__future__"}


def test_core_needs_numpy_alone() -> None:
    """Training, files and inspection import no optional library."""
    code = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in "matplotlib PIL pydicom tqdm click tensorboardX onnx sklearn safetensors".split():
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
import numpy as np, striate as st
from striate.layers import *
(x, y), _ = st.data.load_digits()
model = st.Sequential([Input((8, 8, 1)), Conv2D(4, 3), Flatten(), Dense(10)], seed=0)
model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(x[:64], y[:64], verbose=2)
model.summary(print_fn=lambda line: None)
model.grad_cam(x[:2]); model.feature_maps(x[:2])
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_unknown_names_of_the_package() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Sequentiel'"):
        _ = st.Sequentiel
    assert set(st.__all__) <= set(dir(st))
    for name in st.__all__:
        assert getattr(st, name) is not None
    assert st.__version__ == _core.runtime_info()["version"]
