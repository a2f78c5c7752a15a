"""Owns camera raw files: the preview that the camera made, or where that is too small what LibRaw develops.

A raw file holds several previews, from a thumbnail of 160 pixels to a JPEG in the sensor's full size. LibRaw knows where each
maker puts them, and how the camera was held.
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager, nullcontext, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, BinaryIO

from PIL import ExifTags, Image, TiffImagePlugin

from library.jpeg_xl import open_jpeg_xl
from library.late import LateImage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rawpy import ImageSizes, RawPy

FORMAT = "RAW"
"""The `format` of a picture that LibRaw develops."""
_LEAST_SIDE = 1000
"""Pixels on the longer side. A smaller preview is a thumbnail, which shows too little for a caption."""
_HALVED = 2048
"""Sensors from this side on are developed at half of it, in a fraction of the time."""
_EXIF_OF_FLIP = (1, 2, 4, 3, 5, 8, 6, 7)
"""EXIF's orientation for each of LibRaw's."""
_COMPRESSION, _STRIPS, _STRIP_LENGTHS, _TILES, _TILE_LENGTHS, _SUB_IFDS = 259, 273, 279, 324, 325, 330
_JPEG_XL_IN_TIFF = 52546
_NOWHERE = 0xFFFFFFFF
"""What Panasonic writes for a place that other tags name."""


def open_raw(file: BinaryIO) -> Image.Image:
    """Return the picture in a raw file, not yet decoded; its EXIF says how to turn it upright.

    Raises:
        ModuleNotFoundError: there is no LibRaw here.
        OSError, MemoryError, NotImplementedError, ValueError: there is no raw picture in it that can be read.
    """
    with nullcontext() if getattr(file, "name", None) is None else _silence():
        return _opened(file)


def _opened(file: BinaryIO) -> Image.Image:
    import rawpy  # noqa: PLC0415 - most libraries hold no raw file

    raw = rawpy.RawPy()
    with _plain_errors():
        _open(raw, file)
        if _seems_cut(file):
            raw.unpack()  # which fails if it is
    sensor = raw.sizes
    full_side = max(sensor.width, sensor.height)
    enough = min(_LEAST_SIDE, full_side)
    preview = _preview(raw)
    if not preview or max(preview.size) < enough:
        preview = _jpeg_xl_preview(file, enough) or preview
    if preview:
        preview.getexif()[ExifTags.Base.Orientation] = _orientation(preview, sensor)
        if max(preview.size) >= enough:
            return preview
    return LateImage(
        FORMAT, (sensor.width, sensor.height), lambda: _developed(raw, preview, half=full_side >= _HALVED)
    )


def _open(raw: RawPy, file: BinaryIO) -> None:
    """Let LibRaw read a file on the disk itself, which it does only as far as it must."""
    name = getattr(file, "name", None)
    with suppress(UnicodeEncodeError):  # the binding takes only UTF-8
        if name is not None:
            raw.open_file(os.fspath(name))
            return
    raw.open_buffer(file)


def _preview(raw: RawPy) -> Image.Image | None:
    """Return the largest preview that LibRaw can read; None if there is none."""
    import rawpy  # noqa: PLC0415

    try:
        found = raw.extract_thumb().data
        return (
            Image.open(BytesIO(found), formats=["JPEG"])
            if isinstance(found, bytes)
            else Image.fromarray(found)
        )
    except (rawpy.LibRawError, rawpy.NotSupportedError, NotImplementedError, OSError, ValueError, TypeError):
        return None


def _jpeg_xl_preview(file: BinaryIO, enough: int) -> Image.Image | None:
    """Return a DNG's preview in JPEG XL, which LibRaw passes over; None if there is none with `enough` pixels a side."""
    with suppress(Exception):  # a damaged one: LibRaw says what is wrong
        for tags in _directories(file):
            if tags.get(_COMPRESSION) == _JPEG_XL_IN_TIFF and len(tags.get(_STRIPS, ())) == 1:
                file.seek(tags[_STRIPS][0])
                preview = open_jpeg_xl(file.read(tags[_STRIP_LENGTHS][0]))
                if max(preview.size) >= enough:
                    return preview
    return None


def _seems_cut(file: BinaryIO) -> bool:
    """Tell whether the file names bytes behind its end. The preview often comes first, and does not show that."""
    size = file.seek(0, os.SEEK_END)
    ends = [0]
    with suppress(Exception):  # any type can come out of a damaged file
        file.seek(0)
        head = file.read(108)
        if head.startswith(b"FUJIFILM"):
            places = struct.unpack(">6I", head[84:108])
            ends += map(sum, zip(places[::2], places[1::2], strict=True))
        elif head[4:8] == b"ftyp":
            place = 0
            while place < size:
                file.seek(place)
                length, _, long = struct.unpack(">I4sQ", file.read(16).ljust(16, b"\0"))
                place += {0: size - place, 1: long}.get(length, length)
                ends.append(place)
        else:
            for tags in _directories(file):
                for starts, lengths in ((_STRIPS, _STRIP_LENGTHS), (_TILES, _TILE_LENGTHS)):
                    ends += map(sum, zip(tags.get(starts, ()), tags.get(lengths, ()), strict=False))
    return max(end for end in ends if end < _NOWHERE) > size


def _directories(file: BinaryIO) -> Iterator[Any]:
    """Yield the TIFF directories that most raw files are made of, as mappings of tags to values."""
    file.seek(0)
    # Olympus has other letters in place of the 42.
    head = file.read(8).replace(b"IIRO", b"II*\0").replace(b"IIRS", b"II*\0").replace(b"MMOR", b"MM\0*")
    places = [TiffImagePlugin.ImageFileDirectory_v2(head).next]
    for place in places:
        tags: Any = TiffImagePlugin.ImageFileDirectory_v2(head)
        file.seek(place)
        tags.load(file)
        yield tags
        places += [one for one in (*tags.get(_SUB_IFDS, ()), tags.next) if one and one not in places]


def _orientation(preview: Image.Image, sensor: ImageSizes) -> int:
    """Return EXIF's orientation of the preview: it lies as the sensor does, unless its sides show that it has been turned."""
    if not sensor.flip:
        own = preview.getexif().get(ExifTags.Base.Orientation)
        return own if isinstance(own, int) else 1
    orientation = _EXIF_OF_FLIP[sensor.flip % 8]
    lies_as_sensor = (preview.width > preview.height) == (sensor.width > sensor.height)
    return orientation if orientation < 5 or lies_as_sensor else 1


def _developed(raw: RawPy, preview: Image.Image | None, *, half: bool) -> Image.Image:
    """Return what LibRaw makes of the sensor's data, upright; the small preview if it does not know how they are packed."""
    try:
        with _plain_errors():
            return Image.fromarray(raw.postprocess(half_size=half, use_camera_wb=True))
    except NotImplementedError:
        if preview is None:
            raise
        return preview


@contextmanager
def _plain_errors() -> Iterator[None]:
    """Raise LibRaw's errors as Python's own, with words for people."""
    import rawpy  # noqa: PLC0415

    try:
        yield
    except rawpy.LibRawIOError as error:
        raise OSError("camera raw file: unexpected end of file") from error
    except (rawpy.LibRawUnsufficientMemoryError, rawpy.LibRawTooBigError) as error:
        raise MemoryError from error
    except rawpy.LibRawFileUnsupportedError as error:
        raise NotImplementedError("LibRaw does not know it") from error
    except rawpy.LibRawError as error:
        text = error.args[0] if error.args else ""
        text = text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        raise ValueError(f"camera raw file: {text}") from error


@contextmanager
def _silence() -> Iterator[None]:
    """Discard what LibRaw prints about damaged files; what is decoded from memory is decoded in a child that does so itself."""
    saved, nothing = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 2)
    try:
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
        os.close(nothing)
