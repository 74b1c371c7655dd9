"""How the cases of layer_cases.py are drawn: arguments, shapes of inputs and weights, and distances from corners."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

from reference import pooling
from reference.activations import CORNERS, to_corner
from reference.conv2d_transpose import conv2d_transpose
from reference.padding import edges, extent, pair

Shape = tuple[int, ...]
Arrays = dict[str, np.ndarray]
Args = Mapping[str, Any]

# Arguments that a reference does not take: the weights' shapes say the same.
TOLD_BY_WEIGHTS = {"filters", "kernel_size", "units", "use_bias", "depth_multiplier", "center", "scale", "shared_axes"}


@dataclass(frozen=True)
class Setup:
    """A layer's arguments, the shapes of its inputs (without the batch), and the batch."""

    args: dict[str, Any]
    shapes: tuple[Shape, ...]
    batch: int = 2


@dataclass(frozen=True)
class LayerCase:
    """One layer.

    Attributes:
        layer: the class in striate.layers, and in Keras.
        setups: what to draw.
        reference: its definition: inputs by position, weights and arguments by name.
        large: setups with enough work for several threads and with remainders on every axis.
        weights: the shape of each weight.
        corner: the distance of inputs, weights and arguments from where the layer has no derivative.
        tolerance: of values, relative, in the norm and for each element beside the largest.
        floor: values below it count as of this size for the tolerance.
        exact: linear, so that whole numbers give the reference's result to the last bit.
        modes: values of `training` in which the layer is a function of its input that the reference knows.
        random: draws random numbers in training.
        domain: brings inputs to where the layer is defined.
    """

    layer: str
    setups: st.SearchStrategy[Setup]
    reference: Callable[..., np.ndarray]
    large: tuple[Setup, ...]
    weights: Callable[[Setup], dict[str, Shape]] = field(default=lambda setup: {})
    corner: Callable[[list[np.ndarray], Arrays, Args], float] = field(default=lambda inputs, weights, args: np.inf)
    tolerance: float = 1e-5
    floor: float = 0.0
    exact: bool = False
    modes: tuple[bool, ...] = (False,)
    random: bool = False
    domain: Callable[[np.ndarray, Args], np.ndarray] = field(default=lambda x, args: x)

    def value(self, inputs: list[np.ndarray], weights: Arrays, args: Args, training: bool = False) -> np.ndarray:
        """What the layer should give, in float64."""
        known = inspect.signature(self.reference).parameters
        named = {**args, **weights, **({"training": training} if "training" in known else {})}
        taken = {name: value for name, value in named.items() if name not in TOLD_BY_WEIGHTS or name in known}
        if self.layer == "BatchNormalization":
            for name in ("momentum", "unbiased_variance"):  # matter for the moving averages alone
                taken.pop(name, None)
        return self.reference(*(x.astype(np.float64) for x in inputs), **taken)


# What is drawn: few channels, some of them a vector and a bit; small maps, one pixel among them; often a single sample.
# Never 16 channels on both sides of a convolution: faster algorithms there may round whole numbers.
CHANNELS = st.sampled_from((1, 2, 3, 5, 8, 17, 33))
BATCHES = st.sampled_from((1, 1, 2, 3))
SIDES = st.sampled_from((1, 2, 3, 4, 5, 7, 9))
# Conv2D(activation=...) is the convolution and an Activation, so that a few show that it gets there.
FUSED = st.sampled_from((None, None, None, "relu", "tanh", "hard_swish", "softmax"))


def pairs(low: int, high: int) -> st.SearchStrategy[int | tuple[int, int]]:
    """One number for both axes, or two."""
    one = st.integers(low, high)
    return st.one_of(one, st.tuples(one, one))


@st.composite
def windows(
    draw: st.DrawFn, taps: int = 5, dilated: bool = True, name: str = "kernel_size"
) -> tuple[dict[str, Any], tuple[int, int]]:
    """A window's arguments and the sides of a map that it fits on."""
    args: dict[str, Any] = {name: draw(pairs(1, taps)), "strides": draw(pairs(1, 3))}
    args["padding"] = draw(st.sampled_from(("valid", "same")))
    dilation = draw(pairs(1, 3)) if dilated else 1
    if dilated:
        args["dilation_rate"] = dilation
    if args["padding"] == "same":
        return args, (draw(SIDES), draw(SIDES))
    reach = (extent(k, d) for k, d in zip(pair(args[name]), pair(dilation), strict=True))
    return args, tuple(r + draw(st.integers(0, 4)) for r in reach)  # type: ignore[return-value]


maps = st.tuples(SIDES, SIDES, CHANNELS)
rows = st.one_of(st.tuples(CHANNELS), st.tuples(SIDES, CHANNELS))
anything = st.one_of(maps, rows)


def plain(shapes: st.SearchStrategy[Shape], **args: st.SearchStrategy[Any]) -> st.SearchStrategy[Setup]:
    """One input; each argument drawn for itself."""
    return st.builds(Setup, st.fixed_dictionaries(args), shapes.map(lambda s: (s,)), BATCHES)


def large(shape: Shape, batch: int = 7, inputs: int = 1, **args: Any) -> Setup:
    return Setup(args, (shape,) * inputs, batch)


BORDERS = st.one_of(pairs(0, 3), st.tuples(*[st.tuples(st.integers(0, 3), st.integers(0, 3))] * 2))


# Convolutions


@st.composite
def convolutions(draw: st.DrawFn, **others: st.SearchStrategy[Any]) -> Setup:
    args, sides = draw(windows())
    if args["padding"] == "valid" and draw(st.booleans()):
        args["padding"] = draw(BORDERS)
    channels = draw(CHANNELS)
    args.update(use_bias=draw(st.booleans()), activation=draw(FUSED))
    args.update({name: draw(strategy) for name, strategy in others.items()})
    return Setup(args, ((*sides, channels),), draw(BATCHES))


@st.composite
def grouped(draw: st.DrawFn) -> Setup:
    setup = draw(convolutions(filters=CHANNELS))
    kind = draw(st.sampled_from(("one", "as many", "any")))
    if kind == "as many":  # whole groups in a vector, and a rest
        groups, each = draw(st.sampled_from((2, 3, 5, 9))), draw(st.sampled_from((1, 2, 4, 8)))
        args = {**setup.args, "groups": groups, "filters": groups * each}
        return Setup(args, ((*setup.shapes[0][:2], groups * each),), setup.batch)
    if kind == "any":
        groups = draw(st.sampled_from((2, 3, 5)))
        args = {**setup.args, "groups": groups, "filters": groups * draw(st.sampled_from((1, 2, 5)))}
        return Setup(args, ((*setup.shapes[0][:2], groups * draw(st.sampled_from((1, 3)))),), setup.batch)
    return setup


@st.composite
def transposed(draw: st.DrawFn) -> Setup:
    args, _ = draw(windows(taps=4))
    args.update(filters=draw(CHANNELS), use_bias=draw(st.booleans()), activation=draw(FUSED))
    if draw(st.booleans()):
        args["output_padding"] = tuple(draw(st.integers(0, s - 1)) for s in pair(args["strides"]))
    channels, side = draw(CHANNELS), st.integers(1, 5)
    setup = Setup(args, ((draw(side), draw(side), channels),), draw(BATCHES))
    # A small kernel and much cut away would leave nothing.
    return setup if min(transposed_size(setup)) > 0 else Setup({**args, "padding": "valid"}, setup.shapes, setup.batch)


def transposed_size(setup: Setup) -> tuple[int, ...]:
    a, kernel = setup.args, np.ones((*pair(setup.args["kernel_size"]), 1, 1))
    keep = ("strides", "padding", "dilation_rate", "output_padding")
    x = np.ones((1, *setup.shapes[0][:2], 1))
    return conv2d_transpose(x, kernel=kernel, **{k: a[k] for k in keep if k in a}).shape[1:3]


def with_bias(setup: Setup, kernels: dict[str, Shape], outputs: int) -> dict[str, Shape]:
    return {**kernels, "bias": (outputs,)} if setup.args.get("use_bias", True) else kernels


def conv_weights(setup: Setup) -> dict[str, Shape]:
    a, channels = setup.args, setup.shapes[0][-1]
    kernel = (*pair(a["kernel_size"]), channels // a.get("groups", 1), a["filters"])
    return with_bias(setup, {"kernel": kernel}, a["filters"])


def depthwise_weights(setup: Setup) -> dict[str, Shape]:
    a, channels, multiplier = setup.args, setup.shapes[0][-1], setup.args.get("depth_multiplier", 1)
    return with_bias(setup, {"kernel": (*pair(a["kernel_size"]), channels, multiplier)}, channels * multiplier)


def separable_weights(setup: Setup) -> dict[str, Shape]:
    a, channels, multiplier = setup.args, setup.shapes[0][-1], setup.args.get("depth_multiplier", 1)
    kernels = {
        "depthwise_kernel": (*pair(a["kernel_size"]), channels, multiplier),
        "pointwise_kernel": (1, 1, channels * multiplier, a["filters"]),
    }
    return with_bias(setup, kernels, a["filters"])


def transposed_weights(setup: Setup) -> dict[str, Shape]:
    a = setup.args
    return with_bias(setup, {"kernel": (*pair(a["kernel_size"]), a["filters"], setup.shapes[0][-1])}, a["filters"])


def dense_weights(setup: Setup) -> dict[str, Shape]:
    return with_bias(setup, {"kernel": (setup.shapes[0][-1], setup.args["units"])}, setup.args["units"])


def before_activation(reference: Callable[..., np.ndarray]) -> Callable[[list[np.ndarray], Arrays, Args], float]:
    """How near the activation of a layer's own gets to its corner."""

    def distance(inputs: list[np.ndarray], weights: Arrays, args: Args) -> float:
        name = args.get("activation")
        if name not in CORNERS:
            return np.inf
        taken = {k: v for k, v in args.items() if k not in TOLD_BY_WEIGHTS and k != "activation"}
        z = reference(*(x.astype(np.float64) for x in inputs), **taken, **weights)
        return to_corner(name, z[z != 0])  # where nothing is seen but padding, nothing moves it off 0 either

    return distance


# Normalizations and activations


def channel_weights(*names: str) -> Callable[[Setup], dict[str, Shape]]:
    def shapes(setup: Setup) -> dict[str, Shape]:
        has = {"gamma": setup.args.get("scale", True), "beta": setup.args.get("center", True)}
        return {name: setup.shapes[0][-1:] for name in names if has.get(name, True)}

    return shapes


@st.composite
def groups(draw: st.DrawFn) -> Setup:
    parts, each = draw(st.sampled_from((1, 2, 3, 5))), draw(st.sampled_from((1, 2, 3, 11)))
    shape = (*draw(st.tuples(SIDES, SIDES)), parts * each)
    args = {"groups": draw(st.sampled_from((parts, parts, -1))), **draw(NORMALIZED)}
    return Setup(args, (shape,), draw(BATCHES))


NORMALIZED = st.fixed_dictionaries(
    {}, optional={"epsilon": st.sampled_from((1e-3, 1e-4, 0.1)), "center": st.booleans(), "scale": st.booleans()}
)


@st.composite
def normalized(draw: st.DrawFn, momentum: bool = False) -> Setup:
    args = dict(draw(NORMALIZED))
    if momentum and draw(st.booleans()):
        args["momentum"] = draw(st.sampled_from((0.9, 0.5, 0.0)))
    setup = Setup(args, (draw(anything),), draw(BATCHES))
    if momentum and setup.batch * int(np.prod(setup.shapes[0][:-1])) < 4:
        # Two numbers a channel come out as +1 and -1: with a small epsilon the gradient cancels to float32's rounding.
        args.pop("epsilon", None)
    return setup


@st.composite
def over_last_axes(draw: st.DrawFn) -> Setup:
    setup = draw(normalized())
    rank = len(setup.shapes[0])
    count = draw(st.integers(0, rank))
    if count == 0:
        return setup
    axes = [a if draw(st.booleans()) else a - rank - 1 for a in range(rank + 1 - count, rank + 1)]
    return Setup({**setup.args, "axis": axes[0] if count == 1 else axes}, setup.shapes, setup.batch)


def over_last_axes_weights(setup: Setup) -> dict[str, Shape]:
    axis = setup.args.get("axis", -1)
    shape = setup.shapes[0][-1 if isinstance(axis, int) else -len(axis) :]
    has = {"gamma": setup.args.get("scale", True), "beta": setup.args.get("center", True)}
    return {name: shape for name, there in has.items() if there}


@st.composite
def prelus(draw: st.DrawFn) -> Setup:
    shape = draw(anything)
    axes = draw(st.sets(st.integers(1, len(shape))))
    return Setup({"shared_axes": sorted(axes)} if axes else {}, (shape,), draw(BATCHES))


def away_from(*corners: float) -> Callable[[list[np.ndarray], Arrays, Args], float]:
    return lambda inputs, weights, args: min(float(np.abs(inputs[0] - c).min()) for c in corners)


def relu_corners(inputs: list[np.ndarray], weights: Arrays, args: Args) -> float:
    corners = (args.get("threshold", 0.0), args.get("max_value"))
    return min(float(np.abs(inputs[0] - c).min()) for c in corners if c is not None)


# Pooling, borders, shapes


@st.composite
def pools(draw: st.DrawFn) -> Setup:
    args, sides = draw(windows(taps=4, dilated=False, name="pool_size"))
    if draw(st.booleans()):
        args["strides"] = None
    if args["padding"] == "valid" and draw(st.booleans()):  # margins of one's own, which contain no whole window
        args["padding"] = tuple(
            (draw(st.integers(0, size - 1)), draw(st.integers(0, size - 1))) for size in pair(args["pool_size"])
        )
    return Setup(args, ((*sides, draw(CHANNELS)),), draw(BATCHES))


def to_tie(inputs: list[np.ndarray], weights: Arrays, args: Args) -> float:
    return pooling.to_tie(inputs[0], **args)


def to_global_tie(inputs: list[np.ndarray], weights: Arrays, args: Args) -> float:
    pixels = np.sort(inputs[0].reshape(inputs[0].shape[0], -1, inputs[0].shape[-1]), axis=1)
    return float((pixels[:, -1] - pixels[:, -2]).min()) if pixels.shape[1] > 1 else np.inf


@st.composite
def cropped(draw: st.DrawFn) -> Setup:
    border = draw(BORDERS)
    (top, bottom), (left, right) = edges(border)
    shape = (top + bottom + draw(SIDES), left + right + draw(SIDES), draw(CHANNELS))
    return Setup({"cropping": border}, (shape,), draw(BATCHES))


@st.composite
def reshaped(draw: st.DrawFn) -> Setup:
    shape = draw(anything)
    size = int(np.prod(shape))
    first = draw(st.sampled_from([d for d in range(1, size + 1) if size % d == 0]))
    second = draw(st.sampled_from([d for d in range(1, size // first + 1) if size // first % d == 0]))
    target = draw(st.sampled_from(((size,), (first, size // first), (first, second, size // first // second))))
    if draw(st.booleans()):
        at = draw(st.integers(0, len(target) - 1))
        target = (*target[:at], -1, *target[at + 1 :])
    return Setup({"target_shape": target}, (shape,), draw(BATCHES))


@st.composite
def permuted(draw: st.DrawFn) -> Setup:
    shape = draw(anything)
    return Setup({"dims": tuple(draw(st.permutations(range(1, len(shape) + 1))))}, (shape,), draw(BATCHES))


@st.composite
def taken(draw: st.DrawFn) -> Setup:
    shape = draw(anything)
    axis = draw(st.integers(0, len(shape) - 1))
    indices = draw(st.lists(st.integers(0, shape[axis] - 1), min_size=1, max_size=12))
    return Setup(
        {"indices": indices, "axis": draw(st.sampled_from((axis + 1, axis - len(shape))))}, (shape,), draw(BATCHES)
    )


@st.composite
def multiplied(draw: st.DrawFn) -> Setup:
    lead = draw(st.one_of(st.just(()), st.tuples(SIDES)))
    rows, depth, columns, turned = draw(SIDES), draw(CHANNELS), draw(CHANNELS), draw(st.booleans())
    second = (columns, depth) if turned else (depth, columns)
    return Setup({"transpose_b": turned}, ((*lead, rows, depth), (*lead, *second)), draw(BATCHES))


@st.composite
def merged(draw: st.DrawFn, most: int = 4) -> Setup:
    return Setup({}, (draw(anything),) * draw(st.integers(2, most)), draw(BATCHES))


def to_equal(inputs: list[np.ndarray], weights: Arrays, args: Args) -> float:
    """How near two inputs get to each other."""
    return float(np.diff(np.sort(np.stack(inputs), axis=0), axis=0).min())


@st.composite
def concatenated(draw: st.DrawFn) -> Setup:
    shape, count = draw(anything), draw(st.integers(2, 4))
    axis = draw(st.integers(0, len(shape) - 1))
    shapes = tuple((*shape[:axis], draw(st.integers(1, 6)), *shape[axis + 1 :]) for _ in range(count))
    return Setup({"axis": draw(st.sampled_from((axis + 1, axis - len(shape))))}, shapes, draw(BATCHES))


@st.composite
def scaled(draw: st.DrawFn, first: str, second: str, low: float) -> Setup:
    shape = draw(anything)
    number = st.integers(int(16 * low), 64).map(lambda n: n / 16)
    per_channel = st.lists(number, min_size=shape[-1], max_size=shape[-1])
    value = per_channel if draw(st.booleans()) else number
    return Setup({first: draw(value), second: draw(value)}, (shape,), draw(BATCHES))


SAMPLING = {
    "fill_mode": st.sampled_from(("reflect", "wrap", "constant", "nearest")),
    "interpolation": st.sampled_from(("bilinear", "nearest")),
    "fill_value": st.sampled_from((0.0, 2.0)),
}
FACTORS = st.sampled_from((0.0, 0.25, (-0.5, 0.125)))
# Of layers that change images at random in training: what is drawn, and one setup with much work.
RANDOM_CHANGES: tuple[tuple[str, dict[str, st.SearchStrategy[Any]], dict[str, Any]], ...] = (
    ("RandomFlip", {"mode": st.sampled_from(("horizontal", "vertical", "horizontal_and_vertical"))}, {}),
    ("RandomRotation", {"factor": FACTORS, **SAMPLING}, {"factor": 0.1}),
    (
        "RandomTranslation",
        {"height_factor": FACTORS, "width_factor": FACTORS, **SAMPLING},
        {"height_factor": 0.1, "width_factor": 0.2},
    ),
    ("RandomZoom", {"height_factor": FACTORS, "width_factor": FACTORS | st.none(), **SAMPLING}, {"height_factor": 0.3}),
    ("RandomBrightness", {"factor": FACTORS, "value_range": st.sampled_from(((0, 255), (-1.0, 1.0)))}, {"factor": 0.2}),
    ("RandomContrast", {"factor": st.sampled_from((0.0, 0.5, (0.25, 1.0)))}, {"factor": 0.2}),
)
