"""The time that a network would need if the machine did nothing but its multiply-adds and its reads and writes.

For each layer, the larger of two times counts: its multiply-adds, by the definition of the layer, at the peak rate of
multiply-adds; and its bytes at the rate of a copy of about that many bytes. Both rates are the best of several
measurements in the same process. The layers' times add up. An algorithm with fewer multiplications (Winograd's), or a
map that stays in a cache between two layers, can be faster than this limit.

- Convolutions and dense layers read their input and their weights and write their output. In a training step there are
  two more products of the same size: the gradient to the input (where a layer before it learns) and to the weights.
- Pooling and resizing read their input and write their output; in a training step the gradients once more.
- Sums and products of maps read their second and further inputs; an adjacent layer has the first one at hand.
- Normalisation, activations, factors of channels (depthwise 1x1), concatenation, padding and changes of the shape take
  no time: an adjacent layer can do them while it reads or writes the map.
- The update of a training step reads the weight, the gradient and both of Adam's averages, and writes three of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

ADAM = 7  # floats that the update of one weight reads and writes
REPEATS = 8  # of measuring the rates
RESIZED = ("MaxPooling2D", "AveragePooling2D", "GlobalAveragePooling2D", "GlobalMaxPooling2D", "UpSampling2D")
MERGED = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")

Rates = tuple[float, list[tuple[float, float]]]  # flops a second; bytes -> bytes a second


def best_rates(measured: Iterable[Rates]) -> Rates:
    """The highest of each rate, and for a copy at least that of every larger one.

    Other programs on the machine make single measurements too low, those of small copies most.
    """
    peaks, tables = zip(*measured, strict=True)
    copies = [copy for table in tables for copy in table]
    sizes = sorted({size for size, _ in copies})
    return max(peaks), [(size, max(rate for other, rate in copies if other >= size)) for size in sizes]


def measured_rates() -> Rates:
    """The peak of multiply-adds, two flops each, and the rates of copies, on all threads of this process."""
    from striate import _core

    return best_rates(_core.measure_limits() for _ in range(REPEATS))


def limit_seconds(model: Any, batch: int, training: bool, rates: Rates) -> float:
    """The limit of a training step with Adam, or of a prediction, for a batch."""
    peak, copies = rates

    def moving(floats: float) -> float:
        size = 4.0 * floats
        nearest = min(copies, key=lambda copy: abs(math.log(copy[0] / max(size, 1.0))))
        return size / nearest[1]

    network = model._network
    nodes, layers = network.nodes, network.layers
    weights = [0] * len(layers)
    for info in network.parameters:
        weights[info.layer] += math.prod(info.shape) if info.trainable else 0
    learns: list[bool] = []  # whether a node's output depends on trainable weights
    seconds = 0.0
    for place, inputs, shape in nodes:
        layer = layers[place][0]
        shapes = [nodes[source][2] for source in inputs]
        before = any(learns[source] for source in inputs)
        learns.append(before or weights[place] > 0)
        sizes = [batch * math.prod(item) for item in shapes]
        work = 2.0 * batch * layer.multiply_adds(shapes)
        if layer.type == "DepthwiseConv2D" and layer.window[0] == (1, 1):
            continue
        if work:
            passes = 1 + training * (1 + before)
            seconds += passes * max(work / peak, moving(sum(sizes) + batch * math.prod(shape) + weights[place]))
        elif layer.type in RESIZED:
            seconds += (1 + (training and before)) * moving(sum(sizes) + batch * math.prod(shape))
        elif layer.type in MERGED:
            seconds += (1 + (training and before)) * moving(sum(sizes[1:])) if len(sizes) > 1 else 0.0
    return seconds + (moving(ADAM * sum(weights)) if training else 0.0)
