"""Owns one run of cluster_report.py: from checked flags to files and an exit code. Leaves the work to `report/`."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import numpy as np
from filelock import FileLock, Timeout

from cli.exit import ExitCode
from cli.log import log, start_log
from cli.open_files import allow_open_files
from cli.report_input import (
    StoppedError,
    find_files,
    find_photos_dir,
    read_library,
    read_pictures,
    read_vectors,
)
from cli.signals import Stopper
from errors import StopRunError
from report.events import bursts, cut, name_chunks
from report.files.albums import export_albums
from report.files.markdown import odd_links, photos_link, write_markdown
from report.files.page import write_page
from report.files.table import make_rows, read_grouped_by, write_csv, write_parquet
from report.groups.clustering import check_fast, cluster
from report.naming.inheritance import inherit, read_previous
from report.naming.naming import count, label_photos, name_groups, name_themes
from report.naming.vocabulary import VOCABULARY, prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from cli.report_input import ReportOptions, Vectors
    from report.vectors.embed import Floats

CSV, MARKDOWN, PARQUET, PAGE = (
    "cluster_export.csv",
    "cluster_report.md",
    "cluster_export.parquet",
    "cluster_report.html",
)
LOCK = ".cluster_report.lock"
_NO_LOCKS = {errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What drives answer that know no locks: two reports at once in one folder are then for people to avoid."""
_STOPPED = "Stopped; what was made so far is kept. The same command goes on."


def make_report(options: ReportOptions) -> ExitCode:
    """Group the library, name the groups, write the files.

    Raises:
        StopRunError: a folder, journal or model is not as it must be.
    """
    stopper = Stopper(_STOPPED)
    allow_open_files()
    if options.fast:
        check_fast()
    photos_dir = find_photos_dir(options)
    _check_folders(options, photos_dir)
    with _alone_in(options.out_dir):
        return _make_report(options, photos_dir, stopper)


def _make_report(options: ReportOptions, photos_dir: Path | None, stopper: Stopper) -> ExitCode:
    found = find_files(photos_dir) if photos_dir else None
    start_log(options.out_dir / "cluster_report.log", "--out-dir")
    library = read_library(options, photos_dir, found)
    rel_paths = [photo.rel_path for photo in library.photos]
    stopper.graceful = True
    try:
        vectors = read_vectors(options, library, stopper)
        pictures = read_pictures(options, library, stopper)
    except StoppedError:
        log.warning(_STOPPED)
        return stopper.code or ExitCode.INTERRUPTED
    stopper.graceful = False

    placed = [rel_paths[place] for place in vectors.places]
    previous, note = read_previous(options.out_dir / CSV)
    # Who asks for other groups gets them; names stay all the same.
    stays = bool(previous.groups) and read_grouped_by(options.out_dir / PARQUET) == _grouped_by(options)
    if stays:
        log.info(
            f"Photos stay in their groups of the earlier report; without its {CSV} all are grouped anew."
        )
    clusters = cluster(
        vectors.rows,
        min_cluster_size=options.min_cluster_size,
        seed=options.seed,
        fast=options.fast,
        earlier=previous.of(placed) if stays else None,
        say=log.info,
    )
    match = _match(placed, vectors)
    labels = label_photos(rel_paths, library.records, placed=set(placed), match=match)
    videos = library.videos
    counts = count(labels, videos)
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
    moments = [picture.moment for picture in pictures]
    chunks = name_chunks(cut(moments), moments, rel_paths, labels) if photos_dir else []
    rows = make_rows(
        labels,
        placed,
        clusters.labels,
        groups,
        clusters.distances,
        clusters.nearest,
        clusters.xy,
        moments=moments,
        chunks=chunks,
        bursts=()
        if vectors.images is None
        else bursts(moments, np.array(vectors.places, np.int64), vectors.images),
    )
    notes = [*clusters.notes, *([note] if note else [])]
    method = f"{_by(options)}; {clusters.method}"
    link = photos_link(photos_dir, options.out_dir) if photos_dir else None
    odd = odd_links(library.photos, photos_dir) if photos_dir else {}
    write_page(
        options.out_dir / PAGE,
        rows,
        groups,
        themes,
        chunks,
        pictures,
        videos=videos,
        summary=counts.line(),
        method=method,
        notes=notes,
        link=link,
        odd=odd,
    )
    write_markdown(
        options.out_dir / MARKDOWN,
        rows,
        groups,
        themes,
        chunks=chunks,
        summary=counts.line(),
        method=method,
        notes=notes,
        link=link,
        odd=odd,
    )
    write_csv(options.out_dir / CSV, rows)
    write_parquet(options.out_dir / PARQUET, rows, _grouped_by(options))
    for line in notes:
        log.info(line)
    unclustered = sum(row.cluster_id == -1 for row in rows)
    events = sum(chunk.id > 0 for chunk in chunks)
    log.info(
        f"{len(rows):,} files, {len(groups):,} groups in {len(themes):,} themes, {unclustered:,} unclustered; "
        f"{events:,} chunks in time."
    )
    log.info(counts.line())
    if options.export_albums:
        paths = {photo.rel_path: os.path.abspath(photo.path) for photo in library.photos}
        log.info(export_albums(options.export_albums, rows, paths, chunks).line())
    log.info(f"Written to {options.out_dir}: {PAGE}, {CSV}, {MARKDOWN}, {PARQUET}.")
    return ExitCode.DONE


@contextmanager
def _alone_in(out_dir: Path) -> Iterator[None]:
    """Hold the report's folder for this report alone, until the block ends or the process dies.

    Raises:
        StopRunError: another report is at work there, or the folder cannot be written.
    """
    lock = FileLock(out_dir / LOCK, timeout=0, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        raise StopRunError(
            f"Another report is being written to {out_dir}: wait until it has ended, or give --out-dir another folder."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise StopRunError(
                f"{out_dir / LOCK} cannot be written ({error.strerror}): give --out-dir a place that can be written to."
            ) from None
    try:
        yield
    finally:
        lock.release()


def _check_folders(options: ReportOptions, photos_dir: Path | None) -> None:
    """Raise StopRunError if the report would be written where it cannot be, or among the photos."""
    if options.export_albums and photos_dir is None:
        raise StopRunError(
            "--export-albums links to photos, and a report from captions alone knows none: add --photos-dir."
        )
    for flag, folder in (("--out-dir", options.out_dir), ("--export-albums", options.export_albums)):
        if folder and photos_dir and _lies_in(folder, photos_dir):
            raise StopRunError(
                f"{folder} lies in the photos folder, where what is written would be taken for the library's: give "
                f"{flag} a folder outside."
            )
    try:
        options.out_dir.mkdir(exist_ok=True)
    except OSError as error:
        raise StopRunError(
            f"{options.out_dir} cannot be made ({error.strerror}): give --out-dir a folder that can be written to."
        ) from None


def _lies_in(folder: Path, photos_dir: Path) -> bool:
    """Ask the disk and not the spelling: to a Mac's disk `Photos` and `photos` are one folder."""
    inner = folder.resolve()
    with suppress(OSError):  # no photos folder, which is said later
        there = photos_dir.stat()
        return any(os.path.samestat(one.stat(), there) for one in (inner, *inner.parents) if one.exists())
    return False


def _match(placed: Sequence[str], vectors: Vectors) -> Callable[[Sequence[str]], list[str]] | None:
    """Return what finds the subject of the vocabulary that a photo is most like; None where the model has no texts.

    The subjects are embedded when first asked for.
    """
    images, embedder = vectors.images, vectors.embedder
    if images is None or embedder is None or not embedder.has_texts:
        return None
    number = {rel_path: row for row, rel_path in enumerate(placed)}
    subjects: list[Floats] = []

    def match(rel_paths: Sequence[str]) -> list[str]:
        if not subjects:
            subjects.append(embedder.texts([prompt(subject) for subject in VOCABULARY]))
        best = (images[[number[path] for path in rel_paths]] @ subjects[0].T).argmax(axis=1)
        return [VOCABULARY[index] for index in best.tolist()]

    return match


def _grouped_by(options: ReportOptions) -> str:
    """Spell out what was asked for; not what came of it, such as a size that grows with the library."""
    size = options.min_cluster_size or "by the library's size"
    return f"{_by(options)}; groups of {size}, seed {options.seed}{', fast' if options.fast else ''}"


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
