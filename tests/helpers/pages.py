"""The page in a real browser, opened from the disk, over libraries made for it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Dialog, Page, sync_playwright

from report.build import Report
from report.events import UNDATED, Event
from report.files.page import PAGE, write_page
from report.files.table import Row
from report.files.thumbnails import FOLDER, Picture
from report.naming.naming import UNCLUSTERED, Group, Theme
from tests.conftest import draw, wait_for

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no chromium here: apt-get install chromium")
DESKTOP, PHONE = (1280, 800), (390, 844)


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
