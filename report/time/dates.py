"""Owns dates as people write them: `3\u20139 June 2019`, no month and no year twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_MONTHS = (
    "January February March April May June July August September October November December".split()
)  # not the locale's: the report is in English, and the same everywhere


def date_span(start: datetime, end: datetime) -> str:
    """Return `12 July 2019`, or from when to when without saying a month or a year twice."""
    last = f"{end.day} {_MONTHS[end.month - 1]} {end.year}"
    if start.date() == end.date():
        return last
    if (start.year, start.month) == (end.year, end.month):
        return f"{start.day}\u2013{last}"
    first = f"{start.day} {_MONTHS[start.month - 1]}"
    return f"{first}{'' if start.year == end.year else f' {start.year}'} \u2013 {last}"
