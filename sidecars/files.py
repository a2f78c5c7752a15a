"""Owns sidecars on the disk, and the list of those that were written, by which they are undone.

A sidecar is replaced whole or not at all. The list is on disk before the sidecars of a batch are, so that a kill leaves none
that is not in it.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import stat
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

from errors import OUT_OF_FILES, SidecarError, StopRunError, out_of_files
from library.disk import reason, sync, sync_folder, write_problem
from library.xmp import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FULL = {errno.ENOSPC, errno.EDQUOT}


class Sidecar(NamedTuple):
    """A file that was read, and its state then."""

    raw: bytes
    status: os.stat_result


class Made(NamedTuple):
    """What the list holds of one sidecar.

    Attributes:
        made: whether there was none before.
        kept: the mark of what is left of it without our words.
        root: the folder of `--into`, below which empty folders are ours; else empty.
    """

    made: bool
    kept: str
    root: str = ""


def mark(raw: bytes) -> str:
    """Return what tells contents apart."""
    return sha256(raw).hexdigest()[:32]


def read_sidecar(path: str, *, to_write: bool = True) -> Sidecar | None:
    """Return a sidecar; None where there is none.

    Raises:
        SidecarError: it must be left alone.
    """
    try:
        status = os.stat(path)
        if not stat.S_ISREG(status.st_mode):
            raise SidecarError("it is a folder" if stat.S_ISDIR(status.st_mode) else "it is no file")
        if status.st_size > MOST_BYTES:
            raise SidecarError(f"it is larger than {MOST_BYTES >> 20} MB")
        if to_write and not (status.st_mode & 0o222 and os.access(path, os.W_OK)):
            raise SidecarError("it is read-only")
        with open(path, "rb") as file:
            return Sidecar(file.read(), status)
    except FileNotFoundError:
        if os.path.islink(path):
            raise SidecarError("it is a link that leads nowhere") from None
        return None
    except OSError as error:
        if out_of_files(error):
            raise StopRunError(OUT_OF_FILES) from error
        raise SidecarError(f"it cannot be read ({reason(error)})") from None


def write_sidecar(path: str, new: bytes, before: Sidecar | None) -> None:
    """Replace a sidecar, whole or not at all, unless it is another one than `before` by now.

    Raises:
        SidecarError: this one could not be written.
        StopRunError: none can be written.
    """
    path = os.path.realpath(path)  # a link stays one
    folder, name = os.path.split(path)
    temporary = temporary_of(path)
    try:
        os.makedirs(folder, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(new)
            file.flush()
            if before:
                shutil.copymode(path, temporary)
                with suppress(PermissionError):
                    os.chown(temporary, before.status.st_uid, before.status.st_gid)
            sync(file.fileno())
        if _state(path) != (before and _identity(before.status)):
            raise SidecarError("another program has just changed it")
        os.replace(temporary, path)
    except OSError as error:
        raise _trouble(name, error) from None
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def delete_sidecar(path: str, before: Sidecar, root: str) -> None:
    """Delete a sidecar that was made, and the folders below `root` that are empty then.

    Raises:
        SidecarError: it could not be deleted.
    """
    try:
        if _state(path) != _identity(before.status):
            raise SidecarError("another program has just changed it")
        os.unlink(path)
    except OSError as error:
        raise _trouble(os.path.basename(path), error) from None
    remove_folders(path, root)


def remove_folders(path: str, root: str) -> None:
    """Remove the folders of a sidecar that are below `root` and empty; without `root` none."""
    folder = os.path.dirname(path)
    while root and len(folder) > len(root):
        try:
            os.rmdir(folder)
        except FileNotFoundError:
            pass
        except OSError:  # it is not empty
            return
        folder = os.path.dirname(folder)


def temporary_of(path: str) -> str:
    """Return the name under which a sidecar is written; no walk and no photo program takes it for anything."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name}.tmp")


def sync_folders(paths: Iterable[str]) -> None:
    """Make the new names of these files survive a power cut, where the file system can."""
    for folder in {os.path.dirname(os.path.realpath(path)) for path in paths}:
        with suppress(FileNotFoundError):  # it was removed with its last sidecar
            sync_folder(Path(folder))


def _identity(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def _state(path: str) -> tuple[int, int, int] | None:
    try:
        return _identity(os.stat(path))
    except FileNotFoundError:
        return None


def _trouble(name: str, error: OSError) -> Exception:
    if out_of_files(error):
        return StopRunError(OUT_OF_FILES)
    if error.errno in _FULL:
        return StopRunError(
            f"{name} cannot be written: free some space on its disk, then run the same command again."
        )
    if error.errno == errno.EROFS:
        return StopRunError(
            f"{name} cannot be written, because its disk is read-only: give --into a folder elsewhere."
        )
    return SidecarError(f"it cannot be written ({reason(error)})")


class Written:
    """The list of the sidecars that were written, beside the journal.

    Attributes:
        entries: what it holds, by the path of the sidecar; the last line counts.
    """

    def __init__(self, journal: Path) -> None:
        self.path = journal.with_name(f"{journal.stem}.sidecars.jsonl")
        self.entries: dict[str, Made] = {}

    @contextmanager
    def lock(self, *, to_write: bool) -> Iterator[Written]:
        """Read the list and, to write, hold it until the block ends or the process dies.

        Raises:
            StopRunError: another export holds it, or it cannot be read.
        """
        if not to_write:
            self.read()
            yield self
            return
        lock = FileLock(f"{self.path}.lock", timeout=0, fallback_to_soft=False)
        try:
            os.stat(self.path.parent)
            lock.acquire()
        except Timeout:
            raise StopRunError("Another export-xmp is at work: wait until it has ended.") from None
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        try:
            self.read()
            yield self
        finally:
            lock.release()

    def read(self) -> None:
        """Read the list; a line that is no entry is skipped: a kill may have torn it."""
        self.entries.clear()
        try:
            with self.path.open("rb") as file:
                for line in file:
                    with suppress(ValueError, KeyError, TypeError):
                        said = json.loads(line)
                        self.entries[str(said["sidecar"])] = Made(
                            bool(said["made"]), said["kept"], said.get("root", "")
                        )
        except FileNotFoundError:
            return
        except OSError as error:
            raise StopRunError(f"{self.path} cannot be read ({reason(error)}): check the disk.") from None

    def add(self, entries: dict[str, Made]) -> None:
        """Append entries; they are on disk when this returns."""
        if not entries:
            return
        try:
            new = not self.path.exists()
            with self.path.open("a+b") as file:
                torn = (
                    not new
                    and file.seek(0, os.SEEK_END)
                    and not self._ends_a_line(file.fileno(), file.tell())
                )
                file.write(b"\n" * bool(torn) + _lines(entries))
                file.flush()
                sync(file.fileno())
            if new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self.entries |= entries

    def keep(self, entries: dict[str, Made]) -> None:
        """Replace the list by these entries; without any there is no list any more."""
        new = self.path.with_name(f"{self.path.name}.tmp")
        try:
            if entries:
                with new.open("wb") as file:
                    file.write(_lines(entries))
                    file.flush()
                    sync(file.fileno())
                os.replace(new, self.path)
            else:
                self.path.unlink(missing_ok=True)
            sync_folder(self.path.parent)
        except OSError as error:
            raise StopRunError(write_problem(self.path, error)) from None
        self.entries = entries

    @staticmethod
    def _ends_a_line(descriptor: int, size: int) -> bool:
        return os.pread(descriptor, 1, size - 1) == b"\n"


def _lines(entries: dict[str, Made]) -> bytes:
    rows = ({"sidecar": path, **entry._asdict()} for path, entry in entries.items())
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
