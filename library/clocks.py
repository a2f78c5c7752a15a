"""Owns which photos were taken with a clock that was never set: it began at an epoch, or at a first of January."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from library.dates import DAY_LONG, DOS_EPOCH, EPOCHS

if TYPE_CHECKING:
    from collections.abc import Sequence

_BEGINNINGS = (DOS_EPOCH, *(datetime(year, 1, 1) for year in (2000, 2001, 2007, 2008)))  # noqa: DTZ001
"""What cameras start from without a battery, to the second; a year's first hour is also when fireworks are."""
_FIRST_PHOTO = timedelta(hours=1)
_PAUSE = timedelta(days=2)
"""The run ends at a longer pause: from then on the clock may have been set."""


class Clock(NamedTuple):
    """The time that a photo's clock showed, naive; of a camera if that is known, else of any in the folder.

    `is_sure`: the photo knows its place, and who receives satellites has their time.
    """

    camera: str
    folder: str
    at: datetime
    is_sure: bool = False


def never_set(clocks: Sequence[Clock | None]) -> list[int]:
    """Return which of the photos have a clock that was never set.

    Such a run of photos starts where clocks start, and nothing of the same camera comes shortly before. No camera starts from
    a time after it was made: what comes after other photos of the camera is a New Year's night.
    """
    owned: dict[tuple[bool, str], list[int]] = defaultdict(list)
    for place, clock in enumerate(clocks):
        if clock:
            owned[bool(clock.camera), clock.camera or clock.folder].append(place)
    found = []
    for (has_camera, _), places in owned.items():
        for run in _runs(sorted(places, key=lambda place: clocks[place].at), clocks):  # type: ignore[union-attr]
            if _begins(clocks[run[0]].at) and not any(clocks[place].is_sure for place in run):  # type: ignore[union-attr]
                found += run
            elif has_camera:
                break
    return found


def _runs(places: Sequence[int], clocks: Sequence[Clock | None]) -> list[list[int]]:
    runs: list[list[int]] = []
    for place in places:
        if runs and clocks[place].at - clocks[runs[-1][-1]].at <= _PAUSE:  # type: ignore[union-attr]
            runs[-1].append(place)
        else:
            runs.append([place])
    return runs


def _begins(at: datetime) -> bool:
    """Tell whether a clock that was never set can show this soon after its start."""
    return any(abs(at - epoch) <= DAY_LONG for epoch in EPOCHS) or any(
        timedelta(0) <= at - beginning < _FIRST_PHOTO for beginning in _BEGINNINGS
    )
