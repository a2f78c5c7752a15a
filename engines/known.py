"""Owns which photos are known by their content: those whose caption is there under another name, and replaced ones."""

from __future__ import annotations

import logging
import os
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from journal import CaptionRecord, is_by_person
from library.identity import content_of, size_in

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from journal import CaptionJournal, Entry
    from library.walk import Photo

MANY = 1_000
"""If more photos than these are newer than their records, the library was copied, and dates say nothing."""

_THREADS = 8  # on a drive in the network each look takes its time
_BLOCK = 32  # photos that a thread looks at in one go
_TOGETHER = 1_000  # records written at once: a million would take up the memory

_log = logging.getLogger("captioner.engine")
_T = TypeVar("_T")


class Copy(NamedTuple):
    """A photo with the content of another, and that one's name and record."""

    photo: Photo
    rel_path: str
    entry: Entry

    def record(self) -> CaptionRecord:
        """Return the record of the photo: the other's caption, and who made it."""
        asked = self.entry.get("copy_of", self.rel_path)  # of a copy's copy, the one that was asked
        return CaptionRecord(
            rel_path=self.photo.rel_path,
            caption=self.entry["caption"],
            status="success",
            model=self.entry.get("model"),
            prompt=self.entry.get("prompt"),
            content=self.photo.content,
            copy_of=asked if asked != self.photo.rel_path else self.rel_path,
            by=self.entry.get("by"),
            tags=list(self.entry["tags"]) if "tags" in self.entry else None,
        )


class Known:
    """The photos to do, `photos`, each with its content if another photo may have the same."""

    def __init__(
        self,
        photos: list[Photo],
        captioned: Mapping[str, list[tuple[str, Entry]]],
        kept: Mapping[str, Entry] = MappingProxyType({}),
        remade: Container[str] = (),
    ) -> None:
        """Keep what is known.

        `captioned` are names and records of photos that have a caption, by content; `kept` the records of those photos that
        are to be captioned again, and `remade` the names of those that were.
        """
        self.photos = photos
        self._captioned = captioned
        self._kept = kept
        self._remade = remade

    def split(self, model: str, prompt: str | None, *, tags: bool = False) -> tuple[list[Copy], list[Photo]]:
        """Return the photos that `model` has captioned under another name with this prompt, and the other ones.

        With `tags`, a caption without any does not count.
        A record without a prompt's mark counts as this prompt's, as it does everywhere (0.1 wrote none). What a person wrote
        about a photo goes before all.
        """
        copies, others = [], []
        for photo in self.photos:
            source = self._source(photo, model, prompt, tags=tags)
            if source:
                copies.append(Copy(photo, *source))
            else:
                others.append(photo)
        return copies, others

    def _source(
        self, photo: Photo, model: str, prompt: str | None, *, tags: bool
    ) -> tuple[str, Entry] | None:
        """Return the name and the record of the photo that has the caption for this one."""

        def is_made(entry: Entry) -> bool:
            same = entry.get("model") == model and entry.get("prompt", prompt) == prompt
            return same and ("tags" in entry or not tags)

        sources = self._captioned.get(photo.content or "", ())
        own = self._kept.get(photo.rel_path)
        # What is to be made again although model and prompt are the same would get its own old caption from a copy.
        only_new = own is not None and is_made(own)
        fit = (one for one in sources if is_made(one[1]) and (not only_new or one[0] in self._remade))
        return next((one for one in sources if is_by_person(one[1])), None) or next(fit, None)

    def carry_over(
        self,
        journal: CaptionJournal,
        model: str,
        prompt: str | None,
        most: int | None = None,
        *,
        tags: bool = False,
    ) -> tuple[int, list[Photo]]:
        """Write the records of the copies that `split` finds among the first `most`; return how many, and the photos that are left.

        Raises:
            StopRunError: the journal cannot be written.
        """
        copies, others = Known(self.photos[:most], self._captioned, self._kept, self._remade).split(
            model, prompt, tags=tags
        )
        others += self.photos[len(copies) + len(others) :]
        for start in range(0, len(copies), _TOGETHER):
            journal.write_many([copy.record() for copy in copies[start : start + _TOGETHER]])
        return len(copies), others


def find_copies(pending: Sequence[Photo], journal: CaptionJournal, library: Sequence[Photo]) -> Known:
    """Read what is needed to tell which of the `pending` photos have the content of another of them or of a captioned one.

    Only files are read whose size occurs twice. `library` is where photos are whose records have no content yet.
    """
    sizes = {
        photo.rel_path: status.st_size
        for photo, status in _with_stat(photo for photo in pending if not photo.is_video)
        if status.st_size
    }
    if not sizes:
        return Known(list(pending), {})
    wanted = Counter(sizes.values())
    old = _without_content(journal, library, wanted)
    twice = {size for size, number in wanted.items() if number > 1} | {size for _, size in old}
    for _, entry in journal.captioned():
        if "content" in entry and (size := size_in(entry["content"])) in wanted:
            twice.add(size)
    unsure = [photo for photo in pending if sizes.get(photo.rel_path) in twice]
    if len(unsure) > MANY:
        _log.info(f"Looking into {len(unsure):,} photos that may be copies: others have the same size.")
    contents = _contents(unsure)
    found = set(contents.values())
    captioned: dict[str, list[tuple[str, Entry]]] = {}
    for rel_path, entry in journal.captioned():
        if (
            rel_path not in journal.kept
            and (content := entry.get("content")) in found
            and content is not None
        ):
            captioned.setdefault(content, []).append((rel_path, entry))
    for rel_path, content in _contents(photo for photo, _ in old).items():
        captioned.setdefault(content, []).append((rel_path, journal.records[rel_path]))
    photos = [
        replace(photo, content=contents[photo.rel_path]) if photo.rel_path in contents else photo
        for photo in pending
    ]
    kept = {name: own for name in journal.kept if (own := journal.entry(name))}
    return Known(photos, captioned, kept, journal.remade)


def replaced(journal: CaptionJournal, photos: Iterable[Photo]) -> list[str]:
    """Return the photos that are done, but whose file is no longer the one that was read, by rel_path.

    What a person wrote about a photo stays, whatever the file becomes.
    A file of the same size is read only if it is newer than its record. A journal loaded without times shows none of these.
    """
    records = journal.records
    changed, newer = [], []

    def is_told(photo: Photo) -> bool:
        entry = records.get(photo.rel_path)
        return entry is not None and "content" in entry and not is_by_person(entry)

    for photo, status in _with_stat(filter(is_told, photos)):
        same_size = status.st_size == size_in(records[photo.rel_path]["content"])
        if same_size:
            made = journal.time_of(photo.rel_path)
            if made is not None and status.st_mtime > made:
                newer.append(photo)
        elif status.st_size:  # an empty file stands for one that is elsewhere
            changed.append(photo.rel_path)
    if len(newer) <= MANY:
        changed += [name for name, now in _contents(newer).items() if now != records[name]["content"]]
    return sorted(changed)


def is_moved(journal: CaptionJournal, photos: Iterable[Photo]) -> bool:
    """Tell whether one of these photos is captioned under a name that differs in more than where the paths begin."""
    names: dict[str, str] = {
        entry["content"]: rel_path for rel_path, entry in journal.captioned() if "content" in entry
    }
    sizes = {size_in(content) for content in names}
    for photo, status in _with_stat(photos):
        name = names.get(content_of(photo.path) or "") if status.st_size in sizes else None
        if name and not _end_alike(name, photo.rel_path):
            return True
    return False


def _end_alike(one: str, other: str) -> bool:
    """Tell whether one path is the end of the other: the same file, seen from another folder."""
    return f"/{one}".endswith(f"/{other}") or f"/{other}".endswith(f"/{one}")


def _without_content(
    journal: CaptionJournal, library: Iterable[Photo], sizes: Mapping[int, int]
) -> list[tuple[Photo, int]]:
    """Return the photos of these sizes whose captions are from before 0.2, unless the file is newer than the caption."""

    def is_old(photo: Photo) -> bool:
        entry = journal.records.get(photo.rel_path)
        return entry is not None and entry["status"] == "success" and "content" not in entry

    return [
        (photo, status.st_size)
        for photo, status in _with_stat(filter(is_old, library))
        if status.st_size in sizes and status.st_mtime <= (journal.time_of(photo.rel_path) or 0)
    ]


def _with_stat(photos: Iterable[Photo]) -> Iterator[tuple[Photo, os.stat_result]]:
    return _looked_at(photos, lambda photo: os.stat(photo.path))


def _contents(photos: Iterable[Photo]) -> dict[str, str]:
    """Return the contents of these photos, by rel_path; without those that cannot be read."""
    return {
        photo.rel_path: content
        for photo, content in _looked_at(photos, lambda photo: content_of(photo.path))
        if content is not None
    }


def _looked_at(photos: Iterable[Photo], look: Callable[[Photo], _T]) -> Iterator[tuple[Photo, _T]]:
    """Yield what `look` returns for each photo, in their order; a photo that it cannot read is left out."""

    def looked(block: list[Photo]) -> list[tuple[Photo, _T]]:
        seen = []
        for photo in block:
            with suppress(OSError):
                seen.append((photo, look(photo)))
        return seen

    given = list(photos)
    pool = ThreadPoolExecutor(_THREADS)
    try:
        for seen in pool.map(looked, (given[at : at + _BLOCK] for at in range(0, len(given), _BLOCK))):
            yield from seen
    finally:
        pool.shutdown(cancel_futures=True)
