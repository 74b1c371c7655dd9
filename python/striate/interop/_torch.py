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

from striate import _kin
from striate._extras import require
from striate._names import suggestion
from striate.interop._flattened import flattened_maps
from striate.layers import Layer
from striate.layers._base import assign
from striate.model import Model

Array = NDArray[Any]


def from_torch(module: Any, input_shape: Sequence[int] | Sequence[Sequence[int]]) -> Model:
    """A PyTorch module as a striate model that computes the same in inference.

    The module is exported by `torch.onnx.export` and read by `striate.onnx.load`; it is not changed. Its parameters
    are copied, batch normalisation is folded into convolutions where the exporter does so.

    Args:
        module: a `torch.nn.Module`.
        input_shape: of one sample, as the module takes it, without the batch: (3, 224, 224) for (C, H, W). A list of
            shapes for several inputs.

    Returns:
        A model that takes and gives maps with the channels last, (N, H, W, C).

    Raises:
        ImportError: torch, onnxscript (which its exporter needs) or onnx is missing.
        TypeError: `module` is no module, or the shape no sequence of integers.
        ValueError: torch cannot export the module, or striate has no layers for a part of it; the message lists all.
    """
    what = "striate.interop.from_torch"
    torch = require("torch", "torch", what)
    require("onnx", "onnx", what)
    require("onnxscript", "torch", what)
    if not isinstance(module, torch.nn.Module):
        raise TypeError(f"from_torch expects a torch.nn.Module, got {type(module).__name__}")
    shapes = _shapes(input_shape)
    from striate.onnx import load

    parameter = next(iter(module.parameters()), None)
    device = None if parameter is None else parameter.device
    samples = tuple(torch.zeros(1, *shape, device=device) for shape in shapes)
    with _in_inference(module), _quiet():
        try:
            program = torch.onnx.export(module, samples, dynamo=True, verbose=False)
        except Exception as error:  # the exporter has dozens of classes for what it cannot do
            lines = [line for line in str(error).splitlines() if line.strip()]
            text = lines[0] if lines else type(error).__name__
            raise ValueError(f"from_torch: torch.onnx.export cannot export {type(module).__name__}: {text}") from error
    return load(program.model_proto)


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
    """A layer with weights: their shapes, and the map that its input is a flattened one of, if it is."""

    def __init__(self, layer: Layer, shapes: dict[str, tuple[int, ...]], map_shape: tuple[int, ...] | None) -> None:
        self.layer, self.shapes, self.map_shape = layer, shapes, map_shape

    def unflattened(self, array: Array) -> Array:
        """What PyTorch has for each element of a flattened (C, H, W) map, in the order of (H, W, C); axis 0."""
        if self.map_shape is None:
            return array
        height, width, channels = self.map_shape
        apart = array.reshape(channels, height, width, *array.shape[1:])
        turned: Array = np.moveaxis(apart, 0, 2)
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


def load_torch_state_dict(model: Model, state: Any, names: Mapping[str, str] | None = None) -> None:
    """Fill a model with the weights of a PyTorch module of the same architecture.

    Modules with weights are taken in the order of the state dict, layers with weights in the order of the model; a
    layer that `names` mentions gets the module named there. Kernels are turned from (out, in, height, width), and
    where a map was flattened before a dense layer its rows are brought into the order of the channels last.

    Strided convolutions with `padding="same"` pad otherwise than PyTorch's `padding=1`: that is a matter of the
    architecture, which has to be the same.

    Args:
        model: a model.
        state: what `module.state_dict()` returned (arrays will do, too), or the module.
        names: layer name -> module name, such as {"head": "fc"}, for layers that the order would not match.

    Raises:
        ValueError: a module is missing or left over, or a shape does not fit; no weight is changed then.
        TypeError: `state` is no mapping of names to arrays.
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
    free = iter([module for module in modules if module not in set(chosen.values())])
    values: list[Array] = []
    used = set()
    for place in places:
        module = chosen.get(place.layer.name) or next(free, "")
        if not module:
            raise ValueError(f"{who}: there is no module left for [{place.layer.name}]; the state has {len(modules)}")
        used.add(module)
        values.extend(_converted(place, module, modules[module], who))
    left = [module for module in modules if module not in used]
    if left:
        raise ValueError(f"{who}: the model has no layer for {', '.join(map(repr, left[:3]))} of the state")
    assign(model._network, range(len(model._network.parameters)), values, who)
    _kin.wrote(model._layers)


def _modules(state: Any, who: str) -> dict[str, dict[str, Array]]:
    """The arrays by module, in order."""
    state = state.state_dict() if hasattr(state, "state_dict") else state
    if not isinstance(state, Mapping):
        raise TypeError(f"{who} expects what module.state_dict() returns, got {type(state).__name__}")
    modules: dict[str, dict[str, Array]] = {}
    for name, value in state.items():
        module, _, weight = str(name).rpartition(".")
        if weight == "num_batches_tracked":
            continue
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        modules.setdefault(module, {})[weight] = value
    return modules


def _places(model: Model) -> list[_Place]:
    network = model._network
    flattened = flattened_maps(network)
    places = []
    for number, layer in enumerate(model._layers):
        infos = [network.parameter(index) for index in range(*network.parameters_of(number))]
        if infos:
            shapes = {info.name.rpartition("/")[2]: info.shape for info in infos}
            places.append(_Place(layer, shapes, flattened.get(network.layer(number)[2])))
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
