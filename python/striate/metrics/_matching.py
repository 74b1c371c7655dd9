"""Which detections find an object, by COCO's rule, for all images, classes, thresholds and sizes at once.

The rule (Lin et al., "Microsoft COCO", ECCV 2014; cocodataset.org): in each image and class, detections take their turn
from the best score on. Each takes the object that it overlaps most, among those not yet taken, if by the threshold or
more. Objects that do not count are taken only where no counting one can be; a crowd is never used up.

Here the r-th detections of all images and classes take their turn together; only pairs that reach the lowest threshold
are ever looked at.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from striate.detection.boxes import area

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_PAIRS_AT_ONCE = 1 << 18


class Objects(NamedTuple):
    """All that is to be found; G of them, sorted by group: image and class."""

    boxes: Floats  # (G, 4)
    group: Ints  # (G,)
    crowd: Bools  # (G,)


class Found(NamedTuple):
    """All detections; D of them, sorted by group, the best first."""

    boxes: Floats  # (D, 4)
    group: Ints  # (D,)


class Pairs(NamedTuple):
    """Detections and objects that overlap enough; P of them, sorted by detection."""

    detection: Ints
    object: Ints
    iou: Floats


def find_pairs(found: Found, objects: Objects, least: float) -> Pairs:
    """The pairs of one group that overlap by `least` or more."""
    first = np.searchsorted(objects.group, found.group, "left")
    counts = np.searchsorted(objects.group, found.group, "right") - first
    d_area, o_area = area(found.boxes), area(objects.boxes)
    ends = np.cumsum(counts)
    parts: list[Pairs] = []
    start = 0
    while start < len(counts):
        done = int(ends[start - 1]) if start else 0
        stop = max(int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, "right")), start + 1)
        some = counts[start:stop]
        d = np.repeat(np.arange(start, stop), some)
        o = np.arange(len(d)) - np.repeat(np.cumsum(some) - some - first[start:stop], some)
        a, b = found.boxes[d], objects.boxes[o]
        shared = np.maximum(np.minimum(a[:, 2:], b[:, 2:]) - np.maximum(a[:, :2], b[:, :2]), 0.0)
        intersection = shared[:, 0] * shared[:, 1]
        near = np.flatnonzero(intersection > 0)
        d, o, intersection = d[near], o[near], intersection[near]
        whole = np.where(objects.crowd[o], d_area[d], d_area[d] + o_area[o] - intersection)
        iou = intersection / whole
        good = iou >= least
        parts.append(Pairs(d[good], o[good], iou[good]))
        start = stop
    if not parts:
        return Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    return Pairs(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))


def match(
    pairs: Pairs, rank: Ints, crowd: Bools, ignored: Bools, thresholds: Floats, detections: int
) -> tuple[Bools, Bools]:
    """Let detections take objects.

    Args:
        pairs: of `find_pairs`.
        rank: (D,) the place of each detection in its group, from 0.
        crowd: (G,) objects that are never used up.
        ignored: (G,) objects that do not count; crowds among them.
        thresholds: (T,) overlaps that are enough.
        detections: D.

    Returns:
        Two arrays (D, T): whether the detection took an object, and whether that one does not count.
    """
    count = len(thresholds)
    taken: Bools = np.zeros((len(crowd), count), np.bool_)
    hit: Bools = np.zeros((detections, count), np.bool_)
    void: Bools = np.zeros((detections, count), np.bool_)
    if not len(pairs.iou):
        return hit, void
    # What a detection likes best comes first: what counts, the larger overlap, and of equal ones the later object.
    liking = np.lexsort((-pairs.object, -pairs.iou, ignored[pairs.object], pairs.detection))
    d, o, iou = pairs.detection[liking], pairs.object[liking], pairs.iou[liking]
    begins = np.flatnonzero(np.r_[True, d[1:] != d[:-1]])
    choice = np.arange(len(d)) - np.repeat(begins, np.diff(np.r_[begins, len(d)]))
    # Turns: by the rank of the detection, then by its choices. In one turn no object is asked for twice, since the
    # detections of one rank are of different groups.
    turn = np.lexsort((choice, rank[d]))
    d, o, iou, choice = d[turn], o[turn], iou[turn], choice[turn]
    key = rank[d] * (int(choice.max()) + 1) + choice
    cuts = np.r_[0, np.flatnonzero(key[1:] != key[:-1]) + 1, len(key)].tolist()
    enough = iou[:, None] >= thresholds
    for start, stop in pairwise(cuts):
        rows, objects = d[start:stop], o[start:stop]
        takes = enough[start:stop] & ~hit[rows] & (~taken[objects] | crowd[objects, None])
        hit[rows] |= takes
        taken[objects] |= takes
        void[rows] |= takes & ignored[objects, None]
    return hit, void
