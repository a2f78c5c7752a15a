"""Owns what an XMP packet says of when and where a photo was taken, be it in the photo or in a file beside it.

A packet may come from anywhere. One with a document type is not read, because only that can define entities: they could
fetch files, or grow without end.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING
from xml.parsers import expat

from library.dates import read_date
from library.places import Place, place_of

if TYPE_CHECKING:
    from library.dates import Date

MOST_BYTES = 4 << 20
_EXIF = "http://ns.adobe.com/exif/1.0/ "
# Best first: when it was taken, by the camera, by a person, by the program that made the file.
_DATES = (
    f"{_EXIF}DateTimeOriginal",
    "http://ns.adobe.com/photoshop/1.0/ DateCreated",
    "http://ns.adobe.com/xap/1.0/ CreateDate",
    f"{_EXIF}DateTimeDigitized",
)
_PLACE = (f"{_EXIF}GPSLatitude", f"{_EXIF}GPSLongitude")
_WANTED = frozenset((*_DATES, *_PLACE, f"{_EXIF}GPSLatitudeRef", f"{_EXIF}GPSLongitudeRef"))
_DEGREES = re.compile(
    r"\s*([+-]?\d{1,3}(?:\.\d+)?)(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?\s*([NSEW])?\s*",
    re.ASCII | re.IGNORECASE,
)
"""Degrees, minutes, seconds and a direction: `52,31.2N`, `52,31,12N`, or against the standard `52.52`."""


def read_xmp(packet: bytes) -> tuple[Date | None, Place | None]:
    """Return when and where the photo was taken, as far as the packet can be read."""
    found = _properties(packet) if len(packet) <= MOST_BYTES else {}
    date = next((date for name in _DATES if (date := read_date(found.get(name, "")))), None)
    place = None
    with suppress(ValueError):
        latitude, longitude = (_degrees(found, name) for name in _PLACE)
        place = place_of(latitude, longitude)
    return date, place


def _properties(packet: bytes) -> dict[str, str]:
    """Return what stands in the packet of what is wanted, by namespace and name; up to where it is damaged."""
    found: dict[str, str] = {}
    open_element: list[str] = []

    def start(name: str, attributes: dict[str, str]) -> None:
        open_element[:] = [name]
        for key in _WANTED & attributes.keys():
            found.setdefault(key, attributes[key])

    def text(part: str) -> None:
        if open_element and open_element[0] in _WANTED:
            found[open_element[0]] = found.get(open_element[0], "") + part

    def end(_: str) -> None:
        open_element.clear()

    def refuse(*_: object) -> None:
        raise ValueError("a document type")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = refuse
    with suppress(expat.ExpatError, ValueError, LookupError):  # an encoding may be unknown
        parser.Parse(packet.strip(b"\0"), True)
    return found


def _degrees(found: dict[str, str], name: str) -> float:
    """Return latitude or longitude in degrees.

    Raises:
        ValueError: it is not there, or no such number.
    """
    parts = _DEGREES.fullmatch(found.get(name, ""))
    if not parts:
        raise ValueError(name)
    degrees, minutes, seconds = (float(part or 0) for part in parts.groups()[:3])
    direction = (parts[4] or found.get(f"{name}Ref", "").strip()[:1]).upper()
    size = abs(degrees) + minutes / 60 + seconds / 3600
    return -size if degrees < 0 or direction in {"S", "W"} else size
