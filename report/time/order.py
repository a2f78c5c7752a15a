"""Owns the order of photos in time: seconds in UTC whatever the cameras knew of zones, and distances on earth."""

from __future__ import annotations

import math
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from library.dates import Precision
    from library.moments import Moment

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of wall clocks
DAY = 24 * 3600.0
DAYBREAK = 5 * 3600.0
_EARTH = 6371.0


def in_order(moments: Sequence[Moment], precisions: tuple[Precision, ...]) -> tuple[Ints, Floats, Floats]:
    """Return the files with a date known as well as that, in the order of time: their places, seconds in UTC, points on earth.

    The points are latitude and longitude in degrees, (n, 2), NaN where there are none. Files of the same second are in
    the order of their points, then of their places.
    """
    dated = [place for place, moment in enumerate(moments) if moment.date and moment.precision in precisions]
    walls = np.array([seconds_of(moments[place]) for place in dated], np.float64)
    offsets = np.array([_offset(moments[place]) for place in dated], np.float64)
    nowhere = (math.nan, math.nan)
    points = np.array([moments[place].place or nowhere for place in dated], np.float64).reshape(-1, 2)
    by_wall = np.lexsort((offsets, walls))
    utc = np.empty_like(walls)
    utc[by_wall] = walls[by_wall] - _filled(walls[by_wall], offsets[by_wall])
    order = np.lexsort((points[:, 1], points[:, 0], walls, utc))
    return np.array(dated, np.int64)[order], utc[order], points[order]


def clock_of(moment: Moment) -> datetime:
    assert moment.at is not None  # noqa: S101 - for the type checker: only of files with a date
    return moment.at.replace(tzinfo=None)


def day_of(moment: Moment) -> int:
    """Return the number of the day, which begins at daybreak: a party goes on past midnight."""
    return int((seconds_of(moment) - (DAYBREAK if moment.precision == "second" else 0)) // DAY)


def seconds_of(moment: Moment) -> float:
    """Return what the clock of the place showed, in seconds."""
    return (clock_of(moment) - EPOCH).total_seconds()


def _offset(moment: Moment) -> float:
    """Return the seconds that the place's clock is ahead of UTC; NaN where that is not known."""
    offset = moment.at.utcoffset() if moment.at else None
    return math.nan if offset is None else offset.total_seconds()


def _filled(walls: Floats, offsets: Floats) -> Floats:
    """Give photos without an offset that of a photo before or after, whichever is on their side of the widest gap.

    The nearest one would do as well, were it not for a change of the zone: half of the way to it may be in the middle
    of an event. Without any offset all are 0.
    """
    known = np.flatnonzero(~np.isnan(offsets))
    if not len(known):
        return np.zeros_like(walls)
    filled: Floats = offsets[known[np.searchsorted(widest(walls, known), np.arange(len(walls)))]]
    return filled


def widest(times: Floats, known: Ints) -> Ints:
    """Return the photo before the widest gap between each of `known`, ascending, and the next of them."""
    if len(known) < 2:
        return known[:0]
    gaps = np.diff(times)[: known[-1]]
    widest = np.maximum.reduceat(gaps, known[:-1])
    as_wide = known[0] + np.flatnonzero(gaps[known[0] :] == np.repeat(widest, np.diff(known)))
    first: Ints = as_wide[np.searchsorted(as_wide, known[:-1])]
    return first


def distances(here: Floats, there: Floats) -> Floats:
    """Return the kilometres between points (latitude, longitude), in degrees, row by row: the haversine."""
    start, end = np.radians(here), np.radians(there)
    half = np.sin((end - start) / 2) ** 2
    root = np.sqrt(half[..., 0] + np.cos(start[..., 0]) * np.cos(end[..., 0]) * half[..., 1])
    found: Floats = 2 * _EARTH * np.arcsin(np.minimum(root, 1))
    return found
