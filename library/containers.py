"""Owns where files that Pillow cannot open keep their EXIF and XMP: camera raw, and JPEG XL. Decodes nothing.

ORF and RW2 are TIFFs under another name, RAF holds a JPEG, CR3 three small TIFFs (github.com/lclevy/canon_cr3).
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import Image
from PIL.ExifTags import IFD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIFFS = {
    b"II*\0": b"II*\0",
    b"MM\0*": b"MM\0*",
    b"IIRO": b"II*\0",
    b"IIRS": b"II*\0",
    b"IIU\0": b"II*\0",
    b"MMOR": b"MM\0*",
}
_RAF = b"FUJIFILMCCD-RAW"
_CR3, _JXL = b"ftypcrx ", b"JXL \r\n\x87\n"
_CR3_HEAD = 1 << 16
_XMP_TAG = 700


def jpeg_inside(data: bytes) -> bytes:
    """Return the JPEG that an RAF holds; anything else as it is."""
    if not data.startswith(_RAF):
        return data
    start, length = (int.from_bytes(data[at : at + 4], "big") for at in (84, 88))
    return data[start : start + length]


def is_container(data: bytes) -> bool:
    """Tell whether the file has boxes that are not those of a HEIF."""
    return data[4:12] in {_CR3, _JXL}


def read_container(data: bytes) -> tuple[Image.Exif, Mapping[str, Any]]:
    """Return the EXIF of a raw file or a JPEG XL, and its `xmp` if there is one.

    Raises:
        Exception: of any type, if there is none.
    """
    if data[4:12] == _CR3:
        exif = _loaded(_canon(data, b"CMT1"))
        for name, directory in ((b"CMT2", IFD.Exif), (b"CMT4", IFD.GPSInfo)):
            with suppress(Exception):
                exif.get_ifd(directory).update(_loaded(_canon(data, name)))
        return exif, {}
    if data[4:12] == _JXL:
        boxes = dict(_boxes(data))
        exif = Image.Exif()
        with suppress(Exception):
            tiff = boxes[b"Exif"]
            exif = _loaded(tiff[4 + int.from_bytes(tiff[:4], "big") :])
        return exif, {"xmp": boxes.get(b"xml ")}
    head = _TIFFS[data[:4]]
    exif = _loaded(data if data.startswith(head) else head + data[4:])
    return exif, {"xmp": exif.get(_XMP_TAG)}


def _loaded(tiff: bytes) -> Image.Exif:
    exif = Image.Exif()
    exif.load(tiff)
    return exif


def _canon(data: bytes, name: bytes) -> bytes:
    start = data.index(name, 0, _CR3_HEAD)
    return data[start + 4 : start - 4 + int.from_bytes(data[start - 4 : start], "big")]


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the name and content of each box; the last one may go to the end of the file."""
    start = 0
    while start + 8 <= len(data):
        size, name, head = int.from_bytes(data[start : start + 4], "big"), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16], "big"), 16
        end = start + size if size else len(data)
        if end < start + head:
            return
        yield name, data[start + head : end] if name in {b"Exif", b"xml "} else b""
        start = end
