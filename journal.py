"""Owns captions.jsonl: the only file that reads or writes it. Never opens a photo, never calls a backend.

The format is written down in docs/journal-format.md. Its promises: when `write` returns, the record is on disk; a kill
harms at most the line being written; the last record of a photo wins. What a record is: library/records.py.
"""

from __future__ import annotations

import os
import threading
from array import array
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from filelock import Timeout

from errors import StopRunError
from library.disk import reason, write_problem
from library.json_lines import OtherLines
from library.line_file import LineFile, now
from library.records import (
    MOCK,
    PERSON,
    STATUSES,
    VIDEO,
    CaptionRecord,
    Entry,
    Fields,
    Status,
    Tally,
    entry_of,
    is_by_person,
    is_video,
    parse_line,
    prompt_mark,
    seconds_of,
    takes_over,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Container, Iterable, Iterator

__all__ = [
    "MOCK",
    "PERSON",
    "STATUSES",
    "VIDEO",
    "CaptionJournal",
    "CaptionRecord",
    "Entry",
    "Status",
    "Tally",
    "is_by_person",
    "is_video",
    "prompt_mark",
    "takes_over",
    "tally",
]


class CaptionJournal:
    """The captions of one photo library, as an append-only file of JSON lines.

    Attributes:
        file: its lines, whatever they say.
        records: the last record of every photo that counts as done, by rel_path, oldest first.
        redo: rel_paths whose record is to be made again, oldest record first.
        kept: those of `redo` whose caption stays until there is a new one: no error takes its place.
        remade: photos whose last record has the mark given to `load`.
        malformed: numbers (from 1) of the lines that `load` could not read.
        repeated: good lines in whose place another line of the same photo counts.
        newest: the newest `at`, or None.
        stamps: the times of each model's records, in whole seconds since 1970; filled only by `load(with_stamps=True)`.
        times: the `at` of each photo's last record; filled only by `load(with_times=True)`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A journal may be a link to another disk: the file itself is renamed and replaced, never the link.
        self.path = Path(os.path.realpath(path))
        self.name = Path(path).name
        self.records: dict[str, Entry] = {}
        self.redo: dict[str, None] = {}
        self.kept: set[str] = set()
        self.remade: set[str] = set()
        self._redo_mark: str | None = None
        self.malformed: list[int] = []
        self.repeated = 0
        self.newest: str | None = None
        self.stamps: dict[str, array[int]] = {}
        self.times: dict[str, str] = {}
        self._blank = 0
        # The records in the file that do not count.
        self._not_counted: dict[str, Entry] = {}
        self.file = LineFile(self.path)
        self._locked = False
        self._mutex = threading.Lock()

    @contextmanager
    def lock(self) -> Iterator[CaptionJournal]:
        """Hold the journal for writing, until the block ends or the process dies.

        Raises:
            StopRunError: another run holds it, or its folder cannot be written.
        """
        try:
            if self.path.is_dir():
                raise StopRunError(
                    f"{self.path} is a folder: give --captions-jsonl the name of a file in it."
                )
            held = self.file.hold()
        except Timeout:
            raise StopRunError(
                f"Another run is writing {self.path}: wait until it has ended, or give --captions-jsonl another file."
            ) from None
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self._locked = True
        try:
            yield self
        finally:
            self._locked = False
            self.close()
            held.release()

    def load(
        self,
        retry_statuses: Collection[str] = frozenset(),
        *,
        redo_mock: bool = False,
        redo_videos: bool = False,
        with_stamps: bool = False,
        with_times: bool = False,
        redo_mark: str | None = None,
    ) -> dict[str, Entry]:
        """Read the file; return the last record of every photo that counts as done, by rel_path.

        Only a person's record takes the place of a person's. Photos whose last record has one of `retry_statuses` are left
        out, and `redo` lists them. With `redo_mock`, photos whose last record the mock made are left out too, and with
        `redo_videos` those whose last record says only that they are videos. Malformed lines are skipped; `malformed` has
        their numbers. A missing file is an empty journal. New records in the place of those in `kept` get the `redo_mark`.

        Raises:
            StopRunError: the file cannot be read, or it is not a journal.
        """
        self._forget()
        self._redo_mark = redo_mark
        records = self.records
        shared: dict[str, str] = {}
        good = 0
        newest = ""
        for record in self._read():
            good += 1
            rel_path = record["rel_path"]
            at = record.get("at")
            if rel_path not in records or takes_over(record, records[rel_path]):
                # Taken out first, so that the order is that of the last records.
                records.pop(rel_path, None)
                records[rel_path] = entry_of(record, shared)
                if with_times and at:
                    self.times[rel_path] = shared.setdefault(at, at)
                if redo_mark:
                    (self.remade.add if record.get("redo") == redo_mark else self.remade.discard)(rel_path)
            if at:
                newest = max(newest, at)
                # For a copy no model was asked.
                model = record.get("model") if with_stamps and not record.get("copy_of") else None
                if model and (second := seconds_of(at)) is not None:
                    self.stamps.setdefault(model, array("q")).append(second)
        self.repeated = good - len(records)
        self.newest = newest or None
        self._leave_out(retry_statuses, redo_mock=redo_mock, redo_videos=redo_videos)
        return records

    def news(self, start: int = 0) -> Iterator[Fields]:
        """Yield the good records after the byte `start`, the end of a line, oldest first; `file.end` moves along.

        Raises:
            StopRunError: as `load`.
        """
        self._forget()
        yield from self._read(self.file.lines_after(start), is_known=start > 0)

    def time_of(self, rel_path: str) -> int | None:
        """Return when the photo's last record was made, in whole seconds since 1970; None if that is not known."""
        return seconds_of(self.times.get(rel_path))

    def is_done(self, rel_path: str) -> bool:
        """Tell whether the photo has a record that counts."""
        return rel_path in self.records

    @property
    def known(self) -> int:
        """How many photos have a record, whether it counts or not."""
        return len(self.records) + len(self._not_counted)

    def names(self) -> Collection[str]:
        """Return the photos that have a record, whether it counts or not."""
        return self.records.keys() | self._not_counted.keys() if self._not_counted else self.records.keys()

    def is_known(self, rel_path: str) -> bool:
        """Tell whether the photo has a record, whether it counts or not."""
        return rel_path in self.records or rel_path in self._not_counted

    def entry(self, rel_path: str) -> Entry | None:
        """Return the photo's record, whether it counts or not."""
        return self.records.get(rel_path) or self._not_counted.get(rel_path)

    def captioned(self) -> Iterator[tuple[str, Entry]]:
        """Yield every photo that has a caption, and its record, whether it counts or not."""
        for entries in (self.records, self._not_counted):
            for rel_path, entry in entries.items():
                if entry["status"] == "success":
                    yield rel_path, entry

    def do_again(self, rel_paths: Iterable[str], *, keep: bool = False) -> None:
        """Let the records of these photos no longer count: they are to be done again, and `redo` lists them.

        With `keep` they stay until there are new captions, and `kept` lists them too.
        """
        for rel_path in rel_paths:
            self._not_counted[rel_path] = self.records.pop(rel_path)
            self.redo[rel_path] = None
            if keep:
                self.kept.add(rel_path)

    def forget_machines(self) -> None:
        """Let only what people wrote count, and forget all other records: the file is to be set aside."""
        people = {name: entry for name, entry in self.records.items() if is_by_person(entry)}
        self._forget()
        self.records = people

    def write(
        self,
        rel_path: str,
        caption: str | None,
        status: Status,
        *,
        model: str | None = None,
        error: str | None = None,
    ) -> None:
        """Append one record; it is on disk when this returns. Safe from several threads.

        Raises:
            StopRunError: it could not be written; the file is as it was before.
        """
        self.write_many(
            [CaptionRecord(rel_path=rel_path, caption=caption, status=status, model=model, error=error)]
        )

    def write_many(self, records: Collection[CaptionRecord]) -> None:
        """Append records with one fsync. When this returns, all are on disk.

        A record that may not take the place of the one that is there is left out: see `takes_over` and `kept`.

        Raises:
            StopRunError: they could not be written; the file is as it was before.
        """
        if not records:
            return
        at = now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for record in records:
            record.at = record.at or at
        with self._mutex:
            records = [record for record in records if self._may_be_written(record)]
            if not records:
                return
            for record in records:
                if record.rel_path in self.kept:
                    record.redo = self._redo_mark
            self.file.append(b"".join(record.line() for record in records))
            for record in records:
                rel_path = record.rel_path
                self.repeated += self.is_known(rel_path)
                self.redo.pop(rel_path, None)
                self._not_counted.pop(rel_path, None)
                self.kept.discard(rel_path)
                self.records.pop(rel_path, None)  # taken out first: the order is that of the last records
                self.records[rel_path] = entry_of(cast("Fields", record.__dict__), {})

    def summary(self) -> str:
        """Say how many photos count as done: `Skipping 1240 already processed (1198 success, 42 errors)`."""
        return tally(self.records.values()).summary()

    def set_aside(self) -> Path | None:
        """Let a backup take the file's name away, and start a journal of what people wrote; return the backup.

        None if there was no file. `records` must be as `load` or `forget_machines` leave them.
        """
        self.close()
        if not self.path.exists():
            return None
        people = {name for name, entry in self.records.items() if is_by_person(entry)}
        if people:
            last = self._last_lines()[1]
            backup = self.file.rewrite({line for name, line in last.items() if name in people})
        else:
            backup = self.file.set_aside()
        self.forget_machines()
        return backup

    def clear(self) -> None:
        """Delete the file: a dry run starts its own journal from nothing each time."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self._forget()

    def compact(self, without: Container[str] = frozenset()) -> tuple[int, int, Path] | None:
        """Rewrite the file to the last line of every photo that is not in `without`; return (lines before, lines after, backup).

        Lines are copied byte for byte, in their order. At every moment the file is either the whole old one or the whole
        new one. None if there is nothing to do.

        Raises:
            StopRunError: it could not be written, and the file is as it was; or the folder could not be synced, and both
                files are there.
        """
        self.close()  # otherwise a later write would go to the backup
        self.load()
        if not (self.malformed or self.repeated or self._blank or any(n in without for n in self.records)):
            return None
        count, last = self._last_lines()
        keep = {number for name, number in last.items() if name not in without}
        backup = self.file.rewrite(keep)
        return count, len(keep), backup

    def _last_lines(self) -> tuple[int, dict[str, int]]:
        """Return how many lines there are, and the number, from 0, of the one that counts, of each photo."""
        last: dict[str, int] = {}
        people = set()
        count = 0
        for number, line in enumerate(self.file.lines()):
            count += 1
            record = parse_line(line)
            if record is not None and (is_by_person(record) or record["rel_path"] not in people):
                last[record["rel_path"]] = number
                if is_by_person(record):
                    people.add(record["rel_path"])
        return count, last

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        self.file.close()

    def _forget(self) -> None:
        self.records, self.redo, self._not_counted = {}, {}, {}
        self.kept, self.remade = set(), set()
        self.malformed, self.repeated, self._blank, self.newest = [], 0, 0, None
        self.stamps, self.times = {}, {}

    def _leave_out(self, retry_statuses: Collection[str], *, redo_mock: bool, redo_videos: bool) -> None:
        """Take the records that do not count out of `records`."""
        if not (redo_mock or redo_videos or retry_statuses):
            return
        for rel_path, entry in self.records.items():
            is_old_video = redo_videos and is_video(entry["status"], entry.get("error"))
            if is_old_video or (redo_mock and entry.get("model") == MOCK):
                self._not_counted[rel_path] = entry
            elif entry["status"] in retry_statuses:
                self._not_counted[rel_path] = entry
                self.redo[rel_path] = None
        for rel_path in self._not_counted:
            del self.records[rel_path]

    def _read(self, lines: Iterable[bytes] | None = None, *, is_known: bool = False) -> Iterator[Fields]:
        """Yield the good records; count the blank lines and note the malformed ones. `is_known`: the file is a journal."""
        good = int(is_known)
        beyond_ascii = is_known
        others = OtherLines()
        try:
            for number, line in enumerate(self.file.lines() if lines is None else lines, 1):
                record = parse_line(line)
                if record is not None:
                    good += 1
                    beyond_ascii = beyond_ascii or not line.isascii()
                    yield record
                elif not line.strip():
                    self._blank += 1
                else:
                    others.see(number, line)
                    # A last line without its line break may still be in the making, unless we hold the lock.
                    if line.endswith(b"\n") or self._locked:
                        self.malformed.append(number)
        except OSError as error:
            raise StopRunError(
                f"{self.path} cannot be read ({reason(error)}): check the disk and the file's permissions."
            ) from None
        if refusal := others.refusal(self.path, good=good, beyond_ascii=beyond_ascii):
            raise StopRunError(refusal)

    def _may_be_written(self, record: CaptionRecord) -> bool:
        """Tell whether a record may take the place of the one that is there."""
        if record.status != "success" and record.rel_path in self.kept:
            return False
        return takes_over(record.__dict__, self.entry(record.rel_path))
