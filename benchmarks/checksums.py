"""Checksums of all that the library computes, to compare two commits bit for bit.

    python benchmarks/checksums.py > before.json     # STRIATE_ISA chooses the instruction set
    python benchmarks/checksums.py --compare before.json

For every layer of `tests/layer_cases.py`: outputs and gradients. For every loss and optimizer and for the networks of
`networks.py`: predictions, losses, and the weights after 20 steps.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

import striate as st
from isa_outputs import outputs
from networks import NETWORKS, build_striate, striate_loss
from striate import layers, losses, optimizers
from worker import data

STEPS = 20


def checksum(array: Any) -> str:
    array = np.ascontiguousarray(array)
    return hashlib.sha256(f"{array.dtype}{array.shape}".encode() + array.tobytes()).hexdigest()[:16]


def layer_outputs() -> Iterator[tuple[str, Any]]:
    for key, array in outputs().items():
        yield f"layer/{key}", array


def trained(key: str, model: st.Model, x: Any, y: Any, **weights: Any) -> Iterator[tuple[str, Any]]:
    for step in range(STEPS):
        yield f"{key}/loss {step}", np.float64(model.train_on_batch(x, y, **weights))
    for i, weight in enumerate(model.get_weights()):
        yield f"{key}/weight {i}", weight
    predicted = model.predict(x, verbose=0)
    for i, output in enumerate(predicted if isinstance(predicted, list) else [predicted]):
        yield f"{key}/predicted {i}", output


def small(outputs_: int = 5, maps: bool = False) -> st.Sequential:
    head = [layers.Conv2D(outputs_, 1)] if maps else [layers.Flatten(), layers.Dense(outputs_)]
    body = [layers.Input((9, 7, 3)), layers.Conv2D(10, 3, padding="same"), layers.BatchNormalization(), layers.ReLU()]
    return st.Sequential([*body, layers.Dropout(0.2), *head], seed=3)


def loss_results() -> Iterator[tuple[str, Any]]:
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 9, 7, 3), dtype=np.float32)
    weights = rng.uniform(0.5, 2, 6).astype(np.float32)
    for maps in (False, True):
        shape = (6, 9, 7, 5) if maps else (6, 5)
        numbers = rng.standard_normal(shape).astype(np.float32)
        labels = rng.integers(0, 5, shape[:-1])
        ones = np.eye(5, dtype=np.float32)[labels]
        rows: dict[str, tuple[Any, Any]] = {
            "mse": (losses.MeanSquaredError(), numbers),
            "mae": (losses.MeanAbsoluteError(), numbers),
            "huber": (losses.Huber(), numbers),
            "bce": (losses.BinaryCrossentropy(from_logits=True), ones),
            "bfce": (losses.BinaryFocalCrossentropy(from_logits=True), ones),
            "cce": (losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1), ones),
            "cfce": (losses.CategoricalFocalCrossentropy(from_logits=True, alpha=[0.1, 0.2, 0.3, 0.4, 0.5]), ones),
            "scce": (losses.SparseCategoricalCrossentropy(from_logits=True), labels),
            "scce ignored": (losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=2), labels),
        }
        if maps:
            rows["dice"] = (losses.Dice(from_logits=True), ones)
            rows["dice of labels"] = (losses.Dice(from_logits=True, axis=(1, 2)), labels)
            rows["tversky"] = (losses.Tversky(from_logits=True, axis=(0, 1, 2)), ones)
        for name, (loss, y) in rows.items():
            model = small(maps=maps)
            model.compile(optimizer=optimizers.Adam(0.01), loss=loss)
            yield from trained(f"loss/{name}/{'maps' if maps else 'rows'}", model, x, y, sample_weight=weights)


def optimizer_results() -> Iterator[tuple[str, Any]]:
    rng = np.random.default_rng(2)
    x = rng.standard_normal((6, 9, 7, 3), dtype=np.float32)
    y = rng.integers(0, 5, 6)
    rows = {
        "sgd": optimizers.SGD(0.01),
        "nesterov": optimizers.SGD(0.01, momentum=0.9, nesterov=True, weight_decay=0.01),
        "adam": optimizers.Adam(0.01, clipnorm=0.5),
        "amsgrad": optimizers.Adam(0.01, amsgrad=True, global_clipnorm=1.0),
        "adamw": optimizers.AdamW(0.01, weight_decay=0.1, clipvalue=0.1),
        "rmsprop": optimizers.RMSprop(0.01, momentum=0.5, centered=True),
        "adagrad": optimizers.Adagrad(0.01),
        "adadelta": optimizers.Adadelta(1.0),
        "lion": optimizers.Lion(0.001),
    }
    for name, optimizer in rows.items():
        model = small()
        model.compile(optimizer=optimizer, loss=losses.SparseCategoricalCrossentropy(from_logits=True))
        yield from trained(f"optimizer/{name}", model, x, y)


def network_results() -> Iterator[tuple[str, Any]]:
    for network in NETWORKS.values():
        model = build_striate(network)
        model.compile(optimizer=optimizers.SGD(0.001, momentum=0.9), loss=striate_loss(network))
        x, y = data(network, 1)
        yield f"network/{network.name}/predicted before", model.predict(x, verbose=0)
        yield from trained(f"network/{network.name}", model, x, y)
        y = model.forward(x, training=True)
        model.backward(np.full(y.shape, 0.01, np.float32))
        for name, gradient in model.gradients().items():
            yield f"network/{network.name}/gradient {name}", gradient


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compare", type=Path, help="a file that an earlier run printed")
    before = parser.parse_args().compare
    found = {"isa": st.isa()}
    for results in (layer_outputs, loss_results, optimizer_results, network_results):
        found.update((key, checksum(array)) for key, array in results())
    if not before:
        json.dump(found, sys.stdout, indent=0)
        return
    expected = json.loads(before.read_text())
    different = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    print(f"{len(found) - len(different)} of {len(found)} checksums are equal")
    sys.exit("\n".join(["different:", *different[:40]]) if different else 0)


if __name__ == "__main__":
    main()
