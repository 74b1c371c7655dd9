"""Writing models to files, and reading weights from them."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from typing import Any

from striate import _core
from striate._described import plain
from striate._files import PathLike, check_content, check_ending, check_free, encoded, text
from striate.network import Network

CLASS, NAME, TRAINING, CALLBACKS = "striate.class", "striate.name", "striate.training", "striate.callbacks"
OUTPUTS = "striate.outputs"
SCHEDULE, SHARDS, ARCHITECTURE = "striate.schedule", "striate.shards", "striate"
"""The keys of the metadata that are not the core's."""
_SHOWN = 10  # names in a warning


def save_model(
    model: Network, path: PathLike, overwrite: bool = True, training: Mapping[str, Any] | None = None
) -> None:
    """Write a model to a file; see `Model.save`. `training` is what it was compiled with."""
    check_ending(path, "save")
    place = check_free(path, overwrite)
    extra = {CLASS: model.kind, NAME: model.name}
    network = model._network
    if model._named_outputs:
        extra[OUTPUTS] = "dict"
    if training is not None:
        extra[TRAINING] = json.dumps(training, default=plain)
    _core.save_model(network, place, extra, overwrite)


def save_weights(model: Network, path: PathLike, overwrite: bool = True) -> None:
    """Write a model's weights to a file; see `Model.save_weights`."""
    check_ending(path, "save_weights")
    _core.save_weights(model._network, encoded(path), overwrite)


def load_weights(model: Network, path: PathLike, skip_mismatch: bool = False, by_name: bool = False) -> None:
    """Read a model's weights from a file; see `Model.load_weights`."""
    try:
        skipped = _core.load_weights(model._network, encoded(path), bool(skip_mismatch), bool(by_name))
    except ValueError:
        check_content(encoded(path))
        raise
    if not skipped:
        return
    listed = "; ".join(f"{name!r}: {reason}" for name, reason in skipped[:_SHOWN])
    more = f"; and {len(skipped) - _SHOWN} more" if len(skipped) > _SHOWN else ""
    warnings.warn(
        f"load_weights: these layers do not fit '{text(path)}' and are left as they were: {listed}{more}", stacklevel=3
    )


def metadata_of(place: bytes) -> dict[str, str]:
    """The metadata of a safetensors file; empty if the file is not one."""
    with open(place, "rb") as file:
        head = file.read(8)
        size = int.from_bytes(head, "little")
        if len(head) < 8 or size > os.fstat(file.fileno()).st_size:
            return {}
        try:
            found = json.loads(file.read(size))["__metadata__"]
            return {str(key): str(value) for key, value in found.items()}
        except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
            return {}
