"""Owns how fast a model has been: photos a second, by the times of its records."""

from __future__ import annotations

from collections import Counter
from itertools import compress, pairwise
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_PAUSE = 10
"""A gap this many times longer than usual is a pause: the run had stopped, or its server made it wait."""
_GAPS, _PHOTOS = 5, 20
"""Fewer say too little."""


def pace(stamps: Iterable[int]) -> float | None:
    """Return how many photos a second were captioned, pauses left out; None if there are too few to say.

    `stamps` are the times of the records in whole seconds, in any order. Records of one second were made side by side, in
    a batch or by many workers: together they took the time since the last second before them that has records.
    """
    counts = Counter(stamps)
    seconds = sorted(counts)
    gaps = [later - earlier for earlier, later in pairwise(seconds)]
    photos = [counts[second] for second in seconds[1:]]  # those of the first second began at an unknown time
    if len(gaps) < _GAPS:
        return None
    longest = _PAUSE * median(gaps)
    worked = [gap <= longest for gap in gaps]
    total = sum(compress(photos, worked))
    if sum(worked) < _GAPS or total < _PHOTOS:
        return None
    return total / sum(compress(gaps, worked))
