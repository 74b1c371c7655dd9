"""What layers see: feature maps, and Grad-CAM."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from striate import _core
from striate._arrays import AnyArray, FloatArray, array_of
from striate.detection.boxes import Detections, as_boxes
from striate.detection.decoding import decode, model_strides
from striate.layers import Layer

if TYPE_CHECKING:
    from striate.network import Network

_BATCH = 32
_CONVOLUTIONS = ("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose")


def feature_maps(model: Network, x: Any, layers: str | Sequence[str | Layer] | None = None) -> dict[str, FloatArray]:
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


def grad_cam(
    model: Network, x: Any, class_index: Any = None, layer: str | Layer | None = None, region: Any = None
) -> FloatArray:
    """See `Model.grad_cam`."""
    arrays = model._arrays(x, "grad_cam")
    if len(arrays) != 1 or arrays[0].ndim != 4:
        raise ValueError("grad_cam is for models with one input (N, H, W, C)")
    scores = _without_last_activation(model)
    shapes = scores.output_shapes
    if len(shapes) != 1 or len(shapes[0]) not in (1, 3):
        raise ValueError(
            f"grad_cam is for models with one output (N, classes) or (N, H, W, classes), got {model.output_shape}; "
            "feature_maps and node gradients serve others"
        )
    explained = _explained(model, shapes[0], arrays[0].shape, region)
    name = explained.layer(scores) if layer is None else _name(layer, "grad_cam")
    node = _node(scores, name)
    shape = scores.node(node)[2]
    if len(shape) != 3:
        raise ValueError(f"grad_cam: [{name}] makes no maps (N, H, W, C), but (N, {', '.join(map(str, shape))})")
    rows = len(arrays[0])
    heat = np.empty((rows, *shape[:2]), np.float32)
    chosen = None if class_index is None else _classes(class_index, rows, explained.classes)
    for first in range(0, rows, _BATCH):
        part = [array[first : first + _BATCH] for array in arrays]
        wanted = None if chosen is None else chosen[first : first + _BATCH]
        slope = explained.slope(scores, part, wanted, slice(first, first + _BATCH))
        (values,), (gradients,) = scores.node_gradients(part, [slope], [node])
        weights = gradients.mean(axis=(1, 2), keepdims=True)
        heat[first : first + _BATCH] = np.maximum((values * weights).sum(axis=3), 0.0)
    heat = _enlarged(heat, arrays[0].shape[1], arrays[0].shape[2])
    top = heat.max(axis=(1, 2), keepdims=True)
    result: FloatArray = np.divide(heat, top, out=np.zeros_like(heat), where=top > 0)
    return result


class _OfClass:
    """The score of a classifier's class.

    Attributes:
        classes: how many there are.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.classes = shape[-1]

    def layer(self, scores: _core.Model) -> str:
        """Whose maps are usual."""
        return _last_maps(scores)

    def slope(
        self, scores: _core.Model, part: list[AnyArray], chosen: NDArray[np.int64] | None, rows: slice
    ) -> FloatArray:
        """The derivative of what is explained by the output: of images `rows` and the classes `chosen`."""
        (found,) = scores.predict_nodes(part, scores.output_nodes, _BATCH)
        wanted = found.argmax(axis=1) if chosen is None else chosen
        one_hot = np.zeros_like(found)
        one_hot[np.arange(len(found)), wanted] = 1.0
        return one_hot


class _OfPixels(_OfClass):
    """The sum of a class's scores over a region of a segmentation, (N, H, W); None: the pixels of the class."""

    def __init__(self, shape: tuple[int, ...], images: tuple[int, ...], region: Any) -> None:
        super().__init__(shape)
        self._region = None
        if region is not None:
            given = array_of(region, "grad_cam: region")
            if given.shape not in (shape[:2], (images[0], *shape[:2])):
                raise ValueError(
                    f"grad_cam: region must be a mask of shape {(images[0], *shape[:2])} or {shape[:2]}, got "
                    f"{given.shape}"
                )
            self._region = np.broadcast_to(given.astype(bool), (images[0], *shape[:2]))

    def layer(self, scores: _core.Model) -> str:
        return _coarsest_maps(scores)

    def slope(
        self, scores: _core.Model, part: list[AnyArray], chosen: NDArray[np.int64] | None, rows: slice
    ) -> FloatArray:
        (found,) = scores.predict_nodes(part, scores.output_nodes, _BATCH)
        classes = found.argmax(axis=3) if self.classes > 1 else np.where(found[..., 0] > 0, 0, -1)
        region = None if self._region is None else self._region[rows]
        if chosen is None:
            inside = classes if region is None else np.where(region, classes, -1)
            counts = np.stack([(inside == number).sum(axis=(1, 2)) for number in range(self.classes)], axis=1)
            chosen = counts.argmax(axis=1)
        places = classes == chosen[:, None, None] if region is None else region
        slope = np.zeros_like(found)
        image, row, column = np.nonzero(places)
        slope[image, row, column, chosen[image]] = 1.0
        return slope


class _OfBox(_OfClass):
    """The scores of an object and of its class at the places of a detector's maps that are within a box of each image,
    (N, 4); None: that of the highest score."""

    def __init__(self, strides: tuple[int, ...], shape: tuple[int, ...], images: tuple[int, ...], region: Any) -> None:
        super().__init__(shape)
        self.classes = shape[-1] - 5
        self._strides = strides
        self._boxes = None
        if region is not None:
            boxes = as_boxes(region, "grad_cam: region")
            if len(boxes) not in (1, images[0]):
                raise ValueError(
                    f"grad_cam: region must be one box for each of {images[0]} images, got {len(boxes)} boxes"
                )
            self._boxes = np.broadcast_to(boxes, (images[0], 4))
        height, width = images[1:3]
        centres = [
            np.stack(np.meshgrid(np.arange(width // s) + 0.5, np.arange(height // s) + 0.5), axis=-1).reshape(-1, 2) * s
            for s in self._strides
        ]
        self._centres = np.concatenate(centres).reshape(*shape[:2], 2)

    def layer(self, scores: _core.Model) -> str:
        (before, *_) = scores.node(_node(scores, _head(self._strides)))[1]
        return scores.layer(scores.node(before)[0])[1]

    def slope(
        self, scores: _core.Model, part: list[AnyArray], chosen: NDArray[np.int64] | None, rows: slice
    ) -> FloatArray:
        (found,) = scores.predict_nodes(part, scores.output_nodes, _BATCH)
        best = [
            one if len(one.scores) else Detections(np.zeros((1, 4)), np.zeros(1, np.int64), np.zeros(1))
            for one in decode(found, self._strides, 0.0, 1.0, 1)
        ]
        boxes = np.stack([one.boxes[0] for one in best]) if self._boxes is None else self._boxes[rows]
        if chosen is None:
            chosen = np.array([int(one.labels[0]) for one in best])
        low, high = boxes[:, None, None, :2], boxes[:, None, None, 2:]
        image, row, column = np.nonzero(((self._centres >= low) & (self._centres <= high)).all(axis=3))
        slope = np.zeros_like(found)
        slope[image, row, column, 4] = 1.0
        if self.classes > 1:
            slope[image, row, column, 5 + chosen[image]] = 1.0
        return slope


def _explained(model: Network, shape: tuple[int, ...], images: tuple[int, ...], region: Any) -> _OfClass:
    """What the output tells: a class, one of each pixel, or boxes."""
    if len(shape) == 1:
        if region is not None:
            raise ValueError("grad_cam: a region is for outputs of maps, and this model has one class for each image")
        return _OfClass(shape)
    strides: tuple[int, ...] = ()
    with contextlib.suppress(ValueError):  # it is no detector
        strides = model_strides(model)
    if strides and any(name == _head(strides) for _, name, _ in model._network.layers):
        return _OfBox(strides, shape, images, region)
    return _OfPixels(shape, images, region)


def _head(strides: Sequence[int]) -> str:
    """The layer of `models.detector` that reads the finest maps, which all boxes depend on."""
    return f"stride{strides[0]}_conv"


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


def _coarsest_maps(network: _core.Model) -> str:
    """The last of the smallest maps of more than one pixel, where a network for pixels sees furthest."""
    outputs = set(network.output_nodes)
    found: list[tuple[int, str]] = []
    for number, (place, _, shape) in enumerate(network.nodes):
        layer, name, _ = network.layer(place)
        if layer.type != "InputLayer" and number not in outputs and len(shape) == 3 and shape[:2] != (1, 1):
            found.append((shape[0] * shape[1], name))
    if not found:
        raise ValueError("grad_cam: no layer of the model makes maps")
    smallest = min(size for size, _ in found)
    return [name for size, name in found if size == smallest][-1]


def _without_last_activation(model: Network) -> _core.Model:
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
    scores.fusion, scores.winograd, scores.device = network.fusion, network.winograd, network.device
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
