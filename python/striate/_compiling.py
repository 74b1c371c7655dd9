"""Checks of a model's losses against its outputs, when a model is compiled."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate import _core
from striate._arrays import several
from striate._outputs import check_names
from striate.detection.decoding import image_size
from striate.losses import Loss
from striate.losses import get as get_loss

# Layers that pass scores or probabilities on as they are.
_PASSING = frozenset(
    ("Cropping2D", "Dropout", "Flatten", "GlobalAveragePooling2D", "Permute", "Reshape", "UpSampling2D")
)
# Layers whose result, without an activation, is a weighted sum: scores.
_SUMMING = frozenset(("BatchNormalization", "Conv2D", "Conv2DTranspose", "Dense", "DepthwiseConv2D", "SeparableConv2D"))


def losses_for(given: Any, names: Sequence[str]) -> list[Loss | None]:
    """A loss for each output, or None for an output that is not trained.

    Raises:
        ValueError: a name is unknown, the number does not fit, or no output has a loss.
    """
    if isinstance(given, Mapping):
        check_names(given, names, "loss")
        items = [given.get(name) for name in names]
    elif not isinstance(given, (list, tuple)):
        items = [given] * len(names)
    elif len(given) == len(names):
        items = list(given)
    else:
        outputs = f"{len(names)} outputs ({', '.join(names)})"
        raise ValueError(f"loss must have one for each of the {outputs}, got {len(given)}")
    if all(item is None for item in items):
        raise ValueError(f"loss must name a loss for at least one of the outputs {', '.join(names)}")
    return [None if item is None else get_loss(item) for item in items]


def check_losses(network: _core.Model, losses: Sequence[Loss | None], names: Sequence[str]) -> None:
    """Losses of boxes must have the strides of the model.

    Raises:
        ValueError: a loss does not fit its output.
    """
    for loss, name, shape in zip(losses, names, network.output_shapes, strict=True):
        if loss is not None and loss.of_boxes:
            _check_strides(loss, name, shape, network.input_shapes)


def loss_scales(given: Any, losses: Sequence[Loss | None], names: Sequence[str]) -> list[float]:
    """The weight of each output's loss; outputs without a loss need none.

    Raises:
        ValueError: the number of weights or their names do not fit.
        TypeError: one is not a number.
    """
    if isinstance(given, Mapping):
        given = {name: 1.0 for name, loss in zip(names, losses, strict=True) if loss is None} | dict(given)
    values = [1.0] * len(names) if given is None else several(given, names, "loss_weights")
    values = [1.0 if loss is None and value is None else value for loss, value in zip(losses, values, strict=True)]
    for value in values:
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
            raise TypeError(f"loss_weights must be numbers, got {value!r}; metrics come after them: metrics=[...]")
    return [float(value) for value in values]


def warn_of_activations(network: _core.Model, losses: Sequence[Loss | None], names: Sequence[str]) -> None:
    """Warn of scores that a loss takes for probabilities, and of a softmax that is computed twice."""
    for loss, name, node in zip(losses, names, network.output_nodes, strict=True):
        message = _doubt(network, loss, node)
        if message is not None:
            warnings.warn(f"compile: the output {name!r} {message}", stacklevel=4)


def _doubt(network: _core.Model, loss: Loss | None, node: int) -> str | None:
    last = _maker(network, node)
    activation = _activation(network, last)
    if activation == "softmax":
        before = network.node(last)[1]
        own = network.layer(network.node(last)[0])[0].type in _SUMMING
        if not own and before and _activation(network, _maker(network, before[0])) == "softmax":
            return "is a softmax of a softmax, which is nearly uniform; remove one of them"
        if network.node(last)[2][-1] == 1:
            return "is a softmax over one class, which is always 1; use a sigmoid, or an output for each class"
    if loss is None or not loss.takes_probabilities:
        return None
    kind = type(loss).__name__
    if loss.from_logits and activation in ("softmax", "sigmoid"):
        return (
            f"ends with a {activation}, and its loss {kind}(from_logits=True) computes another one; remove the "
            "activation, or pass from_logits=False"
        )
    if not loss.from_logits and activation == "linear":
        return (
            f"has no softmax or sigmoid, and its loss {kind}(from_logits=False) expects probabilities; pass "
            f"from_logits=True, or end the model with an activation"
        )
    return None


def _maker(network: _core.Model, node: int) -> int:
    """The node whose values a node passes on."""
    while True:
        place, inputs, _ = network.node(node)
        if network.layer(place)[0].type not in _PASSING or len(inputs) != 1:
            return node
        node = inputs[0]


def _activation(network: _core.Model, node: int) -> str | None:
    """The activation at a node's end; "linear" for scores, None where it is not known."""
    while True:
        place, inputs, _ = network.node(node)
        layer = network.layer(place)[0]
        if layer.type == "Softmax":
            return "softmax"
        if layer.type != "Activation" and layer.type not in _SUMMING:
            return None
        name = str(layer.config().get("activation") or "linear")
        if name != "linear" or layer.type != "Activation":
            return name
        node = _maker(network, inputs[0])


def _check_strides(loss: Loss, layer: str, output: tuple[int, ...], inputs: Sequence[tuple[int, ...]]) -> None:
    """A loss of boxes counts in pixels of the image: its strides must be the model's."""
    loss.core.target_shape(output, layer)
    strides = tuple(loss.core.config()["strides"])
    size = image_size(output, strides)
    if len(inputs) == 1 and len(inputs[0]) == 3 and inputs[0][:2] != size:
        raise ValueError(
            f"[{type(loss).__name__}] with strides {strides} takes the output (N, {', '.join(map(str, output))}) of "
            f"[{layer}] for one of images of {size[0]} x {size[1]} pixels, but the model's are "
            f"{inputs[0][0]} x {inputs[0][1]}; give the loss the strides of the model"
        )
