"""Owns the commands that look at journals: stats, compare, compact. Opens no photo.

Each raises StopRunError where there is no journal, or it is not as it must be.
"""

from __future__ import annotations

import os
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cli.exit import ExitCode
from cli.log import log, printable
from cli.selection import (
    done_records,
    existing_journal,
    first_numbers,
    gone_and_left_out,
    gone_names,
    leave_out_stand_ins,
    load_records,
    pending_photos,
    photos_folder,
    spell_as_recorded,
)
from config import load_settings
from engines.known import find_copies
from errors import StopRunError
from journal import STATUSES, CaptionJournal, Entry, is_by_person, tally
from library.walk import walk

if TYPE_CHECKING:
    from pathlib import Path

    from library.exclusion import Exclusion


def print_stats(
    path: Path, photos_dir: Path | None, exclude: Exclusion | None = None, default: str = ""
) -> ExitCode:
    """Print counts by status, model, person and prompt, the share done, the last run and the malformed lines.

    `default` is the mark of the default prompt.
    """
    journal = existing_journal(path)
    records = journal.load()
    counted = tally(records.values())
    by_status = Counter(success=counted.done) + counted.failed
    lines = [f"{journal.name}: {counted.total:,} photos ({counted.line()})"]
    lines += [f"  {status:<14}{by_status[status]:>10,}" for status in STATUSES]
    if counted.videos:
        lines.append(f"  {'video':<14}{counted.videos:>10,}")
    models = Counter(entry["model"] for entry in records.values() if "model" in entry)
    if models:
        lines.append("By model:")
        width = max(14, *(len(model) + 1 for model in models))
        lines += [f"  {model:<{width}}{count:>10,}" for model, count in models.most_common()]
    people = sum(map(is_by_person, records.values()))
    if people:
        lines.append(f"By a person: {people:,}")
    prompts = Counter(entry["prompt"] for entry in records.values() if "prompt" in entry)
    if prompts:
        lines.append("By prompt:")
        told = {default: f"{default} (the default)"}
        lines += [f"  {told.get(mark, mark):<22}{number:>10,}" for mark, number in prompts.most_common()]
    if photos_dir is not None:
        found = walk(photos_dir, exclude)
        for warning in found.warnings:
            log.warning(warning)
        spell_as_recorded(found, records, photos_dir)
        leave_out_stand_ins(found, records)
        there = tally(done_records(journal, found))
        lines.append(
            f"Done: {there.total:,} of {len(found.photos):,} photos in {photos_dir} "
            f"({there.total / max(len(found.photos), 1):.1%}): {there.line()}"
        )
        gone, left_out = gone_and_left_out(records, found, photos_dir)
        if gone:
            lines.append(f"Records of photos that are no longer there: {gone:,}")
        if left_out:
            lines.append(f"Records of files that are left out: {left_out:,}")
        lines += found.left_out(records)
    lines.append(f"Last run: {_last_run(journal)}")
    malformed = f" (line {first_numbers(journal.malformed)})" if journal.malformed else ""
    lines.append(f"Malformed lines: {len(journal.malformed):,}{malformed}")
    print(printable("\n".join(lines)))
    return ExitCode.DONE


def print_comparison(paths: list[Path]) -> ExitCode:
    """Print the photos that all journals hold as a Markdown table, a column a journal."""
    tables = [existing_journal(path).load() for path in paths]
    common = sorted(set.intersection(*(set(table) for table in tables)))
    if not common:
        raise StopRunError("The journals have no photo in common: compare runs over the same photos folder.")
    header = ["Photo", *(_heading(path, table) for path, table in zip(paths, tables, strict=True))]
    rows = [
        [f"`{name}`" if "`" not in name else name, *(_cell(table[name]) for table in tables)]
        for name in common
    ]
    for row in [header, ["---"] * len(header), *rows]:
        print("| " + " | ".join(_escaped(cell) for cell in row) + " |")
    return ExitCode.DONE


def rewrite(path: Path, *, drop_gone: bool = False, photos_dir: Path | None = None) -> ExitCode:
    """Compact the journal, without the records of photos that are gone if that is asked for, and print the result."""
    journal = existing_journal(path)
    with journal.lock():
        gone = _gone(journal, photos_folder(photos_dir, load_settings())) if drop_gone else set()
        if gone:
            print(f"Photos that are gone: {len(gone):,}, such as {min(gone)!r}.")
        outcome = journal.compact(gone)
    if outcome is None:
        print(f"{journal.name} has one line per photo already ({len(journal.records):,} photos).")
    else:
        before, after, backup = outcome
        print(
            f"{journal.name}: {before:,} lines are now {after:,}, one per photo. The old file is {backup.name}."
        )
    return ExitCode.DONE


def _gone(journal: CaptionJournal, photos_dir: Path) -> set[str]:
    """Return the photos that are gone; not those that are there under a new name, whose caption is still needed.

    Raises:
        StopRunError: the folder is not as it must be for that: photos may only be out of sight.
    """
    found = walk(photos_dir)
    if found.unreadable:
        raise StopRunError(
            f"{found.unreadable[0]}: its photos may be there, so the journal stays as it is. See to the disk first."
        )
    load_records(journal, found, photos_dir, frozenset(), redo_mock=False, videos=False)
    gone = gone_names(journal.records, found, photos_dir)
    for folder in {os.path.dirname(name) for name in gone}:
        if empty := _empty_above(photos_dir, folder):
            raise StopRunError(
                f"{empty} is empty, as where a disk is not mounted, so the journal stays as it is: mount the disk, or remove that "
                "folder if its photos are gone."
            )
    known = find_copies(pending_photos(journal, found), journal, found.photos)
    needed = {photo.content for photo in known.photos if photo.content}
    return {name for name in gone if journal.records[name].get("content") not in needed}


def _empty_above(photos_dir: Path, folder: str) -> str | None:
    """Return the nearest folder that is still there, if it is an empty one."""
    path = os.path.join(photos_dir, folder)
    while folder and not os.path.isdir(path):
        folder = os.path.dirname(folder)
        path = os.path.join(photos_dir, folder)
    return path if folder and not os.listdir(path) else None


def _last_run(journal: CaptionJournal) -> str:
    stamp = journal.newest
    mark = ""
    if stamp is None:
        stamp = datetime.fromtimestamp(journal.path.stat().st_mtime, UTC).isoformat()
        mark = " (file date)"
    try:
        when = datetime.fromisoformat(stamp).astimezone(UTC)
    except ValueError:
        return stamp
    return f"{when:%Y-%m-%d %H:%M:%S} UTC{mark}"


def _heading(path: Path, table: dict[str, Entry]) -> str:
    models = {entry["model"] for entry in table.values() if "model" in entry}
    return models.pop() if len(models) == 1 else path.name


def _cell(entry: Entry) -> str:
    return entry["caption"] or f"*{entry['status']}*"


def _escaped(cell: str) -> str:
    text = " ".join(cell.split())
    return printable(text.replace("&", "&amp;").replace("<", "&lt;").replace("|", "\\|"))
