"""Owns the cut of a library into events: which days belong together, and which change of place ends an event.

A day with its night is one. Two days belong together if days like these are rare here: three days of a festival stand out
among a few photos a week, and a day of snaps does not among days of snaps. So no pause is long or short for everybody.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from report.time.order import Floats, Ints, clock_of, day_of, distances, in_order, widest

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from library.moments import Moment

_FARTHEST = 100.0
"""Kilometres from the last photo with a place at which an event ends, as in Journeys (github.com/thrillfall/journeys)."""
_NIGHT = 4 * 3600.0
"""No shorter pause is a night, whatever the clock says."""
_SURELY_NIGHT = 12 * 3600.0
"""And no longer one is a day's, for a clock may be on the time of another continent."""
_AROUND, _NEAR = 45, 3
"""Days to each side that say what is usual, and those next to the two that do not: they would be of the same event."""
_RARE = (0.0, 0.2, 0.06, 0.03)
"""Two days, one to three apart, belong together if no larger part of the days around is like them."""
_SAME_PLACE = 50.0
_NOON = timedelta(hours=12)


def cut(moments: Sequence[Moment]) -> Ints:
    """Return the event of each file, (n,): 0 and up in the order of time; below 0 the id of `OUTSIDE`.

    The order of the files does not matter. Time is UTC; where an offset is not known it is that of the photos around,
    so that a change of the zone tears nothing apart. Photos of which only the day is known cut nothing: they are in the
    event that has most photos of that day, or that goes on around it; else such days are events.
    """
    places, times, points = in_order(moments, ("second",))
    events: Ints = np.array([_outside(moment) for moment in moments], np.int64)
    if len(places):
        ends = _nights(places, times, points, moments)
        ends[_jumps(times, points)] = True
        events[places] = np.concatenate(([0], np.cumsum(ends)))
    days: dict[datetime, list[int]] = defaultdict(list)
    for place, moment in enumerate(moments):
        if moment.date and moment.precision == "day":
            days[clock_of(moment)].append(place)
    return (
        _with_days(events, [clock_of(moments[place]) for place in places], events[places], days)
        if days
        else events
    )


def _outside(moment: Moment) -> int:
    if moment.unset:
        return -2
    return -3 if moment.date else -1


def _with_days(
    events: Ints, clocks: Sequence[datetime], of_clocks: Ints, days: Mapping[datetime, Sequence[int]]
) -> Ints:
    """Return the events with the photos of which only the day is known, counted again in the order of time.

    Args:
        events: (n,) of all files, without those photos.
        clocks: of the photos with a time, in the order of their events.
        of_clocks: the events of `clocks`.
        days: places of those photos, by the first moment of their day.
    """
    of_day: dict[int, Counter[int]] = defaultdict(Counter)
    spans: list[tuple[datetime, datetime]] = []
    for clock, event in zip(clocks, of_clocks.tolist(), strict=True):
        of_day[clock.toordinal()][event] += 1
        first, last = spans[event] if event < len(spans) else (clock, clock)
        spans[event:] = [(min(first, clock), max(last, clock))]
    firsts = list(accumulate((first for first, _ in spans), max))
    alone: list[tuple[int, datetime]] = []
    for day in sorted(days):
        before = bisect_right(firsts, day + _NOON)
        if of_day[day.toordinal()]:
            events[list(days[day])] = of_day[day.toordinal()].most_common(1)[0][0]
        elif before and spans[before - 1][1] >= day + _NOON:
            events[list(days[day])] = before - 1
        else:
            alone.append((before, day))
    runs = _runs(alone, [len(days[day]) for _, day in alone])
    events[events >= 0] += np.searchsorted([run[0][0] for run in runs], events[events >= 0], side="right")
    for number, run in enumerate(runs):
        for before, day in run:
            events[list(days[day])] = before + number
    return events


def _runs(alone: Sequence[tuple[int, datetime]], sizes: Sequence[int]) -> list[list[tuple[int, datetime]]]:
    """Return the days that belong together, if nothing lies between them: each with the number of events before it."""
    of_day = np.array([day.toordinal() for _, day in alone], np.int64)
    stays = _stays(_Days(of_day, of_day, of_day, np.array(sizes, np.int64), np.full((len(alone), 2), np.nan)))
    runs: list[list[tuple[int, datetime]]] = []
    for one, joins in zip(alone, stays.tolist(), strict=True):
        if joins and runs[-1][-1][0] == one[0]:
            runs[-1].append(one)
        else:
            runs.append([one])
    return runs


def _jumps(times: Floats, points: Floats) -> Ints:
    """Return the photos after which the place is another, at the widest gap between the last photo here and the first there.

    A place counts if the photo with a place before or after agrees, so that a GPS gone astray once cuts nothing, and
    pictures from a train or a plane are not an event each. The first and the last have no neighbour to contradict them.
    """
    located = np.flatnonzero(~np.isnan(points[:, 0]))
    far = _steps(points[located]) > _FARTHEST
    alone = np.concatenate(([False], far[:-1] & far[1:], [False])) if len(far) else far
    sure = located[~alone] if len(far) else located
    return widest(times, sure)[_steps(points[sure]) > _FARTHEST]


def _steps(points: Floats) -> Floats:
    return distances(points[:-1], points[1:])


class _Days(NamedTuple):
    """The days with photos: from which photo on, when the first and the last of them was, how busy, and where.

    A day is a number that counts days; `minutes` are those in which photos were taken, so that a burst counts once.
    """

    starts: Ints
    first: Ints
    last: Ints
    minutes: Ints
    points: Floats


def _nights(places: Ints, times: Floats, points: Floats, moments: Sequence[Moment]) -> NDArray[np.bool_]:
    """Tell for each photo but the last whether an event ends after it, because it is night and the next day is another story."""
    of_day = np.maximum.accumulate(np.array([day_of(moments[place]) for place in places.tolist()], np.int64))
    ends: NDArray[np.bool_] = (np.diff(of_day) > 0) & (np.diff(times) >= _NIGHT)
    ends |= np.diff(times) >= _SURELY_NIGHT
    days = _days(ends, of_day, times, points)
    ends[days.starts[_stays(days)] - 1] = False
    return ends


def _stays(days: _Days) -> NDArray[np.bool_]:
    """Tell which days belong to the day before."""
    stays = np.zeros(len(days.starts), bool)
    for day in range(len(days.starts) - 1):
        for other in range(day + 1, min(day + len(_RARE), len(days.starts))):
            apart = max(1, int(days.first[other] - days.last[day]))
            if apart < len(_RARE) and _belong(days, day, other, _RARE[apart]):
                stays[day + 1 : other + 1] = True
    return stays


def _days(ends: NDArray[np.bool_], of_day: Ints, times: Floats, points: Floats) -> _Days:
    starts = np.concatenate(([0], np.flatnonzero(ends) + 1))
    stops = np.concatenate((starts[1:], [len(of_day)]))
    is_new = np.concatenate(([True], np.diff(times // 60) > 0))
    minutes = np.add.reduceat(is_new.astype(np.int64), starts)
    where = np.full((len(starts), 2), np.nan)
    for day, (start, stop) in enumerate(zip(starts.tolist(), stops.tolist(), strict=True)):
        located = points[start:stop][~np.isnan(points[start:stop, 0])]
        if len(located):
            where[day] = np.sort(located, axis=0)[len(located) // 2]
    return _Days(starts, of_day[starts], of_day[stops - 1], minutes, where)


def _belong(days: _Days, day: int, other: int, rare: float) -> bool:
    """Tell whether two days are of one event: in one place, and so busy as few of the days around are there."""
    here = days.points[[day, other]]
    if _far(*here):
        return False
    begin, end = days.last[day], days.first[other]
    some = slice(*np.searchsorted(days.first, (begin - _AROUND, end + _AROUND + 1)))
    alike = 2 * days.minutes[some] >= min(days.minutes[day], days.minutes[other])
    alike &= (days.first[some] < begin - _NEAR) | (days.first[some] > end + _NEAR)
    place = here[0] if not np.isnan(here[0, 0]) else here[1]
    alike &= ~_far(days.points[some], place)
    return bool(alike.sum() <= rare * 2 * (_AROUND - _NEAR))


def _far(points: Floats, place: Floats) -> NDArray[np.bool_]:
    """Tell which points are known to be elsewhere; NaN is not."""
    return np.asarray(distances(points, place) > _SAME_PLACE)
