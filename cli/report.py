"""Owns one run of cluster_report.py: from checked flags to files and an exit code. Leaves the work to `report/`."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

from cli.exit import ExitCode
from cli.log import log, start_log
from cli.name_with import AskedModel
from cli.open_files import allow_open_files
from cli.report_input import (
    StoppedError,
    find_files,
    find_photos_dir,
    read_library,
    read_pictures,
    read_vectors,
)
from cli.selection import lies_in
from cli.signals import Stopper
from errors import StopRunError
from report.build import Grouping, build
from report.files import WRITERS
from report.files.albums import export_albums
from report.files.last_report import write_last
from report.groups.clustering import check_fast
from report.naming.naming import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cli.report_input import ReportOptions

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
        found = find_files(photos_dir, options.exclude) if photos_dir else None
        start_log(options.out_dir / "cluster_report.log", "--out-dir")
        library = read_library(options, photos_dir, found)
        stopper.graceful = True
        try:
            vectors = read_vectors(options, library, stopper)
            pictures = read_pictures(options, library, stopper)
        except StoppedError:
            log.warning(_STOPPED)
            return stopper.code or ExitCode.INTERRUPTED
        stopper.graceful = False

        asker = AskedModel(options.name_with) if options.name_with else None
        grouping = Grouping(options.min_cluster_size, options.seed, options.fast, asker)
        report = build(library, vectors, pictures, grouping, options.out_dir, log.info)
        if asker:
            asker.end()
        for write in WRITERS.values():
            write(report, options.out_dir)
        write_last(report, options.out_dir)
        for line in report.notes:
            log.info(line)
        unclustered = sum(row.cluster_id == -1 for row in report.rows)
        events = sum(event.id > 0 for event in report.events)
        themes = f" in {counted(len(report.themes), 'theme')}" if report.themes else ""
        log.info(
            f"{counted(len(report.rows), 'file')}, {counted(len(report.groups), 'group')}{themes}, "
            f"{unclustered:,} unclustered; {counted(events, 'event')}, {counted(len(report.trips), 'trip')}."
        )
        log.info(report.summary)
        if options.export_albums:
            paths = {photo.rel_path: os.path.abspath(photo.path) for photo in library.photos}
            hidden = {group.id for group in report.groups if group.hidden}
            albums = export_albums(
                options.export_albums, report.rows, paths, report.events, report.trips, hidden=hidden
            )
            log.info(albums.line())
        log.info(f"Written to {options.out_dir}: {', '.join(WRITERS)}.")
        return ExitCode.DONE


@contextmanager
def _alone_in(out_dir: Path) -> Iterator[None]:
    """Hold the report's folder for this report alone, until the block ends or the process dies."""
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
        if folder and photos_dir and lies_in(folder, photos_dir):
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
