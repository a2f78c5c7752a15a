"""Owns which photos a command is about: the folder, what the journal says of it, what is still to be done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from backends.errors import StopRunError
from cli.log import log
from config import CONFIG_FILE

if TYPE_CHECKING:
    from config import Settings
    from journal import CaptionJournal, Status
    from library.walk import Photo, Walk


def photos_folder(given: Path | None, settings: Settings) -> Path:
    """Return the library's folder.

    Raises:
        StopRunError: nobody has said where it is.
    """
    if folder := given or settings.PHOTOS_DIR:
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
) -> None:
    """Load the journal and make sure that it belongs to this library.

    Raises:
        StopRunError: none of its photos is in the folder.
    """
    journal.load(retry_statuses, redo_mock=redo_mock)
    if warning := journal.malformed_warning():
        log.warning(warning)
    if journal.known and not any(journal.is_known(photo.rel_path) for photo in found.photos):
        raise StopRunError(
            f"{journal.path} belongs to another folder: none of its {journal.known:,} photos is in {photos_dir}. "
            "Give the --photos-dir it was made with (paths count from there), or another --captions-jsonl."
        )


def pending_photos(journal: CaptionJournal, found: Walk) -> list[Photo]:
    """Return what is to be done: photos without a record first, then the retried ones, longest waiting first."""
    by_name = {photo.rel_path: photo for photo in found.photos}
    again = [by_name[rel_path] for rel_path in journal.redo if rel_path in by_name]
    fresh = (
        photo for name, photo in by_name.items() if not journal.is_done(name) and name not in journal.redo
    )
    return [*fresh, *again]
