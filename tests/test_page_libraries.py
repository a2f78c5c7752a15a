"""The page of odd libraries: ten thousand photos, next to none, names spelled otherwise, pictures that are not there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from report.files.thumbnails import FOLDER, Picture
from report.naming.naming import Group
from tests.conftest import draw
from tests.helpers.pages import Library, Watched, browser, library, needs_chromium, watched

__all__ = ["browser", "library", "watched"]  # fixtures


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
