"""The page in a real browser, opened from the disk: what is found, where clicks and keys lead, and that captions stay text."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect, sync_playwright

from report.build import Report
from report.events import UNDATED, Event
from report.files.page import PAGE, headline, write_page
from report.files.table import Row
from report.files.thumbnails import FOLDER, Picture
from report.naming.naming import UNCLUSTERED, Group, Theme
from tests.conftest import draw, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
DESKTOP, PHONE = (1280, 800), (390, 844)
HOSTILE = [
    "<script>window.hacked=1;alert(1)</script>",
    "</script><script>window.hacked=1</script>",
    "<img src=x onerror=window.hacked=1>",
    "<!--<script>",
    "javascript:window.hacked=1",
    "{{7*7}} {% raw %} ${7*7}",
    "\"'`><b onmouseover=alert(1)>",
    "line\u2028and\u2029paragraph",
    "\u202egpj.exe\u2066",
    "half \ud83d of an emoji",
    "&lt;b&gt; &amp; ]]>",
    "http://evil.example/x.png //evil.example",
]
HOSTILE_PATHS = [
    "a#b?c%d\"e'f.jpg",
    "new\nline.jpg",
    "</script>.jpg",
    "javascript:alert(1).jpg",
    "../../outside.jpg",
    "a/../../../outside.jpg",
    "/etc/passwd.jpg",
    "<img src=x onerror=alert(1)>/x.jpg",
    "C:\\windows\\x.jpg",
    "//evil.example/x.jpg",
    "half \udcff byte.jpg",
    "\u202egpj.exe.jpg",
]


@dataclass
class Library:
    """A small library on the disk, and what the report knows of it."""

    folder: Path
    rows: list[Row] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    themes: list[Theme] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    link: str | None = "photos/"
    odd: dict[str, str] = field(default_factory=dict)

    def add(self, rel_path: str, label: str = "", *, drawn: bool = True, **columns: Any) -> None:
        """Add a photo; what is drawn is in the folder of photos and has a thumbnail."""
        source = "caption" if label else "none"
        row = Row(rel_path, -1, UNCLUSTERED, label, source, 0.3, None, 0.0, 0.0)
        self.rows.append(row._replace(**columns))
        if not drawn:
            self.pictures.append(Picture())
            return
        number = len(self.rows)
        draw(self.folder / FOLDER / f"{number}.jpg", size=(48, 32), shade=number * 5 % 256)
        self.pictures.append(Picture(f"{FOLDER}/{number}.jpg", None, (48, 32)))
        if not re.search(r"\.\.|^/|[\n\udc80-\udcff]", rel_path):
            draw(self.folder / "photos" / rel_path, size=(96, 64), shade=number * 5 % 256)

    @property
    def report(self) -> Report:
        videos = {row.rel_path for row in self.rows if row.rel_path.lower().endswith(".mov")}
        return Report(
            self.rows, self.groups, self.themes, self.events, self.pictures, videos, "all captioned", "Grouped by <hand>",
            ["A note."], self.link, self.odd,
        )  # fmt: skip

    def write(self) -> Path:
        write_page(self.report, self.folder)
        return self.folder / PAGE


def small(folder: Path) -> Library:
    """Two themes with three groups of 30, 12 and 6 photos, five loose ones, a failed one, an uncaptioned one, a video.

    The first group is sixty days of a walk each morning: an event a day; the others are one event each. Photos 3 to 7 are
    a burst.
    """
    library = Library(folder)
    begin = datetime(2019, 5, 1, 9)  # noqa: DTZ001 - a wall clock
    events: dict[str, list[int]] = {}

    def add(group: int, at: datetime | None, event: str, **columns: Any) -> None:
        number = len(library.rows)
        names = ["Dogs on the beach", "Birthday cakes", "Çafé at night"]
        if at is not None:
            columns |= {"taken_at": at.isoformat(), "taken_from": "exif"}
        events.setdefault(event, []).append(number)
        known: dict[str, Any] = {
            "cluster_id": group,
            "cluster_label": names[group],
            "distance_to_centroid": 0.1 + number % 10 / 100,
            "nearest_cluster": (group + 1) % 3,
            "x": group * 9 + number % 6 / 3,
            "y": number % 5 / 2,
        }
        columns = known | columns
        path = columns.pop("rel_path", f"{2019 + group}/IMG_{number:04}.jpg")
        library.add(path, columns.pop("label", f"{names[group]} number {number}"), **columns)

    for day in range(30):
        burst = {"burst_of": "2019/IMG_0003.jpg"} if 3 <= day <= 7 else {}
        at = begin + (timedelta(days=3, seconds=day) if burst else timedelta(days=day))
        add(0, at, f"day {3 if burst else day}", **burst)
    for number in range(12):
        add(1, datetime(2020, 10, 21, 15, number), "birthday")  # noqa: DTZ001 - a wall clock
    for _ in range(6):
        add(2, None, UNDATED)
    for number in range(5):
        add(
            0,
            None,
            UNDATED,
            cluster_id=-1,
            cluster_label=UNCLUSTERED,
            nearest_cluster=1,
            label=f"Something odd {number}",
            rel_path=f"odd/{number}.jpg",
            x=20.0,
            y=9.0 + number,
        )
    add(0, None, UNDATED, label="", label_source="error", rel_path="failed/broken.jpg")
    add(
        0,
        None,
        UNDATED,
        label="",
        label_source="none",
        rel_path="new/uncaptioned.jpg",
        taken_at="2021-03-04T05:06:07",
        taken_from="file",
    )
    add(
        0,
        None,
        UNDATED,
        label="",
        label_source="error",
        rel_path="clips/MVI_1.MOV",
        cluster_id=None,
        cluster_label="",
        x=None,
        y=None,
        distance_to_centroid=None,
        nearest_cluster=None,
        drawn=False,
    )
    rows = library.rows
    for number, name in enumerate(("Dogs on the beach", "Birthday cakes", "Çafé at night")):
        inside = tuple(index for index, row in enumerate(rows) if row.cluster_id == number)
        library.groups.append(Group(number, name, "caption", tuple(name.lower().split()[::-1]), inside))
    library.themes = [Theme("dogs, cakes", (0, 1)), Theme("café", (2,))]
    undated = events.pop(UNDATED)
    for number, (_, members) in enumerate(events.items(), 1):
        start, end = (datetime.fromisoformat(rows[members[place]].taken_at) for place in (0, -1))
        title = f"{start:%-d %b %Y}" + (": birthday cake" if start.year == 2020 else "")
        library.events.append(Event(number, title, start, end, (), tuple(members)))
    library.events.append(Event(-1, UNDATED, None, None, (), tuple(undated)))
    return library


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Library:
    made = small(tmp_path_factory.mktemp("library"))
    made.write()
    return made


@dataclass
class Watched:
    """A page and all that it must never do."""

    page: Page
    trouble: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def go(self, path: Path, route: str = "") -> Page:
        self.page.goto(path.as_uri() + route)
        return self.page


@pytest.fixture
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A fresh tab. Whatever a test does in it: no dialog, no error, no violation of the policy, nothing from outside."""
    options: dict[str, Any] = getattr(request, "param", {})
    width, height = options.pop("size", DESKTOP)
    context = browser.new_context(viewport={"width": width, "height": height}, **options)
    page = context.new_page()
    seen = Watched(page)

    def dismiss(dialog: Dialog) -> None:
        seen.trouble.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", dismiss)
    page.on("pageerror", lambda error: seen.trouble.append(str(error)))
    page.on(
        "console",
        lambda message: seen.trouble.append(message.text) if message.type in ("error", "warning") else None,
    )
    page.on("request", lambda sent: seen.requests.append(sent.url))
    page.add_init_script(
        "addEventListener('securitypolicyviolation', (event) => console.error(event.violatedDirective))"
    )
    yield seen
    assert page.evaluate("window.hacked === undefined")
    context.close()
    assert not seen.trouble
    assert all(url.startswith(("file:", "data:image/svg")) for url in seen.requests), seen.requests


def tiles(page: Page) -> list[str]:
    alts: list[str] = page.locator("#grid .tile img").evaluate_all(
        "images => images.map((image) => image.alt)"
    )
    return alts


def lit(page: Page) -> str:
    return page.locator("#hint").inner_text()


def address(page: Page) -> str:
    """Return the address after the #, once it has caught up with what is shown."""
    wait_for(
        lambda: bool(page.evaluate("location.hash === shownAddress"))
    )  # the policy forbids page.wait_for_function
    return str(page.evaluate("shownAddress"))


def test_the_headline_leaves_out_what_there_is_none_of(library: Library) -> None:
    assert headline(library.report) == [
        "55 photos", "2019\u20132020", "3 groups in 2 themes", "9 % unclustered", "1 error", "1 video",
    ]  # fmt: skip
    assert headline(Report([])) == ["0 photos"]


def test_the_same_input_gives_the_same_bytes(library: Library) -> None:
    first = library.write().read_bytes()
    assert library.write().read_bytes() == first
    assert not list(library.folder.glob("*.tmp"))


def test_the_policy_lets_only_its_own_hashes_run(library: Library) -> None:
    text = library.write().read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy
    for rule in ("default-src &#39;none&#39;", "base-uri &#39;none&#39;", "form-action &#39;none&#39;"):
        assert rule in policy[1]
    assert "unsafe" not in policy[1]
    assert "Mike Bostock" in text
    assert not re.search(
        r"\son[a-z]+=|\sstyle=|https?://(?!www\.w3\.org|d3js\.org)", text.split("<script")[0]
    )


@needs_chromium
def test_the_first_sight(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    assert (
        page.inner_text("h1")
        == "55 photos · 2019\u20132020 · 3 groups in 2 themes · 9 % unclustered · 1 error · 1 video"
    )
    expect(page.locator(".card h3")).to_have_text(
        ["Dogs on the beach", "Birthday cakes", "Çafé at night", "Photos in no group", "Files not on the map"]
    )
    expect(page.locator(".card").first).to_contain_text("32 photos · 1 May \u2013 30 May 2019")
    expect(page.locator(".card").first.locator("img")).to_have_count(5)
    expect(page.locator("#moved")).to_be_hidden()
    page.get_by_text("About this report").click()
    expect(page.get_by_text("Grouped by <hand>.")).to_be_visible()


@needs_chromium
def test_from_the_rail_to_a_photo_and_back(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
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
    expect(dialog).to_contain_text("Captioned")
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
    expect(facts).to_contain_text("0.100, place 1 of 12")
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
    page = watched.go(library.write())
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
    expect(page.locator("#view-groups")).to_be_visible()
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
    for name, count, first in (
        ("Not captioned", 1, "uncaptioned.jpg"),
        ("Failed", 1, "broken.jpg"),
        ("Unclustered", 5, "Something odd 0"),
    ):
        page.locator("#filters a", has_text=name).click()
        expect(page.locator(".tile")).to_have_count(count)
        assert tiles(page)[0] == first
    page.locator("#filters a", has_text="Videos").click()
    expect(page.locator(".tile .text")).to_have_text(["MVI_1.MOV"])
    page.locator("#filters a", has_text="Videos").click()
    expect(page.locator("#view-groups")).to_be_visible()


@needs_chromium
def test_events_lie_along_the_years(watched: Watched, library: Library) -> None:
    page = watched.go(library.write())
    page.get_by_role("link", name="Events").click()
    expect(page.locator("#rail a")).to_contain_text(["2019", "2020", "No date"])
    expect(page.locator("#view-events h2")).to_contain_text(["2019", "2020", "Without a date"])
    expect(page.locator(".small-event")).to_have_count(25)  # a morning each; the one with the burst is a card
    page.locator("#rail a", has_text="2020").click()
    page.locator(".card", has_text="2020: birthday cake").click()
    expect(page.locator("#list-meta")).to_have_text("12 photos · Wed 15:00\u201315:11")
    page.get_by_text("← Events").click()
    expect(page.locator("#rail a[aria-current]")).to_contain_text("2020")
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
    page = watched.go(library.write())
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


@needs_chromium
def test_ten_thousand_photos_are_a_few_in_the_document(watched: Watched, tmp_path: Path) -> None:
    many = Library(tmp_path)
    for number in range(10_000):
        many.add(f"{number}.jpg", f"photo {number}", drawn=False, cluster_id=4, cluster_label="Many")
    many.groups = [Group(4, "Many", "caption", (), tuple(range(10_000)))]
    page = watched.go(many.write(), "#group=4")
    assert page.locator(".tile").count() < 300
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(page.locator(".tile", has_text="photo 9999")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("4999")
    expect(page.locator(".tile")).to_have_count(1)


@needs_chromium
def test_a_file_whose_name_is_spelled_otherwise_on_the_disk(watched: Watched, tmp_path: Path) -> None:
    """As a Mac spells names: the large view shows the file, and the link leads to it."""
    library = Library(tmp_path, odd={"Zoë.jpg": "Zoe%CC%88.jpg"})
    library.add("Zoë.jpg", "Zoë at the lake", drawn=False)
    library.add("b.jpg", "The lake")
    library.pictures[0] = library.pictures[1]
    draw(tmp_path / "photos" / "Zoe\u0308.jpg", size=(96, 64))
    page = watched.go(library.write(), "#photo=0")
    link = page.locator("#photo").get_by_role("link", name="Open the file")
    expect(link).to_have_attribute("href", "photos/Zoe%CC%88.jpg")
    page.wait_for_function(
        "[...document.querySelectorAll('#photo img')].some((one) => one.naturalWidth === 96)"
    )


@needs_chromium
def test_hostile_texts_stay_texts(watched: Watched, tmp_path: Path) -> None:
    bad = Library(tmp_path / "report")
    for number, text in enumerate(HOSTILE + [""] * len(HOSTILE_PATHS)):
        path = HOSTILE_PATHS[number - len(HOSTILE)] if number >= len(HOSTILE) else f"{number}.jpg"
        bad.add(path, text, cluster_id=number % len(HOSTILE), cluster_label=HOSTILE[number % len(HOSTILE)], x=number, y=number % 3,
                taken_at="2020-01-01T00:00:00+02:00", taken_from="exif")  # fmt: skip
    size = len(HOSTILE)
    bad.groups = [Group(g, text, "caption", (text,), (g,)) for g, text in enumerate(HOSTILE)]
    bad.themes = [Theme(HOSTILE[g], (g, g + 1)) for g in range(0, size, 2)]
    bad.events = [Event(1, HOSTILE[0], datetime(2020, 1, 1), datetime(2020, 1, 1), (), tuple(range(size))),  # noqa: DTZ001
                  Event(-1, HOSTILE[1], None, None, (), tuple(range(size, len(bad.rows))))]  # fmt: skip
    draw(tmp_path / "outside.jpg")
    draw(tmp_path / "report" / "outside.jpg")
    page = watched.go(bad.write())
    expect(page.locator(".card h3").first).to_have_text(HOSTILE[0])
    for route in (
        "#events",
        "#map",
        "#group=0",
        "#group=9",
        "#event=-1",
        "#q=%3Cscript%3E",
        "#q=alert",
        "#photo=x",
        "#group=x",
        "#event=77",
        "#theme=99",
        "#only=zzz",
        "#q=(%5B*",
    ):
        page.evaluate(f"location.hash = '{route}'")
        page.wait_for_timeout(80)
    for number in range(len(bad.rows)):
        page.evaluate(f"location.hash = '#photo={number}'")
        page.wait_for_timeout(30)
    expect(page.locator("#photo")).to_be_visible()
    own = [(tmp_path / "report" / part).as_uri() for part in ("cluster_report.html", FOLDER, "photos/")]
    outside = [url for url in watched.requests if not url.startswith((*own, "data:"))]
    assert not outside
    assert page.locator("main script, main iframe, dialog script").count() == 0
    # Files that were not drawn cannot be found, which Chromium says; nothing else may be said.
    watched.trouble = [said for said in watched.trouble if "ERR_FILE_NOT_FOUND" not in said]


@needs_chromium
@pytest.mark.parametrize("count", [0, 1])
def test_next_to_nothing(watched: Watched, tmp_path: Path, count: int) -> None:
    library = Library(tmp_path, link=None)
    for number in range(count):
        library.add(f"{number}.jpg", "The only one")
    page = watched.go(library.write())
    assert page.inner_text("h1").startswith(f"{count} photo")
    for route in ("#events", "#map", "#group=-1", "#q=only", "#photo=0"):
        page.evaluate(f"location.hash = '{route}'")
        page.wait_for_timeout(80)
    assert page.locator("#photo").is_visible() == bool(count)


@needs_chromium
def test_a_report_of_the_journal_alone_shows_the_captions(
    watched: Watched, library: Library, tmp_path: Path
) -> None:
    words = Library(tmp_path, link=None)
    words.rows = [
        row._replace(x=None, y=None, taken_at="", taken_from="", burst_of="") for row in library.rows
    ]
    words.pictures = [Picture()] * len(words.rows)
    words.groups, words.themes = library.groups, library.themes
    page = watched.go(words.write())
    expect(page.locator(".card").first).to_contain_text("Dogs on the beach number")
    page.locator(".card").first.click()
    page.locator(".tile a").first.click()
    expect(page.locator("#large-words")).to_contain_text("Dogs on the beach number")
    assert page.get_by_text("Open the file").count() == 0
    assert [url for url in watched.requests if url.startswith("file:")] == [
        (tmp_path / "cluster_report.html").as_uri()
    ]


@needs_chromium
def test_a_page_moved_without_its_pictures_says_so(
    watched: Watched, library: Library, tmp_path: Path
) -> None:
    page = watched.go(Path(shutil.copy(library.write(), tmp_path)))
    expect(page.locator("#moved")).to_be_visible()
    expect(page.locator("#moved")).to_contain_text(FOLDER)
    watched.trouble = [said for said in watched.trouble if "ERR_FILE_NOT_FOUND" not in said]


@needs_chromium
def test_a_preview_stands_for_what_no_browser_shows(watched: Watched, tmp_path: Path) -> None:
    library = Library(tmp_path)
    library.add("IMG_1.jpg", "A lake")
    library.rows[0] = library.rows[0]._replace(rel_path="IMG_1.HEIC")
    draw(tmp_path / FOLDER / "large.jpg", size=(200, 100))
    library.pictures[0] = Picture(f"{FOLDER}/1.jpg", f"{FOLDER}/large.jpg", (48, 32))
    page = watched.go(library.write(), "#photo=0")
    expect(page.locator("#large")).to_have_js_property("naturalWidth", 200)
    assert not [url for url in watched.requests if url.endswith("HEIC")]


def test_the_data_holds_every_text_as_it_was(tmp_path: Path) -> None:
    library = Library(tmp_path)
    for number, text in enumerate(HOSTILE * 2):
        library.add(f"{number}.jpg", text, drawn=False)
    text = library.write().read_text(encoding="utf-8")
    data = json.loads(text.split('id="data">')[1].split("</script>")[0])
    labels: Sequence[str | int] = data["photos"]["label"]
    assert [label if isinstance(label, str) else labels[label] for label in labels] == HOSTILE * 2
    assert len(os.fsencode(text)) < 400_000
