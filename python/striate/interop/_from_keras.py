"""From Keras 3: whole models. Layers are made from the arguments of Keras's layers, which have the same names."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from striate import layers, regularizers
from striate._extras import require
from striate.layers import Layer, Symbol
from striate.model import Model

_SHOWN = 5
# Arguments of Keras's layers that change nothing of what is computed here.
_WITHOUT_EFFECT = {
    *("activity_regularizer", "batch_shape", "build_config", "dtype", "name", "optional", "quantization_config"),
    *(
        "ragged",
        "registered_name",
        "seed",
        "shape",
        "sparse",
        "supports_masking",
        "trainable",
        "lora_rank",
        "lora_alpha",
    ),
    *("axis", "noise_shape", "input_dtype", "fill_mode", "fill_value", "renorm_momentum"),
}
_SAME = ("StochasticDepth", "GaussianNoise", "GaussianDropout", "AlphaDropout", "ActivityRegularization", "Identity")
"""Layers that do something in training alone; they are left out."""


def from_keras(model: Any, input_shape: Sequence[int] | Sequence[Sequence[int]] | None = None) -> Model:
    """A Keras 3 model as a striate model with the same architecture and weights, of any backend.

    Layers keep their names, arguments, weights and `trainable`; a layer that is called several times stays one layer.
    Models within the model become its layers. Dropout and penalties of weights stay; layers that only add noise in
    training or drop whole samples (stochastic depth), and constraints, are left out with a warning. The model is not
    compiled.

    Args:
        model: a functional or sequential `keras.Model` with the channels last, or a `.keras` or `.h5` file of one.
        input_shape: the shape of a sample where the model leaves sizes open; a list for several inputs.

    Returns:
        The model. Its inputs and outputs are the Keras model's.

    Raises:
        ImportError: keras (or a backend for it) is missing.
        FileNotFoundError: the file does not exist.
        TypeError: `model` is neither a model nor a file.
        ValueError: the model is not a graph of layers, has open sizes, or has layers that striate lacks; the message
            lists all of them.
    """
    keras = require("keras", "keras-models", "striate.interop.from_keras")
    if isinstance(model, (str, os.PathLike)):
        if not os.path.exists(model):
            raise FileNotFoundError(f"from_keras: there is no file '{os.fsdecode(model)}'")
        model = keras.models.load_model(model, compile=False)
    if not isinstance(model, keras.Model):
        raise TypeError(f"from_keras expects a keras.Model or a file, got {type(model).__name__}")
    walk = _Walk(keras)
    graph = walk.graph_of(model)
    inputs = [layers.Input(shape, name=name) for name, shape in _inputs(graph, input_shape)]
    outputs = walk.run(graph, inputs)
    if walk.problems:
        raise ValueError(
            f"from_keras: striate has no layers for {len(walk.problems)} of the parts of {model.name!r}:\n  "
            + "\n  ".join(walk.problems)
        )
    # A network's outputs are those of layers.
    outputs = [layers.Activation("linear")(symbol) if symbol in inputs else symbol for symbol in outputs]
    made = Model(inputs, outputs, name=str(model.name), seed=0)
    for layer, arrays in walk.weights:
        if layer._core.weights is not None:
            layer.set_weights(arrays)
    if walk.left_out:
        more = f" and {len(walk.left_out) - _SHOWN} more" if len(walk.left_out) > _SHOWN else ""
        shown = ", ".join(list(walk.left_out)[:_SHOWN])
        warnings.warn(f"from_keras: left out, which changes training alone: {shown}{more}", stacklevel=2)
    return made


def _inputs(graph: Any, given: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Name and shape of each input."""
    tensors = list(graph.inputs)
    shapes = [tuple(tensor.shape[1:]) for tensor in tensors]
    if given is not None:
        several = list(given) if given and hasattr(given[0], "__iter__") else [given]
        wanted = [tuple(shape) for shape in several]
        fits = len(wanted) == len(shapes) and all(
            len(a) == len(b) and all(x in (None, y) for x, y in zip(a, b, strict=True))
            for a, b in zip(shapes, wanted, strict=True)
        )
        if not fits:
            raise ValueError(f"from_keras: the model's inputs have shapes {shapes}, got input_shape {given!r}")
        shapes = wanted
    for tensor, shape in zip(tensors, shapes, strict=True):
        if None in shape:
            raise ValueError(
                f"from_keras: input {tensor.name!r} has shape {shape}; give all sizes: from_keras(model, (224, 224, 3))"
            )
    return [(str(tensor.name), shape) for tensor, shape in zip(tensors, shapes, strict=True)]


class _Walk:
    """Goes through the graph of a Keras model with symbols in place of its tensors."""

    def __init__(self, keras: Any) -> None:
        self._keras = keras
        self._made: dict[int, Callable[..., Any]] = {}
        self._names: set[str] = set()
        self.problems: list[str] = []
        self.left_out: dict[str, None] = {}
        self.weights: list[tuple[Layer, list[Any]]] = []

    def graph_of(self, model: Any) -> Any:
        """The model as a graph: a sequence is one, too."""
        graph = getattr(model, "_functional", None) or model
        if not hasattr(graph, "_nodes_by_depth"):
            raise ValueError(
                f"from_keras: {model.name!r} ({type(model).__name__}) must be a functional model, or a sequential one "
                "that is built"
            )
        return graph

    def run(self, graph: Any, inputs: Sequence[Symbol]) -> list[Symbol]:
        """The outputs of a graph for these inputs."""
        found: dict[int, Any] = {id(tensor): symbol for tensor, symbol in zip(graph.inputs, inputs, strict=True)}
        for depth in sorted(graph._nodes_by_depth, reverse=True):
            for node in graph._nodes_by_depth[depth]:
                if node.is_input:
                    continue
                args, options = node.arguments.fill_in(found)
                results = self._called(node.operation, args, options, node.outputs)
                for tensor, result in zip(node.outputs, results, strict=True):
                    found[id(tensor)] = result
        return [found[id(tensor)] for tensor in graph.outputs]

    def _called(self, operation: Any, args: Sequence[Any], options: Mapping[str, Any], outputs: Any) -> list[Any]:
        if isinstance(operation, self._keras.Model):
            return self.run(
                self.graph_of(operation), list(args[0]) if isinstance(args[0], (list, tuple)) else [args[0]]
            )
        try:
            if id(operation) not in self._made:
                is_layer = isinstance(operation, self._keras.Layer)
                self._made[id(operation)] = self._layer(operation) if is_layer else self._function(operation)
            given = {} if isinstance(operation, self._keras.Layer) else dict(options)
            return [self._made[id(operation)](*args, **given)]
        except (ValueError, TypeError) as error:
            self.problems.append(f"{operation.name} ({type(operation).__name__}): {error}")
            # A part of the same shape, so that the rest is looked at too.
            return [layers.Input([int(size or 1) for size in tensor.shape[1:]] or [1]) for tensor in outputs]

    # Layers

    def _layer(self, layer: Any) -> Callable[..., Any]:
        kind, config = type(layer).__name__, layer.get_config()
        name = str(layer.name)
        if kind in _SAME or (kind == "Dropout" and config.get("noise_shape") is not None):
            if kind != "Identity":
                self.left_out[name] = None
            return lambda x: x
        if kind == "LayerScale":  # of ConvNeXt: each channel times a weight
            made: Layer = layers.DepthwiseConv2D(1, use_bias=False, name=self._unique(name))
            self.weights.append((made, [self._arrays(layer)[0].reshape(1, 1, -1, 1)]))
            made.trainable = bool(layer.trainable)
            return made
        made = self._of_same_name(layer, kind, config, name)
        arrays = self._arrays(layer)
        if kind == "Normalization":
            arrays = []
        if kind == "Dropout" or kind == "SpatialDropout2D":
            arrays = []  # the state of a generator
        if arrays:
            self.weights.append((made, arrays))
        made.trainable = bool(layer.trainable)
        return made

    def _arrays(self, layer: Any) -> list[Any]:
        return [np.asarray(self._keras.ops.convert_to_numpy(weight), np.float32) for weight in layer.weights]

    def _of_same_name(self, layer: Any, kind: str, config: Mapping[str, Any], name: str) -> Layer:
        known = getattr(layers, kind, None)
        if known is None or not inspect.isclass(known) or not issubclass(known, Layer):
            raise ValueError("striate has no layer of that kind")
        taken = set(inspect.signature(known.__init__).parameters) - {"self", "name", "trainable"}
        arguments: dict[str, Any] = {}
        for key, value in config.items():
            if key.endswith(("_regularizer", "_constraint")):
                penalty = getattr(layer, key, None)
                factors = [getattr(penalty, factor, None) for factor in ("l1", "l2")]
                if key in taken and any(factor is not None for factor in factors):
                    arguments[key] = regularizers.L1L2(*(float(factor or 0) for factor in factors))
                elif value is not None:
                    self.left_out[f"{key} of {name}"] = None
            elif key.endswith("_initializer"):
                continue
            elif key in taken:
                arguments[key] = value
            elif key not in _WITHOUT_EFFECT and value not in (None, False):
                raise ValueError(f"its argument {key}={value!r} is not supported")
        axis = config.get("axis")
        if kind in ("BatchNormalization", "GroupNormalization") and axis not in (-1, len(layer.input.shape) - 1):
            raise ValueError(f"it normalises axis {axis}; expected the last one")
        if kind == "Normalization":
            arguments = {"invert": config["invert"], **self._statistics(layer)}
        if isinstance(arguments.get("activation"), dict):
            raise ValueError(f"its activation is {arguments['activation'].get('class_name')!r}; expected one by name")
        return known(**arguments, name=self._unique(name))

    def _statistics(self, layer: Any) -> dict[str, Any]:
        values = {key: self._keras.ops.convert_to_numpy(getattr(layer, key)) for key in ("mean", "variance")}
        return {key: np.asarray(value, np.float64).reshape(-1).tolist() for key, value in values.items()}

    def _unique(self, name: str) -> str:
        """The name, or one like it where a model within the model has it as well."""
        count, unique = 1, name
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        return unique

    # Operations, which have no weights

    def _function(self, operation: Any) -> Callable[..., Any]:
        kind = type(operation).__name__
        if kind in _OPERATIONS:
            return _OPERATIONS[kind]
        if kind.lower() in _ACTIVATIONS:
            return lambda x: layers.Activation(_ACTIVATIONS[kind.lower()])(x)
        if kind == "Mean" and not operation.axis == 0:
            return lambda x: _mean(x, operation.axis, operation.keepdims)
        if kind == "Reshape":
            return lambda x: layers.Reshape([int(size) for size in operation.newshape[1:]])(x)
        raise ValueError("striate has no layer for the operation")


_ACTIVATIONS = {
    **{name: name for name in ("relu", "relu6", "sigmoid", "softplus", "silu", "gelu", "elu", "tanh", "softmax")},
    **{"exp": "exponential", "sqrt": "sqrt", "log": "log", "abs": "abs", "absolute": "abs", "erf": "erf"},
    **{"hardsigmoid": "hard_sigmoid", "hardsilu": "hard_silu", "reciprocal": "reciprocal"},
}


def _mean(x: Symbol, axis: Any, keep: bool) -> Symbol:
    axes = sorted(a % len(x.shape) for a in (axis if isinstance(axis, (list, tuple)) else [axis]))
    if axes != [1, 2] or len(x.shape) != 4:
        raise ValueError(f"a mean over axes {axes} of {x.shape}; height and width are supported")
    return layers.GlobalAveragePooling2D(keepdims=bool(keep))(x)


def _divide(a: Any, b: Any) -> Any:
    return a / b if not isinstance(b, Symbol) else a * layers.Activation("reciprocal")(b)


_OPERATIONS: dict[str, Callable[..., Any]] = {
    "Add": lambda a, b: a + b,
    "Subtract": lambda a, b: a - b,
    "Multiply": lambda a, b: a * b,
    "Divide": _divide,
    "TrueDivide": _divide,
    "Negative": lambda x: -x,
    "Square": lambda x: x**2,
    "Power": lambda x, power: x**power,
    "Identity": lambda x: x,
    "Cast": lambda x: x,
    "StopGradient": lambda x: x,
    "Matmul": lambda a, b: layers.MatMul()([a, b]),
    "Concatenate": lambda xs, axis=-1: layers.Concatenate(axis=axis)(xs),
}
