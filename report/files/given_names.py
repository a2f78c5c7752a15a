"""Owns cluster_names.csv: what people say of groups, as a table to edit in any program. Decides nothing of it.

    group,name,your name,hide,merge with,photos
    7,Dogs,Rex,,,2019/a.jpg | 2019/b.jpg

Programs save such a table in their own way: commas, semicolons or tabs, with or without a byte order mark. It is read in all of
them and written as it was read. A report writes a line for each of its groups, and keeps every line into which a person wrote
something, whether it could be read or not.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report.files.spreadsheet import read_cells
from report.files.table import guarded, plain, replaced
from report.naming.given import SEPARATOR, Line, sample
from report.naming.naming import one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from report.build import Report
    from report.naming.naming import Group

NAMES = "cluster_names.csv"
GROUP, OLD, YOURS, HIDE, MERGE, OF = COLUMNS = ("group", "name", "your name", "hide", "merge with", "photos")
_YES = frozenset("yes y x 1 true hide hidden ja j oui o si s".split())
_NO = frozenset(("", "no", "n", "0", "false", "nein", "non"))


@dataclass(frozen=True, slots=True)
class NamesFile:
    """The table as it was read, or an empty one. `lines` are by the place of their row in `rows`; the others could not be read.

    Where `is_whole` is false the file could not be read at all and must not be written.
    """

    columns: Sequence[str] = COLUMNS
    rows: Sequence[Sequence[str]] = ()
    lines: Mapping[int, Line] = field(default_factory=dict)
    delimiter: str = ","
    encoding: str = "utf-8-sig"
    is_whole: bool = True
    notes: Sequence[str] = ()


def read_names(folder: Path) -> NamesFile:
    """Return what people say in `folder`; `notes` has a sentence for whatever cannot be used."""
    try:
        content = (folder / NAMES).read_bytes()
    except FileNotFoundError:
        return NamesFile()
    except OSError as error:
        return _unread(f"it cannot be read ({error.strerror or error}): see to the file")
    try:
        cells = read_cells(content)
    except ValueError as error:
        return _unread(str(error))
    columns, rows, known = cells.columns, cells.rows, cells.known
    if YOURS not in known or not {GROUP, OF} & set(known):
        return _unread(f'its first line has no "{GROUP}" and "{YOURS}": give it the line {",".join(COLUMNS)}')
    lines, notes = {}, []
    for place, (number, row) in enumerate(rows):
        try:
            lines[place] = _line(number, dict(zip(known, row, strict=False)))
            if len(row) > len(columns):
                notes.append(
                    f"line {number} has more cells than the first line; the last ones were not used."
                )
        except ValueError as error:
            notes.append(f"line {number} was not used: {error}.")
    notes = [f"{NAMES}: {note}" for note in notes]
    return NamesFile(columns, [row for _, row in rows], lines, cells.delimiter, cells.encoding, notes=notes)


def _unread(why: str) -> NamesFile:
    return NamesFile(is_whole=False, notes=[f"{NAMES} was not used and stays as it is, because {why}."])


def _line(number: int, cells: Mapping[str, str]) -> Line:
    """Raises ValueError with what is wrong."""
    cells = {column: plain(cell).strip() for column, cell in cells.items()}
    group, hide = cells.get(GROUP, ""), cells.get(HIDE, "").casefold()
    if group and not group.isdecimal():
        raise ValueError(f'"{group}" in the column "{GROUP}" is no number')
    if hide not in _YES | _NO:
        raise ValueError(f'"{hide}" in the column "{HIDE}" is neither yes nor no')
    photos = tuple(filter(None, (photo.strip() for photo in cells.get(OF, "").split(SEPARATOR.strip()))))
    if not group and not photos:
        raise ValueError("it names no group")
    return Line(
        number, int(group) if group else None, cells.get(OLD, ""), one_line(cells.get(YOURS, "")),
        hide in _YES, cells.get(MERGE, ""), photos,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class NamesTable:
    """What the next file holds: its rows, and which of them is about which group, by the group's id."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    row_of: Mapping[int, int]
    delimiter: str
    encoding: str


def names_table(
    names: NamesFile, groups: Sequence[Group], ids: Mapping[int, int], photos: Mapping[int, Sequence[str]]
) -> NamesTable:
    """Return the table to write: every group has a row, and what people wrote stays.

    Args:
        names: as read.
        groups: of the report.
        ids: of each line that is about a group now, the id of that group.
        photos: of each such id and of each group, those nearest to the centre first.
    """
    columns = [column.strip().casefold() for column in names.columns]
    missing = [column for column in COLUMNS if column not in columns]
    columns += missing
    automatic = {group.id: group.short or group.heading for group in groups}
    row_of: dict[int, int] = {}
    rows: list[list[str]] = []
    for place, cells in enumerate(names.rows):
        line = names.lines.get(place)
        row = [*cells, *[""] * (len(columns) - len(cells))]
        rest = (cell for column, cell in zip(columns, row, strict=False) if column not in {GROUP, OLD, OF})
        if line and not any(rest) and len(cells) <= len(names.columns):
            continue  # a report wrote all that is in it
        if line and line.number in ids:
            about = ids[line.number]
            new = {GROUP: str(about), OLD: guarded(automatic.get(about, line.old))}
            if not line.photos:
                new[OF] = guarded(SEPARATOR.join(sample(photos.get(about, ()))))
            row[: len(columns)] = [new.get(column, cell) for column, cell in zip(columns, row, strict=False)]
            row_of.setdefault(about, len(rows))
        rows.append(row)
    for group in groups:
        if group.id not in row_of:
            new = {GROUP: str(group.id), OLD: guarded(automatic[group.id])}
            new[OF] = guarded(SEPARATOR.join(sample(photos[group.id])))
            row_of[group.id] = len(rows)
            rows.append([new.get(column, "") for column in columns])
    return NamesTable([*names.columns, *missing], rows, row_of, names.delimiter, names.encoding)


def write_names(report: Report, folder: Path) -> None:
    """Write the table of the report; a file that could not be read is left alone.

    Raises:
        StopRunError: it cannot be written.
    """
    names = report.names
    if names is None:
        return
    text = io.StringIO()
    writer = csv.writer(text, delimiter=names.delimiter)
    writer.writerow(names.columns)
    writer.writerows(names.rows)
    content = text.getvalue().encode(names.encoding, "backslashreplace")
    path = folder / NAMES
    if path.exists() and path.read_bytes() == content:
        return
    with replaced(path) as new:
        new.write_bytes(content)
