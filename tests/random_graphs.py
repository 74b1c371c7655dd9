"""Small networks drawn at random: branches that meet again, shared layers, values with several readers, and several
outputs, of every kind of layer that the plan's rewrites look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import strategies as st

import striate
from numeric import normal, weight
from striate import layers

LARGEST = 1200  # elements of a map
ACTIVATIONS = ["linear", "tanh", "sigmoid", "leaky_relu", "silu"]


@dataclass
class Graph:
    """A network as it is drawn; `calls` says how each value but the first was made."""

    batch: int
    calls: list[str] = field(default_factory=list)
    symbols: list[Any] = field(default_factory=list)
    readers: list[int] = field(default_factory=list)
    shared: list[tuple[layers.Layer, tuple[int, ...]]] = field(default_factory=list)
    seed: int = 0
    model: Any = None

    def shape(self, value: int) -> tuple[int, ...]:
        return tuple(self.symbols[value].shape[1:])

    def keep(self, symbol: Any, call: str, *sources: int) -> int:
        self.symbols.append(symbol)
        self.calls.append(f"{len(self.symbols) - 1}: {call} of {sources} -> {symbol.shape[1:]}")
        self.readers.append(0)
        for source in sources:
            self.readers[source] += 1
        return len(self.symbols) - 1

    def call(self, layer: layers.Layer, args: Any, *sources: int) -> int:
        given = [self.symbols[source] for source in sources]
        return self.keep(layer(given if len(given) > 1 else given[0]), f"{type(layer).__name__}({args})", *sources)

    def add(self, kind: str, *sources: int, **args: Any) -> int:
        return self.call(getattr(layers, kind)(**args), args, *sources)

    def __repr__(self) -> str:
        return f"Graph of {self.batch} samples:\n  " + "\n  ".join(self.calls)

    def arrays(self, shapes: list[tuple[int, ...]], what: int) -> list[np.ndarray]:
        rng = np.random.default_rng([self.seed, what])
        return [normal(rng, (self.batch, *shape)) for shape in shapes]


class Drawing:
    """Adds layers to a graph."""

    def __init__(self, draw: Any, graph: Graph) -> None:
        self.draw, self.graph = draw, graph

    def one(self, choices: Any) -> Any:
        return choices[self.draw(st.integers(0, len(choices) - 1))]

    def flip(self) -> bool:
        return self.draw(st.booleans())

    def pair(self, low: int, high: int) -> tuple[int, int]:
        return self.one(range(low, high + 1)), self.one(range(low, high + 1))

    def value(self) -> int:
        """A map, the latest one more often than not."""
        maps = [v for v in range(len(self.graph.symbols)) if len(self.graph.shape(v)) == 3]
        return maps[-1] if self.flip() else self.one(maps)

    def like(self, value: int, axes: slice) -> int:
        """A map that agrees with `value` along axes."""
        shape = self.graph.shape
        return self.one(
            [v for v in range(len(self.graph.symbols)) if len(shape(v)) == 3 and shape(v)[axes] == shape(value)[axes]]
        )

    def window(self, x: int, kernels: int = 3) -> dict[str, Any]:
        height, width, _ = self.graph.shape(x)
        high = min(kernels, height, width)
        args: dict[str, Any] = {"kernel_size": self.pair(1, high), "padding": self.one(["same", "valid"])}
        args["use_bias"], args["activation"] = self.flip(), self.one([None, None, "relu", *ACTIVATIONS])
        step = self.one([None, None, "strides", "dilation_rate"])
        if step == "strides":
            args["strides"] = 2
        elif step and args["padding"] == "same":
            args["dilation_rate"] = 2
        return args

    def filters(self) -> int:
        return self.one([1, 2, 3, 4, 5, 8, 16])

    def convolution(self) -> int:
        x = self.value()
        kind = self.one(["Conv2D"] * 4 + ["DepthwiseConv2D", "SeparableConv2D", "Conv2DTranspose"])
        args = self.window(x)
        channels = self.graph.shape(x)[2]
        if kind == "DepthwiseConv2D":
            args["depth_multiplier"] = self.one([1, 2])
        else:
            args["filters"] = self.filters()
        if kind == "Conv2D" and channels % 2 == 0 and self.flip():
            args["groups"], args["filters"] = 2, 2 * self.one([1, 2, 4])
        layer = getattr(layers, kind)(**args)
        if kind == "Conv2D":
            self.graph.shared.append((layer, self.graph.shape(x)))
        return self.graph.call(layer, args, x)

    def again(self) -> int:
        """A layer that there is already, on another map of the same shape."""
        fits = [
            (layer, v)
            for layer, shape in self.graph.shared
            for v in range(len(self.graph.symbols))
            if self.graph.shape(v) == shape
        ]
        if not fits:
            return self.convolution()
        layer, value = self.one(fits)
        return self.graph.call(layer, "again", value)

    def normalised(self, value: int, **args: Any) -> int:
        # Channels that do not vary, which dead ReLUs make, have their gradients multiplied by 1 / sqrt(epsilon) before
        # they cancel; with the default epsilon the rounding of that alone is a hundred thousandth of the others.
        return self.graph.add("BatchNormalization", value, epsilon=0.05, **args)

    def normalisation(self) -> int:
        return self.normalised(self.value(), center=self.flip(), scale=self.flip())

    def block(self) -> int:
        """Convolution, normalisation, ReLU and a pool, or the first few of them."""
        x = self.convolution()
        if self.flip():
            x = self.normalised(x)
        if self.flip():
            x = self.graph.add("ReLU", x)
        return self.pool(x) if self.flip() else x

    def activation(self) -> int:
        x = self.value()
        if self.flip():
            return self.graph.add("ReLU", x)
        return self.graph.add("Activation", x, activation=self.one(["relu", *ACTIVATIONS]))

    def pool(self, x: int | None = None) -> int:
        x = self.value() if x is None else x
        height, width, _ = self.graph.shape(x)
        size = min(self.one([2, 3]), height, width)
        kind = self.one(["MaxPooling2D", "MaxPooling2D", "AveragePooling2D"])
        return self.graph.add(kind, x, pool_size=size, strides=self.one([1, 2]), padding=self.one(["same", "valid"]))

    def join(self) -> int:
        x = self.value()
        other = self.like(x, slice(0, 3))
        kinds = ["Add", "Add", "Add", "Multiply", "Average"] + ["Subtract"] * (other != x)
        y = self.graph.add(self.one(kinds), x, other)
        return self.graph.add("ReLU", y) if self.flip() else y

    def residual(self) -> int:
        """A map and a convolution of it, normalised or not, added."""
        x = self.value()
        args = {"filters": self.graph.shape(x)[2], "kernel_size": self.one([1, 3]), "padding": "same"}
        y = self.graph.add("Conv2D", x, **args)
        if self.flip():
            y = self.normalised(y)
        order = (x, y) if self.flip() else (y, x)
        z = self.graph.add("Add", *order)
        return self.graph.add("ReLU", z) if self.flip() else z

    def concatenation(self) -> int:
        x = self.value()
        axis = self.one([3, 3, 3, 1])
        axes = slice(0, 2) if axis == 3 else slice(1, 3)
        parts = [x, *(self.like(x, axes) for _ in range(self.one([1, 1, 2])))]
        return self.graph.add("Concatenate", *parts, axis=axis)

    def resize(self) -> int:
        x = self.value()
        height, width, _ = self.graph.shape(x)
        kind = self.one(["UpSampling2D", "ZeroPadding2D", "Cropping2D"])
        if kind == "UpSampling2D":
            return self.graph.add(kind, x, size=2, interpolation=self.one(["nearest", "bilinear"]))
        if kind == "ZeroPadding2D" or height < 2 or width < 2:
            return self.graph.add("ZeroPadding2D", x, padding=((self.one([0, 1]), 1), (0, self.one([0, 1]))))
        return self.graph.add(kind, x, cropping=((1, 0), (0, self.one([0, 1]))))

    def dense(self) -> int:
        return self.graph.add("Dense", self.value(), units=self.filters(), activation=self.one([None, "relu", "tanh"]))

    def head(self, value: int) -> int:
        """Two numbers from a value."""
        kind = self.one(["Flatten", "Flatten", "GlobalAveragePooling2D", "GlobalMaxPooling2D"])
        if len(self.graph.shape(value)) == 3:
            value = self.graph.add(kind, value)
        if self.flip():
            value = self.graph.add("Dense", value, units=self.filters())
            value = self.normalised(value) if self.flip() else value
            value = self.graph.add("ReLU", value)
        return self.graph.add("Dense", value, units=2)


@st.composite
def graphs(draw: Any) -> Graph:
    """A graph whose model is built, with weights as a trained network might have them."""
    graph = Graph(draw(st.integers(1, 3)))
    drawing = Drawing(draw, graph)
    start = (*drawing.pair(2, 9), drawing.one([1, 2, 3, 4, 8, 16]))
    graph.keep(layers.Input(start), "Input")
    steps = [
        *(drawing.convolution, drawing.block, drawing.block, drawing.residual, drawing.normalisation),
        *(drawing.activation, drawing.pool, drawing.join, drawing.concatenation, drawing.concatenation),
        *(drawing.resize, drawing.dense, drawing.again),
    ]
    for _ in range(draw(st.integers(1, 9))):
        if int(np.prod(graph.shape(drawing.one(steps)()))) > LARGEST:
            break
    outputs = [drawing.head(v) for v in range(len(graph.symbols)) if graph.readers[v] == 0]
    if len(outputs) > 1:
        outputs = [graph.add("Add", *outputs)]
    if drawing.flip():  # a value within the network is an output too
        outputs.append(drawing.one([v for v in range(1, len(graph.symbols)) if v not in outputs]))
    graph.seed = draw(st.integers(0, 1000))
    graph.model = striate.Model(graph.symbols[0], [graph.symbols[v] for v in outputs], seed=graph.seed)
    state = graph.model.state_dict()
    rng = np.random.default_rng(graph.seed)
    graph.model.load_state_dict({k: weight(k.rsplit("/")[-1], v.shape, rng) for k, v in state.items()})
    return graph
