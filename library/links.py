"""Owns that a photo counts once, whatever names it has on the disk. Knows no folder; the walk brings what it meets."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from library.walk import Photo, Walk

    Inodes = dict[int, Photo | None]
    """The first photo of each inode of one disk."""

_NO_INODES: Inodes = dict.fromkeys((0, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF))
"""What file systems without inodes give to every file, which makes no two of them one."""
_SAME = ("st_dev", "st_ino", "st_nlink", "st_size", "st_mtime_ns")


class Taken:
    """The photos taken so far.

    Attributes:
        by_name: each of them once, by rel_path.
        keep_first: whether the name met first stays, as where links are followed; else the first in sorted order.
    """

    def __init__(self, found: Walk) -> None:
        self.by_name: dict[str, Photo] = {}
        self.keep_first = False
        self._found = found
        self._disks: dict[int, Inodes] = {}
        self._targets: dict[str, str] = {}

    def inodes(self, device: int) -> Inodes:
        """Return what `add` needs to know of a disk."""
        return self._disks.setdefault(device, dict(_NO_INODES))

    def add(self, photo: Photo, inode: int, inodes: Inodes) -> None:
        """Take a photo. One that has a name already is joined to it."""
        if self.by_name.setdefault(photo.rel_path, photo) is not photo:
            self._found.warnings.append(
                f"Two files have the name {photo.rel_path!r}; only the first is captioned: rename one."
            )
            return
        other = inodes.setdefault(inode, photo)
        if other is None or other is photo or not _are_one_file(other.path, photo.path):
            return
        if photo.rel_path < other.rel_path and not self.keep_first:
            inodes[inode], photo, other = photo, other, photo
        del self.by_name[photo.rel_path]
        self._link(other.rel_path, photo.rel_path, *self._found.links.pop(photo.rel_path, ()))

    def add_link(self, photo: Photo, target: str, name: str | None) -> None:
        """Take a symbolic link to `target`, which in the library would have the rel_path `name`; None outside of it.

        Raises:
            OSError: the target cannot be read.
        """
        if name is None or (name not in self.by_name and name not in self._found.live_videos):
            name = self._targets.setdefault(target, photo.rel_path)
        if name != photo.rel_path:
            self._link(name, photo.rel_path)
            return
        status = os.stat(target)
        self.add(photo, status.st_ino, self.inodes(status.st_dev))

    def _link(self, name: str, *others: str) -> None:
        self._found.links.setdefault(name, []).extend(others)


def _are_one_file(path: str, other: str) -> bool:
    """Ask the disk. An inode alone is no proof: some drives make them up, even one for all files."""
    try:
        one, two = os.stat(path), os.stat(other)
    except OSError:
        return False
    same = all(getattr(one, field) == getattr(two, field) for field in _SAME)
    return same and one.st_nlink > 1
