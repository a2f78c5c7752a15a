"""Trips: events on end away from home, named by their towns."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL.ExifTags import GPS
from pyarrow import parquet

from errors import PackagesError
from library.moments import Moment
from report.events import name_events
from report.naming.naming import Label
from report.time.cut import cut
from report.time.home import whereabouts
from report.time.places import towns
from report.time.trips import find_trips
from tests.helpers.dated import BERLIN, photo, put
from tests.helpers.reports import Report, report  # noqa: F401 - a fixture
from tests.helpers.timelines import COAST, HELD_OUT, HOME, KINDS, LISBON, PORTO, Life, made

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from report.events import Event
    from report.time.trips import Trip
    from tests.helpers.dated import Tags

NO_TELLING = {"festival, no GPS", "round trip, no GPS", "sparse years, no GPS", "long weekend, rain, no GPS", "concerts"}  # fmt: skip
"""Lives in which nothing tells a trip from days at home."""


def trips_of(moments: Sequence[Moment]) -> tuple[list[Trip], list[Event]]:
    paths = [f"{number:05}.jpg" for number in range(len(moments))]
    labels = {path: Label("", "none") for path in paths}
    where = whereabouts(moments)
    events = name_events(cut(moments), moments, paths, labels, where)
    return find_trips(events, moments, where), events


def around_home(life: Life, days: range) -> None:
    for day in days:
        life.shoot(day, (9, 18), 3, f"day {day}")


@pytest.mark.parametrize("kind", sorted({*KINDS, *HELD_OUT} - NO_TELLING))
def test_trips_are_those_of_the_life(kind: str) -> None:
    life = made(kind, 21)
    trips, events = trips_of(life.moments)
    members = {event.id: set(event.members) for event in events}
    found = [set[int]().union(*(members[event] for event in trip.events)) for trip in trips]
    true = [
        {place for place, trip in enumerate(life.trips) if trip == number}
        for number in sorted({*life.trips} - {-1})
    ]
    # A weekend with fewer than ten photos is no trip.
    true = [photos for photos in true if len(photos) >= 10]
    assert len(found) == len(true)
    for ours, theirs in zip(found, true, strict=True):
        assert len(ours & theirs) >= 0.8 * len(ours | theirs)


def test_a_trip_is_named_by_its_towns_and_dates() -> None:
    life = Life(np.random.default_rng(0))
    around_home(life, range(60))
    for day in range(60, 67):
        life.shoot(day, (9, 22), 12, "Lisbon", LISBON if day < 66 else HOME)
    around_home(life, range(67, 120))
    (trip,), events = trips_of(life.moments)
    assert (trip.name, trip.title) == ("Lisbon", "Lisbon, 30 April \u2013 5 May 2018")
    (event,) = (event for event in events if event.id in trip.events)
    assert event.title == "30 April \u2013 5 May 2018 \u00b7 Lisbon"
    assert not any("Munich" in event.title for event in events), "home says nothing"


def test_two_towns_or_a_country_name_a_round_trip() -> None:
    def name(*stays: tuple[float, float]) -> str:
        life = Life(np.random.default_rng(1))
        around_home(life, range(50))
        for number, place in enumerate(stays):
            for day in (50 + 2 * number, 51 + 2 * number):
                life.shoot(day, (9, 22), 12, "trip", place)
        around_home(life, range(58, 100))
        (trip,), _ = trips_of(life.moments)
        return trip.name

    assert name(LISBON, PORTO) == "Lisbon and Porto"
    assert name(LISBON, PORTO, COAST, (40.20, -8.41)) == "Portugal"


def test_four_photos_are_no_trip() -> None:
    life = Life(np.random.default_rng(2))
    around_home(life, range(50))
    for day in (50, 51):
        life.shoot(day, (12, 14), 2, "away", LISBON)
    around_home(life, range(53, 90))
    assert trips_of(life.moments)[0] == []


def test_two_days_without_photos_end_no_trip_and_home_does() -> None:
    life = Life(np.random.default_rng(3))
    around_home(life, range(40))
    for day in (40, 41, 44, 45, 49, 50):
        life.shoot(day, (10, 20), 15, "away", LISBON if day < 44 else PORTO)
    around_home(life, range(52, 90))
    assert [len(trip.events) for trip in trips_of(life.moments)[0]] == [2, 1]
    between = Life(np.random.default_rng(3), moments=list(life.moments))
    between.shoot(42, (15, 20), 9, "home")
    assert len(trips_of(between.moments)[0]) == 3


def test_another_country_is_away_though_near() -> None:
    home, over = (46.20, 6.14), (45.90, 6.13)  # Geneva and Annecy
    life = Life(np.random.default_rng(4))
    for day in range(60):
        life.shoot(day, (9, 18), 3, f"day {day}", home if day not in (30, 31) else over)
        if day in (30, 31):
            life.shoot(day, (9, 18), 10, f"day {day}", over)
    ((trip,), _) = trips_of(life.moments)
    assert trip.start.date() == datetime(2018, 3, 31).date()  # noqa: DTZ001 - a wall clock


def test_a_library_without_places_loads_no_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reverse_geocode", None)
    begin = datetime(2019, 7, 12)  # noqa: DTZ001 - a wall clock
    moments = [Moment(begin + timedelta(hours=hour), "exif") for hour in range(9, 200, 3)]
    trips, _ = trips_of(moments)
    assert [trip.title for trip in trips] == ["12\u201320 July 2019"]


def test_a_point_has_the_name_of_a_town_that_people_know() -> None:
    points = np.array([(38.72, -9.14), (45.76, 4.83), (46.62, 8.04), (0.0, -30.0), (np.nan, np.nan)])
    names = [town.line() if town else None for town in towns(points)]
    assert names == [
        "Lisbon, Portugal",
        "Lyon, Auvergne-Rh\u00f4ne-Alpes, France",
        "Grindelwald, Bern, Switzerland",
        None,
        None,
    ]


def test_a_trip_is_in_every_file_of_the_report(report: Report, tmp_path: Path) -> None:  # noqa: F811
    lisbon: Tags = {
        GPS.GPSLatitudeRef: "N", GPS.GPSLatitude: (38.0, 43.0, 12.0), GPS.GPSLongitudeRef: "W", GPS.GPSLongitude: (9.0, 8.0, 24.0),
    }  # fmt: skip
    report.photos = tmp_path / "photos"
    for week in range(8):
        taken = datetime(2019, 5, 1, 12) + timedelta(weeks=week)  # noqa: DTZ001 - wall clocks
        put(
            report.photos / f"home{week}.jpg",
            photo(taken=f"{taken:%Y:%m:%d %H:%M:%S}", gps=BERLIN, shade=week),
        )
    for number in range(12):
        taken = datetime(2019, 6, 8 + number // 6, 10 + number % 6)  # noqa: DTZ001
        put(
            report.photos / f"away{number}.jpg",
            photo(taken=f"{taken:%Y:%m:%d %H:%M:%S}", gps=lisbon, shade=number * 20),
        )
    said = report.make("--export-albums", str(tmp_path / "albums"))
    title = "Lisbon, 8\u20139 June 2019"
    trips = {path: (row["trip_id"], row["trip_label"]) for path, row in report.rows().items()}
    assert trips == {path: ("1", title) if path.startswith("away") else ("", "") for path in trips}
    table = parquet.read_table(report.folder / "cluster_export.parquet").to_pydict()
    assert [table["trip_id"].count(1), table["trip_label"].count(title)] == [12, 12]
    assert f"| {title} | 1 | 12 | 1 | 2019-06-08 | 2019-06-09 |" in report.text()
    assert len(list((tmp_path / "albums" / "trips" / "2019-06-08 Lisbon").iterdir())) == 12
    assert "9 events, 1 trip." in said
    page = (report.folder / "cluster_report.html").read_text()
    assert "Lisbon, Portugal" in page
    assert "38.72" not in page, "no coordinates"


def test_names_that_are_not_installed_are_asked_for_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "reverse_geocode", None)
    with pytest.raises(PackagesError, match="reverse_geocode"):
        towns(np.array([LISBON]))
