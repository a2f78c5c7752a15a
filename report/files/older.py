"""Owns reading what a report left before there was last_report.json: in its CSV and Parquet. Goes with the next version."""

from __future__ import annotations

import csv
import math
from typing import TYPE_CHECKING

from report.files.table import CSV, PARQUET, read_csv
from report.naming.inheritance import HIGHEST_ID, Previous
from report.naming.naming import shorten

if TYPE_CHECKING:
    from pathlib import Path


def read_older(folder: Path) -> tuple[Previous, str | None]:
    """Return what such a report in `folder` said; nothing if there is none, and a sentence if it cannot be used."""
    grouped_by = _grouped_by(folder / PARQUET)
    if grouped_by is None:
        return Previous(), None
    groups: dict[str, int] = {}
    headings: dict[int, str] = {}
    captioned = set()
    distances: dict[str, float] = {}
    try:
        for row in read_csv(folder / CSV):
            if row.label_source == "caption":
                captioned.add(row.rel_path)
            if row.cluster_id is None:
                continue
            distances[row.rel_path] = (
                math.nan if row.distance_to_centroid is None else row.distance_to_centroid
            )
            if row.cluster_id == -1:
                continue
            if not 0 <= row.cluster_id <= HIGHEST_ID:
                raise ValueError(f"no group has the id {row.cluster_id}")
            if groups.setdefault(row.rel_path, row.cluster_id) != row.cluster_id:
                raise ValueError(f"{row.rel_path!r} is in two groups")
            if headings.setdefault(row.cluster_id, row.cluster_label) != row.cluster_label:
                raise ValueError(f"group {row.cluster_id} has two names")
    except FileNotFoundError:
        return Previous(), None
    except (OSError, ValueError, csv.Error) as error:
        return Previous(), (
            f"Names of the earlier report were not kept: {CSV} cannot be used ({shorten(str(error), 200)}). "
            "All groups get new numbers and names."
        )
    return Previous(groups, headings, frozenset(captioned), distances, grouped_by), None


def _grouped_by(path: Path) -> str | None:
    """Return what the Parquet file says of how its rows were grouped; None if it says nothing."""
    if not path.exists():
        return None
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return None  # `write_parquet` will say so
    try:
        said = (pq.read_schema(path).metadata or {}).get(b"grouped_by")
    except (OSError, pa.ArrowException):
        return None
    return said.decode() if said else None
