"""Names on the page: short names first, and what people change there comes out as cluster_names.csv."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Page, expect

from report.files.given_names import NAMES, NamesTable, names_table, read_names
from report.files.page import PAGE, write_page
from tests.helpers.pages import Library, Watched, browser, needs_chromium, small, watched

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["browser", "watched"]  # fixtures
pytestmark = needs_chromium
SHORT = ("Dogs", "Birthday cakes", "Café")


@pytest.fixture
def library(tmp_path: Path) -> Library:
    library = small(tmp_path)
    library.groups[:] = [
        replace(group, short=name) for group, name in zip(library.groups, SHORT, strict=True)
    ]
    library.events[0] = replace(library.events[0], name="Morning walk")
    return library


def write(library: Library, content: str | None = None) -> Path:
    """Write the page, as a report does in a folder with a file of names; `None`: with a new one."""
    names = library.folder / NAMES
    names.unlink(missing_ok=True)
    if content is not None:
        names.write_text(content, encoding="utf-8")
    file = read_names(library.folder)
    ids = {line.number: line.group for line in file.lines.values() if line.group is not None}
    photos = {group.id: [library.rows[row].rel_path for row in group.members] for group in library.groups}
    table: NamesTable = names_table(file, library.groups, ids, photos)
    write_page(replace(library.report, names=table), library.folder)
    return library.folder / PAGE


def saved(page: Page, library: Library) -> dict[int | None, tuple[str, bool, str]]:
    """Save the file that the page offers where the next report looks for it; return what that will read."""
    with page.expect_download() as download:
        page.get_by_role("button", name="Save cluster_names.csv").click()
    download.value.save_as(library.folder / NAMES)
    file = read_names(library.folder)
    assert not file.notes
    assert len(file.lines) == len(file.rows)
    return {line.group: (line.name, line.hide, line.merge) for line in file.lines.values()}


def test_a_card_has_the_short_name_and_below_it_the_heading(watched: Watched, library: Library) -> None:
    page = watched.go(write(library), "#groups")
    expect(page.locator(".card h3")).to_have_text([*SHORT, "Photos in no group", "Files not on the map"])
    expect(page.locator(".card").first.locator(".meta").first).to_have_text("Dogs on the beach")
    # Not the same twice.
    expect(page.locator(".card").nth(1).locator(".meta").first).to_contain_text("12 photos")
    page.fill("#words", "dogs")
    expect(page.locator("#list-row")).to_contain_text("Group: Dogs 32")
    page.goto(page.url.partition("#")[0] + "#event=1")
    expect(page.locator("#list-title")).to_have_text("Morning walk")
    expect(page.locator("#list-meta")).to_contain_text("2019")


def test_a_name_given_on_the_page_is_shown_kept_and_saved(watched: Watched, library: Library) -> None:
    path = write(
        library,
        "group;name;your name;hide;merge with;photos;remark\n7;Boats;;yes;;gone.jpg;a; b\n1;Cakes;Ida;;;;\n",
    )
    page = watched.go(path, "#group=0")
    expect(page.locator("#changes")).to_be_hidden()
    page.get_by_role("button", name="Rename").click()
    page.locator(".rename input").fill('=Rex; "the dog"')
    page.keyboard.press("Enter")
    expect(page.locator("#list-title")).to_have_text('=Rex; "the dog"')
    expect(page.locator("#changes")).to_contain_text("1 change to names not in the report yet")
    page.reload()
    page.click("#tab-groups")
    expect(page.locator(".card h3").first).to_have_text('=Rex; "the dog"')
    before = (library.folder / NAMES).read_text()
    with page.expect_download() as download:
        page.click("#changes-save")
    download.value.save_as(library.folder / NAMES)
    file = read_names(library.folder)
    assert {line.group: line.name for line in file.lines.values()} == {
        7: "",
        1: "Ida",
        0: '=Rex; "the dog"',
        2: "",
    }
    assert file.delimiter == ";"
    assert "7;Boats;;yes;;gone.jpg;a; b\n" in before
    assert ["7", "Boats", "", "yes", "", "gone.jpg", "a", " b"] in [list(row) for row in file.rows]

    write(library, (library.folder / NAMES).read_text(encoding="utf-8-sig"))
    library.groups[0] = replace(library.groups[0], given='=Rex; "the dog"')
    page.goto(write(library, (library.folder / NAMES).read_text(encoding="utf-8-sig")).as_uri())
    expect(page.locator("#changes")).to_be_hidden()


def test_a_hidden_group_has_no_card_but_is_found(watched: Watched, library: Library) -> None:
    page = watched.go(write(library), "#group=1")
    page.get_by_role("button", name="Hide").click()
    page.click("#tab-groups")
    expect(page.locator(".card h3")).to_have_text(
        ["Dogs", "Café", "Photos in no group", "Files not on the map"]
    )
    page.fill("#words", "birthday")
    expect(page.locator("#list-meta")).to_contain_text("12 photos")
    assert saved(page, library)[1] == ("", True, "")
    page.get_by_role("button", name="Undo all").click()
    expect(page.locator("#changes")).to_be_hidden()
    page.click("#tab-groups")
    page.fill("#words", "")
    page.click("#tab-groups")
    expect(page.locator("#view-groups .card")).to_have_count(5)


def test_groups_that_shall_go_together(watched: Watched, library: Library) -> None:
    page = watched.go(write(library), "#group=1")
    choice = page.get_by_label("Merge with another group")
    assert choice.locator("option").all_inner_texts() == ["Merge with…", "Merge with Café", "Merge with Dogs"]
    choice.select_option("Merge with Dogs")
    assert saved(page, library)[1] == ("", False, "0")
    choice.select_option("Merge with…")
    expect(page.locator("#changes")).to_be_hidden()


def test_without_a_table_nothing_can_be_changed(watched: Watched, library: Library) -> None:
    page = watched.go(library.write(), "#group=0")
    expect(page.locator("#list-title")).to_have_text("Dogs")
    expect(page.get_by_role("button", name="Rename")).to_have_count(0)
