"""Owns how a file is known by its content, whatever its name: its size and a hash of parts of it."""

from __future__ import annotations

import os
from contextlib import suppress
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

END = 64 << 10
"""Bytes at the beginning and at the end of a file that are hashed; a smaller file is hashed whole."""
_SAMPLES, _SAMPLE = 64, 4 << 10
"""How many pieces of how many bytes are hashed between them, where the picture may be stored without compression."""
_HASH = 8
"""Bytes. Two of a million photos of the same size would have the same hash once in 30 million libraries."""
# JPEG, PNG, GIF, Matroska, JPEG XL and JPEG 2000; `ftyp` and `WEBP` stand further on.
_COMPRESSED = (
    b"\xff\xd8\xff",
    b"\x89PNG",
    b"GIF8",
    b"\x1aE\xdf\xa3",
    b"\xff\x0a",
    b"\0\0\0\x0cJXL",
    b"\0\0\0\x0cjP",
)


def content_of_bytes(data: bytes) -> str:
    """Return the content of a file that holds these bytes, as in `2481920-9f3c0a1b2c3d4e5f`: its size and the hash.

    If a compressed picture changes, its size or its end changes with it. Other files also get pieces from between hashed:
    scanned pages with white margins, stored as TIFF without compression, have the same size, beginning and end.
    """
    view = memoryview(data)
    return _content(len(data), lambda start, length: view[start : start + length])


def content_of(path: str, beginning: bytes = b"") -> str | None:
    """Return the content of a file of which only parts are read: the same as that of its bytes.

    None if it cannot be read, changes meanwhile, or does not begin with `beginning`.
    """
    with suppress(OSError), open(path, "rb", buffering=0) as file:
        number = file.fileno()
        before = os.fstat(number)
        content = _content(before.st_size, lambda start, length: os.pread(number, length, start))
        begins = os.pread(number, len(beginning), 0) == beginning
        after = os.fstat(number)
        if begins and (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns):
            return content
    return None


def is_content(text: object) -> bool:
    """Tell whether this is a content; another program may have a field of that name.

    Not by a regular expression, which takes a second for a journal of a million lines.
    """
    if not isinstance(text, str) or len(text) > 32 or not text.isascii():
        return False
    size, dash, digest = text.partition("-")
    return bool(dash) and size.isdecimal() and len(digest) == 2 * _HASH


def size_in(content: str) -> int:
    """Return the size of the files that have this content, in bytes."""
    return int(content.partition("-")[0])


def _content(size: int, read: Callable[[int, int], bytes | memoryview]) -> str:
    hashed = blake2b(digest_size=_HASH)
    for start, length in _parts(size, bytes(read(0, 12))):
        hashed.update(read(start, length))
    return f"{size}-{hashed.hexdigest()}"


def _parts(size: int, head: bytes) -> Iterator[tuple[int, int]]:
    """Yield which parts of the file are hashed, as (start, length)."""
    compressed = head.startswith(_COMPRESSED) or head[4:8] == b"ftyp" or head[8:12] == b"WEBP"
    between = 0 if compressed else _SAMPLES * _SAMPLE
    if size <= 2 * END + between:
        yield 0, size
        return
    yield 0, END
    if between:
        room = size - 2 * END - _SAMPLE
        for number in range(_SAMPLES):
            yield END + room * number // (_SAMPLES - 1), _SAMPLE
    yield size - END, END
