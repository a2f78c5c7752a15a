"""Owns when and where a photo was taken, and which source wins. Local only: none of it goes to a caption backend.

Best first: the photo's own EXIF, XMP, IPTC and PNG text; an XMP sidecar; Google Takeout's JSON; the name of the file; the
names of its folders; and last the file's own date. A source that counts less still wins if it says the same but more of
it. Nothing raises: what cannot be read, or cannot be true, counts as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from library.clocks import Clock, never_set
from library.dated_names import date_of_folders, date_of_name
from library.dates import DAY_LONG, Date, Precision, is_epoch, is_possible
from library.embedded import read_embedded
from library.sidecars import Sidecars

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from library.places import Place
    from library.walk import Photo

Source = Literal["exif", "xmp", "iptc", "png", "sidecar", "takeout", "name", "folder", "file", ""]

_NAMES: Mapping[Source, Callable[[str], Date | None]] = {"name": date_of_name, "folder": date_of_folders}


@dataclass(frozen=True, slots=True)
class Moment:
    """When and where a photo was taken.

    `at` is the local time of the place, with a `tzinfo` (a fixed offset) if that is known, else naive; `precision` is how much of
    it is known, the rest being the first of what it can be. `source` says where it comes from: "file" is the file's own date,
    which is usually the copy date; empty without a date. `place` is (latitude, longitude) in degrees.

    `camera` is its maker and model. `unset` is the time of a clock that was never set, if only that is known; then `at` is the
    file's date at most.
    """

    at: datetime | None = None
    source: Source = ""
    place: Place | None = None
    precision: Precision = "second"
    camera: str = ""
    unset: datetime | None = None

    @property
    def date(self) -> Date | None:
        """What is known of the time of taking; the file's own date is not."""
        return Date(self.at, self.precision) if self.at and self.source != "file" else None

    @property
    def is_exact(self) -> bool:
        """Whether the time of taking is known to the second."""
        return bool(self.at) and self.source != "file" and self.precision == "second"


def read_moment(data: bytes) -> Moment:
    """Return when and where a photo was taken, as far as its bytes can be read."""
    said = read_embedded(data)
    at, precision = said.date or (None, "second")
    return Moment(at, said.source, said.place, precision, said.camera, said.unset)


def file_moment(mtime: float) -> Moment:
    """Return the file's own date, `mtime` in seconds since 1970, as the last resort.

    It is in this machine's local time, without an offset, because it is compared with local times of cameras. The local
    time where the photo was taken is not known.
    """
    try:
        at = datetime.fromtimestamp(mtime)  # noqa: DTZ006
    except (OverflowError, ValueError, OSError):
        return Moment()
    return Moment(at, "file") if is_possible(at) and not is_epoch(Date(at)) else Moment()


def find_moments(photos: Sequence[Photo], inside: Sequence[Moment], mtimes: Sequence[float]) -> list[Moment]:
    """Return when and where each photo was taken, by all that is known of it.

    Args:
        photos: whose names and neighbours are looked at.
        inside: what `read_moment` found in each.
        mtimes: each file's own date, in seconds since 1970.
    """
    sidecars = Sidecars()
    found = [_best(photo, own, sidecars) for photo, own in zip(photos, inside, strict=True)]
    clocks = list(map(_clock, photos, inside, found))
    for place in never_set(clocks):
        clock = clocks[place]
        found[place] = _best(photos[place], inside[place], sidecars, clock.at if clock else None)
    return [
        moment if moment.date else replace(file_moment(mtime), place=moment.place, unset=moment.unset)
        for moment, mtime in zip(found, mtimes, strict=True)
    ]


def _best(photo: Photo, own: Moment, sidecars: Sidecars, unset: datetime | None = None) -> Moment:
    """Return the best of what is known of a photo; what only repeats the time of an unset clock does not count."""
    unset = unset or own.unset
    moment = _joined(Moment(), own.source, own.date, own.place, unset)
    if not (moment.is_exact and moment.place):
        for beside in sidecars.of(photo.path):
            moment = _joined(moment, *beside, unset)
    for source, read in _NAMES.items():
        if not moment.is_exact:
            moment = _joined(moment, source, read(photo.rel_path), None, unset)
    return moment if moment.date else replace(moment, unset=unset)


def _joined(
    moment: Moment, source: Source, date: Date | None, place: Place | None, unset: datetime | None
) -> Moment:
    """Return a moment with what a source says that counts less than those before."""
    if (
        date
        and unset
        and date.at.replace(tzinfo=None) - DAY_LONG <= unset < date.end.replace(tzinfo=None) + DAY_LONG
    ):
        date = None
    if place and not moment.place:
        moment = replace(moment, place=place)
    if date and (moment.date is None or moment.date.is_refined_by(date)):
        moment = replace(moment, at=date.at, precision=date.precision, source=source)
    return moment


def _clock(photo: Photo, own: Moment, best: Moment) -> Clock | None:
    """Return what a clock showed when the photo was taken; None where no clock spoke."""
    at = own.unset or (best.at if best.is_exact else None)
    if not at:
        return None
    is_sure = bool(own.place and not own.unset)
    return Clock(own.camera, photo.rel_path.rpartition("/")[0], at.replace(tzinfo=None), is_sure)
