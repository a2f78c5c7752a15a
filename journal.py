"""Owns captions.jsonl: the only file that reads or writes it. Never opens a photo, never calls a backend.

The format is written down in docs/journal-format.md. What is promised: when `write` returns, the record is on
disk; a kill harms at most the line being written; the last record of a photo wins.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import threading
import unicodedata
from array import array
from codecs import BOM_UTF8
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from filelock import FileLock, Timeout
from pydantic import BaseModel, TypeAdapter, ValidationError, model_validator
from typing_extensions import NotRequired, TypedDict  # noqa: UP035 - the standard library's serves pydantic from 3.12 on

from errors import StopRunError
from library.json_lines import OtherLines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

Status = Literal["success", "error_corrupt", "error_api", "error_model"]
STATUSES: tuple[Status, ...] = get_args(Status)
VIDEO = "video"
"""The `error` of a record for a video: counted apart, because it is no damage."""
MOCK = "mock"
"""The `model` of a record the mock made: never taken for a real caption by a run with a real backend."""
_NOT_SYNCED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}
"""What file systems answer that cannot sync a folder, or let no one read it: old CIFS, FUSE."""
_MARK = 8
"""Letters of what a record remembers of its prompt."""


class CaptionRecord(BaseModel):
    """One line of captions.jsonl."""

    rel_path: str
    caption: str | None
    status: Status
    model: str | None = None
    at: str | None = None
    error: str | None = None
    prompt: str | None = None

    @model_validator(mode="after")
    def _success_has_caption(self) -> CaptionRecord:
        if self.status == "success" and not self.caption:
            raise ValueError("a success needs a caption")
        return self

    def line(self) -> bytes:
        """Return the record as it stands in the file, newline included."""
        fields = {
            name: value for name, value in self.__dict__.items() if value is not None or name == "caption"
        }
        # A lone surrogate (half an emoji, as some APIs send it) is no UTF-8 and would make the line unreadable.
        return json.dumps(fields, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


class _Line(TypedDict):
    """The fields of `CaptionRecord` as a plain dict: validates in half the time, which counts at a million lines."""

    rel_path: str
    caption: str | None
    status: Status
    model: NotRequired[str | None]
    at: NotRequired[str | None]
    error: NotRequired[str | None]
    prompt: NotRequired[object]  # before 0.2 any program could have a field of this name: it spoils no line


_validate_line = TypeAdapter(_Line).validator.validate_json


class Entry(TypedDict):
    """What `load` keeps of a photo's last record."""

    caption: str | None
    status: Status
    model: NotRequired[str]
    error: NotRequired[str]
    prompt: NotRequired[str]


@dataclass(slots=True)
class Tally:
    """Photos counted by what happened to them: a video is a video, and no error.

    Attributes:
        statuses: photos by the status of their records; a video's is `error_corrupt`.
        videos: how many of them are videos.
    """

    statuses: Counter[str]
    videos: int = 0

    @property
    def total(self) -> int:
        return self.statuses.total()

    @property
    def done(self) -> int:
        return self.statuses["success"]

    @property
    def errors(self) -> int:
        return self.total - self.done - self.videos

    @property
    def failed(self) -> Counter[str]:
        """The errors by status, without those that there are none of."""
        return +Counter({**self.statuses, "success": 0}) - Counter(error_corrupt=self.videos)

    def line(self) -> str:
        """Return the counts for people: `1,198 captioned, 30 errors, 12 videos`; videos only where there are any."""
        parts = [f"{self.done:,} captioned", f"{self.errors:,} error{'' if self.errors == 1 else 's'}"]
        if self.videos:
            parts.append(f"{self.videos:,} video{'' if self.videos == 1 else 's'}")
        return ", ".join(parts)


def tally(entries: Iterable[Entry]) -> Tally:
    """Count entries by status, and the videos among them."""
    counted = Tally(Counter())
    for entry in entries:
        counted.statuses[entry["status"]] += 1
        counted.videos += is_video(entry["status"], entry.get("error"))
    return counted


def is_video(status: str | None, error: str | None) -> bool:
    """Tell the record of a video from that of a broken photo."""
    return status == "error_corrupt" and error == VIDEO


def prompt_mark(prompt: str) -> str:
    """Return what a record remembers of the prompt: enough to tell another one, nothing to read."""
    return sha256(unicodedata.normalize("NFC", prompt.strip()).encode("utf-8", "replace")).hexdigest()[:_MARK]


class CaptionJournal:
    """The captions of one photo library, as an append-only file of JSON lines.

    Attributes:
        records: the last record of every photo that counts as done, by rel_path, oldest first.
        redo: rel_paths whose record has a status to be retried, oldest record first.
        malformed: numbers (from 1) of the lines that `load` could not read.
        repeated: good lines that a later line of the same photo has replaced.
        newest: the newest `at`, or None.
        stamps: of every model the times of all its records, in whole seconds since 1970; filled by `load` if asked for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # A journal may be a link to another disk: what is renamed and replaced is the file itself.
        self.path = Path(os.path.realpath(path))
        self.name = Path(path).name
        self.records: dict[str, Entry] = {}
        self.redo: dict[str, None] = {}
        self.malformed: list[int] = []
        self.repeated = 0
        self.newest: str | None = None
        self.stamps: dict[str, array[int]] = {}
        self._blank = 0
        self._replaced: set[str] = set()  # photos that have a record in the file which does not count
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
            if self.path.exists():  # no right to write is said now, not after the first caption
                os.close(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC))
            os.stat(
                self.path.parent
            )  # a missing one would be made by the lock, and a typing error go unnoticed
            lock.acquire()
        except Timeout:
            raise StopRunError(
                f"Another run is writing {self.path}: wait until it has ended, or give --captions-jsonl another file."
            ) from None
        except OSError as error:
            raise StopRunError(self._write_sentence(error)) from None
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
        with_stamps: bool = False,
    ) -> dict[str, Entry]:
        """Read the file; return the last record of every photo that counts as done, by rel_path.

        Left out are photos whose last record has one of `retry_statuses` (`redo` lists them) and, with `redo_mock`,
        those whose last record the mock made. Malformed lines are skipped and their numbers kept in `malformed`. A missing file is
        an empty journal. `with_stamps` fills `stamps` in the same reading.

        Raises:
            StopRunError: the file cannot be read, or holds something else than captions.
        """
        self._forget()
        records = self.records
        shared: dict[
            str, Any
        ] = {}  # a million records name a handful of statuses and models: one object each
        good = 0
        newest = ""
        for record in self._read():
            good += 1
            rel_path = record["rel_path"]
            # Taken out first, so that the order is that of the last records.
            if rel_path in records:
                del records[rel_path]
            entry = records[rel_path] = {
                "caption": record["caption"],
                "status": shared.setdefault(record["status"], record["status"]),
            }
            if model := record.get("model"):
                entry["model"] = shared.setdefault(model, model)
            if problem := record.get("error"):
                entry["error"] = shared.setdefault(problem, problem)
            if isinstance(prompt := record.get("prompt"), str) and len(prompt) == _MARK:
                entry["prompt"] = shared.setdefault(prompt, prompt)
            if at := record.get("at"):
                if at > newest:  # noqa: PLR1730 - a call for each of a million lines
                    newest = at
                if with_stamps and model and (second := _second(at)) is not None:
                    self.stamps.setdefault(model, array("q")).append(second)
        self.repeated = good - len(records)
        self.newest = newest or None
        if redo_mock:
            self._replaced = {rel_path for rel_path, entry in records.items() if entry.get("model") == MOCK}
        if retry_statuses:
            self.redo = {
                rel_path: None
                for rel_path, entry in records.items()
                if entry["status"] in retry_statuses and rel_path not in self._replaced
            }
            self._replaced.update(self.redo)
        for rel_path in self._replaced:
            del records[rel_path]
        return records

    def is_done(self, rel_path: str) -> bool:
        """Tell whether the photo has a record that counts."""
        return rel_path in self.records

    @property
    def known(self) -> int:
        """How many photos have a record, whether it counts or not."""
        return len(self.records) + len(self._replaced)

    def names(self) -> Collection[str]:
        """Return the photos that have a record, whether it counts or not."""
        return self.records.keys() | self._replaced if self._replaced else self.records.keys()

    def is_known(self, rel_path: str) -> bool:
        """Tell whether the photo has a record, whether it counts or not."""
        return rel_path in self.records or rel_path in self._replaced

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
        """Append records with one fsync; all are on disk when this returns, or none was written.

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
                self._replaced.discard(rel_path)
                self.records.pop(rel_path, None)  # to the end: the order is that of the last records
                self.records[rel_path] = _entry(record)

    def summary(self, rel_paths: Iterable[str] | None = None) -> str:
        """Say how many photos (of `rel_paths`, if given) count as done: `Skipping 1240 already processed (...)`."""
        records = self.records
        entries = (
            records.values()
            if rel_paths is None
            else [records[path] for path in rel_paths if path in records]
        )
        counted = tally(entries)
        videos = f", {counted.videos} videos" if counted.videos else ""
        return f"Skipping {counted.total} already processed ({counted.done} success, {counted.errors} errors{videos})"

    def malformed_warning(self) -> str | None:
        """Return the sentence about malformed lines, or None when there are none."""
        if not self.malformed:
            return None
        count = len(self.malformed)
        shown = ", ".join(str(number) for number in self.malformed[:10]) + (", ..." if count > 10 else "")
        lines = "line" if count == 1 else "lines"
        return f"Warning: discarded {count} malformed {lines} from {self.name} ({lines} {shown})"

    def set_aside(self) -> Path | None:
        """Rename the file to a backup and begin anew; return the backup, or None if there was no file."""
        self.close()
        if not self.path.exists():
            return None
        backup = self._backup_path()
        try:
            self.path.rename(backup)
            _sync_folder(self.path.parent)
        except OSError as error:
            raise StopRunError(self._write_sentence(error)) from None
        self._forget()
        return backup

    def clear(self) -> None:
        """Empty the file (a dry run's own journal begins anew each time)."""
        self.close()
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StopRunError(self._write_sentence(error)) from None
        self._forget()

    def compact(self) -> tuple[int, int, Path] | None:
        """Rewrite the file to the last line of every photo; return (lines before, lines after, backup).

        Lines are copied as they are, unknown fields included, in the order in which they were written. At every
        moment the file's name holds either the old or the new content. None if there is nothing to do.

        Raises:
            StopRunError: it could not be written, and the file is as it was; or the folder could not be synced, and the
                backup is there.
        """
        self.close()  # what is open would after this be the backup
        self.load()
        if not self.malformed and not self.repeated and not self._blank:
            return None
        last = {}
        count = 0
        for number, line in enumerate(self._lines()):
            count += 1
            record = _parse(line)
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
                _sync(file.fileno())
            shutil.copymode(self.path, new)
            _second_name(self.path, backup)
            os.replace(new, self.path)
        except OSError as error:
            with suppress(OSError):
                new.unlink(missing_ok=True)
            with suppress(OSError):
                backup.unlink(missing_ok=True)  # a hard link to the journal, which will be written on
            raise StopRunError(self._write_sentence(error)) from None
        try:
            _sync_folder(self.path.parent)
        except OSError as error:  # the new file is in place, and the old one is beside it
            raise StopRunError(
                f"{self.path} is compacted, but the disk may lose that at a power cut ({_reason(error)}): keep {backup.name} "
                "until you have checked the disk."
            ) from None
        return count, len(keep), backup

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _forget(self) -> None:
        self.records, self.redo, self._replaced = {}, {}, set()
        self.malformed, self.repeated, self.newest, self.stamps = [], 0, None, {}
        self._blank = 0

    def _read(self) -> Iterator[_Line]:
        """Yield the good records, and note the lines that are none."""
        good = 0
        beyond_ascii = False
        others = OtherLines()
        try:
            for number, line in enumerate(self._lines(), 1):
                record = _parse(line)
                if record is not None:
                    good += 1
                    beyond_ascii = beyond_ascii or not line.isascii()
                    yield record
                elif not line.strip():
                    self._blank += 1
                else:
                    others.see(number, line)
                    # Without the lock, a last line without its end may be one that a run is just writing.
                    if line.endswith(b"\n") or self._locked:
                        self.malformed.append(number)
        except OSError as error:
            raise StopRunError(
                f"{self.path} cannot be read ({_reason(error)}): check the disk and its rights."
            ) from None
        if refusal := others.refusal(self.path, good=good, beyond_ascii=beyond_ascii):
            raise StopRunError(refusal)

    def _lines(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as file:
                yield from file
        except FileNotFoundError:
            return

    def _append(self, data: bytes) -> None:
        start = None
        try:
            if self._fd is None:
                self._fd = self._open()
            start = os.lseek(self._fd, 0, os.SEEK_END)
            if start and os.pread(self._fd, 1, start - 1) != b"\n":
                data = b"\n" + data  # end a torn line first, so that no good record is glued to it
            view = memoryview(data)
            while view:
                view = view[os.write(self._fd, view) :]
            _sync(self._fd)
        except OSError as error:
            if self._fd is not None and start is not None:
                with suppress(OSError):  # every reader skips the torn line that then stays
                    os.ftruncate(self._fd, start)
            self.close()
            raise StopRunError(self._write_sentence(error)) from None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT, 0o666)
            _sync_folder(self.path.parent)
            return descriptor

    def _backup_path(self) -> Path:
        stamp = _now().strftime("%Y%m%dT%H%M%SZ")
        backup = self.path.with_name(f"{self.path.name}.{stamp}.bak")
        number = 1
        while backup.exists():
            number += 1
            backup = self.path.with_name(f"{self.path.name}.{stamp}-{number}.bak")
        return backup

    def _write_sentence(self, error: OSError) -> str:
        action = {
            errno.ENOSPC: "the disk is full: free some space",
            errno.EDQUOT: "the disk quota is used up: free some space",
            errno.EROFS: "the folder is read-only: give --captions-jsonl a file elsewhere",
            errno.EACCES: "no permission to write there: give --captions-jsonl a file elsewhere",
            errno.EPERM: "no permission to write there: give --captions-jsonl a file elsewhere",
            errno.ENOENT: f"the folder {self.path.parent} does not exist: make it",
            errno.ENAMETOOLONG: "its name is too long: give --captions-jsonl a shorter one",
            errno.ENOTDIR: f"{self.path.parent} is not a folder: give --captions-jsonl a file elsewhere",
            **dict.fromkeys(
                (errno.EMFILE, errno.ENFILE),
                "too many files are open at once: raise the limit with `ulimit -n 4096`",
            ),
            **dict.fromkeys(
                (errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP),
                f"its drive cannot keep a journal safe ({_reason(error)}): give --captions-jsonl a file on a local disk, "
                "such as ~/captions.jsonl,",
            ),
        }.get(error.errno or 0, f"{_reason(error)}: check the disk")
        return f"{self.path} cannot be written, {action} and run the same command again; nothing that was written is lost."


def _parse(line: bytes) -> _Line | None:
    try:
        record: _Line = _validate_line(line)
    except ValidationError:
        if not line.startswith(BOM_UTF8):
            return None
        return _parse(line.lstrip(BOM_UTF8))  # Windows editors put such a mark before the first line
    if record["status"] == "success" and not record["caption"]:
        return None
    if not record["rel_path"].isascii():  # another program's journal may spell names as macOS stores them
        record["rel_path"] = unicodedata.normalize("NFC", record["rel_path"])
    return record


def _entry(record: CaptionRecord) -> Entry:
    entry: Entry = {"caption": record.caption, "status": record.status}
    if record.model:
        entry["model"] = record.model
    if record.error:
        entry["error"] = record.error
    if record.prompt:
        entry["prompt"] = record.prompt
    return entry


def _second(at: str) -> int | None:
    """Return the stamp in whole seconds since 1970; None if it is no time."""
    try:
        time = datetime.fromisoformat(at)
    except ValueError:
        return None
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.timestamp())


def _second_name(path: Path, backup: Path) -> None:
    try:
        os.link(path, backup)
    except OSError:  # a file system without hard links (exFAT)
        try:
            shutil.copy2(path, backup)
            with backup.open("rb") as file:
                _sync(file.fileno())
        except OSError:
            backup.unlink(missing_ok=True)
            raise


def _sync(descriptor: int) -> None:
    """Have the disk keep what was written. On macOS fsync alone leaves it in the drive's own memory."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):  # a drive that cannot (SMB, FAT) still has fsync
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power loss; some file systems have no such thing and refuse it."""
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        _sync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _now() -> datetime:
    return datetime.now(UTC)


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__
