"""Owns cluster_export.csv and cluster_export.parquet: one row per file. Decides no name and no group.

The CSV is RFC 4180 (commas, CRLF, quotes doubled) in UTF-8 with a byte order mark, without which Excel shows wrong umlauts.
A spreadsheet takes a cell that
begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula, so such a text gets an apostrophe before it: it is read
as text, and shows at worst that apostrophe. A text that has apostrophes before such a character gets one more, so that a
program can get back exactly what was written. Numbers are left as they are: -1 is a number and no formula. Labels and
headings are one line each (report/naming/naming.py); a line break in a file's name stays, in quotes, because the name is the key.
"""

from __future__ import annotations

import csv
import math
import os
import re
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from errors import PackagesError, StopRunError
from library.dates import Date
from report.events import Timeline
from report.naming.naming import UNCLUSTERED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from report.build import Report
    from report.groups.clustering import Clusters
    from report.naming.naming import Group, Label

CSV, PARQUET = "cluster_export.csv", "cluster_export.parquet"
_NO_TIMES = Timeline()
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""What a spreadsheet may run, with its full-width forms (OWASP, CSV Injection), behind any apostrophes."""


class Row(NamedTuple):
    """One walked file; the fields are the columns.

    `cluster_id` is None for what has no place (videos, broken files), -1 for what is in no group. `x` and `y` are the
    place on the map. `taken_at` is ISO 8601 by the clock of the place, with the offset where it is known, and no finer than it is
    known: `2019-07-12T14:30:00`, `2019-07-12`, `2019-07`, `2019`; `taken_precision` says so in a word (`second`, `day`, `month`,
    `year`). `taken_from` is the source: `exif`, `xmp`, `iptc` or `png` in the file, `sidecar`, `takeout`, the `name` of the file,
    the `folder`, or `file` for the file's own date. `event_id` is None where no file was opened; below 0 it says why the file is
    in no event (report/events.py). `burst_of` is the `rel_path` of the frame that stands for a burst of near-identical ones, also for that frame itself; empty
    outside of bursts. `event_name` and `group_name` are the short names. `trip_id` is None outside of trips. `tags` are the
    keywords, with semicolons between; `place` is the town.
    """

    rel_path: str
    cluster_id: int | None
    cluster_label: str
    label: str
    label_source: str
    distance_to_centroid: float | None
    nearest_cluster: int | None
    x: float | None
    y: float | None
    taken_at: str = ""
    taken_from: str = ""
    event_id: int | None = None
    event_label: str = ""
    burst_of: str = ""
    taken_precision: str = ""
    event_name: str = ""
    group_name: str = ""
    trip_id: int | None = None
    trip_label: str = ""
    tags: str = ""
    place: str = ""


COLUMNS = Row._fields


def make_rows(
    labels: Mapping[str, Label],
    rel_paths: Sequence[str],
    clusters: Clusters,
    groups: Sequence[Group],
    timeline: Timeline = _NO_TIMES,
) -> list[Row]:
    """Join what is known of every file, in the order of `labels`, which are of all files as `timeline` is.

    `rel_paths` are the clustered photos, a row each in the arrays of `clusters`, which count as `groups` does.
    """
    rows = {rel_path: row for row, rel_path in enumerate(rel_paths)}
    ids = {-1: -1} | {index: group.id for index, group in enumerate(groups)}
    headings = {-1: UNCLUSTERED} | {index: group.heading for index, group in enumerate(groups)}
    names = {-1: ""} | {index: group.name for index, group in enumerate(groups)}
    of, nearest = clusters.labels.tolist(), clusters.nearest.tolist()
    distances, xy = clusters.distances.tolist(), clusters.xy.tolist()
    table = []
    trips = {event: (trip.id, trip.title) for trip in timeline.trips for event in trip.events}
    towns = timeline.towns or [None] * len(labels)
    times = _later_cells(list(labels), timeline)
    for (rel_path, label), cells, town in zip(labels.items(), times, towns, strict=True):
        row, trip = rows.get(rel_path), trips.get(cells[2] or 0, (None, ""))
        last = (*trip, "; ".join(label.tags), town.line() if town else "")
        if row is None:
            bare = (rel_path, None, "", label.text, label.source, None, None, None, None)
            table.append(Row._make((*bare, *cells, "", *last)))
            continue
        group, near, (x, y) = of[row], nearest[row], xy[row]
        named = (rel_path, ids[group], headings[group], label.text, label.source)
        place = (_known(distances[row]), ids[near] if near >= 0 else None, _known(x), _known(y))
        table.append(Row._make((*named, *place, *cells, names[group], *last)))
    return table


def _later_cells(
    rel_paths: Sequence[str], timeline: Timeline
) -> Iterator[tuple[str, str, int | None, str, str, str, str]]:
    """Yield what is known of the time of each file: `taken_at` to `event_name`."""
    event_of = {place: event for event in timeline.events for place in event.members}
    for place in range(len(rel_paths)):
        moment = timeline.moments[place] if timeline.moments else None
        event = event_of.get(place)
        frame = timeline.bursts[place] if timeline.bursts else -1
        yield (
            str(Date(moment.at, moment.precision)) if moment and moment.at else "",
            moment.source if moment else "",
            event.id if event else None,
            event.title if event else "",
            rel_paths[frame] if frame >= 0 else "",
            moment.precision if moment and moment.at else "",
            event.name if event else "",
        )


def write_csv(report: Report, folder: Path) -> None:
    with (
        replaced(folder / CSV) as new,
        new.open("w", encoding="utf-8-sig", errors="backslashreplace", newline="") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for row in report.rows:
            writer.writerow(
                (
                    guarded(row.rel_path),
                    row.cluster_id,
                    guarded(row.cluster_label),
                    guarded(row.label),
                    row.label_source,
                    _fixed(row.distance_to_centroid, 6),
                    row.nearest_cluster,
                    _fixed(row.x, 4),
                    _fixed(row.y, 4),
                    row.taken_at,
                    row.taken_from,
                    row.event_id,
                    guarded(row.event_label),
                    guarded(row.burst_of),
                    row.taken_precision,
                    guarded(row.event_name),
                    guarded(row.group_name),
                    row.trip_id,
                    guarded(row.trip_label),
                    guarded(row.tags),
                    guarded(row.place),
                )
            )


def write_parquet(report: Report, folder: Path) -> None:
    """Write the rows with types and the texts as they are, for Embedding Atlas and for programs.

    `taken_at` is a timestamp by the clock of the place, at the beginning of what is known, without its offset, which the CSV
    has: Embedding Atlas draws a
    histogram of a timestamp, in which a span can be picked, and nothing of a text with more than 1000 values
    (packages/viewer/src/charts/default_charts.ts).

    Files without a place have nulls in `x` and `y`, which Embedding Atlas (0.26) would draw: leave them out with
    `--query "SELECT * FROM data WHERE x IS NOT NULL"`.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise PackagesError(
            f"{PARQUET} needs packages that are not installed (pyarrow: {error}).", extra="report-core"
        ) from None
    types = dict.fromkeys(("cluster_id", "nearest_cluster", "event_id", "trip_id"), pa.int64())
    types |= dict.fromkeys(("distance_to_centroid", "x", "y"), pa.float64())
    types["taken_at"] = pa.timestamp("s")
    columns = zip(*report.rows, strict=True) if report.rows else [()] * len(COLUMNS)
    values = dict(zip(COLUMNS, columns, strict=True))
    values["taken_at"] = tuple(wall_clock(at) for at in values["taken_at"])
    arrays = {
        name: pa.array(
            [encodable(value) if isinstance(value, str) else value for value in column],
            types.get(name, pa.string()),
        )
        for name, column in values.items()
    }
    with replaced(folder / PARQUET) as new:
        pq.write_table(pa.table(arrays), new, compression="zstd")


@contextmanager
def replaced(path: Path, flag: str = "--out-dir") -> Iterator[Path]:
    """Lend the name of a new file that takes the place of `path` when the block ends well, at once and whole.

    `flag` is the one that says where it lies.

    Raises:
        StopRunError: it cannot be written; what was at `path` is still there.
    """
    new = path.with_name(f"{path.name}.tmp")
    try:
        yield new
        with new.open("r+b") as file:
            os.fsync(file.fileno())  # else a power cut could leave the name on an empty file
        os.replace(new, path)
    except OSError as error:
        raise StopRunError(
            f"{path} cannot be written ({error.strerror or error}): free the disk, or give another {flag}."
        ) from None
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def read_rows(path: Path, flag: str) -> Iterator[dict[str, str]]:
    """Yield the rows of a table that a report wrote, with the cells as they stand there. `flag` has named it.

    Raises:
        StopRunError: it is no such table, or cannot be read.
    """
    no_table = f"{path} is no table of a report: give {flag} a {CSV}."
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = csv.DictReader(
                file, delimiter=max(",;\t", key=head.count)
            )  # a spreadsheet may have saved it
            if not {"rel_path", "cluster_id", "cluster_label"} <= set(rows.fieldnames or ()):
                raise StopRunError(no_table)
            yield from rows
    except OSError as error:
        raise StopRunError(f"{path} cannot be read ({error.strerror or error}): check {flag}.") from None
    except (csv.Error, UnicodeDecodeError):
        raise StopRunError(no_table) from None


def guarded(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula."""
    return "'" + text if _FORMULA.match(text) else text


def plain(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def wall_clock(taken_at: str) -> datetime | None:
    """Return the first moment of what `taken_at` says, by the clock of the place; None where it is empty."""
    if len(taken_at) < len("2019-07-12"):  # a year or a month
        taken_at += "-01-01"[len(taken_at) - 4 :] if taken_at else ""
    return datetime.fromisoformat(taken_at).replace(tzinfo=None) if taken_at else None


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fixed(value: float | None, digits: int) -> str:
    """Spell a number the same way always: no exponent, and no minus before a zero."""
    return "" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def encodable(text: str) -> str:
    """Return a text as UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
