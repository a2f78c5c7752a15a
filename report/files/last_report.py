"""Owns last_report.json: what a report leaves for the next one, so that photos stay in their groups and groups keep their names.

    {"version": 1, "grouped_by": "Grouped by ...", "headings": {"7": "A dog on a beach"}, "names": {"7": "Dogs"},
     "photos": {"2019/a.jpg": [7, 0.25, true]}, "told": [["group", "Sports cars", ["0a1b2c3d"], "local"]]}

`photos` holds every photo that had a vector: the id of its group (-1 for none), its distance to a centroid (null without
any group), and whether its label was a caption. `told` are the names by a language model and the captions behind each, as hashes. Groups that people put together are apart here, so that they can take it back.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, Field

from report.files.table import PARQUET, Row, encodable, replaced
from report.naming.asked import Kept
from report.naming.inheritance import Previous
from report.naming.naming import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from report.build import Report

LAST = "last_report.json"
_Id = Annotated[int, Field(ge=-1, le=2**62)]
"""That and the ids after it fit into the arrays of 64 bits."""


class _Said(BaseModel):
    version: Literal[1] = 1
    grouped_by: str
    headings: dict[_Id, str]
    names: dict[_Id, str] = {}
    photos: dict[str, tuple[_Id, float | None, bool]]
    told: list[tuple[str, str, list[str], str]] = []


def read_previous(folder: Path) -> tuple[Previous, str | None]:
    """Return what the report in `folder` left; nothing if there is none, and a sentence if it cannot be used."""
    path = folder / (LAST if (folder / LAST).exists() else PARQUET)
    try:
        said = _older(path) if path.name == PARQUET else _Said.model_validate_json(path.read_bytes())
        photos, headings = said.photos, said.headings
        groups = {name: group for name, (group, _, _) in photos.items() if group >= 0}
        if nameless := set(groups.values()) - headings.keys():
            raise ValueError(f"group {min(nameless)} has no name")
    except (FileNotFoundError, ImportError):  # without pyarrow `write_parquet` will stop
        return Previous(), None
    except (OSError, ValueError, TypeError, AttributeError) as error:  # the last two: no table of ours
        return Previous(), (
            f"Names of the earlier report were not kept: {path.name} cannot be used ({shorten(one_line(str(error)), 200)}). "
            "All groups get new numbers and names."
        )
    return Previous(
        groups,
        headings,
        frozenset(name for name, (_, _, captioned) in photos.items() if captioned),
        {name: math.nan if distance is None else distance for name, (_, distance, _) in photos.items()},
        said.grouped_by,
        said.names,
        tuple(Kept(kind, name, tuple(marks), model) for kind, name, marks, model in said.told),
    ), None


def _older(path: Path) -> _Said:
    """Return what a report of version 0.1 left in its Parquet file, before there was last_report.json.

    Raises:
        OSError: there is none, or it is a later report's.
        ValueError: it is damaged (pyarrow's own errors are ValueErrors).
    """
    import pyarrow.parquet as pq

    table = pq.read_table(path, columns=list(Row._fields[:9]))  # the others have had other names
    grouped_by = (table.schema.metadata or {}).get(b"grouped_by")
    if grouped_by is None:
        raise FileNotFoundError(path)
    return _said((Row(**row) for row in table.to_pylist()), grouped_by.decode())


def _said(rows: Iterable[Row], grouped_by: str) -> _Said:
    headings, photos = {}, {}
    for row in rows:
        if row.cluster_id is not None:
            away = None if row.distance_to_centroid is None else round(row.distance_to_centroid, 6)
            photos[encodable(row.rel_path)] = (row.cluster_id, away, row.label_source == "caption")
            if row.cluster_id >= 0:
                headings[row.cluster_id] = encodable(row.cluster_label)
    return _Said(grouped_by=grouped_by, headings=headings, photos=photos)


def write_last(report: Report, folder: Path) -> None:
    """Write what the next report reads, as the writers of `report/files` do."""
    last = _said(report.rows, report.grouped_by)
    last.names = {group.id: encodable(group.short) for group in report.groups if group.short}
    last.told = [(one.kind, encodable(one.name), list(one.marks), one.model) for one in report.told]
    for rel_path, (group_id, away) in report.alone.items():
        captioned = last.photos[encodable(rel_path)][2]
        last.photos[encodable(rel_path)] = (group_id, None if away is None else round(away, 6), captioned)
        if group_id >= 0:
            last.headings.setdefault(group_id, "")
    text = last.model_dump_json()
    with replaced(folder / LAST) as new:
        new.write_text(text, encoding="utf-8")
