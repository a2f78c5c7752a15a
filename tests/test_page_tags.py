"""Tags on the page: chips beside a photo, and the search finds photos by them, in English and German."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.helpers.pages import Library, Watched, address, browser, needs_chromium, watched

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["browser", "watched"]  # fixtures
pytestmark = needs_chromium


def test_chips_and_search(watched: Watched, tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.add("a.jpg", "A spaniel runs.", tags="Animals > Dog; village green")
    library.add("b.jpg", "Zwei Tiere auf einer Wiese.", tags="Hund; Wiese")
    library.add("c.jpg", "A boat.", tags='</script><b>; "quoted"')
    library.add("d.jpg", "A village on a green hill.")
    page = watched.go(library.write(), "#q=dogs")
    expect(page.locator("#grid .tile")).to_have_count(1)
    for query, captions in {
        "hund": 1,
        "wiese": 1,
        '"village green"': 1,
        "village green": 2,
        "animals": 0,
    }.items():
        page.fill("#words", query)
        expect(page.locator("#grid .tile")).to_have_count(captions)
    page.fill("#words", "spaniel")
    page.locator("#grid .tile a, #grid a.tile").first.click()
    chips = page.locator("#facts .chip")
    expect(chips).to_have_text(["Dog", "village green"])
    chips.nth(1).click()
    expect(page.locator("#words")).to_have_value('"village green"')
    expect(page.locator("#list-title")).to_have_text("“village green”")
    expect(page.locator("#grid .tile")).to_have_count(1)
    assert address(page).startswith("#q=")
    page.fill("#words", "boat")
    page.locator("#grid .tile a, #grid a.tile").first.click()
    expect(page.locator("#facts .chip")).to_have_text(["</script><b>", '"quoted"'])
