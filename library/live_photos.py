"""Owns which videos are the moving part of a picture: Live Photos, Motion Photos. Reads a video's header, never a frame."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from library.placeholders import is_dataless

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

_PIXEL = frozenset("mp mv".split())
"""Extensions of the videos of Pixel phones' pictures."""
MOVING = _PIXEL | {"mov", "mp4", "hevc"}
"""Extensions of videos that may belong to a picture."""
_PHONES = frozenset("heic heif".split())
"""Extensions of pictures that phones alone make."""
_LONGEST = 6.0
"""Seconds: phones film up to 3 s around a picture, programs that make Live Photos up to 5 s."""
_LARGEST = 16 * 2**20
"""Bytes of a video that belongs to its picture although it does not say how long it is. Phones write 2 to 8 MB."""
_UUID = 36
_BOXES = 64
"""How many parts of a video's file are looked at: the header is among the first or the last of a few."""


def pictures_by_stem(names: list[str]) -> dict[str, str]:
    """Return the extension of each picture under the names that its video may have, both in lower case."""
    by_stem = {}
    for name in names:
        lowered = name.lower()
        stem, _, kind = lowered.rpartition(".")
        by_stem[lowered] = by_stem[stem] = kind  # IMG_1.HEIC.MOV, IMG_1.MOV
    return by_stem


def belongs(video: str, path: str, pictures: dict[str, str]) -> bool:
    """Tell whether a video belongs to one of the pictures in its folder; both are named alike.

    A camera may have made both by itself, so a long video stands alone.

    Raises:
        OSError: the disk cannot be read.
    """
    beside = next((pictures[stem] for stem in _stems(video.lower()) if stem in pictures), None)
    if beside is None:
        return False
    try:
        status = os.stat(path)
        small = status.st_size <= _LARGEST
        # A phone's library holds thousands: to open each takes minutes on a disk that turns.
        if is_dataless(status) or (small and beside in _PHONES and video.lower().endswith(".mov")):
            return True
        with open(path, "rb", buffering=0) as file:
            seconds = _seconds(file)
    except (PermissionError, FileNotFoundError):
        return True
    return small if seconds is None else seconds <= _LONGEST


def _stems(video: str) -> Iterator[str]:
    """Yield the names that the picture of a video may have, without its extension."""
    stem, _, kind = video.rpartition(".")
    yield stem
    if kind in _PIXEL:
        yield video  # PXL_1.MP beside PXL_1.MP.jpg
    yield stem.removesuffix("_hevc")  # icloudpd
    if len(stem) == _UUID + 2 and stem.count("-") == 4:  # Photos: <UUID>_3.mov beside <UUID>.heic
        yield stem.removesuffix("_3")


def _seconds(file: BinaryIO) -> float | None:
    """Return how long a QuickTime or MP4 video is, None if its header does not tell."""
    movie = _box(file, b"moov", 0)
    header = None if movie is None else _box(file, b"mvhd", movie)
    if header is None:
        return None
    file.seek(header)
    data = file.read(32)
    if len(data) < 32:
        return None
    wide = data[0] == 1  # version 1: two times of 8 bytes, and a duration of 8
    start, size = (20, 8) if wide else (12, 4)
    ticks = int.from_bytes(data[start : start + 4])
    length = int.from_bytes(data[start + 4 : start + 4 + size])
    return length / ticks if ticks and length else None


def _box(file: BinaryIO, kind: bytes, start: int) -> int | None:
    """Return where the content of the first box of this kind begins, looking from `start` on."""
    for _ in range(_BOXES):
        file.seek(start)
        head = file.read(16)
        if len(head) < 8:
            return None
        size, begin = int.from_bytes(head[:4]), 8
        if size == 1:
            size, begin = int.from_bytes(head[8:16]), 16
        if head[4:8] == kind:
            return start + begin
        if size < begin:  # 0: up to the end
            return None
        start += size
    return None
