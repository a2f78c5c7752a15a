"""Owns one run of cluster_report.py: from checked flags to files and an exit code. Leaves the work to `report/`."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from tqdm import tqdm

from backends.errors import StopRunError
from cli.exit_codes import ExitCode
from cli.log import log, start_log
from cli.selection import photos_folder
from cli.signals import Stopper
from config import load_settings
from journal import CaptionJournal
from library.walk import VIDEO_EXTENSIONS, Photo, extension, walk
from report.cache import EmbeddingCache
from report.clip import ClipEmbedder, TextEmbedder
from report.clustering import check_fast, cluster
from report.embedding import Embedded, embed_photos, embed_texts, unit
from report.inheritance import inherit, read_previous
from report.markdown import photos_link, write_markdown
from report.naming import count, label_photos, name_groups, name_themes
from report.pixels import PixelsEmbedder
from report.table import make_rows, write_csv, write_parquet
from report.vocabulary import VOCABULARY, prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from journal import Entry
    from report.embedding import Embedder, Floats

CSV, MARKDOWN, PARQUET = "cluster_export.csv", "cluster_report.md", "cluster_export.parquet"
CACHE = ".cluster_cache"
_JOURNAL = Path("captions.jsonl")
_STOPPED = "Stopped; what was embedded so far is kept. The same command goes on."


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


@dataclass(frozen=True, slots=True)
class _Vectors:
    """What is clustered: photos by their place in the library, a row each; `images` are those of a model with texts."""

    places: list[int]
    rows: Floats
    images: Floats | None = None


def make_report(options: ReportOptions) -> ExitCode:
    """Group the library, name the groups, write the files.

    Raises:
        StopRunError: a folder, journal or model is not as it must be.
    """
    stopper = Stopper(_STOPPED)
    if options.fast:
        check_fast()
    photos_dir = _photos_dir(options)
    _check_out_dir(options.out_dir, photos_dir)
    start_log(options.out_dir / "cluster_report.log")
    records = _records(options)
    photos = _photos(photos_dir, records)
    rel_paths = [photo.rel_path for photo in photos]
    _say_what_does_not_match(photos_dir, rel_paths, records)
    stopper.graceful = True
    try:
        vectors, text_side = _vectors(options, photos, records, stopper)
    except _Stopped:
        log.warning(_STOPPED)
        return stopper.code or ExitCode.INTERRUPTED
    stopper.graceful = False

    clusters = cluster(
        vectors.rows,
        min_cluster_size=options.min_cluster_size,
        seed=options.seed,
        fast=options.fast,
        say=log.info,
    )
    placed = [rel_paths[place] for place in vectors.places]
    match = _match(placed, vectors.images, text_side) if vectors.images is not None and text_side else None
    labels = label_photos(rel_paths, records, placed=set(placed), match=match)
    counts = count(labels, records)
    previous, note = read_previous(options.out_dir / CSV)
    heirs = inherit(previous, placed, clusters.labels, labels)
    groups = name_groups(
        placed,
        clusters.labels,
        clusters.distances,
        labels,
        match=match,
        ids=heirs.ids,
        kept=heirs.headings,
    )
    themes = name_themes(groups, clusters.themes.tolist(), placed, labels)
    rows = make_rows(
        labels, placed, clusters.labels, groups, clusters.distances, clusters.nearest, clusters.xy
    )
    notes = [*clusters.notes, *([note] if note else [])]
    write_markdown(
        options.out_dir / MARKDOWN,
        rows,
        groups,
        themes,
        summary=counts.line(),
        method=f"{_by(options)}; {clusters.method}",
        notes=notes,
        link=photos_link(photos_dir, options.out_dir) if photos_dir else None,
    )
    write_csv(options.out_dir / CSV, rows)
    write_parquet(options.out_dir / PARQUET, rows)
    for line in notes:
        log.info(line)
    unclustered = sum(row.cluster_id == -1 for row in rows)
    log.info(
        f"{len(rows):,} files, {len(groups):,} groups in {len(themes):,} themes, {unclustered:,} unclustered."
    )
    log.info(counts.line())
    log.info(f"Written to {options.out_dir}: {CSV}, {MARKDOWN}, {PARQUET}.")
    return ExitCode.DONE


class _Stopped(Exception):  # noqa: N818 - no error: the user wished it
    """A signal came while vectors were made."""


def _photos_dir(options: ReportOptions) -> Path | None:
    """Return the folder whose files get rows; None where the journal alone says what there is."""
    if options.cluster_by == "caption" and options.photos_dir is None:
        return None
    return photos_folder(options.photos_dir, load_settings())


def _check_out_dir(out_dir: Path, photos_dir: Path | None) -> None:
    try:
        out_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise StopRunError(
            f"{out_dir} cannot be made ({error.strerror}): give --out-dir a folder that can be written to."
        ) from None
    if photos_dir and out_dir.resolve().is_relative_to(photos_dir.resolve()):
        raise StopRunError(
            f"{out_dir} lies in the photos folder, where the report's files would be taken for the library's: give "
            "--out-dir a folder outside."
        )


def _records(options: ReportOptions) -> dict[str, Entry]:
    """Return what the journals say; of a photo that several hold, the last one's word."""
    records: dict[str, Entry] = {}
    for path in options.journals or (_JOURNAL,):
        if not path.exists():
            if options.journals:
                raise StopRunError(f"{path} does not exist: check --captions-jsonl.")
            log.info(f"There is no {path}: no photo has a caption.")
            continue
        journal = CaptionJournal(path)
        records |= journal.load()
        if warning := journal.malformed_warning():
            log.warning(warning)
    outside = [name for name in records if name.startswith("/") or ".." in name.split("/")]
    for name in outside:
        del records[name]
    if outside:
        log.warning(
            f"{len(outside):,} records name files outside the photos folder, such as {outside[0]}: they are left out."
        )
    return records


def _photos(photos_dir: Path | None, records: Mapping[str, Entry]) -> list[Photo]:
    if photos_dir is None:
        if not records:
            raise StopRunError(
                "There is nothing to group: give --captions-jsonl a journal with captions, or --photos-dir."
            )
        return [Photo(name, name, extension(name) in VIDEO_EXTENSIONS) for name in sorted(records)]
    found = walk(photos_dir)
    for warning in found.warnings:
        log.warning(warning)
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


def _vectors(
    options: ReportOptions, photos: list[Photo], records: Mapping[str, Entry], stopper: Stopper
) -> tuple[_Vectors, Embedder | None]:
    """Return what to cluster by, and the model that knows texts beside the pictures."""
    folder = options.out_dir / CACHE
    images: Embedded | None = None
    embedder: Embedder | None = None
    if options.cluster_by != "caption":
        embedder = PixelsEmbedder() if options.embedder == "pixels" else ClipEmbedder(options.clip_model)
        with _bar("photos", len(photos)) as update:
            images = embed_photos(
                photos, embedder, EmbeddingCache(folder, embedder.name), stop=stopper.event, progress=update
            )
        if stopper.event.is_set():
            raise _Stopped
        log.info(f"{len(images.vectors):,} photos have a vector, {images.new:,} new.")
        for place, missing in sorted(images.missing.items()):
            if not photos[place].is_video:
                log.warning(
                    "not embedded", extra={"rel_path": photos[place].rel_path, "error": missing.reason}
                )
    if options.cluster_by == "image":
        assert images is not None  # noqa: S101 - for the type checker
        known = images.vectors if embedder and embedder.has_texts else None
        return _Vectors(images.places.tolist(), images.vectors, known), embedder

    captions = {
        place: entry["caption"]
        for place, photo in enumerate(photos)
        if (entry := records.get(photo.rel_path)) and entry["status"] == "success" and entry["caption"]
    }
    texts_by = TextEmbedder(options.text_model)
    with _bar("captions", len(captions)) as update:
        texts = embed_texts(
            list(captions.values()),
            texts_by,
            EmbeddingCache(folder, texts_by.name),
            stop=stopper.event,
            progress=update,
        )
    if texts is None:
        raise _Stopped
    if images is None:
        return _Vectors(list(captions), texts), None
    # Side by side at equal weight; a photo without a caption is compared by its picture alone.
    rows = np.zeros((len(images.vectors), images.vectors.shape[1] + texts.shape[1]), np.float32)
    rows[:, : images.vectors.shape[1]] = images.vectors
    number = {place: row for row, place in enumerate(images.places.tolist())}
    both = [(number[place], text) for text, place in enumerate(captions) if place in number]
    if both:
        at, of = (list(side) for side in zip(*both, strict=True))
        rows[at, images.vectors.shape[1] :] = texts[of]
    known = images.vectors if embedder and embedder.has_texts else None
    return _Vectors(images.places.tolist(), unit(rows), known), embedder


def _match(placed: Sequence[str], images: Floats, embedder: Embedder) -> Callable[[Sequence[str]], list[str]]:
    """Return what finds the subject of the vocabulary that a photo is most like; its texts are embedded when first asked."""
    number = {rel_path: row for row, rel_path in enumerate(placed)}
    subjects: list[Floats] = []

    def match(rel_paths: Sequence[str]) -> list[str]:
        if not subjects:
            subjects.append(embedder.texts([prompt(subject) for subject in VOCABULARY]))
        best = (images[[number[path] for path in rel_paths]] @ subjects[0].T).argmax(axis=1)
        return [VOCABULARY[index] for index in best.tolist()]

    return match


def _by(options: ReportOptions) -> str:
    pictures = (
        "the layout of colours and edges (no model: it groups what looks alike, not what is on it)"
        if options.embedder == "pixels"
        else f"pictures ({options.clip_model})"
    )
    captions = f"captions ({options.text_model})"
    return (
        "Grouped by "
        + {"image": pictures, "caption": captions, "both": f"{pictures} and {captions}"}[options.cluster_by]
    )


@contextmanager
def _bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal; elsewhere one line at the end."""
    with tqdm(
        total=total, unit=f" {what}", file=sys.stderr, mininterval=0.2, disable=not sys.stderr.isatty()
    ) as bar:

        def update(done: int) -> None:
            bar.update(done)

        log.info(f"Embedding {total:,} {what}.")
        yield update
