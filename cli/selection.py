"""Owns which photos a command works on: the folder, its records in the journal, what is still to do."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from cli.log import log
from config import CONFIG_FILE, source
from errors import StopRunError
from library.walk import folded

if TYPE_CHECKING:
    from collections.abc import Collection

    from cli.doors import Shard
    from config import Settings
    from journal import CaptionJournal, Entry, Status
    from library.walk import Photo, Walk


def photos_folder(given: Path | None, settings: Settings) -> Path:
    """Return the library's folder.

    Raises:
        StopRunError: no folder was given, or the settings name one that does not exist.
    """
    if given:
        return given
    if folder := settings.PHOTOS_DIR:
        if not os.path.isdir(folder):
            raise StopRunError(
                f"{source('PHOTOS_DIR')} names a folder that does not exist: correct it, mount the disk, or give --photos-dir."
            )
        return folder
    raise StopRunError(
        f"Where are the photos? Give --photos-dir, or set PHOTOS_DIR in {Path(CONFIG_FILE).absolute()}."
    )


def load_records(
    journal: CaptionJournal,
    found: Walk,
    photos_dir: Path,
    retry_statuses: frozenset[Status],
    *,
    redo_mock: bool,
    videos: bool,
    with_stamps: bool = False,
) -> None:
    """Load the journal and check that it belongs to this library. With `videos` a record that says only "video" does not count.

    Raises:
        StopRunError: none of its photos is in the folder.
    """
    journal.load(retry_statuses, redo_mock=redo_mock, redo_videos=videos, with_stamps=with_stamps)
    if warning := malformed_warning(journal):
        log.warning(warning)
    spell_as_recorded(found, journal.names(), photos_dir)
    if journal.known and not any(journal.is_known(photo.rel_path) for photo in found.photos):
        raise StopRunError(
            f"{journal.path} belongs to another folder: none of its {journal.known:,} photos is in {photos_dir}. "
            "Give the --photos-dir it was made with (paths count from there), or another --captions-jsonl."
        )


def open_videos(found: Walk) -> None:
    """Let videos count as photos, which are opened."""
    found.photos = [replace(photo, is_video=False) if photo.is_video else photo for photo in found.photos]


def malformed_warning(journal: CaptionJournal) -> str | None:
    """Return the sentence about the journal's malformed lines, or None if there are none."""
    if not journal.malformed:
        return None
    lines = "line" if len(journal.malformed) == 1 else "lines"
    shown = first_numbers(journal.malformed)
    return (
        f"Warning: discarded {len(journal.malformed)} malformed {lines} from {journal.name} ({lines} {shown})"
    )


def first_numbers(numbers: list[int]) -> str:
    """Return the first ten numbers: `2, 5, 9, ...`."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


def spell_as_recorded(found: Walk, recorded: Collection[str], photos_dir: Path) -> None:
    """Give a photo the name in its record, if the two differ only in upper and lower case: the photo is not new.

    On disks of Macs and cameras `IMG_1.JPG` and `img_1.jpg` are the same file. The disk is asked, because on other disks
    they are two photos.
    """
    listed = {photo.rel_path for photo in found.photos}
    missing = {folded(name): name for name in recorded if name not in listed}
    if not missing:
        return
    for place, photo in enumerate(found.photos):
        if photo.rel_path in recorded:
            continue
        name = missing.get(folded(photo.rel_path))
        with suppress(OSError):  # no such file: another photo
            if name and os.path.samefile(os.path.join(photos_dir, name), photo.path):
                found.photos[place] = replace(photo, rel_path=name)
    found.photos.sort(key=lambda photo: photo.rel_path)


def keep_shard(found: Walk, shard: Shard | None) -> str | None:
    """Leave out the photos of other shards; return a sentence about it, None without a shard.

    Call this after `load_records`, which compares the journal with the whole library, not with one shard.
    """
    if shard is None:
        return None
    total = len(found.photos)
    found.photos = [photo for photo in found.photos if shard.holds(photo.rel_path)]
    return f"Shard {shard.number} of {shard.count}: {len(found.photos):,} of {total:,} photos."


def done_records(journal: CaptionJournal, found: Walk) -> list[Entry]:
    """Return the records that count, of the photos in the folder."""
    records = journal.records
    return [records[photo.rel_path] for photo in found.photos if photo.rel_path in records]


def pending_photos(journal: CaptionJournal, found: Walk) -> list[Photo]:
    """Return the photos to do: first those without a record, then those to retry, oldest record first."""
    by_name = {photo.rel_path: photo for photo in found.photos}
    again = [by_name[rel_path] for rel_path in journal.redo if rel_path in by_name]
    fresh = (
        photo for name, photo in by_name.items() if not journal.is_done(name) and name not in journal.redo
    )
    return [*fresh, *again]
