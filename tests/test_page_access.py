"""axe-core finds nothing to say about any view, light or dark, on a desk or a phone; and the keyboard finds its way."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.sync_api import Page, expect

from report.files.given_names import names_table, read_names
from report.files.page import PAGE, write_page
from tests.helpers.pages import PHONE, Watched, address, browser, needs_chromium, small, watched

__all__ = ["browser", "watched"]  # fixtures
pytestmark = needs_chromium
VIEWS = {
    "memories": "#memories",
    "a year": "#year=2019",
    "groups": "#groups",
    "a group": "#group=0",
    "no group": "#group=-1",
    "a photo": "#group=1&photo=31",
    "events": "#events",
    "an event": "#event=1",
    "the map": "#map",
    "a search on the map": "#map&q=dogs",
    "search results": "#q=dogs",
    "groups of a search": "#groups&q=dogs",
    "nothing found": "#q=nowhere",
    "about": "#about",
    "failed photos": "#only=errors",
    "a failed photo": "#only=errors&photo=53",
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a page on which groups can be renamed."""
    library = small(tmp_path_factory.mktemp("library"))
    photos = {group.id: [library.rows[row].rel_path for row in group.members] for group in library.groups}
    table = names_table(read_names(library.folder), library.groups, {}, photos)
    write_page(replace(library.report, names=table), library.folder)
    return library.folder / PAGE


def troubles(page: Page) -> list[str]:
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
    assert len(found["passes"]) > 15
    return [f"{one['id']}: {one['nodes'][0]['html'][:200]}" for one in found["violations"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    "watched",
    [{"color_scheme": scheme, "size": size} for scheme in ("light", "dark") for size in ((1280, 800), PHONE)],
    indirect=True,
    ids=lambda options: f"{options['color_scheme']}, {options['size'][0]}",
)
def test_axe_finds_nothing(watched: Watched, path: Path) -> None:
    found = {}
    for view, route in VIEWS.items():
        page = watched.go(path, route)
        page.wait_for_timeout(150)  # pictures and the map are drawn
        found[view] = troubles(page)
        page.goto("about:blank")
    page = watched.go(path, "#group=0")
    page.get_by_role("button", name="Rename").click()
    found["renaming"] = troubles(page)
    page.locator(".rename input").fill("Rex")
    page.keyboard.press("Enter")
    expect(page.locator("#changes")).to_be_visible()
    found["renamed"] = troubles(page)
    assert not {view: said for view, said in found.items() if said}


def test_focus_goes_to_what_opened(watched: Watched, path: Path) -> None:
    page = watched.go(path, "#memories")
    for tab, heading in (
        ("Groups", "#view-groups h2"),
        ("Map", "#view-map h2"),
        ("About", "#view-about h2"),
        ("Events", "#view-events h2"),
        ("Memories", "#view-memories h2"),
    ):
        page.get_by_role("link", name=tab, exact=True).click()
        expect(page.locator(heading).first).to_be_focused()


@pytest.mark.parametrize(
    ("route", "home"),
    [("#group=1&photo=33", "#group=1"), ("#photo=33", "#group=1"), ("#q=cakes&photo=33", "#q=cakes")],
)
def test_escape_leads_from_a_photo_to_what_is_around_it(
    watched: Watched, path: Path, route: str, home: str
) -> None:
    page = watched.go(path, route)
    expect(page.locator("#photo")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#photo")).to_be_hidden()
    assert address(page) == home
    expect(page.locator("#list-title")).to_be_visible()
    # As well after something else was shown before it.
    page.evaluate("location.hash = '#events'")
    expect(page.locator("#view-events")).to_be_visible()
    page.evaluate(f"location.hash = '{route}'")
    expect(page.locator("#photo")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#photo")).to_be_hidden()
    assert address(page) == home
