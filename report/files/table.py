"""Owns cluster_export.csv and cluster_export.parquet: one row per file. Decides no name and no group.

The CSV is RFC 4180 (commas, CRLF, quotes doubled) in UTF-8 without a byte order mark. A spreadsheet takes a cell that
begins with `=`, `+`, `-`, `@`, a tab or a line break for a formula, so such a text gets an apostrophe before it: it is read
as text, and shows at worst that apostrophe. So that a program gets back exactly what was written, a text that has
apostrophes before such a character gets one more: `plain` takes one apostrophe away from what matches
`'+[=+-@...]`, and from nothing else. Numbers are left as they are: -1 is a number and no formula. Labels and headings
are one line each (report/naming/naming.py); a line break in a file's name stays, in quotes, because the name is the key.
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
    place on the map. `taken_at` is ISO 8601 by the clock of the place, with the offset where it is known; `taken_from` is
    `exif`, or `file` for the file's own date. `chunk_id` is None where no file was opened, -1 without a date.
    `burst_of` is the `rel_path` of the frame that stands for a burst of near-identical ones, also for that frame itself; empty
    outside of bursts. `group_name` and `event_name` are the short names.
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
    chunk_id: int | None = None
    chunk_label: str = ""
    burst_of: str = ""
    group_name: str = ""
    event_name: str = ""


COLUMNS = Row._fields
_FIRST_COLUMNS = frozenset(COLUMNS) - Row._field_defaults.keys()
"""Those of the first version; an export without the later ones still gives its names on."""


def make_rows(
    labels: Mapping[str, Label],
    rel_paths: Sequence[str],
    clusters: Clusters,
    groups: Sequence[Group],
    timeline: Timeline = _NO_TIMES,
) -> list[Row]:
    """Join what is known of every file, in the order of `labels`.

    Args:
        labels: of all walked files.
        rel_paths: the clustered photos, a row each in the arrays of `clusters`.
        clusters: which count as `groups` does.
        groups: with their ids and headings.
        timeline: of all of `labels`.
    """
    rows = {rel_path: row for row, rel_path in enumerate(rel_paths)}
    ids = {-1: -1} | {index: group.id for index, group in enumerate(groups)}
    headings = {-1: UNCLUSTERED} | {index: group.heading for index, group in enumerate(groups)}
    names = {-1: ""} | {index: group.name for index, group in enumerate(groups)}
    of, nearest = clusters.labels.tolist(), clusters.nearest.tolist()
    distances, xy = clusters.distances.tolist(), clusters.xy.tolist()
    table = []
    for (rel_path, label), cells in zip(labels.items(), _later_cells(list(labels), timeline), strict=True):
        row = rows.get(rel_path)
        if row is None:
            table.append(
                Row(
                    rel_path,
                    None,
                    "",
                    label.text,
                    label.source,
                    None,
                    None,
                    None,
                    None,
                    *cells[:-1],
                    "",
                    cells[-1],
                )
            )
            continue
        table.append(
            Row(
                rel_path,
                ids[of[row]],
                headings[of[row]],
                label.text,
                label.source,
                _known(distances[row]),
                ids[nearest[row]] if nearest[row] >= 0 else None,
                _known(xy[row][0]),
                _known(xy[row][1]),
                *cells[:-1],
                names[of[row]],
                cells[-1],
            )
        )
    return table


def _later_cells(
    rel_paths: Sequence[str], timeline: Timeline
) -> Iterator[tuple[str, str, int | None, str, str, str]]:
    """Yield what is known of the time of each file: `taken_at` and the columns after it, but for the group's name."""
    chunk_of = {place: chunk for chunk in timeline.chunks for place in chunk.members}
    for place in range(len(rel_paths)):
        moment = timeline.moments[place] if timeline.moments else None
        chunk = chunk_of.get(place)
        frame = timeline.bursts[place] if timeline.bursts else -1
        yield (
            moment.at.isoformat(timespec="seconds") if moment and moment.at else "",
            moment.source if moment else "",
            chunk.id if chunk else None,
            chunk.title if chunk else "",
            rel_paths[frame] if frame >= 0 else "",
            chunk.name if chunk else "",
        )


def write_csv(report: Report, folder: Path) -> None:
    """Write the rows; the same rows give the same bytes. The file is replaced whole or not at all.

    Raises:
        StopRunError: it cannot be written.
    """
    with (
        replaced(folder / CSV) as new,
        new.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file,
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
                    row.chunk_id,
                    guarded(row.chunk_label),
                    guarded(row.burst_of),
                    guarded(row.group_name),
                    guarded(row.event_name),
                )
            )


def read_csv(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV that `write_csv` made, now or before there were chunks, with the texts as they were.

    Columns that it does not know are ignored.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged, or something else (also csv.Error).
    """
    csv.field_size_limit(
        1 << 30
    )  # the usual 131,072 would refuse one overlong caption, and with it the whole file
    with path.open(encoding="utf-8-sig", newline="") as file:  # Excel adds a mark when it saves
        reader = csv.DictReader(file, strict=True)
        missing = _FIRST_COLUMNS - set(reader.fieldnames or ())
        if missing:
            raise ValueError(f"it has no column {min(missing)}")
        for cells in reader:
            if None in cells or None in cells.values():
                raise ValueError(f"line {reader.line_num} has another number of columns")
            yield Row(
                plain(cells["rel_path"]),
                _integer(cells["cluster_id"]),
                plain(cells["cluster_label"]),
                plain(cells["label"]),
                cells["label_source"],
                _number(cells["distance_to_centroid"]),
                _integer(cells["nearest_cluster"]),
                _number(cells["x"]),
                _number(cells["y"]),
                cells.get("taken_at", ""),
                cells.get("taken_from", ""),
                _integer(cells.get("chunk_id", "")),
                plain(cells.get("chunk_label", "")),
                plain(cells.get("burst_of", "")),
                plain(cells.get("group_name", "")),
                plain(cells.get("event_name", "")),
            )


def write_parquet(report: Report, folder: Path) -> None:
    """Write the rows with types and the texts as they are, for Embedding Atlas and for programs.

    `taken_at` is a timestamp by the clock of the place, without its offset, which the CSV has: Embedding Atlas draws a
    histogram of a timestamp, in which a span can be picked, and nothing of a text with more than 1000 values
    (packages/viewer/src/charts/default_charts.ts).

    Files without a place have nulls in `x` and `y`, which Embedding Atlas (0.26) would draw: leave them out with
    `--query "SELECT * FROM data WHERE x IS NOT NULL"`.

    Raises:
        StopRunError: it cannot be written, or pyarrow is missing.
    """
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise PackagesError(
            f"{PARQUET} needs packages that are not installed (pyarrow: {error}).", extra="report-core"
        ) from None
    types = dict.fromkeys(("cluster_id", "nearest_cluster", "chunk_id"), pa.int64())
    types |= dict.fromkeys(("distance_to_centroid", "x", "y"), pa.float64())
    types["taken_at"] = pa.timestamp("s")
    columns = zip(*report.rows, strict=True) if report.rows else [()] * len(COLUMNS)
    values = dict(zip(COLUMNS, columns, strict=True))
    values["taken_at"] = tuple(
        datetime.fromisoformat(at).replace(tzinfo=None) if at else None for at in values["taken_at"]
    )
    arrays = {
        name: pa.array(
            [encodable(value) if isinstance(value, str) else value for value in column],
            types.get(name, pa.string()),
        )
        for name, column in values.items()
    }
    with replaced(folder / PARQUET) as new:
        pq.write_table(pa.table(arrays), new, compression="zstd")


def read_grouped_by(path: Path) -> str:
    """Return what the Parquet file of an older report says of how its rows were grouped.

    Raises:
        OSError: there is none, or it cannot be read.
        ValueError: it is something else (pyarrow's own errors are ValueErrors).
    """
    import pyarrow.parquet as pq

    said = (pq.read_schema(path).metadata or {}).get(b"grouped_by")
    if said is None:
        raise FileNotFoundError(path)
    return str(said, "utf-8")


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
        descriptor = os.open(new, os.O_RDWR)
        try:
            os.fsync(descriptor)  # else a power cut could leave the name on an empty file
        finally:
            os.close(descriptor)
        os.replace(new, path)
    except OSError as error:
        raise StopRunError(
            f"{path} cannot be written ({error.strerror or error}): free the disk, or give another {flag}."
        ) from None
    finally:
        with suppress(OSError):
            new.unlink(missing_ok=True)


def guarded(text: str) -> str:
    """Return a text as no spreadsheet takes it for a formula."""
    return "'" + text if _FORMULA.match(text) else text


def plain(cell: str) -> str:
    """Return the text that `guarded` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _fixed(value: float | None, digits: int) -> str:
    """Spell a number the same way always: no exponent, and no minus before a zero."""
    return "" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def _integer(cell: str) -> int | None:
    return int(cell) if cell else None


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def encodable(text: str) -> str:
    """Return a text as UTF-8 can hold it."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
