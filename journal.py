"""Owns captions.jsonl: the only file that reads or writes it. Never opens a photo, never calls a backend.

The format is written down in docs/journal-format.md. Its promises: when `write` returns, the record is on disk; a kill
harms at most the line being written; the last record of a photo wins. What a record is: library/records.py.
"""

from __future__ import annotations

import os
import shutil
import threading
from array import array
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, cast
from zlib import crc32

from filelock import FileLock, Timeout

from errors import StopRunError
from library.disk import reason, second_name, sync, sync_folder, write_problem
from library.json_lines import OtherLines
from library.records import (
    MOCK,
    STATUSES,
    VIDEO,
    CaptionRecord,
    Entry,
    Fields,
    Status,
    Tally,
    entry_of,
    is_video,
    parse_line,
    prompt_mark,
    seconds_of,
    tally,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

__all__ = [
    "MOCK",
    "STATUSES",
    "VIDEO",
    "CaptionJournal",
    "CaptionRecord",
    "Entry",
    "Status",
    "Tally",
    "is_video",
    "prompt_mark",
    "tally",
]


class CaptionJournal:
    """The captions of one photo library, as an append-only file of JSON lines.

    Attributes:
        records: the last record of every photo that counts as done, by rel_path, oldest first.
        redo: rel_paths whose record has a status to be retried, oldest record first.
        malformed: numbers (from 1) of the lines that `load` could not read.
        repeated: good lines that a later line of the same photo has replaced.
        newest: the newest `at`, or None.
        end: after `news`, the byte after the last whole line.
        stamps: the times of each model's records, in whole seconds since 1970; filled only by `load(with_stamps=True)`.
        times: the `at` of each photo's last record; filled only by `load(with_times=True)`.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A journal may be a link to another disk: the file itself is renamed and replaced, never the link.
        self.path = Path(os.path.realpath(path))
        self.name = Path(path).name
        self.records: dict[str, Entry] = {}
        self.redo: dict[str, None] = {}
        self.malformed: list[int] = []
        self.repeated = 0
        self.newest: str | None = None
        self.end = 0
        self.stamps: dict[str, array[int]] = {}
        self.times: dict[str, str] = {}
        self._blank = 0
        # The records in the file that do not count.
        self._not_counted: dict[str, Entry] = {}
        self._fd: int | None = None
        self._locked = False
        self._mutex = threading.Lock()

    @contextmanager
    def lock(self) -> Iterator[CaptionJournal]:
        """Hold the journal for writing, until the block ends or the process dies.

        Raises:
            StopRunError: another run holds it, or its folder cannot be written.
        """
        lock = FileLock(f"{self.path}.lock", timeout=0, fallback_to_soft=False)
        try:
            if self.path.is_dir():
                raise StopRunError(
                    f"{self.path} is a folder: give --captions-jsonl the name of a file in it."
                )
            # Check the right to write now, not after the first caption.
            if self.path.exists():
                os.close(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC))
            # The lock would make a missing folder, and a mistyped name would go unnoticed.
            os.stat(self.path.parent)
            lock.acquire()
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
            lock.release()

    def load(
        self,
        retry_statuses: Collection[str] = frozenset(),
        *,
        redo_mock: bool = False,
        redo_videos: bool = False,
        with_stamps: bool = False,
        with_times: bool = False,
    ) -> dict[str, Entry]:
        """Read the file; return the last record of every photo that counts as done, by rel_path.

        Photos whose last record has one of `retry_statuses` are left out, and `redo` lists them. With `redo_mock`, photos
        whose last record the mock made are left out too, and with `redo_videos` those whose last record says only that they are
        videos. Malformed lines are skipped; `malformed` has their numbers. A
        missing file is an empty journal.

        Raises:
            StopRunError: the file cannot be read, or it is not a journal.
        """
        self._forget()
        records = self.records
        shared: dict[str, str] = {}
        good = 0
        newest = ""
        for record in self._read():
            good += 1
            rel_path = record["rel_path"]
            # Taken out first, so that the order is that of the last records.
            if rel_path in records:
                del records[rel_path]
            records[rel_path] = entry_of(record, shared)
            if at := record.get("at"):
                newest = max(newest, at)
                if with_times:
                    self.times[rel_path] = shared.setdefault(at, at)
                # For a copy no model was asked.
                model = record.get("model") if with_stamps and not record.get("copy_of") else None
                if model and (second := seconds_of(at)) is not None:
                    self.stamps.setdefault(model, array("q")).append(second)
        self.repeated = good - len(records)
        self.newest = newest or None
        self._leave_out(retry_statuses, redo_mock=redo_mock, redo_videos=redo_videos)
        return records

    def news(self, start: int = 0) -> Iterator[Fields]:
        """Yield the good records after the byte `start`, the end of a line, oldest first; `end` moves along.

        Raises:
            StopRunError: as `load`.
        """
        self._forget()
        yield from self._read(self._lines_after(start), is_known=start > 0)

    def checksum(self, start: int, end: int, before: int = 0) -> int:
        """Return the CRC-32 of these bytes, and of those whose CRC-32 is `before`."""
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end and (block := file.read(min(1 << 20, end - start))):
                before, start = crc32(block, before), start + len(block)
        return before

    def time_of(self, rel_path: str) -> int | None:
        """Return when the photo's last record was made, in whole seconds since 1970; None if that is not known."""
        return _seconds(self.times.get(rel_path))

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

    def captioned(self) -> Iterator[tuple[str, Entry]]:
        """Yield every photo that has a caption, and its record, whether it counts or not."""
        for entries in (self.records, self._not_counted):
            for rel_path, entry in entries.items():
                if entry["status"] == "success":
                    yield rel_path, entry

    def do_again(self, rel_paths: Iterable[str]) -> None:
        """Let the records of these photos no longer count: they are to be done again, and `redo` lists them."""
        for rel_path in rel_paths:
            self._not_counted[rel_path] = self.records.pop(rel_path)
            self.redo[rel_path] = None

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

        Raises:
            StopRunError: they could not be written; the file is as it was before.
        """
        if not records:
            return
        now = _now().strftime("%Y-%m-%dT%H:%M:%SZ")
        for record in records:
            record.at = record.at or now
        with self._mutex:
            self._append(b"".join(record.line() for record in records))
            for record in records:
                rel_path = record.rel_path
                self.repeated += self.is_known(rel_path)
                self.redo.pop(rel_path, None)
                self._not_counted.pop(rel_path, None)
                self.records.pop(rel_path, None)  # taken out first: the order is that of the last records
                self.records[rel_path] = entry_of(cast("Fields", record.__dict__), {})

    def summary(self) -> str:
        """Say how many photos count as done: `Skipping 1240 already processed (1198 success, 42 errors)`."""
        return tally(self.records.values()).summary()

    def set_aside(self) -> Path | None:
        """Rename the file to a backup and start an empty journal; return the backup, None if there was no file."""
        self.close()
        if not self.path.exists():
            return None
        backup = self._backup_path()
        try:
            self.path.rename(backup)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self._forget()
        return backup

    def clear(self) -> None:
        """Delete the file: a dry run starts its own journal from nothing each time."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self._forget()

    def compact(self) -> tuple[int, int, Path] | None:
        """Rewrite the file to the last line of every photo; return (lines before, lines after, backup).

        Lines are copied byte for byte, in their order. At every moment the file is either the whole old one or the whole
        new one. None if there is nothing to do.

        Raises:
            StopRunError: it could not be written, and the file is as it was; or the folder could not be synced, and both
                files are there.
        """
        self.close()  # otherwise a later write would go to the backup
        self.load()
        if not self.malformed and not self.repeated and not self._blank:
            return None
        last = {}
        count = 0
        for number, line in enumerate(self._lines()):
            count += 1
            record = parse_line(line)
            if record is not None:
                last[record["rel_path"]] = number
        keep = set(last.values())
        backup = self._backup_path()
        new = self.path.with_name(self.path.name + ".compact.tmp")
        try:
            with new.open("wb") as file:
                for number, line in enumerate(self._lines()):
                    if number in keep:
                        file.write(line if line.endswith(b"\n") else line + b"\n")
                file.flush()
                sync(file.fileno())
            shutil.copymode(self.path, new)
            second_name(self.path, backup)
            os.replace(new, self.path)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            with suppress(OSError):
                backup.unlink(missing_ok=True)  # a second name of the journal, not a backup of it
            raise StopRunError(write_problem(self.path, error)) from None
        try:
            sync_folder(self.path.parent)
        except OSError as error:  # the new file is in place, and the backup is beside it
            raise StopRunError(
                f"{self.path} is compacted, but a power cut could undo that ({reason(error)}): keep {backup.name} until you "
                "have checked the disk."
            ) from None
        return count, len(keep), backup

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _forget(self) -> None:
        self.records, self.redo, self._not_counted = {}, {}, {}
        self.malformed, self.repeated, self.newest = [], 0, None
        self.stamps, self.times = {}, {}
        self._blank = 0

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
            for number, line in enumerate(self._lines() if lines is None else lines, 1):
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

    def _lines(self, start: int = 0) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                yield from file
        except FileNotFoundError:
            return

    def _lines_after(self, start: int) -> Iterator[bytes]:
        self.end = start
        for line in self._lines(start):
            self.end += len(line) if line.endswith(b"\n") else 0
            yield line

    def _append(self, data: bytes) -> None:
        start = None
        try:
            if self._fd is None:
                self._fd = self._open()
            start = os.lseek(self._fd, 0, os.SEEK_END)
            if start and os.pread(self._fd, 1, start - 1) != b"\n":
                data = b"\n" + data  # end a torn line first, so that it spoils no good record
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            sync(self._fd)
        except OSError as error:
            if self._fd is not None and start is not None:
                with suppress(OSError):  # if this fails too, a torn line stays, which every reader skips
                    os.ftruncate(self._fd, start)
            self.close()
            raise StopRunError(write_problem(self.path, error)) from None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT, 0o666)
            sync_folder(self.path.parent)
            return descriptor

    def _backup_path(self) -> Path:
        stamp = _now().strftime("%Y%m%dT%H%M%SZ")
        backup = self.path.with_name(f"{self.path.name}.{stamp}.bak")
        number = 1
        while backup.exists():
            number += 1
            backup = self.path.with_name(f"{self.path.name}.{stamp}-{number}.bak")
        return backup


@cache
def _seconds(at: str | None) -> int | None:
    """Many records are made in the same second."""
    return seconds_of(at)


def _now() -> datetime:
    return datetime.now(UTC)
