"""Owns cluster_report.md: the groups as a page to read. Decides no name and no group, and opens no photo.

Captions and file names are what strangers and models wrote. They stand only in headings and table cells, where Markdown
knows no blocks, and are escaped, so that nothing in them becomes a cell, a tag, a link, a picture or an emphasis. The
page says nothing of when it was made: the same input gives the same bytes.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from urllib.parse import quote

from report.files.given_names import NAMES
from report.files.table import CSV, replaced
from report.naming.naming import UNCLUSTERED, counted, one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from report.build import Report
    from report.events import Chunk
    from report.files.table import Row
    from report.naming.naming import Group, Theme

    _Link = Callable[[str], str | None]

MARKDOWN = "cluster_report.md"
_NEAREST = 9
_ODDEST = 3
_UNCLUSTERED_SHOWN = 100
_UNPLACED_SHOWN = 20
_LABEL_LENGTH = 200
_CHUNKS_SHOWN = 1000
_CHUNKS_BY_THEME = 100


def write_markdown(report: Report, folder: Path) -> None:
    """Write the report; the same input gives the same bytes. The file is replaced whole or not at all.

    Raises:
        StopRunError: it cannot be written.
    """
    text = "\n".join(_lines(report)) + "\n"
    with replaced(folder / MARKDOWN) as new:
        new.write_bytes(text.encode("utf-8", "backslashreplace"))


def escaped(text: str) -> str:
    """Return a text as it reads in a heading or a table cell, and as nothing else."""
    return _PIPE.sub(_spelled, _MARKUP.sub(r"\\\g<0>", one_line(text)))


_MARKUP = re.compile(
    r"""[\\`*\[\]~$#]               # code, emphasis, links and pictures, struck out, formulas, references
    | (?<![^\W_])_ | _(?![^\W_])    # emphasis; inside a word, as in IMG_0502, it is none
    | :(?=//) | (?<=www)\.          # bare addresses, which GitHub makes into links
    """,
    re.VERBOSE | re.IGNORECASE,
)
_PIPE = re.compile("[&<>|]")
"""As entities: a pipe behind a backslash is still a pipe to some readers."""


def _spelled(match: re.Match[str]) -> str:
    return {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;"}[match[0]]


def _lines(report: Report) -> Iterator[str]:
    def link(rel_path: str) -> str | None:
        return None if report.link is None else report.link + (report.odd.get(rel_path) or _url(rel_path))

    groups, themes = report.groups, report.themes
    by_group: dict[int | None, list[Row]] = defaultdict(list)
    for row in sorted(report.rows, key=_distance):  # stable: ties in the order of the rows
        by_group[row.cluster_id].append(row)
    unplaced, unclustered = by_group[None], by_group[-1]
    ordered = sorted(groups, key=lambda group: (-len(by_group[group.id]), group.id))
    theme_of = {groups[index].id: theme.name for theme in themes for index in theme.groups}
    headings = {group.id: group.heading for group in groups}

    yield from ("# Cluster report", "", escaped(report.summary), "")
    yield from _figures(report, ordered, by_group)
    if themes:
        yield from _themes(themes, groups, by_group)
    if ordered:
        yield from _overview(ordered, by_group, theme_of, len(report.rows) - len(unplaced))
    for group in ordered:
        if not group.hidden:
            yield from _group(group, by_group[group.id], link)
    yield from _unclustered(unclustered, headings, link)
    if report.chunks:
        yield from _in_time(report, headings, theme_of)
    if unplaced:
        yield from _unplaced(unplaced, link)


def _figures(
    report: Report, ordered: Sequence[Group], by_group: Mapping[int | None, Sequence[Row]]
) -> Iterator[str]:
    unplaced, unclustered = len(by_group[None]), len(by_group[-1])
    placed = len(report.rows) - unplaced
    yield (
        f"- {counted(len(report.rows), 'file')}, {placed:,} of them on the map, in {counted(len(ordered), 'group')}"
        + (f" and {counted(len(report.themes), 'theme')}" if report.themes else "")
    )
    yield f"- Unclustered: {unclustered:,} ({_share(unclustered, placed)})"
    if ordered:
        size = len(by_group[ordered[0].id])
        yield f"- Largest group: {size:,} ({_share(size, placed)}), {escaped(ordered[0].heading)}"
    if unplaced:
        yield f"- On no map, because there is no picture to look at (videos, broken files): {unplaced:,}"
    if report.chunks:
        yield f"- In time: {_span(report.chunks)}"
    if any(row.burst_of for row in report.rows):
        yield "- (\u00d75): a burst of five frames of nearly the same, within a minute each; one is shown for all"
    if hidden := [group for group in ordered if group.hidden]:
        yield f"- Hidden by {NAMES}: {', '.join(escaped(group.name) for group in hidden)}"
    yield f"- Method: {escaped(report.method)}"
    for note in report.notes:
        yield f"- Note: {escaped(note)}"


def _themes(
    themes: Sequence[Theme], groups: Sequence[Group], by_group: Mapping[int | None, Sequence[Row]]
) -> Iterator[str]:
    yield from _heading("## Themes")
    yield from _head("Theme", "Groups", "Photos", "Largest groups")
    for theme in themes:
        inside = [groups[index] for index in theme.groups]
        inside.sort(key=lambda group: (-len(by_group[group.id]), group.id))
        photos = sum(len(by_group[group.id]) for group in inside)
        largest = "; ".join(escaped(group.name) for group in inside[:3])
        yield _line(escaped(theme.name), f"{len(inside):,}", f"{photos:,}", largest)


def _overview(
    ordered: Sequence[Group],
    by_group: Mapping[int | None, Sequence[Row]],
    theme_of: Mapping[int, str],
    placed: int,
) -> Iterator[str]:
    yield from _heading("## Groups by size")
    yield from _head("Name", "Group", "Id", "Photos", "Share", "Theme", "Set apart by")
    for group in ordered:
        size = len(by_group[group.id])
        yield _line(
            escaped(group.name),
            escaped(group.heading),
            str(group.id),
            f"{size:,}",
            _share(size, placed),
            escaped(theme_of.get(group.id, "")),
            escaped(", ".join(group.terms[:5])),
        )


def _group(group: Group, inside: Sequence[Row], link: _Link) -> Iterator[str]:
    """Show the photos nearest to the centroid and the oddest; in a small group a photo is one or the other."""
    yield from _heading(f"## {escaped(group.heading)}")
    terms = f" Set apart by: {escaped(', '.join(group.terms))}." if group.terms else ""
    yield f"**{escaped(group.name)}**: {counted(len(inside), 'photo')}, group {group.id}.{terms}"
    yield ""
    stacks = _stacks(inside)
    odd = stacks[::-1][: min(_ODDEST, len(stacks) // 2)]
    near = stacks[: min(_NEAREST, len(stacks) - len(odd))]
    yield from _head("", "Photo", "Label", "Distance")
    for word, some in (("nearest", near), ("oddest", odd)):
        for row, frames in some:
            yield _line(word, _photo(row, link, frames), _label(row), _spaced(row))


def _unclustered(rows: Sequence[Row], headings: Mapping[int, str], link: _Link) -> Iterator[str]:
    yield from _heading(f"## {UNCLUSTERED}")
    if not rows:
        yield "None."
        return
    stacks = _stacks(rows)
    shown = stacks[:_UNCLUSTERED_SHOWN]
    yield f"{counted(len(rows), 'photo')} in no group, in `{CSV}` with `cluster_id` -1." + (
        f" Here the {len(shown)} that come nearest to one." if len(shown) < len(stacks) else ""
    )
    yield ""
    yield from _head("Photo", "Label", "Nearest group", "Distance")
    for row, frames in shown:
        nearest = headings.get(row.nearest_cluster, "") if row.nearest_cluster is not None else ""
        yield _line(_photo(row, link, frames), _label(row), escaped(nearest), _spaced(row))


def _in_time(report: Report, headings: Mapping[int, str], theme_of: Mapping[int, str]) -> Iterator[str]:
    by_chunk: dict[int | None, list[Row]] = defaultdict(list)
    for row in report.rows:
        by_chunk[row.chunk_id].append(row)
    yield from _chunks(report.chunks, by_chunk, headings)
    if report.themes:
        themes = [theme.name for theme in report.themes]
        yield from _chunks_by_theme(report.chunks, by_chunk, themes, theme_of)


def _chunks(
    chunks: Sequence[Chunk], by_chunk: Mapping[int | None, Sequence[Row]], headings: Mapping[int, str]
) -> Iterator[str]:
    """List the events, the oldest first as their ids count: the end of the list is where it grows."""
    yield from _heading("## Chunks")
    yield (
        "Events and trips: photos that follow one another without a large gap in time or place."
        + _cut_short(chunks, _CHUNKS_SHOWN)
    )
    yield ""
    yield from _head("Chunk", "Id", "Photos", "From", "To", "Most of them in")
    for chunk in _largest(chunks, by_chunk, _CHUNKS_SHOWN):
        inside = by_chunk[chunk.id]
        groups = Counter(row.cluster_id for row in inside if row.cluster_id is not None)
        groups.pop(-1, None)
        yield _line(
            escaped(chunk.title),
            str(chunk.id),
            f"{len(inside):,}",
            f"{chunk.start:%Y-%m-%d %H:%M}" if chunk.start else "",
            f"{chunk.end:%Y-%m-%d %H:%M}" if chunk.end else "",
            "; ".join(
                f"{escaped(shorten(headings[group], 40))} ({number:,})"
                for group, number in groups.most_common(2)
            ),
        )


def _chunks_by_theme(
    chunks: Sequence[Chunk],
    by_chunk: Mapping[int | None, Sequence[Row]],
    themes: Sequence[str],
    theme_of: Mapping[int, str],
) -> Iterator[str]:
    yield from _heading("## Chunks by theme")
    yield "How many photos of a chunk are of which theme." + _cut_short(chunks, _CHUNKS_BY_THEME)
    yield ""
    yield from _head("Chunk", *map(escaped, themes), UNCLUSTERED, "Without a picture")
    for chunk in _largest(chunks, by_chunk, _CHUNKS_BY_THEME):
        counts = Counter(
            "" if row.cluster_id is None else theme_of.get(row.cluster_id, UNCLUSTERED)
            for row in by_chunk[chunk.id]
        )
        numbers = (counts[name] for name in (*themes, UNCLUSTERED, ""))
        yield _line(escaped(chunk.title), *(f"{number:,}" if number else "" for number in numbers))


def _largest(
    chunks: Sequence[Chunk], by_chunk: Mapping[int | None, Sequence[Row]], number: int
) -> list[Chunk]:
    """Return the largest chunks in the order of time, and at the end the one without a date, however small."""
    dated = sorted((chunk for chunk in chunks if chunk.start), key=lambda chunk: -len(by_chunk[chunk.id]))
    kept = {chunk.id for chunk in dated[:number]}
    return [chunk for chunk in chunks if chunk.id in kept or not chunk.start]


def _cut_short(chunks: Sequence[Chunk], number: int) -> str:
    dated = sum(chunk.start is not None for chunk in chunks)
    if dated <= number:
        return ""
    return f" Here the {number:,} largest of {dated:,}; all are in `{CSV}`, by `chunk_id`."


def _span(chunks: Sequence[Chunk]) -> str:
    """Return how many chunks there are, from when to when, and what is in none for want of a date."""
    years = [at.year for chunk in chunks for at in (chunk.start, chunk.end) if at]
    undated = sum(len(chunk.members) for chunk in chunks if not chunk.start)
    span = counted(len(years) // 2, "chunk")
    if years:
        span += f", {min(years)}" + (f"\u2013{max(years)}" if max(years) > min(years) else "")
    return span + (f"; {counted(undated, 'file')} without a date" if undated else "")


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


def _unplaced(rows: Sequence[Row], link: _Link) -> Iterator[str]:
    yield from _heading("## Without a picture")
    shown = rows[:_UNPLACED_SHOWN]
    yield f"{counted(len(rows), 'file')} on no map, in `{CSV}` with an empty `cluster_id`." + (
        f" Here the first {len(shown)}." if len(shown) < len(rows) else ""
    )
    yield ""
    yield from _head("File", "Label")
    for row in shown:
        yield _line(_photo(row, link), _label(row))


def _heading(text: str) -> Iterator[str]:
    yield from ("", text, "")


def _head(*cells: str) -> Iterator[str]:
    yield _line(*cells)
    yield _line(*["---"] * len(cells))


def _line(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _photo(row: Row, link: _Link, frames: int = 1) -> str:
    name = escaped(row.rel_path) or "?"
    burst = f" (\u00d7{frames})" if frames > 1 else ""
    target = link(row.rel_path)
    return (name if target is None else f"[{name}]({target})") + burst


def _url(path: str) -> str:
    return quote(path.encode("utf-8", "backslashreplace"))


def _label(row: Row) -> str:
    if row.label:
        return escaped(shorten(row.label, _LABEL_LENGTH))
    return "*error*" if row.label_source == "error" else ""


def _spaced(row: Row) -> str:
    return "" if row.distance_to_centroid is None else f"{row.distance_to_centroid:.3f}"


def _distance(row: Row) -> float:
    return float("inf") if row.distance_to_centroid is None else row.distance_to_centroid


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "0.0%"
