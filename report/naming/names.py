"""Owns the names of a report's groups, themes and events: which short name each gets, from whatever there is to name it by.

First comes what a person said, then the name of the report before as long as it fits, then captions and what a model sees
(short.py). Here is also the place for names by a language model: they would come before those of short.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from report.naming.apart import told_apart
from report.naming.naming import Theme, gathered
from report.naming.short import MIXED, short_names, theme_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from report.events import Event
    from report.naming.naming import Group
    from report.naming.short import Mentions


def name_shortly(
    groups: Sequence[Group],
    things: Sequence[Mentions | None],
    themes: Sequence[int],
    *,
    seen: Sequence[Sequence[str]] | None = None,
    kept: Mapping[int, str] | None = None,
    given: Mapping[int, str] | None = None,
) -> tuple[list[Group], list[Theme]]:
    """Return the groups with their short names, no two alike, and the themes with theirs, the largest first.

    Args:
        groups: as they were named.
        things: what the caption of each clustered photo names (`short.said`), a row each.
        themes: the theme of each group, -1 for none.
        seen: for each group the subjects of the vocabulary that a model finds typical of it, best first.
        kept: names of an earlier report, by the id of the group.
        given: names that people gave, by the id of the group; two of those may be alike.
    """
    members = [group.members for group in groups]
    old = {number: kept[group.id] for number, group in enumerate(groups) if kept and group.id in kept}
    names = short_names(members, things, seen=seen, kept=old)
    fixed = {number for number, name in enumerate(names) if name.text and name.text == old.get(number)}
    by_people = {
        number: given[group.id] for number, group in enumerate(groups) if given and group.id in given
    }
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
    told = [replace(name, text=group.name) for group, name in zip(named, names, strict=True)]
    of_themes = theme_names(inside, told, [len(rows) for rows in members])
    return named, [Theme(name, tuple(some)) for name, some in zip(of_themes, inside, strict=True)]


def name_events_shortly(events: Sequence[Event], things: Sequence[Mentions | None]) -> list[Event]:
    """Return the events with short names, which their dates tell apart; empty where captions agree on nothing.

    Args:
        events: of places in `things`.
        things: what the caption of each file names.
    """
    names = short_names([event.members for event in events], things)
    return [
        replace(event, name="" if name.text == MIXED or event.id < 0 else name.text)
        for event, name in zip(events, names, strict=True)
    ]
