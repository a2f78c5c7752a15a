"""Owns what the page shows of a photo: its thumbnail, a preview where a browser cannot show the file, its moment.

    OUT_DIR/cluster_report_files/thumbnails/3f/3f0a...c2.jpg     travels with the page, so it holds no name and no metadata
    OUT_DIR/cluster_report_files/previews/3f/3f0a...c2.jpg
    CACHE/pictures.index                                         stays: it knows where the photos were taken

A file is named by the hash of its photo's rel_path, size and mtime. It is written aside and renamed, nothing is synced: one
of another length than the index says is made again. The index is a line that names its format, then a line a photo: the
CRC-32 of what follows, and JSON. It is disposable: what is damaged or missing is made again.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from io import BytesIO
from typing import TYPE_CHECKING, TextIO
from zlib import crc32

from errors import CorruptImageError, StopRunError, UnavailableImageError
from library.moments import Moment, find_moments
from report.naming.naming import counted
from report.photos import each_photo, photo_key
from report.sharpness import sharpness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from PIL.Image import Image

    from decoding.decoder import Decoder
    from library.walk import Photo
    from report.vectors.cache import Key

FOLDER = "cluster_report_files"
"""Beside the page, and to be moved with it."""
THUMBNAIL, PREVIEW = 256, 1024
"""Pixels on the longer side at most."""

_THUMBNAILS, _PREVIEWS = "thumbnails", "previews"
_QUALITY = 80
"""With colours at half size (4:2:0) 12 kB a thumbnail and 100 a preview; `optimize` would save 4 % and double the time."""
_OURS = re.compile(r"([0-9a-f]{2})[0-9a-f]{18}\.jpg(\.tmp)?")
_INDEX = "pictures.index"
_FORMAT = "cluster_report pictures 3"
"""Another number when more is read from a photo: then each is looked at once more."""
# What browsers show, by the first bytes: JPEG, PNG, GIF, BMP, ICO. WebP and AVIF have theirs further on.
_SHOWN = (b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"BM", b"\0\0\1\0")
_HEAD_BYTES = 12

_log = logging.getLogger("captioner.report")


@dataclass(frozen=True, slots=True)
class Picture:
    """What is there to show of one file.

    `thumbnail` (at most 256 pixels a side) and `preview` (at most 1024) are paths relative to the report's folder, with
    `/`; None where there is no picture, and `preview` also where a browser can show the file itself. `size` is the thumbnail's
    (width, height) in pixels, and `sharpness` its own, 0 where it is not known.
    """

    thumbnail: str | None = None
    preview: str | None = None
    size: tuple[int, int] | None = None
    moment: Moment = field(default_factory=Moment)
    sharpness: float = 0.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What the index remembers of a photo.

    Attributes:
        moment: by what is in the file.
        size: of the thumbnail, None where there is no picture, for `reason`.
        thumbnail: bytes, 0 for none; `preview` too.
    """

    moment: Moment = field(default_factory=Moment)
    size: tuple[int, int] | None = None
    thumbnail: int = 0
    preview: int = 0
    reason: str = ""
    sharpness: float = 0.0


def make_pictures(
    photos: Sequence[Photo],
    out_dir: Path,
    cache: Path,
    *,
    stop: threading.Event | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> list[Picture]:
    """Return what there is to show of every photo, in their order: found in `out_dir`, or made and put there.

    What `is_video` is not opened. What lies beside the photos is read each time. Thumbnails and previews that belong to none of the
    photos are removed. `progress` is told how many more photos are done: first, once, those that need no work. After `stop` is
    set it returns within a photo a core; those that were not reached have no thumbnail and no date of their own, and nothing
    is removed.

    Raises:
        StopRunError: `out_dir` cannot be written, or too many photos in a row could not be read.
    """
    stop = stop or threading.Event()
    keys = [photo_key(photo) for photo in photos]
    folder = out_dir / FOLDER
    there = {kind: _files(folder / kind) for kind in (_THUMBNAILS, _PREVIEWS)}
    past = _remembered(cache / _INDEX)
    known = {key: past[key] for key in keys if key in past and _is_there(key, past[key], there)}
    to_do = [
        (photo, key)
        for photo, key in zip(photos, keys, strict=True)
        if not photo.is_video and (key is None or key not in known)
    ]
    progress(len(photos) - len(to_do))
    look = each_photo(to_do, lambda decoder, item: _made(decoder, *item, folder), PREVIEW, stop)
    with closing(_Index(cache / _INDEX, known)) as index, closing(look) as results:
        for (_, key), made in results:
            if isinstance(made, _Known) and key:
                known[key] = made
                index.add(key, made)
            progress(1)
    if not stop.is_set() and None not in keys:  # a photo that could not be looked at now keeps what it has
        _remove_others(folder, there, keys)
    found = {key: known.get(key) or _Known() for key in keys if key}
    moments = find_moments(
        [photo for photo, key in zip(photos, keys, strict=True) if key],
        [one.moment for one in found.values()],
        [mtime / 1e9 for _, _, mtime in found],
    )
    shown = {
        key: _picture(key, one, moment) for (key, one), moment in zip(found.items(), moments, strict=True)
    }
    return [shown[key] if key else Picture() for key in keys]


def _remove_others(folder: Path, there: Mapping[str, Mapping[str, int]], keys: Iterable[Key | None]) -> None:
    wanted = {_name(key) for key in keys if key}
    for kind, names in there.items():
        for name in names.keys() - wanted:
            with suppress(OSError):  # gone, or not to be changed: it does no harm
                os.unlink(_path(folder / kind, name))


def disk_cost(out_dir: Path) -> str:
    """Return the sentence that says how many thumbnails and previews lie in the report's folder, and their bytes."""
    thumbnails, previews = (_files(out_dir / FOLDER / kind).values() for kind in (_THUMBNAILS, _PREVIEWS))
    line = f"{counted(len(thumbnails), 'thumbnail')} ({_size(sum(thumbnails))})"
    if previews:
        line += f", {counted(len(previews), 'preview')} of formats that browsers cannot show ({_size(sum(previews))})"
    return f"{line}."


def _made(decoder: Decoder, photo: Photo, key: Key | None, folder: Path) -> _Known | CorruptImageError:
    """Make the files of one photo; return why there are none where that may be otherwise next time."""
    try:
        with open(photo.path, "rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:  # decoding will explain it
        head = b""
    picture, moment = decoder.look(photo.path, THUMBNAIL if _browsers_show(head) else PREVIEW)
    moment = moment or Moment()
    if isinstance(picture, CorruptImageError):
        # A file that could not be opened even for its head lacks rights, or is gone: no fault of the photo's.
        lasts = head and not isinstance(picture, UnavailableImageError)
        return _Known(moment, reason=picture.reason) if lasts else picture
    if key is None:
        return UnavailableImageError(photo.path, "it was not there a moment ago")
    name = _name(key)
    preview = 0
    if not _browsers_show(head):
        preview = _write(folder / _PREVIEWS, name, picture)
        picture.thumbnail((THUMBNAIL, THUMBNAIL))
    thumbnail = _write(folder / _THUMBNAILS, name, picture)
    return _Known(moment, picture.size, thumbnail, preview, sharpness=sharpness(picture))


def _browsers_show(head: bytes) -> bool:
    return head.startswith(_SHOWN) or head[8:] == b"WEBP" or head[4:] in {b"ftypavif", b"ftypavis"}


def _name(key: Key) -> str:
    """Return the name of a photo's files: says nothing of the photo, and one of another content gets another."""
    return sha256(json.dumps(key).encode()).hexdigest()[:20] + ".jpg"


def _path(folder: Path, name: str) -> str:
    return os.path.join(folder, name[:2], name)


def _write(folder: Path, name: str, picture: Image) -> int:
    """Write the picture as JPEG, whole or not at all; return its bytes."""
    packed = BytesIO()
    picture.save(packed, "JPEG", quality=_QUALITY)
    path = _path(folder, name)
    aside = f"{path}.tmp"
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(aside, "wb") as file:
            file.write(packed.getbuffer())
        os.replace(aside, path)
    except OSError as error:
        with suppress(OSError):
            os.unlink(aside)
        raise StopRunError(
            f"{path} cannot be written ({error.strerror or error}); the thumbnails made so far are kept: free the "
            "disk, or give another --out-dir."
        ) from None
    return len(packed.getbuffer())


def _files(folder: Path) -> dict[str, int]:
    """Return the bytes of each file in the folder that bears a name of our own, by that name."""
    found = {}
    with suppress(OSError), os.scandir(folder) as parts:
        for part in parts:
            if not part.is_dir(follow_symlinks=False):
                continue
            with suppress(OSError), os.scandir(part) as files:
                for file in files:
                    ours = _OURS.fullmatch(file.name)
                    if ours and ours[1] == part.name and file.is_file(follow_symlinks=False):
                        found[file.name] = file.stat(follow_symlinks=False).st_size
    return found


def _is_there(key: Key, known: _Known, there: Mapping[str, Mapping[str, int]]) -> bool:
    name, sizes = _name(key), {_THUMBNAILS: known.thumbnail, _PREVIEWS: known.preview}
    return all(there[kind].get(name) == size for kind, size in sizes.items() if size)


def _picture(key: Key, known: _Known, moment: Moment) -> Picture:
    name = _name(key)

    def link(kind: str, size: int) -> str | None:
        return f"{FOLDER}/{kind}/{name[:2]}/{name}" if size else None

    return Picture(
        link(_THUMBNAILS, known.thumbnail),
        link(_PREVIEWS, known.preview),
        known.size,
        moment,
        known.sharpness,
    )


def _remembered(index: Path) -> dict[Key, _Known]:
    """Return what was known after the last run."""
    with suppress(OSError):
        first, *lines = index.read_bytes().split(b"\n")
        if first == _FORMAT.encode():
            return dict(filter(None, map(_parsed, lines)))
    return {}


class _Index:
    """What the next run will remember. Trouble with the disk costs the index, never the run: it is said once."""

    def __init__(self, path: Path, known: Mapping[Key, _Known]) -> None:
        """Start over with what is still known, so that torn lines and photos that are gone leave."""
        self._path = path
        self._file: TextIO | None = None
        aside = path.with_name(f"{path.name}.tmp")
        try:
            aside.parent.mkdir(parents=True, exist_ok=True)
            with aside.open("w", encoding="ascii") as file:
                file.writelines([f"{_FORMAT}\n", *(_line(key, one) for key, one in known.items())])
            os.replace(aside, path)
            self._file = path.open("a", buffering=1, encoding="ascii")  # a kill loses no line
        except OSError as error:
            with suppress(OSError):
                aside.unlink()
            self._give_up(error)

    def add(self, key: Key, known: _Known) -> None:
        try:
            if self._file:
                self._file.write(_line(key, known))
        except OSError as error:
            self._give_up(error)

    def close(self) -> None:
        if self._file:
            with suppress(OSError):
                self._file.close()
        self._file = None

    def _give_up(self, error: OSError) -> None:
        self.close()
        _log.warning(
            f"{self._path} cannot be written ({error.strerror}): the next report makes thumbnails again."
        )


def _line(key: Key, known: _Known) -> str:
    moment = known.moment
    at, unset = (time and time.isoformat() for time in (moment.at, moment.unset))
    said = (at, moment.source, moment.place, moment.precision, moment.camera, unset)
    text = json.dumps([*key, said, known.size, known.thumbnail, known.preview, known.reason, known.sharpness])
    return f"{crc32(text.encode()):08x} {text}\n"


def _parsed(line: bytes) -> tuple[Key, _Known] | None:
    """Return what a line says; None if it is damaged."""
    with suppress(ValueError, TypeError):
        checksum, _, text = line.partition(b" ")
        if int(checksum, 16) == crc32(text):
            rel_path, size, mtime, said, thumbnail_size, *rest = json.loads(text)
            at, source, place, precision, camera, unset = said
            at, unset = (time and datetime.fromisoformat(time) for time in (at, unset))
            moment = Moment(at, source, tuple(place) if place else None, precision, camera, unset)
            side = tuple(thumbnail_size) if thumbnail_size else None
            return (rel_path, size, mtime), _Known(moment, side, *rest)
    return None


def _size(number: int) -> str:
    """Spell a number of bytes for people."""
    return f"{number / 1e9:,.1f} GB" if number >= 1e8 else f"{number / 1e6:,.1f} MB"
