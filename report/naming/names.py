"""Owns the names of a report's groups, themes, events and trips: which short name each gets, from whatever there is to name it by.

First comes what a person said, then, if one was asked, what a language model says (asked.py), then the name of the report
before as long as it fits, then captions and what a model sees (short.py).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain, zip_longest
from typing import TYPE_CHECKING

from report.naming.apart import told_apart
from report.naming.asked import Subject
from report.naming.naming import Theme, gathered
from report.naming.phrases import mentions
from report.naming.short import MIXED, ShortName, short_names, theme_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report.events import Event
    from report.naming.asked import NamesByModel
    from report.naming.naming import Group
    from report.naming.short import Mentions
    from report.time.trips import Trip


_TERMS = 6
_SPREAD = 8
"""Captions of an event that stand for it."""


@dataclass(frozen=True, slots=True)
class Told:
    """A language model's names, and what it is told: the caption of each photo, empty without a real one, and for each group
    the ones that are near.
    """

    names: NamesByModel
    captions: Sequence[str]
    near: Sequence[Sequence[int]] = ()

    def of(self, rows: Sequence[int]) -> list[str]:
        return [caption for row in rows if (caption := self.captions[row])]


def name_shortly(
    groups: Sequence[Group],
    things: Sequence[Mentions | None],
    themes: Sequence[int],
    *,
    seen: Sequence[Sequence[str]] | None = None,
    kept: Mapping[int, str] | None = None,
    given: Mapping[int, str] | None = None,
    told: Told | None = None,
) -> tuple[list[Group], list[Theme]]:
    """Return the groups with their short names, no two alike, and the themes with theirs, the largest first.

    Args:
        groups: as they were named.
        things: what the caption of each clustered photo names (`short.said`), a row each.
        themes: the theme of each group, -1 for none.
        seen: for each group the subjects of the vocabulary that a model finds typical of it, best first.
        kept: names of an earlier report, by the id of the group.
        given: names that people gave, by the id of the group; two of those may be alike.
        told: a language model to be asked; its names go before `kept` ones.
    """
    members = [group.members for group in groups]
    old = {number: kept[group.id] for number, group in enumerate(groups) if kept and group.id in kept}
    names = short_names(members, things, seen=seen, kept=old)
    fixed = {number for number, name in enumerate(names) if name.text and name.text == old.get(number)}
    by_people = {
        number: given[group.id] for number, group in enumerate(groups) if given and group.id in given
    }
    if told:
        by_model = _groups_told(
            groups, [by_people.get(n, name.text) for n, name in enumerate(names)], by_people, told
        )
        names = [_of_model(new, name) if new else name for new, name in zip(by_model, names, strict=True)]
        fixed -= {number for number, name in enumerate(by_model) if name}
    wanted = [replace(name, text=by_people.get(number, name.text)) for number, name in enumerate(names)]
    apart = told_apart(wanted, members, things, fixed=fixed | by_people.keys())
    named = [
        replace(
            group,
            short=names[number].text if number in by_people else apart[number].text,
            given=by_people.get(number, ""),
        )
        for number, group in enumerate(groups)
    ]
    inside = gathered(groups, themes)
    called = [replace(name, text=group.name) for group, name in zip(named, names, strict=True)]
    of_themes = theme_names(inside, called, [len(rows) for rows in members])
    if told:
        of_themes = _themes_told(inside, named, of_themes, told)
    return named, [Theme(name, tuple(some)) for name, some in zip(of_themes, inside, strict=True)]


def _groups_told(
    groups: Sequence[Group], names: Sequence[str], by_people: Mapping[int, str], told: Told
) -> list[str]:
    """Return the model's name of each group, empty for those that people named."""
    subjects = [
        Subject(
            () if number in by_people else told.of(group.members),
            terms=group.terms[:_TERMS],
            alike=[names[near] for near in told.near[number] if names[near]] if told.near else (),
        )
        for number, group in enumerate(groups)
    ]
    return told.names.names("group", subjects)


def _themes_told(
    inside: Sequence[Sequence[int]], groups: Sequence[Group], names: Sequence[str], told: Told
) -> list[str]:
    """Return the names of themes: the model's, from the names of the groups in each, where no other has it."""
    subjects = []
    for some in inside:
        captions = zip_longest(*(told.of(groups[number].members)[:_SPREAD] for number in some))
        mixed = [caption for caption in chain.from_iterable(captions) if caption]
        subjects.append(Subject(mixed, inside=[groups[number].name for number in some]))
    found: list[str] = []
    for new, name in zip(told.names.names("theme", subjects), names, strict=True):
        found.append(new if new and new not in found and new not in names else name)
    return found


def _of_model(text: str, name: ShortName) -> ShortName:
    return ShortName(text, tuple(thing.key for thing in mentions(text)), name.theme)


def name_events_shortly(
    events: Sequence[Event], things: Sequence[Mentions | None], told: Told | None = None
) -> list[Event]:
    """Return the events with short names, which their dates tell apart; empty where captions agree on nothing.

    Args:
        events: of places in `things`.
        things: what the caption of each file names.
        told: a language model to be asked.
    """
    short = short_names([event.members for event in events], things)
    names = ["" if name.text == MIXED else name.text for name in short]
    if told:
        subjects = [
            Subject(_spread(told.of(event.members)) if event.id > 0 else (), terms=event.terms[:_TERMS])
            for event in events
        ]
        names = [new or name for new, name in zip(told.names.names("event", subjects), names, strict=True)]
    return [
        replace(event, name="" if event.id < 0 else name) for event, name in zip(events, names, strict=True)
    ]


def name_trips(trips: Sequence[Trip], events: Sequence[Event], told: Told) -> list[Trip]:
    """Return the trips under the names of a language model. Not asked about are those with a town, which is the better name,
    and those of one event, which has its name from the model already.
    """
    of = {event.id: event for event in events}
    subjects = []
    for trip in trips:
        inside = [] if trip.has_town or len(trip.events) == 1 else [of[number] for number in trip.events]
        captions = told.of([place for event in inside for place in event.members])
        subjects.append(Subject(_spread(captions), inside=[event.name for event in inside if event.name]))
    names = told.names.names("trip", subjects)
    return [trip.named(name) if name else trip for trip, name in zip(trips, names, strict=True)]


def _spread(captions: Sequence[str]) -> list[str]:
    """Return captions in another order: first some from all of the time that they span."""
    some = min(_SPREAD, len(captions))
    first = {index * len(captions) // some: None for index in range(some)}
    return [captions[at] for at in first] + [one for at, one in enumerate(captions) if at not in first]
