"""Owns cluster_report.md: the groups as a page to read. Decides no name and no group, and opens no photo.

Captions and file names are what strangers and models wrote. They stand only in headings and table cells, where Markdown
knows no blocks, and are escaped, so that nothing in them becomes a cell, a tag, a link, a picture or an emphasis. The
page says nothing of when it was made: the same input gives the same bytes.
"""

from __future__ import annotations

import html
import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from urllib.parse import quote

from report.files.given_names import NAMES
from report.files.table import CSV, replaced
from report.naming.naming import UNCLUSTERED, counted, one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from report.build import Report
    from report.events import Event
    from report.files.table import Row
    from report.naming.naming import Group

MARKDOWN = "cluster_report.md"
_NEAREST = 9
_ODDEST = 3
_UNCLUSTERED_SHOWN = 100
_UNPLACED_SHOWN = 20
_LABEL_LENGTH = 200
_EVENTS_SHOWN = 1000
_EVENTS_BY_THEME = 100
_WHY = {-1: "without a date", -2: "of a clock that was not set", -3: "with a month or a year only"}


def write_markdown(report: Report, folder: Path) -> None:
    text = "\n".join(_Page(report).lines()) + "\n"
    with replaced(folder / MARKDOWN) as new:
        new.write_bytes(text.encode("utf-8", "backslashreplace"))


def escaped(text: str) -> str:
    """Return a text as it reads in a heading or a table cell, and as nothing else."""
    plain = html.escape(_MARKUP.sub(r"\\\g<0>", one_line(text)), quote=False)
    return plain.replace("|", "&#124;")  # behind a backslash it is still a pipe to some readers


_MARKUP = re.compile(
    r"""[\\`*\[\]~$#]               # code, emphasis, links and pictures, struck out, formulas, references
    | (?<![^\W_])_ | _(?![^\W_])    # emphasis; inside a word, as in IMG_0502, it is none
    | :(?=//) | (?<=www)\.          # bare addresses, which GitHub makes into links
    """,
    re.VERBOSE | re.IGNORECASE,
)


class _Page:
    """The report line by line, and what its parts look up."""

    def __init__(self, report: Report) -> None:
        self.report = report
        self.by_group: dict[int | None, list[Row]] = defaultdict(list)
        for row in sorted(report.rows, key=_distance):  # stable: ties in the order of the rows
            self.by_group[row.cluster_id].append(row)
        self.by_event: dict[int | None, list[Row]] = defaultdict(list)
        for row in report.rows:
            self.by_event[row.event_id].append(row)
        self.placed = len(report.rows) - len(self.by_group[None])
        self.ordered = self.largest_first(report.groups)
        self.headings = {group.id: group.heading for group in report.groups}
        self.theme_of = {
            report.groups[index].id: theme.name for theme in report.themes for index in theme.groups
        }

    def largest_first(self, groups: Iterable[Group]) -> list[Group]:
        return sorted(groups, key=lambda group: (-len(self.by_group[group.id]), group.id))

    def lines(self) -> Iterator[str]:
        yield from ("# Cluster report", "", escaped(self.report.summary), "")
        yield from self.figures()
        if self.report.themes:
            yield from self.themes()
        if self.ordered:
            yield from self.overview()
        for group in self.ordered:
            if not group.hidden:
                yield from self.group(group)
        yield from self.unclustered()
        if self.report.trips:
            yield from self.trips()
        if self.report.events:
            yield from self.events()
            if self.report.themes:
                yield from self.events_by_theme()
        if self.by_group[None]:
            yield from self.unplaced()

    def figures(self) -> Iterator[str]:
        report, unplaced, unclustered = self.report, len(self.by_group[None]), len(self.by_group[-1])
        yield (
            f"- {counted(len(report.rows), 'file')}, {self.placed:,} of them on the map, in {counted(len(self.ordered), 'group')}"
            + (f" and {counted(len(report.themes), 'theme')}" if report.themes else "")
        )
        yield f"- Unclustered: {unclustered:,} ({self.share(unclustered)})"
        if self.ordered:
            size = len(self.by_group[self.ordered[0].id])
            yield f"- Largest group: {size:,} ({self.share(size)}), {escaped(self.ordered[0].heading)}"
        if unplaced:
            yield f"- On no map, because there is no picture to look at (videos, broken files): {unplaced:,}"
        if report.events:
            yield f"- In time: {_span(report.events)}"
        if any(row.burst_of for row in report.rows):
            yield "- (\u00d75): a burst of five frames of nearly the same, within a minute each; one is shown for all"
        if hidden := [group.name for group in self.ordered if group.hidden]:
            yield f"- Hidden by {NAMES}: {escaped(', '.join(hidden))}"
        yield f"- Method: {escaped(report.method)}"
        for note in report.notes:
            yield f"- Note: {escaped(note)}"

    def themes(self) -> Iterator[str]:
        yield from _heading("## Themes")
        yield from _head("Theme", "Groups", "Photos", "Largest groups")
        for theme in self.report.themes:
            inside = self.largest_first(self.report.groups[index] for index in theme.groups)
            photos = sum(len(self.by_group[group.id]) for group in inside)
            largest = "; ".join(escaped(group.name) for group in inside[:3])
            yield _line(escaped(theme.name), f"{len(inside):,}", f"{photos:,}", largest)

    def overview(self) -> Iterator[str]:
        yield from _heading("## Groups by size")
        themes = ["Theme"] if self.report.themes else []
        yield from _head("Name", "Group", "Id", "Photos", "Share", *themes, "Set apart by")
        for group in self.ordered:
            size = len(self.by_group[group.id])
            terms, theme = (
                ", ".join(group.terms[:5]),
                [escaped(self.theme_of.get(group.id, ""))] if themes else [],
            )
            name, heading, share = escaped(group.name), escaped(group.heading), self.share(size)
            yield _line(name, heading, str(group.id), f"{size:,}", share, *theme, escaped(terms))

    def group(self, group: Group) -> Iterator[str]:
        """Show the photos nearest to the centroid and the oddest; in a small group a photo is one or the other."""
        inside = self.by_group[group.id]
        terms = f" Set apart by: {escaped(', '.join(group.terms))}." if group.terms else ""
        size = f"**{escaped(group.name)}**: {counted(len(inside), 'photo')}, group {group.id}.{terms}"
        yield from _heading(f"## {escaped(group.heading)}", size)
        stacks = _stacks(inside)
        odd = stacks[::-1][: min(_ODDEST, len(stacks) // 2)]
        near = stacks[: min(_NEAREST, len(stacks) - len(odd))]
        yield from _head("", "Photo", "Label", "Distance")
        for word, some in (("nearest", near), ("oddest", odd)):
            for row, frames in some:
                yield _line(word, self.photo(row, frames), _label(row), _spaced(row))

    def unclustered(self) -> Iterator[str]:
        rows = self.by_group[-1]
        if not rows:
            yield from ("", f"## {UNCLUSTERED}", "", "None.")
            return
        stacks = _stacks(rows)
        shown = stacks[:_UNCLUSTERED_SHOWN]
        cut = f" Here the {len(shown)} that come nearest to one." if len(shown) < len(stacks) else ""
        where = f"{counted(len(rows), 'photo')} in no group, in `{CSV}` with `cluster_id` -1.{cut}"
        yield from _heading(f"## {UNCLUSTERED}", where)
        yield from _head("Photo", "Label", "Nearest group", "Distance")
        for row, frames in shown:
            nearest = self.headings.get(row.nearest_cluster, "") if row.nearest_cluster is not None else ""
            yield _line(self.photo(row, frames), _label(row), escaped(nearest), _spaced(row))

    def trips(self) -> Iterator[str]:
        yield from _heading(
            "## Trips",
            "Events away from home that follow one another. The names of towns are from GeoNames, CC BY 4.0.",
        )
        yield from _head("Trip", "Id", "Photos", "Events", "From", "To")
        for trip in self.report.trips:
            photos = sum(len(self.by_event[event]) for event in trip.events)
            days = (f"{at:%Y-%m-%d}" for at in (trip.start, trip.end))
            yield _line(escaped(trip.title), str(trip.id), f"{photos:,}", f"{len(trip.events):,}", *days)

    def events(self) -> Iterator[str]:
        """List the events, the oldest first as their ids count: the end of the list is where it grows."""
        about = "A day with its night, or days on end that stand out, in one place."
        yield from _heading("## Events", about + self.cut_short(_EVENTS_SHOWN))
        yield from _head("Event", "Id", "Photos", "From", "To", "Most of them in")
        for event in self.largest_events(_EVENTS_SHOWN):
            inside = self.by_event[event.id]
            groups = Counter(row.cluster_id for row in inside if row.cluster_id is not None)
            groups.pop(-1, None)
            most = (
                f"{escaped(shorten(self.headings[group], 40))} ({number:,})"
                for group, number in groups.most_common(2)
            )
            start, end = (_at(at, event.by_day) for at in (event.start, event.end))
            yield _line(escaped(event.title), str(event.id), f"{len(inside):,}", start, end, "; ".join(most))

    def events_by_theme(self) -> Iterator[str]:
        themes = [theme.name for theme in self.report.themes]
        about = "How many photos of an event are of which theme."
        yield from _heading("## Events by theme", about + self.cut_short(_EVENTS_BY_THEME))
        yield from _head("Event", *map(escaped, themes), UNCLUSTERED, "Without a picture")
        for event in self.largest_events(_EVENTS_BY_THEME):
            counts = Counter(
                "" if row.cluster_id is None else self.theme_of.get(row.cluster_id, UNCLUSTERED)
                for row in self.by_event[event.id]
            )
            numbers = (counts[name] for name in (*themes, UNCLUSTERED, ""))
            yield _line(escaped(event.title), *(f"{number:,}" if number else "" for number in numbers))

    def largest_events(self, number: int) -> list[Event]:
        """Return the largest events in the order of time, and at the end what is in none, however little."""
        dated = [event for event in self.report.events if event.start]
        dated.sort(key=lambda event: -len(self.by_event[event.id]))
        kept = {event.id for event in dated[:number]}
        return [event for event in self.report.events if event.id in kept or not event.start]

    def cut_short(self, number: int) -> str:
        dated = sum(event.start is not None for event in self.report.events)
        if dated <= number:
            return ""
        return f" Here the {number:,} largest of {dated:,}; all are in `{CSV}`, by `event_id`."

    def unplaced(self) -> Iterator[str]:
        rows = self.by_group[None]
        shown = rows[:_UNPLACED_SHOWN]
        cut = f" Here the first {len(shown)}." if len(shown) < len(rows) else ""
        where = f"{counted(len(rows), 'file')} on no map, in `{CSV}` with an empty `cluster_id`.{cut}"
        yield from _heading("## Without a picture", where)
        yield from _head("File", "Label")
        for row in shown:
            yield _line(self.photo(row), _label(row))

    def photo(self, row: Row, frames: int = 1) -> str:
        name = escaped(row.rel_path) or "?"
        burst = f" (\u00d7{frames})" if frames > 1 else ""
        if self.report.link is None:
            return name + burst
        place = self.report.odd.get(row.rel_path) or quote(row.rel_path.encode("utf-8", "backslashreplace"))
        return f"[{name}]({self.report.link}{place}){burst}"

    def share(self, part: int) -> str:
        return f"{part / self.placed:.1%}" if self.placed else "0.0%"


def _span(events: Sequence[Event]) -> str:
    """Return how many events there are, from when to when, and what is in none for want of a date."""
    years = [at.year for event in events for at in (event.start, event.end) if at]
    span = counted(len(years) // 2, "event")
    if years:
        span += f", {min(years)}" + (f"\u2013{max(years)}" if max(years) > min(years) else "")
    outside = [
        f"{counted(len(event.members), 'file')} {_WHY[event.id]}" for event in events if not event.start
    ]
    return "; ".join((span, *outside))


def _at(time: datetime | None, by_day: bool) -> str:
    return "" if time is None else f"{time:%Y-%m-%d}" if by_day else f"{time:%Y-%m-%d %H:%M}"


def _stacks(rows: Sequence[Row]) -> list[tuple[Row, int]]:
    """Return one row for each burst among the rows, and its frames among them; the other rows are one each.

    It is the frame that stands for the burst, or the first of the rows if that one is not among them.
    """
    frames = Counter(row.burst_of for row in rows)
    shown = {row.burst_of: row for row in reversed(rows)}
    shown |= {row.burst_of: row for row in rows if row.rel_path == row.burst_of}
    return [
        (row, frames[row.burst_of] if row.burst_of else 1)
        for row in rows
        if not row.burst_of or row is shown[row.burst_of]
    ]


def _heading(text: str, *below: str) -> Iterator[str]:
    yield from ("", text, "")
    for paragraph in below:
        yield from (paragraph, "")


def _head(*cells: str) -> Iterator[str]:
    yield _line(*cells)
    yield _line(*["---"] * len(cells))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _label(row: Row) -> str:
    if row.label:
        return escaped(shorten(row.label, _LABEL_LENGTH))
    return "*error*" if row.label_source == "error" else ""


def _spaced(row: Row) -> str:
    return "" if row.distance_to_centroid is None else f"{row.distance_to_centroid:.3f}"


def _distance(row: Row) -> float:
    return float("inf") if row.distance_to_centroid is None else row.distance_to_centroid
