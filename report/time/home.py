"""Owns where home is, half a year around each month, and which photos were taken away from it.

Home is the place with photos in the most weeks: holidays have more photos, but in few weeks. A place with half as many is a
home too, so that a move, a second home or a week at work elsewhere is no trip.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from report.time.order import Floats, Ints, clock_of, distances
from report.time.places import name_of, towns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from library.moments import Moment
    from report.time.places import Town

_AWAY = 50.0
"""Kilometres from home, as in immich-trip-albums; there another country is away too."""
_ABROAD = 20.0
"""But not the next town: who lives at a border crosses it daily."""
_HALF_YEAR = 183
_MONTH = 30
_FEWEST_WEEKS = 4
"""Less is no home, but perhaps the only holidays of the year."""
_CELL = 0.1
"""Degrees of the squares in which photos are counted."""


class Whereabouts(NamedTuple):
    """Where each file was taken, as far as it is known: its town, and whether that is away from home (None: not known)."""

    towns: Sequence[Town | None] = ()
    away: Sequence[bool | None] = ()


def whereabouts(moments: Sequence[Moment]) -> Whereabouts:
    """Return where each file was taken. Where no place is a home, nothing is known to be away.

    Raises:
        PackagesError: the names of places are not installed.
    """
    nowhere = (np.nan, np.nan)
    points = np.array([moment.place or nowhere for moment in moments], np.float64).reshape(-1, 2)
    named = towns(points)
    away: list[bool | None] = [None] * len(moments)
    known = [place for place, moment in enumerate(moments) if moment.place and moment.date]
    if known:
        days = np.array([clock_of(moments[place]).toordinal() for place in known], np.int64)
        countries = np.array([town.country if (town := named[place]) else "" for place in known])
        for place, is_away in zip(known, _away(days, points[known], countries), strict=True):
            away[place] = is_away
    return Whereabouts(named, away)


def where_to(members: Iterable[int], where: Whereabouts) -> str:
    """Return the town of an event that was not at home; empty where that says nothing."""
    inside = [place for place in members if where.towns and where.towns[place]]
    if not inside or 2 * sum(where.away[place] is False for place in inside) > len(inside):
        return ""
    return name_of(Counter(town for place in inside if (town := where.towns[place])))


def _away(days: Ints, points: Floats, countries: NDArray[np.str_]) -> list[bool | None]:
    """Tell for each photo whether it is away from the homes of the half year around its month."""
    cells = np.floor(points / _CELL).astype(np.int64)
    rows, first = np.unique(np.column_stack([days // 7, cells]), axis=0, return_index=True)
    months = days // _MONTH
    each = np.unique(months)
    homes = [_homes(rows, points[first], int(month)) for month in each.tolist()]
    whole = _homes(rows, points[first], None)
    sure = np.flatnonzero([len(some) > 0 for some in homes])
    found = np.full(len(days), -1)
    for month in each.tolist():
        nearest = sure[np.argmin(abs(each[sure] - month))] if len(sure) else None
        here = whole if nearest is None else homes[nearest]
        if not len(here):
            continue
        inside = np.flatnonzero(months == month)
        kilometres = np.array([distances(points[inside], points[first][home]) for home in here])
        abroad = ~np.isin(countries[inside], countries[first][here]) & (countries[inside] != "")
        found[inside] = kilometres.min(axis=0) > np.where(abroad, _ABROAD, _AWAY)
    return [None if value < 0 else bool(value) for value in found.tolist()]


def _homes(rows: Ints, points: Floats, month: int | None) -> Ints:
    """Return the rows that stand for the homes around a month, or of the whole library; none where too few weeks speak.

    Args:
        rows: (n, 3) week and square, each once, in order.
        points: (n, 2) a point of each.
        month: counted in months.
    """
    begin, end = 0, len(rows)
    if month is not None:
        middle = _MONTH * month + _MONTH // 2
        begin, end = np.searchsorted(rows[:, 0], [(middle - _HALF_YEAR // 2) // 7, (middle + _HALF_YEAR // 2) // 7 + 1])  # fmt: skip
    _, stands, weeks = np.unique(rows[begin:end, 1:], axis=0, return_index=True, return_counts=True)
    homes: list[int] = []
    for cell in np.argsort(-weeks, kind="stable").tolist():
        if weeks[cell] < max(_FEWEST_WEEKS, weeks.max() / 2):
            break
        row = begin + int(stands[cell])
        if all(distances(points[row], points[home]) > _AWAY for home in homes):
            homes.append(row)
    return np.array(homes, np.int64)
