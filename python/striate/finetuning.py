"""Fine-tuning: a trained network with a new head, on new data."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from striate import layers, losses, metrics, optimizers
from striate._backbones import body_of, maps_of, of_stride, set_prior
from striate.layers import Symbol
from striate.model import Model
from striate.network import Network

__all__ = ["finetune"]

TASKS = ("classify", "segment", "detect")


def finetune(
    source: Network | str | os.PathLike[str],
    x: Any,
    y: Any = None,
    *,
    classes: int | None = None,
    task: str = "classify",
    epochs: tuple[int, int] = (5, 5),
    learning_rate: float = 1e-3,
    thaw: float = 0.3,
    dropout: float = 0.2,
    strides: Sequence[int] = (8, 16),
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    batch_size: int | None = 32,
    validation_data: Any = None,
    callbacks: Any = None,
    verbose: str | int = 1,
    seed: int | None = None,
) -> Model:
    """Fit a trained classifier to new data: a new head first, then the top of the network.

    1. The last layer with weights and what follows it are replaced by a head for the task. A source that ends in a
       merge of several maps has no head; it is kept whole.
    2. The head is trained; all other layers are frozen. Batch normalisation uses its moving averages.
    3. The top of the network is thawed and trained with the head, with a tenth of the learning rate. Batch
       normalisation stays frozen (Howard and Ruder, "Universal Language Model Fine-tuning", ACL 2018, thaw in the same
       order).

    The source is not changed. The inputs must be scaled as the source expects them.

    Args:
        source: a trained model, or a file of one: `.onnx`, or what `Model.save` wrote.
        x: inputs, as `fit` takes them, such as (N, H, W, C) or a data set of batches.
        y: labels (N,); masks (N, H, W) to segment; a list of (boxes, labels) to detect; None where `x` yields them.
        classes: number of classes; None counts the labels of `y`.
        task: "classify": a dense layer on the mean of the last map; "segment": a decoder that joins the maps of each
            size from the last one up; "detect": the head of `models.detector` at `strides`.
        epochs: epochs of steps 2 and 3; 0 leaves one out.
        learning_rate: Adam's, of step 2.
        thaw: share of the source's layers with weights that are trained in step 3, counted from its end.
        dropout: share that is dropped before the head of a classifier.
        strides: of a detector's maps; the source must have maps of these sizes.
        input_shapes: of inputs whose sizes an ONNX file leaves open.
        batch_size: as for `fit`.
        validation_data: as for `fit`.
        callbacks: as for `fit`, in both steps.
        verbose: as for `fit`; 0 prints nothing.
        seed: seed of the head's weights and of dropout.

    Returns:
        The model, which ends in logits (for "detect", in what `detection.decode` reads); it is compiled.

    Raises:
        ValueError: the source has several inputs or outputs, or no layer with weights; an argument does not fit.
        FileNotFoundError: the file does not exist.
    """
    if task not in TASKS:
        raise ValueError(f"finetune: task must be one of {', '.join(TASKS)}, got {task!r}")
    if len(epochs) != 2 or min(epochs) < 0 or sum(epochs) < 1:
        raise ValueError(f"finetune: epochs must be two numbers of at least 0, one of them positive, got {epochs!r}")
    if not 0 < thaw <= 1:
        raise ValueError(f"finetune: thaw must be above 0 and at most 1, got {thaw!r}")
    base = _loaded(source, input_shapes)
    count = _classes(classes, y, task)
    model, trained = with_head(base, count, task, dropout, strides, seed)
    given: dict[str, Any] = {
        "batch_size": batch_size,
        "validation_data": validation_data,
        "callbacks": callbacks,
        "verbose": verbose,
    }
    cross_entropy = losses.SparseCategoricalCrossentropy(from_logits=True)
    loss: Any = losses.DetectionLoss(strides=strides) if task == "detect" else cross_entropy
    named: list[Any] = ["accuracy"] if task == "classify" else []
    if task == "segment":
        named = [metrics.MeanIoU(num_classes=count)]
    if epochs[0]:
        _tell(verbose, "1: the head", model, f"{len(trained)} layers of the source are frozen")
        model.compile(optimizers.Adam(learning_rate), loss=loss, metrics=named)
        model.fit(x, y, epochs=epochs[0], **given)
    if epochs[1]:
        top = thawed(trained, thaw)
        _tell(verbose, "2: the head and the top", model, f"from [{top[0].name}] on, batch normalisation is frozen")
        model.compile(optimizers.Adam(learning_rate / 10), loss=loss, metrics=named)
        model.fit(x, y, epochs=epochs[1], **given)
    return model


def with_head(
    base: Model,
    classes: int,
    task: str,
    dropout: float = 0.2,
    strides: Sequence[int] = (8, 16),
    seed: int | None = None,
    scaling: layers.Layer | None = None,
) -> tuple[Model, list[layers.Layer]]:
    """A network with a new head in the place of its last layer with weights, and its frozen layers with weights.

    Args:
        base: a network with one input and one output; its layers become part of the result.
        classes, task, dropout, strides, seed: as for `finetune`.
        scaling: a layer before the network, such as one that scales bytes.

    Raises:
        ValueError: the network has no layer with weights, or no map that the task needs.
    """
    body = body_of(base, "finetune")
    start = layers.Input(base.input_shape[1:])
    scaled = start if scaling is None else scaling(start)
    name = _free_name(base)
    if task == "classify":
        backbone = Model(base.inputs, body)
        end = _classifier(backbone(scaled, training=False), classes, dropout, name)
    else:
        maps = maps_of(body, "finetune")
        wanted = (
            maps if task == "segment" else [of_stride(maps, base.input_shape, stride, "finetune") for stride in strides]
        )
        backbone = Model(base.inputs, wanted)
        found = backbone(scaled, training=False)
        ends = found if isinstance(found, list) else [found]
        end = _decoder(ends, classes, base.input_shape, name) if task == "segment" else _boxes(ends, classes, name)
    model = Model(start, end, seed=seed, name=f"{base.name}_finetuned")
    if task == "detect":
        set_prior(model, f"{name}_")
    trained = [layer for layer in backbone.layers if layer.weights]
    for layer in trained:
        layer.trainable = False
    return model, trained


def thawed(trained: Sequence[layers.Layer], share: float) -> list[layers.Layer]:
    """Make the last layers trainable, but for batch normalisation; returns them, at least one."""
    top = list(trained[len(trained) - max(round(share * len(trained)), 1) :])
    for layer in top:
        layer.trainable = not isinstance(layer, layers.BatchNormalization)
    return top


def _loaded(source: Any, input_shapes: Mapping[str, Sequence[int]] | None) -> Model:
    if isinstance(source, Network):
        model: Any = copy.deepcopy(source)
    elif os.fsdecode(source).lower().endswith(".onnx"):
        from striate.onnx import load

        model = load(source, input_shapes)
    else:
        from striate.io import load_model

        model = load_model(source)
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise ValueError(
            f"finetune: the source must have one input and one output, got {len(model.inputs)} and "
            f"{len(model.outputs)}; build striate.Model(inputs, output) of the part that counts"
        )
    return model  # type: ignore[no-any-return]


def _classes(given: int | None, y: Any, task: str) -> int:
    if given is not None:
        return int(given)
    if y is None or task == "detect":
        raise ValueError(f"finetune: give classes=, the number of classes{' of boxes' if task == 'detect' else ''}")
    labels = np.asarray(y)
    if labels.dtype.kind not in "iu":
        raise ValueError(f"finetune: labels must be whole numbers from 0 on, got {labels.dtype}")
    return int(labels.max()) + 1


def _free_name(model: Model) -> str:
    """What the head's names begin with: "head", or with a number where the source has such layers."""
    number, name = 1, "head"
    while any(layer.name == name or layer.name.startswith(f"{name}_") for layer in model.layers):
        number += 1
        name = f"head{number}"
    return name


def _classifier(x: Symbol, classes: int, dropout: float, name: str) -> Symbol:
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D(name=f"{name}_average")(x)
    elif len(x.shape) == 3:
        x = layers.Flatten(name=f"{name}_flatten")(x)
    if dropout:
        x = layers.Dropout(dropout, name=f"{name}_dropout")(x)
    return layers.Dense(classes, name=name)(x)


def _block(x: Symbol, filters: int, name: str) -> Symbol:
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, kernel_initializer="he_normal", name=f"{name}_conv")(
        x
    )
    return layers.ReLU(name=f"{name}_relu")(layers.BatchNormalization(momentum=0.9, name=f"{name}_bn")(x))


def _decoder(maps: Sequence[Symbol], classes: int, shape: Sequence[int | None], name: str) -> Symbol:
    """The maps from the smallest to the largest, each joined with the result so far, in at most 128 filters."""
    x = maps[-1]
    for number, skip in enumerate(reversed(maps[:-1])):
        height, width = (int(size or 1) for size in skip.shape[1:3])
        x = layers.Resizing(height, width, name=f"{name}_up{number}")(x)
        x = layers.Concatenate(name=f"{name}_join{number}")([x, skip])
        x = _block(x, max(128 >> number, 16), f"{name}_{number}")
    height, width = (int(size or 1) for size in shape[1:3])
    if x.shape[1:3] != (height, width):
        x = layers.Resizing(height, width, name=f"{name}_up")(x)
    return layers.Conv2D(classes, 1, name=name)(x)


def _boxes(maps: Sequence[Symbol], classes: int, name: str) -> Symbol:
    """For each place x, y, width, height, objectness and classes, the maps one below the other."""
    width = int(maps[0].shape[2] or 1)
    parts = []
    for number, x in enumerate(maps):
        x = _block(x, 64, f"{name}_{number}")
        x = layers.Conv2D(5 + classes, 1, name=f"{name}_{number}_boxes")(x)
        places = int(x.shape[1] or 1) * int(x.shape[2] or 1)
        if places % width:
            raise ValueError(
                f"finetune: a map of {x.shape[1:3]} has no whole rows of {width}; use other strides or sizes"
            )
        parts.append(layers.Reshape((places // width, width, 5 + classes), name=f"{name}_{number}_rows")(x))
    return layers.Concatenate(axis=1, name=name)(parts) if len(parts) > 1 else parts[0]


def _tell(verbose: str | int, step: str, model: Model, what: str) -> None:
    if verbose in (0, "0"):
        return
    own = sum(weight.numpy().size for layer in model.layers for weight in layer.weights if weight.trainable)
    print(f"step {step}: {own:,} of {model.count_params():,} weights are trained; {what}")
