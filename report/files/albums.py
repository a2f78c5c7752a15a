"""Owns the folders of links that show groups, events and trips in any photo viewer. Never touches a photo, nor what is not its own.

    DIR/clusters/A dog on a beach/IMG_0502.jpg -> /photos/2019/IMG_0502.jpg
    DIR/events/2019-07-12 beach, tent/IMG_0502.jpg -> /photos/2019/IMG_0502.jpg
    DIR/trips/2019-07-10 Lisbon/IMG_0502.jpg -> /photos/2019/IMG_0502.jpg
    DIR/found/red kayak/IMG_0502.jpg -> /photos/2019/IMG_0502.jpg

An album is named by its heading, without a count: it must not get another name because a photo arrives. The links are
absolute: albums are moved about on the machine more often than photos are, and where the photos went the next run leads.

`.albums.json` holds what was made here: the folders, and each link with its target. What is gone from the report is
removed first, then the list of what there will be is written, then the links are made. So a run that is killed leaves
no link that the next one does not know. A file, a folder or a link to elsewhere in the place of a link is left alone.
"""

from __future__ import annotations

import errno
import json
import os
import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from errors import StopRunError
from library.walk import folded
from report.files.table import replaced
from report.naming.naming import one_line, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from pathlib import Path

    from report.events import Event
    from report.files.table import Row
    from report.time.trips import Trip

MANIFEST = ".albums.json"
_CLUSTERS, _EVENTS, _TRIPS, _FOUND = "clusters", "events", "trips", "found"
_TOPS = {_CLUSTERS, _EVENTS, _TRIPS, _FOUND, "chunks"}
"""Folders of albums; the last is what 0.1 called events, so that its links are removed."""
_VERSION = 1
_FLAG = "--export-albums"
_ALBUM_LENGTH = 100
_NAME_BYTES = 255
_EXTENSION_LENGTH = 10
"""A longer one is none: what is cut to make room for a number is the name."""
_UNSAFE = re.compile(r'[\\/:*?"<>|]')
"""What Windows and its file systems refuse; a photo viewer on another machine may look at the folder."""
_RESERVED = re.compile(r"(con|prn|aux|nul|(com|lpt)[0-9\u00b9\u00b2\u00b3])(\..*)?", re.IGNORECASE)
_NAME = re.compile(r"(?!\.{1,2}\Z)[^/\0]+")
_ALBUM = re.compile(f"(?:{'|'.join(sorted(_TOPS))})/{_NAME.pattern}")
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}

_Links = dict[str, dict[str, str]]
"""Of each album, as `clusters/A dog`, the names of its links and where they lead."""


@dataclass(frozen=True, slots=True)
class Albums:
    """What an export came to: its albums and links, how many it made and removed now, and places it left to others."""

    albums: int
    links: int
    made: int
    removed: int
    foreign: int

    def line(self) -> str:
        line = (
            f"{self.albums:,} albums with {self.links:,} links ({self.made:,} made, {self.removed:,} removed)"
        )
        if self.foreign:
            line += f"; {self.foreign:,} links are missing, because something else has their name, which was left alone"
        return f"{line}."


@dataclass(slots=True)
class _Made:
    """What this program made in the folder: the links, and the folders in the order of their making."""

    links: _Links
    folders: list[str]


def export_albums(
    folder: Path,
    rows: Sequence[Row],
    photos: Mapping[str, str],
    events: Sequence[Event] = (),
    trips: Sequence[Trip] = (),
    *,
    hidden: Container[int] = (),
) -> Albums:
    """Bring the links in `folder` up to date: an album for each cluster, for the unclustered, for each event and each trip.

    Args:
        folder: where to; made if its parent is there. What else is in it stays.
        rows: of all files; those without a place are in no cluster's album.
        photos: the absolute path of each file by its `rel_path`; rows of others get no link.
        events: those of the rows.
        trips: those of the events.
        hidden: the ids of groups that get no album, because people hid them.

    Raises:
        StopRunError: the folder cannot be written, its disk knows no links, or its list of links is damaged.
    """

    def wanted(before: _Links) -> _Links:
        there = [row for row in rows if row.rel_path in photos]
        return _wanted(there, photos, events, trips, hidden) | _below(before, _FOUND)

    return _brought_up_to_date(folder, wanted, _FLAG)


def export_found(folder: Path, title: str, photos: Iterable[str], flag: str) -> Albums:
    """Bring the links to what was found in `folder` up to date; the albums of reports and of other titles stay.

    Args:
        folder: where to, as for `export_albums`.
        title: what was asked for.
        photos: their absolute paths.
        flag: what has named the folder.

    Raises:
        StopRunError: as `export_albums`.
    """
    album = {f"{_FOUND}/{safe_name(title)}": _album(photos)}
    return _brought_up_to_date(folder, lambda before: before | album, flag)


def _below(links: _Links, top: str) -> _Links:
    return {album: inside for album, inside in links.items() if album.startswith(f"{top}/")}


def _brought_up_to_date(folder: Path, wanted_after: Callable[[_Links], _Links], flag: str) -> Albums:
    """Make the folder hold what is wanted; that may depend on what earlier runs made."""
    try:
        folder.mkdir(exist_ok=True)
        before = _read(folder / MANIFEST, flag)
        wanted = wanted_after(before.links)
        removed = _remove(folder, before, wanted)
        plan, foreign = _planned(folder, before, wanted)
        _write(folder / MANIFEST, plan, flag)
        made, lost = _make(folder, before, plan)
    except OSError as error:
        raise StopRunError(_sentence(folder, error, flag)) from None
    if lost:
        _write(folder / MANIFEST, plan, flag)
    links = sum(map(len, plan.links.values()))
    return Albums(sum(map(bool, plan.links.values())), links, made, removed, foreign + lost)


def safe_name(text: str, length: int = _ALBUM_LENGTH) -> str:
    """Return a text as a name of a file that every file system takes, at most `length` characters and 255 bytes long."""
    name = shorten(_UNSAFE.sub("-", one_line(text)).strip(". "), length)
    name = _at_most(name, _NAME_BYTES - 1).rstrip(". ")
    return f"_{name}" if not name or _RESERVED.fullmatch(name) else name


class _Names:
    """Gives names that no file system takes for one another: not by case, nor by how an accent is spelled."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._numbers: Counter[str] = Counter()

    def unlike(self, stem: str, extension: str = "") -> str:
        """Return `stem` and `extension`, with a number between them where another has that name."""
        name = stem + extension
        while (key := folded(name)) in self._taken:
            number = self._numbers[folded(stem + extension)] = self._numbers[folded(stem + extension)] + 1
            ending = f" ({number + 1}){extension}"
            name = _at_most(stem, _NAME_BYTES - len(os.fsencode(ending))) + ending
        self._taken.add(key)
        return name


def _at_most(name: str, size: int) -> str:
    """Cut a name to a number of bytes, never inside a character."""
    while len(os.fsencode(name)) > size:
        name = name[:-1]
    return name


def _wanted(
    rows: Sequence[Row],
    photos: Mapping[str, str],
    events: Sequence[Event],
    trips: Sequence[Trip],
    hidden: Container[int],
) -> _Links:
    """Return all links that there should be."""
    clusters: dict[int, list[Row]] = {}
    by_event: dict[int, list[Row]] = {event.id: [] for event in events}
    for row in rows:
        if row.cluster_id is not None and row.cluster_id not in hidden:
            clusters.setdefault(row.cluster_id, []).append(row)
        if row.event_id in by_event:
            by_event[row.event_id].append(row)
    albums = [(_CLUSTERS, inside[0].cluster_label, inside) for _, inside in sorted(clusters.items())]
    albums += [(_EVENTS, _dated(event), by_event[event.id]) for event in events if by_event[event.id]]
    for trip in trips:
        title = f"{trip.start:%Y-%m-%d} {trip.name}".rstrip()
        inside = [row for event in trip.events for row in by_event[event]]
        albums += [(_TRIPS, title, inside)] if inside else []
    names = {top: _Names() for top in (_CLUSTERS, _EVENTS, _TRIPS)}
    return {
        f"{top}/{names[top].unlike(safe_name(title))}": _album(photos[row.rel_path] for row in inside)
        for top, title, inside in albums
    }


def _dated(event: Event) -> str:
    """Return the name of an event's album, which a viewer sorts by date."""
    words = ", ".join(filter(None, (event.place, *event.terms[:3])))
    return f"{event.start:%Y-%m-%d} {words}" if event.start else event.title


def _album(targets: Iterable[str]) -> dict[str, str]:
    names = _Names()
    links = {}
    for target in targets:
        name = os.path.basename(target)
        stem, extension = os.path.splitext(name)
        parts = (stem, extension) if len(extension) <= _EXTENSION_LENGTH else (name,)
        links[names.unlike(*parts)] = target
    return links


def _read(path: Path, flag: str) -> _Made:
    """Return what earlier runs made here; refuse what somebody changed: its links could lead a removal anywhere."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return _Made({}, [])
    except UnicodeDecodeError:
        text = ""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        made = json.loads(text)
        links, folders = made["links"], made["folders"]
        albums = [*links, *(name for name in folders if name not in _TOPS)]
        named = (link for album in links.values() for link in album.items())
        sound = all(_NAME.fullmatch(name) and isinstance(target, str) for name, target in named)
        if made["version"] == _VERSION and sound and all(map(_ALBUM.fullmatch, albums)):
            return _Made(links, list(folders))
    raise StopRunError(
        f"{path} is damaged, and without it the program cannot tell which links are its own: give {flag} a new folder."
    )


def _write(path: Path, made: _Made, flag: str) -> None:
    with replaced(path, flag) as new:
        new.write_text(
            json.dumps({"version": _VERSION, "folders": made.folders, "links": made.links}), encoding="ascii"
        )


def _remove(folder: Path, before: _Made, wanted: _Links) -> int:
    """Remove our links that should not be there, or should lead elsewhere, and our folders that are empty then."""
    removed = 0
    for album, links in before.links.items():
        keep = wanted.get(album, {})
        gone = {name: target for name, target in links.items() if keep.get(name) != target}
        if not gone or not _is_folder(folder, album):
            continue
        for name, target in gone.items():
            path = f"{folder}/{album}/{name}"
            if _leads_to(path, target):
                os.unlink(path)
                removed += 1
    needed = wanted.keys() | {album.partition("/")[0] for album in wanted}
    for name in sorted(before.folders, reverse=True):  # what is inside comes first
        if name not in needed and _is_folder(folder, name):
            with suppress(OSError):  # somebody put something into it
                os.rmdir(folder / name)
    return removed


def _planned(folder: Path, before: _Made, wanted: _Links) -> tuple[_Made, int]:
    """Return what will be ours, and in how many places something else is.

    A folder that was here before us is used, and not ours. One that was ours and still holds something stays in the list.
    """
    plan = _Made({}, [name for name in before.folders if _is_folder(folder, name)])
    foreign = 0
    ours = set(plan.folders)
    for album, links in wanted.items():
        top = album.partition("/")[0]
        if any(os.path.lexists(folder / name) and not _is_folder(folder, name) for name in (top, album)):
            foreign += len(links)
            continue
        for name in (top, album):
            if name not in ours and not os.path.lexists(folder / name):
                ours.add(name)
                plan.folders.append(name)
        there = set(os.listdir(folder / album)) if os.path.lexists(folder / album) else set()
        known = before.links.get(album, {})
        plan.links[album] = {
            name: target
            for name, target in links.items()
            if name not in there
            or (known.get(name) == target and _leads_to(f"{folder}/{album}/{name}", target))
        }
        foreign += len(links) - len(plan.links[album])
    return plan, foreign


def _make(folder: Path, before: _Made, plan: _Made) -> tuple[int, int]:
    """Make the folders and links that are not there; return how many links, and how many places turned out to be taken.

    Those are taken out of the plan: a file system without regard to case shows them only now.
    """
    made = lost = 0
    for name in plan.folders:
        if not _is_folder(folder, name):
            os.mkdir(folder / name)
    for album, links in plan.links.items():
        there = set(os.listdir(folder / album)) if album in before.links else set()
        for name, target in list(links.items()):
            if name in there:
                continue
            try:
                os.symlink(target, f"{folder}/{album}/{name}")
                made += 1
            except FileExistsError:
                del links[name]
                lost += 1
    return made, lost


def _is_folder(folder: Path, name: str) -> bool:
    """Tell whether it is a real folder, and lies in one: a link could lead into the photos."""
    top = name.partition("/")[0]
    return all(os.path.isdir(folder / one) and not os.path.islink(folder / one) for one in {top, name})


def _leads_to(path: str, target: str) -> bool:
    try:
        return os.readlink(path) == target
    except OSError:  # no link, or nothing
        return False


def _sentence(folder: Path, error: OSError, flag: str) -> str:
    where = os.fsdecode(error.filename2 or error.filename or folder)
    if error.errno in _NO_LINKS:
        return (
            f"{where} cannot be linked ({error.strerror}): give {flag} a folder on a disk that knows links, which "
            "exFAT and FAT do not."
        )
    return (
        f"{where} cannot be written ({error.strerror or error}): free the disk or get the right to write there, or "
        f"give another {flag}."
    )
