"""Owns the messages between parent and child. Imports nothing slow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from library.moments import Moment

STARTING, READING, DECODING, BOTH = 0, 1, 2, 3
"""What the child is doing. It is in the last byte of the shared memory, so that the parent knows how it died."""


@dataclass(frozen=True, slots=True)
class Ready:
    """The child has started."""


@dataclass(frozen=True, slots=True)
class Look:
    """The parent asks for a picture of at most `max_side` and its moment; a path alone asks for the file's content."""

    path: str
    max_side: int


@dataclass(frozen=True, slots=True)
class Large:
    """The child asks for permission to decode a large picture, and waits for the answer."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """The picture is in the shared memory: `size` is (width, height), 4 bytes a pixel, RGBX."""

    size: tuple[int, int]
    moment: Moment | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """There is no picture, with the reason; `unavailable` and `gone` as in UnavailableImageError."""

    reason: str
    unavailable: bool = False
    gone: bool = False
    moment: Moment | None = None
    content: str | None = None
