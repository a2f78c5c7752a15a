"""Owns a file of lines that is only appended to, durably, or replaced whole. Knows nothing of what the lines say."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zlib import crc32

from filelock import FileLock

from errors import StopRunError
from library.disk import reason, second_name, sync, sync_folder, write_problem

if TYPE_CHECKING:
    from collections.abc import Container, Iterator
    from pathlib import Path


class LineFile:
    """The file at `path`, which need not be there yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.end = 0
        self._fd: int | None = None

    def hold(self) -> FileLock:
        """Return a lock on the file, held until it is released or the process dies.

        Raises:
            Timeout: another process holds it.
            OSError: the file or its folder cannot be written.
        """
        # Check the right to write now, not after the first caption.
        if self.path.exists():
            os.close(os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC))
        # The lock would make a missing folder, and a mistyped name would go unnoticed.
        os.stat(self.path.parent)
        lock = FileLock(f"{self.path}.lock", timeout=0, fallback_to_soft=False)
        lock.acquire()
        return lock

    def lines(self, start: int = 0) -> Iterator[bytes]:
        """Yield the lines after the byte `start` with their ends; none where there is no file."""
        try:
            with self.path.open("rb") as file:
                file.seek(start)
                yield from file
        except FileNotFoundError:
            return

    def lines_after(self, start: int) -> Iterator[bytes]:
        """Yield the lines after the byte `start`; `end` is the byte after the last whole one of them."""
        self.end = start
        for line in self.lines(start):
            self.end += len(line) if line.endswith(b"\n") else 0
            yield line

    def checksum(self, start: int, end: int, before: int = 0) -> int:
        """Return the CRC-32 of these bytes, and of those whose CRC-32 is `before`."""
        with self.path.open("rb") as file:
            file.seek(start)
            while start < end and (block := file.read(min(1 << 20, end - start))):
                before, start = crc32(block, before), start + len(block)
        return before

    def append(self, data: bytes) -> None:
        """Append whole lines; they are on disk when this returns.

        Raises:
            StopRunError: they could not be written; the file is as it was before.
        """
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

    def rewrite(self, keep: Container[int]) -> Path:
        """Replace the file by one with only these of its lines, counted from 0, as they are; return the old one's new name.

        Raises:
            StopRunError: it could not be written, and the file is as it was; or the folder could not be synced, and both
                files are there.
        """
        new, backup = self.path.with_name(self.path.name + ".compact.tmp"), self._backup_path()
        try:
            with new.open("wb") as file:
                for number, line in enumerate(self.lines()):
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
                backup.unlink(missing_ok=True)  # a second name of the file, not a backup of it
            raise StopRunError(write_problem(self.path, error)) from None
        try:
            sync_folder(self.path.parent)
        except OSError as error:  # the new file is in place, and the backup is beside it
            raise StopRunError(
                f"{self.path} is written again, but a power cut could undo that ({reason(error)}): keep {backup.name} until "
                "you have checked the disk."
            ) from None
        return backup

    def set_aside(self) -> Path:
        """Let a backup take the file's name away; return it.

        Raises:
            StopRunError: it could not be done.
        """
        backup = self._backup_path()
        try:
            self.path.rename(backup)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        return backup

    def close(self) -> None:
        """Close the file; a later `append` opens it again."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC
        try:
            return os.open(self.path, flags)
        except FileNotFoundError:
            descriptor = os.open(self.path, flags | os.O_CREAT, 0o666)
            sync_folder(self.path.parent)
            return descriptor

    def _backup_path(self) -> Path:
        stamp = now().strftime("%Y%m%dT%H%M%SZ")
        backup = self.path.with_name(f"{self.path.name}.{stamp}.bak")
        number = 1
        while backup.exists():
            number += 1
            backup = self.path.with_name(f"{self.path.name}.{stamp}-{number}.bak")
        return backup


def now() -> datetime:
    """Return the time, in UTC: of records, and in the names of backups."""
    return datetime.now(UTC)
