"""Owns which files in a folder are photos, and their names in the journal. Never opens a picture."""

from __future__ import annotations

import errno
import os
import unicodedata
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

from errors import OUT_OF_FILES, StopRunError, out_of_files
from library.links import Taken
from library.live_photos import MOVING, belongs, pictures_by_stem
from library.photo_programs import holds_copies, originals
from library.placeholders import named_after, sentences
from library.signatures import PICTURE, kind_of

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from library.exclusion import Exclusion
    from library.links import Inodes

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
_PICTURES = PICTURE_EXTENSIONS | RAW_EXTENSIONS
_PICTURES_AND_VIDEOS = _PICTURES | VIDEO_EXTENSIONS
_SYSTEM_FOLDERS = frozenset(
    {"@eadir", "#recycle", "$recycle.bin", "system volume information", "__macosx", "lost+found"}
)
_BY_NAME = attrgetter("rel_path")
_LINKS = "links to photos that are here under another name"
_PREVIEWS = "previews and copies inside photo programs' libraries"


@dataclass(frozen=True, slots=True)
class Photo:
    """A file to caption: its name in the journal and its path on this machine; its `content`, once it has been read.

    `is_video` is a video that is not to be opened.
    """

    rel_path: str
    path: str
    is_video: bool = False
    content: str | None = None


@dataclass(slots=True)
class Walk:
    """What a walk found.

    Attributes:
        photos: photos and videos, sorted by rel_path.
        other_files: files that are no pictures.
        excluded_folders: folders that `--exclude` left out.
        excluded_files: files that it left out in other folders.
        previews: pictures and videos in photo programs' libraries that are no originals.
        live_videos: the rel_paths of videos that belong to a picture.
        links: the other names of a photo, by its rel_path.
        away: what keeps the photos that are only in a cloud, by rel_path.
        unreadable: sentences about folders and files that the disk, not a lack of permission, kept from being read: photos may be
            missing from the list.
        warnings: sentences for the user.
    """

    photos: list[Photo] = field(default_factory=list)
    other_files: int = 0
    excluded_folders: int = 0
    excluded_files: int = 0
    previews: int = 0
    live_videos: set[str] = field(default_factory=set)
    links: dict[str, list[str]] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
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

    def left_out(self, done: Container[str] = ()) -> list[str]:
        """Return sentences about what is in the folder and is no photo to work on; photos in `done` need no download."""
        links = sum(map(len, self.links.values()))
        lines = [
            f"Left out {number:,} {one if number == 1 else several}."
            for number, one, several in (
                (self.other_files, "file that is not a picture", "files that are not pictures"),
                (links, "link to a photo that is here under another name", _LINKS),
                (self.previews, "preview or copy inside a photo program's library", _PREVIEWS),
                (len(self.live_videos), "Live Photo video", "Live Photo videos"),
            )
            if number
        ]
        if self.excluded_folders or self.excluded_files:
            lines.append(
                f"Left out by --exclude: {_count(self.excluded_folders, 'folder')} and {_count(self.excluded_files, 'file')}."
            )
        return lines + sentences(service for name, service in self.away.items() if name not in done)


def _count(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


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


def walk(photos_dir: Path, exclude: Exclusion | None = None) -> Walk:
    """Find every photo and video below `photos_dir`. Links are followed, but no folder and no file counts twice.

    Left out are hidden and system files, files whose extension is not that of a picture or video, what `exclude` covers, previews in
    the libraries of photo programs, and the videos of Live Photos. A file without an extension is opened: it counts if its
    first bytes are a picture's.

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
    walker = _Walker(found, exclude)
    walker.walk(os.fspath(photos_dir))
    found.photos = sorted(walker.taken.by_name.values(), key=_BY_NAME)
    if not found.photos and not found.away:
        why = " ".join(["holds no photos.", *found.warnings[:1], *found.left_out()])
        raise StopRunError(f"The photos folder {photos_dir} {why} Check --photos-dir, or mount the disk.")
    return found


class _Folder(NamedTuple):
    """A folder to read: what its files' names begin with, its path, and whether it holds a photo program's copies."""

    prefix: str
    path: str
    copies: bool


class _Walker:
    """One walk, folder by folder; linked folders last, and linked files after them, so that the real ones give the names."""

    def __init__(self, found: Walk, exclude: Exclusion | None) -> None:
        self.taken = Taken(found)
        self._found = found
        self._exclude = exclude
        self._prefixes: dict[tuple[int, int], str] = {}  # of the folders read, by device and inode
        self._originals: set[str] = set()
        self._linked_folders: list[_Folder] = []
        self._links: list[Photo] = []

    def walk(self, root: str) -> None:
        folders = [self._folder("", root, copies=False)]
        while folders or self._linked_folders:
            self.taken.keep_first = self.taken.keep_first or not folders
            folders += reversed(self._read(folders.pop() if folders else self._linked_folders.pop(0)))
        self.taken.keep_first = True
        for photo in sorted(self._links, key=_BY_NAME):
            self._add_link(photo)

    def _folder(self, prefix: str, path: str, *, copies: bool) -> _Folder:
        """Return a folder that was met, which may be the library of a photo program."""
        if path in self._originals:
            return _Folder(prefix, path, copies=False)
        kept = None if copies else originals(path)
        if kept is None:
            return _Folder(prefix, path, copies)
        self._originals.update(kept)
        return _Folder(prefix, path, copies=True)

    def _read(self, folder: _Folder) -> list[_Folder]:
        """Take the files of a folder; return the folders in it, in their order."""
        try:
            status = os.stat(folder.path)
            here = (status.st_dev, status.st_ino)
            if here in self._prefixes:
                return []
            self._prefixes[here] = folder.prefix
            with os.scandir(folder.path) as scan:
                entries = sorted(scan, key=attrgetter("name"))
        except OSError as error:
            self._found.add_error(folder.path, error)
            return []
        below: list[_Folder] = []
        files = []
        for entry in entries:
            try:
                if entry.name[0] == ".":
                    if entry.name.endswith(".icloud") and not folder.copies:
                        files.append(entry)
                elif entry.is_dir():
                    self._enter(folder, entry, below)
                elif entry.is_file():
                    files.append(entry)
            except OSError as error:
                self._found.add_error(entry.path, error)
        if self._exclude:
            files = [entry for entry in files if not self._excluded(folder.prefix + entry.name)]
        if folder.copies:
            self._count(files)
        else:
            self._take(folder.prefix, files, self.taken.inodes(status.st_dev))
        return below

    def _enter(self, folder: _Folder, entry: os.DirEntry[str], below: list[_Folder]) -> None:
        """Put a folder among those to read, unless it is left out."""
        if entry.name.lower() in _SYSTEM_FOLDERS:
            return
        prefix = f"{folder.prefix}{entry.name}/"
        if self._exclude and self._excluded(prefix):
            return
        copies = folder.copies or holds_copies(folder.path, entry.name)
        (self._linked_folders if entry.is_symlink() else below).append(
            self._folder(prefix, entry.path, copies=copies)
        )

    def _excluded(self, name: str) -> bool:
        if self._exclude is None or not self._exclude.covers(portable_name(name)):
            return False
        if name.endswith("/"):
            self._found.excluded_folders += 1
        else:
            self._found.excluded_files += 1
        return True

    def _count(self, files: list[os.DirEntry[str]]) -> None:
        """Count the files of a folder that holds a photo program's copies."""
        for entry in files:
            if extension(entry.name) in _PICTURES_AND_VIDEOS:
                self._found.previews += 1
            else:
                self._found.other_files += 1

    def _take(self, prefix: str, files: list[os.DirEntry[str]], inodes: Inodes) -> None:
        """Take the photos among the files of one folder. `inodes` are those of its disk."""
        pictures: list[str] = []
        videos: list[tuple[str, os.DirEntry[str]]] = []
        away: list[tuple[str, str]] = []
        for entry in files:
            name = entry.name
            kind = name.rpartition(".")[2].lower() if "." in name else ""
            if kind in _PICTURES or (not kind and self._begins_like_a_picture(entry.path)):
                pictures.append(name)
                self._add(Photo(portable_name(prefix + name), entry.path), entry, inodes)
            elif kind in VIDEO_EXTENSIONS or kind in MOVING:
                videos.append((kind, entry))
            elif stands_for := named_after(name):
                away.append(stands_for)
            else:
                self._found.other_files += 1
        if videos:
            beside = pictures_by_stem([*pictures, *(name for name, _ in away)])
            for kind, entry in videos:
                self._add_video(prefix, kind, entry, beside, inodes)
        if away:
            self._add_away(prefix, away, {*pictures})

    def _add_video(
        self, prefix: str, kind: str, entry: os.DirEntry[str], beside: dict[str, str], inodes: Inodes
    ) -> None:
        """Take a video, unless it belongs to one of the pictures `beside` it."""
        name = portable_name(prefix + entry.name)
        try:
            if kind in MOVING and belongs(entry.name, entry.path, beside):
                self._found.live_videos.add(name)
            elif kind in VIDEO_EXTENSIONS:
                self._add(Photo(name, entry.path, is_video=True), entry, inodes)
            else:
                self._found.other_files += 1
        except OSError as error:
            self._found.add_error(entry.path, error)

    def _add_away(self, prefix: str, away: list[tuple[str, str]], here: set[str]) -> None:
        """Note the pictures that are only in a cloud, by their placeholders."""
        for name, service in away:
            if extension(name) in _PICTURES and name not in here and not self._excluded(prefix + name):
                self._found.away[portable_name(prefix + name)] = service

    def _begins_like_a_picture(self, path: str) -> bool:
        """Tell by the first bytes. A file without permission to read is not a photo."""
        try:
            with open(path, "rb") as file:
                return kind_of(file.read(32)) == PICTURE
        except (PermissionError, FileNotFoundError):
            return False
        except OSError as error:
            self._found.add_error(path, error)
            return False

    def _add(self, photo: Photo, entry: os.DirEntry[str], inodes: Inodes) -> None:
        """Take a photo; a link waits until all real files are known."""
        if entry.is_symlink():
            self._links.append(photo)
        else:
            self.taken.add(photo, entry.inode(), inodes)

    def _add_link(self, photo: Photo) -> None:
        try:
            target = os.path.realpath(photo.path)
            folder = os.stat(os.path.dirname(target))
            prefix = self._prefixes.get((folder.st_dev, folder.st_ino))
            name = None if prefix is None else portable_name(prefix + os.path.basename(target))
            self.taken.add_link(photo, target, name)
        except OSError as error:
            self._found.add_error(photo.path, error)
