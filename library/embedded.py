"""Owns what the bytes of a photo say of when and where it was taken: EXIF, then XMP, IPTC and PNG text. Decodes no pixel."""

from __future__ import annotations

import email.utils
import re
from contextlib import suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import pillow_heif
from PIL import Image, IptcImagePlugin, UnidentifiedImageError

from library.containers import is_container, jpeg_inside, read_container
from library.dates import Date, after_noon, is_epoch, is_possible, read_date
from library.exif import read_exif
from library.xmp import read_xmp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from library.places import Place

_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""Formats with EXIF, in addition to HEIF and AVIF; MPO is a JPEG."""
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_TEXTS = (b"IHDR", b"tEXt", b"zTXt", b"iTXt")
_PNG_END = b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82"
_CREATION = ("Creation Time", "exif:DateTimeOriginal", "exif:DateTimeDigitized")
"""What the standard names, and what ImageMagick makes of EXIF. Its `date:create` is only the date of a file."""
_IPTC_CLOCKS = (((2, 55), (2, 60)), ((2, 62), (2, 63)))
"""The datasets of a day and a time: created, digitised."""


class Embedded(NamedTuple):
    """What a file says: its best date with the source, where, with which camera; `unset` as EXIF's."""

    date: Date | None = None
    source: Literal["exif", "xmp", "iptc", "png", ""] = ""
    place: Place | None = None
    camera: str = ""
    unset: datetime | None = None


class _File(NamedTuple):
    """An opened file; `image` is None for what Pillow does not open. `info` is what the decoder says of it."""

    image: Image.Image | None
    info: Mapping[Any, Any]
    exif: Image.Exif | None = None


def read_embedded(data: bytes) -> Embedded:
    """Return what the bytes of a photo say, as far as they can be read."""
    found = Embedded()
    # Any type can come out of damaged metadata.
    with suppress(Exception):
        file = _opened(data)
        with suppress(Exception):
            said = read_exif(_exif(file))
            found = Embedded(said.date, "exif" if said.date else "", said.place, said.camera, said.unset)
        if found.date and found.date.precision == "second" and found.place:
            return found
        if data.startswith(_PNG):
            file = file._replace(info=_png_texts(data))
        with suppress(Exception):
            date, place = _xmp(file)
            found = _refined(found, date, "xmp")._replace(place=found.place or place)
        with suppress(Exception):
            found = _refined(found, _iptc(file), "iptc")
        with suppress(Exception):
            found = _refined(found, _png(file), "png")
    return found


def _refined(found: Embedded, date: Date | None, source: Literal["xmp", "iptc", "png"]) -> Embedded:
    """Return what is found with a date of a source that counts less, if that is new or says more of the same."""
    if date and (found.date is None or found.date.is_refined_by(date)):
        return found._replace(date=date, source=source)
    return found


def _opened(data: bytes) -> _File:
    if data[4:8] == b"ftyp" and not is_container(data):
        return _File(None, pillow_heif.open_heif(BytesIO(data)).info)
    with suppress(UnidentifiedImageError):
        image = Image.open(BytesIO(jpeg_inside(data)), formats=_FORMATS)
        return _File(image, image.info)
    exif, info = read_container(data)
    return _File(None, info, exif)


def _exif(file: _File) -> Image.Exif:
    if file.image:
        # Not the PNG's own `getexif`: it decodes the pixels to look behind them.
        return Image.Image.getexif(file.image)
    if file.exif:
        return file.exif
    exif = Image.Exif()
    exif.load(file.info.get("exif") or b"")
    return exif


def _xmp(file: _File) -> tuple[Date | None, Place | None]:
    packet = file.info.get("xmp") or b""
    return read_xmp(packet.encode() if isinstance(packet, str) else packet)


def _iptc(file: _File) -> Date | None:
    """Return the date of the IPTC dataset, whose unknown parts are 00."""
    said = IptcImagePlugin.getiptcinfo(file.image) if file.image else None  # type: ignore[arg-type]
    for day_tag, time_tag in _IPTC_CLOCKS if said else ():
        day, time = (_ascii(said.get(tag)) for tag in (day_tag, time_tag))  # type: ignore[union-attr]
        day = day.replace("-", "").replace(":", "")  # against the standard
        text = f"{day[:4]}-{day[4:6]}-{day[6:8]}".rstrip("-")
        clock = f"T{time[:2]}:{time[2:4]}:{time[4:6]}{time[6:]}" if len(time) >= 6 else ""
        if date := read_date(text + clock) or read_date(text):
            return date
    return None


def _ascii(value: object) -> str:
    """Return a dataset's text; of one that is there more than once the first."""
    first = value[0] if isinstance(value, list) and value else value
    return first.decode("ascii", "replace").strip() if isinstance(first, bytes) else ""


def _png(file: _File) -> Date | None:
    """Return the date of a PNG's text, as a program wrote it."""
    texts = (file.info.get(key) for key in _CREATION)
    return next((date for text in texts if isinstance(text, str) and (date := _creation(text))), None)


def _creation(text: str) -> Date | None:
    if date := read_date(text):
        return date
    with suppress(ValueError, TypeError, IndexError):
        at = email.utils.parsedate_to_datetime(text)  # as the standard wants it: that of e-mail
        half = re.search(r"\b([AP])M\b", text, re.IGNORECASE)
        date = Date(at.replace(hour=after_noon(at.hour, half[1].upper() == "P")) if half else at)
        return date if is_possible(date.at) and not is_epoch(date) else None
    return None


def _png_texts(data: bytes) -> Mapping[Any, Any]:
    """Return the texts of a PNG, also those behind the pixels, where most programs put theirs later on."""
    parts = [_PNG]
    start = len(_PNG)
    while start + 12 <= len(data):
        end = start + 12 + int.from_bytes(data[start : start + 4], "big")
        if data[start + 4 : start + 8] in _PNG_TEXTS:
            parts.append(data[start:end])
        start = end
    return Image.open(BytesIO(b"".join((*parts, _PNG_END))), formats=("PNG",)).info
