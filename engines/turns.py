"""Owns whose turn it is in a run: of photos with the same content only one is asked about, and another if that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from journal import CaptionRecord
    from library.walk import Photo


class Turns:
    """The photos of a run in rounds. A round is over when all its outcomes are known, so nothing waits for another photo.

    The first round has one photo of each content. If that gets a caption, `copies_of` gives the others it. If not (the
    middle of its file may be damaged, which its content does not show), a second one has its turn, and then all the rest.

    Attributes:
        size: how many photos the run is about.
        quota: how many photos the first round has.
        alike: how many wait for another with the same content at first.
        asked: how many had their turn.
        carried: how many were given the caption of another.
    """

    def __init__(self, photos: Sequence[Photo], most: int | None = None) -> None:
        """At most `most` photos, the first ones, get a record."""
        self._total = len(photos)
        photos = photos[:most]
        self.size = len(photos)
        self._waiting: dict[str, list[Photo]] = {}
        self._first: list[Photo] = []
        seen = set()
        for photo in photos:
            if photo.content and photo.content in seen:
                self._waiting.setdefault(photo.content, []).append(photo)
            else:
                self._first.append(photo)
                seen.add(photo.content)
        self.alike = len(photos) - len(self._first)
        self.quota = len(self._first)
        self.asked = self.carried = 0

    @property
    def left(self) -> int:
        """How many are still to be done."""
        return self._total - self.asked - self.carried

    def rounds(self) -> Iterator[list[Photo]]:
        """Yield the photos of each round; the next is asked for only when all outcomes of the last are known."""
        photos, number = self._first, 0
        while photos:
            self.asked += len(photos)
            yield photos
            number += 1
            photos = self._next(1 if number == 1 else None)

    def copies_of(self, made: CaptionRecord) -> list[CaptionRecord]:
        """Return the records of the photos that get the caption of this new record; they no longer wait."""
        if made.status != "success" or not made.content:
            return []
        photos = self._waiting.pop(made.content, [])
        self.carried += len(photos)
        return [
            made.model_copy(update={"rel_path": photo.rel_path, "copy_of": made.rel_path}) for photo in photos
        ]

    def _next(self, each: int | None) -> list[Photo]:
        """Take photos that still wait, at most `each` of a content."""
        photos = []
        for content, waiting in self._waiting.items():
            photos += waiting[:each]
            self._waiting[content] = waiting[each:] if each else []
        return photos
