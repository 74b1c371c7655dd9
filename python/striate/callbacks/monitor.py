"""Watching one value of the logs: whether it is there, and whether it became better."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Mapping
from typing import Any

from striate.callbacks.base import Logs

# Words in the names of values that are better the higher they are.
HIGHER_IS_BETTER = frozenset(
    (
        *("acc", "accuracy", "auc", "precision", "recall", "sensitivity", "specificity", "f", "iou", "dice", "score"),
        *("map", "ap", "jaccard", "kappa", "mcc", "psnr", "r", "ssim"),
    )
)
LOWER_IS_BETTER = frozenset(
    ("loss", "error", "mse", "mae", "rmse", "mape", "crossentropy", "entropy", "nll", "perplexity", "distance")
)


def a_number(owner: str, what: str, value: float) -> float:
    """A finite number, or an error: nothing is better or worse than NaN."""
    if not math.isfinite(value):
        raise ValueError(f"{owner}: {what} must be a finite number, got {value}")
    return float(value)


def epochs(owner: str, what: str, value: int) -> int:
    """A number of epochs, at least 0."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise TypeError(f"{owner}: {what} must be a whole number, got {value!r}")
    if value < 0:
        raise ValueError(f"{owner}: {what} must be at least 0, got {value}")
    return int(value)


class Monitor:
    """One value of the logs, and which way it gets better.

    Args:
        owner: the callback's name, for messages.
        name: the value's name, such as "val_loss".
        mode: "min", "max", or "auto": by the words of the name, such as "accuracy" or "dice"; "loss" and "error" win.
        min_delta: a change smaller than this (in size) is not an improvement.

    Raises:
        ValueError: the mode is unknown, or "auto" and no word of the name tells it.
    """

    def __init__(self, owner: str, name: str, mode: str = "auto", min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"{owner}: mode must be 'auto', 'min' or 'max', got {mode!r}")
        if not isinstance(name, str):
            raise TypeError(f"{owner}: monitor must be the name of a value in the logs, got {type(name).__name__}")
        self.owner, self.name, self.min_delta = owner, name, abs(a_number(owner, "min_delta", min_delta))
        if mode == "auto":
            words = set(re.findall("[a-z]+", name.lower()))
            if not words & (HIGHER_IS_BETTER | LOWER_IS_BETTER):
                raise ValueError(
                    f"{owner}: the name {name!r} does not tell whether a higher or a lower value is better; pass "
                    "mode='max' or mode='min'"
                )
            mode = "min" if words & LOWER_IS_BETTER else "max"
        self.mode = mode
        self._warned = False

    @property
    def worst(self) -> float:
        """A value that every other one improves on."""
        return math.inf if self.mode == "min" else -math.inf

    def value(self, logs: Logs | None, params: Mapping[str, Any] | None = None) -> float | None:
        """The value in the logs, or None, with one warning, if it is not there.

        Args:
            logs: of an epoch or a batch.
            params: of the training: with "validates", epochs without any value of a validation are not warned of.
        """
        found = (logs or {}).get(self.name)
        if found is None:
            due = any(name.startswith("val_") for name in logs or {}) or not (params or {}).get("validates")
            if not self._warned and (due or not self.name.startswith("val_")):
                known = ", ".join(logs or {}) or "nothing"
                fix = "; pass validation data to fit" if self.name.startswith("val_") else ""
                warnings.warn(f"{self.owner} watches {self.name!r}, but the logs hold {known}{fix}", stacklevel=2)
                self._warned = True
            return None
        try:
            return float(found)
        except TypeError:
            raise ValueError(
                f"{self.owner} watches {self.name!r}, which is an array and not one number; "
                f"give its metric an average, or a class_id"
            ) from None

    def improves(self, value: float, reference: float) -> bool:
        """Whether `value` is better than `reference` by more than `min_delta`; NaN never is."""
        if self.mode == "min":
            return value < reference - self.min_delta
        return value > reference + self.min_delta
