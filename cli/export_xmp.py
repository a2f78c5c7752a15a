"""Owns the command `export-xmp`: captions, groups and events into XMP sidecars, and out of them again. Opens no photo."""

from __future__ import annotations

import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from cli.exit import ExitCode
from cli.log import log, printable
from cli.selection import existing_journal, malformed_warning, photos_folder, spell_as_recorded
from cli.signals import Stopper
from cli.words import count
from config import load_settings
from errors import SidecarError, StopRunError
from journal import MOCK, CaptionJournal, Entry
from library.disk import reason
from library.photo_programs import LIBRARIES
from library.walk import RAW_EXTENSIONS, extension, folded, walk
from report.files.spreadsheet import read_cells
from sidecars.files import (
    Made,
    Sidecar,
    Written,
    delete_sidecar,
    mark,
    read_sidecar,
    remove_folders,
    sync_folders,
    temporary_of,
    write_sidecar,
)
from sidecars.words import Words, clean, has_ours, holds_nothing, is_made, merge, strip

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from library.walk import Photo

_BATCH = 64
"""Sidecars whose entries in the list of those written share one fsync."""
_SHOWN = 20
"""Sentences about sidecars that are left alone."""
_TAGS = (
    ("cluster_id", ("group_name", "cluster_label"), "Groups"),
    ("event_id", ("event_name", "event_label"), "Events"),
    ("trip_id", ("trip_name", "trip_label"), "Trips"),
)
"""Columns of the report's table: a number, the names that it may have, best first, and what the tags stand below. A table
has only those that its report knew."""
_STOPPED = "Stopped; every sidecar is whole. The same command goes on."


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """What the user asked for, checked."""

    photos_dir: Path | None
    captions_jsonl: Path
    adobe: bool
    into: Path | None
    groups: Path | None
    dry_run: bool


class _Target(NamedTuple):
    """A sidecar to be: its path, the one beside the photo, that under the other kind of name, and what goes into it."""

    path: str
    beside: str
    other: str
    words: Words


class _Change(NamedTuple):
    """What is to be written, over what, and what the list says of it."""

    path: str
    new: bytes
    before: Sidecar | None
    entry: Made


@dataclass(slots=True)
class _Outcome:
    """What was done; in a dry run, what would be, which it prints."""

    dry_run: bool
    counts: Counter[str] = field(default_factory=Counter)
    alone: list[str] = field(default_factory=list)

    def say(self, what: str, path: str) -> None:
        self.counts[what] += 1
        if self.dry_run:
            print(printable(f"{what}: {path}", ""))

    def leave_alone(self, path: str, why: object) -> None:
        self.alone.append(f"{path} is left alone: {why}.")

    def end(self, sentences: list[str]) -> ExitCode:
        shown = self.alone if self.dry_run else self.alone[:_SHOWN]
        lines = [*shown, f"Left alone in all: {count(len(self.alone), 'sidecar')}."] if self.alone else []
        for line in [*lines, *sentences]:
            print(printable(line, ""))
        if self.dry_run:
            print("Nothing was written: this was a dry run.")
        return ExitCode.DONE


def export(options: ExportOptions) -> ExitCode:
    """Put the captions of a journal into sidecars.

    Raises:
        StopRunError: the folder, the journal, the table or the disk is not as it must be.
    """
    Stopper(_STOPPED)
    photos_dir = photos_folder(options.photos_dir, load_settings())
    written = Written(existing_journal(options.captions_jsonl).path)
    outcome = _Outcome(options.dry_run)
    targets = iter(_targets(options, photos_dir, outcome))
    if options.into and not options.dry_run:
        _make(options.into)
    with written.lock(to_write=not options.dry_run):
        root = os.path.abspath(options.into) if options.into else ""
        while batch := list(islice(targets, _BATCH)):
            changes = [change for target in batch if (change := _change(target, written, root, outcome))]
            if not options.dry_run:
                known = written.entries
                written.add({one.path: one.entry for one in changes if known.get(one.path) != one.entry})
            for change in changes:
                _write(change, outcome)
            if not options.dry_run:
                sync_folders(change.path for change in changes)
    return outcome.end(_summary(outcome.counts))


def _targets(options: ExportOptions, photos_dir: Path, outcome: _Outcome) -> list[_Target]:
    """Return the sidecars of all captioned photos, a sidecar once."""
    journal = CaptionJournal(options.captions_jsonl)
    tags = _read_tags(options.groups) if options.groups else {}
    targets: dict[str, _Target] = {}
    photos = list(_captioned(journal, photos_dir, outcome))
    # Camera raw first: where two photos share a sidecar, Lightroom reads it for the raw one only.
    photos.sort(key=lambda one: extension(one[0].rel_path) not in RAW_EXTENSIONS)
    for photo, entry in photos:
        at = journal.times.get(photo.rel_path, "")
        caption, model = clean(entry["caption"] or ""), clean(entry.get("model", ""))
        words = Words(caption, model, clean(at), tags.get(photo.rel_path, ()), _keywords(entry))
        target = _target(options, photos_dir, photo, words)
        first = targets.setdefault(folded(target.path), target)
        if first is not target:
            outcome.leave_alone(photo.rel_path, f"{first.path} is the sidecar of another photo too")
    return [target for target in targets.values() if options.into or _may_stand(target, outcome)]


def _captioned(journal: CaptionJournal, photos_dir: Path, outcome: _Outcome) -> Iterator[tuple[Photo, Entry]]:
    """Yield the photos that have a real caption, and their records."""
    records = journal.load(with_times=True)
    if warning := malformed_warning(journal):
        log.warning(warning)
    found = walk(photos_dir)
    for warning in found.warnings:
        log.warning(warning)
    spell_as_recorded(found, records, photos_dir)
    here = [(photo, records[photo.rel_path]) for photo in found.photos if photo.rel_path in records]
    if records and not here:
        raise StopRunError(
            f"The captions belong to another folder: none of their {len(records):,} photos is in {photos_dir}. Give the "
            "--photos-dir they were made with, or another --captions-jsonl."
        )
    for photo, entry in here:
        if entry["status"] == "success" and entry.get("model") == MOCK:
            outcome.counts["mock"] += 1
        elif entry["status"] == "success" and (entry["caption"] or "").strip():
            yield photo, entry


def _target(options: ExportOptions, photos_dir: Path, photo: Photo, words: Words) -> _Target:
    full, short = f"{photo.path}.xmp", f"{os.path.splitext(photo.path)[0]}.xmp"
    beside, other = (short, full) if options.adobe else (full, short)
    path = os.path.join(options.into, os.path.relpath(beside, photos_dir)) if options.into else beside
    return _Target(os.path.abspath(path), os.path.abspath(beside), other, words)


def _may_stand(target: _Target, outcome: _Outcome) -> bool:
    """Tell whether a sidecar may stand beside its photo.

    Not in a photo program's own library; and not beside one with the other kind of name, because Immich reads one only.
    """
    folders = target.path.lower().split(os.sep)[:-1]
    if any(folder.endswith(f".{one.extension}") for one in LIBRARIES for folder in folders):
        outcome.counts["program"] += 1
        return False
    if os.path.lexists(target.other) and not os.path.lexists(target.path):
        other = os.path.basename(target.other)
        outcome.leave_alone(
            target.path, f"{other} is there, and some programs read one of the two only; see --names"
        )
        return False
    return True


def _change(target: _Target, written: Written, root: str, outcome: _Outcome) -> _Change | None:
    """Return what is to be written of a sidecar; None where nothing is."""
    path = target.path
    try:
        before = read_sidecar(path)
        start = before
        if before is None and path != target.beside:
            start = read_sidecar(target.beside, to_write=False)
        merged = merge(start.raw if start else None, target.words)
        kept, known = mark(merged.base), written.entries.get(path)
        outcome.counts["foreign"] += merged.foreign
        if merged.new == (before.raw if before else merged.base):
            outcome.counts["same"] += 1
            return None
        made = before is None or (
            before.raw != merged.base and (known.made if known else is_made(merged.base))
        )
        return _Change(path, merged.new, before, Made(made, kept, root))
    except SidecarError as error:
        outcome.leave_alone(path, error)
        return None


def _write(change: _Change, outcome: _Outcome) -> None:
    try:
        if not outcome.dry_run:
            write_sidecar(change.path, change.new, change.before)
        outcome.say("new" if change.before is None else "changed", change.path)
    except SidecarError as error:
        outcome.leave_alone(change.path, error)


def _summary(counts: Counter[str]) -> list[str]:
    lines = [
        f"{count(counts['new'], 'sidecar')} new, {counts['changed']:,} changed, {counts['same']:,} as they should be already."
    ]
    if counts["foreign"]:
        lines.append(f"Descriptions of another's that stay: {counts['foreign']:,}.")
    if counts["mock"]:
        lines.append(f"Captions of the mock, which go into no sidecar: {counts['mock']:,}.")
    if counts["program"]:
        lines.append(
            f"Photos in a photo program's own library, where nothing is written: {counts['program']:,}. Give --into a folder "
            "for their sidecars."
        )
    return lines


def _read_tags(path: Path) -> dict[str, tuple[tuple[str, ...], ...]]:
    """Return the tags of each photo, from the report's table.

    Raises:
        StopRunError: it is no such table, or cannot be read.
    """
    try:
        cells = read_cells(path.read_bytes())
        if not {"rel_path", "cluster_id", "cluster_label"} <= set(cells.known):
            raise ValueError("it has no such columns")
    except OSError as error:
        raise StopRunError(f"{path} cannot be read ({reason(error)}): check --groups.") from None
    except ValueError as error:
        raise StopRunError(
            f"{path} is no table of a report, because {error}: give --groups a cluster_export.csv."
        ) from None
    return {row["rel_path"]: tuple(_tags(row)) for row in cells.records()}


def _tags(row: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    for number, names, kind in _TAGS:
        title = next((row[name] for name in names if row.get(name)), None)
        # Below zero are reasons why a photo is in no group or event. A slash would be a further level.
        text = " ".join(re.split(r"[/|\s]+", clean(title or "")))
        if text and re.fullmatch(r"\d+", row.get(number) or ""):
            yield kind, text


def _keywords(entry: Entry) -> tuple[tuple[str, ...], ...]:
    """Return the keywords of a record as their levels; one that would be another level in a photo program is spelled otherwise."""
    levels = (
        [re.sub(r"[/|\s]+", " ", clean(one)).strip() for one in tag.split(" > ")]
        for tag in entry.get("tags", ())
    )
    return tuple(tuple(filter(None, names)) for names in levels if any(names))


def undo(journal: Path, *, dry_run: bool) -> ExitCode:
    """Take out of all sidecars what was put into them.

    Raises:
        StopRunError: the list of what was written, or the disk, is not as it must be.
    """
    Stopper(_STOPPED)
    written = Written(CaptionJournal(journal).path)
    outcome = _Outcome(dry_run)
    with written.lock(to_write=not dry_run):
        if not written.entries:
            raise StopRunError(
                f"There is nothing to undo: {written.path} lists no sidecar. Give the --captions-jsonl of the export."
            )
        left = {path: entry for path, entry in written.entries.items() if not _undone(path, entry, outcome)}
        if not dry_run:
            sync_folders(written.entries.keys() - left.keys())
            written.keep(left)
    counts = outcome.counts
    lines = [
        f"{count(counts['deleted'], 'sidecar')} deleted, {counts['restored']:,} as they were before the export."
    ]
    if counts["edited"]:
        lines.append(f"Edited since by another: {counts['edited']:,}; only our words were taken out of them.")
    if counts["gone"]:
        lines.append(f"No longer there, or without our words: {counts['gone']:,}.")
    return outcome.end(lines)


def _undone(path: str, entry: Made, outcome: _Outcome) -> bool:
    """Take our words out of one sidecar; tell whether the list may forget it."""
    try:
        if not outcome.dry_run:
            with suppress(OSError):
                os.unlink(temporary_of(path))  # a kill may have left it
        before = read_sidecar(path)
        if before is None or not has_ours(before.raw):
            if before is None and not outcome.dry_run:
                remove_folders(path, entry.root)
            outcome.say("gone", path)
            return True
        base = strip(before.raw)
        as_before = mark(base) == entry.kept
        delete = entry.made and (as_before or holds_nothing(base))
        if not outcome.dry_run and delete:
            delete_sidecar(path, before, entry.root)
        elif not outcome.dry_run:
            write_sidecar(path, base, before)
        outcome.say("deleted" if delete else "restored" if as_before else "edited", path)
    except SidecarError as error:
        outcome.leave_alone(path, error)
        return False
    return True


def _make(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise StopRunError(
            f"{folder} cannot be made ({reason(error)}): give --into a folder that can be written to."
        ) from None
