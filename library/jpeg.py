"""Owns judging a JPEG by its pixels: how much of the picture its data holds. Never opens a file.

libjpeg fills what is missing with middle grey and only warns, and Pillow passes no warning on. So a picture is suspect
that ends in that grey, or whose data holds a run of zeros. Whether it really is damaged is then asked of the decoder: where
it has run out of data, noise after the data changes the picture; where it has got all, noise changes nothing.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image, ImageChops

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MISSING = 0.2
"""The share of a picture that may be missing. A file cut at 90 % of its length lacks 5 to 17 % of its pixels."""

# Within coded data, FF 00 stands for a byte FF, and FF D0 to FF D7 only part it.
_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_START_OF_PICTURE, _END_OF_PICTURE, _START_OF_SCAN = 0xD8, 0xD9, 0xDA
_END = b"\xff\xd9"
_NOISE = b"".join(bytes(range(1, 255)) + bytes((0xFF, 0xD0 + number)) for number in range(8))
"""Data that any decoder takes for some picture, with every restart mark that it may be waiting for."""
_HOLE = bytes(512)
"""What a disk or a download leaves where it wrote nothing: whole sectors of zeros."""
_FILL = frozenset({127, 128})
"""What libjpeg fills with, in any channel: as it is, or inverted."""


def readings(data: bytes) -> Iterator[bytes]:
    """Yield a JPEG's data as it is, or up to a hole in it; then, in case that does not decode, only its whole scans."""
    sound = _sound_part(data)
    yield sound
    ends = [_end(sound, start) for start in _starts(sound)]
    for end in ends[:-3:-1]:  # the last scan can be one whose header is cut
        # Zeros at the end of a later scan say nothing, or are a hole.
        yield (sound[:end].rstrip(b"\0") if len(ends) > 1 else sound[:end]) + _END


def missing(image: Image.Image, data: bytes) -> float:
    """Return the share of a decoded picture, at any scale, that its data does not hold."""
    last = image.getpixel((image.width - 1, image.height - 1))
    if not _FILL.issuperset(last if isinstance(last, tuple) else (last,)):
        return 0.0
    end = _end(data, next(_starts(data), len(data)))
    change = _change(data, end, end)
    box = change and change.getbbox()
    if not change or not box:
        return 0.0
    # The first block that the noise has changed is the first that is missing, in the order of writing.
    top = box[1]
    first_row = change.crop((0, top, change.width, top + 1)).getbbox() or box
    blocks_high = min(2, change.height - top)
    return 1 - (top + first_row[0] / change.width * blocks_high) / change.height


def _sound_part(data: bytes) -> bytes:
    start = next(_starts(data), len(data))
    hole = data.find(_HOLE, start)
    if hole < 0 or data.find(_END, start, hole) >= 0:
        return data
    end = _end(data, start)
    if hole >= end:
        return data
    # In a flat area zeros can be right: the decoder then needs all that is there, and no more.
    beyond, at_the_end = _change(data, end, end), _change(data, max(start, end - 64), end)
    if beyond and at_the_end and not beyond.getbbox() and at_the_end.getbbox():
        return data
    return data[:hole] + _END


def _starts(data: bytes) -> Iterator[int]:
    """Yield where the coded data of each scan of the first picture begins; a progressive JPEG has several."""
    at = 2
    while found := _MARKER.search(data, at):
        marker, at = found[1][0], found.end()
        if marker in {_START_OF_PICTURE, _END_OF_PICTURE}:
            return
        at += int.from_bytes(data[at : at + 2])
        if marker == _START_OF_SCAN and at <= len(data):
            yield at


def _end(data: bytes, start: int) -> int:
    """Return where the coded data that begins at `start` ends."""
    found = _MARKER.search(data, start)
    coded = data[start : found.start() if found else len(data)]
    return start + len(coded.rstrip(b"\xff"))  # an FF before a marker fills up


def _change(data: bytes, start: int, end: int) -> Image.Image | None:
    """Return how the picture's outline changes when noise stands from `start` on; the first scan ends at `end`."""
    try:
        return ImageChops.difference(_outline(data[:end]), _outline(data[:start] + _NOISE))
    except OSError:
        return None


def _outline(data: bytes) -> Image.Image:
    """Return the picture at an eighth of its size: each pixel a block's mean, which is all that the first scan need hold."""
    image = Image.open(BytesIO(data + _END), formats=["JPEG"])
    image.draft(None, (max(1, image.width // 8), max(1, image.height // 8)))
    image.load()
    return image
