"""From PyTorch: whole modules, and weights for a model of the same architecture."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate._extras import require
from striate._names import suggestion
from striate.interop._flattened import flattened_maps
from striate.layers import Layer
from striate.layers._weights import assign
from striate.model import Model

Array = NDArray[Any]

_SHOWN = 5  # layers in a warning


def from_torch(module: Any, input_shape: Sequence[int] | Sequence[Sequence[int]]) -> Model:
    """A PyTorch module as a striate model that computes the same, in inference and in training.

    The module is exported by `torch.onnx.export` and read like any ONNX model; it is not changed. Its parameters are
    copied. Layers have the names of the modules whose weights they have, such as `layer1.0.conv1`, so that
    `load_torch_state_dict` and `to_torch_state_dict` match them by name. Batch normalisation stays a layer that is
    trained, with the module's momentum and PyTorch's unbiased moving variance. A module that is called several times
    is one layer. Modules whose parameters all have `requires_grad=False` become layers with `trainable=False`. A
    parameter that a tensor is multiplied by is a `DepthwiseConv2D` of one pixel, with the parameter's name. Dropout is
    left out.

    Args:
        module: a `torch.nn.Module`.
        input_shape: of one sample, as the module takes it, without the batch: (3, 224, 224) for (C, H, W). A list of
            shapes for several inputs.

    Returns:
        A model that takes and gives maps with the channels last, (N, H, W, C).

    Warns:
        UserWarning: parameters, which it names, that no layer trains: they are constants of the model.

    Raises:
        ImportError: torch, onnxscript (which its exporter needs) or onnx is missing.
        TypeError: `module` is not a module, or the shape is not a sequence of integers.
        ValueError: torch cannot export the module, or striate has no layers for a part of it; the message lists all.
    """
    what = "striate.interop.from_torch"
    torch = require("torch", "torch", what)
    require("onnx", "onnx", what)
    require("onnxscript", "torch", what)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch expects a torch.nn.Module, got {type(module).__name__}")
    shapes = _shapes(input_shape)
    parameter = next(iter(module.parameters()), None)
    device = None if parameter is None else parameter.device
    samples = tuple(torch.zeros(1, *shape, device=device) for shape in shapes)
    with _in_inference(module), _quiet():
        try:
            # The exporter's clean-up folds batch normalisation into convolutions.
            program = torch.onnx.export(module, samples, dynamo=True, verbose=False, optimize=False)
        except Exception as error:  # the exporter has dozens of classes for what it cannot do
            lines = [line for line in str(error).splitlines() if line.strip()]
            text = lines[0] if lines else type(error).__name__
            raise ValueError(f"from_torch: torch.onnx.export cannot export {type(module).__name__}: {text}") from error
    return _imported(program.model_proto, module, what)


def _imported(proto: Any, module: Any, what: str) -> Model:
    """The model of an exported module."""
    from striate.onnx._files import onnx_package, read_model
    from striate.onnx._importer import Importer

    onnx = onnx_package(what)
    for node in proto.graph.node:
        if node.op_type == "BatchNormalization":
            owner = module.get_submodule(node.input[3].rpartition(".")[0])
            momentum = getattr(owner, "momentum", None)  # None means a plain mean of all batches
            kept = [attribute for attribute in node.attribute if attribute.name != "momentum"]
            del node.attribute[:]
            node.attribute.extend([*kept, onnx.helper.make_attribute("momentum", 1.0 - (momentum or 0.1))])
    parameters = {name: value.requires_grad for name, value in module.named_parameters(remove_duplicate=False)}
    importer = Importer(
        onnx, read_model(proto, what), type(module).__name__, parameters=parameters, unbiased_variance=True
    )
    model = importer.run().model
    named = {layer.name: layer for layer in model.layers}
    for name, part in module.named_modules():
        own = list(part.parameters(recurse=False))
        if own and name in named and not any(parameter.requires_grad for parameter in own):
            named[name].trainable = False
    left = [name for name in importer.constant_parameters() if parameters[name]]
    if left:
        more = f" and {len(left) - _SHOWN} more" if len(left) > _SHOWN else ""
        warnings.warn(
            f"from_torch: no layer trains the parameters "
            f"{', '.join(left[:_SHOWN])}{more}: they are constants of the model",
            stacklevel=3,
        )
    return model


def _shapes(input_shape: Any) -> list[tuple[int, ...]]:
    given = list(input_shape) if hasattr(input_shape, "__iter__") and not isinstance(input_shape, str) else None
    if not given:
        raise TypeError(f"from_torch: input_shape must be a tuple such as (3, 224, 224), got {input_shape!r}")
    several = given if hasattr(given[0], "__iter__") else [given]
    shapes = [tuple(shape) for shape in several]
    for shape in shapes:
        if any(isinstance(size, bool) or not hasattr(size, "__index__") or size < 1 for size in shape):
            raise TypeError(f"from_torch: input_shape must hold integers of at least 1, got {input_shape!r}")
    return shapes


@contextlib.contextmanager
def _in_inference(module: Any) -> Iterator[None]:
    """The module in inference mode, and afterwards every part of it as it was."""
    before = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in before:
            part.training = training


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter says of its own parts."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


# Weights


class _Place:
    """A layer with weights: their numbers and shapes, and the map that its input is a flattened one of, if it is."""

    def __init__(
        self, layer: Layer, indices: range, shapes: dict[str, tuple[int, ...]], map_shape: tuple[int, ...] | None
    ) -> None:
        self.layer, self.indices, self.shapes, self.map_shape = layer, indices, shapes, map_shape

    def unflattened(self, array: Array) -> Array:
        """What PyTorch has for each element of a flattened (C, H, W) map, in the order of (H, W, C); axis 0."""
        if self.map_shape is None:
            return array
        height, width, channels = self.map_shape
        apart = array.reshape(channels, height, width, *array.shape[1:])
        turned: Array = np.moveaxis(apart, 0, 2)
        return turned.reshape(array.shape)

    def flattened(self, array: Array) -> Array:
        """The reverse of `unflattened`."""
        if self.map_shape is None:
            return array
        turned: Array = np.moveaxis(array.reshape(*self.map_shape, *array.shape[1:]), 2, 0)
        return turned.reshape(array.shape)


def _depthwise(place: _Place, array: Array) -> Array:
    apart: Array = array.reshape(*place.shapes["kernel"][2:], *array.shape[2:])
    turned: Array = apart.transpose(2, 3, 0, 1)
    return turned


def _normalised(place: _Place, array: Array) -> Array:
    if array.ndim == 3:  # LayerNorm over (C, H, W)
        turned: Array = array.transpose(1, 2, 0)
        return turned
    return place.unflattened(array)


def _slopes(place: _Place, array: Array) -> Array:
    return np.broadcast_to(place.unflattened(array) if array.size > 1 else array, place.shapes["alpha"])


def _same(place: _Place, array: Array) -> Array:
    return array


_KNOWN = ("weight", "bias", "running_mean", "running_var")
Turn = Callable[[_Place, Array], Array]
_TURNED: Turn = lambda place, array: array.transpose(2, 3, 1, 0)  # noqa: E731
_STATISTICS: dict[str, tuple[str, Turn]] = {
    "gamma": ("weight", _normalised),
    "beta": ("bias", _normalised),
    "moving_mean": ("running_mean", _normalised),
    "moving_variance": ("running_var", _normalised),
}
# For each kind of layer: its weight -> PyTorch's name, and how the array is turned. Both of a separable convolution's
# kernels are modules of their own.
_WEIGHTS: dict[str, dict[str, tuple[str, Turn]]] = {
    "Conv2D": {"kernel": ("weight", _TURNED), "bias": ("bias", _same)},
    "DepthwiseConv2D": {"kernel": ("weight", _depthwise), "bias": ("bias", _same)},
    "Conv2DTranspose": {"kernel": ("weight", _TURNED), "bias": ("bias", _same)},
    "Dense": {"kernel": ("weight", lambda place, array: place.unflattened(array.T)), "bias": ("bias", _same)},
    "BatchNormalization": _STATISTICS,
    "LayerNormalization": _STATISTICS,
    "GroupNormalization": _STATISTICS,
    "PReLU": {"alpha": ("weight", _slopes)},
}


def load_torch_state_dict(
    model: Model, state: Any, names: Mapping[str, str] | None = None, skip_mismatch: bool = False
) -> None:
    """Load the weights of a PyTorch module of the same architecture.

    A layer that `names` mentions gets the module named there, and a layer with the name of a module gets that module.
    The other modules with weights are taken in the order of the state dict, the other layers in the order of the model.
    Kernels are transposed from (out, in, height, width). Where a map is flattened before a dense layer, the rows of its
    kernel are brought into the order of channels last.

    Strided convolutions with `padding="same"` pad otherwise than PyTorch's `padding=1`; use `Conv2D(padding=1)`.

    Args:
        model: a model.
        state: what `module.state_dict()` returned (arrays will do, too), or the module.
        names: layer name -> module name, such as {"head": "fc"}, for layers that the order would not match.
        skip_mismatch: whether layers that do not fit are left as they are, with a warning that names them: layers
            whose module is missing or has weights of other shapes, such as a head for another number of classes, and
            modules that only the state has.

    Raises:
        ValueError: a module is missing or left over, or a shape does not fit; or, with `skip_mismatch`, no layer fits.
            No weight is changed then.
        TypeError: `state` is not a mapping of names to arrays.
    """
    who = "load_torch_state_dict"
    modules = _modules(state, who)
    places = _places(model)
    chosen = dict(names or {})
    for layer, module in chosen.items():
        known = [place.layer.name for place in places]
        if layer not in known:
            raise ValueError(f"{who}: no layer with weights is called {layer!r}; {suggestion(layer, known)}")
        if module not in modules:
            raise ValueError(f"{who}: the state has no module {module!r}; {suggestion(module, list(modules))}")
    chosen.update({p.layer.name: p.layer.name for p in places if p.layer.name in modules.keys() - chosen.keys()})
    free = iter([module for module in modules if module not in set(chosen.values())])
    indices: list[int] = []
    values: list[Array] = []
    used, skipped = set(), []
    for place in places:
        module = chosen.get(place.layer.name) or next(free, "")
        used.add(module)
        try:
            if not module:
                raise ValueError(
                    f"{who}: there is no module left for [{place.layer.name}]; the state has {len(modules)}"
                )
            values.extend(_converted(place, module, modules[module], who))
            indices.extend(place.indices)
        except ValueError as error:
            if not skip_mismatch:
                raise
            skipped.append(str(error).removeprefix(f"{who}: "))
    left = [module for module in modules if module not in used]
    if left and not skip_mismatch:
        raise ValueError(f"{who}: the model has no layer for {', '.join(map(repr, left[:3]))} of the state")
    if not indices:
        raise ValueError(f"{who}: no layer fits: {skipped[0] if skipped else 'the model has no weights'}")
    assign(model._network, indices, values, who)
    skipped.extend(f"the model has no layer for {module!r} of the state" for module in left)
    if skipped:
        more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
        warnings.warn(f"{who}: skipped: {'; '.join(skipped[:_SHOWN])}{more}", stacklevel=2)


def _modules(state: Any, who: str) -> dict[str, dict[str, Array]]:
    """The arrays by module, in order."""
    state = state.state_dict() if hasattr(state, "state_dict") else state
    if not isinstance(state, Mapping):
        raise TypeError(
            f"{who} expects a torch.nn.Module, or the dict that module.state_dict() returns, got {type(state).__name__}"
        )
    modules: dict[str, dict[str, Array]] = {}
    for name, value in state.items():
        module, _, weight = str(name).rpartition(".")
        if weight == "num_batches_tracked":
            continue
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if weight not in _KNOWN and value.ndim == 3 and value.shape[1:] == (1, 1):
            # A parameter that a map is multiplied by is a convolution of one pixel, channel by channel.
            module, weight, value = str(name), "weight", value.reshape(-1, 1, 1, 1)
        modules.setdefault(module, {})[weight] = value
    return modules


def _places(model: Model) -> list[_Place]:
    network = model._network
    flattened = flattened_maps(network)
    places = []
    for number, layer in enumerate(model._layers):
        indices = range(*network.parameters_of(number))
        infos = [network.parameter(index) for index in indices]
        if infos:
            shapes = {info.name.rpartition("/")[2]: info.shape for info in infos}
            places.append(_Place(layer, indices, shapes, flattened.get(network.layer(number)[2])))
    return places


def _converted(place: _Place, module: str, weights: dict[str, Array], who: str) -> list[Array]:
    """The layer's weights in its order, from those of a module."""
    layer, kind = place.layer, type(place.layer).__name__
    rules = _WEIGHTS.get(kind)
    where = f"{who}: [{layer.name}] ({kind}) and module {module!r}"
    hint = "; name the layers' modules where the orders differ: names={'layer': 'module'}"
    if rules is None:
        raise ValueError(f"{where}: PyTorch has no module of that kind")
    wanted = {rules[name][0] for name in place.shapes}
    if wanted != set(weights):
        raise ValueError(f"{where} do not match: the layer needs {sorted(wanted)}, it has {sorted(weights)}{hint}")
    found = []
    for name, shape in place.shapes.items():
        source, turn = rules[name]
        try:
            value = turn(place, weights[source])
        except ValueError:
            value = weights[source]
        if value.shape != shape:
            raise ValueError(f"{where} do not match: {name} has shape {shape}, {source} {weights[source].shape}{hint}")
        found.append(np.ascontiguousarray(value, np.float32))
    return found


# Back


def _back(kind: str, name: str, array: Array) -> tuple[str, Array]:
    """A weight of a layer under PyTorch's name and in its order; maps keep the channels last."""
    if kind in ("Conv2D", "Conv2DTranspose"):
        return ("weight", array.transpose(3, 2, 0, 1)) if name == "kernel" else ("bias", array)
    if kind == "DepthwiseConv2D" and name == "kernel":
        return "weight", _by_channel(array)
    if kind == "SeparableConv2D":
        if name == "depthwise_kernel":
            return "depthwise.weight", _by_channel(array)
        return (
            ("pointwise.weight", array.transpose(3, 2, 0, 1))
            if name == "pointwise_kernel"
            else ("pointwise.bias", array)
        )
    if kind == "Dense":
        return ("weight", array.T) if name == "kernel" else ("bias", array)
    return _WEIGHTS[kind][name][0], array


def _by_channel(kernel: Array) -> Array:
    turned: Array = kernel.transpose(2, 3, 0, 1)
    return turned.reshape(-1, 1, *kernel.shape[:2])


def to_torch_state_dict(model: Model, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The weights of a model as PyTorch has them: what `load_torch_state_dict` reads, the other way round.

    For a model of `from_torch` the keys are those of the module, which takes the result:
    `module.load_state_dict(to_torch_state_dict(model), strict=False)`; only counters of batches are missing.

    Args:
        model: a model.
        names: layer name -> module name; other layers keep their names.

    Returns:
        Tensors of float32 by name, such as "layer1.0.conv1.weight".

    Raises:
        ImportError: torch is missing.
        ValueError: a layer has weights that no module of PyTorch has, or `names` has a layer that the model has not.
    """
    who = "to_torch_state_dict"
    torch = require("torch", "torch", f"striate.interop.{who}")
    places = _places(model)
    chosen, known = dict(names or {}), [place.layer.name for place in places]
    for name in chosen:
        if name not in known:
            raise ValueError(f"{who}: no layer with weights is called {name!r}; {suggestion(name, known)}")
    parameters = {name for name in known if name.endswith(_SCALE)}
    state: dict[str, Any] = {}
    for place in places:
        layer, kind = place.layer, type(place.layer).__name__
        if kind not in _WEIGHTS:
            raise ValueError(f"{who}: [{layer.name}] ({kind}): PyTorch has no module of that kind")
        for name, array in zip(place.shapes, model._network.values(list(place.indices)), strict=True):
            if kind == "PReLU":
                array = array.reshape(-1) if max(array.shape) == array.size else np.moveaxis(array, -1, 0)
            elif kind == "LayerNormalization" and array.ndim == 3:
                array = array.transpose(2, 0, 1)
            elif kind == "Dense" or kind in _FLAT:
                array = place.flattened(array) if name != "bias" else array
            key, turned = _back(kind, name, array)
            full = f"{chosen.get(layer.name, layer.name)}.{key}"
            if layer.name in parameters:  # the layer is a parameter, not a module
                full, turned = layer.name, turned.reshape(-1, 1, 1)
            state[full] = torch.from_numpy(np.ascontiguousarray(turned))
    return state


_SCALE = ".layer_scale"
"""The ending of a parameter of torchvision's ConvNeXt that is a layer here."""
_FLAT = ("BatchNormalization", "LayerNormalization", "GroupNormalization")


def to_torch(model: Model) -> Any:
    """A PyTorch module that computes what a model does, with its weights.

    Layers become modules of the same names; dots in a name make modules within modules. Frozen layers have parameters
    with `requires_grad=False`. The module is in training mode, as PyTorch's new modules are: `module.eval()` before
    inference. It can be trained, scripted to a state dict, and exported further.

    Args:
        model: a model.

    Returns:
        A `torch.nn.Module`. Maps are (N, C, H, W) at its inputs and outputs, other tensors are as in the model. Several
        outputs are a list.

    Raises:
        ImportError: torch is missing.
        ValueError: there is no module for a layer, such as a custom layer.
    """
    torch = require("torch", "torch", "striate.interop.to_torch")
    from striate.interop._to_torch import Network

    network = model._network
    module = Network(network, {number for number, layer in enumerate(model._layers) if not layer.trainable})
    for number, layer in enumerate(model._layers):
        kind = type(layer).__name__
        indices = list(range(*network.parameters_of(number)))
        names = [network.parameter(index).name.rpartition("/")[2] for index in indices]
        for name, array in zip(names, network.values(indices), strict=True):
            if kind == "PReLU":
                key, turned = "weight", array.transpose(2, 0, 1) if array.ndim == 3 else array
            else:
                key, turned = _back(kind, name, array)
            target = module.get_submodule(layer.name)
            *path, own = key.split(".")
            for step in path:
                target = target.get_submodule(step)
            with torch.no_grad():
                getattr(target, own).copy_(torch.from_numpy(np.ascontiguousarray(turned)))
    return module
