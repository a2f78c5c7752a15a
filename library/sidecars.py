"""Owns what files beside a photo say of when and where it was taken: XMP sidecars, and the JSON of Google Takeout.

A folder is listed once. A sidecar is read each time, so that one that came later, or was changed, counts. Takeout names the
JSON of `IMG.jpg` `IMG.jpg.json` or `IMG.jpg.supplemental-metadata.json`; it cuts these names (most often to 46 letters
before `.json`, at any letter), puts the number of `IMG(1).jpg` behind the whole, sometimes leaves the extension out, and
gives edited copies (`IMG-edited.jpg`, in the language of the account) and the film of a photo no JSON of their own.
See simulot/immich-go 652, 674, 698, 756 and 1419, and ente-io/ente 4956.
"""

from __future__ import annotations

import json
import os
import re
import stat
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from library.dates import date_of_instant
from library.places import place_of
from library.walk import folded
from library.xmp import MOST_BYTES, read_xmp

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from library.dates import Date
    from library.places import Place

_FOLDERS = 64
"""Listings that are remembered; photos come folder by folder."""
_MARK = "supplemental-metadata"
_NUMBERED = re.compile(r"(.*)\((\d{1,4})\)", re.DOTALL)
_EXTENSION = re.compile(r"\.\w{0,5}")
_EDITED = re.compile(r"(.+)-[^\W\d_][^\d]*", re.DOTALL)
"""An edited copy: `-edited`, `-bearbeitet`, `-ha editado`, `-\u7de8\u96c6\u6e08\u307f`, or the beginning of one."""
_CUT = range(40, 52)
"""Letters, or bytes, of a name that may be cut."""


class Beside(NamedTuple):
    """What one sidecar says."""

    source: Literal["sidecar", "takeout"]
    date: Date | None
    place: Place | None


_Key = tuple[str, str]
"""A name without regard to case, and its number: (`img.jpg`, `1`)."""


class _Folder(NamedTuple):
    """The sidecars of one folder: XMP by the name before `.xmp`; JSON by the name it is of, and by that without extension."""

    xmp: Mapping[str, str]
    takeout: Mapping[_Key, str]
    by_stem: Mapping[_Key, str]


class Sidecars:
    """Finds and reads the files beside photos. Nothing in them raises."""

    def __init__(self) -> None:
        self._folder = lru_cache(_FOLDERS)(_listed)

    def of(self, path: str) -> Iterator[Beside]:
        """Yield what the sidecars of a photo say: XMP first, then Takeout's."""
        folder, name = os.path.split(path)
        there = self._folder(folder)
        whole = folded(name)
        if there.xmp:
            for key in (whole, os.path.splitext(whole)[0]):
                if key in there.xmp:
                    yield Beside("sidecar", *read_xmp(_content(os.path.join(folder, there.xmp[key]))))
        if there.takeout and (found := _takeout_name(there, whole)):
            yield Beside("takeout", *_read_takeout(_content(os.path.join(folder, found))))


def _listed(folder: str) -> _Folder:
    there = _Folder({}, {}, {})
    with suppress(OSError, ValueError), os.scandir(folder or ".") as scan:
        for name in sorted(entry.name for entry in scan):
            kind = name[-5:].lower()
            if kind.endswith(".xmp"):
                there.xmp.setdefault(folded(name[:-4]), name)  # type: ignore[attr-defined]
            elif kind == ".json":
                key = _of_json(folded(name[:-5]))
                there.takeout.setdefault(key, name)  # type: ignore[attr-defined]
                there.by_stem.setdefault((_stem(key[0]), key[1]), name)  # type: ignore[attr-defined]
    return there


def _of_json(name: str) -> _Key:
    """Return which photo a JSON is of, by its name without `.json`."""
    name, number = _unnumbered(name)
    base, dot, rest = name.rpartition(".")
    return (base if dot and _MARK.startswith(rest) else name), number


def _unnumbered(name: str) -> _Key:
    found = _NUMBERED.fullmatch(name)
    return (found[1], found[2]) if found else (name, "")


def _stem(name: str) -> str:
    base, _, rest = name.rpartition(".")
    return base if base and _EXTENSION.fullmatch(f".{rest}") else name


def _takeout_name(there: _Folder, name: str) -> str | None:
    """Return the name of the JSON that belongs to a photo; the exact spellings before those that only may be its."""
    stem, extension = os.path.splitext(name)
    stem, number = _unnumbered(stem)
    whole = stem + extension
    edited = _EDITED.fullmatch(stem)
    keys = [(name, ""), (whole, number), *_cut(whole, number), (stem, number)]
    stems = [(stem, number)]
    # `IMG(1).jpg` has nothing of `IMG.jpg`; but an edited or a cut name may have lost its number.
    numbers = dict.fromkeys((number, ""))
    if edited:
        keys += [
            key
            for one in numbers
            for key in ((edited[1] + extension, one), *_cut(edited[1] + extension, one))
        ]
        stems += [(edited[1], one) for one in numbers]
    keys += _cut(whole, "")
    found = next((there.takeout[key] for key in keys if key in there.takeout), None)
    return found or next((there.by_stem[key] for key in stems if key in there.by_stem), None)


def _cut(name: str, number: str) -> Iterator[_Key]:
    """Yield what a long name may have been cut to, the longest first."""
    for end in range(len(name) - 1, 0, -1):
        if len(name[:end]) in _CUT or len(os.fsencode(name[:end])) in _CUT:
            yield name[:end], number


def _read_takeout(content: bytes) -> tuple[Date | None, Place | None]:
    """Return when and where Google says that the photo was taken; where is none at zero and zero."""
    date = place = None
    # Whatever stands in a file of that name: no dictionary, a depth without end, numbers beyond all measure.
    with suppress(Exception):
        said = json.loads(content)
        with suppress(Exception):
            date = date_of_instant(float(said["photoTakenTime"]["timestamp"]))
        for key in ("geoData", "geoDataExif"):
            with suppress(Exception):
                place = place or place_of(float(said[key]["latitude"]), float(said[key]["longitude"]))
    return date, place


def _content(path: str) -> bytes:
    """Return what is in a file; nothing of one that is too large, or no file, or cannot be read."""
    with suppress(OSError):
        # A pipe of that name must not be waited for.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with open(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if stat.S_ISREG(status.st_mode) and status.st_size <= MOST_BYTES:
                return file.read(MOST_BYTES)
    return b""
