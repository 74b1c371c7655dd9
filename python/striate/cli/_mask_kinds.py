"""Whether the values of masks are classes, or the numbers of objects."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate.data.listing import find_images, stem_of
from striate.data.mask import read_mask
from striate.data.picture import is_lossy

_LOOKED_AT = 24
_WHOLE = 0.9  # share of the values of a mask that are one region each, if they number objects
_FEW, _MANY = 3, 20  # different values: fewer are classes; from so many on they are numbers if none comes again
# Share of the variance of areas that values explain: below the first, values are numbers; above the second, classes.
_ALIKE, _DIFFERENT = 0.25, 0.5


class Regions(NamedTuple):
    """Of one mask, without the background.

    Attributes:
        values: those that occur.
        areas: pixels of each.
        parts: connected regions of each.
    """

    values: NDArray[np.int64]
    areas: NDArray[np.int64]
    parts: NDArray[np.int64]


def numbers_objects(folder: Path, suffix: str = "") -> bool | None:
    """Whether the masks of a folder number objects: True, False, or None where both are possible.

    If they do, nearly every value of a mask is one connected region, and its area does not depend on the value. Masks
    in colour, of one value, or that cannot be read are not judged: False. `suffix` is what follows in a mask's name
    after its picture's.
    """
    files = [path for path in find_images(folder, False).files if stem_of(path, folder).endswith(suffix)]
    places = np.linspace(0, len(files) - 1, min(len(files), _LOOKED_AT)).round().astype(int).tolist()
    found: list[Regions] = []
    for place in places:
        try:
            if is_lossy(Path(files[place])):
                return False
            raw = read_mask(Path(files[place]), 0, False)
        except (OSError, ValueError):
            continue
        found.append(regions(raw.values))
    return judge(found)


def judge(masks: Sequence[Regions]) -> bool | None:
    """See `numbers_objects`."""
    seen = [mask for mask in masks if len(mask.values)]
    if not seen:
        return False
    values = np.concatenate([mask.values for mask in seen])
    kinds = len(np.unique(values))
    if kinds < _FEW:
        return False
    if np.mean(np.concatenate([mask.parts for mask in seen]) == 1) < _WHOLE:
        return False
    areas = np.log(np.concatenate([mask.areas for mask in seen]).astype(np.float64))
    explained = _explained(values, areas)
    if explained is None:
        return True if kinds >= _MANY else None
    return None if _ALIKE <= explained <= _DIFFERENT else explained < _ALIKE


def _explained(values: NDArray[np.int64], areas: NDArray[np.float64]) -> float | None:
    """Share of the variance of the areas that the values explain, less what chance explains; None if it cannot be told
    because few values occur twice."""
    kinds, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    often = counts[place] > 1
    if often.sum() < max(8, len(kinds)):
        return None
    means = np.bincount(place, areas) / counts
    within = float(((areas - means[place])[often] ** 2).sum()) / max(int(often.sum()) - int((counts > 1).sum()), 1)
    total = float(areas.var(ddof=1))
    return 1.0 - within / total if total > 0 else None


def regions(mask: NDArray[Any]) -> Regions:
    """The values other than 0 of a mask (H, W), their areas and the number of their connected regions (8 adjacent
    pixels). Regions of rows are joined to those of the row above."""
    height, width = mask.shape
    change = np.ones((height, width), bool)
    change[:, 1:] = mask[:, 1:] != mask[:, :-1]
    rows, starts = np.nonzero(change)
    ends = np.append(starts[1:], width)
    ends[np.append(rows[1:] != rows[:-1], True)] = width
    values = mask[rows, starts]
    kept = values != 0
    rows, starts, ends, values = rows[kept], starts[kept], ends[kept], values[kept].astype(np.int64)
    parent = list(range(len(rows)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = parent[parent[run]]
            run = parent[run]
        return run

    first = np.searchsorted(rows, np.arange(height + 1))
    for row in range(1, height):
        above, end_above = int(first[row - 1]), int(first[row])
        for run in range(int(first[row]), int(first[row + 1])):
            while above < end_above and ends[above] < starts[run]:
                above += 1
            other = above
            while other < end_above and starts[other] <= ends[run]:
                if values[other] == values[run] and ends[other] >= starts[run]:
                    parent[root(run)] = root(other)
                other += 1
    roots = np.array([run for run in range(len(rows)) if root(run) == run], np.int64)
    kinds, place = np.unique(values, return_inverse=True)
    areas = np.bincount(place, ends - starts, minlength=len(kinds)).astype(np.int64)
    parts = np.bincount(place[roots], minlength=len(kinds)) if len(roots) else np.zeros(len(kinds))
    return Regions(kinds, areas, parts.astype(np.int64))
