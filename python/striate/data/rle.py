"""The box around a mask or polygon of COCO's `segmentation`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from striate.data._numbers import number

_MAX_PIXELS = 2**40
Box = tuple[float, float, float, float]


def box_of(segmentation: Any) -> Box | None:
    """x1, y1, x2, y2 around polygons, [[x, y, ...], ...] or [x, y, ...], or around a run-length mask, {"size": [height,
    width], "counts": ...}; None where it is empty.

    Raises:
        ValueError: the argument has none of these forms.
    """
    if not segmentation:
        return None
    if isinstance(segmentation, dict):
        return _box_of_runs(segmentation)
    if not isinstance(segmentation, list):
        raise ValueError(f"segmentation must be a list of polygons or a mask, got {type(segmentation).__name__}")
    polygons = segmentation if isinstance(segmentation[0], list) else [segmentation]
    points: list[float] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) % 2:
            raise ValueError("a polygon of segmentation must be a list x, y, x, y, ...")
        points += [number(value, "a polygon's coordinate") for value in polygon]
    return (min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])) if points else None


def _box_of_runs(mask: dict[str, Any]) -> Box | None:
    size, counts = mask.get("size"), mask.get("counts")
    if not isinstance(size, list) or len(size) != 2:
        raise ValueError(f"size of a mask in segmentation must be [height, width], got {size!r:.80}")
    height, width = (int(number(value, "size of a mask in segmentation")) for value in size)
    if height < 1 or width < 1 or height * width > _MAX_PIXELS:
        raise ValueError(f"size of a mask in segmentation must be [height, width], got {size!r:.80}")
    if isinstance(counts, str):
        runs: Sequence[int] = _unpacked(counts)
    elif isinstance(counts, list):
        runs = [int(number(value, "a run of a mask in segmentation")) for value in counts]
    else:
        raise ValueError("counts of a mask in segmentation must be a list or a string")
    if any(run < 0 for run in runs) or sum(runs) != height * width:
        raise ValueError(f"the runs of a mask in segmentation must add up to its {height} x {width} pixels")
    # Runs go down the columns, pixels outside and inside the mask by turns.
    ends = list(accumulate(runs))
    spans = [(start, end - 1) for start, end in zip(ends[0::2], ends[1::2], strict=False) if end > start]
    if not spans:
        return None
    left, right = min(first // height for first, _ in spans), max(last // height for _, last in spans)
    tops = [first % height if first // height == last // height else 0 for first, last in spans]
    bottoms = [last % height if first // height == last // height else height - 1 for first, last in spans]
    return float(left), float(min(tops)), float(right + 1), float(max(bottoms) + 1)


def _unpacked(text: str) -> list[int]:
    """Runs from COCO's compressed text: groups of 5 bits from the lowest on, each a character from '0' on, whose sixth
    bit is set where another group follows; from the fourth run on, differences from the run before the last.
    """
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 50:
            raise ValueError("counts of a mask in segmentation is not compressed text")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        runs.append(value + (runs[-2] if len(runs) > 2 else 0))
        value = shift = 0
    if shift:
        raise ValueError("counts of a mask in segmentation is cut off")
    return runs
