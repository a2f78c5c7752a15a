"""What comes out of the printer: every photo with its caption, and nothing to press, in light colours."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.pages import Library, Watched, browser, library, needs_chromium, watched

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["browser", "library", "watched"]  # fixtures
pytestmark = [
    needs_chromium,
    pytest.mark.parametrize("watched", [{"color_scheme": "dark"}], indirect=True),
]


def about_to_print(page: Page) -> None:
    """Bring the page to where a browser prints it; `page.pdf` prints in one step and leaves nothing to look at."""
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    page.emulate_media(media="print", color_scheme="dark")


def test_a_group_is_printed_whole_with_captions_in_its_order(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#group=0&sort=time")
    page.set_viewport_size({"width": 900, "height": 300})
    about_to_print(page)
    expect(page.locator(".tile")).to_have_count(28)
    first, second = page.locator(".tile[data-index='0'] img"), page.locator(".tile[data-index='1'] img")
    caption = "link => getComputedStyle(link, '::after').content"
    assert page.locator(".tile[data-index='0'] a").evaluate(caption) == '"Dogs on the beach number 0"'
    one, other = first.bounding_box(), second.bounding_box()
    assert one
    assert other
    assert (one["y"], one["x"]) < (other["y"], other["x"])
    for hidden in (".bar", "#back", "#list-row", "#light", ".count"):
        expect(page.locator(hidden).first).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.emulate_media(media="screen", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator("#list-row")).to_be_visible()


def test_a_photo_is_printed_alone(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#group=0&photo=2")
    about_to_print(page)
    expect(page.locator("#large")).to_be_visible()
    expect(page.locator("#facts h2")).to_have_text("Dogs on the beach number 2")
    for hidden in ("main", "header", "#close", "#before", "#after"):
        expect(page.locator(hidden)).to_be_hidden()


def test_a_long_list_says_where_it_was_cut(watched: Watched, tmp_path: Path) -> None:
    many = Library(tmp_path)
    for number in range(2100):
        many.add(f"{number}.jpg", f"photo {number}", drawn=False)
    page = watched.go(many.write(), "#group=-1")
    expect(page.locator("#print-note")).to_be_hidden()
    about_to_print(page)
    expect(page.locator("#print-note")).to_have_text("The first 2,000 of 2,100.")
    assert 2000 - 20 <= page.locator(".tile").count() <= 2000
