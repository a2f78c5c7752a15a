"""Owns what a report is made of: the library's files, what the journals say of them, vectors, pictures. Decides no group.

All of it raises StopRunError where a folder, a journal, a model or the disk is not as it must be.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tqdm import tqdm

from cli.copies import copies_warning
from cli.log import log
from cli.selection import (
    gone_and_left_out,
    leave_out_stand_ins,
    malformed_warning,
    photos_folder,
    spell_as_recorded,
)
from cli.words import count, extra
from config import load_settings
from errors import StopRunError, UnavailableImageError
from journal import CaptionJournal, is_video, takes_over
from library.video import can_open_videos
from library.walk import VIDEO_EXTENSIONS, Photo, extension, walk
from report.build import Library, Vectors
from report.files.thumbnails import Picture, disk_cost, make_pictures
from report.vectors.base import load_embedder
from report.vectors.cache import EmbeddingCache
from report.vectors.clip import TextEmbedder
from report.vectors.embed import embed_photos, embed_texts, unit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.name_with import NameWith
    from cli.signals import Stopper
    from journal import Entry
    from library.exclusion import Exclusion
    from library.walk import Walk

CACHE = ".cluster_cache"
_JOURNAL = Path("captions.jsonl")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the user asked for, checked; `journals` is empty where none was named."""

    photos_dir: Path | None
    exclude: Exclusion | None
    journals: tuple[Path, ...]
    out_dir: Path
    cluster_by: Literal["image", "caption", "both"]
    embedder: str
    clip_model: str
    text_model: str
    min_cluster_size: int | None
    seed: int
    fast: bool
    export_albums: Path | None
    name_with: NameWith | None = None


class StoppedError(Exception):
    """A signal came while vectors or thumbnails were made; those made so far are kept."""


def find_files(photos_dir: Path, exclude: Exclusion | None) -> Walk:
    """Find the library's files, all of them: a report would forget the photos of a part that cannot be read."""
    found = walk(photos_dir, exclude)
    if found.unreadable:
        raise StopRunError(
            f"{found.unreadable[0]}: a report would forget the photos in it, so none was written. See to the disk, then run "
            "the same command again."
        )
    return found


def read_library(options: ReportOptions, photos_dir: Path | None, found: Walk | None) -> Library:
    """Bring the files together with what the journals say of them; without `found` the journals say what there is."""
    records = _records(options)
    if found and photos_dir:
        spell_as_recorded(found, records, photos_dir)
        leave_out_stand_ins(found, records)
    photos = _photos(found, records)
    if found:
        photos = _with_captioned_videos(photos, records)
    _say_what_does_not_match(photos_dir, found, [photo.rel_path for photo in photos], records)
    return Library(photos_dir, photos, records)


def find_photos_dir(options: ReportOptions) -> Path | None:
    """Return the folder whose files get rows; None where the journal alone says what there is."""
    if options.cluster_by == "caption" and options.photos_dir is None:
        return None
    return photos_folder(options.photos_dir, load_settings())


def _records(options: ReportOptions) -> dict[str, Entry]:
    """Return what the journals say; of a photo that several hold, the last one's word."""
    records: dict[str, Entry] = {}
    for path in options.journals or (_JOURNAL,):
        journal = CaptionJournal(path)
        if warning := copies_warning(journal.path, options.journals):
            log.warning(warning)
        if not path.exists():
            if options.journals:
                raise StopRunError(f"{path} does not exist: check --captions-jsonl.")
            log.info(f"There is no {path}: no photo has a caption.")
            continue
        for name, entry in journal.load().items():
            if takes_over(entry, records.get(name)):
                records[name] = entry
        if warning := malformed_warning(journal):
            log.warning(warning)
    outside = [name for name in records if name.startswith("/") or ".." in name.split("/")]
    for name in outside:
        del records[name]
    if outside:
        log.warning(
            f"{len(outside):,} records name files outside the photos folder, such as {outside[0]}: they are left out."
        )
    return records


def _photos(found: Walk | None, records: Mapping[str, Entry]) -> list[Photo]:
    if found is None:
        if not records:
            raise StopRunError(
                "There is nothing to group: give --captions-jsonl a journal with captions, or --photos-dir."
            )
        return [Photo(name, name, extension(name) in VIDEO_EXTENSIONS) for name in sorted(records)]
    for warning in found.warnings:
        log.warning(warning)
    for line in found.left_out():
        log.info(line)
    if not found.photos:
        raise StopRunError("None of the photos is here, so there is nothing to group: download them first.")
    return found.photos


def _with_captioned_videos(photos: Sequence[Photo], records: Mapping[str, Entry]) -> list[Photo]:
    """Let videos that were captioned count as photos, which are opened; without the package for it, say so."""
    can = can_open_videos()
    seen, closed = [], 0
    for photo in photos:
        entry = records.get(photo.rel_path)
        only_video = is_video(entry["status"], entry.get("error")) if entry else photo.is_video
        closed += photo.is_video and not only_video and not can
        only_video |= photo.is_video and not can
        seen.append(photo if photo.is_video == only_video else replace(photo, is_video=only_video))
    if closed:
        log.warning(
            f"{count(closed, 'captioned video')} cannot be opened, because the package av is missing; what earlier reports "
            f"have made of them is kept. Get it with: {extra('videos')} ..."
        )
    return seen


def _say_what_does_not_match(
    photos_dir: Path | None, found: Walk | None, rel_paths: Sequence[str], records: Mapping[str, Entry]
) -> None:
    gone = gone_and_left_out(records, found, photos_dir)[0] if found and photos_dir else 0
    if records and gone == len(records):
        raise StopRunError(
            f"The captions belong to another folder: none of their {gone:,} photos is in {photos_dir}. Give the "
            "--photos-dir they were made with, or another --captions-jsonl."
        )
    if gone:
        log.info(f"{gone:,} photos of the journal are gone from {photos_dir}: they have no row.")
    for name in rel_paths:
        entry = records.get(name)
        if entry and entry["status"] != "success":
            log.warning(
                entry["status"], extra={"rel_path": name, "error": entry.get("error"), "console": False}
            )


def read_vectors(options: ReportOptions, library: Library, stopper: Stopper) -> Vectors:
    """Return what to cluster by; StoppedError after a signal."""
    if options.cluster_by == "caption":
        return _read_captions(options, library, stopper)
    pictured = _read_images(options, library, stopper)
    if options.cluster_by == "image":
        return pictured
    return _side_by_side(pictured, _read_captions(options, library, stopper))


def _read_images(options: ReportOptions, library: Library, stopper: Stopper) -> Vectors:
    photos = library.photos
    embedder = load_embedder(options.embedder, options.clip_model)
    cache = EmbeddingCache(options.out_dir / CACHE, embedder.name)
    with _progress(stopper, "Embedding", len(photos)) as update:
        images = embed_photos(photos, embedder, cache, stop=stopper.event, progress=update)
    log.info(f"{len(images.vectors):,} photos have a vector, {images.new:,} new.")
    unread = []
    for place, missing in sorted(images.missing.items()):
        if not photos[place].is_video:
            log.warning("not embedded", extra={"rel_path": photos[place].rel_path, "error": missing.reason})
        if isinstance(missing, UnavailableImageError) and not missing.gone:
            unread.append(photos[place].rel_path)
    if unread:
        raise StopRunError(
            f"{len(unread):,} of the photos could not be read this time, such as {unread[0]}: a report would take them "
            "out of their groups, so none was written. See to the disk, or move them out of the library, then run the "
            "same command again; what was embedded is kept."
        )
    return Vectors(images.places.tolist(), images.vectors, embedder.says, images.vectors, embedder)


def _read_captions(options: ReportOptions, library: Library, stopper: Stopper) -> Vectors:
    captions = {
        place: entry["caption"]
        for place, photo in enumerate(library.photos)
        if (entry := library.records.get(photo.rel_path))
        and entry["status"] == "success"
        and entry["caption"]
    }
    embedder = TextEmbedder(options.text_model)
    cache = EmbeddingCache(options.out_dir / CACHE, embedder.name)
    with _progress(stopper, "Embedding", len(captions), "captions") as update:
        texts = embed_texts(list(captions.values()), embedder, cache, stop=stopper.event, progress=update)
    return Vectors(list(captions), texts, embedder.says)


def _side_by_side(pictured: Vectors, captioned: Vectors) -> Vectors:
    """Join pictures and captions at equal weight; a photo without a caption is compared by its picture alone."""
    width = pictured.rows.shape[1]
    rows = np.zeros((len(pictured.rows), width + captioned.rows.shape[1]), np.float32)
    rows[:, :width] = pictured.rows
    _, at, of = np.intersect1d(pictured.places, captioned.places, return_indices=True)
    rows[at, width:] = captioned.rows[of]
    return replace(pictured, rows=unit(rows), says=f"{pictured.says} and {captioned.says}")


def read_pictures(options: ReportOptions, library: Library, stopper: Stopper) -> list[Picture]:
    """Return what there is to show of every file, nothing where no file is there to open; StoppedError after a signal."""
    if library.photos_dir is None:
        return [Picture()] * len(library.photos)
    with _progress(stopper, "Thumbnails of", len(library.photos)) as update:
        pictures = make_pictures(
            library.photos, options.out_dir, options.out_dir / CACHE, stop=stopper.event, progress=update
        )
    log.info(disk_cost(options.out_dir))
    return pictures


@contextmanager
def _progress(
    stopper: Stopper, doing: str, total: int, what: str = "photos"
) -> Iterator[Callable[[int], object]]:
    """Log what is done, with a bar on a terminal; raise StoppedError at the end of the block if a signal came."""
    with tqdm(
        total=total, unit=f" {what}", file=sys.stderr, mininterval=0.2, disable=not sys.stderr.isatty()
    ) as bar:
        log.info(f"{doing} {total:,} {what}.")
        yield bar.update
    if stopper.event.is_set():
        raise StoppedError
