"""Owns last_report.json: what a report leaves for the next one, so that photos stay in their groups and groups keep their names.

    {"version": 1, "grouped_by": "Grouped by ...", "headings": {"7": "A dog on a beach"},
     "photos": {"2019/a.jpg": [7, 0.25, true]}}

`photos` holds every photo that had a vector: the id of its group (-1 for none), its distance to a centroid (null without
any group), and whether its label was a caption.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, TypeAdapter
from typing_extensions import TypedDict

from report.files.older import read_older
from report.files.table import encodable, replaced
from report.naming.inheritance import HIGHEST_ID, Previous
from report.naming.naming import one_line, shorten

if TYPE_CHECKING:
    from pathlib import Path

    from report.build import Report

LAST = "last_report.json"
_Id = Annotated[int, Field(ge=-1, le=HIGHEST_ID)]


class _Said(TypedDict):
    version: Literal[1]
    grouped_by: str
    headings: dict[_Id, str]
    photos: dict[str, tuple[_Id, float | None, bool]]


_SAID = TypeAdapter(_Said)


def read_previous(folder: Path) -> tuple[Previous, str | None]:
    """Return what the report in `folder` left; nothing if there is none, and a sentence if it cannot be used."""
    try:
        said = _SAID.validate_json((folder / LAST).read_bytes())
        photos, headings = said["photos"], said["headings"]
        groups = {name: group for name, (group, _, _) in photos.items() if group >= 0}
        if nameless := set(groups.values()) - headings.keys():
            raise ValueError(f"group {min(nameless)} has no name")
    except FileNotFoundError:
        return read_older(folder)
    except (OSError, ValueError) as error:
        return Previous(), (
            f"Names of the earlier report were not kept: {LAST} cannot be used ({shorten(one_line(str(error)), 200)}). "
            "All groups get new numbers and names."
        )
    return Previous(
        groups,
        headings,
        frozenset(name for name, (_, _, captioned) in photos.items() if captioned),
        {name: math.nan if distance is None else distance for name, (_, distance, _) in photos.items()},
        said["grouped_by"],
    ), None


def write_last(report: Report, folder: Path) -> None:
    """Write what the next report reads. The file is replaced whole or not at all.

    Raises:
        StopRunError: it cannot be written.
    """
    said: _Said = {
        "version": 1,
        "grouped_by": report.grouped_by,
        "headings": {group.id: encodable(group.heading) for group in report.groups},
        "photos": {
            encodable(row.rel_path): (
                row.cluster_id,
                None if row.distance_to_centroid is None else round(row.distance_to_centroid, 6),
                row.label_source == "caption",
            )
            for row in report.rows
            if row.cluster_id is not None
        },
    }
    with replaced(folder / LAST) as new:
        new.write_text(json.dumps(said), encoding="ascii")
