"""Owns which files in a folder are photos, and their names in the journal. Never opens a picture."""

from __future__ import annotations

import errno
import os
import unicodedata
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from errors import OUT_OF_FILES, StopRunError, out_of_files
from library.signatures import PICTURE, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PICTURE_EXTENSIONS = frozenset(
    "jpg jpeg jpe jfif jfi jif jps pjp pjpeg insp mpo png apng gif webp tif tiff bmp dib heic heif heics heifs hif avif avifs "
    "jp2 j2k j2c jpc jpf jpx jpm jxl ico psd psb ppm pgm pbm pnm qoi tga pcx svg svgz".split()
)
RAW_EXTENSIONS = frozenset(
    "3fr ari arw bay cap cr2 cr3 crw dcr dcs dng drf eip erf fff gpr iiq k25 kdc mdc mef mos mrw nef nrw orf ori "
    "pef ptx pxn raf raw rw2 rwl rwz sr2 srf srw x3f".split()
)
VIDEO_EXTENSIONS = frozenset(
    "mov mp4 m4v avi mkv webm mpg mpeg mpe m2v 3gp 3gpp 3g2 mts m2ts m2t wmv asf flv f4v vob ogv qt divx dv insv mxf".split()
)
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx", "lost+found"}
)


@dataclass(frozen=True, slots=True)
class Photo:
    """A file to caption: its name in the journal and its path on this machine; `is_video` where it is not to be opened."""

    rel_path: str
    path: str
    is_video: bool = False


@dataclass(slots=True)
class Walk:
    """What a walk found: photos sorted by rel_path, the number of other files, and warnings.

    `unreadable` names the folders and files that could not be read because of the disk, not because of permissions: photos may
    be missing from the list.
    """

    photos: list[Photo] = field(default_factory=list)
    other_files: int = 0
    unreadable: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def add_error(self, path: str, error: OSError) -> None:
        """Record that `path` could not be read.

        Raises:
            StopRunError: too many files are open to read any.
        """
        if out_of_files(error):
            raise StopRunError(OUT_OF_FILES) from error
        sentence = f"{path!r} cannot be read ({error.strerror})"
        # ELOOP: links that lead to each other.
        if error.errno not in {errno.EACCES, errno.EPERM, errno.ELOOP}:
            self.unreadable.append(sentence)
        self.warnings.append(f"{sentence}; its photos are left out.")

    def other_files_line(self) -> str:
        """Return the sentence about the files that are neither pictures nor videos."""
        what = "file that is not a picture" if self.other_files == 1 else "files that are not pictures"
        return f"Left out {self.other_files:,} {what}."


def portable_name(name: str) -> str:
    """Return a path below the photos folder as the journal writes it: `/`, Unicode NFC, other bytes backslashed."""
    if os.sep != "/":
        name = name.replace(os.sep, "/")
    if name.isascii():
        return name
    return unicodedata.normalize("NFC", os.fsencode(name).decode("utf-8", "backslashreplace"))


def folded(name: str) -> str:
    """Return the name without differences that some file systems ignore: case, and how an accent is encoded."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def extension(name: str) -> str:
    """Return the last extension in lower case, without its dot; empty if there is none."""
    return os.path.splitext(name)[1][1:].lower()


def walk(photos_dir: Path) -> Walk:
    """Find every photo and video below `photos_dir`. Links are followed, but no folder is read twice.

    Left out are hidden and system files, and files whose extension is not that of a picture or video. A file without an
    extension is opened: it counts if its first bytes are a picture's.

    Raises:
        StopRunError: the folder is missing, is not a folder, cannot be read, or holds no photo.
    """
    if not photos_dir.exists():
        raise StopRunError(
            f"The photos folder {photos_dir} does not exist: check --photos-dir, or mount the disk."
        )
    if not photos_dir.is_dir():
        raise StopRunError(
            f"{photos_dir} is not a folder: give --photos-dir the folder that holds the photos."
        )
    found = Walk()
    by_name: dict[str, Photo] = {}
    for photo in _files(os.fspath(photos_dir), found):
        other = by_name.setdefault(photo.rel_path, photo)
        if other is not photo:
            found.warnings.append(
                f"Two files have the name {photo.rel_path!r}; only the first is captioned: rename one."
            )
    found.photos = sorted(by_name.values(), key=lambda photo: photo.rel_path)
    if not found.photos:
        warning = "".join(f" {sentence}" for sentence in found.warnings[:1])
        raise StopRunError(
            f"The photos folder {photos_dir} holds no photos ({found.other_files} other files).{warning} "
            "Check --photos-dir, or mount the disk."
        )
    return found


def _files(root: str, found: Walk) -> Iterator[Photo]:
    """Yield the photos below `root`, folder by folder; linked folders last, so that real folders give the names."""
    seen = set()
    folders = [("", root)]
    linked: list[tuple[str, str]] = []
    while folders or linked:
        prefix, folder = folders.pop() if folders else linked.pop(0)
        try:
            status = os.stat(folder)
            if (status.st_dev, status.st_ino) in seen:
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as scan:
                entries = sorted(scan, key=lambda entry: entry.name)
        except OSError as error:
            found.add_error(folder, error)
            continue
        below: list[tuple[str, str]] = []
        for entry in entries:
            name = entry.name
            if name.startswith(".") or name.lower() in _SYSTEM_FOLDERS:
                continue
            try:
                if entry.is_dir():
                    (linked if entry.is_symlink() else below).append((f"{prefix}{name}/", entry.path))
                elif entry.is_file():
                    kind = extension(name)
                    is_video = kind in VIDEO_EXTENSIONS
                    if is_video or _is_photo(kind, entry.path):
                        yield Photo(portable_name(prefix + name), entry.path, is_video)
                    else:
                        found.other_files += 1
            except OSError as error:
                found.add_error(entry.path, error)
        folders += reversed(below)


def _is_photo(kind: str, path: str) -> bool:
    """Tell by the extension, or without one by the first bytes. A file without permission to read is not a photo.

    Raises:
        OSError: the disk cannot be read.
    """
    if kind:
        return kind in PICTURE_EXTENSIONS or kind in RAW_EXTENSIONS
    try:
        with open(path, "rb") as file:
            return kind_of(file.read(32)) == PICTURE
    except (PermissionError, FileNotFoundError):
        return False
