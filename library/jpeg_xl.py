"""Owns JPEG XL pictures: their size and orientation from the header, their pixels from libjxl."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING

from PIL import Image

from library.late import LateImage

if TYPE_CHECKING:
    from collections.abc import Callable

FORMAT = "JXL"
"""The `format` of these pictures."""
_TIFF = (b"II*\0", b"MM\0*")
_LENGTHS = (9, 13, 18, 30)
"""Bits that a side may take in the header."""
_RATIOS = ((0, 1), (1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
"""Width to height, by the header's number; 0 means that the width is written out."""


def open_jpeg_xl(data: bytes) -> Image.Image:
    """Return the picture in a JPEG XL file, not yet decoded. Once it is, its EXIF says how to turn it upright.

    Raises:
        ValueError: there is no header in it.
    """
    size, orientation = _header(data)
    return LateImage(FORMAT, size, lambda: _decoded(data, orientation))


def _decoded(data: bytes, orientation: int) -> Image.Image:
    from pillow_jxl import Decoder  # noqa: PLC0415 - most libraries hold no such picture

    # No threads: photos are decoded in parallel, one core each.
    try:
        is_jpeg, info, pixels, profile, boxes = Decoder(num_threads=0)(data)
    except RuntimeError as error:  # whose text is for those who build libjxl
        raise ValueError("JPEG XL picture: libjxl cannot decode it") from error
    if is_jpeg:  # packed without loss, and lying as the JPEG did
        return Image.open(BytesIO(pixels), formats=["JPEG"])
    mode = info.mode
    if mode == "I;16":  # libjxl uses the whole range, so the upper bytes are the picture in 8 bits
        mode, pixels = "L", pixels[1::2]
    picture = Image.frombytes(mode, (info.width, info.height), pixels)
    if profile:
        picture.info["icc_profile"] = profile
    # libjxl has turned what the header says is to be turned; EXIF then holds a stale value.
    if orientation == 1:
        exif = next((bytes(box.data) for box in boxes if box.box_type == b"Exif"), b"")
        picture.info["exif"] = exif if exif[:4] in _TIFF else exif[4:]
    return picture


def _header(data: bytes) -> tuple[tuple[int, int], int]:
    """Return the picture's (width, height) as stored, and its orientation, numbered as in EXIF."""
    take = _bits(_stream(data)[2:32])
    is_small = take(1)
    height = _side(take, is_small)
    wide, high = _RATIOS[take(3)]
    width = height * wide // high or _side(take, is_small)
    # Whether all is as usual; if not, whether there is more than the depth and colours: first, the orientation.
    orientation = 1 + take(3) if not take(1) and take(1) else 1
    return (width, height), orientation


def _side(take: Callable[[int], int], is_small: int) -> int:
    return 8 * (1 + take(5)) if is_small else 1 + take(_LENGTHS[take(2)])


def _bits(data: bytes) -> Callable[[int], int]:
    """Return what takes the next bits from `data`, the lowest of a byte first."""
    left = int.from_bytes(data, "little")

    def take(count: int) -> int:
        nonlocal left
        value = left & ((1 << count) - 1)
        left >>= count
        return value

    return take


def _stream(data: bytes) -> bytes:
    """Return the beginning of the coded picture: the file itself, or what is in its first box of pixels."""
    place = 0
    while data[place : place + 2] != b"\xff\x0a":
        length, name = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        head = 8
        if length == 1:
            length, head = int.from_bytes(data[place + 8 : place + 16]), 16
        if name == b"jxlc":
            place += head
        elif name == b"jxlp":
            place += head + 4
        elif length < head:  # the last box, or none
            raise ValueError("JPEG XL picture: its header cannot be read")
        else:
            place += length
    return data[place : place + 64]
