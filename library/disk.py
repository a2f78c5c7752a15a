"""Owns writing that survives a power cut, and what to say when a file cannot be written."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_NOT_SYNCED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EBADF, errno.EACCES, errno.EPERM}
"""Errors of file systems that cannot sync a folder or do not allow it (old CIFS, FUSE)."""


def sync(descriptor: int) -> None:
    """Make the disk keep what was written. On macOS fsync alone leaves it in the drive's own memory."""
    full = getattr(fcntl, "F_FULLFSYNC", None)
    if full is not None:
        with suppress(OSError):  # a drive that does not know this (SMB, FAT) still has fsync
            fcntl.fcntl(descriptor, full)
            return
    os.fsync(descriptor)


def sync_folder(folder: Path) -> None:
    """Make a new name in `folder` survive a power cut, where the file system can."""
    descriptor = None
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        sync(descriptor)
    except OSError as error:
        if error.errno not in _NOT_SYNCED:
            raise
    finally:
        if descriptor is not None:
            os.close(descriptor)


def second_name(path: Path, other: Path) -> None:
    """Give the file a second name (a hard link); where the file system has no hard links (exFAT), copy it."""
    try:
        os.link(path, other)
    except OSError:
        try:
            shutil.copy2(path, other)
            with other.open("rb") as file:
                sync(file.fileno())
        except OSError:
            other.unlink(missing_ok=True)
            raise


def reason(error: OSError) -> str:
    """Return the error in the system's own words."""
    return error.strerror or type(error).__name__


def write_problem(path: Path, error: OSError) -> str:
    """Return the sentence about a journal that cannot be written, with what to do about it."""
    elsewhere = "give --captions-jsonl a file elsewhere"
    no_right = f"no permission to write there: {elsewhere}"
    too_many = "too many files are open at once: raise the limit with `ulimit -n 4096`"
    not_safe = (
        f"its drive cannot keep a journal safe ({reason(error)}): give --captions-jsonl a file on a local disk, "
        "such as ~/captions.jsonl,"
    )
    action = {
        errno.ENOSPC: "the disk is full: free some space",
        errno.EDQUOT: "the disk quota is used up: free some space",
        errno.EROFS: f"the folder is read-only: {elsewhere}",
        errno.EACCES: no_right,
        errno.EPERM: no_right,
        errno.ENOENT: f"the folder {path.parent} does not exist: make it",
        errno.ENAMETOOLONG: "its name is too long: give --captions-jsonl a shorter one",
        errno.ENOTDIR: f"{path.parent} is not a folder: {elsewhere}",
        **dict.fromkeys((errno.EMFILE, errno.ENFILE), too_many),
        **dict.fromkeys(
            (errno.EINVAL, errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP), not_safe
        ),
    }.get(error.errno or 0, f"{reason(error)}: check the disk")
    return f"{path} cannot be written, {action} and run the same command again; nothing that was written is lost."
