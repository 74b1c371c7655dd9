"""What layers see: feature maps, and Grad-CAM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import AnyArray, FloatArray, array_of
from striate.layers import Layer

if TYPE_CHECKING:
    from striate.model import Model

_BATCH = 32
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")


def feature_maps(model: Model, x: Any, layers: str | Sequence[str | Layer] | None = None) -> dict[str, FloatArray]:
    """See `Model.feature_maps`."""
    arrays = model._arrays(x, "feature_maps")
    network = model._network
    if layers is None:
        names = [
            name
            for layer, name, node in network.layers
            if layer.type != "InputLayer" and len(network.node(node)[2]) == 3
        ]
        if not names:
            raise ValueError("feature_maps: no layer of the model makes maps; name the layers you want: layers=[...]")
    else:
        wanted = [layers] if isinstance(layers, (str, Layer)) else layers
        names = [_name(layer, "feature_maps") for layer in wanted]
    nodes = [_node(network, name) for name in names]
    return dict(zip(names, network.predict_nodes(arrays, nodes, _BATCH), strict=True))


def grad_cam(model: Model, x: Any, class_index: Any = None, layer: str | Layer | None = None) -> FloatArray:
    """See `Model.grad_cam`."""
    arrays = model._arrays(x, "grad_cam")
    if len(arrays) != 1 or arrays[0].ndim != 4:
        raise ValueError("grad_cam is for models with one input (N, H, W, C)")
    scores = _without_last_activation(model)
    if len(scores.output_shapes) != 1 or len(scores.output_shapes[0]) != 1:
        raise ValueError(
            f"grad_cam is for models with one output (N, classes), got {model.output_shape}; "
            "feature_maps and node gradients serve others"
        )
    name = _last_maps(scores) if layer is None else _name(layer, "grad_cam")
    node = _node(scores, name)
    shape = scores.node(node)[2]
    if len(shape) != 3:
        raise ValueError(f"grad_cam: [{name}] makes no maps (N, H, W, C), but (N, {', '.join(map(str, shape))})")
    rows, classes = len(arrays[0]), scores.output_shapes[0][0]
    heat = np.empty((rows, *shape[:2]), np.float32)
    chosen = None if class_index is None else _classes(class_index, rows, classes)
    for first in range(0, rows, _BATCH):
        part = [array[first : first + _BATCH] for array in arrays]
        wanted = _highest(scores, part) if chosen is None else chosen[first : first + _BATCH]
        one_hot = np.zeros((len(wanted), classes), np.float32)
        one_hot[np.arange(len(wanted)), wanted] = 1.0
        (values,), (gradients,) = scores.node_gradients(part, [one_hot], [node])
        weights = gradients.mean(axis=(1, 2), keepdims=True)
        heat[first : first + _BATCH] = np.maximum((values * weights).sum(axis=3), 0.0)
    heat = _enlarged(heat, arrays[0].shape[1], arrays[0].shape[2])
    top = heat.max(axis=(1, 2), keepdims=True)
    result: FloatArray = np.divide(heat, top, out=np.zeros_like(heat), where=top > 0)
    return result


def _name(layer: str | Layer, who: str) -> str:
    if isinstance(layer, (str, Layer)):
        return layer if isinstance(layer, str) else layer.name
    raise TypeError(f"{who}: a layer is given by its name, got {type(layer).__name__}")


def _node(network: _core.Model, name: str) -> int:
    return network.layer(network.find_layer(name))[2]


def _highest(network: _core.Model, arrays: list[AnyArray]) -> NDArray[np.int64]:
    (scores,) = network.predict_nodes(arrays, network.output_nodes, _BATCH)
    return np.asarray(scores.argmax(axis=1), np.int64)


def _classes(given: Any, rows: int, classes: int) -> NDArray[np.int64]:
    """One class for each row."""
    array = array_of(given, "grad_cam: class_index")
    if array.dtype.kind not in "iu":
        raise TypeError(f"grad_cam: class_index must hold whole numbers, got dtype {array.dtype}")
    if array.shape not in ((), (1,), (rows,)):
        raise ValueError(f"grad_cam: class_index must be one number or {rows}, got shape {array.shape}")
    if array.min() < 0 or array.max() >= classes:
        wrong = array.min() if array.min() < 0 else array.max()
        raise ValueError(f"grad_cam: class_index must be 0 to {classes - 1}, got {wrong}")
    return np.broadcast_to(array.astype(np.int64), (rows,))


def _last_maps(network: _core.Model) -> str:
    """The last maps of the size that the last convolution gives, or else the last maps of more than one pixel."""
    size = None
    for layer, _, node in network.layers:
        if layer.type in _CONVOLUTIONS:
            size = network.node(node)[2][:2]
    for place, _, shape in reversed(network.nodes):
        layer, name, _ = network.layer(place)
        if (
            layer.type != "InputLayer"
            and len(shape) == 3
            and (shape[:2] == size or (size is None and shape[:2] != (1, 1)))
        ):
            return name
    raise ValueError("grad_cam: no layer of the model makes maps")


def _without_last_activation(model: Model) -> _core.Model:
    """The network that gives the scores: without a softmax or sigmoid at its end."""
    network = model._network
    last = model.outputs[0]
    core = last.layer._core
    config = core.config()
    squashes = config.get("activation") in ("softmax", "sigmoid") or core.type == "Softmax"
    if len(network.output_nodes) != 1 or not squashes:
        return network
    # A linear activation in its place leaves every name and weight where it was.
    plain = {"activation": "linear"}
    kind = "Activation" if core.type == "Softmax" else core.type
    linear = _core.make_layer(kind, plain if kind == "Activation" else {**config, **plain}, last.layer.name)
    output = _core.apply(linear, [symbol._core for symbol in last.inputs])
    scores = _core.Model([symbol._core for symbol in model.inputs], [output], 0)
    scores.fusion, scores.winograd = network.fusion, network.winograd
    scores.set_values(list(enumerate(network.values(range(len(network.parameters))))))
    return scores


def _enlarged(maps: FloatArray, height: int, width: int) -> FloatArray:
    """Maps (N, h, w) brought to another size, bilinearly."""
    for axis, size in ((1, height), (2, width)):
        length = maps.shape[axis]
        place = np.clip((np.arange(size) + 0.5) * length / size - 0.5, 0, length - 1)
        low = place.astype(np.int64)
        share = (place - low).astype(np.float32)
        share = share.reshape([-1 if other == axis else 1 for other in range(3)])
        high = np.minimum(low + 1, length - 1)
        maps = maps.take(low, axis) * (1 - share) + maps.take(high, axis) * share
    return maps
