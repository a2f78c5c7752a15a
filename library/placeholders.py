"""Owns telling photos that are only in a cloud, by what its service leaves on the disk. Downloads nothing."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_SUFFIXES = {"icloud": "iCloud", "nextcloud": "Nextcloud", "owncloud": "ownCloud"}
"""What services put at the end of a photo's name; iCloud hides the file as well: `.IMG_1.HEIC.icloud`."""
_FOLDERS = (
    ("mobile documents", "iCloud"),
    ("icloud", "iCloud"),
    ("dropbox", "Dropbox"),
    ("onedrive", "OneDrive"),
    ("googledrive", "Google Drive"),
    ("google drive", "Google Drive"),
)
"""How the folders begin that services keep in step, in lower case: `OneDrive-Personal`, `GoogleDrive-me@example.com`."""
A_CLOUD = "a cloud"
EMPTY = "a cloud, or empty"
"""The service of a file of no bytes in a folder that says nothing: a copy that failed leaves the same."""
_DATALESS = 0x40000000
"""SF_DATALESS of macOS, in a file's `st_flags`."""
_HEAD = 512


def named_after(name: str) -> tuple[str, str] | None:
    """Return the name of the photo that the file stands for, and the service; None for any other file."""
    stem, _, suffix = name.rpartition(".")
    service = _SUFFIXES.get(suffix.lower())
    if service is None or stem.startswith(".") != (service == "iCloud"):
        return None
    return stem.removeprefix("."), service


def is_dataless(status: os.stat_result) -> bool:
    """Tell whether macOS would download the file when it is read."""
    return bool(getattr(status, "st_flags", 0) & _DATALESS)


def stand_in(path: str) -> str | None:
    """Return what keeps the picture if only an empty shell of it is here; None for a real file, and if it cannot be read.

    Looks at the file's entry. Only where that shows no bytes on the disk, its start is read: some disks count none for small files.
    """
    try:
        status = os.stat(path)
        if is_dataless(status):
            return _service(path) or A_CLOUD
        if status.st_size and status.st_blocks:
            return None
        with open(path, "rb") as file:
            if file.read(_HEAD).strip(b"\0"):
                return None
    except OSError:
        return None
    return _service(path) or (A_CLOUD if status.st_size else EMPTY)


def sentences(services: Iterable[str]) -> list[str]:
    """Return a sentence for each service: `50 photos are only in iCloud: download them first.`"""
    each = list(services)
    return [
        f"1 photo is only in {service}: download it first."
        if each.count(service) == 1
        else f"{each.count(service):,} photos are only in {service}: download them first."
        for service in sorted(set(each))
    ]


def _service(path: str) -> str | None:
    folders = os.path.dirname(path).lower().split(os.sep)
    return next(
        (service for folder in reversed(folders) for start, service in _FOLDERS if folder.startswith(start)),
        None,
    )
