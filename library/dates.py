"""Owns what a date is: a time, how much of it is known, how it is written, and which time cannot be a photo's."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Literal, NamedTuple

Precision = Literal["second", "day", "month", "year"]
_FINER: tuple[Precision, ...] = ("year", "month", "day", "second")

_WRITTEN = re.compile(
    r"""\s*(?P<year>\d{4})
    (?:[:/.-](?P<month>\d\d|[ ]{2})
    (?:[:/.-](?P<day>\d\d|[ ]{2})
    (?:[T ]+(?P<hour>\d\d):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d+))?)?\s*(?P<zone>Z|[+-]\d\d:?\d\d)?)?
    )?)?(?P<rest>.*)""",
    re.VERBOSE | re.ASCII | re.DOTALL,
)
"""As EXIF, XMP, IPTC and ISO 8601 write it."""
_BLANK = re.compile(r"[\sT:]*(\0.*)?", re.DOTALL)
_OFFSET = re.compile(r"\s*([+-])(\d\d):?([0-5]\d)", re.ASCII)

_FIRST_PHOTO = 1826
EPOCHS = (datetime(1904, 1, 1), datetime(1970, 1, 1))  # noqa: DTZ001 - wall clocks
"""Time zero of Apple and of Unix: the clock was never set. Compared by day, since a time zone may have moved it."""
DOS_EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001
"""Time zero of DOS. Compared by second, because photos were taken on that day."""
DAY_LONG = timedelta(days=1)
ZONES = (timedelta(hours=-12), timedelta(hours=14))


class Date(NamedTuple):
    """A time and how much of it is known: `at` is the first moment of that second, day, month or year.

    `at` is the local time of the place, with a `tzinfo` (a fixed offset) if that is known, else naive.
    """

    at: datetime
    precision: Precision = "second"

    @property
    def end(self) -> datetime:
        """The first moment after it, by the same clock."""
        at = self.at
        if self.precision == "year":
            return at.replace(year=at.year + 1)
        if self.precision == "month":
            return at.replace(year=at.year + at.month // 12, month=at.month % 12 + 1)
        return at + (DAY_LONG if self.precision == "day" else timedelta(seconds=1))

    def covers(self, other: Date) -> bool:
        """Tell whether the other date lies inside this one, by its wall clock, and is known as well at least."""
        start, at, end = (one.replace(tzinfo=None) for one in (self.at, other.at, self.end))
        return start <= at < end and _FINER.index(other.precision) >= _FINER.index(self.precision)

    def is_refined_by(self, other: Date) -> bool:
        """Tell whether the other date, of a source that counts less, says the same but more of it."""
        return self.precision != other.precision and self.covers(other)

    def __str__(self) -> str:
        """Spell it as ISO 8601, no finer than it is known, nor than a second."""
        spelled = self.at.isoformat(timespec="seconds")
        return spelled[: {"year": 4, "month": 7, "day": 10}.get(self.precision, len(spelled))]


def date_of(
    year: int, month: int = 0, day: int = 0, clock: tuple[int, int, int] | None = None
) -> Date | None:
    """Return the date, as fine as its parts are known (0 is unknown); None if there is no such date, or it is no photo's."""
    with suppress(ValueError):
        if month and day and clock:
            date = Date(datetime(year, month, day, *clock))  # noqa: DTZ001
        elif month and day:
            date = Date(datetime(year, month, day), "day")  # noqa: DTZ001
        else:
            date = Date(datetime(year, month or 1, 1), "month" if month else "year")  # noqa: DTZ001
        if is_possible(date.at) and not is_epoch(date):
            return date
    return None


def read_date(text: str) -> Date | None:
    """Read a date as EXIF, XMP, IPTC or ISO 8601 write it; months and days that are 00 or blank are not known.

    A time of an epoch is none; `read_clock` returns it.
    """
    date = read_clock(text)
    return date if date and not is_epoch(date) else None


def read_clock(text: str) -> Date | None:
    """As `read_date`, but also times that say only that the clock was never set."""
    found = _WRITTEN.match(text)
    if not found or (found["hour"] is None and not _BLANK.fullmatch(found["rest"])):
        return None
    year, month, day, hour, minute, second = (
        int(found[name] or 0) if (found[name] or "").strip() else 0
        for name in ("year", "month", "day", "hour", "minute", "second")
    )
    with suppress(ValueError):
        if not (month and day):
            return date_of(year, month)
        if found["hour"] is None:
            date = Date(datetime(year, month, day), "day")  # noqa: DTZ001
        else:
            microsecond = int(f"{found['fraction'] or '0':0<6.6}")
            at = datetime(
                year, month, day, hour, minute, second, microsecond, tzinfo=read_zone(found["zone"] or "")
            )
            date = Date(at)
        return date if is_possible(date.at) else None
    return None


def read_zone(text: str) -> timezone | None:
    """Read `+02:00`, `-0330` or `Z`; None for anything else, and for an offset that no place has."""
    if text.strip() == "Z":
        return UTC
    found = _OFFSET.match(text)
    if not found:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3])) * (-1 if found[1] == "-" else 1)
    return timezone(offset) if ZONES[0] <= offset <= ZONES[1] else None


def after_noon(hour: int, is_afternoon: bool) -> int:
    """Return the hour of a clock of 24 for one of a clock of twelve."""
    return hour % 12 + (12 if is_afternoon else 0)


def date_of_instant(seconds: float) -> Date | None:
    """Return a date known by its seconds since 1970, in this machine's time zone, for want of the place's.

    Most photos are taken at home; and where one is not, the instant is right all the same.
    """
    with suppress(OverflowError, ValueError, OSError):
        date = Date(datetime.fromtimestamp(seconds, UTC).astimezone())
        if is_possible(date.at) and not is_epoch(date):
            return date
    return None


def is_possible(at: datetime) -> bool:
    """Tell whether a photo can be of this local time; no time zone is a day ahead."""
    at = at.replace(tzinfo=None)
    return at.year >= _FIRST_PHOTO and at <= datetime.now(UTC).replace(tzinfo=None) + DAY_LONG


def is_epoch(date: Date) -> bool:
    """Tell whether it says only that a clock was never set. A month or a year comes from no clock."""
    at = date.at.replace(tzinfo=None)
    if date.precision == "second" and at == DOS_EPOCH:
        return True
    return date.precision in {"second", "day"} and any(abs(at - epoch) <= DAY_LONG for epoch in EPOCHS)
