"""Owns the command `set`: captions that people write, one of them or a table. No other command ever replaces these."""

from __future__ import annotations

import os
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from cli.exit import ExitCode
from cli.log import log, printable
from cli.selection import existing_journal, malformed_warning, photos_folder, spell_as_recorded
from cli.words import count
from config import load_settings
from errors import StopRunError
from journal import PERSON, CaptionJournal, CaptionRecord, is_by_person
from library.disk import reason
from library.identity import content_of
from library.walk import portable_name, walk
from report.files.spreadsheet import read_cells
from report.naming.naming import one_line

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

_TOGETHER = 1_000
"""Records that share one fsync."""
_SHOWN = 10


def set_caption(journal_path: Path, photos_dir: Path | None, rel_path: str, caption: str) -> ExitCode:
    """Let one photo have a person's caption.

    Raises:
        StopRunError: the photo is not known or not there, or the journal is not as it must be.
    """
    folder = _folder(photos_dir)
    with existing_journal(journal_path).lock() as journal:
        library = _loaded(journal, folder)
        name = library.name_of(rel_path)
        if name is None:
            raise StopRunError(
                f"{rel_path!r} is not in {journal.name}: give the path as it stands there, counted from the photos folder, or "
                "caption the photo first."
            )
        made = library.record(name, caption)
        if made is None:
            raise StopRunError(
                f"{name!r} is not in {library.folder}: check the path, or mount the disk. Its record stays as it is."
            )
        old = journal.entry(name)
        if old and is_by_person(old) and old["caption"] == made.caption:
            print(printable(f"{name} has this caption of yours already."))
            return ExitCode.DONE
        journal.write_many([made])
    print(printable(f"{name} has your caption now, and no other command replaces it."))
    return ExitCode.DONE


def set_captions(journal_path: Path, photos_dir: Path | None, table: Path) -> ExitCode:
    """Let photos have the captions that differ in a table.

    Raises:
        StopRunError: the table, the journal or the folder is not as it must be.
    """
    folder = _folder(photos_dir)
    rows = list(_captions(table))
    with existing_journal(journal_path).lock() as journal:
        library = _loaded(journal, folder)
        wanted: dict[str, str] = {}
        unknown, same, empty = [], 0, 0
        for rel_path, caption in rows:
            name = library.name_of(rel_path)
            if not caption:
                empty += 1
            elif name is None:
                unknown.append(rel_path)
            else:
                wanted[name] = caption
        made, gone = [], []
        for name, caption in wanted.items():
            entry = journal.entry(name)
            old = (entry and entry["caption"]) or ""
            if caption in {_one_line(old), one_line(old)}:  # as a person types it, and as a report spells it
                same += 1
            elif record := library.record(name, caption):
                made.append(record)
            else:
                gone.append(name)
        if not wanted and unknown:
            raise StopRunError(
                f"{table} names no photo of {journal.name}, but others, such as {unknown[0]!r}: its paths must count from the "
                "photos folder."
            )
        earlier = _earlier(journal.path, {record.rel_path for record in made}) if made else set()
        stale = [record.rel_path for record in made if (record.rel_path, record.caption) in earlier]
        made = [record for record in made if (record.rel_path, record.caption) not in earlier]
        for start in range(0, len(made), _TOGETHER):
            journal.write_many(made[start : start + _TOGETHER])
    lines = [f"{count(len(made), 'caption')} set, {same:,} unchanged, {empty:,} empty."]
    lines += _named(f"Not in {journal.name}, left out", unknown)
    lines += _named(f"Not in {library.folder}, left out", gone)
    if stale:
        lines += _named("A model's caption from before, left out", stale)
        lines.append(
            "The table is older than their captions. To go back to one, give photo and caption to set."
        )
    print(printable("\n".join(lines)))
    return ExitCode.DONE


@dataclass
class _Library:
    """What is known of photos: their records and, where a folder was given, their files."""

    journal: CaptionJournal
    folder: Path | None

    def name_of(self, given: str) -> str | None:
        """Return the name of a photo in the journal; a path from here that leads into the folder is taken too."""
        for spelled in (given, given.strip().removeprefix("./")):
            name = portable_name(spelled)
            if self.journal.is_known(name):
                return name
        if self.folder and os.path.lexists(given):
            inside = os.path.relpath(os.path.abspath(given), os.path.abspath(self.folder))
            name = portable_name(inside)
        return name if self.journal.is_known(name) else None

    def record(self, name: str, caption: str) -> CaptionRecord | None:
        """Return the record of a person's caption; None where the photo is not in the folder."""
        old = self.journal.entry(name)
        content = old.get("content") if old else None
        if self.folder:
            path = self._path_of(name)
            if path is None:
                return None
            content = content_of(path)
        return CaptionRecord(
            rel_path=name,
            caption=_one_line(caption),
            status="success",
            content=content,
            by=PERSON,
            tags=list(old["tags"]) if old and "tags" in old else None,
        )

    def _path_of(self, name: str) -> str | None:
        for spelled in (name, unicodedata.normalize("NFD", name)):
            with suppress(ValueError):  # a null byte
                path = os.path.join(self.folder or "", spelled)
                if os.path.isfile(path):
                    return path
        return self._walked.get(name)

    @cached_property
    def _walked(self) -> dict[str, str]:
        """The files by their names in the journal: on the disk, a name may have bytes that are no UTF-8."""
        assert self.folder  # noqa: S101 - only asked where there is one
        found = walk(self.folder)
        spell_as_recorded(found, self.journal.names(), self.folder)
        return {photo.rel_path: photo.path for photo in found.photos}


def _captions(table: Path) -> Iterator[tuple[str, str]]:
    """Yield the paths in a table and what it says of each; of a report's table only captions, no other labels."""
    try:
        cells = read_cells(table.read_bytes())
    except OSError as error:
        raise StopRunError(f"{table} cannot be read ({reason(error)}): check --from.") from None
    except ValueError as error:
        raise StopRunError(f"{table} was not used, because {error}.") from None
    path = next((name for name in ("rel_path", "path") if name in cells.known), None)
    words = next((name for name in ("caption", "label") if name in cells.known), None)
    if not path or not words:
        raise StopRunError(
            f"The first line of {table} must name a column rel_path and a column caption: add them, or give --from a "
            "cluster_export.csv."
        )
    for row in cells.records():
        is_caption = words == "caption" or row.get("label_source") != "vocabulary"
        if (rel_path := row.get(path, "")) and is_caption:
            yield rel_path, _one_line(row.get(words, ""))


def _earlier(journal: Path, names: Container[str]) -> set[tuple[str, str]]:
    """Return what models have ever said of these photos: a report's table may be older than the captions of today."""
    return {
        (record["rel_path"], spelled)
        for record in CaptionJournal(journal).news()
        if record["rel_path"] in names and record["caption"] and not is_by_person(record)
        for spelled in (_one_line(record["caption"]), one_line(record["caption"]))
    }


def _named(what: str, names: Iterable[str]) -> list[str]:
    names = list(names)
    more = ", ..." if len(names) > _SHOWN else ""
    return [f"{what}: {len(names):,} ({', '.join(map(repr, names[:_SHOWN]))}{more})."] if names else []


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _folder(given: Path | None) -> Path | None:
    """Return the photos folder; None where none is named, so that the journal alone says which photos there are."""
    settings = load_settings()
    if not given and not settings.PHOTOS_DIR:
        return None
    folder = photos_folder(given, settings)
    if not folder.is_dir():
        raise StopRunError(
            f"The photos folder {folder} does not exist: check --photos-dir, or mount the disk."
        )
    return folder


def _loaded(journal: CaptionJournal, folder: Path | None) -> _Library:
    journal.load()
    if warning := malformed_warning(journal):
        log.warning(warning)
    return _Library(journal, folder)
