"""Camera raw files that LibRaw reads: DNGs with previews as cameras make them, written byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pillow_jxl  # noqa: F401 - lets Pillow write JPEG XL
from PIL import ExifTags, Image, ImageDraw

RED, BLUE = (250, 30, 30), (60, 120, 160)
_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 10: "ii"}
_LATER = 0xABCD1234  # where the sensor's data will be
_COMPRESSION = {b"\xff\xd8": 7, b"\xff\x0a": 52546}
_TO_STORED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

Tags = dict[int, tuple[int, Sequence[object] | bytes]]


def scene(size: tuple[int, int]) -> Image.Image:
    """Return a picture with a red corner at its top left."""
    image = Image.new("RGB", size, BLUE)
    ImageDraw.Draw(image).rectangle((0, 0, size[0] // 4, size[1] // 4), fill=RED)
    return image


def stored(upright: Image.Image, orientation: int) -> Image.Image:
    """Return the picture as a camera stores it that was held as EXIF's `orientation` says."""
    turn = _TO_STORED.get(orientation)
    return upright if turn is None else upright.transpose(turn)


def close(pixel: object, colour: tuple[int, int, int], slack: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return bool(max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) <= slack)


def is_upright(image: Image.Image) -> bool:
    """Tell whether the red corner, and only that, is at the top left; developed colours are strong ones."""
    corners = [(10, 10), (image.width - 11, 10), (10, image.height - 11)]
    red, _, blue = image.split()
    return [int(red.getpixel(at)) > int(blue.getpixel(at)) for at in corners] == [True, False, False]  # type: ignore[arg-type]


def packed(image: Image.Image, kind: str = "JPEG", orientation: int | None = None) -> bytes:
    """Return the picture in a format of Pillow's, with EXIF's orientation if one is given."""
    out, more = BytesIO(), {}
    if orientation:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = orientation
        more = {"exif": exif.tobytes()}
    image.save(out, kind, **more)
    return out.getvalue()


def thumbnail(image: Image.Image) -> bytes:
    return packed(image.resize((160, 160 * image.height // image.width)))


def dng(sensor: Image.Image, *previews: bytes, orientation: int = 1, sensor_compression: int = 1) -> bytes:
    """Return a DNG: previews first, as packed pictures, and behind them what the sensor saw, as a mosaic of 16 bits."""
    file = bytearray(b"II*\0\0\0\0\0")
    mosaic = _mosaic(sensor)
    raw: Tags = {
        254: (4, [0]), 256: (4, [sensor.width]), 257: (4, [sensor.height]), 258: (3, [16]), 259: (3, [sensor_compression]),
        262: (3, [32803]), 273: (4, [_LATER]), 277: (3, [1]), 278: (4, [sensor.height]), 279: (4, [len(mosaic)]),
        33421: (3, [2, 2]), 33422: (1, [0, 1, 1, 2]), 50717: (4, [16383]),
    }  # fmt: skip
    camera: Tags = {
        254: (4, [1]), 271: (2, b"Tester\0"), 272: (2, b"T1\0"), 274: (3, [orientation]), 306: (2, b"2024:05:06 07:08:09\0"),
        50706: (1, [1, 4, 0, 0]), 50707: (1, [1, 1, 0, 0]), 50708: (2, b"Tester T1\0"),
        50721: (10, [(int(row == column), 1) for row in range(3) for column in range(3)]), 50728: (5, [(1, 1)] * 3),
        50778: (3, [21]),
    }  # fmt: skip
    below = [_directory(file, raw), *(_directory(file, _preview(file, data)) for data in previews[1:])]
    first = _preview(file, previews[0]) if previews else {}
    start = _directory(file, first | camera | {330: (4, below)})
    file[4:8] = struct.pack("<I", start)
    end = len(file) + len(file) % 2
    return bytes(file).replace(struct.pack("<I", _LATER), struct.pack("<I", end)).ljust(end, b"\0") + mosaic


def _mosaic(image: Image.Image) -> bytes:
    light = (np.asarray(image, np.float64) / 255) ** 2.2 * 16000
    mosaic = np.empty(light.shape[:2], "<u2")
    for row, column, colour in ((0, 0, 0), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
        mosaic[row::2, column::2] = light[row::2, column::2, colour]
    return mosaic.tobytes()


def _preview(file: bytearray, data: bytes) -> Tags:
    width, height = Image.open(BytesIO(data)).size
    return {
        254: (4, [1]), 256: (4, [width]), 257: (4, [height]), 258: (3, [8, 8, 8]), 259: (3, [_COMPRESSION[data[:2]]]),
        262: (3, [6]), 273: (4, [_put(file, data)]), 277: (3, [3]), 278: (4, [height]), 279: (4, [len(data)]),
    }  # fmt: skip


def _put(file: bytearray, data: bytes) -> int:
    file += b"\0" * (len(file) % 2)
    file += data
    return len(file) - len(data)


def _directory(file: bytearray, tags: Tags) -> int:
    entries = b""
    for tag, (kind, values) in sorted(tags.items()):
        if isinstance(values, bytes):
            value = values
        else:
            flat = [part for one in values for part in (one if isinstance(one, tuple) else (one,))]
            value = struct.pack(f"<{_FORMATS[kind] * len(values)}", *flat)
        place = value.ljust(4, b"\0") if len(value) <= 4 else struct.pack("<I", _put(file, value))
        entries += struct.pack("<HHI", tag, kind, len(values)) + place
    return _put(file, struct.pack("<H", len(tags)) + entries + b"\0\0\0\0")
