"""Owns the cut of a library into events in time, and their titles; and which frames are one burst.

A date counts from the day on. A file's own date is most often the day it was copied, and all photos of a copied folder
would be one event: what has no other date is in none. It opens no file.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from report.naming.naming import contrast_terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from library.dates import Precision
    from library.moments import Moment
    from report.naming.naming import Label

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

UNDATED = "Without a date"
UNSET = "The camera\u2019s clock was not set"
VAGUE = "Only the month or the year is known"
OUTSIDE = {-3: VAGUE, -2: UNSET, -1: UNDATED}
"""Titles of what is in no event, by their ids, in the order in which they come after the events."""

# PhotoTOC (Platt, Czerwinski, Field, MSR-TR-2002-17): an event ends where the log of a gap is so much above the mean of
# the logs around it, the same number to each side, its own among them.
_ABOVE_MEAN = math.log(17)
_NEIGHBOURS = 10
# Journeys (github.com/thrillfall/journeys): and after a time, or at a distance from the last photo with a place.
_LONGEST_GAP = 24 * 3600.0
_FARTHEST = 100.0
# Ours, in seconds.
_SHORTEST_GAP = 60.0
"""Shorter gaps count as this: among the split seconds of a burst any pause would be large."""
_SHORTEST_END = 2 * 3600.0
"""No shorter gap is an end: among photos a minute apart 20 minutes would be one, and a wedding would end with its lunch."""
_BURST_GAP = 60.0
_BURST_LIKENESS = 0.95
"""Cosine of frames that are nearly the same. What a hand does between two frames (a shift of 4 %, a turn of 3 degrees)
leaves 97 % of 410 photos above it with the pixels' vectors, while a pan by a tenth leaves a third, and of pairs of two
photos of one subject 1 in 700 is above it; near-duplicates under CLIP B/32 are above it too, by the literature."""

_EARTH = 6371.0
_NOON = timedelta(hours=12)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - of wall clocks
_TITLE_TERMS = 3
_VOICES = 9
"""This number of captions, spread over an event, find its words: two of them that agree are a consensus, two of a hundred are
not, and among thousands of events the weights favour what is rare."""
_MONTHS = (
    "January February March April May June July August September October November December".split()
)  # not the locale's: the report is in English, and the same everywhere


@dataclass(frozen=True, slots=True)
class Event:
    """An event: photos that follow one another without a large gap in time or space; or, with an id below 0, what is in none.

    `id` counts from 1 in the order of time. `start` and `end` are the earliest and latest wall clock, naive; midnight if
    `by_day`, where no time is known; None outside of events. `title` is the dates and what sets the event apart; no two are
    equal. `terms` are those words, strongest first; `members` are places among the files, in the order of time. `name` is the
    short name, if there is one.
    """

    id: int
    title: str
    start: datetime | None
    end: datetime | None
    terms: tuple[str, ...]
    members: tuple[int, ...]
    by_day: bool = False
    name: str = ""


class Timeline(NamedTuple):
    """What is known of the time of all files: a moment each, the events, and for each the place of the frame that stands
    for its burst, -1 for none. Empty where no file was opened.
    """

    moments: Sequence[Moment] = ()
    events: Sequence[Event] = ()
    bursts: Sequence[int] = ()


def cut(moments: Sequence[Moment]) -> Ints:
    """Return the event of each file, (n,): 0 and up in the order of time; below 0 the id of `OUTSIDE`.

    The order of the files does not matter. Time is UTC; where an offset is not known it is that of the photos around,
    so that a change of the zone tears nothing apart. Photos of which only the day is known cut nothing: they are in the
    event that has most photos of that day, or that goes on around it; else the day is an event.
    """
    places, times, points = _timeline(moments, ("second",))
    events: Ints = np.array([_outside(moment) for moment in moments], np.int64)
    if len(places):
        gaps = np.diff(times)
        ends = (gaps > _LONGEST_GAP) | _stands_out(gaps)
        ends[_jumps(times, points)] = True
        events[places] = np.concatenate(([0], np.cumsum(ends)))
    days: dict[datetime, list[int]] = defaultdict(list)
    for place, moment in enumerate(moments):
        if moment.date and moment.precision == "day":
            days[_clock(moment)].append(place)
    return (
        _with_days(events, [_clock(moments[place]) for place in places], events[places], days)
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
    events[events >= 0] += np.searchsorted([before for before, _ in alone], events[events >= 0], side="right")
    for number, (before, day) in enumerate(alone):
        events[list(days[day])] = before + number
    return events


def bursts(moments: Sequence[Moment], places: NDArray[np.integer], vectors: NDArray[np.floating]) -> Ints:
    """Return for each file the place of the frame that stands for its burst, (n,); -1 outside of bursts.

    A burst is frames, each within a minute of the one before, and nearly the same as that and as the first: else a pan
    would be one. The frame nearest to the mean stands for it. A file whose time is not known is in none.

    Args:
        moments: of all files.
        places: (m,) of the files that have a vector, each once.
        vectors: (m, d) of the pictures, each of length 1.
    """
    found: Ints = np.full(len(moments), -1)
    rows: Ints = np.full(len(moments), -1)
    rows[places] = np.arange(len(places))
    order, times, _ = _timeline(moments, ("second",))
    seen = rows[order] >= 0
    order, times = order[seen], times[seen]
    frames = rows[order]
    groups: list[list[int]] = []
    for frame in np.flatnonzero(np.diff(times) <= _BURST_GAP).tolist():
        new = vectors[frames[frame + 1]]
        if new @ vectors[frames[frame]] < _BURST_LIKENESS:
            continue
        if not groups or groups[-1][-1] != frame:
            groups.append([frame, frame + 1])
        elif new @ vectors[frames[groups[-1][0]]] >= _BURST_LIKENESS:
            groups[-1].append(frame + 1)
    for group in groups:
        inside = vectors[frames[group]]
        to_mean = (inside @ inside.sum(axis=0)).round(
            4
        )  # two are equally near: the first, not what rounding says
        found[order[group]] = order[group[int(np.argmax(to_mean))]]
    return found


def name_events(
    events: NDArray[np.integer],
    moments: Sequence[Moment],
    rel_paths: Sequence[str],
    labels: Mapping[str, Label],
) -> list[Event]:
    """Name the events 0 to k-1 that `cut` found, in this order; then what is in none, as far as there is any.

    Args:
        events: (n,) the event of each file.
        moments: of each file.
        rel_paths: of each file.
        labels: of at least those files; what they say, be it a caption or a vocabulary match, gives the words; the mock's captions do not.
    """
    order, _, _ = _timeline(moments, ("second", "day"))
    members: list[list[int]] = [[] for _ in range(int(events.max(initial=-1)) + 1)]
    for place, event in zip(order.tolist(), events[order].tolist(), strict=True):
        members[event].append(place)
    outside = np.flatnonzero(events < 0).tolist()
    texts = [[text for place in inside if (text := _said(labels[rel_paths[place]]))] for inside in members]
    rest = [text for place in outside if (text := _said(labels[rel_paths[place]]))]
    terms = contrast_terms([_spread(inside) for inside in texts], rest)
    timed = [[place for place in inside if moments[place].precision == "second"] for inside in members]
    clocks = [
        [_clock(moments[place]) for place in some or inside]
        for some, inside in zip(timed, members, strict=True)
    ]
    spans = [(min(inside), max(inside)) for inside in clocks]
    named = [
        Event(number, title, start, end, tuple(best), tuple(inside), by_day=not some)
        for number, (title, (start, end), best, inside, some) in enumerate(
            zip(_titles(spans, terms), spans, terms, members, timed, strict=True), start=1
        )
    ]
    for number, title in OUTSIDE.items():
        if some := [place for place in outside if events[place] == number]:
            some.sort(
                key=lambda place: (
                    moments[place].unset or (moments[place].date and _clock(moments[place])) or _EPOCH
                )
            )
            named.append(Event(number, title, None, None, (), tuple(some)))
    return named


def _said(label: Label) -> str:
    """Return what may name an event: the mock's captions name files."""
    return "" if label.is_mock else label.text


def _timeline(moments: Sequence[Moment], precisions: tuple[Precision, ...]) -> tuple[Ints, Floats, Floats]:
    """Return the files with a date known as well as that, in the order of time: their places, seconds in UTC, points on earth.

    The points are latitude and longitude in degrees, (n, 2), NaN where there are none. Files of the same second are in
    the order of their points, then of their places.
    """
    dated = [place for place, moment in enumerate(moments) if moment.date and moment.precision in precisions]
    walls = np.array([(_clock(moments[place]) - _EPOCH).total_seconds() for place in dated], np.float64)
    offsets = np.array([_offset(moments[place]) for place in dated], np.float64)
    nowhere = (math.nan, math.nan)
    points = np.array([moments[place].place or nowhere for place in dated], np.float64).reshape(-1, 2)
    by_wall = np.lexsort((offsets, walls))
    utc = np.empty_like(walls)
    utc[by_wall] = walls[by_wall] - _filled(walls[by_wall], offsets[by_wall])
    order = np.lexsort((points[:, 1], points[:, 0], walls, utc))
    return np.array(dated, np.int64)[order], utc[order], points[order]


def _clock(moment: Moment) -> datetime:
    assert moment.at is not None  # noqa: S101 - for the type checker: only of files with a date
    return moment.at.replace(tzinfo=None)


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
    filled: Floats = offsets[known[np.searchsorted(_widest(walls, known), np.arange(len(walls)))]]
    return filled


def _widest(times: Floats, known: Ints) -> Ints:
    """Return the photo before the widest gap between each of `known`, ascending, and the next of them."""
    if len(known) < 2:
        return known[:0]
    gaps = np.diff(times)[: known[-1]]
    widest = np.maximum.reduceat(gaps, known[:-1])
    as_wide = known[0] + np.flatnonzero(gaps[known[0] :] == np.repeat(widest, np.diff(known)))
    first: Ints = as_wide[np.searchsorted(as_wide, known[:-1])]
    return first


def _stands_out(gaps: Floats) -> NDArray[np.bool_]:
    """Tell for each gap whether it is an end by the rule of PhotoTOC; at the ends of the library there are fewer around."""
    logs = np.log(np.maximum(gaps, _SHORTEST_GAP))
    sums = np.concatenate(([0], np.cumsum(logs)))
    each = np.arange(len(logs))
    begin = np.maximum(each - _NEIGHBOURS, 0)
    end = np.minimum(each + _NEIGHBOURS + 1, len(logs))
    means = (sums[end] - sums[begin]) / (end - begin)
    ends: NDArray[np.bool_] = (logs >= _ABOVE_MEAN + means) & (gaps >= _SHORTEST_END)
    return ends


def _jumps(times: Floats, points: Floats) -> Ints:
    """Return the photos after which the place is another, at the widest gap between the last photo here and the first there.

    A place counts if the photo with a place before or after agrees, so that a GPS gone astray once cuts nothing, and
    pictures from a train or a plane are not an event each. The first and the last have no neighbour to contradict them.
    """
    located = np.flatnonzero(~np.isnan(points[:, 0]))
    far = _distances(points[located]) > _FARTHEST
    alone = np.concatenate(([False], far[:-1] & far[1:], [False])) if len(far) else far
    sure = located[~alone] if len(far) else located
    return _widest(times, sure)[_distances(points[sure]) > _FARTHEST]


def _distances(points: Floats) -> Floats:
    """Return the kilometres from each (latitude, longitude), in degrees, to the next: the haversine."""
    here, there = np.radians(points[:-1]), np.radians(points[1:])
    half = np.sin((there - here) / 2) ** 2
    root = np.sqrt(half[:, 0] + np.cos(here[:, 0]) * np.cos(there[:, 0]) * half[:, 1])
    distances: Floats = 2 * _EARTH * np.arcsin(np.minimum(root, 1))
    return distances


def _spread(texts: Sequence[str]) -> Sequence[str]:
    some = min(len(texts), _VOICES)
    return [texts[index * len(texts) // some] for index in range(some)]


def _titles(spans: Sequence[tuple[datetime, datetime]], terms: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield the dates and the best words; twins get the time of day, and a number if that is the same too."""
    words = [f" · {', '.join(best[:_TITLE_TERMS])}" if best else "" for best in terms]
    dates = [_dates(start, end) for start, end in spans]
    twins = Counter(map("".join, zip(dates, words, strict=True)))
    taken: Counter[str] = Counter()
    for date, word, (start, _) in zip(dates, words, spans, strict=True):
        title = date + word if twins[date + word] == 1 else f"{date}, {start:%H:%M}{word}"
        taken[title] += 1
        yield title if taken[title] == 1 else f"{title} ({taken[title]})"


def _dates(start: datetime, end: datetime) -> str:
    """Return `12 July 2019`, or from when to when without saying a month or a year twice."""
    last = f"{end.day} {_MONTHS[end.month - 1]} {end.year}"
    if start.date() == end.date():
        return last
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day}\u2013{last}"
    first = f"{start.day} {_MONTHS[start.month - 1]}"
    return f"{first}{'' if start.year == end.year else f' {start.year}'} \u2013 {last}"
