"""Owns the names of places: the town, region and country of a point, offline, from GeoNames (CC BY 4.0) by `reverse_geocode`."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from errors import PackagesError
from report.time.order import Floats, distances

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_SIZES = ((200_000, 15.0), (20_000, 8.0), (0, 100.0))
"""A town of that size gives the name within that distance (km): in Lisbon the nearest is one of its quarters. Where even
the last is farther, it is open sea."""


class Town(NamedTuple):
    """The names of a place; the region is empty where it has none that differs."""

    name: str
    region: str
    country: str

    def line(self) -> str:
        return ", ".join(filter(None, self))


def towns(points: Floats) -> list[Town | None]:
    """Return the town of each point.

    Args:
        points: (n, 2) latitude and longitude in degrees; NaN where there are none.

    Raises:
        PackagesError: the names are not installed.
    """
    known = np.flatnonzero(~np.isnan(points[:, 0]))
    named: list[Town | None] = [None] * len(points)
    if not len(known):
        return named
    spots, place = np.unique(points[known].round(2), axis=0, return_inverse=True)
    found = _search(spots)
    for photo, spot in zip(known.tolist(), place.ravel().tolist(), strict=True):
        named[photo] = found[spot]
    return named


def name_of(counts: Counter[Town]) -> str:
    """Name what is counted by town: by one town or two, by its region or its country, whatever covers most of it."""
    whole = counts.total()
    if not whole:
        return ""
    names, regions, countries = Counter[str](), Counter[str](), Counter[str]()
    for town, number in counts.items():
        names[town.name] += number
        regions[town.region] += number
        countries[town.country] += number
    regions.pop("", None)
    best, two = names.most_common(2)[0], names.most_common(2)
    region, country = regions.most_common(1), countries.most_common(2)
    if 2 * best[1] > whole:
        return best[0]
    if region and 5 * region[0][1] >= 4 * whole:
        return region[0][0]
    if 3 * sum(number for _, number in two) >= 2 * whole:
        return " and ".join(name for name, _ in two)
    return " and ".join(name for name, number in country if 4 * number >= whole)


def _search(spots: Floats) -> list[Town | None]:
    """Return the town of each spot, which is a point to a kilometre."""
    try:
        from reverse_geocode import search
    except ImportError as error:
        raise PackagesError(
            f"The names of places need a package that is not installed (reverse_geocode: {error}).",
            extra="report-core",
        ) from None
    found: list[Town | None] = [None] * len(spots)
    open_ = np.arange(len(spots))
    for people, far in _SIZES:
        answers: Sequence[Mapping[str, str | float]] = search(spots[open_].tolist(), people)
        there = np.array([(answer["latitude"], answer["longitude"]) for answer in answers], np.float64)
        near = distances(spots[open_], there) <= far
        for spot, answer, is_near in zip(open_.tolist(), answers, near, strict=True):
            if is_near:
                name, region = str(answer["city"]), str(answer.get("state", ""))
                found[spot] = Town(name, "" if region == name else region, str(answer["country"]))
        open_ = open_[~near]
        if not len(open_):
            break
    return found
