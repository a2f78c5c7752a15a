"""The first sight of the page: photos of today's date in earlier years, the latest event, a picture a year."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.pages import PHONE, Library, Watched, address, browser, library, needs_chromium, watched

__all__ = ["browser", "library", "watched"]  # fixtures
pytestmark = needs_chromium


def on(watched: Watched, library: Library, day: str, route: str = "") -> Page:
    """Open the page on a given day."""
    watched.page.clock.set_fixed_time(datetime.fromisoformat(f"{day}T12:00"))
    return watched.go(library.write(), route)


def test_on_this_day(watched: Watched, library: Library) -> None:
    page = on(watched, library, "2023-10-21")
    expect(page.locator(".memory h2").first).to_have_text("On this day21 October")
    shown = page.locator(".flow a")
    expect(shown).to_have_count(10)
    expect(shown.first).to_contain_text("2020 3 years ago")
    expect(shown.last).to_contain_text("+2")
    shown.nth(1).click()
    expect(page.locator("#facts h2")).to_contain_text("Birthday cakes number")
    for _ in range(11):
        page.keyboard.press("ArrowLeft")
    expect(page.locator("#facts h2")).to_have_text("Birthday cakes number 30")
    page.keyboard.press("Escape")
    expect(page.locator("#view-memories")).to_be_visible()
    assert page.evaluate("shownAddress") == "#memories"


@pytest.mark.parametrize(
    ("day", "note", "count"),
    [("2023-10-30", "18 October \u2013 24 October", 10), ("2023-04-20", "28 April \u2013 4 May", 4)],
)
def test_the_nearest_week_where_the_day_has_none(
    watched: Watched, library: Library, day: str, note: str, count: int
) -> None:
    page = on(watched, library, day)
    expect(page.locator(".memory h2").first).to_have_text(f"Around this time of year{note}")
    expect(page.locator(".flow a")).to_have_count(count)


def test_this_year_is_no_memory(watched: Watched, library: Library) -> None:
    page = on(watched, library, "2019-10-21")
    expect(page.locator(".flow")).to_have_count(0)
    expect(page.locator(".memory h2").first).to_have_text("The latest event")


def test_the_latest_event_and_the_years(watched: Watched, library: Library) -> None:
    page = on(watched, library, "2023-10-21")
    expect(page.locator(".card.wide h3")).to_have_text("21 Oct 2020: birthday cake")
    expect(page.locator(".year-card h3")).to_have_text(["2020", "2019"])
    page.locator(".year-card").first.click()
    expect(page.locator("#list-title")).to_have_text("2020")
    expect(page.locator("#list-title")).to_be_focused()
    expect(page.locator(".tile")).to_have_count(12)
    assert address(page) == "#year=2020"
    page.get_by_text("← Memories").click()
    page.locator(".card.wide").click()
    expect(page.locator("#list-title")).to_have_text("21 Oct 2020: birthday cake")


@pytest.mark.parametrize("watched", [{"size": PHONE, "has_touch": True, "is_mobile": True}], indirect=True)
def test_a_phone_shows_pictures_at_once(watched: Watched, library: Library) -> None:
    page = on(watched, library, "2023-10-21")
    top = page.locator(".flow img").first.bounding_box()
    assert top
    assert top["y"] < PHONE[1] / 3
    assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0]
    page.get_by_role("link", name="Groups", exact=True).tap()
    top = page.locator("#view-groups img").first.bounding_box()
    assert top
    assert top["y"] < PHONE[1] / 2


def test_without_dates_it_opens_on_the_groups(watched: Watched, library: Library, tmp_path: Path) -> None:
    undated = Library(tmp_path, groups=library.groups, themes=library.themes)
    undated.rows = [row._replace(taken_at="", taken_from="") for row in library.rows]
    undated.pictures = [replace(picture, thumbnail=None) for picture in library.pictures]
    page = watched.go(undated.write())
    expect(page.locator("#view-groups")).to_be_visible()
    expect(page.locator("#tab-memories")).to_be_hidden()


def test_about_says_what_there_is_in_plain_words(watched: Watched, library: Library) -> None:
    page = on(watched, library, "2023-10-21")
    page.get_by_role("link", name="About").click()
    expect(page.locator("#counts li")).to_have_text(
        [
            "55 photos · 3 groups · 2 themes · 27 events",
            "1 video",
            "5 photos are like no others, and in no group",
            "1 photo has no caption yet",
            "1 photo could not be captioned; each says why",
        ]
    )
    said = page.inner_text("#view-about")
    for word in ("min_samples", "UMAP", "hand", "/home"):
        assert word not in said
    page.locator("#counts a", has_text="1 video").click()
    expect(page.locator("#list-title")).to_have_text("Videos")
