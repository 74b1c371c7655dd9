"""The F1 score: the harmonic mean of precision and recall."""

from __future__ import annotations

from striate._arrays import DoubleArray
from striate.metrics._class_ratio import ClassRatio
from striate.metrics._counts import Counts


class F1Score(ClassRatio):
    """2 TP / (2 TP + FP + FN): the harmonic mean of precision and recall (van Rijsbergen 1979).

    Averages over classes are means of the classes' F1, not the F1 of mean precision and recall. Shapes are those of
    `ClassRatio`.
    """

    default_name = "f1_score"

    def __init__(
        self,
        average: str | None = "auto",
        threshold: float | None = None,
        name: str | None = None,
        *,
        class_id: int | None = None,
        num_classes: int | None = None,
        ignore_class: int | None = None,
        from_logits: bool | None = None,
    ) -> None:
        """Set up the metric; `threshold` is one threshold, the rest is as in `ClassRatio`."""
        super().__init__(
            threshold,
            class_id=class_id,
            name=name,
            average=average,
            num_classes=num_classes,
            ignore_class=ignore_class,
            from_logits=from_logits,
        )

    @staticmethod
    def _ratio(counts: Counts) -> tuple[DoubleArray, DoubleArray]:
        return 2.0 * counts.tp, 2.0 * counts.tp + counts.fp + counts.fn
