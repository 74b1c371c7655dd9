"""The part of the page for the network: layers, what they see, and how gradients reach them."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from striate.cli._overlays import draw_boxes
from striate.cli.report._images import heat, jpeg, mosaic
from striate.profiling import Profile

_MOST_MAPS, _CHANNELS, _TILE, _COLUMNS = 8, 16, 62, 4
_GRAD_CAMS = 8
_VANISHED, _EXPLODED = 1e-3, 1e3
_KERNELS = 1  # dimensions above which a weight is a kernel rather than a scale or a shift


def layers_worth_seeing(model: Any) -> list[str]:
    """Names of at most eight layers spread over the depth: activations and poolings on maps, and the output."""
    kinds = ("Activation", "ReLU", "MaxPooling2D", "AveragePooling2D")
    maps = [layer.name for layer in model.layers if type(layer).__name__ in kinds and len(layer.output_shape) == 4]
    places = np.unique(np.linspace(0, len(maps) - 1, min(len(maps), _MOST_MAPS - 1)).round().astype(int))
    return [*(maps[place] for place in places.tolist()), model.layers[-1].name]


def of_kernels(norms: Mapping[str, list[float]], model: Any) -> dict[str, list[float]]:
    """The norms of convolutions and dense layers: those of scales and shifts between them are of another kind."""
    kernels = {layer.name for layer in model.layers if any(w.ndim > _KERNELS for w in layer.get_weights())}
    return {name: values for name, values in norms.items() if name in kernels}


def graph(model: Any, images: NDArray[Any]) -> dict[str, Any]:
    """The layers in order: type, shape, parameters, inputs, receptive field, and the time of a prediction by `profile`.

    Layers that are computed together with another one have no time of their own.
    """
    with contextlib.redirect_stdout(io.StringIO()):
        profile: Profile = model.profile(images[:8], batch_size=8, steps=3)
    seconds: dict[str, float] = {}
    for row in profile.rows:
        seconds[row.layer] = seconds.get(row.layer, 0.0) + row.seconds
    names: dict[int, int] = {}
    layers: list[dict[str, Any]] = []
    network = model._network
    sizes = [0] * len(network.layers)
    for info in network.parameters:
        sizes[info.layer] += math.prod(info.shape)
    for place, (layer, name, first) in enumerate(network.layers):
        _, inputs, shape = network.nodes[first]
        names[place] = len(layers)
        field = model.receptive_field(name)
        known = field is not None and math.isfinite(max(field.size))
        layers.append(
            {
                "name": name,
                "type": layer.type,
                "shape": list(shape),
                "parameters": sizes[place],
                "inputs": [names[network.nodes[source][0]] for source in inputs],
                "field": round(max(field.size)) if known else None,
                "jump": round(max(field.jump), 2) if known else None,
                "ms": round(1e3 * seconds.get(name, 0.0), 4),
            }
        )
    return {"layers": layers, "ms": round(1e3 * profile.seconds, 4), "batch": profile.batch_size}


def sees(layers: list[dict[str, Any]], size: tuple[int, int]) -> str:
    """One sentence about how far the network sees."""
    fields = [layer["field"] for layer in layers if layer["field"] is not None]
    if not fields:
        return ""
    widest, side = max(fields), max(size)
    if widest >= side:
        return f"A unit of the last maps sees {widest} pixels across: the whole picture of {size[0]} × {size[1]}."
    return (
        f"A unit of the last maps sees {widest} of the picture's {side} pixels: objects larger than that are never "
        "seen whole. A deeper network or smaller pictures would help."
    )


def maps(model: Any, image: NDArray[Any]) -> list[dict[str, Any]]:
    """What layers over the depth make of one picture, (1, H, W, C): maps as pictures, flat outputs as numbers."""
    found = []
    for name, value in model.feature_maps(image, layers=layers_worth_seeing(model)).items():
        one = np.asarray(value[0], np.float64)
        entry: dict[str, Any] = {"name": name, "shape": list(one.shape)}
        if one.ndim == 3:
            shown = one[..., :_CHANNELS]
            entry |= {"image": mosaic(shown, _COLUMNS, _TILE), "low": float(shown.min()), "high": float(shown.max())}
        else:
            entry["values"] = [round(float(number), 5) for number in one.ravel()[:64]]
        found.append(entry)
    return found


def grad_cams(model: Any, part: Any, predicted: NDArray[np.int64], rows: list[int]) -> list[dict[str, Any]]:
    """Where the evidence for the predicted class is, on some pictures of a classifier."""
    chosen = np.array(rows[:_GRAD_CAMS], np.int64)
    heats = model.grad_cam(part.images[chosen], predicted[chosen])
    return [
        {
            "file": part.name(row),
            "image": jpeg(part.images[row], 256),
            "heat": heat(one),
            "predicted": int(predicted[row]),
            "truth": int(part.labels[row]),
        }
        for row, one in zip(chosen.tolist(), heats, strict=True)
    ]


def grad_cams_of_masks(model: Any, result: Any) -> list[dict[str, Any]]:
    """Where the evidence for the pixels of a class is: of pictures spread over all, that of the most pixels but 0."""
    rows = np.unique(np.linspace(0, len(result.images) - 1, min(_GRAD_CAMS, len(result.images))).round().astype(int))
    found = []
    for row in rows.tolist():
        counts = np.bincount(np.asarray(result.predicted[row]).ravel(), minlength=2)
        label = 1 + int(counts[1:].argmax()) if counts[1:].any() else 0
        found.append(_explained(result, row, label, model.grad_cam(result.images[row : row + 1], label)[0]))
    return found


def grad_cams_of_boxes(model: Any, result: Any) -> list[dict[str, Any]]:
    """Where the evidence for the surest object of a picture is, which is framed; of pictures with the surest ones."""
    best = np.array([np.max(one.scores, initial=0.0) for one in result.found])
    found = []
    for row in np.argsort(-best, kind="stable")[:_GRAD_CAMS].tolist():
        if not best[row]:
            break
        place = int(np.argmax(result.found[row].scores))
        label, box = int(result.found[row].labels[place]), result.found[row].boxes[place]
        image = np.asarray(result.images[row])
        color = np.repeat(image, 3, axis=2) if image.shape[2] == 1 else image
        name = result.class_names[label]
        framed = draw_boxes(color, [{"class": name, "score": best[row], "box": box.tolist()}], result.class_names)
        heats = model.grad_cam(result.images[row : row + 1], label, region=box[None])
        found.append({**_explained(result, row, label, heats[0]), "image": jpeg(framed, 256)})
    return found


def _explained(result: Any, row: int, label: int, values: NDArray[Any]) -> dict[str, Any]:
    return {
        "file": result.part.name(row),
        "image": jpeg(result.images[row], 256),
        "heat": heat(values),
        "predicted": label,
        "truth": label,
    }


def flow(norms: Mapping[str, list[float]]) -> dict[str, Any] | None:
    """The norms of the gradients of kernels, layer by layer, and one sentence of judgement."""
    kept = {name: values for name, values in norms.items() if values}
    if not kept:
        return None
    return {"layers": list(kept), "norms": [list(map(float, values)) for values in kept.values()], "told": judge(kept)}


def judge(norms: Mapping[str, list[float]]) -> str:
    """One sentence about the flow of gradients."""
    table = np.array(list(norms.values()), np.float64)  # (layers, epochs)
    names = list(norms)
    if not np.isfinite(table).all():
        return "A gradient was infinite or not a number: lower the learning rate, or clip gradients."
    late = table[:, table.shape[1] // 2 :].mean(axis=1)
    dead = [name for name, value in zip(names, late, strict=True) if value == 0]
    if dead:
        return f"No gradient reaches {', '.join(dead[:3])}{' and others' * (len(dead) > 3)}: these layers do not learn."
    ratio = float(late[0] / late[-1])
    if ratio < _VANISHED:
        return (
            f"The gradient vanishes: the first layer receives {1 / ratio:,.0f} times less than the last one. Batch "
            "normalization, residual connections or ReLU help."
        )
    if ratio > _EXPLODED:
        return (
            f"The gradient explodes: the first layer receives {ratio:,.0f} times more than the last one. Lower the "
            "learning rate, clip gradients, or normalize."
        )
    growth = float(np.median(table[:, -1] / np.maximum(table[:, 0], 1e-30)))
    if table.shape[1] > 2 and growth > 10:
        return (
            f"Gradients grew {growth:,.0f}-fold during the training, which may be about to diverge: lower the learning "
            "rate."
        )
    spread = float(late.max() / late.min())
    return (
        f"Gradients reach all {len(names)} layers: the largest and the smallest norm differ {spread:,.0f}-fold, which "
        "is healthy."
    )
