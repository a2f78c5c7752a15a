"""Owns trips: events on end away from home, and what they are called.

Where no place is known, days on end that stand out are a trip; the cut into events found them (report/time/cut.py).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from report.time.dates import date_span
from report.time.order import day_of
from report.time.places import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from library.moments import Moment
    from report.events import Event
    from report.time.home import Whereabouts
    from report.time.places import Town

_PAUSE = 3
"""Days from one photo of a trip to the next: two without photos may lie between."""
_LONG = 3
"""Days of an event without a place that may be part of a trip."""
_FEWEST = (10, 2)
"""Photos and days."""
_FEWEST_ANYWHERE = (30, 4)
"""The same where no home is known; three days could be a festival around the corner."""


@dataclass(frozen=True, slots=True)
class Trip:
    """A trip: events on end away from home.

    `id` counts from 1 in the order of time. `name` is where to, which `has_town` says, or what; it may be empty. `title` is that
    with the dates, `start` and `end` are those of its events; `events` are their ids, in order.
    """

    id: int
    name: str
    title: str
    start: datetime
    end: datetime
    events: tuple[int, ...]
    has_town: bool = False

    def named(self, name: str) -> Trip:
        """Return the trip under this name."""
        return replace(self, name=name, title=_title(name, self.start, self.end))


def find_trips(events: Sequence[Event], moments: Sequence[Moment], where: Whereabouts) -> list[Trip]:
    """Return the trips among the events, which come in the order of time, named by their towns."""
    trips: list[Trip] = []
    for run, is_away in _runs(events, where):
        members = [place for event in run for place in event.members]
        days = {day_of(moments[place]) for place in members}
        photos, fewest = _FEWEST if is_away else _FEWEST_ANYWHERE
        if len(members) >= photos and len(days) >= fewest:
            trips.append(_trip(len(trips) + 1, run, members, moments, where))
    return trips


def _runs(events: Sequence[Event], where: Whereabouts) -> list[tuple[list[Event], bool]]:
    """Return events on end that may be a trip, and whether any of them is known to be away from home.

    Where no place is known, an event of some days may be one; a shorter one belongs to a run that goes on behind it.
    """
    runs: list[tuple[list[Event], bool]] = []
    run: list[Event] = []
    waiting: list[Event] = []
    is_sure = False
    for event in events:
        if event.start is None:
            continue
        away = _is_away(event, where)
        if run and (away is False or _days_between([*run, *waiting][-1], event) > _PAUSE):
            runs.append((run, is_sure))
            run, waiting, is_sure = [], [], False
        if away or (away is None and _length(event) >= _LONG):
            run += [*waiting, event]
            waiting = []
            is_sure = is_sure or bool(away)
        elif away is None and run:
            waiting.append(event)
    return [*runs, (run, is_sure)] if run else runs


def _is_away(event: Event, where: Whereabouts) -> bool | None:
    known = [away for place in event.members if (away := where.away[place]) is not None] if where.away else []
    return 2 * sum(known) >= len(known) if known else None


def _days_between(event: Event, other: Event) -> int:
    assert event.end is not None  # noqa: S101 - for the type checker: only of events in time
    assert other.start is not None  # noqa: S101
    return (other.start.date() - event.end.date()).days


def _length(event: Event) -> int:
    """Return the days that an event lasts."""
    return 1 - _days_between(event, event)


def _trip(
    number: int, run: Sequence[Event], members: Sequence[int], moments: Sequence[Moment], where: Whereabouts
) -> Trip:
    """Name a trip by the town of most of its days, else by its largest event."""
    by_day: dict[int, Counter[Town]] = defaultdict(Counter)
    for place in members:
        if where.towns and (town := where.towns[place]):
            by_day[day_of(moments[place])][town] += 1
    largest = max(run, key=lambda event: len(event.members))
    town_name = name_of(Counter(some.most_common(1)[0][0] for some in by_day.values()))
    name = town_name or largest.name
    start = min(event.start for event in run if event.start)
    end = max(event.end for event in run if event.end)
    ids = tuple(event.id for event in run)
    return Trip(number, name, _title(name, start, end), start, end, ids, has_town=bool(town_name))


def _title(name: str, start: datetime, end: datetime) -> str:
    return ", ".join(filter(None, (name, date_span(start, end))))
