"""Owns which photos a command works on: the folder, its records in the journal, what is still to do."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backends import BACKENDS
from cli.log import log
from cli.words import command
from config import CONFIG_FILE, source
from engines.known import is_moved
from errors import StopRunError
from journal import MOCK, CaptionJournal
from library.placeholders import EMPTY, stand_in
from library.walk import folded

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable

    from cli.doors import Shard
    from config import Settings
    from journal import Entry
    from library.walk import Photo, Walk


def existing_journal(path: Path) -> CaptionJournal:
    """Return a journal that must be there.

    Raises:
        StopRunError: it is not.
    """
    if not path.exists():
        raise StopRunError(
            f"{path} does not exist: check its name, or make it with: {command('run', '--captions-jsonl', str(path))}"
        )
    if path.is_dir():
        raise StopRunError(f"{path} is a folder: give the name of a journal in it.")
    return CaptionJournal(path)


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


def lies_in(folder: Path, photos_dir: Path) -> bool:
    """Tell whether a folder lies in the library. Ask the disk and not the spelling: to a Mac's disk `Photos` and `photos` are one folder."""
    inner = folder.resolve()
    with suppress(OSError):  # no photos folder, which is said later
        there = photos_dir.stat()
        return any(os.path.samestat(one.stat(), there) for one in (inner, *inner.parents) if one.exists())
    return False


def load_records(
    journal: CaptionJournal,
    found: Walk,
    photos_dir: Path,
    retry_statuses: frozenset[str],
    *,
    redo_mock: bool,
    videos: bool,
    with_stamps: bool = False,
    redo_mark: str | None = None,
) -> None:
    """Load the journal and check that it belongs to this library. With `videos` a record that says only "video" does not count.

    Raises:
        StopRunError: none of its photos is in the folder, under whatever name.
    """
    journal.load(
        retry_statuses,
        redo_mock=redo_mock,
        redo_videos=videos,
        with_stamps=with_stamps,
        with_times=True,
        redo_mark=redo_mark,
    )
    if warning := malformed_warning(journal):
        log.warning(warning)
    spell_as_recorded(found, journal.names(), photos_dir)
    known = (
        not journal.known
        or any(journal.is_known(photo.rel_path) for photo in found.photos)
        or gone_and_left_out(journal.names(), found, photos_dir)[1]
        or is_moved(journal, found.photos)
    )
    if not known:
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
    they are two photos. Also a photo with several names gets the one in its record.
    """
    if found.links:
        found.photos = [_named_as_recorded(photo, found, recorded) for photo in found.photos]
        found.photos.sort(key=lambda photo: photo.rel_path)
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


def _named_as_recorded(photo: Photo, found: Walk, recorded: Collection[str]) -> Photo:
    links = found.links.get(photo.rel_path, ())
    if not links or photo.rel_path in recorded:
        return photo
    return next((replace(photo, rel_path=name) for name in links if name in recorded), photo)


def leave_out_stand_ins(found: Walk, done: Container[str]) -> None:
    """Leave out the pictures that are only in a cloud; those in `done` are not looked at, because they need no download.

    An empty picture without another sign of a cloud is a copy that failed.
    """
    away = {
        photo.rel_path: service
        for photo in found.photos
        if not photo.is_video and photo.rel_path not in done and (service := stand_in(photo.path))
    }
    if [*found.away.values(), *away.values()] == [EMPTY]:
        return
    found.away |= away
    found.photos = [photo for photo in found.photos if photo.rel_path not in away]


def gone_and_left_out(recorded: Iterable[str], found: Walk, photos_dir: Path) -> tuple[int, int]:
    """Count the records of no photo in `found`: those whose file is gone, and those whose file is left out now."""
    listed = {photo.rel_path for photo in found.photos}
    others = [name for name in recorded if name not in listed]
    gone = len(gone_names(others, found, photos_dir))
    return gone, len(others) - gone


def gone_names(recorded: Iterable[str], found: Walk, photos_dir: Path) -> set[str]:
    """Return the names whose file is gone; what may not be looked at is none of them."""
    listed = {photo.rel_path for photo in found.photos} | found.away.keys()
    return {name for name in recorded if name not in listed and _is_gone(os.path.join(photos_dir, name))}


def _is_gone(path: str) -> bool:
    for form in ("NFC", "NFD"):  # as the journal spells names, and as macOS has stored them
        try:
            os.lstat(unicodedata.normalize(form, path))
        except (FileNotFoundError, NotADirectoryError, ValueError):  # the last: a null byte
            continue
        except OSError:
            return False
        return False
    return True


def keep_shard(found: Walk, shard: Shard | None) -> str | None:
    """Leave out the photos of other shards; return a sentence about it, None without a shard.

    Call this after `load_records`, which compares the journal with the whole library, not with one shard.
    """
    if shard is None:
        return None
    total = len(found.photos)
    found.photos = [photo for photo in found.photos if shard.holds(photo.rel_path)]
    found.away = {name: service for name, service in found.away.items() if shard.holds(name)}
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


def model_label(backend: str, model: str | None) -> str | None:
    """Return what records of this backend and model have as their `model`; None if the hardware will choose one."""
    model = model or BACKENDS[backend].default_model
    if backend == MOCK:
        return MOCK
    return f"{backend}/{model}" if model else None


def last_label(journal: CaptionJournal, backend: str) -> str | None:
    """Return the `model` of the last record here that this backend made; without --model the hardware chose it."""
    models = (entry.get("model", "") for entry in reversed(journal.records.values()))
    return next((model for model in models if model.startswith(f"{backend}/")), None)
