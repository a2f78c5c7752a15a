"""Owns what EXIF says of when and where a photo was taken, and with which camera. Opens no file."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from PIL.ExifTags import GPS, IFD, Base

from library.dates import ZONES, Date, is_epoch, read_clock, read_zone
from library.places import Place, place_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from PIL import ExifTags, Image

# Times of taking, of scanning, of the last change: the clock, its offset from UTC, its fraction of a second.
_CLOCKS = (
    (Base.DateTimeOriginal, Base.OffsetTimeOriginal, Base.SubsecTimeOriginal),
    (Base.DateTimeDigitized, Base.OffsetTimeDigitized, Base.SubsecTimeDigitized),
    (Base.DateTime, Base.OffsetTime, Base.SubsecTime),
)
_LENGTH = 19
"""Characters of a time in EXIF. What is not known is blank or 00, not left out."""
_DAY = re.compile(r"\s*(\d{4})[:/.-](\d\d)[:/.-](\d\d)", re.ASCII)
_FRACTION = re.compile(r"\s*(\d+)", re.ASCII)
_ZONE_STEP = timedelta(minutes=15)
_ZONE_SLACK = timedelta(minutes=5)
"""How far a wrong clock and an old satellite fix may be off: a third of the step, so that chance seldom fits."""


class Said(NamedTuple):
    """What the EXIF of a file says.

    `unset` is the time of a clock that was never set, where no other time is there. `camera` is its maker and model, empty
    if unknown.
    """

    date: Date | None = None
    place: Place | None = None
    camera: str = ""
    unset: datetime | None = None


def read_exif(exif: Image.Exif) -> Said:
    """Return what the EXIF says; what cannot be read, or cannot be true, counts as unknown."""
    gps = _directory(exif, IFD.GPSInfo)
    date = place = unset = None
    # Any type can come out of damaged metadata.
    with suppress(Exception):
        place = _place(gps)
    with suppress(Exception):
        date, unset = _taken(exif, gps)
    camera = ""
    with suppress(Exception):
        camera = " ".join(_text(exif.get(tag)).strip() for tag in (Base.Make, Base.Model)).strip()
    return Said(date, place, camera, unset)


def _directory(exif: Image.Exif, ifd: ExifTags.IFD) -> Mapping[int, Any]:
    with suppress(Exception):
        return exif.get_ifd(ifd)
    return {}


def _taken(exif: Image.Exif, gps: Mapping[int, Any]) -> tuple[Date | None, datetime | None]:
    """Return the first clock that was set; and of one that was not, if there is no other."""
    camera = _directory(exif, IFD.Exif)
    unset = None
    for clock, offset, fraction in _CLOCKS:
        text = _text(camera.get(clock) or exif.get(clock))  # raw files have all tags in one directory
        date = read_clock(text) if len(text) >= _LENGTH else None
        if not date:
            continue
        if date.precision != "second":
            return date, None
        if is_epoch(date):
            unset = unset or date.at.replace(tzinfo=None)
            continue
        at = date.at.replace(tzinfo=None)
        zone = read_zone(_text(camera.get(offset))) or date.at.tzinfo
        # The satellites' time is that of taking, not of a later change.
        if not zone and clock != Base.DateTime:
            zone = _satellites_zone(at, gps)
        part = _FRACTION.match(_text(camera.get(fraction)))
        return Date(
            at.replace(microsecond=int(f"{part[1]:0<6.6}") if part else at.microsecond, tzinfo=zone)
        ), None
    return None, unset


def _satellites_zone(at: datetime, gps: Mapping[int, Any]) -> timezone | None:
    """Return the difference between local time and the satellites' UTC, if it can be a time zone's offset."""
    with suppress(Exception):
        found = _DAY.match(_text(gps[GPS.GPSDateStamp]))
        hours, minutes, seconds = map(float, gps[GPS.GPSTimeStamp])
        if found:
            day = datetime(*map(int, found.groups()))  # type: ignore[arg-type] # noqa: DTZ001
            apart = at - day - timedelta(hours=hours, minutes=minutes, seconds=seconds)
            offset = round(apart / _ZONE_STEP) * _ZONE_STEP
            if abs(apart - offset) < _ZONE_SLACK and ZONES[0] <= offset <= ZONES[1]:
                return timezone(offset)
    return None


def _place(gps: Mapping[int, Any]) -> Place | None:
    return place_of(
        _degrees(gps[GPS.GPSLatitude], gps[GPS.GPSLatitudeRef], "NS"),
        _degrees(gps[GPS.GPSLongitude], gps[GPS.GPSLongitudeRef], "EW"),
    )


def _degrees(value: Any, direction: object, directions: str) -> float:  # noqa: ANN401 - whatever the file gave it
    """Return degrees, minutes and seconds as degrees; a part divided by zero is not a number.

    Raises:
        Exception: of any type, for anything else.
    """
    parts = value if isinstance(value, tuple) else (value,)
    degrees, *rest = (float(part) for part in parts)
    minutes, seconds, *_ = *rest, 0.0, 0.0
    return (degrees + minutes / 60 + seconds / 3600) * (1, -1)[
        directions.index(_text(direction).strip().upper()[0])
    ]


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("ascii", "replace").strip("\0")
    return value.strip("\0") if isinstance(value, str) else ""
