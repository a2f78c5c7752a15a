"""Trips and events on the page: the newest first, sparse years gathered, and the way from one to the next."""

# ruff: noqa: DTZ001 - wall clocks

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from report.events import UNDATED, Event
from report.files.page import PAGE, write_page
from report.time.places import Town
from report.time.trips import Trip
from tests.helpers.pages import Library, Watched, browser, needs_chromium, watched  # noqa: F401 - fixtures

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = needs_chromium
LISBON, LYON = Town("Lisbon", "", "Portugal"), Town("Lyon", "Rh\u00f4ne", "France")
BEGINNINGS = {
    "scan": datetime(2003, 5, 1, 12),
    "older": datetime(2004, 8, 1, 12),
    "walk": datetime(2019, 3, 2, 10),
    "city": datetime(2019, 6, 3, 10),
    "beach": datetime(2019, 6, 6, 10),
    "cake": datetime(2019, 10, 1, 15),
    "ski": datetime(2020, 2, 1, 9),
}
SIZES = {"scan": 4, "older": 3, "walk": 2, "city": 12, "beach": 14, "cake": 5, "ski": 30}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trips")
    library = Library(folder)
    towns: list[Town | None] = []
    for number, (name, begin) in enumerate(BEGINNINGS.items(), 1):
        first = len(library.rows)
        for photo in range(SIZES[name]):
            at = begin + timedelta(hours=photo)
            library.add(
                f"{name}/{photo}.jpg", f"a {name} number {photo}", taken_at=at.isoformat(), taken_from="exif"
            )
            towns.append({"city": LISBON, "beach": LISBON, "ski": LYON}.get(name))
        members = tuple(range(first, len(library.rows)))
        library.events.append(
            Event(
                number,
                f"{begin:%-d %B %Y}",
                begin,
                begin + timedelta(hours=SIZES[name]),
                (),
                members,
                name=name.title(),
            )
        )
    library.add("undated.jpg", "a shoe")
    towns.append(None)
    library.events.append(Event(-1, UNDATED, None, None, (), (len(library.rows) - 1,)))
    trips = [
        Trip(1, "Lisbon", "Lisbon, 3\u20137 June 2019", BEGINNINGS["city"], datetime(2019, 6, 7, 2), (4, 5)),
        Trip(2, "Lyon", "Lyon, 1\u20132 February 2020", BEGINNINGS["ski"], datetime(2020, 2, 2, 15), (7,)),
    ]
    write_page(replace(library.report, trips=trips, towns=towns), folder)
    return folder / PAGE


def test_the_newest_come_first_and_sparse_years_together(watched: Watched, path: Path) -> None:  # noqa: F811
    page = watched.go(path, "#events")
    expect(page.locator("#view-events h2")).to_have_text(
        ["20201 trip \u00b7 1 event \u00b7 30 photos", "20191 trip \u00b7 4 events \u00b7 33 photos",
         "2003\u201320042 events \u00b7 7 photos", "Without a date1 photo"]
    )  # fmt: skip
    expect(page.locator("#rail .year > span:first-child")).to_have_text(
        ["2020", "2019", "2003\u20132004", "No date"]
    )
    year = page.locator('[data-year="2019"].section')
    expect(year.locator(".trip h3")).to_have_text(["Lisbon, 3\u20137 June 2019"])
    expect(year.locator(".trip .small-event")).to_have_count(2)
    expect(year.locator(".cards .card h3")).to_have_text(["Cake"])
    expect(year.locator(".small-events").last.locator(".small-event")).to_have_count(1)  # the walk


def test_a_trip_leads_to_its_events_and_to_the_trip_after(watched: Watched, path: Path) -> None:  # noqa: F811
    page = watched.go(path, "#events")
    page.locator('[data-year="2019"] .trip .card').click()
    expect(page.locator("#list-title")).to_have_text("Lisbon, 3\u20137 June 2019")
    expect(page.locator("#list-meta")).to_have_text("26 photos \u00b7 5 days")
    expect(page.locator("#grid .tile")).to_have_count(26)
    expect(page.locator("#tab-events")).to_have_attribute("aria-current", "page")
    expect(page.locator("#rail [aria-current] > span").first).to_have_text("2019")
    expect(page.locator("#list-row .chip")).to_have_text(
        ["3 Jun \u00b7 City", "6 Jun \u00b7 Beach", "Lyon, 1 Feb 2020 \u2192"]
    )
    page.get_by_text("Lyon, 1 Feb 2020").click()
    expect(page.locator("#list-title")).to_have_text("Lyon, 1\u20132 February 2020")
    expect(page.locator("#back")).to_have_attribute("href", "#events&year=2020")


def test_an_event_leads_to_the_one_before_and_after_and_shows_its_years(watched: Watched, path: Path) -> None:  # noqa: F811
    page = watched.go(path, "#event=4")
    expect(page.locator("#list-row .chip")).to_have_text(
        ["\u2190 Walk, 2 Mar 2019", "Trip: Lisbon, 3\u20137 June 2019", "Beach, 6 Jun 2019 \u2192"]
    )
    page.get_by_text("Beach, 6 Jun 2019").click()
    expect(page.locator("#list-title")).to_have_text("Beach")
    expect(page.locator("#rail [aria-current] > span").first).to_have_text("2019")
    watched.go(path, "#event=1")
    expect(page.locator("#list-title")).to_have_text("Scan")
    expect(page.locator("#rail [aria-current] > span").first).to_have_text("2003\u20132004")
    page.locator("#back").click()
    expect(page.locator("#view-events h2").nth(2)).to_be_focused()
    watched.go(path, "#event=-1")
    expect(page.locator("#list-row .chip")).to_have_count(0)
    watched.go(path, "#trip=77")
    expect(page.locator("#list-title")).to_have_text("No such trip")


def test_places_are_found(watched: Watched, path: Path) -> None:  # noqa: F811
    page = watched.go(path, "#q=lyon")
    expect(page.locator("#grid .tile")).to_have_count(30)
    expect(page.get_by_text("Trip: Lyon, 1\u20132 February 2020")).to_be_visible()
    watched.go(path, "#q=portugal+beach")
    expect(page.locator("#grid .tile")).to_have_count(14)
    watched.go(path, "#q=lisbon&photo=9")
    expect(page.locator("#facts")).to_contain_text("PlaceLisbon, Portugal")
    expect(page.locator("#facts")).to_contain_text("TripLisbon, 3\u20137 June 2019")
