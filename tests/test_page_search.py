"""Search on the page: what a query finds and in which order, what typing does to the history, where a search leads."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from report.build import Report
from report.events import Event
from report.files.page import write_page
from report.naming.naming import Group
from tests.conftest import wait_for
from tests.helpers.pages import DESKTOP, Library, Watched, address, browser, needs_chromium, watched
from tests.helpers.searched import NAMES, PHOTOS, QUERIES

__all__ = ["browser", "watched"]  # fixtures
pytestmark = needs_chromium


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = Library(tmp_path_factory.mktemp("searched"))
    for number, (path, caption, at, group) in enumerate(PHOTOS):
        columns: dict[str, Any] = {"taken_at": at, "taken_from": "exif"} if at else {}
        exact = {4: "year", 7: "month", 10: "day"}.get(len(at), "second")
        made.add(path, caption, cluster_id=group, cluster_label=NAMES[group], x=float(number), y=number % 3 / 1, taken_precision=exact, **columns)  # fmt: skip
    failed: dict[str, Any] = {
        "label_source": "error",
        "x": 30.0,
        "y": 9.0,
        "cluster_id": 1,
        "distance_to_centroid": 0.9,
    }
    made.add("old/failed.jpg", "", **failed)
    for group, name in enumerate(NAMES):
        inside = tuple(n for n, row in enumerate(made.rows) if row.cluster_id == group)
        made.groups.append(Group(group, f"A heading with sofa {group}", "caption", (), inside, short=name))
    made.events = [
        Event(1, "4 Jul 2021: birthday of a dog", datetime(2021, 7, 4), datetime(2021, 7, 4), (), (5,))  # noqa: DTZ001
    ]
    report = made.report
    alike = np.array([[(photo + step) % 15 for step in (1, 2)] for photo in range(15)])
    alike[7] = 7  # it has no other
    errors = {"old/failed.jpg": "the service refused it: see '/home/anna/My logs/a.log' and /home/anna/x.jpg"}
    write_page(
        Report(report.rows, report.groups, (), report.events, report.pictures, link=report.link,
               method="Grouped by CLIP from /home/anna/models/clip-base", errors=errors, alike=alike),
        made.folder,
    )  # fmt: skip
    return made


def page_of(library: Library) -> Path:
    return library.folder / "cluster_report.html"


def captions(page: Page) -> list[str]:
    alts: list[str] = page.locator("#grid .tile").evaluate_all(
        "tiles => tiles.sort((a, b) => a.dataset.index - b.dataset.index).map((tile) => tile.querySelector('img').alt)"
    )
    return alts


def test_what_each_query_finds(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched))
    number = {caption: index for index, (_, caption, _, _) in enumerate(PHOTOS)}
    found = {}
    for query in QUERIES:
        page.fill("#words", query)
        found[query] = [number[caption] for caption in captions(page)]
    assert found == QUERIES


def test_only_filler_words_forgive_everything(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched))
    page.fill("#words", "a picture with the")
    expect(page.locator("#list-meta")).to_contain_text("15 photos")


def test_groups_and_events_are_chips(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#q=dog")
    expect(page.locator("#list-row a.chip")).to_have_text(
        ["Show on the map", "Group: Dogs asleep 2", "Event: 4 Jul 2021: birthday of a dog 1"]
    )
    page.locator(".chip", has_text="Group: Dogs").click()
    expect(page.locator("#list-title")).to_have_text("Dogs asleep")
    page.go_back()
    page.fill("#words", "july 2021")
    expect(page.locator("#list-row a.chip")).to_contain_text(["Show on", "Event: 4 Jul 2021"])


def test_fast_typing_is_one_entry_of_the_history(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#groups")
    page.locator(".card", has_text="Dogs asleep").click()
    page.keyboard.press("/")
    _type_at_once(page, "cars")
    assert address(page) == "#q=cars"
    _type_at_once(page, " barn")
    assert address(page) == "#q=cars+barn"
    page.go_back()
    expect(page.locator("#list-title")).to_have_text("Dogs asleep")
    expect(page.locator("#words")).to_have_value("")
    page.go_forward()
    expect(page.locator("#words")).to_have_value("cars barn")


def test_the_clear_button(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched))
    clear = page.get_by_role("button", name="Clear the search")
    expect(clear).to_be_hidden()
    page.fill("#words", "sofa")
    expect(page.locator(".tile")).to_have_count(2)
    clear.click()
    expect(page.locator("#words")).to_have_value("")
    expect(page.locator("#words")).to_be_focused()
    expect(page.locator("#view-memories")).to_be_visible()
    expect(clear).to_be_hidden()


def test_an_emptied_field_leads_back(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#events")
    page.fill("#words", "sofa")
    page.fill("#words", "sofa carpet")
    page.fill("#words", "")
    expect(page.locator("#view-events")).to_be_visible()
    assert address(page) == "#events"


def test_the_tabs_keep_the_search(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#q=dog")
    tabs = page.locator(".tabs")
    tabs.get_by_text("Groups").click()
    expect(page.locator("#view-groups .card h3")).to_have_text(["Dogs asleep", "Everything"])
    expect(page.locator("#view-groups .card").first).to_contain_text("1 of 2 photos")
    tabs.get_by_text("Events").click()
    expect(page.locator("#view-events .card h3")).to_have_text(["4 Jul 2021: birthday of a dog"])
    tabs.get_by_text("Map").click()
    expect(page.locator("#hint")).to_have_text("2 photos highlighted")
    expect(page.locator("#words")).to_have_value("dog")
    tabs.get_by_text("Photos").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("button", name="Clear the search").click()
    expect(page.locator("#view-memories")).to_be_visible()
    expect(tabs.get_by_text("Photos")).to_be_hidden()


def test_the_map_flies_to_what_is_found(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#map")
    page.fill("#words", "carpet")
    expect(page.locator("#hint")).to_have_text("1 photo highlighted")
    expect(page.locator("#hover-words")).to_have_text("A carpet and a vase")
    box = page.locator("#canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 9, box["y"] + 9)

    def is_in_the_middle() -> bool:
        page.mouse.move(
            box["x"] + box["width"] / 2 + page.evaluate("Math.random()"), box["y"] + box["height"] / 2
        )
        return (
            page.locator("#hover-words").inner_text() == "A carpet and a vase"
            and page.locator("#hover").is_visible()
        )

    wait_for(is_in_the_middle)


def test_focus_goes_to_the_heading_of_what_opened(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#groups")
    page.locator(".card", has_text="Dogs asleep").click()
    expect(page.locator("#list-title")).to_be_focused()
    page.locator(".tile a").first.click()
    expect(page.locator("#facts h2")).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#facts h2")).to_have_text("A puppy asleep on a sofa")
    expect(page.locator("#facts h2")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator(".tabs").get_by_text("Events").click()
    expect(page.locator("#view-events h2").first).to_be_focused()


def test_a_failed_photo_says_why(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#only=errors")
    expect(page.locator(".tile")).to_have_count(1)
    for offer in ("Show on the map", "Most typical", "Oddest"):
        expect(page.get_by_text(offer)).to_have_count(0)
    page.locator(".tile a").first.click()
    expect(page.locator("#facts")).to_contain_text(
        "The caption failed: the service refused it: see a.log and x.jpg"
    )
    expect(page.get_by_text("Show on the map")).to_have_count(0)


def test_no_path_of_the_disk_is_in_the_page(searched: Library) -> None:
    text = page_of(searched).read_text(encoding="utf-8")
    data = text.split('id="data">')[1].split("</script>")[0]
    assert not re.search(r"/home|anna|[A-Z]:\\\\", text)
    assert str(searched.folder) not in text
    assert '"/' not in data


def test_more_like_this(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#q=sofa")
    page.locator(".tile a").first.click()
    page.get_by_role("link", name="More like this").click()
    expect(page.locator("#list-title")).to_contain_text("More like “A discarded sofa")
    assert captions(page) == [PHOTOS[2][1], PHOTOS[3][1]]
    page.go_back()
    expect(page.locator("#facts h2")).to_have_text("A discarded sofa beside a road")
    page.keyboard.press("Escape")
    expect(page.locator("#list-title")).to_have_text("“sofa”")
    page.evaluate("location.hash = '#photo=7'")
    expect(page.locator("#facts h2")).to_have_text("A carpet and a vase")
    expect(page.get_by_text("More like this")).to_have_count(0)
    page.evaluate("location.hash = '#like=99'")
    expect(page.locator("#list-title")).to_have_text("No such photo")


def test_the_desktop_has_room_for_the_field(watched: Watched, searched: Library) -> None:
    page = watched.go(page_of(searched), "#q=dog")
    assert page.evaluate("document.documentElement.scrollWidth") <= DESKTOP[0]


def _type_at_once(page: Page, letters: str) -> None:
    """Type without a pause, however busy the machine is."""
    page.evaluate(
        """(letters) => {
            const field = document.querySelector("#words");
            for (const letter of letters) {
                field.value += letter;
                field.dispatchEvent(new InputEvent("input", { bubbles: true }));
            }
        }""",
        letters,
    )
