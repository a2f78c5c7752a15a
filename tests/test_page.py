"""The page in a real browser, opened from the disk: what is found, and where clicks and keys lead."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from report.build import Report
from report.files.page import headline
from tests.helpers.pages import (
    PHONE,
    Library,
    Watched,
    address,
    browser,
    library,
    lit,
    needs_chromium,
    tiles,
    watched,
)

__all__ = ["browser", "library", "watched"]  # fixtures


def test_the_headline_leaves_out_what_there_is_none_of(library: Library) -> None:
    assert headline(library.report) == ["55 photos", "2019\u20132020"]
    assert headline(Report([])) == ["0 photos"]


def test_the_same_input_gives_the_same_bytes(library: Library) -> None:
    first = library.write().read_bytes()
    assert library.write().read_bytes() == first
    assert not list(library.folder.glob("*.tmp"))


@needs_chromium
def test_the_groups(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#groups")
    assert page.inner_text("h1") == "55 photos · 2019\u20132020"
    expect(page.locator(".card h3")).to_have_text(
        ["Dogs on the beach", "Birthday cakes", "Çafé at night", "Photos in no group", "Files not on the map"]
    )
    expect(page.locator(".card").first).to_contain_text("32 photos · 1 May \u2013 30 May 2019")
    expect(page.locator(".card").first.locator("img")).to_have_count(5)
    expect(page.locator("#moved")).to_be_hidden()


@needs_chromium
def test_from_the_rail_to_a_photo_and_back(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#groups")
    page.locator("#rail a", has_text="café").click()
    expect(page.locator(".card:visible")).to_have_count(1)
    page.go_back()
    expect(page.locator(".card:visible")).to_have_count(5)
    page.locator(".card", has_text="Birthday").click()
    assert address(page) == "#group=1"
    typical = tiles(page)
    assert len(typical) == 12
    page.get_by_role("link", name="By time").click()
    assert tiles(page) == [f"Birthday cakes number {number}" for number in range(30, 42)]
    page.get_by_role("link", name="Oddest").click()
    assert tiles(page)[0] == "Birthday cakes number 39"
    assert typical[0] == "Birthday cakes number 30"
    page.locator(".tile a").nth(1).click()
    dialog = page.locator("#photo")
    expect(dialog).to_be_visible()
    second = dialog.locator("h2").inner_text()
    page.keyboard.press("ArrowRight")
    expect(dialog.locator("h2")).not_to_have_text(second)
    page.keyboard.press("ArrowLeft")
    expect(dialog.locator("h2")).to_have_text(second)
    expect(page.locator("#large")).to_have_js_property(
        "naturalWidth", 96
    )  # the photo itself, not its thumbnail
    expect(dialog).to_contain_text("Wednesday, 21 October 2020")
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert "photo" not in address(page)
    assert page.evaluate("document.activeElement.closest('.tile') !== null")
    page.locator(".tile a").first.click()
    expect(dialog).to_be_visible()
    page.go_back()
    expect(dialog).to_be_hidden()
    expect(page.locator("#list-title")).to_have_text("Birthday cakes")
    page.go_back()  # once: neither the photos walked through nor the orders tried stand in the way
    expect(page.locator("#view-groups")).to_be_visible()


@needs_chromium
def test_a_photo_leads_to_its_group_event_and_file(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#photo=30")
    facts = page.locator("#facts")
    expect(facts.get_by_role("link", name="Open the file")).to_have_attribute(
        "href", "photos/2020/IMG_0030.jpg"
    )
    expect(facts).to_contain_text("place 1 of 12")
    facts.get_by_role("link", name="2020: birthday cake").click()
    expect(page.locator("#photo")).to_be_hidden()
    expect(page.locator("#list-title")).to_have_text("21 Oct 2020: birthday cake")
    page.go_back()
    facts.get_by_role("link", name="Birthday cakes", exact=True).click()
    expect(page.locator("#list-title")).to_have_text("Birthday cakes")
    page = watched.go(library.write(), "#photo=54")
    expect(facts).to_contain_text("Date of the file")


@needs_chromium
def test_the_unclustered_name_the_group_they_come_nearest_to(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#groups")
    page.locator(".card", has_text="Photos in no group").click()
    expect(page.locator(".tile .note")).to_have_text(["near Birthday cakes"] * 5)
    page.locator(".tile a").first.click()
    expect(page.locator("#facts")).to_contain_text("Unclustered, nearest to Birthday cakes")


@needs_chromium
def test_search_needs_all_words_and_no_accents(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    page.keyboard.press("/")
    page.keyboard.type("CAFE 4")
    expect(page.locator("#list-title")).to_have_text("“CAFE 4”")
    found = tiles(page)
    assert found
    assert all("Çafé" in text and "4" in text for text in found)
    page.fill("#words", "img_0031 cakes")
    expect(page.locator(".tile")).to_have_count(1)
    assert address(page) == "#q=img_0031+cakes"
    page.fill("#words", "nowhere at all")
    expect(page.locator("#list-meta")).to_contain_text("Nothing found")
    page.keyboard.press("Escape")
    expect(page.locator("#view-memories")).to_be_visible()
    page.fill("#words", "birthday")
    expect(page.locator(".chip", has_text="Group: Birthday cakes")).to_be_visible()
    address(page)
    page.get_by_role("link", name="Map", exact=True).click()
    expect(page.locator("#hint")).to_have_text("12 photos highlighted")
    page.go_back()
    expect(page.locator(".tile")).to_have_count(12)


@needs_chromium
def test_filters_tell_failed_photos_from_videos(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    page.get_by_role("link", name="About").click()
    page.locator("#counts a", has_text="1 photo").first.click()
    for name, count, first in (
        ("Not captioned", 1, "uncaptioned.jpg"),
        ("Failed", 1, "broken.jpg"),
        ("Unclustered", 5, "Something odd 0"),
    ):
        if not page.locator("#filters a[aria-current]", has_text=name).count():
            page.locator("#filters a", has_text=name).click()
        expect(page.locator(".tile")).to_have_count(count)
        assert tiles(page)[0] == first
    page.locator("#filters a", has_text="Videos").click()
    expect(page.locator(".tile .text")).to_have_text(["MVI_1.MOV"])
    page.locator("#filters a", has_text="Videos").click()
    expect(page.locator("#view-memories")).to_be_visible()


@needs_chromium
def test_events_lie_along_the_years(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#groups")
    page.get_by_role("link", name="Events").click()
    expect(page.locator("#rail a")).to_contain_text(["2020", "2019", "No date"])
    expect(page.locator("#view-events h2")).to_contain_text(["2020", "2019", "Without a date"])
    expect(page.locator(".small-event")).to_have_count(25)  # a morning each; the one with the burst is a card
    page.locator("#rail a", has_text="2020").click()
    page.locator(".card", has_text="2020: birthday cake").click()
    expect(page.locator("#list-meta")).to_have_text("12 photos · Wed 15:00\u201315:11")
    page.get_by_text("← Events").click()
    expect(page.locator("#rail a[aria-current]")).to_contain_text("2020")
    assert address(page).startswith("#events")  # the page has come to rest
    page.locator(".small-event").first.click()
    expect(page.locator(".tile")).to_have_count(1)


@needs_chromium
def test_a_burst_is_one_photo_until_asked(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#group=0&sort=time")
    expect(page.locator(".tile")).to_have_count(28)
    assert "duplicate" not in page.content().lower()
    page.get_by_role("button", name="Show the 5 frames").click()
    expect(page.locator(".tile")).to_have_count(32)
    page.get_by_role("button", name="Put the frames together").click()
    expect(page.locator(".tile")).to_have_count(28)
    page.locator(".tile", has=page.locator("button")).locator("a").click()
    expect(page.locator(".frames a")).to_have_count(5)
    page.locator(".frames a").nth(2).click()
    expect(page.locator("#facts h2")).to_have_text("Dogs on the beach number 5")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#facts h2")).to_have_text("Dogs on the beach number 8")


@needs_chromium
def test_the_map_shows_says_and_opens(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#map&spot=30")  # which brings it to the middle
    canvas = page.locator("#canvas")
    box = canvas.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x + 1, y + 1)
    expect(page.locator("#hover")).to_be_visible()
    expect(page.locator("#hover-words")).to_contain_text("Birthday cakes")
    said = page.locator("#hover-words").inner_text()
    page.mouse.click(x + 1, y + 1)
    expect(page.locator("#facts h2")).to_have_text(said)
    page.keyboard.press("Escape")
    before = canvas.screenshot()
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(400)
    assert canvas.screenshot() != before
    page.get_by_role("button", name="Show the whole map").click()
    page.locator("#rail a", has_text="café").click()
    assert lit(page) == "6 photos highlighted"
    assert address(page) == "#map&theme=1"


@needs_chromium
def test_all_of_it_with_the_keyboard_alone(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#groups")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # skip to the photos
    page.keyboard.press("Tab")
    while page.evaluate("!document.activeElement.matches('.card')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#list-title")).to_have_text("Dogs on the beach")
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.tile') !== null"):
            break
    place = "Number(document.activeElement.closest('.tile').dataset.index)"
    assert page.evaluate(place) == 0
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(place) > 3
    page.keyboard.press("End")
    assert page.evaluate(place) == 27
    page.keyboard.press("Enter")
    expect(page.locator("#photo")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate(place) == 27
    page.keyboard.press("Escape")
    expect(page.locator("#view-groups")).to_be_visible()
    page.evaluate("location.hash = '#map'")
    page.locator("#canvas").focus()
    page.keyboard.press("+")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#hover")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator("#photo")).to_be_visible()


@needs_chromium
@pytest.mark.parametrize("watched", [{"size": PHONE, "has_touch": True, "is_mobile": True}], indirect=True)
def test_a_phone(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    for route in ("#groups", "#group=0", "#events", "#map", "#q=dogs", "#group=-1", "#group=0&photo=2"):
        page.evaluate(f"location.hash = '{route}'")
        page.wait_for_timeout(60)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE[0], route
    caption = page.locator("#facts h2").inner_text()
    swipe = """([from, to]) => { const stage = document.getElementById("stage");
      const touch = (x) => new Touch({ identifier: 1, target: stage, clientX: x, clientY: 300 });
      stage.dispatchEvent(new TouchEvent("touchstart", { touches: [touch(from)], changedTouches: [touch(from)] }));
      stage.dispatchEvent(new TouchEvent("touchend", { touches: [], changedTouches: [touch(to)] })); }"""
    page.evaluate(swipe, [300, 100])
    expect(page.locator("#facts h2")).not_to_have_text(caption)
    page.evaluate(swipe, [100, 300])
    expect(page.locator("#facts h2")).to_have_text(caption)
    page.locator("#close").tap()
    expect(page.locator("#photo")).to_be_hidden()
    assert page.locator(".tabs a").first.bounding_box()["height"] >= 40  # type: ignore[index]


@needs_chromium
@pytest.mark.parametrize("watched", [{"color_scheme": "dark"}], indirect=True)
def test_dark_as_the_system_is_and_light_as_one_likes(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.click("#light")
    light = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == light
    page.click("#light")
    assert page.evaluate(ground) == dark
