"""The map: each photo can be reached, names and pictures have room, and no zoom or drag ends on white."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from report.naming.naming import Group
from tests.conftest import wait_for
from tests.helpers.pages import PHONE, Library, Watched, browser, needs_chromium, watched

__all__ = ["browser", "watched"]  # fixtures
pytestmark = needs_chromium

_DRAWN = """() => {
  // What the map draws, taken from the calls of its canvas.
  const seen = { pictures: [], names: [] };
  const context = document.getElementById("canvas").getContext("2d");
  const { drawImage, fillText } = CanvasRenderingContext2D.prototype;
  context.drawImage = function (image, x, y, wide, high) {
    seen.pictures.push([x, y, x + wide, y + high]);
    return drawImage.apply(this, arguments);
  };
  context.fillText = function (text, x, y) {
    const wide = this.measureText(text).width / 2;
    seen.names.push([x - wide, y - 6, x + wide, y + 6]);
    return fillText.apply(this, arguments);
  };
  map.draw();
  delete context.drawImage;
  delete context.fillText;
  return seen;
}"""


def scattered(folder: Path, count: int = 60) -> Library:
    """Four groups of photos: one in which all lie on one place, one far off, and two beside each other."""
    library = Library(folder)
    places = [(0.0, 0.0), (200.0, 90.0), (3.0, 1.0), (3.5, 4.0)]
    for number in range(count):
        x, y = places[number % 4]
        spread = 0.0 if number % 4 == 0 else number / count
        library.add(
            f"{number}.jpg", f"Photo {number}", cluster_id=number % 4, x=x + spread, y=y + spread * spread,
            distance_to_centroid=number / count,
        )  # fmt: skip
    for group, name in enumerate(("Screenshots", "Far away", "Dogs", "Cats")):
        inside = tuple(range(group, count, 4))
        library.groups.append(Group(group, name, "caption", (), inside))
    return library


def drawn(page: Page) -> dict[str, list[list[float]]]:
    found: dict[str, list[list[float]]] = page.evaluate(_DRAWN)
    return found


def all_loaded(page: Page, count: int) -> None:
    wait_for(lambda: len(drawn(page)["pictures"]) >= count, 30)


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def canvas(page: Page) -> dict[str, Any]:
    box = page.locator("#canvas").bounding_box()
    assert box
    return dict(box)


@pytest.mark.parametrize("watched", [{}, {"size": PHONE}], indirect=True, ids=["desk", "phone"])
def test_names_cover_neither_pictures_nor_each_other(watched: Watched, tmp_path: Path) -> None:
    page = watched.go(scattered(tmp_path).write(), "#map")
    all_loaded(page, 6)
    for _ in range(4):
        seen = drawn(page)
        boxes = seen["pictures"] + seen["names"]
        assert seen["pictures"]
        clashes = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place] if overlap(a, b)]
        assert not clashes
        page.get_by_role("button", name="Zoom in").click()
        page.wait_for_timeout(400)
    page.get_by_role("button", name="Show the whole map").click()
    wait_for(lambda: len(drawn(page)["names"]) == 4)


def test_photos_with_one_caption_can_all_be_reached(watched: Watched, tmp_path: Path) -> None:
    """Fifteen of them have the same place."""
    page = watched.go(scattered(tmp_path).write(), "#map&group=0")
    expect(page.locator("#hint")).to_contain_text("15 photos highlighted")
    all_loaded(page, 15)
    box, reached = canvas(page), set()
    page.wait_for_timeout(300)
    for left, top, right, bottom in drawn(page)["pictures"]:
        page.mouse.move(box["x"] + (left + right) / 2, box["y"] + (top + bottom) / 2)
        expect(page.locator("#hover")).to_be_visible()
        reached.add(page.locator("#hover-words").inner_text())
    assert reached == {f"Photo {number}" for number in range(0, 60, 4)}


def test_no_zoom_and_no_drag_ends_on_white(watched: Watched, tmp_path: Path) -> None:
    page = watched.go(scattered(tmp_path).write(), "#map")
    all_loaded(page, 12)
    box = canvas(page)
    corners = [(x, y) for x in (0.02, 0.5, 0.98) for y in (0.02, 0.5, 0.98)]
    for across, down in corners:
        page.get_by_role("button", name="Show the whole map").click()
        page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
        for _ in range(6):
            page.mouse.wheel(0, -600)
        page.wait_for_timeout(250)
        wait_for(lambda: bool(drawn(page)["pictures"]))
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    for _ in range(5):
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"], box["y"] + box["height"], steps=3)
        page.mouse.up()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_timeout(250)
    wait_for(lambda: bool(drawn(page)["pictures"]))


def test_the_most_typical_stand_for_the_others(watched: Watched, tmp_path: Path) -> None:
    """A thousand photos on one place: the map shows pictures from the start, and the deepest zoom shows all around there."""
    many = Library(tmp_path)
    for number in range(1000):
        many.add(f"{number}.jpg", f"Photo {number}", drawn=False, x=float(number % 2), y=0.0)
        many.pictures[-1] = many.pictures[0]
    many.add("last.jpg", "The last", x=0.5, y=1.0)
    many.pictures[:-1] = [many.pictures[-1]] * 1000
    page = watched.go(many.write(), "#map")
    all_loaded(page, 60)
    places = page.evaluate(
        """() => {
          const list = inOrder("typical"), { px, py, lattice: { cell, left, top } } = placesOn({ width: 1200, height: 600, margin: 60 }, list, photos.x, photos.y);
          return list.map((photo) => [Math.round((px[photo] - left) / cell), Math.round((py[photo] - top) / cell)]);
        }"""
    )
    assert len(set(map(tuple, places))) == 1001
    across = sorted({x for x, _ in places})
    assert max(b - a for a, b in pairwise(across)) < 12  # little is empty between the two heaps
