"""Owns what an event is, and the titles of events.

A date counts from the day on. A file's own date is most often the day it was copied, and all photos of a copied folder
would be one event: what has no other date is in none. It opens no file.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from report.naming.naming import contrast_terms
from report.time.dates import date_span
from report.time.home import Whereabouts, where_to
from report.time.order import EPOCH, clock_of, in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from library.moments import Moment
    from report.naming.naming import Label
    from report.time.places import Town
    from report.time.trips import Trip

UNDATED = "Without a date"
UNSET = "The camera\u2019s clock was not set"
VAGUE = "Only the month or the year is known"
OUTSIDE = {-3: VAGUE, -2: UNSET, -1: UNDATED}
"""Titles of what is in no event, by their ids, in the order in which they come after the events."""

_NOWHERE = Whereabouts()
_TITLE_TERMS = 3
_VOICES = 9
"""This number of captions, spread over an event, find its words: two of them that agree are a consensus, two of a hundred are
not, and among thousands of events the weights favour what is rare."""


@dataclass(frozen=True, slots=True)
class Event:
    """An event: photos that follow one another without a large gap in time or space; or, with an id below 0, what is in none.

    `id` counts from 1 in the order of time. `start` and `end` are the earliest and latest wall clock, naive; midnight if
    `by_day`, where no time is known; None outside of events. `title` is the dates, the town away from home, and what sets the
    event apart; no two are equal. `terms` are those words, strongest first; `members` are places among the files, in the order of
    time. `name` is the short name, if there is one, and `place` that town.
    """

    id: int
    title: str
    start: datetime | None
    end: datetime | None
    terms: tuple[str, ...]
    members: tuple[int, ...]
    by_day: bool = False
    name: str = ""
    place: str = ""


class Timeline(NamedTuple):
    """What is known of the time of all files: a moment each, the events, and for each the place of the frame that stands
    for its burst, -1 for none; the trips, and the towns. Empty where no file was opened.
    """

    moments: Sequence[Moment] = ()
    events: Sequence[Event] = ()
    bursts: Sequence[int] = ()
    trips: Sequence[Trip] = ()
    towns: Sequence[Town | None] = ()


def name_events(
    events: NDArray[np.integer],
    moments: Sequence[Moment],
    rel_paths: Sequence[str],
    labels: Mapping[str, Label],
    where: Whereabouts = _NOWHERE,
) -> list[Event]:
    """Name the events 0 to k-1 that `cut` found, in this order; then what is in none, as far as there is any.

    Args:
        events: (n,) the event of each file.
        moments: of each file.
        rel_paths: of each file.
        labels: of at least those files; what they say, be it a caption or a vocabulary match, gives the words; the mock's captions do not.
        where: each file was taken.
    """
    order, _, _ = in_order(moments, ("second", "day"))
    members: list[list[int]] = [[] for _ in range(int(events.max(initial=-1)) + 1)]
    for place, event in zip(order.tolist(), events[order].tolist(), strict=True):
        members[event].append(place)
    outside = np.flatnonzero(events < 0).tolist()
    texts = [[text for place in inside if (text := _said(labels[rel_paths[place]]))] for inside in members]
    rest = [text for place in outside if (text := _said(labels[rel_paths[place]]))]
    terms = contrast_terms([_spread(inside) for inside in texts], rest)
    timed = [[place for place in inside if moments[place].precision == "second"] for inside in members]
    clocks = [
        [clock_of(moments[place]) for place in some or inside]
        for some, inside in zip(timed, members, strict=True)
    ]
    spans = [(min(inside), max(inside)) for inside in clocks]
    places = [where_to(inside, where) for inside in members]
    named = [
        Event(number, title, start, end, tuple(best), tuple(inside), by_day=not some, place=place)
        for number, (title, (start, end), best, inside, some, place) in enumerate(
            zip(_titles(spans, terms, places), spans, terms, members, timed, places, strict=True), start=1
        )
    ]
    for number, title in OUTSIDE.items():
        if some := [place for place in outside if events[place] == number]:
            some.sort(
                key=lambda place: (
                    moments[place].unset or (moments[place].date and clock_of(moments[place])) or EPOCH
                )
            )
            named.append(Event(number, title, None, None, (), tuple(some)))
    return named


def _said(label: Label) -> str:
    """Return what may name an event: the mock's captions name files."""
    return "" if label.is_mock else label.text


def _spread(texts: Sequence[str]) -> Sequence[str]:
    some = min(len(texts), _VOICES)
    return [texts[index * len(texts) // some] for index in range(some)]


def _titles(
    spans: Sequence[tuple[datetime, datetime]], terms: Sequence[Sequence[str]], places: Sequence[str]
) -> Iterator[str]:
    """Yield the dates, the town and the best words; twins get the time of day, and a number if that is the same too."""
    words = [
        "".join(f" · {part}" for part in (place, ", ".join(best[:_TITLE_TERMS])) if part)
        for place, best in zip(places, terms, strict=True)
    ]
    dates = [date_span(start, end) for start, end in spans]
    twins = Counter(map("".join, zip(dates, words, strict=True)))
    taken: Counter[str] = Counter()
    for date, word, (start, _) in zip(dates, words, spans, strict=True):
        title = date + word if twins[date + word] == 1 else f"{date}, {start:%H:%M}{word}"
        taken[title] += 1
        yield title if taken[title] == 1 else f"{title} ({taken[title]})"
