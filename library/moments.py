"""Owns when and where a photo was taken, read from its EXIF. Local only: none of it goes to a caption backend.

Never decodes a pixel and never raises: what cannot be read, or cannot be true, counts as unknown.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import pillow_heif
from PIL import ExifTags, Image
from PIL.ExifTags import GPS, IFD, Base

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""Formats with EXIF, in addition to HEIF and AVIF; MPO is a JPEG."""
# Times of taking, of scanning, of the last change: the clock, its offset from UTC, its fraction of a second.
_CLOCKS = (
    (Base.DateTimeOriginal, Base.OffsetTimeOriginal, Base.SubsecTimeOriginal),
    (Base.DateTimeDigitized, Base.OffsetTimeDigitized, Base.SubsecTimeDigitized),
    (Base.DateTime, Base.OffsetTime, Base.SubsecTime),
)
_DATE = re.compile(r"\s*(\d{4})[:/.-](\d\d)[:/.-](\d\d)[ T]+(\d\d):(\d\d):(\d\d)", re.ASCII)
_DAY = re.compile(r"\s*(\d{4})[:/.-](\d\d)[:/.-](\d\d)", re.ASCII)
_OFFSET = re.compile(r"\s*([+-])(\d\d):?([0-5]\d)", re.ASCII)
_FRACTION = re.compile(r"\s*(\d+)", re.ASCII)

_FIRST_PHOTO = 1826
_EPOCHS = (datetime(1904, 1, 1), datetime(1970, 1, 1))  # noqa: DTZ001 - wall clocks
"""Time zero of Apple and of Unix: the clock was never set. Compared by day, since a time zone may have moved it."""
_DOS_EPOCH = datetime(1980, 1, 1)  # noqa: DTZ001
"""Time zero of DOS. Compared by second, because photos were taken on that day."""
_DAY_LONG = timedelta(days=1)
_ZONES = (timedelta(hours=-12), timedelta(hours=14))
_ZONE_STEP = timedelta(minutes=15)
_ZONE_SLACK = timedelta(minutes=5)
"""How far a wrong clock and an old satellite fix may be off: a third of the step, so that chance seldom fits."""


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a photo was taken.

    `at` is the local time of the place, with a `tzinfo` (a fixed offset) if that is known, else naive. `source` says where
    it comes from: "exif", or "file" for the file's own date, which is usually the copy date; empty without a date. `place`
    is (latitude, longitude) in degrees.
    """

    at: datetime | None = None
    source: Literal["exif", "file", ""] = ""
    place: tuple[float, float] | None = None


def read_moment(data: bytes) -> Moment:
    """Return when and where a photo was taken, as far as its bytes can be read."""
    at = place = None
    # Any type can come out of damaged metadata.
    with suppress(Exception):
        exif = _exif(data)
        gps = _directory(exif, IFD.GPSInfo)
        with suppress(Exception):
            place = _place(gps)
        at = _taken(exif, gps)
    return Moment(at, "exif" if at else "", place)


def file_moment(mtime: float) -> Moment:
    """Return the file's own date, `mtime` in seconds since 1970, as the last resort.

    It is in this machine's local time, without an offset, because it is compared with local times of cameras. The local
    time where the photo was taken is not known.
    """
    with suppress(OverflowError, ValueError, OSError):
        at = datetime.fromtimestamp(mtime)  # noqa: DTZ006
        if _is_plausible(at):
            return Moment(at, "file")
    return Moment()


def _exif(data: bytes) -> Image.Exif:
    if data[4:8] != b"ftyp":
        # Not the PNG's own `getexif`: it decodes the pixels to look behind them.
        return Image.Image.getexif(Image.open(BytesIO(data), formats=_FORMATS))
    exif = Image.Exif()
    exif.load(pillow_heif.open_heif(BytesIO(data)).info.get("exif") or b"")
    return exif


def _directory(exif: Image.Exif, ifd: ExifTags.IFD) -> Mapping[int, Any]:
    with suppress(Exception):
        return exif.get_ifd(ifd)
    return {}


def _taken(exif: Image.Exif, gps: Mapping[int, Any]) -> datetime | None:
    camera = _directory(exif, IFD.Exif)
    for clock, offset, fraction in _CLOCKS:
        at = _wall(camera.get(clock) or exif.get(clock))  # raw files have all tags in one directory
        if not at:
            continue
        zone = _zone(camera.get(offset))
        # The satellites' time is that of taking, not of a later change.
        if not zone and clock != Base.DateTime:
            zone = _satellites_zone(at, gps)
        part = _FRACTION.match(_text(camera.get(fraction)))
        return at.replace(microsecond=int(f"{part[1]:0<6.6}") if part else 0, tzinfo=zone)
    return None


def _wall(value: object) -> datetime | None:
    found = _DATE.match(_text(value))
    with suppress(ValueError):
        if found and _is_plausible(at := datetime(*map(int, found.groups()))):  # type: ignore[arg-type] # noqa: DTZ001
            return at
    return None


def _is_plausible(at: datetime) -> bool:
    """Tell whether a photo can have this local time; no time zone is a day ahead."""
    return (
        at.year >= _FIRST_PHOTO
        and at != _DOS_EPOCH
        and all(abs(at - epoch) > _DAY_LONG for epoch in _EPOCHS)
        and at <= datetime.now(UTC).replace(tzinfo=None) + _DAY_LONG
    )


def _zone(value: object) -> timezone | None:
    text = _text(value)
    if text.strip() == "Z":
        return UTC
    found = _OFFSET.match(text)
    if not found:
        return None
    offset = timedelta(hours=int(found[2]), minutes=int(found[3])) * (-1 if found[1] == "-" else 1)
    return timezone(offset) if _ZONES[0] <= offset <= _ZONES[1] else None


def _satellites_zone(at: datetime, gps: Mapping[int, Any]) -> timezone | None:
    """Return the difference between local time and the satellites' UTC, if it can be a time zone's offset."""
    with suppress(Exception):
        found = _DAY.match(_text(gps[GPS.GPSDateStamp]))
        hours, minutes, seconds = map(float, gps[GPS.GPSTimeStamp])
        if found:
            day = datetime(*map(int, found.groups()))  # type: ignore[arg-type] # noqa: DTZ001
            apart = at - day - timedelta(hours=hours, minutes=minutes, seconds=seconds)
            offset = round(apart / _ZONE_STEP) * _ZONE_STEP
            if abs(apart - offset) < _ZONE_SLACK and _ZONES[0] <= offset <= _ZONES[1]:
                return timezone(offset)
    return None


def _place(gps: Mapping[int, Any]) -> tuple[float, float] | None:
    latitude = _degrees(gps[GPS.GPSLatitude], gps[GPS.GPSLatitudeRef], "NS")
    longitude = _degrees(gps[GPS.GPSLongitude], gps[GPS.GPSLongitudeRef], "EW")
    # NaN fails these tests too. At zero and zero is open sea: the receiver had no fix.
    if abs(latitude) <= 90 and abs(longitude) <= 180 and (latitude or longitude):
        return latitude, longitude
    return None


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
