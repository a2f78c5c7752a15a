"""Owns what a report is made of: the library's files, what the journals say of them, vectors, pictures. Decides no group."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tqdm import tqdm

from cli.copies import copies_warning
from cli.log import log
from cli.selection import malformed_warning, photos_folder, spell_as_recorded
from config import load_settings
from errors import StopRunError
from journal import CaptionJournal, is_video
from library.walk import VIDEO_EXTENSIONS, Photo, extension, walk
from report.files.thumbnails import Picture, disk_cost, make_pictures
from report.vectors.cache import EmbeddingCache
from report.vectors.clip import ClipEmbedder, TextEmbedder
from report.vectors.embed import Embedded, embed_photos, embed_texts, unit
from report.vectors.pixels import PixelsEmbedder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cli.signals import Stopper
    from journal import Entry
    from library.walk import Walk
    from report.vectors.embed import Embedder, Floats

CACHE = ".cluster_cache"
_JOURNAL = Path("captions.jsonl")


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the user asked for, checked; `journals` is empty where none was named."""

    photos_dir: Path | None
    journals: tuple[Path, ...]
    out_dir: Path
    cluster_by: Literal["image", "caption", "both"]
    embedder: Literal["clip", "pixels"]
    clip_model: str
    text_model: str
    min_cluster_size: int | None
    seed: int
    fast: bool
    export_albums: Path | None


class StoppedError(Exception):
    """A signal came while vectors or thumbnails were made."""


@dataclass(frozen=True, slots=True)
class Library:
    """The files that get rows, in this order, and what is known of them; `photos_dir` is None where no file is there to open."""

    photos_dir: Path | None
    photos: list[Photo]
    records: dict[str, Entry]

    @property
    def videos(self) -> frozenset[str]:
        """The videos, by their records, or where there is none by their names."""
        return frozenset(
            photo.rel_path
            for photo in self.photos
            if (
                is_video(entry["status"], entry.get("error"))
                if (entry := self.records.get(photo.rel_path))
                else photo.is_video
            )
        )


@dataclass(frozen=True, slots=True)
class Vectors:
    """What is clustered: photos by their place in the library, a row each.

    `images` (n, d) are those that `embedder` made of the pictures; None where no picture was looked at.
    """

    places: list[int]
    rows: Floats
    images: Floats | None = None
    embedder: Embedder | None = None


def find_files(photos_dir: Path) -> Walk:
    """Find the library's files.

    Raises:
        StopRunError: the folder is not as it must be, or part of it could not be read: a report would forget its photos.
    """
    found = walk(photos_dir)
    if found.unread:
        raise StopRunError(
            f"{found.unread[0]}: a report would forget the photos in it, so none was written. See to the disk, then run "
            "the same command again."
        )
    return found


def read_library(options: ReportOptions, photos_dir: Path | None, found: Walk | None) -> Library:
    """Bring the files together with what the journals say of them; without `found` the journals say what there is.

    Raises:
        StopRunError: a journal is not as it must be.
    """
    records = _records(options)
    if found and photos_dir:
        spell_as_recorded(found, records, photos_dir)
    photos = _photos(found, records)
    _say_what_does_not_match(photos_dir, [photo.rel_path for photo in photos], records)
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
        if warning := copies_warning(CaptionJournal(path).path, options.journals):
            log.warning(warning)
        if not path.exists():
            if options.journals:
                raise StopRunError(f"{path} does not exist: check --captions-jsonl.")
            log.info(f"There is no {path}: no photo has a caption.")
            continue
        journal = CaptionJournal(path)
        records |= journal.load()
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
    if found.left_out:
        log.info(found.left_out_line())
    return found.photos


def _say_what_does_not_match(
    photos_dir: Path | None, rel_paths: Sequence[str], records: Mapping[str, Entry]
) -> None:
    known = set(rel_paths)
    gone = sum(name not in known for name in records)
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
    """Return what to cluster by.

    Raises:
        StoppedError: a signal came; what was made so far is in the cache.
        StopRunError: a model or the disk is not as it must be.
    """
    photos, folder = library.photos, options.out_dir / CACHE
    images: Embedded | None = None
    embedder: Embedder | None = None
    if options.cluster_by != "caption":
        embedder = PixelsEmbedder() if options.embedder == "pixels" else ClipEmbedder(options.clip_model)
        with progress_bar("Embedding", len(photos)) as update:
            images = embed_photos(
                photos, embedder, EmbeddingCache(folder, embedder.name), stop=stopper.event, progress=update
            )
        if stopper.event.is_set():
            raise StoppedError
        log.info(f"{len(images.vectors):,} photos have a vector, {images.new:,} new.")
        unread = []
        for place, missing in sorted(images.missing.items()):
            if not photos[place].is_video:
                log.warning(
                    "not embedded", extra={"rel_path": photos[place].rel_path, "error": missing.reason}
                )
            if missing.unavailable and not missing.gone:
                unread.append(photos[place].rel_path)
        if unread:
            raise StopRunError(
                f"{len(unread):,} of the photos could not be read this time, such as {unread[0]}: a report would take them "
                "out of their groups, so none was written. See to the disk, or move them out of the library, then run the "
                "same command again; what was embedded is kept."
            )
    if options.cluster_by == "image":
        assert images is not None  # noqa: S101 - for the type checker
        return Vectors(images.places.tolist(), images.vectors, images.vectors, embedder)

    captions = {
        place: entry["caption"]
        for place, photo in enumerate(photos)
        if (entry := library.records.get(photo.rel_path))
        and entry["status"] == "success"
        and entry["caption"]
    }
    texts_by = TextEmbedder(options.text_model)
    with progress_bar("Embedding", len(captions), "captions") as update:
        texts = embed_texts(
            list(captions.values()),
            texts_by,
            EmbeddingCache(folder, texts_by.name),
            stop=stopper.event,
            progress=update,
        )
    if texts is None:
        raise StoppedError
    if images is None:
        return Vectors(list(captions), texts)
    # Side by side at equal weight; a photo without a caption is compared by its picture alone.
    rows = np.zeros((len(images.vectors), images.vectors.shape[1] + texts.shape[1]), np.float32)
    rows[:, : images.vectors.shape[1]] = images.vectors
    number = {place: row for row, place in enumerate(images.places.tolist())}
    both = [(number[place], text) for text, place in enumerate(captions) if place in number]
    if both:
        at, of = (list(side) for side in zip(*both, strict=True))
        rows[at, images.vectors.shape[1] :] = texts[of]
    return Vectors(images.places.tolist(), unit(rows), images.vectors, embedder)


def read_pictures(options: ReportOptions, library: Library, stopper: Stopper) -> list[Picture]:
    """Return what there is to show of every file; nothing where no file is there to open.

    Raises:
        StoppedError: a signal came; the thumbnails made so far stay.
        StopRunError: the disk is not as it must be.
    """
    if library.photos_dir is None:
        return [Picture()] * len(library.photos)
    with progress_bar("Thumbnails of", len(library.photos)) as update:
        pictures = make_pictures(
            library.photos, options.out_dir, options.out_dir / CACHE, stop=stopper.event, progress=update
        )
    if stopper.event.is_set():
        raise StoppedError
    log.info(disk_cost(options.out_dir).line())
    return pictures


@contextmanager
def progress_bar(doing: str, total: int, what: str = "photos") -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere one line at the end."""
    with tqdm(
        total=total, unit=f" {what}", file=sys.stderr, mininterval=0.2, disable=not sys.stderr.isatty()
    ) as bar:

        def update(done: int) -> None:
            bar.update(done)

        log.info(f"{doing} {total:,} {what}.")
        yield update
